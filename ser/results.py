"""Stage 6: from `metrics.json` files to one table with intervals and paired tests, as Markdown and as plain text.

No number is typed by hand: everything comes from the counts that stage 5 wrote.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ser.environment import Environment
from ser.metrics.statistics import (
    Interval,
    difference_bootstrap,
    holm,
    mean_scores,
    paired_speaker_test,
    speaker_bootstrap,
)
from ser.randomness import rng

DEFINITIONS = """
UAR: mean of the per-class recalls, all folds of one support draw and source seed scored together (a fold that lacks
a class is never scored alone), then averaged over draws and seeds. Interval: 95 % percentile bootstrap of that mean,
resampling test speakers (10,000 times). sd: standard deviation over draws and seeds. Folds: mean of the UARs of
single folds. WA: accuracy. F1: mean of the classes' F1. Recall: share of a class that was recognised. Difference:
UAR minus that of the row named, with its own interval from the same resamples, and the p of a two-sided paired
permutation test that swaps the two rows' results speaker by speaker, Holm-corrected over the tests of one feature;
before correction p cannot be below 2 / 2^S with S speakers. Target data: what of the target corpus a row has seen
before it is tested; unlabelled data are utterances of the task's classes for `corpus` statistics and all of a
speaker's for `speaker` statistics. Chance guesses evenly; majority always says the source's most frequent class;
shortcut sees duration, level and silence alone. †: in that many of all folds and draws only one class was predicted.
""".strip()


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a table; scores are None where the row was not run.

    Attributes:
        label, feature, shots: what was run.
        target_data: what of the target it has seen.
        counts: confusion counts, (R, S, C, C), over draws and seeds, or None.
        speakers: (S,) names.
        folds: mean over folds of their own UARs, or None where a fold lacks a class.
        one_class, cells: in how many (fold, draw, seed) cells only one class was predicted, of how many.
        versus: label of the row that it is tested against.
        hole: why there are no scores.
    """

    label: str
    feature: str
    shots: int
    target_data: Sequence[str] = ()
    counts: np.ndarray | None = None
    speakers: Sequence[str] = ()
    folds: float | None = None
    one_class: int = 0
    cells: int = 0
    versus: str | None = None
    hole: str | None = None


@dataclasses.dataclass(frozen=True)
class Scored:
    """A line with everything that is printed of it; scores in [0, 1]."""

    line: Line
    scores: Mapping[str, np.ndarray]
    interval: Interval
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None


