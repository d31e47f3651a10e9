"""The words and the record that all parts share.

Not here: how they are stored (`ser.data.maps`) or which classes a protocol makes of them (`ser.splits.labels`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

EMOTIONS = (
    "angry", "happy", "sad", "neutral", "excited", "frustrated", "fearful",
    "disgusted", "surprised", "calm", "bored", "other", "unknown",
)  # fmt: skip
"""Canonical emotion words of `utt2emo`; a release's own code stays in `utt2emo_native`."""

TARGET_DATA = ("unlabelled-train", "unlabelled-test", "k-shot", "labelled")
"""The data that a row of a table may have seen of the target corpus; nothing is written as `none`."""


@dataclass(frozen=True)
class Utterance:
    """The smallest labelled unit: one audio file or a segment of it, and what its release says about it.

    Ratings stand on the release's own scale; `duration` is in seconds; `audio_hash` names the samples
    themselves, so that two copies of one recording have the same.
    """

    utt_id: str
    speaker: str
    wav: str
    emotion: str
    emotion_native: str
    gender: str | None  # m or f
    language: str  # ISO 639-1, or und
    duration: float | None = None
    audio_hash: str | None = None
    session: str | None = None
    text_id: str | None = None
    arousal: float | None = None
    valence: float | None = None
    dominance: float | None = None
    emotion_acted: str | None = None  # where `emotion` is what listeners heard
    emotion_rated: str | None = None  # what listeners heard, where `emotion` is what was acted
    votes: str | None = None  # what single listeners heard, as `format_votes` writes it
    part: str | None = None  # of the official partition: train, dev, test or what the release calls another test set
    start: float | None = None  # seconds into the file, for a segment of it
    end: float | None = None
    channels: str | None = None  # of the file, those that are averaged: numbers from 1, as 2 or 1,3; None for all
    fingerprint: str | None = None  # of what is heard, see `ser.data.fingerprint`
    recording: str | None = None  # an id that copies of one recording share; stage 2 finds them


def format_votes(votes: Mapping[str, float]) -> str:
    """Write votes as `utt2votes` has them: canonical emotions in alphabetical order, at most six digits.

    Example:
        >>> format_votes({"sad": 0.5, "angry": 2, "happy": 0})
        'angry:2 sad:0.5'
    """
    return " ".join(f"{emotion}:{n:.6g}" for emotion, n in sorted(votes.items()) if n)


def parse_votes(text: str) -> dict[str, float]:
    """Read what `format_votes` writes.

    Raises:
        ValueError: for a word that is no emotion or stands twice, or a number that is not above 0.

    Example:
        >>> parse_votes("angry:2 sad:0.5")
        {'angry': 2.0, 'sad': 0.5}
    """
    votes: dict[str, float] = {}
    for entry in text.split(" "):
        emotion, _, number = entry.partition(":")
        if emotion not in EMOTIONS or emotion in votes or not 0 < float(number) < math.inf:
            raise ValueError(f"found '{entry}'")
        votes[emotion] = float(number)
    return votes


def plurality(votes: Mapping[str, float]) -> str:
    """Name the emotion with the most votes; `unknown` for none or a tie.

    Example:
        >>> plurality({"angry": 2, "sad": 1}), plurality({"angry": 1, "sad": 1})
        ('angry', 'unknown')
    """
    most = max(votes.values(), default=0.0)
    winners = [emotion for emotion, n in votes.items() if n == most]
    return winners[0] if len(winners) == 1 else "unknown"


ROTATION = "rotation"
DIRECTION = " > "
"""Between source and target."""


