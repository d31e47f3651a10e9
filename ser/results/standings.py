"""The best rows of a table, those that are not significantly worse, and those that are worse after adaptation.

Rows have the same rights where feature, target data, stamps and test utterances are alike. Each row is tested against
the best with the same rights; those best rows that are not ceilings, trained on labels of the target beyond k shots,
against the best of them all. Tests are corrected for the rows that are held against the same one. A row whose
interval reaches down to chance is the best of nothing. Where all rows are trained on labels of the tested corpus,
none is a ceiling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence

from ser.metrics.uncertainty import corrected, difference
from ser.results.lines import Line
from ser.results.scores import Comparison, Scored


def with_standings(entries: Sequence[Scored | Line]) -> list[Scored | Line]:
    """Find where each scored row of one table stands; holes, chance and majority are left as they are.

    Args:
        entries: of `score_lines`.
    """
    rows = [entry for entry in entries if isinstance(entry, Scored) and entry.line.cells]
    told: dict[int, dict[str, object]] = {id(row): {} for row in rows}
    families: dict[Hashable, list[Scored]] = {}
    for row in rows:
        families.setdefault((row.line.feature, *_rights(row), _tested(row)), []).append(row)
    best = [_best(family) for family in families.values()]
    for top, family in zip(best, families.values(), strict=True):
        if top.is_above_chance:
            told[id(top)]["is_best"] = len(family) > 1
            for row, found in _compared([row for row in family if row is not top], top):
                told[id(row)]["best"] = found
    common = set.intersection(*(set(row.line.stamps) for row in rows)) if rows else set()
    has_others = any("labelled" not in row.line.target_data for row in rows)
    open_to_all = [
        row for row in best
        if not (has_others and "labelled" in row.line.target_data) and common >= set(row.line.stamps)
    ]  # fmt: skip
    if open_to_all and (top := _best(open_to_all)).is_above_chance:
        told[id(top)]["is_best_of_all"] = True
        others = [row for row in open_to_all if row is not top and _tested(row) == _tested(top)]
        for row, found in _compared(others, top):
            told[id(row)]["best_of_all"] = found
    for feature in dict.fromkeys(row.line.feature for row in rows):
        own = [row for row in rows if row.line.feature == feature]
        if start := next((row for row in own if not row.line.target_data), None):
            adapted = [row for row in own if _adapts(row) and _tested(row) == _tested(start)]
            for row, found in _compared(adapted, start):
                told[id(row)]["source_only"] = found
    return [
        dataclasses.replace(entry, standing=dataclasses.replace(entry.standing, **told[id(entry)]))
        if id(entry) in told
        else entry
        for entry in entries
    ]  # fmt: skip


def _rights(row: Scored) -> tuple[Hashable, ...]:
    return tuple(sorted(row.line.target_data)), tuple(sorted(row.line.stamps))


def _tested(row: Scored) -> Hashable:
    """Name what was tested: how many utterances of each class and speaker."""
    n_true = row.line.counts[0, 0].sum(-1)
    return (*row.line.speakers, n_true.shape, n_true.tobytes())


def _adapts(row: Scored) -> bool:
    return bool(row.line.target_data) and "labelled" not in row.line.target_data


def _best(rows: Sequence[Scored]) -> Scored:
    return max(rows, key=lambda row: float(row.scores["uar"]))


def _compared(rows: Sequence[Scored], top: Scored) -> list[tuple[Scored, Comparison]]:
    """Test each of a family against one row; rows without a seed in common are left out."""
    found = corrected([difference(row.sample, top.sample) for row in rows])
    return [
        (row, Comparison(top.line.label, top.line.feature, one))
        for row, one in zip(rows, found, strict=True)
        if one is not None
    ]
