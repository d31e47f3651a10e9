"""EmoV-DB: grammar and known traps."""

from __future__ import annotations

import pytest

from ser.corpora.emov_db import parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch


@pytest.mark.parametrize("folder", ["bea_Amused", "bea/Amused"])
def test_every_field_of_an_utterance(tmp_path, folder):
    (wav,) = touch(tmp_path, [f"EmoV-DB_sorted/{folder}/amused_1-28_0011.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="emov_db-bea-Amused_amused_1-28_0011",
            speaker="emov_db-bea",
            wav=str(wav),
            emotion="happy",
            emotion_native="Amused",
            gender="f",
            language="en",
            text_id="0011",
        )
    ]


def test_styles_are_the_folders_and_disgust_has_two_names(tmp_path):
    touch(tmp_path, ["jenie_Disgusted/disgust_1-28_0001.wav", "sam_Disgust/disgust_1-28_0001.wav"])
    touch(tmp_path, ["josh_Sleepy/sleepiness_57-84_0057.wav", "bea_Angry/anger_1-28_0002.wav"])
    assert [(u.speaker[8:], u.emotion, u.emotion_native) for u in parse(tmp_path).utterances] == [
        ("bea", "angry", "Angry"),
        ("jenie", "disgusted", "Disgusted"),
        ("josh", "other", "Sleepy"),
        ("sam", "disgusted", "Disgusted"),
    ]


@pytest.mark.parametrize("stem", ["amused_0011", "amused_1-28_011", "1-28_0011"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"bea_Amused/{stem}.wav"])
    with pytest.raises(DataError, match=f"^bea_Amused/{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)


@pytest.mark.parametrize("folder", ["tom_Amused", "bea_Sad", "Amused"])
def test_a_folder_of_nobody_is_refused(tmp_path, folder):
    touch(tmp_path, [f"{folder}/amused_1-28_0011.wav"])
    with pytest.raises(DataError, match=f"^{folder}/amused_1-28_0011.wav: is in no folder as 'bea_Amused'"):
        parse(tmp_path)
