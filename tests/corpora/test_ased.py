"""ASED: grammar and known traps."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.corpora.ased import CORPUS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

PUBLISHED = {"n1": 522, "f2": 510, "h3": 486, "s4": 470, "a5": 486}
FOLDERS = {"n1": "01Neutral", "f2": "02Fearful", "h3": "03Happy", "s4": "04Sad", "a5": "05Angry"}


def names():
    """Yield as many paths as the release has per emotion; the first 25 of 65 speakers are women here."""
    takes = [(f"0{s}", rep, n) for s in range(1, 8) for rep in ("01", "02") for n in range(1, 66)]
    for code, count in PUBLISHED.items():
        for sentence, rep, speaker in takes[:count]:
            yield f"{FOLDERS[code]}/{code}-{sentence}-{rep}-{'01' if speaker <= 25 else '02'}-{speaker:02}.wav"


def test_full_release_has_2474_files_of_65_speakers(tmp_path):
    utterances = parse(touch(tmp_path, names())).utterances
    assert len(utterances) == 2474
    assert Counter(u.emotion for u in utterances) == CORPUS.counts
    assert Counter({u.speaker: u.gender for u in utterances}.values()) == {"f": 25, "m": 40}


def test_every_field_of_an_utterance(tmp_path):
    (wav,) = touch(tmp_path, ["05Angry/a5-03-01-02-50.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="ased-50-a5-03-01-02-50",
            speaker="ased-50",
            wav=str(wav),
            emotion="angry",
            emotion_native="a",
            gender="m",
            language="am",
            text_id="a03",
        )
    ]


def test_two_sentences_are_common_and_one_name_has_a_capital(tmp_path):
    touch(tmp_path, ["04Sad/S4-06-02-01-29.wav", "01Neutral/n1-06-02-01-29.wav", "04Sad/s4-05-02-01-29.wav"])
    assert {u.utt_id: u.text_id for u in parse(tmp_path).utterances} == {
        "ased-29-s4-06-02-01-29": "06", "ased-29-n1-06-02-01-29": "06", "ased-29-s4-05-02-01-29": "s05",
    }  # fmt: skip


@pytest.mark.parametrize(
    "stem", ["a6-03-01-02-50", "d1-03-01-02-50", "a5-08-01-02-50", "a5-03-01-03-50", "a5-03-01-02-66"]
)
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"{stem}.wav"])
    with pytest.raises(DataError, match=f"^{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
