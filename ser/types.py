"""The words and the record that all parts share.

Not here: how they are stored (`ser.data.data_dir`) or which classes a protocol makes of them (`ser.splits.labels`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EMOTIONS = (
    "angry", "happy", "sad", "neutral", "excited", "frustrated", "fearful",
    "disgusted", "surprised", "calm", "bored", "other", "unknown",
)  # fmt: skip
"""Canonical emotion words of `utt2emo`; a release's own code stays in `utt2emo_native`."""

TARGET_DATA = ("unlabelled-train", "unlabelled-test", "k-shot", "labelled")
"""What a row of a table may have seen of the target corpus; nothing reads `none`."""


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
    emotion_acted: str | None = None
    start: float | None = None  # seconds into the file, for a segment of it
    end: float | None = None


def escape(part: str, keep: str = "") -> str:
    """Percent-escape whatever may not stand in a part of an utterance id.

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
    speaker_id = f"{escape(corpus)}-{escape(speaker)}"
    return f"{speaker_id}-{escape(utterance, keep='-')}", speaker_id
