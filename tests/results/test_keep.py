"""A page with scores is never replaced by one that lacks some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ser.results.keep import lost_rows, page_of
from ser.system.files import write_json


def row(label: str, feature: str = "egemaps", kind: str = "paper", **scores: float) -> dict[str, Any]:
    return {"kind": kind, "label": label, "feature": feature, **scores}


def record(*rows: dict[str, Any], condition: Any = 5, format: int = 2) -> dict[str, Any]:
    return {"format": format, "tables": [{"condition": condition, "rows": list(rows)}]}


CHANCE = row("chance", "-", "reference", uar=0.25)
FULL = record(CHANCE, row("svc", uar=0.8), row("regression", uar=0.7), row("shortcut", "shortcut", uar=0.4))
HOLES = record(CHANCE, row("svc"), row("regression"), row("shortcut", "shortcut", uar=0.4))


def test_lost_is_what_had_scores_and_has_none():
    assert lost_rows(FULL, HOLES) == ["svc, egemaps", "regression, egemaps"]
    assert lost_rows(HOLES, FULL) == lost_rows(FULL, FULL) == []
    assert lost_rows(FULL, record(CHANCE)) == ["svc, egemaps", "regression, egemaps", "shortcut, shortcut"]


def test_a_row_is_its_label_and_its_feature():
    assert lost_rows(record(row("svc", uar=0.8)), record(row("svc", "byol_s", uar=0.9))) == ["svc, egemaps"]


def test_chance_and_published_values_are_no_loss():
    assert lost_rows(record(CHANCE, row("Das 2022", "-", "cited", uar=0.6)), record()) == []


def test_a_row_may_be_lost_in_one_table_only():
    """Between formats, which write conditions in other ways, only rows are matched."""
    both = {"format": 2, "tables": [{"condition": n, "rows": [row("svc", uar=0.5)]} for n in (5, 10)]}
    assert lost_rows(both, record(row("svc", uar=0.5), condition=5)) == ["svc, egemaps"]
    assert lost_rows(both, record(row("svc", uar=0.5), condition={"shots": 5}, format=3)) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "exp").mkdir()
    return tmp_path


def test_a_page_takes_its_place_when_nothing_is_lost(folder):
    out = folder / "RESULTS.md"
    assert page_of(out, FULL, folder / "exp") == (out, None)  # there is none yet
    write_json(folder / "RESULTS.json", HOLES)
    assert page_of(out, FULL, folder / "exp") == (out, None)


def test_a_page_that_lacks_rows_goes_below_exp_and_says_so(folder):
    write_json(folder / "RESULTS.json", FULL)
    out = folder / "RESULTS.md"
    place, why = page_of(out, HOLES, folder / "exp")
    assert place == folder / "exp" / "RESULTS.md"
    assert why == (
        f"{out} stays: it has scores that this run lacks (svc, egemaps; regression, egemaps); this run's page is "
        f"{place}. To replace it, move it and its RESULTS.json away and run stage 6 again"
    )


def test_a_page_whose_numbers_are_lost_is_not_replaced(folder):
    out = folder / "RESULTS.md"
    out.write_text("scores of a week")
    place, why = page_of(out, FULL, folder / "exp")
    assert place == folder / "exp" / "RESULTS.md"
    assert why.startswith(f"{out} stays: it has scores that this run may lack (its RESULTS.json is missing);")


def test_the_page_of_a_variant_is_the_run_s_own(folder):
    write_json(folder / "exp" / "RESULTS.json", FULL)
    assert page_of(folder / "exp" / "RESULTS.md", HOLES, folder / "exp") == (folder / "exp" / "RESULTS.md", None)
