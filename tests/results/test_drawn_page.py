"""Tables of tested speakers whose utterances are drawn anew: one column for a number of shots and a draw."""

from __future__ import annotations

from ser.results import drawn_page
from ser.results.measures import span


def one(row: str, shots: int | None, how: str, uar: float, difference: float | None = None) -> dict:
    about = {"row": row, "feature": "byol", "task": "", "test_speakers": how, "shots": shots, "uar": uar,
             "interval": [uar - 0.1, uar + 0.1]}  # fmt: skip
    return about | ({} if difference is None else {"difference": difference, "difference_interval": None})


FOUND = {
    "versus": "btl",
    "rows": [
        one("smap", 5, "as they are", 0.8, 0.05),
        one("smap", 5, "skewed 16", 0.6, -0.125),
        one("btl", 5, "as they are", 0.75),
        one("in_domain", None, "skewed 16", 0.9),
    ],
}


def test_systems_are_rows_and_missing_cells_are_empty():
    tables = drawn_page.tables(FOUND)
    assert list(tables) == ["UAR", "difference from btl"]
    header = ["0 shots, as they are", "0 shots, skewed 16", "5 shots, as they are", "5 shots, skewed 16"]
    assert tables["UAR"] == [
        ["system", "feature", *header],
        ["smap", "byol", "", "", f"80.0 [{span([0.7, 0.9])}]", f"60.0 [{span([0.5, 0.7])}]"],
        ["btl", "byol", "", "", f"75.0 [{span([0.65, 0.85])}]", ""],
        ["in_domain", "byol", "", f"90.0 [{span([0.8, 1.0])}]", "", ""],
    ]
    assert tables["difference from btl"][1:] == [["smap", "byol", "+5.0", "-12.5"]]


def test_tasks_have_tables_of_their_own():
    rows = [{**own, "task": task} for task in ("four", "arousal") for own in FOUND["rows"]]
    assert list(drawn_page.tables({"versus": "btl", "rows": rows})) == [
        "four, UAR", "four, difference from btl", "arousal, UAR", "arousal, difference from btl",
    ]  # fmt: skip
