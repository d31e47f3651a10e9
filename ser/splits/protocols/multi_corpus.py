"""Splits of several labelled corpora (Gao 2022): test other corpora in full, or held-out speakers of each.

Cross-corpus: one split, `all`. Multi-corpus: `canonical`, whose held-out speakers the protocol names by their
folds, and `rotation1`, `rotation2`, ..., of which the i-th holds out the i-th fold of every corpus; a corpus with
fewer folds begins anew. Labels belong to a task, and each task has splits of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ser.config import ConfigModel
from ser.errors import ProtocolError
from ser.splits.audit import audit
from ser.splits.dev import draw_dev_speakers, recorded_together
from ser.splits.folds import FoldRule, make_folds
from ser.splits.lists import Split
from ser.types import Utterance

Names = Annotated[list[str], Field(min_length=1)]


class TaskProtocol(ConfigModel):
    """Settings that both protocols share.

    Attributes:
        tasks: name (of a folder) -> name of a label map, `conf/labels/<name>.yaml`.
        adapt: `unlabelled-test` lists the test utterances for use without their labels, `none` lists nothing.
        dev_speakers: share of the training speakers of each corpus that chooses checkpoints; at least one speaker,
            and with each those of the same recording sessions.
        seed: of all draws.
    """

    sessions: ClassVar[str] = "disjoint"  # no protocol here can do without
    stamps: ClassVar[list[str]] = []

    tasks: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], str] = Field(min_length=1)
    adapt: Literal["none", "unlabelled-test"] = "none"
    dev_speakers: float = Field(gt=0, lt=1)
    seed: int

    @model_validator(mode="after")
    def _each_corpus_once(self) -> TaskProtocol:
        for name in self.corpora:
            if list(self.corpora).count(name) > 1:
                raise ValueError(f"corpus '{name}' stands twice; name each once, as training or as test data")
        return self


class CrossCorpusProtocol(TaskProtocol):
    """Settings of the cross-corpus protocol.

    Attributes:
        sources: corpora that are trained on.
        targets: corpora that are tested, each in full.
    """

    protocol: Literal["cross_corpus"]
    sources: Names
    targets: Names

    @property
    def corpora(self) -> tuple[str, ...]:
        """Corpora that the protocol needs."""
        return (*self.sources, *self.targets)


class MultiCorpusProtocol(TaskProtocol):
    """Settings of the multi-corpus protocol.

    Attributes:
        corpora: all are trained on and tested.
        folds: corpus -> how its speakers are parted.
        held_out: corpus -> number of the fold that the split `canonical` tests, from 1.
        rotations: how many of the rotation's splits are made; none given, all: as many as the most folds.
    """

    protocol: Literal["multi_corpus"]
    corpora: Names
    folds: dict[str, FoldRule]
    held_out: dict[str, Annotated[int, Field(ge=1)]]
    rotations: int | None = Field(default=None, ge=0)


def cross_corpus_splits(
    protocol: CrossCorpusProtocol,
    utterances: Mapping[str, Sequence[Utterance]],
    labels: Mapping[str, str],
) -> list[Split]:
    """Make and audit the one split.

    Args:
        protocol: the settings.
        utterances: corpus -> its labelled utterances, sorted by id.
        labels: utterance id -> class.

    Raises:
        ProtocolError: for sources that cannot spare dev speakers, a class that is not trained on, or a leak.
    """
    training = {name: utterances[name] for name in protocol.sources}
    tested = [u for name in protocol.targets for u in utterances[name]]
    return [_split("all", training, tested, {}, labels, protocol)]


def multi_corpus_splits(
    protocol: MultiCorpusProtocol,
    utterances: Mapping[str, Sequence[Utterance]],
    labels: Mapping[str, str],
) -> list[Split]:
    """Make and audit the canonical split and those of the rotation.

    Args:
        protocol: the settings.
        utterances: corpus -> its labelled utterances, sorted by id.
        labels: utterance id -> class.

    Raises:
        ProtocolError: for a corpus without a rule or a fold of that number, more rotations than folds, training
            speakers who cannot spare dev speakers, a class that is not trained on, or a leak.
    """
    folds = {name: _folds(name, protocol, utterances[name], labels) for name in protocol.corpora}
    most = max(map(len, folds.values()))
    n_rotations = most if protocol.rotations is None else protocol.rotations
    if n_rotations > most:
        raise ProtocolError(f"rotations: {n_rotations} asked for, no corpus has more than {most} folds; choose fewer")
    held_out = {"canonical": {name: protocol.held_out[name] for name in folds}}
    for i in range(n_rotations):
        held_out[f"rotation{i + 1}"] = {name: i % len(folds[name]) + 1 for name in folds}
    splits = []
    for name, numbers in held_out.items():
        out = {speaker for corpus, number in numbers.items() for speaker in folds[corpus][number - 1]}
        training = {corpus: [u for u in utterances[corpus] if u.speaker not in out] for corpus in folds}
        tested = [u for corpus in folds for u in utterances[corpus] if u.speaker in out]
        splits.append(_split(name, training, tested, numbers, labels, protocol))
    return splits


def _folds(
    name: str, protocol: MultiCorpusProtocol, utterances: Sequence[Utterance], labels: Mapping[str, str]
) -> list[list[str]]:
    """Part the speakers of a corpus, and see that the canonical split's fold is among them."""
    for key, known in (("folds", protocol.folds), ("held_out", protocol.held_out)):
        if name not in known:
            raise ProtocolError(f"{key}: nothing is said of corpus '{name}'; add {key}.{name}")
    folds = make_folds(utterances, labels, protocol.folds[name])
    if protocol.held_out[name] > len(folds):
        raise ProtocolError(
            f"held_out.{name}: fold {protocol.held_out[name]} asked for, folds.{name} gives {len(folds)}; "
            f"choose 1 to {len(folds)}"
        )
    return folds


