"""How far an utterance is from those that a model was trained on: what is odd about it, in typical deviations.

With z_j = (v_j - m_j) / s_j, at most 10 in size, d(v)^2 is the mean over the dimensions of the square of z outside
the principal axes of the training utterances. Along these they differ most, by speaker, emotion and room; a new
speaker may well be far out there, while music is odd everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MIN_DEVIATION = 1e-5

MOST_DEVIATIONS = 10.0
"""In a dimension that never moved in training anything would be infinitely far."""

N_AXES = 20

MOST_FOR_AXES = 300
"""Training vectors that axes are computed from: some evenly spaced ones of more."""

PERCENTILE = 99
"""Of utterances that training has not seen: a larger distance is called far."""


def fit_center(vectors: np.ndarray) -> np.ndarray:
    """Describe training vectors.

    Args:
        vectors: (n, D).

    Returns:
        Mean m, deviation s, and principal axes of z, (2 + axes, D): `N_AXES`, but at most a third of n and a quarter
        of D.
    """
    mean, deviation = vectors.mean(0, dtype=np.float64), vectors.std(0, dtype=np.float64)
    center = np.stack([mean, np.maximum(deviation, MIN_DEVIATION)])
    z = _z(vectors[:: -(-len(vectors) // MOST_FOR_AXES)], center)
    n_axes = min(N_AXES, len(z) // 3, z.shape[1] // 4)
    strength, places = np.linalg.eigh(z @ z.T)  # of the largest n_axes, the axes are z' u / sqrt(strength)
    strength, places = strength[len(z) - n_axes :], places[:, len(z) - n_axes :]
    axes = (z.T @ places / np.sqrt(np.maximum(strength, MIN_DEVIATION))).T
    return np.concatenate([center, axes]).astype(np.float32)


def distances(vectors: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Compute d of some vectors, (n, D) to (n,).

    Example:
        >>> center = np.array([[0.0, 0.0], [1.0, 1.0]])
        >>> distances(np.array([[3.0, 0.0]]), center).round(4).tolist()  # sqrt((9 + 0) / 2)
        [2.1213]
    """
    z = _z(vectors, center)
    outside = np.square(z).sum(1) - np.square(z @ center[2:].T).sum(1)
    return np.sqrt(np.maximum(outside, 0) / z.shape[1])


def _z(vectors: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Standardize, (n, D) to (n, D)."""
    z = (vectors.astype(np.float64) - center[0]) / center[1]
    return z.clip(-MOST_DEVIATIONS, MOST_DEVIATIONS)


def held_out_distances(vectors: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Compute d of each vector from those of all other groups, (n, D) to (n,); of a single group from its own.

    A threshold from these is right for new speakers, as speakers differ more than the utterances of one.
    """
    names = np.array(groups)
    found = np.empty(len(vectors))
    for name in dict.fromkeys(groups):
        own = names == name
        found[own] = distances(vectors[own], fit_center(vectors if own.all() else vectors[~own]))
    return found
