"""InfoNCE over pairs of positives, each against the negatives of the batch (Xiang, Eqs. 2 and 3)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Form = Literal["paper", "supcon_out", "literal"]


class PositivePairInfoNCELoss(nn.Module):
    """Pull every pair of positives together, against all negatives.

    l_ij = exp(s(x_i, x_j) / tau) / (exp(s(x_i, x_j) / tau) + sum_k exp(s(x_i, z_k) / tau))       Xiang, Eq. 2
    L_c = 4 / (N (N - 2)) * sum_{i < j} (-log l_ij - log l_ji)                                    Xiang, Eq. 3

    s is the cosine, x are the N / 2 positives, z the negatives. Eq. 3 prints no logarithm; minimizing it so would
    push positives apart, and the text calls it InfoNCE. The factor is one over the number of ordered pairs: L_c is a
    mean.

    Args:
        temperature: tau; 0.07 in Xiang.
        form: `paper`; `supcon_out` has the other positives in the denominator, too (Khosla et al. 2020, L_out);
            `literal` is Eq. 3 as printed, to show its effect.

    Example:
        >>> same = torch.ones(16, 8)
        >>> round(PositivePairInfoNCELoss()(same, same).item(), 3)  # log 17
        2.833
    """

    def __init__(self, temperature: float = 0.07, form: Form = "paper"):
        super().__init__()
        if form not in get_args(Form):
            raise ValueError(f"form '{form}' is none of {', '.join(get_args(Form))}")
        self.temperature = temperature
        self.form = form

    def forward(self, positives: Tensor, negatives: Tensor) -> Tensor:
        """Compute the loss, in float32 at least: exp(1 / 0.07) is beyond float16.

        Args:
            positives: pooled utterances of one emotion, (P, D) float, P >= 2.
            negatives: of any other emotions, (Q, D), Q >= 1.

        Returns:
            Scalar.

        Raises:
            ValueError: if the shapes disagree or there is no pair.
        """
        check_sides(positives, negatives)
        if len(positives) < 2:
            raise ValueError(f"a pair needs two positives, got {len(positives)}")
        x, z = unit(positives), unit(negatives)
        to_positives = x @ x.T / self.temperature  # (P, P)
        is_pair = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
        against = torch.logsumexp(x @ z.T / self.temperature, 1, keepdim=True)  # (P, 1)
        if self.form == "supcon_out":
            others = to_positives.masked_fill(~is_pair, -torch.inf).logsumexp(1, keepdim=True)
            nll = torch.logaddexp(others, against) - to_positives
        else:
            nll = torch.logaddexp(to_positives, against) - to_positives  # -log l_ij
        values = nll[is_pair]
        return (-values).exp().mean() if self.form == "literal" else values.mean()


def unit(embeddings: Tensor) -> Tensor:
    """Scale rows to length 1, in float32 at least."""
    return F.normalize(embeddings.float() if embeddings.itemsize < 4 else embeddings, dim=1)


def check_sides(positives: Tensor, negatives: Tensor) -> None:
    """Raise ValueError unless both are (n, D) with n >= 1 and one D."""
    shapes = tuple(positives.shape), tuple(negatives.shape)
    if any(len(shape) != 2 or not shape[0] for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(f"expected positives (P, D) and negatives (Q, D), got {shapes[0]} and {shapes[1]}")
