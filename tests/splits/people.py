"""Utterances and corpora of invented people, for protocols that look at labels and speakers alone."""

from __future__ import annotations

from collections.abc import Sequence

from ser.types import Utterance

CLASSES = ("angry", "happy", "neutral", "sad")


def utterance(utt_id: str, emotion: str = "happy", gender: str = "f", **fields: str) -> Utterance:
    """Make an utterance whose audio is its own; the speaker is in the id."""
    values = {"audio_hash": f"hash of {utt_id}", "wav": f"/wavs/{utt_id}.wav", "duration": 1.5} | fields
    speaker = "-".join(utt_id.split("-")[:2])
    return Utterance(utt_id, speaker, emotion=emotion, emotion_native=emotion, gender=gender, language="en", **values)


def corpus(name: str, n_speakers: int, per_class: int, emotions: Sequence[str] = CLASSES) -> list[Utterance]:
    """Make a corpus in which man and woman alternate and each says the same number of each emotion."""
    return [
        utterance(f"{name}-{speaker:02}-{emotion}{i}", emotion, "mf"[speaker % 2 == 0])
        for speaker in range(1, n_speakers + 1)
        for emotion in emotions
        for i in range(per_class)
    ]
