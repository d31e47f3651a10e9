"""How well a latent space predicts ratings (Das 2022, Tables 1 and 2): scores with intervals.

Everything comes from the moments that stage 5 wrote, and from what a paper printed. Speakers, seeds and fold models
are random factors, as in `ser.metrics.uncertainty`. Not here: classification, and what the tables look like
(`ser.results.measures`, `ser.results.render`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ser.metrics.linear_fit import adjusted, r2_of, speaker_test
from ser.metrics.statistics import Interval
from ser.metrics.uncertainty import corrected, value_estimate
from ser.results.scores import SIGNIFICANT
from ser.types import Condition


@dataclass(frozen=True)
class Fit:
    """One rating's fits of one row on one corpus.

    Attributes:
        speakers: those tested, (S,).
        moments: by seed, fold model and speaker, (K, F, S, D + 2, D + 2).
        distances: adjusted R2 of latent on rating distances, (K F,).
        seeds: names of the seeds, (K,).
    """

    speakers: tuple[str, ...]
    moments: np.ndarray
    distances: np.ndarray
    seeds: tuple[int, ...]

    @property
    def models(self) -> np.ndarray:
        """Moments of all models in one row, (K F, S, D + 2, D + 2)."""
        return self.moments.reshape(-1, *self.moments.shape[2:])

    def of_seeds(self, seeds: Sequence[int]) -> Fit:
        """Keep the moments of some seeds."""
        return replace(self, moments=self.moments[[self.seeds.index(seed) for seed in seeds]], seeds=tuple(seeds))


@dataclass(frozen=True)
class FitLine:
    """One line of a table: a row on one corpus; no fits where it was not run."""

    label: str
    feature: str
    target_data: Sequence[str] = ()
    versus: str | None = None
    published: str | None = None
    stamps: Sequence[str] = ()
    fits: Mapping[str, Fit] = field(default_factory=dict)
    is_random: bool = True


@dataclass(frozen=True)
class Scored:
    """Scores of a fit; NaN where nothing could be fitted, None where an interval cannot be had."""

    n: float
    r2: float
    sd: float
    interval: Interval | None
    is_significant: bool
    distances: float
    distances_sd: float
    one_training: bool | None = None
    difference: float | None = None
    difference_interval: Interval | None = None
    p: float | None = None


def fit_of(runs: Sequence[Mapping[str, Any]], condition: Condition, seeds: Sequence[int]) -> dict[str, Fit]:
    """Join the seeds of a row: rating -> its fits on one condition."""
    key = replace(condition, task="").key
    known = [(seed, run["fits"][key]) for seed, run in zip(seeds, runs, strict=True) if key in run["fits"]]
    return {
        rating: _joined([of_seed[rating] for _, of_seed in known], [seed for seed, _ in known])
        for rating in (known[0][1] if known else ())
    }


def _joined(of_seeds: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> Fit:
    """Join the models of several seeds; outliers may have left a speaker out of some."""
    speakers = tuple(sorted({speaker for fit in of_seeds for speaker in fit["speakers"]}))
    moments = [_padded(np.array(fit["moments"], dtype=float), fit["speakers"], speakers) for fit in of_seeds]
    distances = np.concatenate([np.array(fit["distances"], dtype=float) for fit in of_seeds])
    return Fit(speakers, np.stack(moments), distances, tuple(seeds))


def _padded(moments: np.ndarray, own: Sequence[str], speakers: Sequence[str]) -> np.ndarray:
    """Lay moments out over more speakers, in their order: (..., S, n, n) to (..., S', n, n), zero where none are."""
    padded = np.zeros((*moments.shape[:-3], len(speakers), *moments.shape[-2:]))
    padded[..., [speakers.index(name) for name in own], :, :] = moments
    return padded


def r2_of_models(moments: np.ndarray) -> np.ndarray:
    """Adjusted R2 of each model, all speakers together: (..., S, D + 2, D + 2) to (...,)."""
    return adjusted(*r2_of(moments.sum(-3)))


def left_out(moments: np.ndarray) -> np.ndarray:
    """Mean R2 over models without each speaker in turn: (K, F, S, D + 2, D + 2) to (S,)."""
    rest = moments.sum(-3, keepdims=True) - moments
    values = adjusted(*r2_of(rest))  # (K, F, S)
    return _mean(values.reshape(-1, values.shape[-1]))


ScoredRatings = Mapping[str, Mapping[tuple[str, str], Scored]]
"""Rating -> label and feature of a line -> its scores."""


def score(lines: Sequence[FitLine]) -> ScoredRatings:
    """Score a table's lines; those without fits are left out."""
    ratings = dict.fromkeys(rating for line in lines for rating in line.fits)
    return {rating: _score(lines, rating) for rating in ratings}


def _score(lines: Sequence[FitLine], rating: str) -> dict[tuple[str, str], Scored]:
    own = {(line.label, line.feature): (line, line.fits[rating]) for line in lines if rating in line.fits}
    scored = {key: _alone(*of_row) for key, of_row in own.items()}
    families: dict[tuple[str, str | None], dict[tuple[str, str], Any]] = {}
    for key, (line, fit) in own.items():
        if (line.versus, line.feature) in own:
            found = _difference(line, fit, *own[line.versus, line.feature])
            families.setdefault((line.feature, line.versus), {})[key] = found
    for family in families.values():
        for key, found in zip(family, corrected(list(family.values())), strict=True):
            if found is not None:
                scored[key] = replace(
                    scored[key], difference=found.value, difference_interval=found.interval, p=found.p
                )
    return scored


def _alone(line: FitLine, fit: Fit) -> Scored:
    values = r2_of_models(fit.moments)
    found = value_estimate(
        float(_mean(values.ravel())),
        left_out(fit.moments),
        _layout(fit.moments, values),
        line.is_random and len(values) == 1,
    )
    p = np.array([speaker_test(model) for model in fit.models])
    return Scored(
        float(fit.models[..., 0, 0].sum(1).mean()), found.value, _sd(values.ravel()), found.interval,
        bool((p < SIGNIFICANT).mean() > 0.5), float(_mean(fit.distances)), _sd(fit.distances),
        found.one_training or None,
    )  # fmt: skip


def _layout(moments: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give R2 by seed and fold model, (K, F); by seed, (K, 1), where each speaker is tested by one of several models.

    There, models differ by their speakers, whose variance is counted already.
    """
    tests = moments[0, :, :, 0, 0] > 0  # (F, S)
    return _mean(values.T)[:, None] if len(tests) > 1 and (tests.sum(0) <= 1).all() else values


def _difference(line: FitLine, fit: Fit, other_line: FitLine, other: Fit) -> Any:
    """Hold a row against another one, on the seeds and fold models of both; None without a seed in common."""
    if line.is_random and other_line.is_random:
        seeds = [seed for seed in fit.seeds if seed in other.seeds]
        if not seeds:
            return None
        fit, other = fit.of_seeds(seeds), other.of_seeds(seeds)
    speakers = sorted({*fit.speakers, *other.speakers})
    sides = [_padded(one.moments, one.speakers, speakers) for one in (fit, other)]
    values = [_layout(moments, r2_of_models(moments)) for moments in sides]
    n_models = {value.shape[1] for value in values}
    is_pair = len(n_models) == 1 or 1 in n_models
    layouts = [values[0] - values[1]] if is_pair else values
    means = [float(_mean(r2_of_models(moments).ravel())) for moments in sides]
    random = (line.is_random and len(values[0]) == 1) or (other_line.is_random and len(values[1]) == 1)
    rest = left_out(sides[0]) - left_out(sides[1])
    return value_estimate(means[0] - means[1], rest, layouts[0], random, more=layouts[1:])


def _mean(values: np.ndarray) -> np.ndarray:
    """Average over models, (M, ...) to (...,); one whose speakers were not drawn has none; NaN if none has."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(0) / known.sum(0)


def _sd(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")
