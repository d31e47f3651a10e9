"""From counts to scores: lines with intervals, and differences with tests that are corrected for their number.

No number is typed by hand: everything comes from the counts that stage 5 wrote. Intervals and tests are those of
`ser.metrics.uncertainty`: about methods, with speakers, seeds and draws as random factors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ser.metrics.statistics import Interval, mean_scores
from ser.metrics.uncertainty import Estimate, Sample, corrected, difference, estimate, sample_of
from ser.results.lines import Line

SIGNIFICANT = 0.05
"""A corrected p below it is a difference."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A row held against another one of its table.

    Attributes:
        label, feature: of the other row.
        found: UAR minus that of the other row, corrected for the number of rows that are held against that one.
    """

    label: str
    feature: str
    found: Estimate

    @property
    def is_tie(self) -> bool:
        """Whether the test found no difference."""
        return self.found.p is not None and self.found.p >= SIGNIFICANT


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


@dataclasses.dataclass(frozen=True)
class Scored:
    """A line with its scores, in [0, 1].

    Attributes:
        line: the line.
        scores: of `mean_scores`.
        sample: what intervals and tests are made from.
        estimate: of its UAR.
        against: its UAR minus that of the line that it is tested against, corrected for the number of lines that are.
        standing: its rank.
        classes: names in the order of their indices.
    """

    line: Line
    scores: Mapping[str, np.ndarray]
    sample: Sample
    estimate: Estimate
    against: Estimate | None = None
    standing: Standing = Standing()
    classes: Sequence[str] = ()

    @property
    def interval(self) -> Interval | None:
        """Of its UAR; none for chance and majority, which nobody trained."""
        return self.estimate.interval if self.line.cells else None

    @property
    def chance(self) -> float:
        """UAR of a guess."""
        return 1 / int((self.line.counts[0, 0].sum((0, 2)) > 0).sum())

    @property
    def is_above_chance(self) -> bool:
        """Whether its interval is."""
        return self.interval is not None and self.interval.low > self.chance

    @property
    def uar_as_printed(self) -> float:
        """UAR as papers print it, the mean over folds, where every fold has all classes; else UAR."""
        return self.line.measured.get("uar_mean_of_folds", float(self.scores["uar"]))

    def by_class(self, score: str) -> dict[str, float]:
        """Name the entries of a score that each class has, (C,)."""
        return dict(zip(self.classes, self.scores[score].tolist(), strict=True))


def is_worse(value: float) -> bool:
    """Tell whether a difference is negative as it is printed."""
    return value <= -0.0005


def is_surely_worse(found: Estimate) -> bool:
    """Tell whether a difference is negative and significant."""
    return found.p is not None and found.p < SIGNIFICANT and found.value < 0


def scored_line(line: Line, classes: Sequence[str] = ()) -> Scored:
    """Score a line that has counts."""
    sample = sample_of(line.counts, line.is_random, line.seeds)
    return Scored(line, mean_scores(line.repetitions), sample, estimate(sample), classes=classes)


def score_lines(lines: Sequence[Line], classes: Sequence[str] = ()) -> list[Scored | Line]:
    """Score one table's lines, with intervals and tests; lines without counts stay.

    Args:
        lines: of one table.
        classes: names in the order of their indices.
    """
    scored = [line if line.counts is None else scored_line(line, classes) for line in lines]
    families: dict[tuple[str, str | None], list[int]] = {}
    for place, entry in enumerate(scored):
        other = _versus(entry, scored) if isinstance(entry, Scored) else None
        if other is not None:
            scored[place] = dataclasses.replace(entry, against=difference(entry.sample, other.sample))
            families.setdefault((entry.line.feature, entry.line.versus), []).append(place)
    for places in families.values():  # what else is listed does not matter
        for place, found in zip(places, corrected([scored[place].against for place in places]), strict=True):
            scored[place] = dataclasses.replace(scored[place], against=found)
    return scored


def _versus(entry: Scored, scored: Sequence[Scored | Line]) -> Scored | None:
    """Find what a line is tested against, among those of one table: the same feature."""
    for other in scored:
        if (
            isinstance(other, Scored)
            and other.line.label == entry.line.versus
            and other.line.feature == entry.line.feature
        ):
            return other
    return None
