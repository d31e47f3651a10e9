"""Figures of a recipe, drawn from RESULTS.json as PNG without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ser.results.matrix_page import heat_map, name_of
from ser.results.measures import percent
from ser.results.record import condition_of
from ser.system.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of curves; color-blind readers can distinguish them (Okabe and Ito)."""

MARKERS = "osD^vP"
"""Of curves; distinct in print too."""

LEVELS = ("--", ":", "-.")
"""Lines of rows that know no shots."""

PAIRS = (("", "-", 2.6, "all pairs"), ("_same", "-", 0.9, "same corpus"), ("_cross", "--", 0.9, "cross corpus"))
"""Ends of the names of curves of pairs, how they are drawn, and what they are called."""

Json = Mapping[str, Any]

NOTHING: Mapping[str, Json] = MappingProxyType({})


def draw(record: Json, folder: Path) -> None:
    """Draw all figures of a recipe: confusion matrices of the paper's methods, embeddings, latent planes, similarity
    by layer, UAR against several shots.

    Rows with a latent space have that as their figure.

    Args:
        record: RESULTS.json, see `ser.results.record`.
        folder: where the figures are written.
    """
    with_latent = {row["label"] for fits in record["fits"] for row in fits["rows"] if row["is_run"]}
    for table in record["tables"]:
        condition = condition_of(table)
        name = condition.key.replace(": ", "-").replace(", ", "-")
        for row in table["rows"]:
            is_run = row["kind"] not in ("reference", "cited")
            if is_run and "confusion" in row and row["label"] not in with_latent:
                title = f"{row['label']}, {row['feature']}, {condition}\nUAR {percent(row['uar'])} %"
                path = folder / f"{row['label']}-{row['feature']}-{name}.png"
                confusion_figure(path, np.array(row["confusion"]), table["classes"], title, table.get("n_true"))
    _draw_training(record, folder)
    for matrix in record.get("matrices", []):
        for row in matrix["rows"]:
            if row.get("headline"):
                place = folder / f"matrix-{matrix['task']}.png"
                heat_map_figure(place, matrix, row, f"{record['title']}\n{matrix['task']}: {name_of(row)}, UAR in %")
    for feature, found in curves(record).items():
        uar_by_shots_figure(folder / f"uar-by-shots-{feature}.png", found, f"{record['title']}\n{feature}")


def _draw_training(record: Json, folder: Path) -> None:
    """Draw what training left behind: embeddings, similarity by layer, latent planes."""
    for plane in record["planes"]:
        title = ", ".join((plane["label"], plane["feature"], plane["task"]))
        plane_figure(folder / f"plane-{_name(plane, 'task')}.png", plane, title)
    for row in record["similarity"]:
        name = "-".join(filter(None, (row["task"], row["label"], row["feature"])))
        title = f"{record['title']}\n{name}"
        similarity_figure(folder / f"similarity-{name}.png", row["curves"], title, row.get("published", {}))
    for task in dict.fromkeys(model["task"] for model in record["latent"]):
        panels = {model["label"]: model["corpora"] for model in record["latent"] if model["task"] == task}
        title = f"{record['title']}\n{task}: latent plane of fold 1, one seed"
        latent_figure(folder / f"latent-{task or 'plane'}.png", panels, title)


def _name(about: Json, *keys: str) -> str:
    return "-".join(filter(None, (about["label"], about["feature"], *(about[key] for key in keys))))


@dataclass(frozen=True)
class Curve:
    """UAR of one row against the number of shots.

    Attributes:
        label: of the row.
        uar: number of shots -> UAR, in [0, 1].
        interval: number of shots -> its interval.
        published: number of shots -> the paper's UAR, in [0, 1].
        level: whether the row knows no shots, so that all its points are one.
    """

    label: str
    uar: Mapping[int, float]
    interval: Mapping[int, Sequence[float]]
    published: Mapping[int, float]
    level: bool


def curves(record: Json) -> dict[str, list[Curve]]:
    """Collect the curves of the paper's rows, and of rows beside them, by feature; nothing for one table only."""
    tables = {condition_of(table).shots: table["rows"] for table in record["tables"]}
    if None in tables or len(tables) < 2:
        return {}
    found: dict[str, dict[str, dict[int, Json]]] = {}
    for shots, rows in tables.items():
        for row in rows:
            if "uar" in row and ("published_as" in row or row["kind"] == "beside"):
                found.setdefault(row["feature"], {}).setdefault(row["label"], {})[shots] = row
    of_paper = {row["feature"] for rows in tables.values() for row in rows if "published_as" in row}
    return {
        feature: [
            Curve(
                label,
                {shots: row["uar"] for shots, row in of_row.items()},
                {shots: row.get("interval") or [row["uar"]] * 2 for shots, row in of_row.items()},
                {shots: row["published"] / 100 for shots, row in of_row.items() if "published" in row},
                all(row.get("any_condition") for row in of_row.values()),
            )
            for label, of_row in labels.items()
        ]
        for feature, labels in found.items()
        if feature in of_paper
    }


