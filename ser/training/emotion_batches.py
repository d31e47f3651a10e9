"""Batches around one emotion: half of that emotion, half of any other, drawn evenly from several corpora (Xiang,
Sec. 3.1).

A batch is a function of its epoch and number, so a killed training goes on with the one that it would have had.
Not here: any loss or model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from ser.errors import ProtocolError
from ser.randomness import rng

if TYPE_CHECKING:
    import numpy as np

EmotionPool = Literal["union", "intersection"]


class EmotionBatch(NamedTuple):
    """A batch; both halves hold the corpora one after the other.

    Attributes:
        emotion: e.
        positives: N / 2 utterances with e.
        negatives: N / 2 utterances without e.
    """

    emotion: str
    positives: list[str]
    negatives: list[str]


@dataclass(frozen=True)
class EmotionBatches:
    """Batches of one training.

    e is drawn for every batch. Its positives come in equal parts from the corpora that have it, its negatives from
    all corpora, uniformly over the utterances without e; a remainder goes to corpora that are drawn. No utterance
    stands twice in a half, unless its pool is smaller than what is asked of it.

    Attributes:
        pools: corpus -> emotion -> utterances; every corpus has its own set of emotions.
        size: N.
        emotions: e is drawn from those of any corpus (`union`), or of all (`intersection`).
        seed: of all draws.

    Raises:
        ProtocolError: if N is odd or too small for the corpora, there is no emotion to draw, or a corpus has no
            negatives for one.

    Example:
        >>> pools = {"a": {"sad": ["a1", "a2"], "angry": ["a3"]}, "b": {"sad": ["b1"], "happy": ["b2"]}}
        >>> batches = EmotionBatches(pools, size=4, emotions="intersection", seed=1)
        >>> batch = batches.of(0, 0)
        >>> batch.emotion, [u[0] for u in batch.positives], sorted(batch.negatives)
        ('sad', ['a', 'b'], ['a3', 'b2'])
    """

    pools: Mapping[str, Mapping[str, Sequence[str]]]
    size: int
    emotions: EmotionPool
    seed: int

    def __post_init__(self) -> None:
        if self.size % 4 or self.size // 2 < len(self.pools):
            raise ProtocolError(
                f"batch_size: {self.size} found for {len(self.pools)} corpora; choose a multiple of 4 that has an "
                "utterance of each corpus in each half"
            )
        if not self.choices:
            raise ProtocolError(f"emotion_pool: {self.emotions}: {' and '.join(self.pools)} share no emotion")
        for (corpus, emotion), utts in self._negatives.items():
            if not utts:
                raise ProtocolError(f"corpus '{corpus}' has no utterance that is not {emotion}, for negatives")

    @cached_property
    def choices(self) -> list[str]:
        """Emotions that e is drawn from."""
        sets = [{emotion for emotion, utts in of.items() if utts} for of in self.pools.values()]
        return sorted(set.union(*sets) if self.emotions == "union" else set.intersection(*sets))

    @cached_property
    def n_batches(self) -> int:
        """Batches of an epoch: as many as hold all utterances once (our reading; not printed)."""
        return -(-sum(len(utts) for of in self.pools.values() for utts in of.values()) // self.size)

    @cached_property
    def _negatives(self) -> dict[tuple[str, str], list[str]]:
        return {
            (corpus, e): [utt for emotion, utts in of.items() if emotion != e for utt in utts]
            for corpus, of in self.pools.items()
            for e in self.choices
        }

    def owners(self, emotion: str) -> list[str]:
        """List the corpora that have an emotion."""
        return [corpus for corpus, of in self.pools.items() if of.get(emotion)]

    def of(self, epoch: int, number: int) -> EmotionBatch:
        """Draw a batch; epochs and numbers count from 0."""
        generator = rng("emotion batch", self.seed, epoch, number)
        e = str(generator.choice(self.choices))
        positives = _evenly({corpus: self.pools[corpus][e] for corpus in self.owners(e)}, self.size // 2, generator)
        negatives = _evenly({c: self._negatives[c, e] for c in self.pools}, self.size // 2, generator)
        return EmotionBatch(e, positives, negatives)


def _evenly(pools: Mapping[str, Sequence[str]], n: int, generator: np.random.Generator) -> list[str]:
    """Draw n utterances from some pools in equal parts, one pool after the other."""
    names = list(pools)
    more = generator.permutation(len(names))[: n % len(names)]
    drawn: list[str] = []
    for place, name in enumerate(names):
        share, pool = n // len(names) + (place in more), pools[name]
        drawn += [pool[i] for i in generator.choice(len(pool), share, replace=share > len(pool))]
    return drawn