@dataclass(frozen=True)
class Condition:
    """An evaluation condition; one table of results is about one condition.

    Its text is a heading, `5 shots` or `four_class: emodb, rotation`. Its `key` names it in metrics.json, where the
    task is known, in published.yaml and in draws. `parse` reads both.

    Attributes:
        task: of the recipe, "" where it has one set of classes.
        corpus: the tested one, "" where it is not known, as in a key `5`.
        shots: labelled utterances per class of the target; 0 of a system that uses none; None in a recipe without.
        rotation: whether every fold of the corpus was held out in turn.
        source: what was trained on, in a recipe with several sources: `ravdess > emodb, 5 shots`.
    """

    task: str = ""
    corpus: str = ""
    shots: int | None = None
    rotation: bool = False
    source: str = ""

    def __str__(self) -> str:
        shots = {None: "", 0: "no shots"}.get(self.shots, f"{self.shots} shots")
        return self._text(shots)

    @property
    def key(self) -> str:
        """Short form: `5`, `emodb`, `four_class: emodb, rotation`."""
        return self._text("" if self.shots is None else str(self.shots))

    def _text(self, shots: str) -> str:
        place = f"{self.source}{DIRECTION}{self.corpus}" if self.source else self.corpus
        place = f"{self.task}: {place}" if self.task else place
        if shots and not self.task and not self.source:  # a recipe with shots and without tasks has one target
            place = ""
        return ", ".join(filter(None, (place, shots, ROTATION if self.rotation else "")))

    @classmethod
    def parse(cls, text: str | int, task: str = "", corpus: str = "") -> Condition:
        """Read a text or a key.

        Args:
            text: `5`, `5 shots`, `emodb`, `four_class: emodb`, `emodb, rotation`, `ravdess > emodb, 5`.
            task, corpus: where the text names none.

        Raises:
            ValueError: for anything else.

        Example:
            >>> Condition.parse("four_class: emodb, rotation")
            Condition(task='four_class', corpus='emodb', shots=None, rotation=True, source='')
            >>> str(Condition.parse(5, corpus="emodb"))
            '5 shots'
            >>> Condition.parse("a+b > emodb, 0", task="arousal").source
            'a+b'
        """
        own_task, _, rest = str(text).rpartition(": ")
        found: dict[str, Any] = {}
        for part in rest.split(", "):
            shots = re.fullmatch(r"(no|[0-9]+) shots|([0-9]+)", part)
            name = "shots" if shots else ROTATION if part == ROTATION else "corpus"
            if not part or name in found:
                raise ValueError(f"found '{text}'; allowed are a number of shots, CORPUS, or TASK: CORPUS")
            found[name] = int((shots[1] or shots[2]).replace("no", "0")) if shots else part
        source, _, tested = found.get("corpus", corpus).rpartition(DIRECTION)
        return cls(own_task or task, tested, found.get("shots"), ROTATION in found, source)

    @property
    def json(self) -> dict[str, Any]:
        """Its form in RESULTS.json, the fields by name; a source only where there is one."""
        return {name: value for name, value in asdict(self).items() if name != "source" or value}


def escape(part: str, keep: str = "") -> str:
    """Percent-escape the characters that a part of an utterance id may not have.

    Args:
        part: speaker or utterance as the release names it.
        keep: further characters that may stay; `-` for the utterance part.

    Example:
        >>> escape("s05 (3)"), escape("03-01", keep="-"), escape("é")
        ('s05%20%283%29', '03-01', '%C3%A9')
    """
    legal = re.compile(f"[A-Za-z0-9_.{re.escape(keep)}]")
    return "".join(c if legal.fullmatch(c) else "".join(f"%{byte:02X}" for byte in c.encode()) for c in part)


def ids(corpus: str, speaker: str, utterance: str) -> tuple[str, str]:
    """Make the utterance id and the speaker id, both unique across corpora.

    Example:
        >>> ids("emodb", "03", "03a01Fa")
        ('emodb-03-03a01Fa', 'emodb-03')
    """
    speaker_id = f"{escape(corpus)}-{escape(name_of(speaker))}"
    return f"{speaker_id}-{escape(name_of(utterance), keep='-')}", speaker_id


_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
"""Zero-width characters and soft hyphens, which nobody sees in a table."""


def name_of(text: str) -> str:
    """Bring a name to its one spelling: NFC, without invisible characters, white space at the ends, or runs of it.

    Example:
        >>> name_of(" Jose\u0301\u00a0"), name_of("Anna\u200b")
        ('José', 'Anna')
    """
    visible = unicodedata.normalize("NFC", text).translate(dict.fromkeys(map(ord, _INVISIBLE)))
    return " ".join(visible.split())


def sounds_as(name: str) -> str:
    """Give what names that people would take for one have in common: without case, numbers by their value.

    Example:
        >>> sounds_as("Anna") == sounds_as("anna"), sounds_as("01") == sounds_as("1.0")
        (True, True)
    """
    folded = unicodedata.normalize("NFC", name_of(name).casefold())
    return str(Decimal(folded).normalize()) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", folded) else folded
