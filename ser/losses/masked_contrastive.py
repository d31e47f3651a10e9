"""wav2vec 2.0's own objective: tell what a masked frame hides from other frames, with codebooks that are all used
(Baevski et al. 2020, Eqs. 2 to 4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedContrastiveLoss(nn.Module):
    """Find the code of a masked frame among codes of other masked frames.

    L_m = -log(exp(sim(c_t, q_t) / kappa) / sum over q in Q_t of exp(sim(c_t, q) / kappa))    Baevski 2020, Eq. 3

    sim is the cosine. Q_t holds q_t and K distractors; one that has the very code of q_t is no distractor and does
    not count, as in the authors' code.

    Args:
        temperature: kappa; 0.1 in Baevski 2020.

    Example:
        >>> context, codes = torch.eye(2), torch.eye(2)
        >>> loss = MaskedContrastiveLoss(temperature=1.0)(context, codes, torch.tensor([[1], [0]]))
        >>> [round(value, 3) for value in loss.tolist()]  # -log(e / (e + 1))
        [0.313, 0.313]
    """

    def __init__(self, temperature: float = 0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, context: Tensor, codes: Tensor, distractors: Tensor) -> Tensor:
        """Compute the loss of each masked frame, in float32 at least.

        Args:
            context: c_t, (N, D).
            codes: q_t, (N, D).
            distractors: rows of `codes`, (N, K) int64.

        Returns:
            L_m, (N,).
        """
        if codes.dtype in (torch.float16, torch.bfloat16):
            context, codes = context.float(), codes.float()
        others = codes[distractors]  # (N, K, D)
        candidates = torch.cat([codes.unsqueeze(1), others], dim=1)  # Q_t, the true one first
        similar = F.cosine_similarity(context.unsqueeze(1), candidates, dim=-1) / self.temperature
        is_same = (others == codes.unsqueeze(1)).all(-1)
        similar = torch.cat([similar[:, :1], similar[:, 1:].masked_fill(is_same, -torch.inf)], dim=1)
        return -similar.log_softmax(1)[:, 0]


def codebook_diversity(probabilities: Tensor) -> Tensor:
    """Compute how far codebooks are from being used evenly; least, -log(V) / V, when all entries are.

    L_d = 1 / (G V) * sum over g of -H(p_g) = 1 / (G V) * sum over g, v of p_gv log p_gv        Baevski 2020, Eq. 4

    Args:
        probabilities: p, softmax over the V entries of each of G codebooks, averaged over a batch, (G, V).

    Example:
        >>> round(codebook_diversity(torch.full((2, 4), 0.25)).item(), 4)
        -0.3466
    """
    return torch.special.entr(probabilities).sum().neg() / probabilities.numel()
