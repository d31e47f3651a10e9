"""RESULTS.json: every number that the page has, from the same objects, small and well-formed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ser.errors import DataError
from ser.recipe.recipe import Recipe
from ser.results.fits import FitLine
from ser.results.lines import Line, reference_lines
from ser.results.page import PAGE_CODE
from ser.results.published import Published
from ser.results.record import FORMAT, fit_record, probe_records, read_record, rounded, table_record, text_of
from ser.results.scores import score_lines
from ser.results.standings import with_standings
from ser.results.training import learning_curves, plane_record
from ser.system.files import is_sealed
from ser.types import Condition
from tests.test_house import ROOT

CLASSES = ("high", "low")
FIVE = Condition(corpus="t", shots=5)
PAPER = Published(
    source="A 2020, Table 1",
    uar={"ours": {5: 70.0}, "cited": {5: 60.0}},
    uar_sd={"ours": {5: 1.5}},
    confusion={"ours": {5: [[80, 20], [40, 60]]}},
    confusion_source="A 2020, Fig. 2",
)
ABOUT = {
    ("ours", "byol"): {"kind": "paper", "method": "m", "sources": ["s"], "seeds": 1, "options": ""},
    ("variant", "byol"): {"kind": "variant", "method": "m", "sources": ["s"], "seeds": 1, "options": ""},
}


def line(label: str, right: int, **more) -> Line:
    counts = np.array([[[[[right, 4 - right], [0, 2]]] * 8]])  # eight speakers; of "low" everything is recognized
    speakers = [f"t-{i}" for i in range(8)]
    return Line(label, "byol", FIVE, ("k-shot",), counts, (1,), False, speakers, cells=2, one_class=1, **more)


@pytest.fixture(scope="module")
def table() -> dict:
    lines = [
        line("ours", 3, published="ours", versus="variant"),
        line("variant", 4),
        Line("hole", "byol", FIVE, hole="h"),
    ]
    lines.append(Line("cited", "-", FIVE, published="cited"))
    entries = with_standings(score_lines([*reference_lines(lines[0], CLASSES, "high"), *lines], CLASSES))
    return table_record(FIVE, entries, CLASSES, PAPER, ABOUT | {("hole", "byol"): {"kind": "variant"}})


def row_of(table: dict, label: str) -> dict:
    return next(row for row in table["rows"] if row["label"] == label)


def test_a_table_tells_who_was_tested(table):
    assert table["condition"] == {"task": "", "corpus": "t", "shots": 5, "rotation": False}
    assert table["classes"] == list(CLASSES)
    assert (table["n_utterances"], table["n_speakers"], table["n_true"]) == (48, 8, {"high": 32, "low": 16})


def test_a_scored_row_has_every_number_of_the_page(table):
    row = row_of(table, "ours")
    assert row["uar"] == 0.875  # 3/4 and 1
    assert row["recall"] == {"high": 0.75, "low": 1.0}
    assert row["wa"] == round(40 / 48, 6)
    assert row["macro_f1"] == round((2 * 24 / 56 + 2 * 16 / 40) / 2, 6)
    assert row["interval"] == [0.875, 0.875]  # all speakers alike
    assert row["confusion"] == [[0.75, 0.25], [0.0, 1.0]]
    assert (row["difference"], row["difference_interval"], row["versus"]) == (-0.125, [-0.125, -0.125], "variant")
    assert row["p"] == 0.0  # no speaker differs from the others
    assert row["sample"] == {"seeds": [1], "uars": [[0.875]], "left_out": [[0.875] * 8]}
    assert row["groups"] == {"speaker": {f"t-{i}": 0.875 for i in range(8)}}
    assert (row["seeds"], row["is_random"], row["detectable"]) == (1, False, 0.0)
    assert row["worse"] is True
    assert (row["one_class"], row["cells"]) == (1, 2)
    assert (row["published"], row["published_text"], row["minus_published"]) == (70.0, "70.00 ± 1.50", 17.5)
    assert row["published_confusion"] == [[80, 20], [40, 60]]
    assert row["best"] == {
        "label": "variant", "feature": "byol", "difference": -0.125, "interval": [-0.125, -0.125],
        "p": 0.0, "worse": True,
    }  # fmt: skip
    assert "is_best" not in row and row_of(table, "variant")["is_best_of_all"] is True
    assert "confusion" not in row_of(table, "variant")


def test_references_holes_and_cited_systems_have_what_there_is_of_them(table):
    assert row_of(table, "chance") == {
        "kind": "reference", "label": "chance", "feature": "-", "any_condition": True, "uar": 0.5, "wa": 0.5,
        "macro_f1": round((2 * 16 / 56 + 2 * 8 / 40) / 2, 6), "recall": {"high": 0.5, "low": 0.5},
        "f1": {"high": round(2 * 16 / 56, 6), "low": round(2 * 8 / 40, 6)},
    }  # fmt: skip
    assert row_of(table, "hole") == {"kind": "variant", "label": "hole", "feature": "byol", "hole": "h"}
    assert row_of(table, "cited") == {
        "kind": "cited", "label": "cited", "feature": "-", "published_as": "cited", "published": 60.0,
        "published_text": "60.00",
    }  # fmt: skip


def test_a_matrix_of_a_row_that_is_not_there_stands_alone():
    table = table_record(FIVE, [Line("else", "-", FIVE)], CLASSES, PAPER, {})
    assert table["rows"][-1]["published_confusion"] == [[80, 20], [40, 60]]
    assert table["rows"][-1]["kind"] == "cited"


def test_numbers_are_short_and_none_is_nan():
    assert rounded(1 / 3) == 0.333333
    assert rounded(float("nan")) is None
    assert rounded(None) is None
    assert rounded((1 / 3, 1)) == [0.333333, 1]
    assert rounded((0.5, float("nan"))) is None
    assert rounded({"high": float("nan"), "low": np.float64(2 / 3)}) == {"high": None, "low": 0.666667}
    assert rounded("★") == "★"
    with pytest.raises(ValueError, match="Out of range float"):
        text_of({"a": float("nan")})


def test_text_has_a_line_for_each_row(table):
    text = text_of({"format": 1, "tables": [table]})
    found = json.loads(text)
    assert is_sealed(found)
    assert found | {"hash": ""} == {"format": 1, "tables": [table], "hash": ""}
    assert sum(line.strip().startswith('{"kind"') for line in text.splitlines()) == len(table["rows"])


def test_learning_curves_are_means_over_seeds_and_folds_apart_by_shots_and_stage():
    one = [{"split": "f1", "k": "5", "epoch": "1", "loss": "1", "dev_uar": ""},
           {"split": "f2", "k": "5", "epoch": "1", "loss": "2", "dev_uar": "0.5"},
           {"split": "f1", "k": "10", "epoch": "1", "loss": "8", "dev_uar": ""}]  # fmt: skip
    two = [{"split": "f1", "k": "5", "epoch": "1", "loss": "6", "dev_uar": ""}]
    assert learning_curves([one, two]) == [
        {"name": "k 5", "epochs": [1], "loss": [3.0], "dev_uar": [0.5]},
        {"name": "k 10", "epochs": [1], "loss": [8.0]},
    ]
    assert learning_curves([[{"split": "f1", "utterances": "9"}]]) == []


def test_long_curves_keep_their_ends():
    [curve] = learning_curves([[{"epoch": str(i), "loss": "0.123456"} for i in range(1, 501)]])
    assert (len(curve["epochs"]), curve["epochs"][0], curve["epochs"][-1]) == (60, 1, 500)
    assert set(curve["loss"]) == {0.1235}


def test_planes_keep_the_place_of_corpus_and_class():
    lines = [
        {"corpus": "b", "class": "low", "x": "1.23456", "y": "-2"},
        {"corpus": "a", "class": "high", "x": "0", "y": "3"},
    ]
    assert plane_record(lines) == {
        "corpora": ["a", "b"], "classes": ["high", "low"], "points": [[1, 1, 1.235, -2.0], [0, 0, 0.0, 3.0]]
    }  # fmt: skip


def test_probes_are_means_over_seeds():
    seeds = [{"probes": {"corpus": {"uar": uar, "chance": 0.5}}, "proxy_a_distance": uar} for uar in (0.6, 0.8)]
    assert probe_records([("arousal", "dann", "byol", seeds)]) == [
        {"task": "arousal", "label": "dann", "feature": "byol", "proxy_a_distance": 0.7,
         "probes": {"corpus": {"uar": 0.7, "sd": 0.141421, "chance": 0.5}}}
    ]  # fmt: skip
    [alone] = probe_records([("arousal", "dann", "byol", seeds[:1])])
    assert alone["probes"]["corpus"] == {"uar": 0.6, "sd": None, "chance": 0.5}


def test_fits_of_nothing_are_no_records():
    assert fit_record(Condition("four_class", "a"), [FitLine("act", "f")], {}, None) is None


def test_numbers_are_made_again_when_their_code_changes():
    """Whatever stage 6 imports of its own floor, and formulas, decide what it writes."""
    assert {"results", "metrics"} <= set(PAGE_CODE)


def test_cells_of_a_matrix_are_columns_in_the_file_and_entries_when_read(tmp_path):
    gain = {"difference": 0.1, "interval": None}
    cells = [
        {"source": "a", "target": "b", "uar": 0.5, "interval": [0.4, 0.6], "gain": gain},
        {"source": "b", "target": "a", "uar": 0.25, "interval": None},
    ]
    record = {"format": FORMAT, "matrices": [{"task": "", "rows": [{"label": "m", "cells": cells}]}]}
    path = tmp_path / "RESULTS.json"
    path.write_text(text_of(record))
    assert read_record(path) == record
    (row,) = json.loads(path.read_text())["matrices"][0]["rows"]
    assert row["cells"] == {
        "source": ["a", "b"], "target": ["b", "a"], "uar": [0.5, 0.25], "interval": [[0.4, 0.6], None],
        "gain": {"difference": [0.1, None], "interval": [None, None]},
    }  # fmt: skip


def test_a_matrix_of_an_earlier_version_is_to_be_written_again(tmp_path):
    path = tmp_path / "RESULTS.json"
    path.write_text(json.dumps({"format": FORMAT, "matrices": [{"rows": [{"cells": []}]}]}))
    with pytest.raises(DataError, match="run stage 6 of the recipe again"):
        read_record(path)


# ---- What is committed ----------------------------------------------------------------------------------------

COMMITTED = sorted(ROOT.glob("egs/*/RESULTS.json"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_numbers_belong_to_the_page_beside_them(path):
    record = json.loads(path.read_text())
    assert record["recipe"] == path.parent.name
    assert f"from {record['made_from']};" in path.with_suffix(".md").read_text().splitlines()[0]
    assert not record["mini"]
    assert is_sealed(record)
    assert path.stat().st_size < 500_000


@pytest.mark.parametrize("script", sorted(ROOT.glob("egs/*/run.sh")), ids=lambda path: path.parent.name)
def test_every_task_of_every_recipe_has_a_shortcut_row(script):
    """Chance and majority are made of the counts of whatever was scored."""
    folder = script.parent
    recipe = Recipe(folder, ROOT / "data", ROOT / "dump", folder / "splits", folder / "exp", ["fbank_no_cmvn"], False)
    assert recipe.tasks
    for task in recipe.tasks:
        assert any(row.feature == "shortcut" for row in recipe.rows if row.task == task), task


def test_an_edited_record_is_refused(tmp_path):
    path = tmp_path / "RESULTS.json"
    path.write_text(text_of({"format": FORMAT, "tables": [{"rows": [{"uar": 0.5}]}]}))
    assert read_record(path) == {"format": FORMAT, "tables": [{"rows": [{"uar": 0.5}]}]}
    path.write_text(path.read_text().replace("0.5", "0.6"))
    with pytest.raises(DataError, match="was changed after it was written, as its hash shows; restore it, or run"):
        read_record(path)


def test_shares_of_utterances_add_up_to_whole_ones():
    """Chance among three classes has thirds: of 1 + 4 utterances by two speakers, 0.99999 is one, not none."""
    counts = np.zeros((1, 1, 2, 3, 3))
    counts[0, 0, :, 0] = 1 / 3 - 1e-12, 1 / 3, 1 / 3
    counts[0, 0, 1, 0] = 4 / 3 - 1e-12, 4 / 3, 4 / 3
    chance = Line("chance", "-", FIVE, (), counts, (1,), False, ["t-0", "t-1"])
    table = table_record(FIVE, score_lines([chance], ("a", "b", "c")), ("a", "b", "c"), None, {})
    assert (table["n_utterances"], table["n_true"]) == (5, {"a": 5, "b": 0, "c": 0})
