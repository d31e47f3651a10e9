"""ShEMO: grammar and known traps."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.corpora.shemo import CORPUS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

PUBLISHED = {"A": 1059, "F": 38, "H": 201, "N": 1028, "S": 449, "W": 225}


def names():
    """Yield as many paths as the release has per emotion, of 31 women and 56 men in turn."""
    people = [("female", f"F{n:02}") for n in range(1, 32)] + [("male", f"M{n:02}") for n in range(1, 57)]
    for letter, count in PUBLISHED.items():
        for n in range(count):
            folder, speaker = people[n % len(people)]
            yield f"{folder}/{speaker}{letter}{n // len(people) + 1:02}.wav"


def test_full_release_has_3000_files_of_87_speakers(tmp_path):
    utterances = parse(touch(tmp_path, names())).utterances
    assert len(utterances) == sum(PUBLISHED.values()) == 3000
    assert Counter(u.emotion for u in utterances) == CORPUS.counts
    assert Counter({u.speaker: u.gender for u in utterances}.values()) == {"f": 31, "m": 56}


def test_every_field_of_an_utterance(tmp_path):
    (wav,) = touch(tmp_path, ["female/F14A09.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="shemo-F14-F14A09",
            speaker="shemo-F14",
            wav=str(wav),
            emotion="angry",
            emotion_native="A",
            gender="f",
            language="fa",
        )
    ]


def test_f_is_a_woman_first_and_fear_later_and_a_number_alone_is_no_speaker(tmp_path):
    touch(tmp_path, ["male/M02F01.wav", "female/F02W01.wav"])
    assert [(u.speaker, u.gender, u.emotion) for u in parse(tmp_path).utterances] == [
        ("shemo-F02", "f", "surprised"),
        ("shemo-M02", "m", "fearful"),
    ]


@pytest.mark.parametrize("stem", ["X02F01", "M2F01", "M02D01", "M02F1", "M02F0001"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"male/{stem}.wav"])
    with pytest.raises(DataError, match=f"^male/{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
