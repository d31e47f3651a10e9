"""A data directory of six utterances of three speakers, and a look into it."""

from __future__ import annotations

import json
from pathlib import Path

from ser.data.data_dir import write_data_dir
from ser.types import Utterance, ids


def utterance(speaker: str, name: str, corpus: str = "c", **fields: object) -> Utterance:
    utt_id, speaker_id = ids(corpus, speaker, name)
    values = {
        "wav": f"/x/{name}.wav",
        "emotion": "happy",
        "emotion_native": "F",
        "gender": "f",
        "language": "de",
        "duration": 1.5,
        "audio_hash": "00ff",
    }
    return Utterance(utt_id, speaker_id, **{**values, **fields})


SIX = [
    utterance("a", "1", valence=1.5, duration=3.0),
    utterance("a", "2", emotion="sad", duration=0.25, wav='/x/l\'été $(touch pwned);`x` "q" & 2.wav'),
    utterance("a", "3", duration=0.5),
    utterance("b", "1", gender="m", valence=-3.0, duration=0.75),
    utterance("b", "2", gender="m", duration=1.0),
    utterance("d", "1", emotion="angry", duration=2.0),
]
IDS = [u.utt_id for u in SIX]


def write(path: Path, utterances: list[Utterance], **info: object) -> Path:
    about = {"corpus": "c", "title": "C", "licence": "free", "release": "full", "made_from": {"x": 1}}
    write_data_dir(path, utterances, about | info)
    return path


def info(path: Path) -> dict:
    return json.loads((path / "corpus.json").read_text())


def content(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def change(path: Path, name: str, old: bytes, new: bytes) -> None:
    text = (path / name).read_bytes()
    assert old in text
    (path / name).write_bytes(text.replace(old, new))
