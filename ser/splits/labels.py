"""Label maps: from a corpus' canonical emotions to the classes of a task (`conf/labels/*.yaml`).

A class must never vanish: every emotion of a corpus has to be mapped or dropped by name, every class has to get
utterances, and a full release has to give the expected counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import model_validator

from ser.config import ConfigModel
from ser.data.maps import UTT_FILES
from ser.errors import ProtocolError, unknown
from ser.types import EMOTIONS, Utterance, parse_votes, plurality


class CorpusLabels(ConfigModel):
    """One corpus' part of a label map.

    Attributes:
        map: class -> canonical emotions.
        drop: emotions that are left out.
        absent: classes that this corpus does not have.
        by: which labels are mapped: the corpus' own, which is the consensus where listeners decide (`emotion`), the
            acted emotion (MSP-IMPROV's scenario letter), the emotion that listeners heard (CREMA-D's votes), the one
            with the most votes in `utt2votes` (`plurality`; a tie is `unknown`), or the class with the most votes,
            with the shares of all classes to be trained on (`distribution`; left out are ties, and utterances whose
            listeners chose a dropped emotion as often).
        expected: class -> utterances in the full release; `angry+sad` where only a sum is known; empty for a corpus
            whose counts are not known, and for one of your own.
    """

    map: dict[str, list[str]]
    drop: list[str] = []
    absent: list[str] = []
    by: Literal["emotion", "emotion_acted", "emotion_rated", "plurality", "distribution"] = "emotion"
    expected: dict[str, int] = {}

    @model_validator(mode="after")
    def _known_words(self) -> CorpusLabels:
        words = [word for emotions in self.map.values() for word in emotions] + self.drop
        for word in words:
            if word not in EMOTIONS:
                raise ValueError(f"emotion {unknown(word, EMOTIONS)}")
            if words.count(word) > 1:
                raise ValueError(f"emotion '{word}' stands twice")
        if self.expected and {name for names in self.expected for name in names.split("+")} != set(self.map):
            raise ValueError(f"'expected' names {sorted(self.expected)}, 'map' names {sorted(self.map)}")
        return self

    @property
    def class_of(self) -> dict[str, str]:
        """Emotion -> class."""
        return {emotion: name for name, emotions in self.map.items() for emotion in emotions}

    @property
    def reads(self) -> str:
        """File of a data directory with the labels that are mapped."""
        field = "votes" if self.by in ("plurality", "distribution") else self.by
        return next(name for name, of in UTT_FILES.items() if of == field)

    def counted(self, votes: Mapping[str, float]) -> tuple[str | None, dict[str, float]]:
        """Give the class with more votes than any other and than any dropped emotion, and the shares of all classes.

        The class is None for a tie, or where a dropped emotion has as many votes.

        Example:
            >>> rules = CorpusLabels(map={"happy": ["happy", "excited"], "sad": ["sad"]}, drop=["calm"], expected={})
            >>> rules.counted({"excited": 1, "happy": 2, "sad": 1, "calm": 2})
            ('happy', {'happy': 0.75, 'sad': 0.25})
            >>> rules.counted({"sad": 1, "calm": 2})
            (None, {'sad': 1.0})
        """
        classes = Counter[str]()
        for emotion, n in votes.items():
            if emotion in self.class_of:
                classes[self.class_of[emotion]] += n
        most = plurality(classes)
        dropped = max((n for emotion, n in votes.items() if emotion not in self.class_of), default=0.0)
        name = most if most != "unknown" and classes[most] > dropped else None
        return name, {found: n / classes.total() for found, n in sorted(classes.items())}


class LabelMap(ConfigModel):
    """Classes in the order of their indices, and how each corpus' emotions become classes."""

    classes: list[str]
    corpora: dict[str, CorpusLabels]

    @model_validator(mode="after")
    def _same_classes(self) -> LabelMap:
        if self.classes != sorted(set(self.classes)):
            raise ValueError(f"classes have to be sorted and unique, found {self.classes}")
        for corpus, labels in self.corpora.items():
            for name in labels.map:
                if name not in self.classes:
                    raise ValueError(f"corpora.{corpus}.map: class {unknown(name, self.classes)}")
            if missing := set(self.classes) - set(labels.map) - set(labels.absent):
                raise ValueError(
                    f"corpora.{corpus}.map: class '{min(missing)}' has no emotion; if the corpus lacks it, say so "
                    "in 'absent'"
                )
        return self

    def apply(self, corpus: str, utterances: Sequence[Utterance], release: str) -> dict[str, str]:
        """Label a corpus.

        Args:
            corpus: its name in this map.
            utterances: its data directory.
            release: `full` has to meet the expected counts.

        Returns:
            Utterance id -> class, without the dropped ones.

        Raises:
            ProtocolError: if the map does not cover the corpus, a class is empty, or counts differ.
        """
        if corpus not in self.corpora:
            raise ProtocolError(f"label map: corpus {unknown(corpus, self.corpora)}")
        rules = self.corpora[corpus]
        class_of = rules.class_of
        if rules.by == "distribution":
            labelled = {utt: name for utt, (name, _) in self._counted(corpus, utterances).items() if name}
        else:
            emotion_of = {u.utt_id: _emotion(u, rules.by) for u in utterances}
            for utt, emotion in emotion_of.items():
                self._check_covered(corpus, utt, emotion)
            labelled = {utt: class_of[emotion] for utt, emotion in emotion_of.items() if emotion in class_of}
        found = Counter(labelled.values())
        if empty := [name for name in rules.map if not found[name]]:
            raise ProtocolError(f"label map: corpora.{corpus}: class '{empty[0]}' gets no utterance")
        sums = {names: sum(found[name] for name in names.split("+")) for names in rules.expected}
        if release == "full" and sums != rules.expected:
            raise ProtocolError(
                f"label map: corpora.{corpus}: expected {dict(sorted(rules.expected.items()))} from the full "
                f"release, found {dict(sorted(sums.items()))}"
            )
        return labelled

    def distributions(self, corpus: str, utterances: Sequence[Utterance]) -> dict[str, dict[str, float]]:
        """Give the shares of classes in the votes of a corpus that is mapped by `distribution`; empty for others.

        Returns:
            Utterance id -> class -> share, of those that `apply` labels.

        Raises:
            ProtocolError: for votes that the map does not cover.
        """
        if self.corpora[corpus].by != "distribution":
            return {}
        return {utt: shares for utt, (name, shares) in self._counted(corpus, utterances).items() if name}

    def _counted(
        self, corpus: str, utterances: Sequence[Utterance]
    ) -> dict[str, tuple[str | None, dict[str, float]]]:
        votes = {u.utt_id: parse_votes(u.votes) for u in utterances if u.votes}
        for utt, heard in votes.items():
            for emotion in heard:
                self._check_covered(corpus, utt, emotion)
        return {utt: self.corpora[corpus].counted(heard) for utt, heard in votes.items()}

    def _check_covered(self, corpus: str, utt: str, emotion: str | None) -> None:
        rules = self.corpora[corpus]
        if emotion not in rules.class_of and emotion not in rules.drop:
            raise ProtocolError(
                f"label map: corpora.{corpus}: {rules.by} '{emotion}' of '{utt}' is neither mapped nor dropped; "
                "add it to a class or to 'drop'"
            )

    def only(self, corpora: Sequence[str]) -> dict[str, Any]:
        """Give the map's entries of some corpora, as JSON; entries of other corpora do not matter."""
        return {"classes": self.classes} | {c: self.corpora[c].model_dump() for c in corpora if c in self.corpora}


def _emotion(utterance: Utterance, by: str) -> str | None:
    """Give the emotion that is mapped."""
    if by == "plurality":
        return plurality(parse_votes(utterance.votes)) if utterance.votes else "unknown"
    return getattr(utterance, by)
