"""Differences that a paper's text claims (`gains` of `conf/published.yaml`), next to ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ser.results.measures import signed
from ser.results.published import Gain, Published
from ser.results.record import condition_of, rounded

Json = dict[str, Any]


def gain_records(published: Published | None, tables: Sequence[Json]) -> list[Json]:
    """Write down the claimed gains, each with ours wherever both systems were run with the printed settings.

    Args:
        published: what the paper printed.
        tables: of RESULTS.json.
    """
    return [_record(published, gain, tables) for gain in published.gains] if published else []


def _record(published: Published, gain: Gain, tables: Sequence[Json]) -> Json:
    of_conditions = [
        [row for table in tables if condition_of(table) == condition for row in table["rows"]
         if "uar" in row and published.has_settings(row["feature"])]
        for condition in gain.conditions
    ]  # fmt: skip
    ours = {}
    for row in of_conditions[0]:
        if row.get("published_as") == gain.system:
            key = (row["label"], row["feature"])
            points = [_points(rows, key, gain.over) for rows in of_conditions]
            if None not in points:
                ours[" ".join(key)] = rounded(sum(points) / len(points))
    named = {"system": gain.system, "over": gain.over, "conditions": [c.key for c in gain.conditions]}
    return named | {"published": gain.points, "ours": ours}


def _points(rows: Sequence[Json], key: tuple[str, str], over: str) -> float | None:
    """Subtract the UAR of the first row that is `over`, on the same feature; in per cent points."""
    own = next((row["uar"] for row in rows if (row["label"], row["feature"]) == key), None)
    other = next((r["uar"] for r in rows if r.get("published_as") == over and r["feature"] == key[1]), None)
    return None if own is None or other is None else 100 * (own - other)


def gain_rows(gains: Sequence[Json]) -> list[list[str]]:
    """Lay the gains out as cells, a header first."""
    rows = [["gain", "mean over", "published", "ours"]]
    for gain in gains:
        ours = ", ".join(f"{signed(points)} ({name})" for name, points in gain["ours"].items()) or "not run"
        conditions = ", ".join(gain["conditions"])
        rows.append([f"{gain['system']} over {gain['over']}", conditions, f"{gain['published']:+.2f}", ours])
    return rows
