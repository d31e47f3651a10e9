"""Stage 6: tables of how well a latent space tells ratings (Das 2022, Tables 1 and 2), as Markdown and plain text.

Everything comes from the moments that stage 5 wrote, and from what a paper printed. Not here: classification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ser.metrics.linear_fit import adjusted, r2_of
from ser.metrics.statistics import Interval, resample_speakers
from ser.published import Condition, Published
from ser.randomness import rng

N_RESAMPLES = 1000
"""Of the bootstrap: each is a fit for every model."""

SIGNIFICANT = 0.05

DEFINITIONS = """
R2: adjusted R2 of the ordinary least squares fit of a rating on the latent space, l ~ 1 + z1 + z2, over the rated
utterances that a model was tested on, without outliers; mean over fold models and seeds, with sd. 95 %: percentile
bootstrap of that mean, resampling test speakers (1,000 times). Difference: R2 minus that of the row named, with its
interval from the same resamples. *: for at least half of the models an F-test finds no dependence at the 5 % level.
Distances: adjusted R2 of z_d on l_d, the Euclidean distances of latent vectors on the distances of ratings over all
pairs of utterances, mean and sd over models.
""".strip()


@dataclass(frozen=True)
class Fit:
    """One rating's fits of one row on one corpus.

    Attributes:
        moments: by model and speaker, (M, S, D + 2, D + 2).
        p: of the F-tests, (M,); NaN where nothing could be fitted.
        distances: adjusted R2 of latent on rating distances, (M,).
    """

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
    """What is printed of a fit."""

    r2: float
    sd: float
    interval: Interval
    is_significant: bool
    distances: float
    distances_sd: float
    difference: float | None = None
    difference_interval: Interval | None = None


def fit_of(runs: Sequence[Mapping[str, Any]], corpus: str) -> dict[str, Fit]:
    """Join the seeds of a row: rating -> its fits on one corpus."""
    of_seeds = [run["fits"][corpus] for run in runs if corpus in run["fits"]]
    return {
        rating: Fit(*(np.concatenate([np.array(f[rating][key], dtype=float) for f in of_seeds])
                      for key in ("moments", "p", "distances")))
        for rating in (of_seeds[0] if of_seeds else ())
    }  # fmt: skip


def r2_of_models(moments: np.ndarray) -> np.ndarray:
    """Adjusted R2 of each model, all speakers together: (..., S, D + 2, D + 2) to (...,)."""
    return adjusted(*r2_of(moments.sum(-3)))


def bootstrap(fit: Fit, seed: int) -> np.ndarray:
    """Mean R2 over models in each resample of the speakers, the same for all rows on a corpus, (n,)."""
    n_speakers, size = fit.moments.shape[1], fit.moments.shape[-1]
    drawn = resample_speakers(n_speakers, rng("bootstrap of fits", seed), N_RESAMPLES)
    totals = drawn @ fit.moments.reshape(len(fit.moments), n_speakers, -1)  # (M, n, size * size)
    return _mean(adjusted(*r2_of(totals.reshape(*totals.shape[:2], size, size))))


ScoredRatings = Mapping[str, Mapping[tuple[str, str], Scored]]
"""Rating -> label and feature of a line -> its scores."""


def score(lines: Sequence[FitLine], seed: int) -> ScoredRatings:
    """Score a table's lines; those without fits are left out."""
    ratings = dict.fromkeys(rating for line in lines for rating in line.fits)
    return {rating: _score(lines, rating, seed) for rating in ratings}


def _score(lines: Sequence[FitLine], rating: str, seed: int) -> dict[tuple[str, str], Scored]:
    scored, resampled = {}, {}
    for line in lines:
        if rating in line.fits:
            fit, key = line.fits[rating], (line.label, line.feature)
            resampled[key] = bootstrap(fit, seed)
            values = r2_of_models(fit.moments)
            scored[key] = Scored(
                float(np.nanmean(values)), _sd(values), _interval(resampled[key]),
                bool((fit.p < SIGNIFICANT).mean() > 0.5), float(np.nanmean(fit.distances)), _sd(fit.distances),
            )  # fmt: skip
    for line in lines:
        key, other = (line.label, line.feature), (line.versus, line.feature)
        if key in scored and other in scored:
            low_high = _interval(resampled[key] - resampled[other])
            difference = scored[key].r2 - scored[other].r2
            scored[key] = Scored(**vars(scored[key]) | {"difference": difference, "difference_interval": low_high})
    return scored


