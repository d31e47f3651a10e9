"""Cross-validation of several corpora side by side (Xiang, Sec. 4): the i-th fold of each is tested, all else trained
on.

The paper tells of five folds and not of what they are made. A task is one split rule, so that the readings stand in
tables of their own: folds of utterances at random or of texts, whose speakers stand on both sides and which have to
say so (`speakers: shared`), or of speakers. A corpus with fewer folds than another begins anew; each of its folds is
tested once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ser.errors import ProtocolError
from ser.randomness import seed_of
from ser.splits.audit import audit
from ser.splits.dev import draw_dev_speakers, recorded_together
from ser.splits.folds import FoldRule, make_folds
from ser.splits.lists import Split
from ser.splits.protocols.multi_corpus import TaskProtocol
from ser.types import Utterance

SPEAKER_DEPENDENT = "SPEAKER-DEPENDENT"


class UtteranceFoldRule(FoldRule):
    """How a corpus is parted: its speakers as `FoldRule` tells, or regardless of them.

    Attributes:
        rule: also `random` (utterances, each class spread evenly) and `texts` (blocks of sentences in the order of
            their ids, as many in each fold).
        folds: their number, also for these two.
        speakers: `shared` admits that speakers stand in both training and test, as these two need it.
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
                "others keep speakers apart"
            )
        return self


class PairedFoldsProtocol(TaskProtocol):
    """Settings of the protocol; classes are those of any corpus, and a corpus may lack some.

    Attributes:
        corpora: at least two; all are trained on and tested.
        folds: task -> corpus -> how it is parted.
        dev_speakers: share of the training speakers of each corpus that chooses settings or epochs where a row says
            so; all other rows train on them, too.
    """

    protocol: Literal["paired_folds"]
    corpora: Annotated[list[str], Field(min_length=2)]
    adapt: Literal["none"] = "none"
    folds: dict[str, dict[str, UtteranceFoldRule]]

    @model_validator(mode="after")
    def _a_rule_for_each(self) -> PairedFoldsProtocol:
        for task in self.tasks:
            for name in self.corpora:
                if name not in self.folds.get(task, {}):
                    raise ValueError(f"folds: nothing is said of corpus '{name}'; add folds.{task}.{name}")
        return self

    @property
    def shared(self) -> dict[str, list[str]]:
        """Task -> corpora whose speakers stand in both training and test."""
        return {task: [c for c in self.corpora if self.folds[task][c].speakers == "shared"] for task in self.tasks}

    @property
    def stamps(self) -> list[str]:
        """What every table has to say of these splits."""
        return [
            f"{SPEAKER_DEPENDENT}: in {task}, speakers of {' and '.join(names)} stand in both training and test"
            for task, names in self.shared.items()
            if names
        ]

    @property
    def corpus_stamps(self) -> dict[str, list[str]]:
        """What has to stand beside every row of a corpus, for a protocol with one task."""
        return {name: [SPEAKER_DEPENDENT] for names in self.shared.values() for name in names}


def paired_folds_splits(
    protocol: PairedFoldsProtocol, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]
) -> list[Split]:
    """Make and audit one split per fold of the corpus that has the most.

    Args:
        protocol: the settings, with one task.
        utterances: corpus -> its labelled utterances, sorted by id.
        labels: utterance id -> class.

    Returns:
        Splits; `labelled` is `train` and `dev` together.

    Raises:
        ProtocolError: for a corpus that the rule does not fit, training speakers who cannot spare dev speakers, a
            class that is not trained on, or a leak.
    """
    (task,) = protocol.tasks
    rules = protocol.folds[task]
    folds = {name: _folds(name, utterances[name], labels, rules[name], protocol.seed) for name in protocol.corpora}
    return [
        _split(f"fold{i + 1}", i, folds, protocol, rules, utterances, labels)
        for i in range(max(map(len, folds.values())))
    ]


def _split(
    name: str,
    i: int,
    folds: Mapping[str, Sequence[frozenset[str]]],
    protocol: PairedFoldsProtocol,
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
        dev_speakers = _dev_speakers(name, corpus, rest, number, protocol)
        own_train = {u.utt_id: labels[u.utt_id] for u in rest if u.speaker not in dev_speakers}
        own_dev = {u.utt_id: labels[u.utt_id] for u in rest if u.speaker in dev_speakers}
        out = {u.utt_id: labels[u.utt_id] for u in utterances[corpus] if u.utt_id in of_corpus[number]}
        classes = {labels[u.utt_id] for u in utterances[corpus]}
        if missing := classes - set(own_train.values()):
            raise ProtocolError(
                f"split {name}: train: class '{min(missing)}' of '{corpus}' has no utterance; choose another seed, "
                "dev_speakers or fold rule"
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
        units.setdefault(u.audio_hash or u.utt_id, []).append(u.utt_id)
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


def _dev_speakers(
    split: str, corpus: str, rest: Sequence[Utterance], fold: int, protocol: PairedFoldsProtocol
) -> set[str]:
    groups = recorded_together(rest)
    if len(groups) < 2:
        raise ProtocolError(
            f"split {split}: dev_speakers: the training speakers of '{corpus}' ({', '.join(groups[0])}) cannot be "
            "parted into train and dev; choose smaller folds"
        )
    return draw_dev_speakers(groups, protocol.dev_speakers, "dev speakers", protocol.seed, corpus, fold)
