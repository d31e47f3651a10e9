"""How far an utterance is from those that a model was trained on: the typical standardized difference from the mean.

d(v) = sqrt(mean_j min(|v_j - m_j| / s_j, 10)^2), about 1 for training utterances: Mahalanobis' distance with a
diagonal covariance, as the full one has more numbers than a corpus has utterances, over the number of dimensions. A
dimension counts as 10 deviations at most: in one that never moved in training anything would be infinitely far.
"""

from __future__ import annotations

import torch
from torch import Tensor

MIN_DEVIATION = 1e-5

MOST_DEVIATIONS = 10.0

PERCENTILE = 99
"""Of utterances that training has not seen: a larger distance is called far."""


def fit_center(vectors: Tensor) -> Tensor:
    """Compute mean m and deviation s of training vectors, (n, D) to (2, D)."""
    return torch.stack([vectors.mean(0), vectors.std(0, correction=0).clamp(min=MIN_DEVIATION)])


def distances(vectors: Tensor, center: Tensor) -> Tensor:
    """Compute d of some vectors, (n, D) to (n,).

    Example:
        >>> distances(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))  # sqrt((9 + 0) / 2)
        tensor([2.1213])
    """
    return ((vectors - center[0]) / center[1]).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS).square().mean(1).sqrt()