def line_of(label: str, feature: str, versus: str | None, runs: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Join the seeds of a row, for each number of shots.

    Args:
        label, feature, versus: of the row.
        runs: `metrics.json` of each seed.
    """
    return [
        Line(
            label=label,
            feature=feature,
            shots=int(shots),
            target_data=runs[0]["target_data"],
            counts=np.concatenate([run["shots"][shots]["counts"] for run in runs]),
            speakers=first["speakers"],
            folds=None
            if first["uar_mean_of_folds"] is None
            else float(np.mean([run["shots"][shots]["uar_mean_of_folds"] for run in runs])),
            one_class=sum(run["shots"][shots]["one_class_cells"] for run in runs),
            cells=sum(run["shots"][shots]["cells"] for run in runs),
            versus=versus,
        )
        for shots, first in runs[0]["shots"].items()
    ]


def reference_lines(line: Line, classes: Sequence[str], majority: str) -> list[Line]:
    """Make the rows for chance and for the majority class, from the test utterances of any other row."""
    n_true = line.counts[0].sum(-1, keepdims=True)  # (S, C, 1)
    always = np.zeros(len(classes))
    always[list(classes).index(majority)] = 1
    return [
        Line("chance", "-", 0, (), (n_true / len(classes) * np.ones(len(classes)))[None], line.speakers),
        Line(f"majority ({majority})", "-", 0, (), (n_true * always)[None], line.speakers),
    ]


def score_lines(lines: Sequence[Line], seed: int) -> list[Scored | Line]:
    """Score one table's lines, with intervals and Holm-corrected paired tests; holes stay lines."""
    scored: list[Scored | Line] = []
    tests: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        if line.counts is None:
            scored.append(line)
            continue
        key = (line.label, line.feature, line.shots)
        interval = speaker_bootstrap(line.counts, rng("bootstrap", seed))  # the same resamples for all rows
        result = Scored(line, mean_scores(line.counts), interval)
        other = _versus(line, lines)
        if other is not None:
            p = paired_speaker_test(line.counts, other.counts, rng("paired test", seed, *key))
            tests.setdefault(line.feature, []).append((len(scored), p))
            result = dataclasses.replace(
                result,
                difference=float(result.scores["uar"] - mean_scores(other.counts)["uar"]),
                difference_interval=difference_bootstrap(line.counts, other.counts, rng("bootstrap", seed)),
            )
        scored.append(result)
    for family in tests.values():  # one feature's rows answer one question; what else is listed does not matter
        for (place, _), p in zip(family, holm(np.array([p for _, p in family])), strict=True):
            scored[place] = dataclasses.replace(scored[place], p=float(p))
    return scored


def _versus(line: Line, lines: Sequence[Line]) -> Line | None:
    """Find the line that a line is tested against, among those of one table: the same feature."""
    for other in lines:
        if other.label == line.versus and other.feature == line.feature and other.counts is not None:
            return other
    return None


# ---- Rendering ------------------------------------------------------------------------------------------------


def header(classes: Sequence[str]) -> list[str]:
    """Column names of a table."""
    return ["row", "feature", "target data", "UAR", "95 %", "sd", "folds", "WA", "F1",
            *classes, "difference", "p"]  # fmt: skip


def cells(entry: Scored | Line, classes: Sequence[str]) -> list[str]:
    """Print one line's cells, scores in per cent."""
    if isinstance(entry, Line):
        return [entry.label, entry.feature, "", f"not run: {entry.hole}", *[""] * (len(header(classes)) - 4)]
    line, scores = entry.line, entry.scores
    mark = f" †{line.one_class}/{line.cells}" if line.one_class else ""
    difference = ""
    if entry.difference is not None:
        low, high = (100 * bound for bound in entry.difference_interval)
        difference = f"{100 * entry.difference:+.1f} [{low:+.1f}, {high:+.1f}] ({line.versus})"
    constant = line.cells == 0  # chance and majority: nothing to resample
    return [
        line.label + mark,
        line.feature,
        ", ".join(line.target_data) or "none",
        _percent(scores["uar"]),
        "" if constant else f"{_percent(entry.interval.low)}-{_percent(entry.interval.high)}",
        "" if np.isnan(scores["uar_sd"]) else _percent(scores["uar_sd"]),
        "" if line.folds is None else _percent(line.folds),
        _percent(scores["wa"]),
        _percent(scores["macro_f1"]),
        *(_percent(r) for r in scores["recall"]),
        difference,
        "" if entry.p is None else (f"{entry.p:.3f}" if entry.p >= 0.001 else "<0.001"),
    ]


def _percent(share: float | np.ndarray) -> str:
    return f"{100 * float(share):.1f}"


def markdown_table(entries: Sequence[Scored | Line], classes: Sequence[str]) -> str:
    """Lay out a pipe table."""
    names = header(classes)
    rows = [names, ["---"] * 3 + ["---:"] * (len(names) - 3), *(cells(e, classes) for e in entries)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def text_table(entries: Sequence[Scored | Line], classes: Sequence[str]) -> str:
    """Lay out the columns that fit a terminal."""
    keep = [0, 1, 2, 3, 4, len(header(classes)) - 2, len(header(classes)) - 1]
    rows = [[row[i] for i in keep] for row in (header(classes), *(cells(e, classes) for e in entries))]
    # a hole's reason runs over the empty cells to its right
    scored = [row for row in rows if not row[3].startswith("not run")]
    widths = [max(len(row[i]) for row in (rows if i < 3 else scored)) for i in range(len(keep))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def confusion_text(entry: Scored, classes: Sequence[str]) -> str:
    """Print a confusion matrix in per cent of each true class, as Markdown."""
    share = confusion_shares(entry.line)
    rows = [["true \\ predicted", *classes], ["---", *["---:"] * len(classes)]]
    rows += [[name, *(_percent(v) for v in share[i])] for i, name in enumerate(classes)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def confusion_shares(line: Line) -> np.ndarray:
    """Average confusion over draws and seeds, as shares of each true class, (C, C), rows true."""
    total = line.counts.sum((0, 1)).astype(float)
    return total / total.sum(-1, keepdims=True)


def markdown(
    *,
    title: str,
    made_from: str,
    stamps: Sequence[str],
    environment: Environment,
    features: Sequence[str],
    corpora: Sequence[str],
    tables: Mapping[str, Sequence[Scored | Line]],
    classes: Sequence[str],
) -> str:
    """Write a recipe's RESULTS.md.

    Args:
        title: of the recipe.
        made_from: fingerprint of the inputs, kept in the first line.
        stamps: warnings that hold for every row.
        environment: where the table was made.
        features, corpora: one description a line.
        tables: heading -> scored lines.
        classes: names in the order of their indices.
    """
    packages = ", ".join(f"{name} {number}" for name, number in environment.packages.items())
    parts = [
        f"<!-- Written by `python -m ser.bin.results` from {made_from}; do not edit. -->",
        f"# {title}",
        *(f"**{stamp}**" for stamp in stamps),
        "## Environment",
        f"- date: {environment.date}\n- python {environment.python}, {environment.machine}, {packages}\n"
        f"- ser {environment.ser}, commit {environment.commit}",
        "\n".join(f"- {text}" for text in (*corpora, *features)),
    ]
    for heading, entries in tables.items():
        parts += [f"## {heading}", markdown_table(entries, classes), _wrapped(DEFINITIONS)]
        parts += [f"### Confusion matrices, {heading}"]
        for entry in entries:
            if isinstance(entry, Scored) and entry.line.cells:
                name = f"{entry.line.label}, {entry.line.feature}"
                table = confusion_text(entry, classes)
                parts.append(f"<details><summary>{name}</summary>\n\n{table}\n</details>")
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 118))
