"""The figure of a recipe: UAR and interval of its headline systems, a panel for each table, as SVG.

It is a file that follows the reader's light or dark scheme, and the report has the same drawing with the page's own
style. Shapes distinguish what colors do. Not here: other charts (`ser.report.charts`) and figures for print
(`ser.results.figures`).
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ser.results import answers
from ser.results.answers import Headline
from ser.results.measures import percent, span
from ser.results.record import condition_of

Json = Mapping[str, Any]

WIDTH, LINE, HEAD, FOOT, GAP, LETTER = 860, 24, 34, 32, 36, 7.7
"""Of the drawing; heights of a line, of a panel's name, and of its axis; space between panels; width of a letter; in
pixels."""

MOST = 3
"""Panels side by side."""

KEY = (("own", "the systems in question"), ("best", "the best of all systems"), ("other", "references"))
"""Classes of marks, and what they stand for."""

STYLE = """\
.paper{fill:#fff}.muted{fill:#5b6775}.head{font-weight:600}.grid{stroke:#e3e8ee}
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1c2733}
.chance{stroke:#5b6775;stroke-dasharray:3 3}.iv{stroke-width:3;stroke-opacity:.45;stroke-linecap:round}
.own .iv,.own .dot{stroke:#0072b2;fill:#0072b2}.best .iv,.best .dot{stroke:#b45309;fill:#b45309}
.other .iv,.other .dot{stroke:#5b6775;fill:#5b6775}.ring{fill:#fff;stroke:#0072b2;stroke-width:1.8}
@media (prefers-color-scheme:dark){.paper{fill:#12181f}text{fill:#e6ebf1}.muted{fill:#9fabb8}.grid{stroke:#2a3541}
.chance{stroke:#9fabb8}.own .iv,.own .dot{stroke:#56b4e9;fill:#56b4e9}
.best .iv,.best .dot{stroke:#f0a63c;fill:#f0a63c}.other .iv,.other .dot{stroke:#9fabb8;fill:#9fabb8}
.ring{fill:#12181f;stroke:#56b4e9}}"""
"""Of the file; the report has its own."""

MARK = "<!-- Written by `python -m ser.bin.results`; do not edit. -->"


def figure(record: Json) -> str | None:
    """Draw the figure as a file of its own, None for a recipe without a headline.

    Args:
        record: RESULTS.json.
    """
    found = answers.headline(record)
    if found is None:
        return None
    drawing, height = drawn(record, found)
    title = html.escape(f"{record['title']}: UAR in per cent with 95 % intervals")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img">{MARK}<title>{title}</title><style>{STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>{drawing}</svg>\n'
    )


def drawn(record: Json, found: Headline) -> tuple[str, int]:
    """Draw the panels of a headline; return the marks and the height."""
    tables = _tables(record, found)
    labels = 24 + LETTER * max(len(_label(row, found)) for row in found.rows)
    columns = min(MOST if len(tables) != 4 else 2, len(tables))
    low, high = _bounds(tables, found)
    width = (WIDTH - labels + GAP - 20) / columns
    height = HEAD + LINE * len(found.rows) + FOOT
    marks = []
    for i, table in enumerate(tables):
        top = (i // columns) * height
        if i % columns == 0:
            marks += [_name(row, found, labels - 14, top + HEAD + LINE * j) for j, row in enumerate(found.rows)]
        left = labels + (i % columns) * width
        name = _title(record, table) if len(tables) > 1 else ""
        marks.append(_panel(table, found, name, (left, top), width - GAP, (low, high)))
    bottom = height * math.ceil(len(tables) / columns)
    return "".join(marks) + _key(found, labels, bottom), bottom + LINE


def _title(record: Json, table: Json) -> str:
    condition = condition_of(table)
    return f"{condition.shots} shots" if condition.shots else answers.where(record, condition)


def _key(found: Headline, left: float, top: float) -> str:
    """Explain the marks in one line."""
    kinds = {kind(row, found) for row in found.rows}
    marks, x = [], left
    for names, text in KEY:
        if names in kinds:
            marks.append(f'<g class="{names}">{_shape(names, x + 5, top + 6)}</g>')
            marks.append(f'<text class="muted" x="{x + 16:.0f}" y="{top + 10}">{text}</text>')
            x += 34 + 6.3 * len(text)
    marks.append(f'<path class="chance" d="M{x + 5:.0f} {top - 2}V{top + 14}"/>')
    marks.append(f'<text class="muted" x="{x + 16:.0f}" y="{top + 10}">chance</text>')
    if any("published" in row for row in found.rows):
        marks.append(f'<circle class="ring" cx="{x + 85:.0f}" cy="{top + 6}" r="4"/>')
        marks.append(f'<text class="muted" x="{x + 96:.0f}" y="{top + 10}">published</text>')
    return "".join(marks)


def _tables(record: Json, found: Headline) -> list[Json]:
    """Choose the tables that have the headline's systems: of all shots, or of every task and corpus."""
    names = {(row["label"], row["feature"]) for row in found.paper}
    return [
        table
        for table in record["tables"]
        if any((row["label"], row["feature"]) in names and "uar" in row for row in table["rows"])
    ]


def _bounds(tables: Sequence[Json], found: Headline) -> tuple[int, int]:
    """Choose the range of the axis, one for all panels, in per cent."""
    names = {(row["label"], row["feature"]) for row in found.rows}
    values = [
        100 * value
        for table in tables
        for row in table["rows"]
        if (row["label"], row["feature"]) in names and "uar" in row
        for value in (row["uar"], *(row.get("interval") or ()), row.get("published", 100 * row["uar"]) / 100)
    ]
    return max(0, math.floor((min(values) - 1) / 10) * 10), min(100, math.ceil((max(values) + 1) / 10) * 10)


def kind(row: Json, found: Headline) -> str:
    """Name the class of a row's marks."""
    is_own = any(row["label"] == own["label"] and row["feature"] == own["feature"] for own in found.paper)
    return "own" if is_own else "best" if row.get("is_best_of_all") else "other"


def _label(row: Json, found: Headline) -> str:
    other = f", {row['feature']}" if row["feature"] not in (found.feature, "-", row["label"]) else ""
    return row["label"] + other


def _name(row: Json, found: Headline, right: float, top: float) -> str:
    names = "muted" if kind(row, found) == "other" else "head"
    text = html.escape(_label(row, found))
    return f'<text class="{names}" x="{right:.0f}" y="{top + 16}" text-anchor="end">{text}</text>'


def _panel(
    table: Json, found: Headline, name: str, corner: tuple[float, float], width: float, bounds: tuple[int, int]
) -> str:
    left, top = corner
    low, high = bounds

    def at(value: float) -> float:
        return left + (100 * value - low) / (high - low) * width

    base = top + HEAD + LINE * len(found.rows)
    marks = [f'<text class="head" x="{left:.0f}" y="{top + 21}">{html.escape(name)}</text>']
    step = 10 if high - low <= 50 else 20
    for tick in range(math.ceil(low / step) * step, high + 1, step):
        x = at(tick / 100)
        marks.append(f'<path class="grid" d="M{x:.1f} {top + HEAD - 4}V{base}"/>')
        marks.append(f'<text class="muted" x="{x:.1f}" y="{base + 17}" text-anchor="middle">{tick}</text>')
    rows = {(row["label"], row["feature"]): row for row in table["rows"] if "uar" in row}
    chance = next((row["uar"] for row in rows.values() if row["kind"] == "reference"), None)
    if chance is not None:
        marks.append(f'<path class="chance" d="M{at(chance):.1f} {top + HEAD - 4}V{base}"/>')
    for i, row in enumerate(found.rows):
        own = rows.get((row["label"], row["feature"]))
        if own is not None:
            marks.append(_dot(own, kind(row, found), at, top + HEAD + LINE * i + 12))
    return "".join(marks)


def _shape(names: str, x: float, y: float) -> str:
    """Draw a mark, whose shape says the same as its color."""
    if names == "own":
        return f'<circle class="dot" cx="{x:.1f}" cy="{y}" r="4.5"/>'
    if names == "best":
        return f'<path class="dot" d="M{x:.1f} {y - 6}l6 6l-6 6l-6 -6Z"/>'
    return f'<rect class="dot" x="{x - 3.5:.1f}" y="{y - 3.5}" width="7" height="7"/>'


def _dot(row: Json, names: str, at: Any, y: float) -> str:
    """Draw one system: a circle for the paper's, a diamond for the best, a square for others; published is hollow."""
    x = at(row["uar"])
    bounds = row.get("interval")
    text = f"{row['label']}: {percent(row['uar'])} %" + (f" [{span(bounds)}]" if bounds else "")
    marks = [f"<title>{html.escape(text)}</title>"]
    if bounds:
        marks.append(f'<path class="iv" d="M{at(bounds[0]):.1f} {y}H{at(bounds[1]):.1f}"/>')
    marks.append(_shape(names, x, y))
    if "published" in row:
        marks.append(f'<circle class="ring" cx="{at(row["published"] / 100):.1f}" cy="{y}" r="4"/>')
    return f'<g class="{names}">{"".join(marks)}</g>'
