"""How UAR on tested speakers whose utterances are drawn anew looks: tables of text. Not here: the draws and counts
(`ser.scoring.test_speakers`, `ser.results.balance`), and a matrix, whose means have columns for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ser.results.measures import percent, signed, span

Json = Mapping[str, Any]
Table = list[list[str]]
"""Header and rows of cells."""

TEXT = """UAR in per cent [95 %], of seed 1, on the same support sets and utterances for all systems. As they are: all
 utterances of a tested speaker. Balanced n, skewed n: n of each, classes balanced, or their shares from a Dirichlet
 distribution (0.5), pooled over draws; what was not drawn is not there for a system that uses a speaker's utterances
 together."""


def tables(found: Json) -> dict[str, Table]:
    """Lay out systems by number of shots and by how utterances were drawn.

    Args:
        found: `test_speakers` of RESULTS.json.

    Returns:
        Title -> UARs, or differences from one of the systems where one was named, for each task.
    """
    laid_out = {}
    for task in dict.fromkeys(one["task"] for one in found["rows"]):
        rows = [one for one in found["rows"] if one["task"] == task]
        begin = f"{task}, " if task else ""
        laid_out[f"{begin}UAR"] = _table(rows, "uar")
        differences = [one for one in rows if "difference" in one]
        if differences:
            laid_out[f"{begin}difference from {found['versus']}"] = _table(differences, "difference")
    return laid_out


def _table(rows: Sequence[Json], key: str) -> Table:
    columns = sorted({one["shots"] or 0 for one in rows})
    columns = [(k, how) for k in columns for how in dict.fromkeys(one["test_speakers"] for one in rows)]
    cells: dict[tuple[str, str], dict[tuple[int, str], str]] = {}
    for one in rows:
        cells.setdefault((one["row"], one["feature"]), {})[one["shots"] or 0, one["test_speakers"]] = _cell(one, key)
    header = ["system", "feature", *(f"{k} shots, {how}" for k, how in columns)]
    return [header, *([*name, *(own.get(column, "") for column in columns)] for name, own in cells.items())]


def _cell(one: Json, key: str) -> str:
    if key == "uar":
        return percent(one["uar"]) + (f" [{span(one['interval'])}]" if one["interval"] else "")
    low_high = one["difference_interval"]
    bounds = f" [{signed(100 * low_high[0])}, {signed(100 * low_high[1])}]" if low_high else ""
    return signed(100 * one["difference"]) + bounds
