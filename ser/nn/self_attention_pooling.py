"""Pooling over time with one learned vector (Xiang, Eq. 1; Safari et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.randomness import drawing


class SelfAttentionPooling(nn.Module):
    """Average frames with weights that a single vector gives them.

    C = softmax(W_c H^T) H                                                                         Xiang, Eq. 1

    One head, no bias, no temperature. With W_c = 0 it is the mean over the valid frames.

    Args:
        dim: size of a frame, D.
        seed: of the initial weights, torch's default for a linear layer; no global random state is touched.

    Example:
        >>> pool = SelfAttentionPooling(1)
        >>> _ = nn.init.zeros_(pool.weight.weight)
        >>> pool(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2])).tolist()  # the third frame is padding
        [[2.0]]
    """

    def __init__(self, dim: int, seed: int = 0):
        super().__init__()
        with drawing(seed):
            self.weight = nn.Linear(dim, 1, bias=False)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Pool frames (B, T, D), of which the first `lengths` (B,) are valid, to (B, D).

        Raises:
            ValueError: if an utterance has no frame, or more than T.
        """
        if len(lengths) and (lengths.min() < 1 or lengths.max() > frames.shape[1]):
            raise ValueError(
                f"lengths have to lie in 1 to {frames.shape[1]}, got {int(lengths.min())} to {int(lengths.max())}"
            )
        is_pad = torch.arange(frames.shape[1], device=frames.device) >= lengths.unsqueeze(1)  # (B, T)
        frames = frames.masked_fill(is_pad.unsqueeze(-1), 0)  # any values, even not finite ones
        scores = self.weight(frames).squeeze(-1).masked_fill(is_pad, -torch.inf)  # (B, T)
        return torch.einsum("bt,btd->bd", scores.softmax(1), frames)
