"""ESD: grammar and known traps."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.corpora.esd import CORPUS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

FOLDERS = ("Neutral", "Angry", "Happy", "Sad", "Surprise")


def names(speaker: str):
    """Yield all paths of a speaker: 350 sentences of each emotion, one emotion after the other."""
    for number in range(1, 1751):
        yield f"{speaker}/{FOLDERS[(number - 1) // 350]}/{speaker}_{number:06}.wav"


def test_each_of_twenty_speakers_has_1750_files(tmp_path):
    found = [parse(touch(tmp_path / s, names(s))).utterances for s in ("0001", "0020")]
    for utterances in found:
        assert {e: 20 * n for e, n in Counter(u.emotion for u in utterances).items()} == CORPUS.counts
        assert set(Counter(u.text_id for u in utterances).values()) == {5}
    assert not {u.text_id for u in found[0]} & {u.text_id for u in found[1]}  # Mandarin and English


def test_five_women_and_five_men_speak_each_language(tmp_path):
    speakers = [f"{n:04}" for n in range(1, 21)]
    utterances = parse(touch(tmp_path, [f"{s}/Sad/{s}_001051.wav" for s in speakers])).utterances
    assert Counter((u.language, u.gender) for u in utterances) == {
        ("zh", "f"): 5, ("zh", "m"): 5, ("en", "f"): 5, ("en", "m"): 5,
    }  # fmt: skip


def test_every_field_of_an_utterance_in_an_official_part(tmp_path):
    (wav,) = touch(tmp_path, ["0013/Angry/evaluation/0013_000351.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="esd-0013-0013_000351",
            speaker="esd-0013",
            wav=str(wav),
            emotion="angry",
            emotion_native="Angry",
            gender="m",
            language="en",
            text_id="en001",
            part="dev",
        )
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("0021/Sad/0021_001051", "name does not follow"),
        ("0001/Sad/0001_1051", "name does not follow"),
        ("0001/Sad/0001_001751", "found number 001751, expected 000001 to 001750"),
        ("0001/Sad/0001_000000", "found number 000000, expected 000001 to 001750"),
        ("0001/Sad/0001_000351", "number 000351 is in no folder 'Angry'; move it back"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path, name, message):
    touch(tmp_path, [f"{name}.wav"])
    with pytest.raises(DataError, match=f"^{name}.wav: {message}"):
        parse(tmp_path)
