"""Center loss with moving class centers (Wen et al. 2016, as Gao 2022 uses it, Eqs. 4 and 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.losses.pairs import check_batch


class CenterLoss(nn.Module):
    """Pull every embedding towards its class center; the centers follow by their own rule, without gradient.

    L = 1/B sum_i ||z_i - c_{y_i}||^2                                                   Gao 2022, Eq. 4
    c_j <- c_j - center_lr * sum_{i: y_i = j} (c_j - z_i) / (1 + n_j)                   Gao 2022, Eq. 5

    Eq. 4 prints a sum over the N classes, which its 1/M over the batch contradicts: it runs over the batch here.
    There is no factor 1/2. Eq. 5 prints the increment as if it were the new center; it is Wen's increment.

    Args:
        n_classes: C.
        dim: size of the embeddings, D.
        center_lr: step of the centers; not given in Gao 2022, 0.5 is Wen's.

    Attributes:
        centers: (C, D) float32, zero at first; a buffer, so it is saved with the weights and gets no gradient.

    Example:
        >>> loss = CenterLoss(n_classes=2, dim=2)
        >>> z, y = torch.tensor([[2.0, 0.0], [4.0, 0.0]]), torch.tensor([0, 0])
        >>> loss(z, y).item()  # (4 + 16) / 2
        10.0
        >>> loss.update(z, y)
        >>> loss.centers.tolist()  # 0.5 * (2 + 4) / (1 + 2)
        [[1.0, 0.0], [0.0, 0.0]]
    """

    def __init__(self, n_classes: int, dim: int, center_lr: float = 0.5):
        super().__init__()
        self.center_lr = center_lr
        self.register_buffer("centers", torch.zeros(n_classes, dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            embeddings: z, (B, D) float; used as they are.
            labels: class indices in [0, C), (B,) int64.

        Returns:
            Scalar; zero, with a gradient, for an empty batch.

        Raises:
            ValueError: if the shapes disagree or a label is outside [0, C).
        """
        self._check(embeddings, labels)
        return (embeddings - self.centers[labels]).square().sum() / max(len(labels), 1)

    @torch.no_grad()
    def update(self, embeddings: Tensor, labels: Tensor) -> None:
        """Move the centers of the classes that the batch holds; call it after the optimizer's step.

        The 1 in 1 + n_j keeps a class with few samples from jumping: one sample moves its center by center_lr / 2
        of the way.

        Args:
            embeddings, labels: the batch that the loss was computed on.

        Raises:
            ValueError: as for the loss.
        """
        self._check(embeddings, labels)
        differences = self.centers[labels] - embeddings  # (B, D)
        is_own = nn.functional.one_hot(labels, len(self.centers)).to(differences.dtype)  # (B, C)
        # A matrix product and not index_add_, which sums in another order every time on a GPU.
        delta = is_own.T @ differences / (1 + is_own.sum(0)).unsqueeze(1)  # (C, D); zero for an absent class
        self.centers -= self.center_lr * delta

    def _check(self, embeddings: Tensor, labels: Tensor) -> None:
        check_batch(embeddings, labels)
        n_classes, dim = self.centers.shape
        if embeddings.shape[1] != dim:
            raise ValueError(f"expected embeddings (B, {dim}), as the centers are, got {tuple(embeddings.shape)}")
        if len(labels) and (labels.min() < 0 or labels.max() >= n_classes):
            raise ValueError(f"labels have to lie in 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}")
