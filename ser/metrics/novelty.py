"""How far an utterance is from those that a model was trained on: the typical standardized difference from the mean.

d(v) = sqrt(mean_j min(|v_j - m_j| / s_j, 10)^2), about 1 for training utterances: Mahalanobis' distance with a
diagonal covariance, as the full one has more numbers than a corpus has utterances, over the number of dimensions. A
dimension counts as 10 deviations at most: in one that never moved in training anything would be infinitely far.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MIN_DEVIATION = 1e-5

MOST_DEVIATIONS = 10.0

PERCENTILE = 99
"""Of utterances that training has not seen: a larger distance is called far."""


def fit_center(vectors: np.ndarray) -> np.ndarray:
    """Compute mean m and deviation s of training vectors, (n, D) to (2, D)."""
    mean, deviation = vectors.mean(0, dtype=np.float64), vectors.std(0, dtype=np.float64)
    return np.stack([mean, np.maximum(deviation, MIN_DEVIATION)]).astype(np.float32)


def distances(vectors: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Compute d of some vectors, (n, D) to (n,).

    Example:
        >>> center = np.array([[0.0, 0.0], [1.0, 1.0]])
        >>> distances(np.array([[3.0, 0.0]]), center).round(4).tolist()  # sqrt((9 + 0) / 2)
        [2.1213]
    """
    deviations = ((vectors - center[0]) / center[1]).clip(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    return np.sqrt(np.square(deviations).mean(1))


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
