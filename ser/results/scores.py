"""From counts to scores: lines with intervals, differences and Holm-corrected paired tests.

No number is typed by hand: everything comes from the counts that stage 5 wrote.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from ser.metrics.statistics import (
    Interval,
    difference_bootstrap,
    holm,
    mean_scores,
    paired_speaker_test,
    resample_speakers,
    speaker_bootstrap,
)
from ser.randomness import rng
from ser.results.lines import Line

FEW_SPEAKERS = 8
"""Intervals of fewer are marked."""

SIGNIFICANT = 0.05
"""A corrected p below it is a difference."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A row held against another one of its table.

    Attributes:
        label, feature: of the other row.
        difference: UAR minus that of the other row, in [-1, 1], with its interval.
        p: of the paired test, Holm-corrected over its family.
        can_tell: whether so few speakers could have given a p below 5 % in so large a family.
    """

    label: str
    feature: str
    difference: float
    interval: Interval
    p: float
    can_tell: bool

    @property
    def is_tie(self) -> bool:
        """Whether the test found no difference, and could have found one if all speakers differed alike."""
        return self.can_tell and self.p >= SIGNIFICANT

    @property
    def mark(self) -> str:
        """`=` for one not significantly worse, `?` where no test could say, nothing for a row that is worse."""
        return "=" if self.is_tie else "" if self.can_tell else "?"


@dataclasses.dataclass(frozen=True)
class Standing:
    """The rank of a row in its table.

    Attributes:
        is_best: whether no row with the same rights (see `ser.results.standings`) has a higher UAR, of at least two.
        is_best_of_all: whether no row without labels of the tested corpus beyond k shots has, nor stamps of its own.
        best: against the best row with the same rights, for others than that.
        best_of_all: against the best of all, for the best rows of other rights.
        source_only: against the row that has seen nothing of the target, for rows that have.
    """

    is_best: bool = False
    is_best_of_all: bool = False
    best: Comparison | None = None
    best_of_all: Comparison | None = None
    source_only: Comparison | None = None

    @property
    def marks(self) -> str:
        """What a table shows of it, see `ser.results.words.NOTES`."""
        marks = ["★" if self.is_best_of_all else "☆" if self.is_best else ""]
        if self.best:
            marks.append(self.best.mark)
        if self.best_of_all and self.best_of_all.mark:
            marks.append(f"{self.best_of_all.mark}★")
        if self.source_only and is_worse(self.source_only.difference):
            marks.append("▽")
        return " ".join(filter(None, marks))


@dataclasses.dataclass(frozen=True)
class Scored:
    """A line with its scores, in [0, 1]."""

    line: Line
    scores: Mapping[str, np.ndarray]
    interval: Interval
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None
    standing: Standing = Standing()
    classes: Sequence[str] = ()

    @property
    def has_few_speakers(self) -> bool:
        """Whether its intervals are too narrow."""
        return bool(self.line.cells) and len(self.line.speakers) < FEW_SPEAKERS

    @property
    def uar_as_printed(self) -> float:
        """UAR as papers print it, the mean over folds, where every fold has all classes; else UAR."""
        return self.line.measured.get("uar_mean_of_folds", float(self.scores["uar"]))

    def by_class(self, score: str) -> dict[str, float]:
        """Name the entries of a score that each class has, (C,)."""
        return dict(zip(self.classes, self.scores[score].tolist(), strict=True))


def is_worse(difference: float) -> bool:
    """Tell whether a difference is negative as it is printed."""
    return difference <= -0.0005


def score_lines(lines: Sequence[Line], seed: int, classes: Sequence[str] = ()) -> list[Scored | Line]:
    """Score one table's lines, with intervals and Holm-corrected paired tests; lines without counts stay.

    Args:
        lines: of one table.
        seed: of the resamples and of the swaps.
        classes: names in the order of their indices.
    """
    scored: list[Scored | Line] = []
    tests: dict[str, list[tuple[int, float]]] = {}
    resamples = cache(lambda n_speakers: resample_speakers(n_speakers, rng("bootstrap", seed)))  # one for all rows
    for line in lines:
        if line.counts is None:
            scored.append(line)
            continue
        drawn = resamples(line.counts.shape[1])
        result = Scored(line, mean_scores(line.counts), speaker_bootstrap(line.counts, drawn), classes=classes)
        other = _versus(line, lines)
        if other is not None:
            draws = rng("paired test", seed, line.label, line.feature, line.condition.key)
            p = paired_speaker_test(line.counts, other.counts, draws)
            tests.setdefault(line.feature, []).append((len(scored), p))
            result = dataclasses.replace(
                result,
                difference=float(result.scores["uar"] - mean_scores(other.counts)["uar"]),
                difference_interval=difference_bootstrap(line.counts, other.counts, drawn),
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
