"""Siamese contrastive loss of the basic few-shot learner FSTL (Yue 2023, Eq. 1)."""

from __future__ import annotations

from torch import Tensor, nn

from ser.losses.pairs import Reduction, check_batch, check_reduction, pair_distances, reduce_pairs


class SiameseContrastiveLoss(nn.Module):
    """Pull pairs of one emotion together and push all others apart, without a margin.

    L = R_{y_i = y_j} d_ij - kappa * R_{y_i != y_j} d_ij                              Yue 2023, Eq. 1

    R averages each pair set (`mean`, our reading) or sums over it (`sum`, as printed). Without a margin it is
    bounded below only for embeddings of bounded length, which is why the model normalizes them.

    Args:
        kappa: weight of the negative pairs; 1 in Yue 2023, Table I.
        reduction: `mean` or `sum`.

    Example:
        >>> import torch
        >>> z = torch.tensor([[0.0], [1.0], [4.0]])
        >>> round(SiameseContrastiveLoss()(z, torch.tensor([0, 0, 1])).item(), 4)  # 1 - (4 + 3) / 2
        -2.5
    """

    def __init__(self, kappa: float = 1.0, reduction: Reduction = "mean"):
        super().__init__()
        self.kappa = kappa
        self.reduction = check_reduction(reduction)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            embeddings: F(x), (B, D) float; used as they are.
            labels: class indices, (B,) int64.

        Returns:
            Scalar of the embeddings' dtype; an empty pair set counts as zero.

        Raises:
            ValueError: if the shapes disagree.
        """
        check_batch(embeddings, labels)
        d, y_i, y_j = pair_distances(embeddings, labels)
        same = y_i == y_j
        positive, negative = reduce_pairs(d, same, self.reduction), reduce_pairs(d, ~same, self.reduction)
        return positive - self.kappa * negative
