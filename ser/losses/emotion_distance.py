"""Fine-grained margin loss guided by emotion distance, the heart of EMOFSL (Yue 2023, Eq. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.losses.pairs import Reduction, check_batch, check_reduction, pair_distances, reduce_pairs

CLASSES = ("angry", "happy", "neutral", "sad")
"""Meaning of the label indices: the sorted names."""

PURE_NEGATIVE = (("angry", "sad"), ("happy", "sad"))
"""The pairs of emotions that stand farthest apart (Yue 2023, Sec. III; fixed, since no distance in the
valence-arousal plane without the paper's unprinted compression of valence gives exactly these two)."""


class EmotionDistanceLoss(nn.Module):
    """Pull pure positive pairs together; push pure negative ones further apart than medium negative ones.

    L = R_PP d_ij + kappa1 * R_PN max(alpha - d_ij, 0) + kappa2 * R_MN max(beta - d_ij, 0)   Yue 2023, Eq. 2

    PP: one emotion. PN: happy-sad and angry-sad. MN: all other pairs. R averages each pair set (`mean`, our
    reading) or sums over it (`sum`, as printed).

    Args:
        alpha, beta: margins of PN and MN pairs, alpha > beta; 1 and 0.6 in Yue 2023, Table I.
        kappa1, kappa2: weights of PN and MN pairs; 0.6 and 0.3 in Table I.
        reduction: `mean` or `sum`.

    Example:
        >>> same = torch.zeros(20, 8)
        >>> loss = EmotionDistanceLoss()(same, torch.arange(4).repeat(5))
        >>> round(loss.item(), 4)  # 0.6 * 1 + 0.3 * 0.6
        0.78
    """

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 0.6,
        kappa1: float = 0.6,
        kappa2: float = 0.3,
        reduction: Reduction = "mean",
    ):
        super().__init__()
        self.alpha, self.beta, self.kappa1, self.kappa2 = alpha, beta, kappa1, kappa2
        self.reduction = check_reduction(reduction)
        is_far = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.bool)
        for a, b in PURE_NEGATIVE:
            is_far[CLASSES.index(a), CLASSES.index(b)] = is_far[CLASSES.index(b), CLASSES.index(a)] = True
        self.register_buffer("is_far", is_far, persistent=False)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            embeddings: F(x), (B, D) float; used as they are, the margins suit unit length.
            labels: indices into angry, happy, neutral, sad, (B,) int64.

        Returns:
            Scalar of the embeddings' dtype; an empty pair set counts as zero.

        Raises:
            ValueError: if the shapes disagree.
        """
        check_batch(embeddings, labels)
        d, y_i, y_j = pair_distances(embeddings, labels)
        pp, pn = y_i == y_j, self.is_far[y_i, y_j]
        mn = ~pp & ~pn
        return (
            reduce_pairs(d, pp, self.reduction)
            + self.kappa1 * reduce_pairs((self.alpha - d).relu(), pn, self.reduction)
            + self.kappa2 * reduce_pairs((self.beta - d).relu(), mn, self.reduction)
        )
