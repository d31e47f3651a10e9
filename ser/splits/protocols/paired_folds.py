"""Cross-validation of several corpora side by side (Xiang, Sec. 4): the i-th fold of each is tested, all else trained
on.

The paper has five folds and does not define them. A task is one split rule, so that the readings stand in
tables of their own: folds of utterances at random or of texts, whose speakers stand on both sides and which have to
say so (`speakers: shared`), or of speakers. A corpus with fewer folds than another begins anew; each of its folds is
tested once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ser.corpora.folds import FoldRule
from ser.errors import ConfigError, ProtocolError
from ser.randomness import seed_of
from ser.splits.audit import audit
from ser.splits.folds import make_folds
from ser.splits.lists import Split
from ser.splits.protocols.base import SHARED, DevProtocol, classes_of, folds_of, stand_in
from ser.types import Utterance


class UtteranceFoldRule(FoldRule):
    """How a corpus is parted: its speakers, as `FoldRule` has it, or regardless of them.

    Attributes:
        rule: also `random` (utterances, each class spread evenly) and `texts` (blocks of sentences in the order of
            their ids, as many in each fold).
        folds: their number, also for these two; of `texts`, if none is given, that of the corpus' own file.
        speakers: `shared` admits that speakers are in both training and test, as these two need it.
    """

    rule: Literal[
        "consecutive_speakers", "gender_pairs", "sessions", "stratified_speakers", "random", "texts"
    ]  # fmt: skip
    speakers: Literal["disjoint", "shared"] = "disjoint"

    @model_validator(mode="after")
    def _says_what_it_does(self) -> UtteranceFoldRule:
        if (self.speakers == "shared") != (self.rule in ("random", "texts")):
            raise ValueError(
                f"rule '{self.rule}' with speakers '{self.speakers}'; random and texts need 'speakers: shared', the "
                "others are speaker-independent"
            )
        return self

    @property
    def words(self) -> str:
        """The rule as tables print it."""
        own = {"random": f"{self.folds} random folds of utterances", "texts": f"{self.folds} folds of sentences"}
        return own[self.rule] if self.rule in own else super().words


class PairedFoldsProtocol(DevProtocol):
    """Settings of the protocol; classes are those of any corpus, and a corpus may lack some.

    Attributes:
        corpora: at least two; all are trained on and tested.
        folds: task -> corpus -> how it is parted, if not by speakers as its own file says.
        dev_speakers: share of the training speakers of each corpus that chooses settings or epochs where a row says
            so; all other rows train on them, too.
    """

    also_reads = ("utt2text_id",)

    protocol: Literal["paired_folds"]
    corpora: Annotated[list[str], Field(min_length=2)]
    adapt: Literal["none"] = "none"
    folds: dict[str, dict[str, UtteranceFoldRule]] = {}

    @property
    def shared(self) -> dict[str, list[str]]:
        """Task -> corpora whose speakers are in both training and test."""
        return {task: [c for c in self.corpora if self.folds[task][c].speakers == "shared"] for task in self.tasks}

    @property
    def stamps(self) -> list[str]:
        """Flags of every table of these splits."""
        return [
            f"{SHARED}: in {task}, speakers of {' and '.join(names)} are in both training and test"
            for task, names in self.shared.items()
            if names
        ]

    @property
    def corpus_stamps(self) -> dict[str, list[str]]:
        """Flags of every system that is tested on a corpus, for a protocol with one task."""
        return {name: [SHARED] for names in self.shared.values() for name in names}

    @property
    def looked_for(self) -> str:
        """What the audit looks for in both training and test."""
        return "audio" if self.corpus_stamps else super().looked_for

    def of_task(self, task: str) -> PairedFoldsProtocol:
        """Give the settings of one task."""
        return super().of_task(task).model_copy(update={"folds": {task: self.folds[task]}})

    def with_own_folds(self) -> PairedFoldsProtocol:
        """Fill in how each corpus is parted in each task."""
        folds = {}
        for task in self.tasks:
            given = self.folds.get(task, {})
            rules = self.own_folds(self.corpora, given)
            for name in self.corpora:
                if name not in rules:
                    raise ConfigError(f"folds: no rule for corpus '{name}'; add folds.{task}.{name}")
            folds[task] = {name: self._rule(name, rules[name]) for name in self.corpora}
        return self.model_copy(update={"folds": folds})

    @staticmethod
    def _rule(corpus: str, rule: FoldRule) -> UtteranceFoldRule:
        """Complete a rule by what the file of its corpus says."""
        own = folds_of(corpus)
        if rule.rule == "texts" and "folds" not in rule.model_fields_set and own and own.texts:
            return rule.model_copy(update={"folds": own.texts})
        return rule if isinstance(rule, UtteranceFoldRule) else UtteranceFoldRule(**rule.model_dump())

    def split_rule(self, task: str, corpus: str, is_rotation: bool = False, is_labelled: bool = False) -> str:
        """Say how a corpus is parted in a task."""
        return self.folds[task][corpus].words

    def sketch(self, task: str, corpus: str) -> Split:
        """Draw a split of any fold."""
        seen = stand_in(self.corpora)
        return Split("sketch", seen, seen, [], stand_in([corpus]), labelled=seen)

    def splits(self, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[Split]:
        """Make and audit one split per fold of the corpus that has the most; `labelled` is `train` and `dev`.

        Raises:
            ProtocolError: for a corpus that the rule does not fit, training speakers who cannot spare dev speakers,
                a class that is not trained on, or a leak.
        """
        (task,) = self.tasks
        rules = self.folds[task]
        folds = {name: _folds(name, utterances[name], labels, rules[name], self.seed) for name in self.corpora}
        n_splits = max(map(len, folds.values()))
        return [self._split(f"fold{i + 1}", i, folds, rules, utterances, labels) for i in range(n_splits)]

    def _split(
        self,
        name: str,
        i: int,
        folds: Mapping[str, Sequence[frozenset[str]]],
        rules: Mapping[str, UtteranceFoldRule],
        utterances: Mapping[str, Sequence[Utterance]],
        labels: Mapping[str, str],
    ) -> Split:
        train: dict[str, str] = {}
        dev: dict[str, str] = {}
        test: dict[str, str] = {}
        held_out: dict[str, int] = {}
        for corpus, of_corpus in folds.items():
            number = i % len(of_corpus)
            rest = [u for u in utterances[corpus] if u.utt_id not in of_corpus[number]]
            dev_speakers = self.draw_dev(name, corpus, rest, number)
            own_train = classes_of(labels, (u for u in rest if u.speaker not in dev_speakers))
            own_dev = classes_of(labels, (u for u in rest if u.speaker in dev_speakers))
            out = classes_of(labels, (u for u in utterances[corpus] if u.utt_id in of_corpus[number]))
            classes = {labels[u.utt_id] for u in utterances[corpus]}
            if missing := classes - set(own_train.values()):
                raise ProtocolError(
                    f"split {name}: train: class '{min(missing)}' of '{corpus}' has no utterance; choose another "
                    "seed, dev_speakers or fold rule"
                )
            waived = ("speaker", "recording session") if rules[corpus].speakers == "shared" else ()
            by_id = {u.utt_id: u for u in utterances[corpus]}
            audit(name, by_id, [*own_train, *own_dev], out, waived=waived)
            audit(name, by_id, own_train, own_dev, against="dev")
            train, dev, held_out = train | own_train, dev | own_dev, held_out | {corpus: number + 1}
            if i < len(of_corpus):  # the first time that this fold's turn comes
                test |= out
        by_id = {u.utt_id: u for of_corpus in utterances.values() for u in of_corpus}
        audit(name, by_id, [*train, *dev], test, waived=("speaker", "recording session"))  # between the corpora
        about = {"held_out": held_out, "dev_speakers": sorted({by_id[utt].speaker for utt in dev})}
        return Split(name, train, dev, [], test, labelled={**train, **dev}, about=about)


PROTOCOL = PairedFoldsProtocol


def _folds(
    name: str, utterances: Sequence[Utterance], labels: Mapping[str, str], rule: UtteranceFoldRule, seed: int
) -> list[frozenset[str]]:
    """Part the utterances of a corpus."""
    if rule.rule == "random":
        return _random(name, utterances, labels, rule.folds, seed)
    if rule.rule == "texts":
        key, groups = {u.utt_id: u.text_id for u in utterances}, _texts(name, utterances, rule.folds)
    else:
        key, groups = {u.utt_id: u.speaker for u in utterances}, make_folds(utterances, labels, rule)
    return [frozenset(utt for utt, value in key.items() if value in group) for group in groups]


def _random(
    name: str, utterances: Sequence[Utterance], labels: Mapping[str, str], n_folds: int, seed: int
) -> list[frozenset[str]]:
    """Shuffle utterances into folds, class by class; identical audio counts as one and stays together."""
    from sklearn.model_selection import StratifiedKFold  # here, because most command lines find nothing to do

    units: dict[str, list[str]] = {}
    for u in utterances:
        units.setdefault(u.recording or u.audio_hash or u.utt_id, []).append(u.utt_id)
    groups = list(units.values())
    classes = [labels[group[0]] for group in groups]
    if (least := min(map(classes.count, set(classes)))) < n_folds:
        raise ProtocolError(f"folds: {least} utterances of a class of '{name}' do not part into {n_folds} folds; "
                            "choose fewer folds")  # fmt: skip
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=seed_of("random folds", seed, name) % 2**32)
    return [
        frozenset(utt for place in tested for utt in groups[place]) for _, tested in parts.split(classes, classes)
    ]


def _texts(name: str, utterances: Sequence[Utterance], n_folds: int) -> list[list[str]]:
    """Part the sentences of a corpus into blocks."""
    if unknown := [u.utt_id for u in utterances if u.text_id is None]:
        raise ProtocolError(
            f"folds: texts needs every utterance's text, '{unknown[0]}' has none; choose another rule"
        )
    texts = sorted({u.text_id for u in utterances})
    if len(texts) % n_folds:
        raise ProtocolError(f"folds: {len(texts)} texts of '{name}' do not part into {n_folds} folds of one size; "
                            f"choose a number that divides {len(texts)}")  # fmt: skip
    size = len(texts) // n_folds
    return [texts[start : start + size] for start in range(0, len(texts), size)]
