"""Distances between all pairs of a batch, the common ground of the metric losses. Pairs are unordered, i < j."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "sum"]

EPSILON = 1e-12
"""Under the square root, so that the gradient of d(x, x) is zero and not NaN (Yue 2023 leaves it open)."""


def check_batch(embeddings: Tensor, labels: Tensor) -> None:
    """Raise ValueError unless embeddings are (B, D) and labels (B,)."""
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"expected embeddings (B, D) and labels (B,), got {tuple(embeddings.shape)} and {tuple(labels.shape)}"
        )


def pair_distances(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute d_ij = sqrt(||e_i - e_j||^2 + 1e-12) of all pairs i < j.

    From differences, not from products: |a|^2 + |b|^2 - 2ab loses all digits for near embeddings, which are the
    positive pairs.

    Returns:
        Distances and the labels of both ends, (P,) each, P = B (B - 1) / 2.
    """
    i, j = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
    ends = torch.eye(len(labels), dtype=embeddings.dtype, device=labels.device)
    differences = (ends[i] - ends[j]) @ embeddings  # (P, D): e_i - e_j to the digit, and faster than gathering rows
    return (differences.square().sum(-1) + EPSILON).sqrt(), labels[i], labels[j]


def reduce_pairs(values: Tensor, mask: Tensor, reduction: Reduction) -> Tensor:
    """Sum or average the values of one pair set; zero, with a gradient, for an empty set."""
    total = (values * mask).sum()
    return total if reduction == "sum" else total / mask.sum().clamp(min=1)


def check_reduction(reduction: str) -> Reduction:
    """Raise ValueError unless the reduction is `mean` or `sum`."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction '{reduction}' is not 'mean' or 'sum'")
    return reduction
