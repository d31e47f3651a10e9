"""Probabilities that mean what they say: one temperature, fitted on utterances whose labels train no weight.

Rows that choose an epoch choose it by the same ones, which makes them look a little too good.

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
    """Give what a temperature divides, (n, C) float64: minus infinity for a posterior of 0."""
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
