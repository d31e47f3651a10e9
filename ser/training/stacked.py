"""Many small models trained as one batched computation: parameters stacked along a first axis, one loss each.

The gradient of the sum of all losses is every model's own gradient, and Adam works element by element, so each
model moves exactly as it would by itself. `train_stacked` is for models with equally many rows and one rate, which
torch's fused Adam takes at once. `train_in_lockstep` is for models that differ in data, rates and numbers of steps;
its Adam has a rate for each model, and rounds in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Params = dict[str, Tensor]

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
"""PyTorch's defaults of Adam (Kingma and Ba 2015)."""

CHUNK_BYTES = 1 << 24
"""Parameters that are trained at once. More wait for memory, where gradients and Adam's moments lie too; fewer for
Python, whose overhead per step is the work of two or three models of 1,024 inputs."""

CHUNK_MODELS = 64
"""Models that are trained at once at most: the activations of more small models would wait for memory."""


def repeat(params: Mapping[str, Tensor], index: Sequence[int]) -> Params:
    """Take models out of a stack, (M, ...) to (E, ...), one per entry of `index`."""
    rows = torch.tensor(index, dtype=torch.long)
    return {name: value[rows] for name, value in params.items()}


def train_stacked(
    loss: Callable[..., Tensor],
    params: Mapping[str, Tensor],
    batch: Sequence[Tensor],
    *,
    epochs: int,
    batch_size: int | None = None,
    lr: float,
    lr_decay: float,
    decay_per: Literal["epoch", "step"] = "epoch",
    seed: int = 0,
    fabric: Fabric,
) -> tuple[Params, Tensor]:
    """Train a stack of models, each on its own n rows, with Adam.

    Args:
        loss: (params of one model, *batch of one model) to a scalar.
        params: initial weights, (E, ...) each; not changed.
        batch: inputs of the loss, (E, n, ...) each.
        epochs: passes over the rows.
        batch_size: rows of an optimizer step, of which an epoch has ceil(n / batch_size); None takes all rows.
        lr: learning rate of the first step.
        lr_decay: factor on the rate after each epoch, or after each step.
        decay_per: which of the two (Yue 2023 leaves it open); with all rows in a step they are the same.
        seed: of the order of the rows, drawn anew for each epoch and shared by all models.
        fabric: device and precision.

    Returns:
        Trained weights, (E, ...) each, and the losses, (epochs, E): means over an epoch's steps, weighted by rows,
        each from before its step.
    """
    n_models = len(next(iter(params.values())))
    model_bytes = sum(value[0].numel() * value.element_size() for value in params.values())
    size = max(1, min(CHUNK_BYTES // model_bytes, CHUNK_MODELS))
    schedule = _rows_of_steps(batch[0].shape[1], epochs, batch_size, seed)
    trained = {name: torch.empty(value.shape, dtype=value.dtype) for name, value in params.items()}
    losses = []
    for start in range(0, n_models, size):
        part = slice(start, start + size)
        own = {name: fabric.to_device(value[part].detach()) for name, value in params.items()}
        inputs = [fabric.to_device(b[part]) for b in batch]
        own, history = _train(loss, own, inputs, schedule, lr, lr_decay, decay_per, fabric)
        for name, value in own.items():
            trained[name][part] = value
        losses.append(history.cpu())
    return trained, torch.cat(losses, dim=1)


def _rows_of_steps(n: int, epochs: int, batch_size: int | None, seed: int) -> list[list[Tensor | slice]]:
    """Tell the rows of each step of each epoch."""
    if batch_size is None or batch_size >= n:
        return [[slice(0, n)]] * epochs
    generator = torch.Generator().manual_seed(seed)
    return [list(torch.randperm(n, generator=generator).split(batch_size)) for _ in range(epochs)]


def _turn(params: Mapping[str, Tensor]) -> Params:
    """Transpose the stacked matrices, (E, H, D) to (E, D, H); its own inverse."""
    return {name: value.mT if value.ndim == 3 else value for name, value in params.items()}


def _train(
    loss: Callable[..., Tensor],
    params: Params,
    batch: Sequence[Tensor],
    schedule: Sequence[Sequence[Tensor | slice]],
    lr: float,
    lr_decay: float,
    decay_per: Literal["epoch", "step"],
    fabric: Fabric,
) -> tuple[Params, Tensor]:
    # Matrices lie in memory as (E, D, H), as batched products make their gradients. From the other layout each step
    # would copy the gradients over, at the price of Adam, and the forward products would be slower.
    leaves = {
        name: value.clone(memory_format=torch.contiguous_format).requires_grad_()
        for name, value in _turn(params).items()
    }
    optimizer = torch.optim.Adam(leaves.values(), lr=lr, fused=True)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, lr_decay)
    losses_of = torch.func.vmap(loss)
    n = batch[0].shape[1]
    history = []
    for steps in schedule:
        mean = 0.0
        for rows in steps:
            inputs = [b[:, rows] for b in batch]
            with fabric.autocast():
                losses = losses_of(_turn(leaves), *inputs)  # (E,)
            optimizer.zero_grad()
            fabric.backward(losses.sum())
            optimizer.step()
            mean = mean + losses.detach() * (inputs[0].shape[1] / n)
            if decay_per == "step":
                decay.step()
        if decay_per == "epoch":
            decay.step()
        history.append(mean)
    trained = {name: value.detach() for name, value in _turn(leaves).items()}
    return trained, torch.stack(history) if history else torch.empty(0, len(batch[0]))


def train_in_lockstep(
    losses_of: Callable[[Params, int], Tensor],
    params: Mapping[str, Tensor],
    n_steps: Sequence[int],
    rates: Sequence[float],
) -> Params:
    """Minimize each model's own loss with Adam, each in its own number of steps; the shortest drop out first.

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
    names, shapes = list(params), [value.shape[1:] for value in _turn(params).values()]
    # All weights of a model in one row: Adam is a handful of calls, and the models still trained are the first rows.
    rows = torch.cat(
        [value.detach().reshape(len(value), -1) for value in _turn(params).values()], dim=1
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
        losses = losses_of(_turn(unpacked(leaf)), step)
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        m, v = mean[:n_active], square[:n_active]
        m.lerp_(gradient, 1 - BETA1)
        v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        deviation = v.sqrt().div_((1 - BETA2 ** (step + 1)) ** 0.5).add_(EPS)
        rows[:n_active].addcdiv_(m * (-rate[:n_active] / (1 - BETA1 ** (step + 1))), deviation)
    return {name: value.contiguous() for name, value in _turn(unpacked(rows)).items()}
