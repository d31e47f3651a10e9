"""What every protocol declares. A protocol is one file with a `PROTOCOL`, found by its name; no other file names it.

Not here: reading one from a recipe (`ser.splits.protocols`), and making its splits into files (`ser.splits.make`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ser.config import ConfigModel
from ser.corpora import CORPORA
from ser.corpora.folds import FoldRule, Folds
from ser.errors import ConfigError, ProtocolError, unknown
from ser.splits.audit import TELLING, audit, class_from_text, shared_texts
from ser.splits.dev import draw_dev_speakers, recorded_together
from ser.splits.lists import Split
from ser.types import Condition, Utterance

IN_FULL = "tested in full"

SHARED = "SPEAKER-DEPENDENT"
"""Stamp of what was tested on speakers who were trained on."""

ANY = "any"
"""Speaker, name and class of the stand-in utterances of a sketch."""


class Protocol(ConfigModel):
    """Settings of a protocol, and what follows from them. Each also has `corpora`, the names of those that it needs.

    Attributes:
        also_reads: files of a data directory that decide its splits, beyond those that decide the splits of all.
        has_episodes: whether predictions are also scored by the episodes of Yue 2023.
        is_matrix: whether results are one matrix of sources and targets, instead of a table for each condition; such
            rows have many models, and no folder for the use of one.
    """

    also_reads: ClassVar[tuple[str, ...]] = ()
    has_episodes: ClassVar[bool] = False
    is_matrix: ClassVar[bool] = False

    protocol: str

    @property
    @abstractmethod
    def label_maps(self) -> dict[str, str]:
        """Task -> name of its label map, `conf/labels/<name>.yaml`; the task is "" where there is only one."""

    @abstractmethod
    def splits(self, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[Split]:
        """Make and audit the splits of a protocol with one task.

        Args:
            utterances: corpus -> its labelled utterances, sorted by id.
            labels: utterance id -> class.

        Raises:
            ProtocolError: for corpora that do not fit the settings, a class that is not trained on, or a leak.
        """

    @abstractmethod
    def sketch(self, task: str, corpus: str) -> Split:
        """Draw a split that tests a corpus, with one utterance (`stand_in`) for each corpus of a list.

        Utterances of support sets are none of other lists.

        Args:
            task: "" where there is only one.
            corpus: the tested one.
        """

    @abstractmethod
    def split_rule(self, task: str, corpus: str, is_rotation: bool = False, is_labelled: bool = False) -> str:
        """Say in words how a tested corpus is parted.

        Args:
            task: "" where there is only one.
            corpus: the tested one.
            is_rotation: whether each held-out fold is tested in turn.
            is_labelled: of systems that are trained on the tested corpus only.
        """

    def condition(self, split: str, corpus: str, shots: int) -> Condition:
        """Name what the predictions of a split are scored as, apart from the task; all splits of one are pooled.

        Args:
            split: name of the split.
            corpus: of the test utterances.
            shots: of the support sets, 0 for systems without.
        """
        return Condition(corpus=corpus)

    @property
    def stamps(self) -> list[str]:
        """Flags of every table of these splits."""
        return []

    @property
    def corpus_stamps(self) -> dict[str, list[str]]:
        """Flags of every system that is tested on a corpus, for a protocol with one task."""
        return {}

    @property
    def looked_for(self) -> str:
        """What the audit looks for in both training and test."""
        return "speaker, session or audio"

    def stamps_of(
        self,
        splits: Sequence[Split],
        utterances: Mapping[str, Sequence[Utterance]],
        labels: Mapping[str, str],
    ) -> list[str]:
        """Flags that only the lists themselves show, for a protocol with one task.

        Args:
            splits: of this protocol.
            utterances: corpus -> its labelled utterances.
            labels: utterance id -> class.
        """
        by_id = {u.utt_id: u for of_corpus in utterances.values() for u in of_corpus}
        return [*_text_stamps(splits, by_id), *_telling_texts(utterances, labels), *_poor_dev(splits, labels)]

    def of_task(self, task: str) -> Protocol:
        """Give the settings of one task; which other tasks there are decides nothing."""
        return self

    def with_own_folds(self) -> Protocol:
        """Fill in how its corpora are parted, where only their own files say it.

        Raises:
            ConfigError: for folds of a corpus that nobody knows.
        """
        return self

    def own_folds(self, corpora: Iterable[str], given: Mapping[str, FoldRule]) -> dict[str, FoldRule]:
        """Give the rules by which the speakers of some corpora are parted: those given, or else their own files'.

        Args:
            corpora: those that are parted; one of which nobody says anything is left out.
            given: corpus -> rule of the protocol.

        Raises:
            ConfigError: for a rule of a corpus that nobody knows.
        """
        self.check_known("folds", given)
        own = {name: folds.speakers for name in corpora if (folds := folds_of(name))}
        return {name: rule for name in corpora if (rule := given.get(name) or own.get(name))}

    def check_known(self, key: str, given: Iterable[str]) -> None:
        """Refuse a setting for a corpus that is neither this protocol's nor anybody's.

        Raises:
            ConfigError: naming it.
        """
        for name in given:
            if name not in self.corpora and name not in CORPORA:
                raise ConfigError(f"{key}: corpus {unknown(name, [*self.corpora, *CORPORA])}")

    def tested(self, split: Split) -> str:
        """Say how much of each corpus is tested, and how else it may be seen."""
        of_corpus = Counter(utt.split("-")[0] for utt in split.test)
        text = f"{len(split.test)} test ({', '.join(f'{name} {n}' for name, n in of_corpus.items())})"
        return f"{text}, all of it to adapt to without labels" if split.adapt else text


class TaskProtocol(Protocol):
    """Settings of protocols with tasks.

    Attributes:
        tasks: name (of a folder) -> name of a label map, `conf/labels/<name>.yaml`.
        adapt: `unlabelled-test` lists the test utterances for use without their labels, `none` lists nothing.
        seed: of all draws.
    """

    tasks: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], str] = Field(min_length=1)
    adapt: Literal["none", "unlabelled-test"] = "none"
    seed: int

    @model_validator(mode="after")
    def _each_corpus_once(self) -> TaskProtocol:
        for name in self.corpora:
            if list(self.corpora).count(name) > 1:
                raise ValueError(f"corpus '{name}' stands twice; name each once, as training or as test data")
        return self

    @property
    def label_maps(self) -> dict[str, str]:
        """Task -> name of its label map."""
        return self.tasks

    def of_task(self, task: str) -> TaskProtocol:
        """Give the settings of one task."""
        return self.model_copy(update={"tasks": {task: self.tasks[task]}})


class DevProtocol(TaskProtocol):
    """Settings of protocols that keep speakers of every corpus from training.

    Attributes:
        dev_speakers: share of the training speakers of each corpus that chooses checkpoints; at least one speaker,
            and with each those of the same recording sessions.
    """

    dev_speakers: float = Field(gt=0, lt=1)

    def draw_dev(self, split: str, corpus: str, utterances: Sequence[Utterance], fold: int | None) -> set[str]:
        """Choose the training speakers of a corpus that are kept for dev; only its held-out fold decides which.

        Raises:
            ProtocolError: for speakers who cannot be parted.
        """
        groups = recorded_together(utterances)
        if len(groups) < 2:
            raise ProtocolError(
                f"split {split}: dev_speakers: the training speakers of '{corpus}' ({', '.join(groups[0])}) cannot "
                "be parted into train and dev, because they are one person or one recording session; choose smaller "
                "folds or another corpus"
            )
        return draw_dev_speakers(groups, self.dev_speakers, "dev speakers", self.seed, corpus, fold)

    def split_of(
        self,
        name: str,
        training: Mapping[str, Sequence[Utterance]],
        tested: Sequence[Utterance],
        held_out: Mapping[str, int],
        labels: Mapping[str, str],
    ) -> Split:
        """Part training utterances into train and dev, and audit what results.

        Args:
            name: of the split.
            training: corpus -> utterances that are trained on or choose.
            tested: of all corpora.
            held_out: corpus -> number of its tested fold.
            labels: utterance id -> class.

        Raises:
            ProtocolError: for a class that is not trained on, or a leak.
        """
        dev_speakers: set[str] = set()
        for corpus, utterances in training.items():
            dev_speakers |= self.draw_dev(name, corpus, utterances, held_out.get(corpus))
        seen = [u for utterances in training.values() for u in utterances]
        split = Split(
            name=name,
            train=classes_of(labels, (u for u in seen if u.speaker not in dev_speakers)),
            dev=classes_of(labels, (u for u in seen if u.speaker in dev_speakers)),
            adapt=[u.utt_id for u in tested] if self.adapt == "unlabelled-test" else [],
            test=classes_of(labels, tested),
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
                    f"split {name}: {part}: class '{min(missing)}' has no utterance; choose another seed or "
                    "dev_speakers"
                )
        self.audit(split, {u.utt_id: u for u in (*seen, *tested)})
        return split

    def audit(self, split: Split, by_id: Mapping[str, Utterance]) -> None:
        """Refuse a split that leaks.

        Raises:
            ProtocolError: with the offending ids.
        """
        for what, utts in (("training", split.train), ("dev", split.dev)):
            audit(split.name, by_id, utts, split.test, what=what)
        audit(split.name, by_id, split.train, split.dev, against="dev")
        if self.adapt != "unlabelled-test":
            audit(split.name, by_id, split.adapt, split.test, what="adaptation (adapt: none)")


def _text_stamps(splits: Sequence[Split], by_id: Mapping[str, Utterance]) -> list[str]:
    """Name the corpora of which a tested sentence may be trained on."""
    found: dict[str, str] = {}
    for split in splits:
        shown = {utt for support in split.support.values() for utt in support}
        seen = {*split.train, *split.dev, *split.labelled, *shown}
        found |= shared_texts(by_id, seen, split.test)
    names = " and ".join(f"{corpus} ({n} tested ones of a split)" for corpus, n in sorted(found.items()))
    return [f"TEXT-SHARED: sentences are in both training and test in {names}"] if found else []


def _telling_texts(utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[str]:
    """Name the corpora whose sentences give the class away."""
    found = {corpus: class_from_text(of_corpus, labels) for corpus, of_corpus in utterances.items()}
    return [
        f"TEXT TELLS CLASS: in {corpus}, the sentence itself gives the class with a UAR of {100 * uar:.1f} "
        f"(chance {100 * chance:.1f})"
        for corpus, (uar, chance) in ((corpus, both) for corpus, both in found.items() if both)
        if uar - chance > TELLING
    ]


def _poor_dev(splits: Sequence[Split], labels: Mapping[str, str]) -> list[str]:
    """Name the corpora of which a dev part has one class where the training part has several."""
    found: dict[str, list[str]] = {}
    for split in splits:
        parts: list[dict[str, set[str]]] = [{}, {}]
        for part, listed in zip(parts, (split.train, split.dev), strict=True):
            for utt in listed:
                part.setdefault(utt.split("-")[0], set()).add(labels[utt])
        train, dev = parts
        for corpus, classes in dev.items():
            if len(classes) < 2 <= len(train.get(corpus, ())):
                found.setdefault(corpus, []).append(split.name)
    return [
        f"ONE-CLASS DEV: in {len(names)} of {len(splits)} splits (first: {names[0]}), the dev part of {corpus} has "
        "one class only"
        for corpus, names in sorted(found.items())
    ]


def folds_of(corpus: str) -> Folds | None:
    """Give the folds that a corpus' own file declares; None for a corpus of the user's own."""
    return CORPORA[corpus].folds if corpus in CORPORA else None


def classes_of(labels: Mapping[str, str], utterances: Iterable[Utterance]) -> dict[str, str]:
    """Map the ids of some utterances to their classes."""
    return {u.utt_id: labels[u.utt_id] for u in utterances}


def stand_in(corpora: Iterable[str], name: str = ANY) -> dict[str, str]:
    """Give each corpus one utterance, `<corpus>-any-<name>`, of the class `any`."""
    return {f"{corpus}-{ANY}-{name}": ANY for corpus in corpora}
