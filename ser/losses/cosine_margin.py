"""Cosine loss with a margin for negatives only (Xiang, Eq. 4)."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from ser.losses.positive_pair_infonce import check_sides, unit

Pairs = Literal["elementwise", "all"]


class CosineMarginLoss(nn.Module):
    """Turn positives to each other, and negatives away until their cosine is below a margin.

    L_m = alpha * (1 - s(x_p1, x_p2)) + max(0, s(x_p, x_n) - m)                                    Xiang, Eq. 4

    "Positives are split equally into two parts": the first half is paired with the second, so where a batch holds the
    two corpora one after the other, each pair crosses corpora. Both terms are means over their pairs (our reading).

    Args:
        alpha: weight of the first term; 0.5 in Xiang.
        margin: m; 0.4 in Xiang.
        pairs: of the second term: `elementwise` takes the i-th positive with the i-th negative, `all` all.

    Example:
        >>> import torch
        >>> x = torch.eye(4)
        >>> CosineMarginLoss()(x[:2], x[2:]).item()  # everything orthogonal
        0.5
    """

    def __init__(self, alpha: float = 0.5, margin: float = 0.4, pairs: Pairs = "elementwise"):
        super().__init__()
        if pairs not in get_args(Pairs):
            raise ValueError(f"pairs '{pairs}' is none of {', '.join(get_args(Pairs))}")
        self.alpha, self.margin, self.pairs = alpha, margin, pairs

    def forward(self, positives: Tensor, negatives: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            positives: pooled utterances of one emotion, (P, D) float, P even.
            negatives: of any other emotions, (P, D); with `all` pairs any number.

        Returns:
            Scalar.

        Raises:
            ValueError: if the shapes disagree or the positives have no two halves.
        """
        attraction, repulsion = self.terms(positives, negatives)
        return self.alpha * attraction + repulsion

    def terms(self, positives: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the two terms of Eq. 4 without alpha, as scalars."""
        check_sides(positives, negatives)
        if len(positives) % 2:
            raise ValueError(f"positives are split into two halves, got {len(positives)}")
        if self.pairs == "elementwise" and len(positives) != len(negatives):
            raise ValueError(f"elementwise pairs need as many negatives as positives, got {len(negatives)} and "
                             f"{len(positives)}")  # fmt: skip
        x, z = unit(positives), unit(negatives)
        first, second = x.chunk(2)
        between = (x * z).sum(1) if self.pairs == "elementwise" else x @ z.T
        return 1 - (first * second).sum(1).mean(), (between - self.margin).clamp(min=0).mean()
