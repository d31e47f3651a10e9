"""How far a score can be trusted: intervals and paired tests whose unit is the speaker.

Utterances of one speaker are alike, so resampling utterances gives intervals that are far too narrow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ser.metrics.classification import scores_of_confusion

N_RESAMPLES = 10_000

TIE = 1e-12
"""Two sums of the same shares in another order may differ by rounding."""


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


def resample_speakers(n_speakers: int, rng: np.random.Generator, n: int = N_RESAMPLES) -> np.ndarray:
    """Draw speakers with replacement; one draw serves all systems that were scored on these speakers.

    Returns:
        How often each speaker is in each resample, (n, S).
    """
    return rng.multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), size=n).astype(float)


def speaker_bootstrap(counts: np.ndarray, resamples: np.ndarray) -> Interval:
    """Bound a mean UAR by resampling speakers with replacement (percentile bootstrap).

    Args:
        counts: confusion counts per repetition (draw, seed) and speaker, (R, S, C, C), rows true.
        resamples: of `resample_speakers`, (n, S).

    Returns:
        The 2.5 % and 97.5 % points of the mean UAR over repetitions; resamples in which a class has no
        utterance left are drawn again by being left out.
    """
    return _percentiles(_mean_hits(counts), counts[0].sum(-1), resamples)


def difference_bootstrap(a: np.ndarray, b: np.ndarray, resamples: np.ndarray) -> Interval:
    """Bound the difference of two systems' mean UARs, both scored on the same resampled speakers.

    Args:
        a, b: confusion counts of two systems on the same utterances, (R, S, C, C) and (R', S, C, C).
        resamples: of `resample_speakers`, (n, S).
    """
    return _percentiles(_mean_hits(a) - _mean_hits(b), a[0].sum(-1), resamples)


def _mean_hits(counts: np.ndarray) -> np.ndarray:
    """Average the recognized utterances over repetitions, (S, C): UAR is linear in them."""
    return np.diagonal(counts, axis1=-2, axis2=-1).mean(0)


def _percentiles(hits: np.ndarray, n_true: np.ndarray, resamples: np.ndarray) -> Interval:
    """Bound a UAR of (S, C) hits among (S, C) utterances."""
    occurs = n_true.any(0)  # (C,)
    totals = resamples @ n_true[:, occurs]
    complete = (totals > 0).all(-1)
    uars = (resamples @ hits[:, occurs])[complete] / totals[complete]
    low, high = np.percentile(uars.mean(-1), [2.5, 97.5])
    return Interval(float(low), float(high))


def paired_speaker_test(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    """Test whether two systems differ in mean UAR, by swapping their results speaker by speaker.

    Exact (all 2^S swaps) up to 13 speakers, 10,000 random swaps above. scipy's `permutation_test` gives the same
    and takes ten times as long.

    Args:
        a, b: confusion counts of two systems on the same utterances, (R, S, C, C) and (R', S, C, C).
        rng: source of randomness.

    Returns:
        Two-sided p. With S speakers it cannot be smaller than 2 / 2^S.
    """
    differences = _uar_shares(a) - _uar_shares(b)  # a swap turns a speaker's sign
    n_speakers = len(differences)
    if exact := 2**n_speakers <= N_RESAMPLES:
        swaps = np.arange(2**n_speakers)[:, None] >> np.arange(n_speakers) & 1
    else:
        swaps = rng.integers(2, size=(N_RESAMPLES, n_speakers))
    found = (1.0 - 2 * swaps) @ differences
    n_as_extreme = min(np.sum(found >= differences.sum() - TIE), np.sum(found <= differences.sum() + TIE))
    share = n_as_extreme / len(found) if exact else (n_as_extreme + 1) / (len(found) + 1)  # + 1: the true pairing
    return min(1.0, 2 * float(share))


def _uar_shares(counts: np.ndarray) -> np.ndarray:
    """Split the mean UAR into one summand per speaker, (S,)."""
    n_true = counts[0].sum((0, 2))  # (C,)
    occurs = n_true > 0
    hits = np.diagonal(counts, axis1=-2, axis2=-1).mean(0)  # (S, C)
    return (hits[:, occurs] / n_true[occurs]).mean(-1)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p-values for the number of comparisons (Holm 1979).

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(np.asarray(p_values)[order] * np.arange(len(order), 0, -1))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(steps, 1)
    return corrected


def mean_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Score every repetition on all its speakers together, then average.

    Args:
        counts: (R, S, C, C), rows true.

    Returns:
        Means over R of `uar`, `wa`, `macro_f1` and `recall` (C,), and `uar_sd`, their sample standard
        deviation over R (NaN for one repetition).
    """
    scores = scores_of_confusion(counts.sum(1))
    sd = scores["uar"].std(ddof=1) if len(counts) > 1 else np.nan
    return {name: values.mean(0) for name, values in scores.items()} | {"uar_sd": np.asarray(sd)}
