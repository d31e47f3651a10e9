"""Figures of results, written as PNG without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ser.randomness import rng
from ser.results.lines import Curve
from ser.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of curves; told apart by color-blind readers too (Okabe and Ito)."""

MARKERS = "osD^vP"
"""Of curves; told apart in print too."""

N_BAND = 1000
"""Resamples of a band."""

LEVELS = ("--", ":", "-.")
"""Lines of rows that know no shots."""


def confusion_figure(path: Path, shares: np.ndarray, classes: Sequence[str], title: str) -> None:
    """Draw a confusion matrix colored by share, per cent in its cells, rows true (as Yue 2023, Figs. 3 and 4).

    Args:
        path: PNG file.
        shares: shares of each true class, (C, C), rows add up to 1.
        classes: names of rows and columns.
        title: above the matrix.
    """
    size = 0.6 + 0.75 * max(4, len(classes))  # names of classes stand beside each other
    figure = _figure(size, size - 0.1)
    axes = figure.add_subplot()
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=max(shares.max(), 0.5), edgecolor="white", linewidth=0.5)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    middles = np.arange(len(classes)) + 0.5
    axes.set_xticks(middles, classes)
    axes.set_yticks(middles, classes, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=9)
    dark = 0.6 * max(shares.max(), 0.5)  # from here on black would be hard to read
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            axes.text(j + 0.5, i + 0.5, f"{100 * share:.2f}", ha="center", va="center",
                      color="white" if share > dark else "0.15")  # fmt: skip
    _write(figure, path)


def uar_by_shots_figure(path: Path, curves: Sequence[Curve], title: str) -> None:
    """Draw UAR against the number of support utterances per class (as Yue 2023, Fig. 5), with 95 % intervals.

    Rows that know no shots are horizontal lines with a band; what a paper printed is a hollow marker.

    Args:
        path: PNG file.
        curves: at least one.
        title: above the axes.
    """
    figure = _figure(5.0, 3.2)
    axes = figure.add_subplot()
    shots = sorted({k for curve in curves for k in curve.uar})
    step = min(np.diff(shots), default=1)
    rising = [curve for curve in curves if not curve.level]
    for i, curve in enumerate(curve for curve in curves if curve.level):
        line = {"color": "0.35", "linestyle": LEVELS[i % len(LEVELS)], "linewidth": 1.2}
        axes.axhline(100 * curve.uar[shots[0]], **line, label=curve.label)
        low, high = curve.interval[shots[0]]
        axes.axhspan(100 * low, 100 * high, color="0.35", alpha=0.1, linewidth=0)
    for i, curve in enumerate(rising):
        style = {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}
        aside = 0.12 * step * (i - (len(rising) - 1) / 2)  # whiskers of rows that are alike would hide each other
        uar = np.array([curve.uar[k] for k in shots])
        low, high = np.array([curve.interval[k] for k in shots]).T
        axes.errorbar(np.array(shots) + aside, 100 * uar, 100 * np.stack([uar - low, high - uar]), **style,
                      markersize=4, linewidth=1.2, elinewidth=0.9, capsize=2, label=curve.label)  # fmt: skip
        axes.plot([k + aside - 0.045 * step for k in curve.published], [100 * v for v in curve.published.values()],
                  **style, linestyle="", markerfacecolor="white", markersize=4.5, zorder=3)  # fmt: skip
    axes.set_xticks(shots)
    axes.set_xlim(shots[0] - 0.5 * step, shots[-1] + 0.5 * step)
    axes.set_xlabel("support utterances per class", fontsize=9)
    axes.set_ylabel("UAR (%)", fontsize=9)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.set_title(title, fontsize=9)
    _legend(axes, curves)
    _write(figure, path)


def plane_figure(path: Path, table: Path, title: str) -> None:
    """Draw embeddings in the plane twice, colored by emotion and by corpus.

    Args:
        path: PNG file.
        table: `plane.tsv`, see `ser.scoring.probing.plane_table`.
        title: above both.
    """
    import pandas as pd

    points = pd.read_csv(table, sep="\t")
    figure = _figure(7.2, 3.6)
    figure.suptitle(f"{title} (t-SNE, seed 1)", fontsize=9)
    for axes, column, what in zip(figure.subplots(1, 2), ("class", "corpus"), ("emotion", "corpus"), strict=True):
        for i, (name, own) in enumerate(points.groupby(column)):
            axes.scatter(own["x"], own["y"], s=5, color=COLORS[i % len(COLORS)], linewidths=0, alpha=0.7, label=name)
        axes.set(xticks=[], yticks=[], title=f"by {what}")
        axes.title.set_fontsize(9)
        axes.legend(fontsize=7, markerscale=2, frameon=False, handletextpad=0.1)
    _write(figure, path)


@dataclass(frozen=True)
class Plane:
    """Latent vectors, (n, 2), and the activation of each, (n,)."""

    z: np.ndarray
    activation: np.ndarray


