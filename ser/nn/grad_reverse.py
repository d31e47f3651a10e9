"""Gradient reversal, which turns a classifier above it into an adversary of what lies below (Ganin et al. 2016)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _GradReverse(torch.autograd.Function):
    generate_vmap_rule = True  # so that torch.func's grad and vmap go through

    @staticmethod
    def forward(x: Tensor, scale: float) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        ctx.scale = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return -ctx.scale * grad, None


def grad_reverse(x: Tensor, scale: float = 1.0) -> Tensor:
    """Return x; on the way back, multiply the gradient by -scale.

    With it, the plus in L = L_E + gamma L_D (Gao 2022, Eq. 1) means: domain heads minimize L_D, the layers below
    minimize L_E - gamma L_D.

    Args:
        x: any shape, float.
        scale: of the reversed gradient; Gao 2022 weights the loss instead (gamma = 0.3) and leaves this at 1.

    Returns:
        The values of x, to the bit.

    Example:
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> (grad_reverse(x, 0.5) ** 2).sum().backward()
        >>> x.grad.tolist()  # -0.5 * 2x
        [-1.0, -2.0]
    """
    return _GradReverse.apply(x, scale)
