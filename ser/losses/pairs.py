"""Distances between all pairs of a batch, the common ground of the metric losses. Pairs are unordered, i < j."""

from __future__ import annotations

from typing import Any, Literal

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
    wide = embeddings.float() if embeddings.itemsize < 4 else embeddings  # pdist knows no halves
    norms = _PairNorms.apply(wide.unsqueeze(0)).squeeze(0)
    return (norms.square() + EPSILON).sqrt().to(embeddings.dtype), labels[i], labels[j]


class _PairNorms(torch.autograd.Function):
    """||e_i - e_j|| of all pairs i < j, (E, B, D) to (E, P): torch.pdist of each batch of a stack.

    The (P, D) differences never lie in memory, whose traffic would be most of a small model's training. Coinciding
    embeddings pass no gradient.
    """

    @staticmethod
    def forward(stack: Tensor) -> Tensor:
        return torch.stack([torch.pdist(batch) for batch in stack.unbind()])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Compute sum_j w_ij (e_i - e_j), w = grad / norm, as the product of the weights' Laplacian and e.

        In float64, which keeps the digits that near embeddings share.
        """
        stack, norms = ctx.saved_tensors
        i, j = torch.triu_indices(stack.shape[1], stack.shape[1], offset=1, device=stack.device)
        weights = grad.new_zeros(len(stack), stack.shape[1], stack.shape[1], dtype=torch.float64)
        weights[:, i, j] = weights[:, j, i] = torch.where(norms > 0, grad / norms, 0).double()
        laplacian = torch.diag_embed(weights.sum(-1)) - weights
        return (laplacian @ stack.double()).to(stack.dtype)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], stack: Tensor) -> tuple[Tensor, int]:
        """Take the stacks of a vmap as one longer stack."""
        stack = stack.movedim(in_dims[0], 0)
        return _PairNorms.apply(stack.flatten(0, 1)).unflatten(0, stack.shape[:2]), 0


def reduce_pairs(values: Tensor, mask: Tensor, reduction: Reduction) -> Tensor:
    """Sum or average the values of one pair set; zero, with a gradient, for an empty set."""
    total = (values * mask).sum()
    return total if reduction == "sum" else total / mask.sum().clamp(min=1)


def check_reduction(reduction: str) -> Reduction:
    """Raise ValueError unless the reduction is `mean` or `sum`."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction '{reduction}' is not 'mean' or 'sum'")
    return reduction
