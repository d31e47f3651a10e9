"""The network above a pooled embedding: F(x) for distances, and a classifier on it (Yue 2023, Fig. 2)."""

from __future__ import annotations

from torch import Tensor, nn

from ser.randomness import drawing


class EmbeddingClassifier(nn.Module):
    """F(x) = relu(FC(x)), and class scores W F(x).

    Args:
        dim: size of the input embedding, D.
        hidden: size of F(x), H.
        n_classes: C.
        seed: of the initial weights; no global random state is touched.
    """

    def __init__(self, dim: int, hidden: int, n_classes: int, seed: int):
        super().__init__()
        with drawing(seed):
            self.embed = nn.Linear(dim, hidden)
            self.classify = nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, D) to F(x) (B, H) and class scores (B, C)."""
        z = self.embed(x).relu()
        return z, self.classify(z)
