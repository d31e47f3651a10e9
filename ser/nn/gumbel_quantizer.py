"""Codebooks with hard choices that have a gradient (Jang et al. 2017, as wav2vec 2.0 uses them)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GumbelQuantizer(nn.Module):
    """Choose an entry of each of G codebooks for a frame, and join them (Baevski et al. 2020, Sec. 2, Eq. 1).

    While training, Gumbel noise is added to the logits, and the gradient is that of the soft choice at temperature
    tau; else the likeliest entry is chosen.

    Args:
        logits: frames (N, D) to (N, G V).
        codebooks: their entries, (G, V, d).
        temperature: tau.
    """

    def __init__(self, logits: nn.Module, codebooks: Tensor, temperature: float):
        super().__init__()
        self.logits, self.temperature = logits, temperature
        self.codebooks = nn.Parameter(codebooks.detach().clone())

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize frames (N, D).

        Returns:
            Joined entries (N, G d), and the probabilities of all entries without noise, (N, G, V).
        """
        n_groups, n_entries, _ = self.codebooks.shape
        logits = self.logits(frames).view(-1, n_groups, n_entries)
        if self.training:
            chosen = F.gumbel_softmax(logits, tau=self.temperature, hard=True)
        else:
            chosen = F.one_hot(logits.argmax(-1), n_entries).to(logits.dtype)
        return torch.einsum("ngv,gvd->ngd", chosen, self.codebooks).flatten(1), logits.softmax(-1)
