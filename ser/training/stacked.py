"""Many small models trained as one batched computation: parameters stacked along a first axis, one loss each.

The gradient of the sum of all losses is every model's own gradient, and Adam works element by element, so each
model moves exactly as it would alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Params = dict[str, Tensor]

CHUNK_BYTES = 1 << 23
"""Parameters that are trained at once: with gradients and Adam's moments four times that, which still fits a
processor's cache, so that the steps do not wait for memory."""


def repeat(params: Mapping[str, Tensor], index: Sequence[int]) -> Params:
    """Take models out of a stack, (M, ...) to (E, ...), one per entry of `index`."""
    rows = torch.tensor(index, dtype=torch.long)
    return {name: value[rows] for name, value in params.items()}


def train_stacked(
    loss: Callable[..., Tensor],
    params: Mapping[str, Tensor],
    batch: Sequence[Tensor],
    *,
    steps: int,
    lr: float,
    lr_decay: float,
    fabric: Fabric,
) -> tuple[Params, Tensor]:
    """Train a stack of models, each for some full-batch steps on its own batch, with Adam.

    Args:
        loss: (params of one model, *batch of one model) to a scalar.
        params: initial weights, (E, ...) each; not changed.
        batch: inputs of the loss, (E, ...) each.
        steps: optimizer steps.
        lr: learning rate of the first step.
        lr_decay: factor on the rate after each step.
        fabric: device and precision.

    Returns:
        Trained weights, (E, ...) each, and the losses before each step, (steps, E).
    """
    n_models = len(next(iter(params.values())))
    model_bytes = sum(value[0].numel() * value.element_size() for value in params.values())
    size = max(1, CHUNK_BYTES // model_bytes)
    trained, losses = [], []
    for start in range(0, n_models, size):
        part = slice(start, start + size)
        own = {name: value[part].detach().to(fabric.device, copy=True) for name, value in params.items()}
        own, history = _train(loss, own, [fabric.to_device(b[part]) for b in batch], steps, lr, lr_decay, fabric)
        trained.append({name: value.detach().cpu() for name, value in own.items()})
        losses.append(history.cpu())
    return {name: torch.cat([t[name] for t in trained]) for name in params}, torch.cat(losses, dim=1)


def _train(
    loss: Callable[..., Tensor],
    params: Params,
    batch: Sequence[Tensor],
    steps: int,
    lr: float,
    lr_decay: float,
    fabric: Fabric,
) -> tuple[Params, Tensor]:
    for value in params.values():
        value.requires_grad_()
    optimizer = torch.optim.Adam(params.values(), lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, lr_decay)
    losses_of = torch.func.vmap(loss)
    history = []
    for _ in range(steps):
        with fabric.autocast():
            losses = losses_of(params, *batch)  # (E,)
        optimizer.zero_grad()
        fabric.backward(losses.sum())
        optimizer.step()
        schedule.step()
        history.append(losses.detach())
    return params, torch.stack(history) if history else torch.empty(0, len(next(iter(params.values()))))
