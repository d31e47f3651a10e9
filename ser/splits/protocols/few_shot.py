"""Few-shot splits: the whole source corpus, and k labelled target utterances per emotion (Yue 2023, Sec. III-IV).

Target speakers are parted into folds. A fold's speakers are tested on everything they said; support sets are
drawn from the others. The draw for a smaller k is the beginning of the draw for a larger one.
Speakers who were recorded together stay on one side, of the folds as of the source's training and dev part.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from ser.corpora.folds import FoldRule
from ser.errors import ProtocolError
from ser.randomness import rng
from ser.splits.audit import audit
from ser.splits.dev import draw_dev_speakers, recorded_together
from ser.splits.folds import make_folds
from ser.splits.lists import Split
from ser.splits.protocols.base import Protocol, classes_of, stand_in
from ser.types import Condition, Utterance

SPEAKER_DRAWS = 100
"""How often speakers may be drawn until they have enough utterances of every class."""


class TargetFold(NamedTuple):
    """A fold of a target: its tested speakers, the utterances of the others, and support sets drawn from these."""

    name: str
    speakers: list[str]
    pool: list[Utterance]
    support: dict[tuple[int, int], dict[str, str]]


class ShotsProtocol(Protocol):
    """Settings of protocols with support sets, and how sources and targets are parted there.

    Attributes:
        shots: numbers k of support utterances per class.
        support_speakers: how many speakers a support set may come from, drawn anew for every draw among those sets
            of speakers that have the largest k of every class; none given, from all of them.
        draws: support sets per fold and k.
        dev_speakers: share of the source speakers that chooses checkpoints; at least one speaker, and with each
            those of the same recording sessions.
        sessions: `disjoint` refuses a recording session in both training and test, `shared` lets it pass.
        seed: of all draws.
        folds: corpus -> how its speakers are parted when it is the target, if not as its own file says.
    """

    shots: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    support_speakers: int | None = Field(default=None, ge=1)
    draws: int = Field(ge=1)
    dev_speakers: float = Field(gt=0, lt=1)
    sessions: Literal["disjoint", "shared"] = "disjoint"
    seed: int
    folds: dict[str, FoldRule] = {}

    @property
    @abstractmethod
    def targets(self) -> list[str]:
        """Corpora that are tested."""

    @property
    def stamps(self) -> list[str]:
        """Flags of every table of these splits."""
        if self.sessions == "disjoint":
            return []
        names = " and ".join(self.targets)
        return [f"SESSION-DEPENDENT: recording sessions of {names} may be in both training and test"]

    @property
    def looked_for(self) -> str:
        """What the audit looks for in both training and test."""
        return super().looked_for if self.sessions == "disjoint" else "speaker or audio"

    def with_own_folds(self) -> ShotsProtocol:
        """Fill in how each target is parted."""
        return self.model_copy(update={"folds": self.own_folds(self.targets, self.folds)})

    def tested(self, split: Split) -> str:
        """Say who is tested, and from how many support sets."""
        speakers = ", ".join(split.about["test_speakers"])
        return f"{len(split.test)} test ({speakers}), {len(split.support)} support sets"

    def split_rule(self, task: str, corpus: str, is_rotation: bool = False, is_labelled: bool = False) -> str:
        """Say how a target is parted."""
        rule = self.folds[corpus].words if corpus in self.folds else "folds"
        return f"{rule}; {self.draws} support sets a fold, of other speakers"

    def fold_sketch(self, sources: Sequence[str], target: str) -> Split:
        """Draw a fold of a target, with one support set of each size."""
        source, tested = stand_in(sources), stand_in([target])
        support = {(k, 1): stand_in([target], "support") for k in self.shots}
        others = list(stand_in([target], "unlabelled"))
        return Split("sketch", source, source, others, tested, support=support, labelled=tested)

    def target_folds(
        self, target: str, utterances: Sequence[Utterance], labels: Mapping[str, str]
    ) -> Iterator[TargetFold]:
        """Part a target and draw its support sets, which depend on no source.

        Raises:
            ProtocolError: for a target without a fold rule, a support set larger than its class, or support speakers
                who lack a class.
        """
        if target not in self.folds:
            raise ProtocolError(f"folds: no rule for target '{target}'; add folds.{target}")
        classes = sorted({labels[u.utt_id] for u in utterances})
        for number, fold in enumerate(make_folds(utterances, labels, self.folds[target]), start=1):
            name, pool = f"fold{number}", [u for u in utterances if u.speaker not in fold]
            support = {
                (k, draw): support
                for draw in range(1, self.draws + 1)
                for k, support in _draw(name, target, pool, labels, classes, draw, self).items()
            }
            yield TargetFold(name, fold, pool, support)

    def split_of(
        self,
        name: str,
        sources: Mapping[str, Sequence[Utterance]],
        dev_speakers: set[str],
        target: Sequence[Utterance],
        fold: TargetFold,
        labels: Mapping[str, str],
    ) -> Split:
        """Make and audit the split of one fold.

        Args:
            name: of the split.
            sources: corpus -> its utterances.
            dev_speakers: of all sources, see `draw_dev_speakers`.
            target: its utterances.
            fold: of the target.
            labels: utterance id -> class.

        Raises:
            ProtocolError: for a leak.
        """
        seen = [u for utterances in sources.values() for u in utterances]
        split = Split(
            name=name,
            train=classes_of(labels, (u for u in seen if u.speaker not in dev_speakers)),
            dev=classes_of(labels, (u for u in seen if u.speaker in dev_speakers)),
            adapt=[u.utt_id for u in fold.pool],
            test=classes_of(labels, (u for u in target if u.speaker in fold.speakers)),
            support=fold.support,
            labelled=classes_of(labels, fold.pool),
            about={"test_speakers": fold.speakers, "dev_speakers": sorted(dev_speakers)},
        )
        waived = ("recording session",) if self.sessions == "shared" else ()
        _audit(split, {u.utt_id: u for u in (*seen, *target)}, waived)
        return split

    def draw_dev_speakers(self, source: str, utterances: Sequence[Utterance], labels: Mapping[str, str]) -> set[str]:
        """Choose the speakers of a source that are kept from training: the first draw of at least one and not all
        after which both parts have every class.

        Raises:
            ProtocolError: for speakers who cannot be parted so.
        """
        speakers = sorted({u.speaker for u in utterances})
        if len(speakers) < 2:
            raise ProtocolError(f"dev_speakers: source '{source}' has one speaker; two are needed")
        groups = recorded_together(utterances)
        if len(groups) < 2 and self.sessions == "shared":
            groups = [[speaker] for speaker in speakers]
        if len(groups) < 2:
            raise ProtocolError(
                f"dev_speakers: recording sessions tie all {len(speakers)} speakers of source '{source}' "
                "together; set sessions: shared, or choose another source"
            )
        classes = {labels[u.utt_id] for u in utterances}
        for draw in range(SPEAKER_DRAWS):
            again = (draw,) if draw else ()
            chosen = draw_dev_speakers(groups, self.dev_speakers, "dev speakers", self.seed, *again)
            dev = {labels[u.utt_id] for u in utterances if u.speaker in chosen}
            train = {labels[u.utt_id] for u in utterances if u.speaker not in chosen}
            if dev == train == classes:
                return chosen
        missing = min((classes - dev) or (classes - train))
        raise ProtocolError(
            f"dev_speakers: in {SPEAKER_DRAWS} draws, no {self.dev_speakers:g} of the speakers of source '{source}' "
            f"left every class in both the training and the dev part (the last lacked '{missing}'); choose another "
            "share, or another source"
        )


class FewShotProtocol(ShotsProtocol):
    """Settings of the protocol.

    Attributes:
        source, target: corpora.
        labels: name of a label map, `conf/labels/<name>.yaml`.
    """

    protocol: Literal["few_shot"]
    source: str
    target: str
    labels: str

    has_episodes = True

    def condition(self, split: str, corpus: str, shots: int) -> Condition:
        """Tables differ by their number of shots."""
        return Condition(shots=shots)

    @property
    def corpora(self) -> tuple[str, ...]:
        """Corpora that the protocol needs."""
        return (self.source, self.target)

    @property
    def targets(self) -> list[str]:
        """The one that is tested."""
        return [self.target]

    @property
    def label_maps(self) -> dict[str, str]:
        """One task without a name."""
        return {"": self.labels}

    def sketch(self, task: str, corpus: str) -> Split:
        """Draw a fold of the target."""
        return self.fold_sketch([self.source], self.target)

    def splits(self, utterances: Mapping[str, Sequence[Utterance]], labels: Mapping[str, str]) -> list[Split]:
        """Make and audit one split per target fold.

        Raises:
            ProtocolError: as for `target_folds` and `draw_dev_speakers`, or for a leak.
        """
        source, target = utterances[self.source], utterances[self.target]
        folds = self.target_folds(self.target, target, labels)
        dev_speakers = self.draw_dev_speakers(self.source, source, labels)
        if missing := {labels[u.utt_id] for u in target} - {labels[u.utt_id] for u in source}:
            raise ProtocolError(
                f"train: class '{min(missing)}' of '{self.target}' has no utterance of '{self.source}'; take a label "
                "map whose classes both have"
            )
        return [self.split_of(f.name, {self.source: source}, dev_speakers, target, f, labels) for f in folds]


PROTOCOL = FewShotProtocol


def _audit(split: Split, by_id: Mapping[str, Utterance], waived: Sequence[str]) -> None:
    audit(split.name, by_id, [*split.train, *split.dev, *split.adapt], split.test, waived=waived)
    audit(split.name, by_id, split.train, split.dev, what="training (for dev)", waived=waived)
    audit(split.name, by_id, split.labelled, split.test, what="labelled target", waived=waived)
    for (k, draw), support in split.support.items():
        audit(split.name, by_id, support, split.test, what=f"support set {k}.{draw}", waived=waived)


def _draw(
    split_name: str,
    target: str,
    pool: Sequence[Utterance],
    labels: Mapping[str, str],
    classes: Sequence[str],
    draw: int,
    protocol: ShotsProtocol,
) -> dict[int, dict[str, str]]:
    """Draw one nested family of support sets: k -> utterance id -> class, by class, then in drawn order."""
    units = _units(pool, labels, classes)
    for name, utts in units.items():
        if too_many := [k for k in protocol.shots if k > len(utts)]:
            advice = "choose a smaller k" if utts else "choose another fold rule"
            raise ProtocolError(
                f"split {split_name}: shots: {too_many[0]} support utterances asked for, class '{name}' of "
                f"'{target}' has {len(utts)} outside the tested fold; {advice}"
            )
    if protocol.support_speakers is not None:
        units = _units_of_few(split_name, target, pool, labels, classes, draw, protocol)
    families: dict[int, dict[str, str]] = {k: {} for k in protocol.shots}
    for name, utts in units.items():
        order = rng("support", protocol.seed, split_name, draw, name).permutation(utts).tolist()
        for k in protocol.shots:
            families[k] |= {utt: name for utt in order[:k]}
    return families


def _units(pool: Sequence[Utterance], labels: Mapping[str, str], classes: Sequence[str]) -> dict[str, list[str]]:
    """List by class what a support set may hold: identical audio counts once, and no class is left out."""
    seen: set[str] = set()
    units: dict[str, list[str]] = {name: [] for name in classes}
    for utterance in pool:
        unit = utterance.recording or utterance.audio_hash or utterance.utt_id
        if unit not in seen:
            seen.add(unit)
            units[labels[utterance.utt_id]].append(utterance.utt_id)
    return units


def _units_of_few(
    split_name: str,
    target: str,
    pool: Sequence[Utterance],
    labels: Mapping[str, str],
    classes: Sequence[str],
    draw: int,
    protocol: ShotsProtocol,
) -> dict[str, list[str]]:
    """Draw the support speakers, again until they have enough of every class, and list their utterances."""
    speakers, n, k = sorted({u.speaker for u in pool}), protocol.support_speakers, max(protocol.shots)
    if n > len(speakers):
        raise ProtocolError(
            f"split {split_name}: support_speakers: {n} asked for, '{target}' has {len(speakers)} outside "
            "the tested fold; choose fewer"
        )
    generator = rng("support speakers", protocol.seed, split_name, draw)
    for _ in range(SPEAKER_DRAWS):
        chosen = generator.permutation(speakers)[:n].tolist()
        units = _units([u for u in pool if u.speaker in chosen], labels, classes)
        if all(len(utts) >= k for utts in units.values()):
            return units
    raise ProtocolError(
        f"split {split_name}: support_speakers: in {SPEAKER_DRAWS} draws, no {n} speaker(s) of '{target}' "
        f"had {k} utterances of every class; choose more speakers or a smaller k"
    )