def _split(
    name: str,
    training: Mapping[str, Sequence[Utterance]],
    tested: Sequence[Utterance],
    held_out: Mapping[str, int],
    labels: Mapping[str, str],
    protocol: TaskProtocol,
) -> Split:
    """Part the training utterances into train and dev, and audit what results."""
    dev_speakers: set[str] = set()
    for corpus, utterances in training.items():
        dev_speakers |= _dev_speakers(name, corpus, utterances, held_out.get(corpus), protocol)
    seen = [u for utterances in training.values() for u in utterances]

    def classes_of(some: Iterable[Utterance]) -> dict[str, str]:
        return {u.utt_id: labels[u.utt_id] for u in some}

    split = Split(
        name=name,
        train=classes_of(u for u in seen if u.speaker not in dev_speakers),
        dev=classes_of(u for u in seen if u.speaker in dev_speakers),
        adapt=[u.utt_id for u in tested] if protocol.adapt == "unlabelled-test" else [],
        test=classes_of(tested),
        about={
            "test_speakers": sorted({u.speaker for u in tested}),
            "dev_speakers": sorted(dev_speakers),
            "held_out": dict(held_out),
        },
    )
    classes = {labels[u.utt_id] for u in (*seen, *tested)}
    for part, labelled in (("train", split.train), ("dev", split.dev)):
        if missing := classes - set(labelled.values()):
            raise ProtocolError(
                f"split {name}: {part}: class '{min(missing)}' has no utterance; choose another seed or dev_speakers"
            )
    _audit(split, {u.utt_id: u for u in (*seen, *tested)}, protocol)
    return split


def _dev_speakers(
    name: str, corpus: str, utterances: Sequence[Utterance], fold: int | None, protocol: TaskProtocol
) -> set[str]:
    """Choose the training speakers of a corpus that are kept for dev; which, its held-out fold decides alone."""
    groups = recorded_together(utterances)
    if len(groups) < 2:
        raise ProtocolError(
            f"split {name}: dev_speakers: the training speakers of '{corpus}' ({', '.join(groups[0])}) cannot be "
            "parted into train and dev, because they are one person or one recording session; choose smaller folds "
            "or another corpus"
        )
    return draw_dev_speakers(groups, protocol.dev_speakers, "dev speakers", protocol.seed, corpus, fold)


def _audit(split: Split, by_id: Mapping[str, Utterance], protocol: TaskProtocol) -> None:
    for what, utts in (("training", split.train), ("dev", split.dev)):
        audit(split.name, by_id, utts, split.test, what=what)
    audit(split.name, by_id, split.train, split.dev, against="dev")
    if protocol.adapt != "unlabelled-test":
        audit(split.name, by_id, split.adapt, split.test, what="adaptation (adapt: none)")
