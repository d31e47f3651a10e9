"""Learning curves as one figure: a small chart for each training, loss and UAR on dev utterances by epoch, as SVG.

TRAINING.svg, next to RESULTS.md, has the systems whose curves RESULTS.json holds, mean over seeds; `history.svg`, in
the recipe's `exp/figures/`, has every training of every system and seed. Not here: the figure of results
(`ser.results.panels`).
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

COLUMNS, WIDTH, HEIGHT = 3, 290, 168
"""Of the grid of charts; size of one chart with its axes, in pixels."""

LEFT, RIGHT, TOP, BOTTOM = 46, 34, 34, 24
"""Space around the lines of a chart."""

DEV = ("dev_uar", "dev")
"""Columns of a history that are a UAR on dev utterances, in [0, 1]."""

STYLE = """\
.paper{fill:#fff}text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#5b6775}
.head{font-weight:600;fill:#1c2733}.axis{stroke:#c3ccd5}path{fill:none;stroke-linejoin:round}
.loss{stroke:#0072b2;fill:none}.dev{stroke:#b45309;stroke-dasharray:4 3}text.loss{fill:#0072b2;stroke:none}
text.dev{fill:#b45309;stroke:none}.w0{stroke-width:1.1}.w1{stroke-width:1.8}.w2{stroke-width:2.6}
@media (prefers-color-scheme:dark){.paper{fill:#12181f}text{fill:#9fabb8}.head{fill:#e6ebf1}.axis{stroke:#3a4653}
.loss{stroke:#56b4e9}.dev{stroke:#f0a63c}text.loss{fill:#56b4e9}text.dev{fill:#f0a63c}}"""

MARK = "<!-- Written by `python -m ser.bin.results`; do not edit. -->"


@dataclass(frozen=True)
class Chart:
    """One small chart.

    Attributes:
        title: of the system.
        curves: as of `ser.results.training.learning_curves`: `name`, `epochs`, and columns; several may share a name.
    """

    title: str
    curves: Sequence[Json]


def of_record(record: Json) -> str | None:
    """Draw the curves that RESULTS.json holds, None where there are none."""
    found: dict[tuple[str, str, str], list[Json]] = {}
    for curve in record.get("learning", ()):
        found.setdefault((curve["task"], curve["label"], curve["feature"]), []).append(curve)
    return figure(
        [Chart(title, curves) for title, curves in zip(titles(list(found)), found.values(), strict=True)],
        record["title"],
    )


def titles(names: Sequence[tuple[str, str, str]]) -> list[str]:
    """Name charts by task, label and feature, without what all of them share.

    Example:
        >>> titles([("", "btl", "byol_s"), ("", "fstl", "byol_s")]), titles([("", "btl", "byol_s")])
        (['btl', 'fstl'], ['btl'])
    """
    parts = [i for i in range(3) if i == 1 or len({name[i] for name in names}) > 1]
    return [", ".join(name[i] for i in parts if name[i]) for name in names]


def figure(charts: Sequence[Chart], title: str) -> str | None:
    """Draw charts in rows.

    Args:
        charts: those without a line are left out.
        title: what they are of.

    Returns:
        An SVG that follows the reader's light or dark scheme; None if no chart has a line.
    """
    charts = [chart for chart in charts if any(_columns(curve) for curve in chart.curves)]
    if not charts:
        return None
    names = list(dict.fromkeys(curve["name"] for chart in charts for curve in chart.curves if curve["name"]))
    marks = [_chart(chart, names, (WIDTH * (i % COLUMNS), HEIGHT * (i // COLUMNS))) for i, chart in enumerate(charts)]
    width, bottom = WIDTH * min(COLUMNS, len(charts)), HEIGHT * math.ceil(len(charts) / COLUMNS)
    said = html.escape(f"{title}: training loss and UAR on dev utterances by epoch")
    has_dev = any(name in DEV for chart in charts for curve in chart.curves for name in _columns(curve))
    marks.append(_key(names, bottom, has_dev))
    size = f'width="{width}" height="{bottom + 30}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {bottom + 30}" role="img">{MARK}'
        f'<title>{said}</title><style>{STYLE}</style><rect class="paper" {size} rx="6"/>{"".join(marks)}</svg>\n'
    )


def _columns(curve: Json) -> list[str]:
    """List the columns of a curve that have numbers."""
    return [name for name in ("loss", *DEV) if any(value is not None for value in curve.get(name, ()))]


def _chart(chart: Chart, names: Sequence[str], corner: tuple[float, float]) -> str:
    """Draw one chart: loss on the scale to the left, UAR on the scale to the right."""
    x, y = corner
    last = max(max(curve["epochs"]) for curve in chart.curves)
    right, base = x + WIDTH - RIGHT, y + HEIGHT - BOTTOM
    title, short = (html.escape(text) for text in (chart.title, textwrap.shorten(chart.title, 44, placeholder=" …")))
    marks = [
        f'<text class="head" x="{x + 12}" y="{y + 20}">{short}<title>{title}</title></text>',
        f'<path class="axis" d="M{x + LEFT} {y + TOP}V{base}H{right}V{y + TOP}"/>',
        f'<text x="{right}" y="{base + 15}" text-anchor="end">epoch {last}</text>',
    ]
    for kind, columns, factor in (("loss", ("loss",), 1.0), ("dev", DEV, 100.0)):
        lines = [
            (curve["name"], [(epoch, factor * v) for epoch, v in zip(curve["epochs"], curve[name], strict=True)
                             if v is not None])
            for curve in chart.curves
            for name in columns
            if name in _columns(curve)
        ]  # fmt: skip
        if not lines:
            continue
        values = [value for _, points in lines for _, value in points]
        low, high = min(values), max(values)
        at = _place((x + LEFT, right), (base, y + TOP), last, (low, high))
        marks += [_scale(kind, value, at(1, value)[1], x, right) for value in dict.fromkeys((low, high))]
        for name, points in lines:
            path = "L".join("{:.0f} {:.1f}".format(*at(*point)) for point in points)
            width = min(names.index(name), 2) if name else 0
            marks.append(f'<path class="{kind} w{width}" d="M{path}"/>')
    return "".join(marks)


def _place(
    xs: tuple[float, float], ys: tuple[float, float], last: int, values: tuple[float, float]
) -> Callable[[float, float], tuple[float, float]]:
    """Make the function from an epoch and a value to a point of the drawing."""
    low, high = values

    def at(epoch: float, value: float) -> tuple[float, float]:
        along = (epoch - 1) / (last - 1) if last > 1 else 0.5
        up = (value - low) / (high - low) if high > low else 0.5
        return xs[0] + 4 + along * (xs[1] - xs[0] - 8), ys[0] - 4 + up * (ys[1] - ys[0] + 8)

    return at


def _scale(kind: str, value: float, y: float, x: float, right: float) -> str:
    """Print the end of a scale, next to its line."""
    text = f"{value:.1f}" if kind == "dev" else f"{value:.{2 if abs(value) < 1 else 3}g}".replace("-", "\u2212")
    place = f'x="{x + LEFT - 5}" text-anchor="end"' if kind == "loss" else f'x="{right + 5}"'
    return f'<text class="{kind}" {place} y="{y + 4:.0f}">{text}</text>'


def _key(names: Sequence[str], top: float, any_dev: bool) -> str:
    """Explain the lines: what is solid, what is dashed, and what thicker ones are."""
    marks, x = [], LEFT
    for kind, text in (("loss", "loss"), ("dev", "UAR on dev utterances (%)"))[: 1 + any_dev]:
        marks.append(
            f'<path class="{kind} w1" d="M{x} {top + 10}h22"/><text x="{x + 28}" y="{top + 14}">{text}</text>'
        )
        x += 50 + 6.2 * len(text)
    if len(names) > 1:
        marks.append(f'<text x="{x:.0f}" y="{top + 14}">from thin to thick: {html.escape(", ".join(names))}</text>')
    return "".join(marks)