def _mean(values: np.ndarray) -> np.ndarray:
    """Average over models, (M, n) to (n,); a fold whose speakers were not drawn has no R2, and NaN if none has."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(0) / known.sum(0)


def _sd(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _interval(values: np.ndarray) -> Interval:
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))


# ---- Rendering ------------------------------------------------------------------------------------------------


def table(
    lines: Sequence[FitLine], scored: ScoredRatings, condition: Condition, published: Published | None
) -> list[list[str]]:
    """Print a table's cells, names first; columns that no row fills are left out. Empty without any number."""
    ratings = list(scored)
    if not ratings and published:
        ratings = list(dict.fromkeys(r for f in published.r2.values() for r in f.get(condition, ())))
    columns: list[list[str]] = [
        ["row", *(" ".join([line.label, *(f"[{stamp}]" for stamp in line.stamps)]) for line in lines)],
        ["feature", *(line.feature for line in lines)],
        ["target data", *(", ".join(line.target_data) or ("none" if line.fits else "") for line in lines)],
    ]
    for rating in ratings:
        columns += _rating_columns(lines, rating, condition, published, scored.get(rating, {}))
    filled = [column for column in columns if any(column[1:])]
    rows = [row for i, row in enumerate(zip(*filled, strict=True)) if i == 0 or any(row[3:])] if ratings else []
    return [list(row) for row in rows] if len(rows) > 1 else []


def _rating_columns(
    lines: Sequence[FitLine],
    rating: str,
    condition: Condition,
    published: Published | None,
    scored: Mapping[tuple[str, str], Scored],
) -> list[list[str]]:
    names = ("R2", "95 %", "sd", "published", "difference", "distances", "published distances")
    rows = []
    for line in lines:
        found = scored.get((line.label, line.feature))
        texts = ["not run", "", "", "", "", "", ""] if found is None else [
            _number(found.r2) + ("" if found.is_significant else "*"), _bounds(found.interval), _number(found.sd), "",
            "" if found.difference is None
            else f"{found.difference:+.2f} {_bounds(found.difference_interval, '+')} ({line.versus})",
            _with_sd(found.distances, found.distances_sd), "",
        ]  # fmt: skip
        if published:
            texts[3] = published.r2_of(line.published, condition, rating)
            texts[6] = published.distances_of(line.published, condition, rating)
        rows.append([""] * len(names) if found is None and not (texts[3] or texts[6]) else texts)
    return [[f"{rating}: {name}", *column] for name, column in zip(names, zip(*rows, strict=True), strict=True)]


def overview(scored_of: Mapping[Condition, ScoredRatings]) -> list[list[str]]:
    """Lay the R2 of several corpora side by side, names first; rows without fits are left out."""
    keys = dict.fromkeys(key for ratings in scored_of.values() for scored in ratings.values() for key in scored)
    columns: list[list[str]] = [["row", *(label for label, _ in keys)], ["feature", *(name for _, name in keys)]]
    for condition, ratings in scored_of.items():
        corpus = str(condition).rpartition(": ")[2]
        for rating, scored in ratings.items():
            texts = [
                f"{_number(s.r2)}{'' if s.is_significant else '*'} {_bounds(s.interval)}"
                if (s := scored.get(key))
                else ""
                for key in keys
            ]
            columns.append([f"{corpus}: {rating}", *texts])
    return [list(row) for row in zip(*columns, strict=True)] if len(columns) > 2 else []


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


def _with_sd(value: float, sd: float) -> str:
    return " ± ".join(filter(None, (_number(value), _number(sd))))


def _bounds(interval: Interval, sign: str = "") -> str:
    return f"[{interval.low:{sign}.2f}, {interval.high:{sign}.2f}]"
