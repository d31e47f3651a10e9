"""Splits by the folds of one corpus, each of which also tests other corpora in full (Das 2022), or only itself.

`fold1`, `fold2`, ...: trained on the source without its i-th fold; tested on that fold and on every target in full.
`<target>.fold1`, ...: for references that are trained on the target itself, of which `labelled` holds all but the
i-th fold, which is tested. Labels and the way of parting belong to a task, and each task has splits of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, model_validator

from ser.corpora.folds import FoldRule
from ser.errors import ProtocolError, unknown
from ser.splits.audit import audit
from ser.splits.folds import make_folds
from ser.splits.lists import Split
from ser.splits.protocols.base import IN_FULL, SHARED, TaskProtocol, classes_of, stand_in
from ser.types import Utterance


class CorpusFoldsProtocol(TaskProtocol):
    """Settings of the protocol.

    Attributes:
        source: the corpus that is parted and trained on.
        targets: corpora that every fold's model is tested on, each in full.
        speakers: task -> `shared` draws folds of utterances at random, stratified by class: a tested speaker is
            trained on, too; `disjoint`, the default, parts speakers by `folds`.
        random_folds: their number, for tasks whose speakers are shared.
        folds: corpus -> how its speakers are parted, if not as its own file says; targets without a rule have no
            references of their own.
        adapt: `unlabelled-test` lists the targets for use without their labels, `none` lists nothing.
        rated: leave utterances without ratings out of corpora that have ratings.
        seed: of random folds.
    """

    also_reads = ("utt2aro", "utt2val")  # which utterances are trained on, and scored with

    protocol: Literal["corpus_folds"]
    source: str
    targets: list[str] = []
    speakers: dict[str, Literal["shared", "disjoint"]] = {}
    random_folds: int = Field(default=5, ge=2)
    folds: dict[str, FoldRule] = {}
    rated: bool = False
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _known_tasks(self) -> CorpusFoldsProtocol:
        for task in self.speakers:
            if task not in self.tasks:
                raise ValueError(f"speakers: task {unknown(task, self.tasks)}")
        return self

    @property
    def corpora(self) -> tuple[str, ...]:
        """Corpora that the protocol needs."""
        return (self.source, *self.targets)

    @property
    def shared(self) -> list[str]:
        """Tasks whose folds share speakers."""
        return [task for task in self.tasks if self.speakers.get(task) == "shared"]

    @property
    def stamps(self) -> list[str]:
        """Flags of a table."""
        return [
            f"{SHARED}: in {task}, folds divide utterances at random, so tested speakers are also in training; "
            "systems with this flag are not comparable with speaker-independent ones"
            for task in self.shared
        ]

    @property
    def looked_for(self) -> str:
        """What the audit looks for in both training and test."""
        return "audio" if self.shared else super().looked_for

    def of_task(self, task: str) -> CorpusFoldsProtocol:
        """Give the settings of one task."""
        speakers = {name: word for name, word in self.speakers.items() if name == task}
        return super().of_task(task).model_copy(update={"speakers": speakers})

    def with_own_folds(self) -> CorpusFoldsProtocol:
        """Fill in how the corpora are parted."""
        return self.model_copy(update={"folds": self.own_folds(self.corpora, self.folds)})

    def split_rule(self, task: str, corpus: str, is_rotation: bool = False, is_labelled: bool = False) -> str:
        """Say how a corpus is parted: the source always, a target only for references of its own."""
        if corpus != self.source and not is_labelled:
            return IN_FULL
        if task in self.shared:
            return f"{self.random_folds} random folds of utterances"
        return self.folds[corpus].words if corpus in self.folds else "folds"

    def sketch(self, task: str, corpus: str) -> Split:
        """Draw a fold of the source, with the reference of the tested corpus in `labelled`."""
        adapt = self.targets if self.adapt == "unlabelled-test" else []
        tested = stand_in([corpus])
        return Split("sketch", stand_in([self.source]), {}, list(stand_in(adapt)), tested, labelled=tested)

    def splits(self, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[Split]:
        """Make and audit the splits of the protocol's one task.

        Raises:
            ProtocolError: for a corpus that cannot be parted, a class that is not trained on, or a leak.
        """
        used = {name: _rated(utterances[name]) if self.rated else utterances[name] for name in self.corpora}
        tested = [u for name in self.targets for u in used[name]]
        folds = {name: self._folds(name, used[name], labels) for name in self.corpora}
        if not folds[self.source]:
            raise ProtocolError(f"folds: no rule for corpus '{self.source}'; add folds.{self.source}")
        splits = []
        for name in self.corpora:
            for number, fold in enumerate(folds[name], start=1):
                rest = classes_of(labels, (u for u in used[name] if u.utt_id not in fold))
                own = classes_of(labels, (u for u in used[name] if u.utt_id in fold))
                is_source = name == self.source
                split = Split(
                    name=f"fold{number}" if is_source else f"{name}.fold{number}",
                    train=rest if is_source else {},
                    dev={},
                    adapt=[u.utt_id for u in tested] if is_source and self.adapt == "unlabelled-test" else [],
                    test=own | classes_of(labels, tested) if is_source else own,
                    labelled={} if is_source else rest,
                    about={"test_speakers": sorted({u.speaker for u in used[name] if u.utt_id in fold})},
                )
                _check(split, {u.utt_id: u for u in (*used[name], *tested)}, self)
                splits.append(split)
        return splits

    def _folds(self, name: str, utterances: Sequence[Utterance], labels: Mapping[str, str]) -> list[set[str]]:
        """Part a corpus into sets of utterances; none where no rule is given."""
        if self.shared:
            return random_folds(utterances, labels, self.random_folds, self.seed)
        if name not in self.folds:
            return []
        speakers = make_folds(utterances, labels, self.folds[name])
        return [{u.utt_id for u in utterances if u.speaker in fold} for fold in speakers]


PROTOCOL = CorpusFoldsProtocol


def _rated(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Keep the utterances with both ratings; all of a corpus that has none."""
    rated = [u for u in utterances if u.arousal is not None and u.valence is not None]
    return rated or list(utterances)


def random_folds(
    utterances: Sequence[Utterance], labels: Mapping[str, str], n_folds: int, seed: int
) -> list[set[str]]:
    """Part utterances at random, each class alike (scikit-learn's `StratifiedKFold`, as in Das 2022's released code).

    That code parts the utterances of all emotions and then takes those of the task's; here only these are parted. The
    folds depend on the order of the rows. That of the paper is not known; here it is that of the files' paths, which
    have the emotion first in URDU.

    Raises:
        ProtocolError: for a class with fewer utterances than folds.
    """
    from sklearn.model_selection import StratifiedKFold  # here, because most command lines find nothing to do

    rows = sorted(utterances, key=lambda u: (u.wav, u.start or 0.0))
    classes = [labels[u.utt_id] for u in rows]
    for label, n in sorted(Counter(classes).items()):
        if n < n_folds:
            raise ProtocolError(f"random_folds: {n} utterances of '{label}' do not part into {n_folds} folds")
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(classes, classes)
    return [{rows[i].utt_id for i in tested} for _, tested in parts]


def _check(split: Split, by_id: Mapping[str, Utterance], protocol: CorpusFoldsProtocol) -> None:
    trained_on = split.train or split.labelled
    if missing := set(split.test.values()) - set(trained_on.values()):
        raise ProtocolError(f"split {split.name}: class '{min(missing)}' is tested but has no training utterance; "
                            "choose other folds")  # fmt: skip
    waived = ("speaker", "recording session") if protocol.shared else ()
    audit(split.name, by_id, trained_on, split.test, waived=waived)
