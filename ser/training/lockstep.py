"""Many small models trained as one batched computation, each on its own number of steps; the shortest drop out first.

As in `stacked.py`, the gradient of the sum of all losses is every model's own gradient, and Adam works number by
number. All models that are still trained have taken equally many steps, so each moves exactly as it would alone.
Unlike there, models may differ in their data, rates and numbers of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

Params = dict[str, Tensor]

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
"""PyTorch's defaults of Adam (Kingma and Ba 2015)."""


def train_in_lockstep(
    losses_of: Callable[[Params, int], Tensor],
    params: Mapping[str, Tensor],
    n_steps: Sequence[int],
    rates: Sequence[float],
) -> Params:
    """Minimize each model's own loss with Adam.

    Args:
        losses_of: (params of the first A models, number of the step from 0) to their losses, (A,).
        params: initial weights, (E, ...) each; not changed.
        n_steps: optimizer steps of each model, longest first.
        rates: learning rate of each model.

    Returns:
        Trained weights, (E, ...) each.

    Raises:
        ValueError: if the models are not sorted by their steps.

    Example:
        >>> def squares(params, step):
        ...     return (params["w"] - 3).square().sum(1)
        >>> trained = train_in_lockstep(squares, {"w": torch.zeros(2, 1)}, [2000, 1], [0.01, 0.01])
        >>> [round(w, 2) for w in trained["w"].flatten().tolist()]  # Adam's first step is the rate
        [3.0, 0.01]
    """
    if list(n_steps) != sorted(n_steps, reverse=True):
        raise ValueError(f"models have to be sorted by their steps, the longest first, got {list(n_steps)}")
    names, shapes = list(params), [value.shape[1:] for value in _turned(params).values()]
    # All weights of a model in one row: Adam is a handful of calls, and the models still trained are the first rows.
    rows = torch.cat(
        [value.detach().reshape(len(value), -1) for value in _turned(params).values()], dim=1
    )  # (E, P), a copy
    sizes = [shape.numel() for shape in shapes]
    mean, square = torch.zeros_like(rows), torch.zeros_like(rows)
    rate = torch.tensor(rates, dtype=rows.dtype, device=rows.device).unsqueeze(1)

    def unpacked(some: Tensor) -> Params:
        parts = zip(names, some.split(sizes, dim=1), shapes, strict=True)
        return {name: part.reshape(len(part), *shape) for name, part, shape in parts}

    for step in range(max(n_steps, default=0)):
        n_active = sum(n > step for n in n_steps)
        leaf = rows[:n_active].detach().requires_grad_()
        losses = losses_of(_turned(unpacked(leaf)), step)
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        m, v = mean[:n_active], square[:n_active]
        m.lerp_(gradient, 1 - BETA1)
        v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        deviation = v.sqrt().div_((1 - BETA2 ** (step + 1)) ** 0.5).add_(EPS)
        rows[:n_active].addcdiv_(m * (-rate[:n_active] / (1 - BETA1 ** (step + 1))), deviation)
    return {name: value.contiguous() for name, value in _turned(unpacked(rows)).items()}


def _turned(params: Mapping[str, Tensor]) -> Params:
    """Transpose the stacked matrices, (E, H, D) to (E, D, H), as batched products make their gradients."""
    return {name: value.mT if value.ndim == 3 else value for name, value in params.items()}
