"""Variants of rows, and which rows a run is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ser.errors import ConfigError
from ser.recipe.choice import Choice
from ser.recipe.rows import Row, Table
from ser.recipe.variants import folder_of, with_variants

CONF = Path(__file__).parents[2] / "egs" / "ravdess2emodb" / "conf"
PAPER = CONF.parents[2] / "conf" / "rows" / "emofsl.tsv"


def rows(*overrides: str) -> list[Row]:
    table = Table(PAPER, CONF, [""], ["fbank_no_cmvn"], False, (), False)
    plain = [row for row in table.rows() if not row.finetunes]
    if not overrides:
        return plain
    changed = [row for row in replace(table, overrides=overrides).rows() if not row.finetunes]
    return with_variants(plain, changed, overrides)


def variants(*overrides: str) -> dict[str, Row]:
    return {row.variant_of.split("-")[0]: row for row in rows(*overrides) if row.variant_of}


def runs(names) -> int:
    return sum(len(row.seeds) for row in rows() if row.label in names)


def test_a_variant_stands_next_to_its_row():
    own = variants("adapt.epochs=2")["emofsl"]
    assert own.name == "variants/adapt.epochs=2/emofsl-fbank_no_cmvn"
    assert (own.label, own.versus, own.published) == ("emofsl adapt.epochs=2", "emofsl", None)
    assert own.values["adapt"]["epochs"] == 2
    assert own.init == "source_only-fbank_no_cmvn"  # which never adapts


def test_a_variant_starts_from_the_variant_of_its_parent_where_that_is_another():
    own = variants("source.epochs=3")
    assert own["emofsl"].init == own["source_only"].name == "variants/source.epochs=3/source_only-fbank_no_cmvn"


@pytest.mark.parametrize(
    ("setting", "n"),
    [("adapt.epochs=2", 45), ("adapt.batch_size=4", 60), ("loss.alpha=0.8", 24), ("source.epochs=3", 69),
     ("inverse_penalty=2.0", 3)],
)  # fmt: skip
def test_runs_that_a_setting_changes(setting, n):
    """Of 72. Rows that name a setting themselves (`ten_steps`) keep it; `source_only` never adapts."""
    assert runs({row.label for row in rows()}) == 72
    assert runs(variants(setting)) == n


def test_a_setting_that_changes_nothing_is_refused():
    with pytest.raises(ConfigError, match="--set adapt.epochs=50: changes no row"):
        rows("adapt.epochs=50")
    with pytest.raises(ConfigError, match="--set: changes nothing that the rows 'support_only' use"):
        Choice(rows=["support_only"]).of(rows("adapt.epochs=2"))


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["a=1", "b.c=[x,y]"], "a=1,b.c=[x,y]"),
        (["head=/etc/$X y:1"], "head=%2Fetc%2F%24X%20y%3A1"),
        (["a=" + 200 * "1"], "a=" + 118 * "1" + "-"),
        ([".a=1"], "%2Ea=1"),
    ],
)
def test_names_of_folders_are_words_of_a_shell(overrides, name):
    found = folder_of(overrides)
    assert found.startswith(f"variants/{name}") and len(found) < 150 and " " not in found


def chosen(choice: Choice, *overrides: str) -> list[str]:
    return [row.label for row in choice.of(rows(*overrides))]


def test_rows_come_with_those_that_they_start_from_and_are_tested_against():
    assert chosen(Choice(rows=["emofsl"])) == [
        "source_only",
        "btl",
        "emofsl",
    ]  # btl, but not what btl is held against
    assert chosen(Choice(rows=["support_only"])) == ["source_only", "btl", "support_only"]
    assert chosen(Choice(rows=["in_domain", "source_only"])) == ["source_only", "in_domain"]
    assert chosen(Choice()) == [row.label for row in rows()]


def test_a_variant_comes_with_its_row():
    found = chosen(Choice(rows=["emofsl"]), "adapt.epochs=2")
    assert found == ["source_only", "emofsl", "emofsl adapt.epochs=2"]


def test_seeds_are_chosen_and_rows_without_them_left_out():
    found = Choice(rows=["emofsl", "support_only"], seeds=["2"]).of(rows())
    assert {row.label: row.seeds for row in found} == {"source_only": (2,), "btl": (2,), "emofsl": (2,)}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(rows=["emofls"]), "--rows: unknown 'emofls'; did you mean 'emofsl'"),
        (Choice(tasks=["arousal"]), "--tasks 'arousal': this recipe has no tasks"),
        (Choice(seeds=["9"]), "--seeds: unknown '9'"),
    ],
)
def test_what_a_table_does_not_have_is_named(choice, said):
    with pytest.raises(ConfigError, match=said):
        choice.of(rows())