def confusion_figure(
    path: Path, shares: np.ndarray, classes: Sequence[str], title: str, n_true: Mapping[str, int] | None = None
) -> None:
    """Draw a confusion matrix colored by share, per cent in its cells, rows true (as Yue 2023, Figs. 3 and 4).

    Args:
        path: PNG file.
        shares: shares of each true class, (C, C), rows add up to 1.
        classes: names of rows and columns.
        title: above the matrix.
        n_true: class -> test utterances, next to the names of rows.
    """
    size = 0.6 + 0.75 * max(4, len(classes))  # names of classes are next to each other
    figure = figure_of(size, size - 0.1)
    axes = figure.add_subplot()
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=max(shares.max(), 0.5), edgecolor="white", linewidth=0.5)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    middles = np.arange(len(classes)) + 0.5
    axes.set_xticks(middles, classes)
    names = [f"{name} ({n_true[name]})" if n_true else name for name in classes]
    axes.set_yticks(middles, names, rotation=90, va="center")
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
    write_figure(figure, path)


def heat_map_figure(path: Path, matrix: Json, row: Json, title: str) -> None:
    """Draw a system's UAR by source and target, colored from chance to the best; the ceiling of a target by itself is
    in brackets.

    Args:
        path: PNG file.
        matrix: of RESULTS.json.
        row: one of its systems.
        title: above the matrix.
    """
    header, *lines = heat_map(matrix, row)
    targets, sources = header[1:], [line[0] for line in lines]
    uar = {(cell["source"], cell["target"]): cell["uar"] for cell in row["cells"]}
    values = np.array([[uar.get((source, target), np.nan) for target in targets] for source in sources])
    figure = figure_of(1.6 + 1.1 * len(targets), 1.1 + 0.55 * len(sources))
    axes = figure.add_subplot()
    lowest, highest = 1 / len(matrix["classes"]), max(np.nanmax(values), 1 / len(matrix["classes"]) + 0.1)
    axes.pcolormesh(np.ma.masked_invalid(values), cmap="Blues", vmin=lowest, vmax=highest, edgecolor="white")
    axes.invert_yaxis()
    axes.set_xticks(np.arange(len(targets)) + 0.5, targets)
    axes.set_yticks(np.arange(len(sources)) + 0.5, sources)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("target")
    axes.set_ylabel("source")
    axes.set_title(title, fontsize=9)
    for i, line in enumerate(lines):
        for j, text in enumerate(line[1:]):
            is_dark = values[i, j] > lowest + 0.6 * (highest - lowest)
            axes.text(j + 0.5, i + 0.5, text.replace(" [", "\n["), ha="center", va="center", fontsize=8,
                      color="white" if is_dark else "0.15")  # fmt: skip
    write_figure(figure, path)


