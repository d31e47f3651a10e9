"""Training on several corpora at once: which utterances a mini-batch holds, and the domains that they belong to.

A batch is a function of its epoch and number, so a killed training goes on with the one that it would have had.
Not here: any loss or model.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ser.randomness import seed_of

UNKNOWN = -1
"""Domain of an utterance that no label is known for."""

Item = TypeVar("Item", bound=Hashable)
"""What a batch counts: an utterance, or a segment of one."""

# ---- Which utterances come when -------------------------------------------------------------------------------


@dataclass(frozen=True)
class DomainBatches:
    """Mini-batches of one training.

    An epoch is one pass over as many labelled utterances as there are, or a number of steps. If there is target
    audio, a batch holds half source, half target, and target audio begins anew as often as it has to.

    Attributes:
        source: pools of labelled utterances (or segments) that take part equally: one pool for plain shuffling, one
            per corpus for balance.
        target: pools of unlabelled ones, one per corpus; empty without target audio.
        size: of a batch; the last one of an epoch that is a pass may be smaller.
        seed: of all orders.
        steps: batches of an epoch, all of them full, which go on where the epoch before stopped; None for a pass.

    Example:
        >>> batches = DomainBatches([["a1", "a2", "a3"]], [["b1"], ["c1", "c2"]], size=4, seed=1)
        >>> [[len(part) for part in batches.of(0, number)] for number in range(batches.n_batches)]
        [[2, 2], [1, 1]]
    """

    source: Sequence[Sequence[Item]]
    target: Sequence[Sequence[Item]]
    size: int
    seed: int
    steps: int | None = None

    @property
    def n_source(self) -> int:
        """Labelled utterances of a full batch."""
        return self.size // 2 if self.target else self.size

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return -(-self._n_epoch // self.n_source)

    @property
    def _n_epoch(self) -> int:
        """Labelled utterances of an epoch."""
        return sum(map(len, self.source)) if self.steps is None else self.steps * self.n_source

    def of(self, epoch: int, number: int) -> tuple[list[Item], list[Item]]:
        """List the source and the target utterances of a batch; epochs and batches count from 0."""
        n_epoch = self._n_epoch
        start = number * self.n_source
        count = min(self.n_source, n_epoch - start)
        parts = ("source", self.source), ("target", self.target)
        return tuple(deal(pools, epoch * n_epoch + start, count, self.seed, part) for part, pools in parts)


def deal(pools: Sequence[Sequence[Item]], start: int, count: int, *names: object) -> list[Item]:
    """Fill places `start` to `start + count - 1` of an endless list from some pools in turn.

    Place g goes to pool g mod P, so shares differ by one at most. Of each pool the list holds endless passes, every
    one shuffled anew.

    Args:
        pools: of utterances or segments; none of them empty.
        start, count: places that are asked for.
        names: of the random draws.
    """
    n_pools, utts = len(pools), []
    for j, pool in enumerate(pools):
        first, end = (-(-(g - j) // n_pools) for g in (start, start + count))  # places of this pool before g
        for turn in range(first // len(pool), -(-end // len(pool))):
            generator = torch.Generator().manual_seed(seed_of(*names, j, turn))
            order = torch.randperm(len(pool), generator=generator)
            own = order[max(first - turn * len(pool), 0) : end - turn * len(pool)]
            utts += [pool[i] for i in own]
    return utts


def pools_of(utts: Iterable[str], group_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Group utterances, for example by corpus; groups in sorted order of names."""
    pools: dict[str, list[str]] = {}
    for utt in utts:
        pools.setdefault(group_of[utt], []).append(utt)
    return dict(sorted(pools.items()))


# ---- Domains --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DomainLabels:
    """The domains that the heads of one training predict.

    Attributes:
        domains: factor -> its domains in the order of their indices, at least two.
        left_out: factor without a head -> why.
        factors: factor -> utterance -> domain.
    """

    domains: Mapping[str, Sequence[str]]
    left_out: Mapping[str, str]
    factors: Mapping[str, Mapping[str, str]]

    @classmethod
    def of_data(
        cls, factors: Mapping[str, Mapping[str, str]], wanted: Sequence[str], utts: Sequence[str]
    ) -> DomainLabels:
        """Collect the domains of some utterances; a factor with one domain has nothing that a head could learn.

        Args:
            factors: factor -> utterance -> domain; an utterance may be missing.
            wanted: factors that are to have a head.
            utts: all utterances that are trained on, labelled or not.
        """
        domains: dict[str, list[str]] = {}
        left_out: dict[str, str] = {}
        for factor in wanted:
            found = sorted({factors[factor][utt] for utt in utts if utt in factors[factor]})
            if len(found) > 1:
                domains[factor] = found
            else:
                left_out[factor] = f"{found[0]} alone" if found else "not known"
        return cls(domains, left_out, factors)

    def sizes(self) -> dict[str, int]:
        """Count the domains of each factor with a head."""
        return {factor: len(names) for factor, names in self.domains.items()}

    def of(self, utts: Sequence[str]) -> dict[str, Tensor]:
        """Give the indices of some utterances' domains, (B,) int64 per factor with a head."""
        return {
            factor: torch.tensor(
                [names.index(known[utt]) if utt in (known := self.factors[factor]) else UNKNOWN for utt in utts],
                dtype=torch.long,
            )
            for factor, names in self.domains.items()
        }
