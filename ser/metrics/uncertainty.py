"""How far a UAR, or a difference of two, can be trusted when speakers, trainings and support sets are all drawn.

A table is read as a statement about methods. So three things are random: the speakers that were recorded, the
training (its seed), and the support set (its draw). The variance of a mean UAR is the sum of

    speakers      delete-one-speaker jackknife, S - 1 degrees of freedom (Efron & Stein 1981)
    repetitions   two-way layout of K seeds and D draws, each cell one UAR:
                  MS_seed / KD + MS_draw / KD - MS_residual / KD

and the degrees of freedom of the sum are Satterthwaite's (1946). A UAR is bounded on the logit scale, where an
interval cannot leave [0, 1]; a difference on its own scale. Interactions of speakers with seeds stand in both
summands, which makes intervals slightly too wide: `benchmarks/interval_coverage.py` measures by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ser.metrics.statistics import Interval
from ser.metrics.variances import (
    LEVEL,
    Logit,
    Term,
    degrees_of_freedom,
    jackknife,
    p_value,
    quantile,
    repetition_terms,
    total,
)

POWER = 0.8
"""At which `Estimate.detectable` is found."""


class Estimate(NamedTuple):
    """A value with its uncertainty.

    Attributes:
        value: a mean UAR, in [0, 1], or a difference of two, in [-1, 1].
        interval: 95 %; None where it cannot be had, see `estimate`.
        p: two-sided, that a difference is 0; None for a UAR, without an interval, and for a single training.
        detectable: the smallest true difference that would be found significant at the 5 % level in 80 % of such
            experiments; None for a UAR and without an interval.
        se_speakers, se_repetitions: standard errors of the two summands, on the scale of the value.
        one_training: whether training is random and was done once, so that the interval says nothing about it.
        se, df: of a difference: its standard error and degrees of freedom.
        seeds: of a difference: the seeds that both have, where both are random.
    """

    value: float
    interval: Interval | None
    p: float | None = None
    detectable: float | None = None
    se_speakers: float | None = None
    se_repetitions: float | None = None
    one_training: bool = False
    se: float | None = None
    df: float | None = None
    seeds: tuple[int, ...] = ()


class Sample(NamedTuple):
    """What inference about the mean UAR of one system needs.

    Attributes:
        uars: of each seed and draw, all speakers together, (K, D); draws are shared by seeds.
        left_out: mean UAR over draws without each speaker in turn, by seed, (K, S); None where one speaker has all
            utterances of a class, since leaving that speaker out says nothing.
        n: utterances.
        seeds: names of the seeds, (K,).
        is_random: whether another seed would give another model.
    """

    uars: np.ndarray
    left_out: np.ndarray | None
    n: int
    seeds: tuple[int, ...]
    is_random: bool

    @property
    def one_training(self) -> bool:
        """Whether training is random and was done once."""
        return self.is_random and len(self.uars) == 1

    def of_seeds(self, seeds: Sequence[int]) -> Sample:
        """Keep some seeds."""
        rows = [self.seeds.index(seed) for seed in seeds]
        left_out = None if self.left_out is None else self.left_out[rows]
        return self._replace(uars=self.uars[rows], left_out=left_out, seeds=tuple(seeds))


def sample_of(counts: np.ndarray, is_random: bool, seeds: Sequence[int] | None = None) -> Sample:
    """Reduce counts to what inference needs.

    Args:
        counts: confusion counts by seed, draw and speaker, (K, D, S, C, C), rows true.
        is_random: whether another seed would give another model.
        seeds: their names, (K,); numbered from 1 unless given.
    """
    names = tuple(range(1, len(counts) + 1) if seeds is None else seeds)
    return Sample(_uars(counts), _left_out(counts), round(float(counts[0, 0].sum())), names, is_random)


def estimate(sample: Sample) -> Estimate:
    """Bound the mean UAR of a method.

    Returns:
        No interval where one speaker has all utterances of a class.

    Example:
        >>> counts = np.array([[[8, 2], [1, 9]], [[6, 4], [3, 7]], [[9, 1], [2, 8]]])[None, None]
        >>> found = estimate(sample_of(counts, is_random=False))
        >>> round(found.value, 3), [round(bound, 3) for bound in found.interval]
        (0.783, [0.375, 0.961])
    """
    value = float(sample.uars.mean())
    if sample.left_out is None:
        return Estimate(value, None, one_training=sample.one_training)
    logit = Logit(sample.n)
    slope = logit.slope(value)
    speakers = jackknife(logit(sample.left_out.mean(0)))
    repetitions = [Term(variance * slope**2, df) for variance, df in repetition_terms(sample.uars)]
    margin = quantile(degrees_of_freedom([speakers, *repetitions])) * np.sqrt(total([speakers, *repetitions]))
    center = logit(np.array(value))
    return Estimate(
        value,
        Interval(*(float(logit.inverse(center + side * margin)) for side in (-1, 1))),
        se_speakers=float(np.sqrt(speakers.variance) / slope),
        se_repetitions=float(np.sqrt(total(repetitions)) / slope),
        one_training=sample.one_training,
    )


def difference(a: Sample, b: Sample) -> Estimate | None:
    """Bound the difference of two methods' mean UARs on the same utterances, a minus b, and test whether it is 0.

    Methods that are both random are compared on the seeds that both have, seed by seed; a method that is not is the
    same for every seed. Draws are paired where both have as many, and a system without support sets is the same for
    every draw. Pairs may share a source model or a support set, which takes its variance out of the difference; where
    they share nothing the test is as good with pairs.

    Returns:
        None if both are random and have no seed in common. Of one training only, there is no p.

    Raises:
        ValueError: for other utterances, as far as numbers of speakers and of utterances show.
    """
    if a.n != b.n or _n_speakers(a) != _n_speakers(b):
        raise ValueError("the two systems were not tested on the same utterances")
    seeds: tuple[int, ...] = ()
    if a.is_random and b.is_random:
        seeds = tuple(seed for seed in a.seeds if seed in b.seeds)
        if not seeds:
            return None
        a, b = a.of_seeds(seeds), b.of_seeds(seeds)
    else:  # any one of the equal trainings
        a, b = (side if side.is_random else side.of_seeds(side.seeds[:1]) for side in (a, b))
    n_draws = {a.uars.shape[1], b.uars.shape[1]}
    layouts = [a.uars - b.uars] if len(n_draws) == 1 or 1 in n_draws else [a.uars, b.uars]
    left_out = None if a.left_out is None else a.left_out.mean(0) - b.left_out.mean(0)
    value = float(a.uars.mean() - b.uars.mean())
    return _difference(value, left_out, layouts, a.one_training or b.one_training)._replace(seeds=seeds)


def corrected(found: Sequence[Estimate | None]) -> list[Estimate | None]:
    """Correct differences for their number, intervals and p alike (Bonferroni).

    With m differences of known standard error, p is m times as large, and intervals have the level 1 - 0.05 / m: all
    of them hold at once with 95 %, and one excludes 0 exactly where p < 0.05.

    Example:
        >>> one = Estimate(0.1, Interval(0.02, 0.18), p=0.02, se=0.03, df=5.0)
        >>> [round(corrected([one] * m)[0].p, 3) for m in (1, 2, 100)]
        [0.02, 0.04, 1.0]
    """
    n_tests = sum(one is not None and one.df is not None for one in found)
    return [one if one is None or one.df is None else _at(one, n_tests) for one in found]


def _at(found: Estimate, n_tests: int) -> Estimate:
    """Widen one of several differences."""
    t = quantile(found.df, 1 - (1 - LEVEL) / n_tests)
    return found._replace(
        interval=Interval(found.value - t * found.se, found.value + t * found.se),
        p=None if found.p is None else min(1.0, n_tests * found.p),
        detectable=found.se * (t + quantile(found.df, 2 * POWER - 1)),
    )


def _n_speakers(sample: Sample) -> int | None:
    return None if sample.left_out is None else sample.left_out.shape[1]


def uar_estimate(counts: np.ndarray, is_random: bool) -> Estimate:
    """Bound the mean UAR of counts, (K, D, S, C, C); see `estimate`."""
    return estimate(sample_of(counts, is_random))


def uar_difference(a: np.ndarray, b: np.ndarray, is_random: bool, paired: bool) -> Estimate:
    """Bound the difference of two methods' mean UARs from their counts, a minus b, and test whether it is 0.

    Args:
        a, b: confusion counts of both on the same utterances, (K, D, S, C, C) and (K', D', S, C, C).
        is_random: whether another seed would give another model of either.
        paired: whether seed k and draw d of both share what is random in them (source model, order of batches,
            support set); then K = K' and D = D', and differences are taken cell by cell.

    Raises:
        ValueError: for counts of other utterances, or paired ones of unlike shape.
    """
    if not np.array_equal(a[0, 0].sum(-1), b[0, 0].sum(-1)):
        raise ValueError("the two systems were not tested on the same utterances")
    if paired and a.shape != b.shape:
        raise ValueError(f"paired counts of unlike shape: {a.shape[:2]} and {b.shape[:2]} seeds and draws")
    one, other = sample_of(a, is_random), sample_of(b, is_random)
    layouts = [one.uars - other.uars] if paired else [one.uars, other.uars]
    left_out = None if one.left_out is None else one.left_out.mean(0) - other.left_out.mean(0)
    value = float(one.uars.mean() - other.uars.mean())
    return _difference(value, left_out, layouts, one.one_training or other.one_training)


def value_estimate(
    value: float,
    left_out: np.ndarray,
    repetitions: np.ndarray,
    one_training: bool,
    more: Sequence[np.ndarray] = (),
) -> Estimate:
    """Bound another value than a UAR, or a difference of two, on its own scale, and test whether it is 0.

    Args:
        value: the mean over seeds and models.
        left_out: the same without each speaker in turn, (S,).
        repetitions: the value of each seed and model, (K, F); NaN where it could not be had.
        one_training: whether training is random and was done once.
        more: repetitions of the other side of an unpaired difference.

    Returns:
        No interval with fewer than two speakers, or where a value could not be had.
    """
    layouts = [repetitions, *more]
    unknown = any(np.isnan(part).any() for part in (left_out, *layouts))
    if len(left_out) < 2 or unknown or np.isnan(value):
        return Estimate(value, None, one_training=one_training)
    return _difference(value, left_out, layouts, one_training)


def _difference(
    value: float, left_out: np.ndarray | None, layouts: Sequence[np.ndarray], one_training: bool
) -> Estimate:
    """Bound a difference from its values without each speaker (S,), and the layouts of its repetitions."""
    if left_out is None:
        return Estimate(value, None, one_training=one_training)
    speakers = jackknife(left_out)
    repetitions = [term for layout in layouts for term in repetition_terms(layout)]
    variance, df = total([speakers, *repetitions]), degrees_of_freedom([speakers, *repetitions])
    se, t = float(np.sqrt(variance)), quantile(df)
    return Estimate(
        value,
        Interval(value - t * se, value + t * se),
        p=None if one_training else p_value(value, se, df),
        detectable=se * (t + quantile(df, 2 * POWER - 1)),
        se_speakers=float(np.sqrt(speakers.variance)),
        se_repetitions=float(np.sqrt(total(repetitions))),
        one_training=one_training,
        se=se,
        df=df,
    )


class Cell(NamedTuple):
    """One of several results whose mean is taken.

    Attributes:
        target: what was tested; cells of one target share its speakers, targets share none.
        a: confusion counts, (K, D, S, C, C), K and D the same in all cells.
        b: counts that are held against them, broadcast over seeds and draws; None for a UAR.
    """

    target: str
    a: np.ndarray
    b: np.ndarray | None = None


def mean_estimate(cells: Sequence[Cell], is_random: bool) -> Estimate:
    """Bound the plain mean over cells of mean UARs, or of paired differences of two.

    Speakers of each target are one summand, seeds and draws those of the mean over cells.

    Args:
        cells: at least one.
        is_random: whether another seed would give another model.
    """
    layouts = [_uars(c.a) - (0 if c.b is None else _uars(c.b)) for c in cells]
    layout = np.mean(layouts, axis=0)  # (K, D)
    value, one_training = float(layout.mean()), is_random and len(layout) == 1
    left_out: dict[str, np.ndarray] = {}
    for cell in cells:
        own = _left_out(cell.a)
        if own is None:
            return Estimate(value, None, one_training=one_training)
        other = 0 if cell.b is None else _left_out(cell.b)
        left_out[cell.target] = left_out.get(cell.target, 0) + (own - other).mean(0) / len(cells)
    speakers = [jackknife(of_target) for of_target in left_out.values()]
    repetitions = repetition_terms(layout)
    terms = [*speakers, *repetitions]
    se, df, lowest = float(np.sqrt(total(terms))), degrees_of_freedom(terms), 0.0 if cells[0].b is None else -1.0
    margin = quantile(df) * se
    return Estimate(
        value,
        Interval(max(lowest, value - margin), min(1.0, value + margin)),
        p=None if cells[0].b is None or one_training else p_value(value, se, df),
        se_speakers=float(np.sqrt(total(speakers))),
        se_repetitions=float(np.sqrt(total(repetitions))),
        one_training=one_training,
    )


def _uars(counts: np.ndarray) -> np.ndarray:
    """UAR of each seed and draw, all speakers together, (K, D)."""
    pooled = counts.sum(2)
    n_true = pooled.sum(-1)
    occurs = n_true[0, 0] > 0
    return (np.diagonal(pooled, axis1=-2, axis2=-1)[..., occurs] / n_true[..., occurs]).mean(-1)


def _left_out(counts: np.ndarray) -> np.ndarray | None:
    """Mean UAR over draws without each speaker in turn, by seed, (K, S); None where a class would vanish."""
    n_true = counts[0, 0].sum(-1).astype(float)  # (S, C)
    occurs = n_true.any(0)
    hits = np.diagonal(counts, axis1=-2, axis2=-1).mean(1)[..., occurs]  # (K, S, C)
    rest = n_true[:, occurs].sum(0) - n_true[:, occurs]
    return None if (rest == 0).any() else ((hits.sum(1, keepdims=True) - hits) / rest).mean(-1)