def uar_by_shots_figure(path: Path, curves: Sequence[Curve], title: str) -> None:
    """Draw UAR against the number of support utterances per class (as Yue 2023, Fig. 5), with 95 % intervals.

    Rows that know no shots are horizontal lines with a band; what a paper printed is a hollow marker.

    Args:
        path: PNG file.
        curves: at least one.
        title: above the axes.
    """
    figure = figure_of(5.0, 3.2)
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
        uar = np.array([curve.uar[k] for k in shots])
        low, high = np.array([curve.interval[k] for k in shots]).T
        axes.errorbar(np.array(shots), 100 * uar, 100 * np.stack([uar - low, high - uar]), **style,
                      markersize=4, linewidth=1.2, elinewidth=0.9, capsize=2, label=curve.label)  # fmt: skip
        axes.plot(list(curve.published), [100 * v for v in curve.published.values()],
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
    write_figure(figure, path)


def plane_figure(path: Path, plane: Json, title: str) -> None:
    """Draw embeddings in the plane twice, colored by emotion and by corpus.

    Args:
        path: PNG file.
        plane: of `ser.results.record.plane_record`.
        title: above both.
    """
    points = np.array(plane["points"], dtype=float)
    figure = figure_of(7.2, 3.6)
    figure.suptitle(f"{title} (t-SNE, seed 1)", fontsize=9)
    parts = (("emotion", 1, plane["classes"]), ("corpus", 0, plane["corpora"]))
    for axes, (what, column, names) in zip(figure.subplots(1, 2), parts, strict=True):
        for i, name in enumerate(names):
            own = points[points[:, column] == i]
            axes.scatter(*own[:, 2:].T, s=5, color=COLORS[i % len(COLORS)], linewidths=0, alpha=0.7, label=name)
        axes.set(xticks=[], yticks=[], title=f"by {what}")
        axes.title.set_fontsize(9)
        axes.legend(fontsize=7, markerscale=2, frameon=False, handletextpad=0.1)
    write_figure(figure, path)


def latent_figure(path: Path, panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], title: str) -> None:
    """Draw latent planes, models in rows and corpora in columns, colored by activation (as Das 2022, Fig. 3).

    The panels of a model share their axes, which show the middle 98 % of its vectors.

    Args:
        path: PNG file.
        panels: model -> corpus -> z1, z2 and activation of each utterance; at least one.
        title: above all.
    """
    panels = {model: {c: np.array(own, float) for c, own in planes.items()} for model, planes in panels.items()}
    corpora = list(dict.fromkeys(corpus for planes in panels.values() for corpus in planes))
    figure = figure_of(1.2 + 1.9 * len(corpora), 0.7 + 1.8 * len(panels))
    grid = figure.subplots(len(panels), len(corpora), squeeze=False)
    for axes_of_row, (model, planes) in zip(grid, panels.items(), strict=True):
        low, high = np.percentile(np.concatenate([*planes.values()])[:, :2], [1, 99], axis=0)
        margin = 0.1 * (high - low) + 1e-3
        for axes, corpus in zip(axes_of_row, corpora, strict=True):
            axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
            axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
            axes.tick_params(labelsize=6, length=2)
            axes.spines[["top", "right"]].set_visible(False)
            if corpus in planes:
                z1, z2, activation = planes[corpus].T
                dots = axes.scatter(z1, z2, c=activation, cmap="viridis", vmin=1, vmax=5, s=4, linewidth=0)
        axes_of_row[0].set_ylabel(f"{model}\nDim 2", fontsize=7)
    for axes, corpus in zip(grid[0], corpora, strict=True):
        axes.set_title(corpus, fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("Dim 1", fontsize=7)
    figure.colorbar(dots, ax=grid, shrink=0.6, label="activation").ax.tick_params(labelsize=6)
    figure.suptitle(title, fontsize=9)
    write_figure(figure, path)


def similarity_figure(
    path: Path, curves: Mapping[str, Sequence[Sequence[float]]], title: str, published: Mapping[str, Json] = NOTHING
) -> None:
    """Draw the cosine of positive and negative pairs by layer, before and after stage one (as Xiang, Fig. 4).

    Thick curves are of all pairs, as the paper's. Pairs of one corpus and pairs of two have thin ones: in a
    pretrained model the corpus decides more than the emotion, and negative pairs are more often of one corpus. Below
    are the same with mean-centered vectors.

    Args:
        path: PNG file.
        curves: `<before|after>.<raw|centered>.<kind>` -> mean, lower and upper bound, (L,) each.
        title: above the axes.
        published: `before` or `after` -> the paper's checkpoints: the last layer before positive pairs are nearer is
            a dotted line, cosines at the last layer are hollow.
    """
    figure = figure_of(7.0, 5.0)
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    for row, vectors in enumerate(("raw", "centered")):
        for column, when in enumerate(("before", "after")):
            axes = panels[row, column]
            paper = published.get(when, {}) if vectors == "raw" else {}
            for kind, color in (("positive", COLORS[0]), ("negative", COLORS[1])):
                for where, line, width, told in PAIRS:
                    if (curve := curves.get(f"{when}.{vectors}.{kind}{where}")) is None:
                        continue
                    mean, low, high = np.array(curve, float)
                    layers = np.arange(len(mean))
                    axes.plot(layers, mean, line, color=color, linewidth=width, label=f"{kind}, {told}")
                    axes.fill_between(layers, low, high, color=color, alpha=0.15, linewidth=0)
                    if not where and paper.get(kind) is not None:
                        axes.plot(layers[-1:], [paper[kind]], "o", color=color, markerfacecolor="white", zorder=3)
            if paper.get("nearer_from") is not None:
                axes.axvline(paper["nearer_from"] - 1, color="0.35", linestyle=":", linewidth=1)
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
    write_figure(figure, path)


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


def figure_of(width: float, height: float) -> Figure:
    """Make an empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend only on the figure."""
    with replacing(path) as part:
        figure.savefig(part, dpi=150, format="png", metadata={"Software": None})
