"""Manifests for lhotse hold what a data directory holds."""

from __future__ import annotations

import dataclasses
import gzip
import json

import pytest

from ser.bin import data_dir as command
from ser.data.data_dir import write_data_dir
from ser.data.lhotse import export_lhotse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import write_wav


@pytest.fixture
def data_dir(tmp_path):
    """A whole file with everything known of it, and a segment of a file with two channels."""
    one, two = write_wav(tmp_path / "1.wav", 1, 16000), write_wav(tmp_path / "2.wav", 2, 32000, channels=2)
    whole = Utterance(
        "c-a-1", "c-a", str(one), "sad", "T", "f", "de", duration=1.0, audio_hash="x", session="s1", text_id="t",
        valence=2.5, votes="happy:1 sad:2", part="train",
    )  # fmt: skip
    part = Utterance(
        "c-b-2", "c-b", str(two), "happy", "F", None, "und", duration=0.5, audio_hash="y", session="s2", part="test",
        start=0.25, end=0.75,
    )  # fmt: skip
    whole = dataclasses.replace(whole, start=0.0, end=1.0)
    write_data_dir(tmp_path / "data", [whole, part], {"corpus": "c"})
    return tmp_path / "data"


def read(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def test_manifests_hold_what_the_data_directory_holds(data_dir, tmp_path, capsys):
    command.main(["lhotse", str(data_dir), str(tmp_path / "out")])
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 2 utterances of {data_dir} for lhotse\n"
    assert read(tmp_path / "out/recordings.jsonl.gz") == [
        {
            "id": "c-a-1",
            "sources": [{"type": "file", "channels": [0], "source": str(tmp_path / "1.wav")}],
            "sampling_rate": 16000, "num_samples": 16000, "duration": 1.0, "channel_ids": [0],
        },
        {
            "id": "c-b-2",
            "sources": [{"type": "file", "channels": [0, 1], "source": str(tmp_path / "2.wav")}],
            "sampling_rate": 16000, "num_samples": 32000, "duration": 2.0, "channel_ids": [0, 1],
        },
    ]  # fmt: skip
    assert read(tmp_path / "out/supervisions.jsonl.gz") == [
        {
            "id": "c-a-1", "recording_id": "c-a-1", "start": 0.0, "duration": 1.0, "channel": 0, "speaker": "c-a",
            "gender": "Female", "language": "de",
            "custom": {
                "emotion": "sad", "emotion_native": "T", "session": "s1", "text_id": "t", "part": "train",
                "valence": 2.5, "votes": {"happy": 1.0, "sad": 2.0},
            },
        },
        {
            "id": "c-b-2", "recording_id": "c-b-2", "start": 0.25, "duration": 0.5, "channel": [0, 1],
            "speaker": "c-b",
            "custom": {"emotion": "happy", "emotion_native": "F", "session": "s2", "part": "test"},
        },
    ]  # fmt: skip


def test_the_same_directory_gives_the_same_bytes(data_dir, tmp_path):
    for name in ("1", "2"):
        export_lhotse(data_dir, tmp_path / name)
    for file in ("recordings.jsonl.gz", "supervisions.jsonl.gz"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_missing_audio_is_named(data_dir, tmp_path):
    (tmp_path / "1.wav").unlink()
    with pytest.raises(DataError, match=r"1\.wav: .*; restore the file and run stage 1 again"):
        export_lhotse(data_dir, tmp_path / "out")
