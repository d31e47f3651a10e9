"""The denoising autoencoder of Das et al. 2022: 88-40-20-10-2-10-20-40-88, 9,310 parameters. Not here: its noise."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ser.randomness import drawing


class DenoisingAutoencoder(nn.Module):
    """z = f(x), x^ = g(z): fully connected layers with bias, no normalization, no dropout.

    ReLU follows every layer of f but the last, whose output is z. In g, only the middle layer has one: odd, but so
    it is both in the authors' released code and in the figure of their slides.

    Args:
        dim: size of the input.
        hidden: sizes between input and latent space; the decoder has them in reverse.
        latent: size of z, D.
        seed: of the initial weights, PyTorch's default ones; no global random state is touched.

    Example:
        >>> model = DenoisingAutoencoder(seed=1)
        >>> sum(p.numel() for p in model.encoder.parameters()), sum(p.numel() for p in model.parameters())
        (4612, 9310)
    """

    def __init__(self, dim: int = 88, hidden: Sequence[int] = (40, 20, 10), latent: int = 2, *, seed: int):
        super().__init__()
        with drawing(seed):
            sizes = [dim, *hidden, latent]
            self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
            self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(reversed(sizes)))

    def encode(self, x: Tensor) -> Tensor:
        """Map standardized features, (..., dim), to z, (..., D)."""
        *layers, last = self.encoder
        for layer in layers:
            x = layer(x).relu()
        return last(x)

    def decode(self, z: Tensor) -> Tensor:
        """Map z, (..., D), to x^, (..., dim)."""
        for number, layer in enumerate(self.decoder):
            z = layer(z)
            if number == (len(self.decoder) - 1) // 2:  # the second of four
                z = z.relu()
        return z

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map noisy features to z and x^."""
        z = self.encode(x)
        return z, self.decode(z)
