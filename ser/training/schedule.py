"""How long and how fast an encoder is trained, and which utterances make a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from ser.randomness import seed_of


@dataclass(frozen=True)
class Schedule:
    """How long and how fast is trained.

    Attributes:
        lr: learning rate of Adam at first.
        epochs: passes over the utterances.
        batch_size: utterances of one step; None takes all of them.
        lr_decay: factor on the rate after each epoch or step.
        decay_per: which of the two.
        decay_from: the first epoch, counted from 1, whose rate has the factor, if it is one per epoch.
        decay_every: epochs from there to each further factor; None for no further.
        factors: beginning of a weight's name -> factor on its rate.
        clip: length to which a gradient is cut; None leaves it.
    """

    lr: float
    epochs: int
    batch_size: int | None
    lr_decay: float = 1.0
    decay_per: Literal["epoch", "step"] = "epoch"
    decay_from: int = 2
    decay_every: int | None = 1
    factors: Mapping[str, float] = field(default_factory=dict)
    clip: float | None = None

    def lr_at(self, epoch: int, step: int) -> float:
        """Give the rate of a step; epochs and steps count from 0."""
        if self.decay_per == "step":
            return self.lr * self.lr_decay**step
        past = epoch + 1 - self.decay_from
        n = 0 if past < 0 else 1 if self.decay_every is None else 1 + past // self.decay_every
        return self.lr * self.lr_decay**n

    def groups(self, params: Mapping[str, nn.Parameter]) -> list[dict[str, object]]:
        """Part weights by the factors on their rates, as an optimizer takes them."""
        found: dict[float, list[nn.Parameter]] = {}
        for name, param in params.items():
            factor = next((f for start, f in self.factors.items() if name.startswith(start)), 1.0)
            found.setdefault(factor, []).append(param)
        return [{"params": members, "factor": factor} for factor, members in found.items()]


class Batches(Protocol):
    """Batches of a training that does not simply go through all utterances."""

    n_batches: int

    def rows(self, epoch: int, number: int) -> Tensor:
        """List the rows of the utterances in a batch, (B,) int64; epochs and numbers count from 0."""


@dataclass(frozen=True)
class Shuffled:
    """All n utterances in each epoch, in an order of its own."""

    n: int
    batch_size: int | None
    seed: int

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.n // (self.batch_size or self.n))

    def rows(self, epoch: int, number: int) -> Tensor:
        """List the rows of a batch, as `Batches` says."""
        return order(self.n, self.batch_size, self.seed, epoch).split(self.batch_size or self.n)[number]


def order(n: int, batch_size: int | None, seed: int, epoch: int) -> Tensor:
    """Shuffle the rows of an epoch; the whole set as one batch has no order."""
    if batch_size is None:
        return torch.arange(n)
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed_of("order", seed, epoch)))
