"""Continuous metric loss: distances in latent space proportional to distances between ratings (Das 2022)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

Distance = Literal["euclidean", "signed_mean"]
Pairs = Literal["all", "consecutive"]

MIN_LABEL_SPREAD = 1e-6
"""Below this sum of squared label distances a batch has no slope, and no loss."""


class ContinuousMetricLoss(nn.Module):
    """Make latent distances z_d equal to label distances l_d, by the regression of the one on the other.

    z_d(k), l_d(k): distances of z_i, z_j and of l_i, l_j for the pair k = (i, j), k = 1..M
    p     = (l_d' l_d)^-1 l_d' z_d                                  least squares through the origin
    L_met = L_res + L_sl,   L_res = mean_k (z_d - p l_d)^2,   L_sl = |p - 1|                             Das 2022

    The paper prints L_sl = ||(z^_d(a) - z^_d(b)) / (l_d(a) - l_d(b)) - 1|| with z^_d = p l_d, in which the quotient
    is p for any a and b. p's own derivative drops out of L_res, since p minimizes it.

    `euclidean`: z_d = ||z_i - z_j|| / D and l_d = |l_i - l_j|, which fits the published tables. `signed_mean`, as in
    the authors' released code: z_d = mean_c (z_ic - z_jc) and l_d = l_i - l_j; with all pairs, p is then the slope of
    the mean latent coordinate on the label, and L_res = 2 sum_i e_i^2 / (B - 1) with that regression's residuals e.

    Args:
        distance: `euclidean` or `signed_mean`.
        pairs: `all` i < j (the released code), or `consecutive` ones of the batch, (i, i + 1) (the authors' slides).
        divide_by_dim: False multiplies either latent distance by D.

    Example:
        >>> z, labels = torch.tensor([[0.0, 0.0], [6.0, 0.0], [0.0, 8.0]]), torch.tensor([1.0, 2.0, 3.0])
        >>> # l_d = 1, 2, 1 and z_d = 3, 4, 5: p = (3 + 8 + 5) / 6, residuals 1/3, -4/3, 7/3
        >>> round(ContinuousMetricLoss()(z, labels).item(), 4)  # (1 + 16 + 49) / 27 + 8/3 - 1
        4.1111
    """

    def __init__(self, distance: Distance = "euclidean", pairs: Pairs = "all", divide_by_dim: bool = True):
        super().__init__()
        for name, value, kinds in (("distance", distance, Distance), ("pairs", pairs, Pairs)):
            if value not in get_args(kinds):
                raise ValueError(f"{name} '{value}' is not {' or '.join(map(repr, get_args(kinds)))}")
        self.distance, self.pairs, self.divide_by_dim = distance, pairs, divide_by_dim

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of a batch, or of each batch of a stack.

        Args:
            z: latent vectors, (..., B, D) float; used as they are.
            labels: ratings on their own scale, (..., B) float; utterances with NaN are in no pair.

        Returns:
            (...); zero, with a gradient, for a batch in which no two ratings differ.

        Raises:
            ValueError: if the shapes disagree.
        """
        if z.ndim < 2 or labels.shape != z.shape[:-1]:
            raise ValueError(
                f"expected z (..., B, D) and labels (..., B), got {tuple(z.shape)} and {tuple(labels.shape)}"
            )
        is_rated = ~labels.isnan()
        z_d, l_d, is_pair = self._distances(z, labels.nan_to_num().to(z.dtype), is_rated)
        weighted = l_d * is_pair
        spread, n_pairs = (weighted * l_d).sum((-2, -1)), is_pair.sum((-2, -1)).clamp(min=1)
        has_slope = spread > MIN_LABEL_SPREAD
        p = (weighted * z_d).sum((-2, -1)) / spread.where(has_slope, spread.new_ones(()))
        residual = ((z_d - p[..., None, None] * l_d).square() * is_pair).sum((-2, -1)) / n_pairs  # L_res
        return (residual + (p - 1).abs()) * has_slope

    def _distances(self, z: Tensor, labels: Tensor, is_rated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give z_d, l_d and which pairs count, (..., B, B) each, or (..., B - 1, 1) for consecutive pairs."""
        if self.pairs == "all":
            a, b = labels[..., :, None], labels[..., None, :]
            is_pair = (is_rated[..., :, None] & is_rated[..., None, :]).triu(diagonal=1)
        else:
            a, b = labels[..., :-1, None], labels[..., 1:, None]
            is_pair = (is_rated[..., :-1] & is_rated[..., 1:]).unsqueeze(-1)
        l_d = a - b
        if self.distance == "euclidean":
            z_d, l_d = self._norms(z), l_d.abs()
        else:
            total = z.sum(-1)  # over the D axes
            z_d = (
                total[..., :, None] - total[..., None, :]
                if self.pairs == "all"
                else total[..., :-1, None] - total[..., 1:, None]
            )
        return (z_d / z.shape[-1] if self.divide_by_dim else z_d), l_d, is_pair.to(z.dtype)

    def _norms(self, z: Tensor) -> Tensor:
        """Compute ||z_i - z_j||, from differences; coinciding vectors pass no gradient."""
        if self.pairs == "all":
            return torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
        return torch.linalg.vector_norm(z[..., :-1, :] - z[..., 1:, :], dim=-1, keepdim=True)
