"""Calibration of probabilities: how good it is, and one temperature that improves it.

The temperature is fitted on utterances whose labels train no weight. Rows that choose an epoch choose it by the same
utterances, which makes them look a little too good.

p = softmax(s / T), with s the logarithm of posteriors, or scores of another kind as they are (Guo, Pleiss, Sun,
Weinberger 2017, Sec. 4.2). T > 0 never changes which class is the likeliest.
"""

from __future__ import annotations

import math

import numpy as np

LOG_TEMPERATURES = (-7.0, 7.0)
"""Between which ln T is looked for."""

FLOOR = 1e-30
"""Posteriors below it count as it, where a class that has it is the true one."""


def logits_of(scores: np.ndarray, are_posteriors: bool) -> np.ndarray:
    """Give the scores that a temperature divides, (n, C) float64: minus infinity for a posterior of 0."""
    scores = np.asarray(scores, np.float64)
    if not are_posteriors:
        return scores
    with np.errstate(divide="ignore"):
        return np.log(scores)


def probabilities(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Give softmax(logits / T), (n, C).

    Example:
        >>> probabilities(np.log([[0.8, 0.2]]), 2.0).round(3).tolist()  # 2 to 1 are the roots of 4 to 1
        [[0.667, 0.333]]
    """
    scaled = np.asarray(logits, np.float64) / temperature
    weights = np.exp(scaled - scaled.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def mean_nll(logits: np.ndarray, y: np.ndarray, temperature: float) -> float:
    """Average -ln p of the true classes y (n,)."""
    p = probabilities(logits, temperature)[np.arange(len(y)), y]
    return float(-np.log(np.maximum(p, FLOOR)).mean())


def fit_temperature(logits: np.ndarray, y: np.ndarray) -> float:
    """Find the temperature with the smallest mean -ln p of the true classes.

    Args:
        logits: of `logits_of`, (n, C), n >= 1.
        y: true classes, (n,) int.

    Returns:
        T, within e^-7 and e^7: its bounds are met where all or none are right.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: mean_nll(logits, y, math.exp(log_t)), bounds=LOG_TEMPERATURES, method="bounded"
    )
    return math.exp(found.x)


N_BINS = 15
"""Of the expected calibration error."""


def calibration_error(p: np.ndarray, y: np.ndarray, n_bins: int = N_BINS) -> float:
    """Expected calibration error of the likeliest class, in bins of equally many utterances (Nixon et al. 2019).

    sum over bins b of n_b / n |share right in b - mean confidence in b|

    Args:
        p: probabilities, (n, C).
        y: true classes, (n,) int.
        n_bins: at most n are used.

    Returns:
        In [0, 1].

    Example:
        >>> calibration_error(np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]), np.array([0, 1, 0, 0]), 2)
        0.4
    """
    confidence = p.max(1)
    order = np.argsort(confidence, kind="stable")
    gaps = (p.argmax(1) == y)[order] - confidence[order]
    return float(sum(abs(part.sum()) for part in np.array_split(gaps, min(n_bins, len(y)))) / len(y))


def brier(p: np.ndarray, y: np.ndarray) -> float:
    """Brier score: mean over utterances of the squared distance from p to the true class, in [0, 2] (Brier 1950).

    Example:
        >>> round(brier(np.array([[0.8, 0.2]]), np.array([1])), 3)  # 0.8^2 + 0.8^2
        1.28
    """
    return float(np.square(p - np.eye(p.shape[1])[y]).sum(1).mean())


def risk_coverage(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of errors among the most confident utterances, for each share that is answered (El-Yaniv & Wiener 2010).

    Args:
        p, y: as for `calibration_error`.

    Returns:
        Coverage, (m,) ascending to 1, and the error rate of the covered utterances, (m,). Utterances of equal
        confidence are answered together, since no threshold separates them.

    Example:
        >>> risk_coverage(np.array([[0.9, 0.1], [0.3, 0.7], [0.4, 0.6]]), np.array([0, 0, 1]))
        (array([0.33333333, 0.66666667, 1.        ]), array([0.        , 0.5       , 0.33333333]))
    """
    confidence = p.max(1)
    order = np.argsort(-confidence, kind="stable")
    n_wrong = np.cumsum((p.argmax(1) != y)[order])
    last = np.flatnonzero(np.append(np.diff(confidence[order]) != 0, True))
    return (last + 1) / len(y), n_wrong[last] / (last + 1)
