"""Label maps: from a corpus' canonical emotions to the classes of a task (`conf/labels/*.yaml`).

A class must never vanish: every emotion of a corpus has to be mapped or dropped by name, every class has to get
utterances, and a full release has to give the expected counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import Field, model_validator

from ser.config import ConfigModel
from ser.errors import ProtocolError, unknown
from ser.types import EMOTIONS, Utterance


class CorpusLabels(ConfigModel):
    """One corpus' part of a label map."""

    map: dict[str, list[str]] = Field(description="class -> canonical emotions")
    drop: list[str] = []
    expected: dict[str, int] = Field(description="class -> utterances in the full release")

    @model_validator(mode="after")
    def _known_words(self) -> CorpusLabels:
        words = [word for emotions in self.map.values() for word in emotions] + self.drop
        for word in words:
            if word not in EMOTIONS:
                raise ValueError(f"emotion {unknown(word, EMOTIONS)}")
            if words.count(word) > 1:
                raise ValueError(f"emotion '{word}' stands twice")
        if set(self.expected) != set(self.map):
            raise ValueError(f"'expected' names {sorted(self.expected)}, 'map' names {sorted(self.map)}")
        return self


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
            if missing := set(self.classes) - set(labels.map):
                raise ValueError(f"corpora.{corpus}.map: class '{min(missing)}' has no emotion")
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
        class_of = {emotion: name for name, emotions in rules.map.items() for emotion in emotions}
        for utterance in utterances:
            if utterance.emotion not in class_of and utterance.emotion not in rules.drop:
                raise ProtocolError(
                    f"label map: corpora.{corpus}: emotion '{utterance.emotion}' of '{utterance.utt_id}' is "
                    "neither mapped nor dropped; add it to a class or to 'drop'"
                )
        labelled = {u.utt_id: class_of[u.emotion] for u in utterances if u.emotion in class_of}
        found = Counter(labelled.values())
        if empty := [name for name in self.classes if not found[name]]:
            raise ProtocolError(f"label map: corpora.{corpus}: class '{empty[0]}' gets no utterance")
        if release == "full" and dict(found) != rules.expected:
            raise ProtocolError(
                f"label map: corpora.{corpus}: expected {dict(sorted(rules.expected.items()))} from the full "
                f"release, found {dict(sorted(found.items()))}"
            )
        return labelled