def latent_figure(path: Path, panels: Mapping[str, Mapping[str, Plane]], title: str) -> None:
    """Draw latent planes, models in rows and corpora in columns, colored by activation (as Das 2022, Fig. 3).

    The panels of a model share their axes, which show the middle 98 % of its vectors.

    Args:
        path: PNG file.
        panels: model -> corpus -> plane; at least one.
        title: above all.
    """
    corpora = list(dict.fromkeys(corpus for planes in panels.values() for corpus in planes))
    figure = _figure(1.2 + 1.9 * len(corpora), 0.7 + 1.8 * len(panels))
    grid = figure.subplots(len(panels), len(corpora), squeeze=False)
    for axes_of_row, (model, planes) in zip(grid, panels.items(), strict=True):
        low, high = np.percentile(np.concatenate([plane.z for plane in planes.values()]), [1, 99], axis=0)
        margin = 0.1 * (high - low) + 1e-3
        for axes, corpus in zip(axes_of_row, corpora, strict=True):
            axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
            axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
            axes.tick_params(labelsize=6, length=2)
            axes.spines[["top", "right"]].set_visible(False)
            if corpus in planes:
                plane = planes[corpus]
                dots = axes.scatter(*plane.z.T, c=plane.activation, cmap="viridis", vmin=1, vmax=5, s=4, linewidth=0)
        axes_of_row[0].set_ylabel(f"{model}\nDim 2", fontsize=7)
    for axes, corpus in zip(grid[0], corpora, strict=True):
        axes.set_title(corpus, fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("Dim 1", fontsize=7)
    figure.colorbar(dots, ax=grid, shrink=0.6, label="activation").ax.tick_params(labelsize=6)
    figure.suptitle(title, fontsize=9)
    _write(figure, path)


def read_curves(path: Path) -> dict[str, np.ndarray]:
    """Read the cosines by layer that stage 5 wrote, `<before|after>.<raw|centered>.<kind>` -> (L, batches)."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def band(batches: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average over batches that have a value, with a 95 % percentile bootstrap band over them.

    Args:
        batches: (L, batches), NaN for batches without one.

    Returns:
        Mean, lower and upper bound, (L,) each; the batches are drawn alike for all layers.
    """
    known = batches[:, ~np.isnan(batches).any(0)]
    drawn = rng("similarity band", known.shape[1]).integers(known.shape[1], size=(N_BAND, known.shape[1]))
    low, high = np.percentile(known[:, drawn].mean(-1), [2.5, 97.5], axis=1)
    return known.mean(1), low, high


def similarity_figure(path: Path, curves: Mapping[str, np.ndarray], title: str) -> None:
    """Draw the cosine of positive and negative pairs by layer, before and after stage one (as Xiang, Fig. 4).

    Pairs of one corpus and pairs of two have curves of their own: in a pretrained model the corpus decides more than
    the emotion, and negative pairs are more often of one corpus. Below are the same with mean-centered vectors.

    Args:
        path: PNG file.
        curves: `<before|after>.<raw|centered>.<kind>` -> cosines, (L, batches).
        title: above the axes.
    """
    figure = _figure(7.0, 5.0)
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    for row, vectors in enumerate(("raw", "centered")):
        for column, when in enumerate(("before", "after")):
            axes = panels[row, column]
            for kind, color in (("positive", COLORS[0]), ("negative", COLORS[1])):
                for where, line in (("same", "-"), ("cross", "--")):
                    batches = curves[f"{when}.{vectors}.{kind}_{where}"]
                    if np.isnan(batches).any(0).all():
                        continue
                    mean, low, high = band(batches)
                    layers = np.arange(len(mean))
                    axes.plot(layers, mean, line, color=color, linewidth=1.2, label=f"{kind}, {where} corpus")
                    axes.fill_between(layers, low, high, color=color, alpha=0.15, linewidth=0)
            axes.set_title(f"{when} stage one, {vectors}", fontsize=8)
            axes.grid(axis="y", color="0.9", linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8)
        panels[row, 0].set_ylabel("cosine", fontsize=9)
    for axes in panels[1]:
        axes.set_xlabel("layer", fontsize=9)
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[0, 1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=9)
    _write(figure, path)


def _legend(axes: Axes, curves: Sequence[Curve]) -> None:
    """List the rows from the best to the worst, as they stand at the right end, and what a hollow marker is."""
    from matplotlib.lines import Line2D

    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    best_first = sorted(curves, key=lambda curve: -curve.uar[max(curve.uar)])
    names = [curve.label for curve in best_first if curve.label in handles]
    shown = [handles[name] for name in names]
    if any(curve.published for curve in curves):
        names.append("hollow: published")
        shown.append(Line2D([], [], color="0.35", marker="o", linestyle="", markerfacecolor="white", markersize=4.5))
    axes.legend(shown, names, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)


def _figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _write(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the figure alone."""
    with replacing(path) as part:
        figure.savefig(part, dpi=150, format="png", metadata={"Software": None})
