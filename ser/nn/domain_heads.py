"""Adversarial heads that classify domains, one per named domain factor (Gao 2022, Fig. 1)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ser.nn.grad_reverse import grad_reverse


class DomainHeads(nn.Module):
    """One linear layer per domain factor, all behind one gradient reversal: no deeper layer is drawn in Fig. 1.

    Weights are drawn from torch's global random state, as in any layer; a network that holds heads seeds them.

    Args:
        dim: size of the shared feature h, D.
        sizes: domain factor -> number of its domains, for example `{"gender": 2, "corpus": 4}`; may be empty.

    Example:
        >>> import torch
        >>> heads = DomainHeads(dim=256, sizes={"gender": 2, "corpus": 4})
        >>> {name: tuple(logits.shape) for name, logits in heads(torch.zeros(8, 256)).items()}
        {'gender': (8, 2), 'corpus': (8, 4)}
    """

    def __init__(self, dim: int, sizes: Mapping[str, int]):
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(dim, size) for name, size in sizes.items()})

    def forward(self, h: Tensor, scale: float = 1.0) -> dict[str, Tensor]:
        """Score the domains.

        Args:
            h: shared features, (B, D); they get -scale times the heads' gradient, the heads their own.
            scale: of the reversed gradient.

        Returns:
            Domain factor -> logits (B, size).
        """
        reversed_h = grad_reverse(h, scale)
        return {name: head(reversed_h) for name, head in self.heads.items()}
