"""Charts as inline SVG: each is an image with a title that describes it, colored by the page's style.

Not here: confusion matrices, which are tables, and the figures of single recipes (`ser.results.figures`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

N_COLORS = 6
"""Of series, as in `ser.results.figures.COLORS`; classes c0, c1, ..."""

SHAPES = ("h0", "h0", "m0-3 3 5h-6Z", "m0-3.5 3.5 3.5-3.5 3.5-3.5-3.5Z")
"""Of classes in the plane, so that they differ without color: a disc and a square, which are ends of a line without
length, a triangle, a diamond."""

N_LEVELS = 6
"""Of ratings; classes v0, v1, ..."""


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: in the legend.
        x, y: its points; a y of None breaks the line.
        low, high: bounds of each point, or nothing.
        hollow: further points, for published values.
        is_level: whether it is one value for all x: a dashed line with a band.
        is_band: whether bounds are a band instead of whiskers.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    hollow: Sequence[tuple[float, float]] = field(default=())
    is_level: bool = False
    is_band: bool = False


def interval(uar: float, bounds: Sequence[float] | None, chance: float) -> Markup:
    """Draw a UAR on a line from 0 to 100 %, with its interval and a tick for chance, beside the numbers that say it.

    Args:
        uar, chance: in [0, 1].
        bounds: of the interval, in [0, 1].
    """
    places = {"u": uar, "c": chance}
    if bounds:
        places |= {"l": bounds[0], "w": bounds[1] - bounds[0]}
    style = ";".join(f"--{name}:{100 * share:.0f}%" for name, share in places.items())
    return Markup(f'<i class="iv" style="{style}"></i>')


def differences(rows: Sequence[tuple[str, float, Sequence[float] | None]], title: str) -> Markup:
    """Draw differences with their intervals on either side of a line at zero, each under its name.

    Args:
        rows: name, difference in points, and its interval or nothing; at least one.
        title: what is shown, in words.
    """
    width, line, left = 360, 34, 6
    reach = max(5.0, *(abs(v) for _, points, bounds in rows for v in (points, *(bounds or ()))))
    reach = 5 * math.ceil(1.05 * reach / 5)

    def at(points: float) -> float:
        return left + (points + reach) / (2 * reach) * (width - 2 * left)

    bottom = line * len(rows) + 2
    marks = [f'<path class="grid" d="M{at(p):.1f} 4V{bottom}"/>' for p in (-reach, reach)]
    for i, (name, points, bounds) in enumerate(rows):
        y = line * i + 26
        marks.append(f'<path class="axis" d="M{at(0):.1f} {y - 7}v14"/>')
        marks.append(f'<text class="name" x="{left}" y="{y - 10}">{escape(name)}</text>')
        text = tick_text(points, 0.1)
        marks.append(
            f'<text x="{width - left}" y="{y - 10}" text-anchor="end">{"" if points < 0 else "+"}{text}</text>'
        )
        if bounds:
            marks.append(f'<path class="whisker" d="M{at(bounds[0]):.1f} {y}H{at(bounds[1]):.1f}"/>')
        marks.append(f'<circle class="point" cx="{at(points):.1f}" cy="{y}" r="4.5"/>')
    for p, anchor in ((-reach, "start"), (0, "middle"), (reach, "end")):
        text = "0" if not p else f"{p:+d}".replace("-", "−")
        marks.append(f'<text x="{at(p):.1f}" y="{bottom + 14}" text-anchor="{anchor}">{text}</text>')
    return _svg("chart differences", (width, bottom + 20), title, marks)


def lines(
    series: Sequence[Series], x_label: str, y_label: str, title: str, ticks: Sequence[float] | None = None
) -> Markup:
    """Draw lines over one pair of axes, with a legend below; levels have their names on them.

    Args:
        series: at least one, with at least one point.
        x_label, y_label: of the axes.
        title: what the chart shows, in words; it is read aloud and shows as a tip.
        ticks: where numbers stand on the axis of x; none given, at round whole numbers.
    """
    xs = [x for s in series for x in s.x]
    ys = [y for s in series for y in (*s.y, *s.low, *s.high, *(point[1] for point in s.hollow)) if y is not None]
    plot = _Plot((min(xs), max(xs)), (min(ys), max(ys)))
    marks = plot.axes(x_label, y_label, ticks)
    rising = [s for s in series if not s.is_level]
    for s in series:
        if s.is_level:
            marks += plot.level(s)
    for i, s in enumerate(rising):
        marks += plot.series(s, f"c{i % N_COLORS}", 5 * (i - (len(rising) - 1) / 2))
    legend = [(s.name, f"dash c{i % N_COLORS}") for i, s in enumerate(rising)]
    return _figure(_svg("chart", (_Plot.width, _Plot.height), title, marks), legend)


@dataclass(frozen=True)
class _Plot:
    """Axes, and how numbers are laid out on them."""

    x: tuple[float, float]
    y: tuple[float, float]

    width = 380
    height = 230
    left, right, top, bottom = 44, 12, 12, 40

    def at_x(self, value: float) -> float:
        low, high = self.x
        share = 0.5 if high == low else (value - low) / (high - low)
        return self.left + 18 + share * (self.width - self.left - self.right - 36)

    def at_y(self, value: float) -> float:
        low, high = self._y_range()
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)

    def _y_range(self) -> tuple[float, float]:
        step = tick_step(*self.y)
        # what is beyond a tick by less than can be seen needs no further tick
        low, high = math.floor(self.y[0] / step + 0.05) * step, math.ceil(self.y[1] / step - 0.05) * step
        return (low, high) if high > low else (low - step, high + step)

    def axes(self, x_label: str, y_label: str, ticks: Sequence[float] | None) -> list[str]:
        marks = []
        low, high = self._y_range()
        step = tick_step(*self.y)
        for i in range(round((high - low) / step) + 1):
            value = low + i * step
            y = self.at_y(value)
            marks.append(f'<path class="grid" d="M{self.left} {y:.1f}H{self.width - self.right}"/>')
            marks.append(
                f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick_text(value, step)}</text>'
            )
        base = self.height - self.bottom
        if ticks is None:
            x_step = max(tick_step(*self.x), 1)
            ticks = [i * x_step for i in range(math.ceil(self.x[0] / x_step), math.floor(self.x[1] / x_step) + 1)]
        for tick in ticks:
            marks.append(f'<text x="{self.at_x(tick):.1f}" y="{base + 16}" text-anchor="middle">{tick:g}</text>')
        middle = (self.left + self.width - self.right) / 2
        marks.append(f'<path class="axis" d="M{self.left} {base}H{self.width - self.right}"/>')
        marks.append(f'<text x="{middle:.0f}" y="{self.height - 6}" text-anchor="middle">{escape(x_label)}</text>')
        side = (self.top + base) / 2
        marks.append(
            f'<text transform="translate(11 {side:.0f}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
        )
        return marks

    def level(self, s: Series) -> list[str]:
        """Draw one value for all x, named on the line."""
        y, left, right = self.at_y(s.y[0]), self.left, self.width - self.right
        marks = []
        if s.low:
            top, base = self.at_y(s.high[0]), self.at_y(s.low[0])
            marks.append(f'<path class="band level" d="M{left} {top:.1f}H{right}V{base:.1f}H{left}Z"/>')
        marks.append(f'<path class="line dashed level" d="M{left} {y:.1f}H{right}"/>')
        return [*marks, f'<text x="{right - 4}" y="{y - 4:.1f}" text-anchor="end">{escape(s.name)}</text>']

    def series(self, s: Series, color: str, aside: float) -> list[str]:
        """Draw a line; whiskers of lines that are alike would hide each other, so each is a little aside."""
        marks = []
        aside = 0 if s.is_band or not s.low else aside
        xs = [self.at_x(x) + aside for x in s.x]
        if s.low and s.is_band:
            there = " L".join(f"{x:.1f} {self.at_y(y):.1f}" for x, y in zip(xs, s.high, strict=True))
            back = " L".join(f"{x:.1f} {self.at_y(y):.1f}" for x, y in list(zip(xs, s.low, strict=True))[::-1])
            marks.append(f'<path class="band {color}" d="M{there} L{back}Z"/>')
        elif s.low:
            bars = "".join(
                f"M{x:.1f} {self.at_y(low):.1f}V{self.at_y(high):.1f}"
                for x, low, high in zip(xs, s.low, s.high, strict=True)
            )
            marks.append(f'<path class="line {color}" d="{bars}"/>')
        path, is_broken = "", True
        for x, y in zip(xs, s.y, strict=True):
            if y is not None:
                path += f"{'M' if is_broken else 'L'}{x:.1f} {self.at_y(y):.1f}"
            is_broken = y is None
        marks.append(f'<path class="line {color}" d="{path}"/>')
        if len(xs) <= 12:
            dots = "".join(f"M{x:.1f} {self.at_y(y):.1f}h0" for x, y in zip(xs, s.y, strict=True) if y is not None)
            marks.append(f'<path class="dots {color}" d="{dots}"/>')
        marks += [
            f'<circle class="hollow {color}" cx="{self.at_x(x) + aside:.1f}" cy="{self.at_y(y):.1f}" r="3.5"/>'
            for x, y in s.hollow
        ]
        return marks


def tick_step(low: float, high: float) -> float:
    """Choose a step of 1, 2 or 5 times a power of ten that gives about four ticks.

    Example:
        >>> tick_step(0, 1), tick_step(42.5, 66.1)
        (0.2, 5.0)
    """
    rough = (high - low) / 4 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.75)


def tick_text(value: float, step: float) -> str:
    """Write a number with as many digits as its step has."""
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}".replace("-", "−")


def scatter(points: Mapping[str, Sequence[tuple[float, float]]], title: str, kind: str = "c") -> Markup:
    """Draw points in the plane, colored by class.

    Args:
        points: name of a color -> its points, in the order of the colors.
        title: what is shown, in words.
        kind: `c` for distinct colors, which have shapes as well; `v` for a scale from dark to light.
    """
    size = 250
    xs, ys = zip(*(point for own in points.values() for point in own), strict=True)
    # what lies far off does not squeeze the others into a corner
    (x_low, x_high), (y_low, y_high) = ((_share(values, 0.01), _share(values, 0.99)) for values in (xs, ys))

    def place(value: float, low: float, high: float) -> float:
        share = 0.5 if high == low else min(max((value - low) / (high - low), -0.04), 1.04)
        return 12 + share * (size - 24)

    marks, legend = [f'<rect class="frame" x="0.5" y="0.5" width="{size - 1}" height="{size - 1}" rx="4"/>'], []
    for i, (name, own) in enumerate(points.items()):
        shape = i % len(SHAPES) if kind == "c" else 0
        color = f"{kind}{i % (N_COLORS if kind == 'c' else N_LEVELS)}" + (f" s{shape}" if shape else "")
        dots = "".join(
            f"M{place(x, x_low, x_high):.0f} {size - place(y, y_low, y_high):.0f}{SHAPES[shape]}" for x, y in own
        )
        marks.append(f'<path class="dots small {color}" d="{dots}"/>')
        legend.append((name, color))
    return _figure(_svg("chart square", (size, size), title, marks), legend)


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]


def _svg(names: str, size: tuple[int, int], title: str, marks: Sequence[str]) -> Markup:
    """Frame marks, which hold nothing that is not escaped."""
    return Markup(
        f'<svg class="{names}" viewBox="0 0 {size[0]} {size[1]}" role="img" aria-label="{escape(title)}">'
        f"{''.join(marks)}</svg>"
    )


def _figure(svg: Markup, legend: Sequence[tuple[str, str]]) -> Markup:
    keys = "".join(f'<li><span class="key {color}"></span>{escape(name)}</li>' for name, color in legend if name)
    return Markup(f'<div class="figure">{svg}' + (f'<ul class="legend">{keys}</ul>' if keys else "") + "</div>")
