"""Train on several corpora together, test held-out speakers of each (Gao 2022, multi-corpus).

`canonical` holds out the fold that the protocol names, `rotation1`, `rotation2`, ... in turn the i-th fold of every
corpus; a corpus with fewer folds begins anew. Labels belong to a task, and each task has splits of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from ser.corpora.folds import FoldRule
from ser.errors import ProtocolError
from ser.splits.folds import make_folds
from ser.splits.lists import Split
from ser.splits.protocols.base import DevProtocol, folds_of, stand_in
from ser.types import Condition, Utterance


class MultiCorpusProtocol(DevProtocol):
    """Settings of the protocol.

    Attributes:
        corpora: all are trained on and tested.
        folds: corpus -> how its speakers are parted, if not as its own file says.
        held_out: corpus -> number of the fold that the split `canonical` tests, from 1, if not that of its own file.
        rotations: how many of the rotation's splits are made; none given, all: as many as the most folds.
    """

    protocol: Literal["multi_corpus"]
    corpora: Annotated[list[str], Field(min_length=1)]
    folds: dict[str, FoldRule] = {}
    held_out: dict[str, Annotated[int, Field(ge=1)]] = {}
    rotations: int | None = Field(default=None, ge=0)

    def with_own_folds(self) -> MultiCorpusProtocol:
        """Fill in how the corpora are parted, and which folds a single split holds out."""
        self.check_known("held_out", self.held_out)
        own = {name: folds.held_out for name in self.corpora if (folds := folds_of(name))}
        held_out = {name: number for name, number in (own | self.held_out).items() if name in self.corpora}
        return self.model_copy(update={"folds": self.own_folds(self.corpora, self.folds), "held_out": held_out})

    def condition(self, split: str, corpus: str, shots: int) -> Condition:
        """Rotations have tables of their own."""
        return Condition(corpus=corpus, rotation=split.startswith("rotation"))

    def split_rule(self, task: str, corpus: str, is_rotation: bool = False, is_labelled: bool = False) -> str:
        """Say how a corpus is parted, and what of it is tested."""
        rule = self.folds[corpus].words if corpus in self.folds else "folds"
        return f"{rule}, each in turn" if is_rotation else f"{rule}, of which one is held out"

    def sketch(self, task: str, corpus: str) -> Split:
        """Draw a split of any fold."""
        seen, tested = stand_in(self.corpora), stand_in([corpus])
        return Split("sketch", seen, seen, list(tested) if self.adapt == "unlabelled-test" else [], tested)

    def splits(self, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[Split]:
        """Make and audit the canonical split and those of the rotation.

        Raises:
            ProtocolError: for a corpus without a rule or a fold of that number, more rotations than folds, training
                speakers who cannot spare dev speakers, a class that is not trained on, or a leak.
        """
        folds = {name: self._folds(name, utterances[name], labels) for name in self.corpora}
        most = max(map(len, folds.values()))
        n_rotations = most if self.rotations is None else self.rotations
        if n_rotations > most:
            raise ProtocolError(
                f"rotations: {n_rotations} asked for, no corpus has more than {most} folds; choose fewer"
            )
        held_out = {"canonical": {name: self.held_out[name] for name in folds}}
        for i in range(n_rotations):
            held_out[f"rotation{i + 1}"] = {name: i % len(folds[name]) + 1 for name in folds}
        splits = []
        for name, numbers in held_out.items():
            out = {speaker for corpus, number in numbers.items() for speaker in folds[corpus][number - 1]}
            training = {corpus: [u for u in utterances[corpus] if u.speaker not in out] for corpus in folds}
            tested = [u for corpus in folds for u in utterances[corpus] if u.speaker in out]
            splits.append(self.split_of(name, training, tested, numbers, labels))
        return splits

    def _folds(self, name: str, utterances: Sequence[Utterance], labels: Mapping[str, str]) -> list[list[str]]:
        """Part the speakers of a corpus, and see that the canonical split's fold is among them."""
        for key, given in (("folds", self.folds), ("held_out", self.held_out)):
            if name not in given:
                raise ProtocolError(f"{key}: no rule for corpus '{name}'; add {key}.{name}")
        folds = make_folds(utterances, labels, self.folds[name])
        if self.held_out[name] > len(folds):
            raise ProtocolError(
                f"held_out.{name}: fold {self.held_out[name]} asked for, folds.{name} gives {len(folds)}; "
                f"choose 1 to {len(folds)}"
            )
        return folds


PROTOCOL = MultiCorpusProtocol
