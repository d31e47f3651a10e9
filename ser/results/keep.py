"""Which page a run writes: never over one that has rows with scores which the run lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ser.system.files import read_json


def lost_rows(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Name the rows of a RESULTS.json that have scores there and none in another.

    Rows of files with the same `format` are matched by table, label and feature, others by label and feature.

    Args:
        old: the file that would be replaced.
        new: what would take its place.

    Returns:
        `label, feature` of each, in the order of `old`.
    """
    with_tables = old.get("format") == new.get("format")
    kept = set(_scored(new, with_tables))
    return list(dict.fromkeys(f"{key[-2]}, {key[-1]}" for key in _scored(old, with_tables) if key not in kept))


def _scored(record: dict[str, Any], with_tables: bool) -> Iterator[tuple[str, ...]]:
    """Give table, label and feature of what a run has scored; chance and what a paper printed need no run."""
    for table in record.get("tables", []):
        condition = (json.dumps(table["condition"], sort_keys=True),) if with_tables else ()
        for row in table["rows"]:
            if "uar" in row and row["kind"] not in ("reference", "cited"):
                yield (*condition, row["label"], row["feature"])
    for matrix in record.get("matrices", []):
        for row in matrix["rows"]:
            yield (*([matrix["task"], str(row["shots"])] if with_tables else []), row["label"], row["feature"])


def page_of(out: Path, new: dict[str, Any], exp: Path) -> tuple[Path, str | None]:
    """Choose where a page goes: its place, or below `exp` if it would replace one that has rows which it lacks.

    Args:
        out: RESULTS.md of the recipe; RESULTS.json is next to it.
        new: the numbers of this run.
        exp: folder of the run.

    Returns:
        The page to write, and if that is not `out` a sentence why.
    """
    if out.parent == exp:
        return out, None
    numbers = out.with_suffix(".json")
    if numbers.exists():
        lost = lost_rows(read_json(numbers), new)
        names = "; ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        lacks = f"lacks ({names})" if lost else ""
    else:
        lacks = f"may lack (its {numbers.name} is missing)" if out.exists() else ""
    if not lacks:
        return out, None
    elsewhere = exp / out.name
    return elsewhere, (
        f"{out} stays: it has scores that this run {lacks}; this run's page is {elsewhere}. To replace it, "
        f"move it and its {numbers.name} away and run stage 6 again"
    )
