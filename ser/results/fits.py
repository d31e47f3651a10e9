"""How well a latent space predicts ratings (Das 2022, Tables 1 and 2): scores with intervals.

Everything comes from the moments that stage 5 wrote, and from what a paper printed. Not here: classification, and
what the tables look like (`ser.results.measures`, `ser.results.render`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ser.metrics.linear_fit import adjusted, r2_of
from ser.metrics.statistics import Interval, resample_speakers
from ser.randomness import rng
from ser.types import Condition

N_RESAMPLES = 1000
"""Of the bootstrap: each is a fit for every model."""

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Fit:
    """One rating's fits of one row on one corpus.

    Attributes:
        speakers: those tested, (S,).
        moments: by model and speaker, (M, S, D + 2, D + 2).
        p: of the F-tests, (M,); NaN where nothing could be fitted.
        distances: adjusted R2 of latent on rating distances, (M,).
    """

    speakers: tuple[str, ...]
    moments: np.ndarray
    p: np.ndarray
    distances: np.ndarray


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


@dataclass(frozen=True)
class Scored:
    """Scores of a fit; NaN where nothing could be fitted."""

    n: float
    r2: float
    sd: float
    interval: Interval
    is_significant: bool
    distances: float
    distances_sd: float
    difference: float | None = None
    difference_interval: Interval | None = None


def fit_of(runs: Sequence[Mapping[str, Any]], condition: Condition) -> dict[str, Fit]:
    """Join the seeds of a row: rating -> its fits on one condition."""
    key = replace(condition, task="").key
    of_seeds = [run["fits"][key] for run in runs if key in run["fits"]]
    return {
        rating: _joined([of_seed[rating] for of_seed in of_seeds]) for rating in (of_seeds[0] if of_seeds else ())
    }


def _joined(of_seeds: Sequence[Mapping[str, Any]]) -> Fit:
    """Join the models of several seeds; outliers may have left a speaker out of some."""
    speakers = tuple(sorted({speaker for fit in of_seeds for speaker in fit["speakers"]}))
    moments = [_padded(np.array(fit["moments"], dtype=float), fit["speakers"], speakers) for fit in of_seeds]
    p, distances = (
        np.concatenate([np.array(fit[key], dtype=float) for fit in of_seeds]) for key in ("p", "distances")
    )
    return Fit(speakers, np.concatenate(moments), p, distances)


def _padded(moments: np.ndarray, own: Sequence[str], speakers: Sequence[str]) -> np.ndarray:
    """Lay moments out over more speakers, in their order: (M, S, ...) to (M, S', ...), zero where there are none."""
    padded = np.zeros((len(moments), len(speakers), *moments.shape[2:]))
    padded[:, [speakers.index(name) for name in own]] = moments
    return padded


def r2_of_models(moments: np.ndarray) -> np.ndarray:
    """Adjusted R2 of each model, all speakers together: (..., S, D + 2, D + 2) to (...,)."""
    return adjusted(*r2_of(moments.sum(-3)))


def bootstrap(fit: Fit, speakers: Sequence[str], drawn: np.ndarray) -> np.ndarray:
    """Mean R2 over models in each resample of the speakers.

    Args:
        fit: of a row.
        speakers: all that a table tests, (S,); the row may have no utterance of some.
        drawn: how often each speaker is in each resample, (n, S); the same for all rows.

    Returns:
        (n,)
    """
    moments = _padded(fit.moments, fit.speakers, speakers)
    totals = drawn @ moments.reshape(*moments.shape[:2], -1)  # (M, n, size * size)
    return _mean(adjusted(*r2_of(totals.reshape(*totals.shape[:2], *moments.shape[2:]))))


ScoredRatings = Mapping[str, Mapping[tuple[str, str], Scored]]
"""Rating -> label and feature of a line -> its scores."""


def score(lines: Sequence[FitLine], seed: int) -> ScoredRatings:
    """Score a table's lines; those without fits are left out."""
    ratings = dict.fromkeys(rating for line in lines for rating in line.fits)
    speakers = sorted({speaker for line in lines for fit in line.fits.values() for speaker in fit.speakers})
    if not speakers:
        return {}
    drawn = resample_speakers(len(speakers), rng("bootstrap of fits", seed), N_RESAMPLES)
    return {rating: _score(lines, rating, speakers, drawn) for rating in ratings}


def _score(
    lines: Sequence[FitLine], rating: str, speakers: Sequence[str], drawn: np.ndarray
) -> dict[tuple[str, str], Scored]:
    scored, resampled = {}, {}
    for line in lines:
        if rating in line.fits:
            fit, key = line.fits[rating], (line.label, line.feature)
            resampled[key] = bootstrap(fit, speakers, drawn)
            values = r2_of_models(fit.moments)
            r2 = float(_mean(values))
            scored[key] = Scored(
                float(fit.moments[..., 0, 0].sum(1).mean()), r2, _sd(values), _interval(resampled[key], r2),
                bool((fit.p < SIGNIFICANT).mean() > 0.5), float(_mean(fit.distances)), _sd(fit.distances),
            )  # fmt: skip
    for line in lines:
        key, other = (line.label, line.feature), (line.versus, line.feature)
        if key in scored and other in scored:
            difference = scored[key].r2 - scored[other].r2
            low_high = _interval(resampled[key] - resampled[other], difference)
            scored[key] = replace(scored[key], difference=difference, difference_interval=low_high)
    return scored


def _mean(values: np.ndarray) -> np.ndarray:
    """Average over models, (M, ...) to (...,); one whose speakers were not drawn has none; NaN if none has."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(0) / known.sum(0)


def _sd(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _interval(resampled: np.ndarray, measured: float) -> Interval:
    """Bound what was measured by its resamples, shifted so that it is their mean."""
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(known, [2.5, 97.5]) - known.mean() + measured
    return Interval(float(low), float(high))
