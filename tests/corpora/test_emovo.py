"""EMOVO on a full-size fake release, and its known traps."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from ser.corpora.base import prepare
from ser.corpora.emovo import CORPUS, parse
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from ser.types import Utterance
from tests.fakes.emovo import write_release
from tests.fakes.wav import write_wav


def test_full_release_gives_588_utterances_in_a_valid_data_directory(tmp_path):
    prepare(CORPUS, write_release(tmp_path / "EMOVO"), tmp_path / "data")
    assert validate_data_dir(tmp_path / "data") == []
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["release"], info["n_utterances"], info["n_speakers"], info["dropped"]) == ("full", 588, 6, {})
    assert info["emotions"] == dict.fromkeys(
        ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"), 84
    )
    assert info["formats"] == {"48000 Hz, 2 channel(s)": 588}


def test_every_actor_says_every_sentence_with_every_emotion_once(tmp_path):
    utterances = parse(write_release(tmp_path)).utterances
    assert set(Counter((u.speaker, u.emotion, u.text_id) for u in utterances).values()) == {1}
    assert set(Counter(u.speaker for u in utterances).values()) == {98}
    assert {u.speaker for u in utterances if u.gender == "f"} == {"emovo-f1", "emovo-f2", "emovo-f3"}
    assert len({u.text_id for u in utterances}) == 14


def test_every_field_of_an_utterance(tmp_path):
    wav = write_wav(tmp_path / "m2/gio-m2-d1.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="emovo-m2-gio-m2-d1",
            speaker="emovo-m2",
            wav=str(wav),
            emotion="happy",
            emotion_native="gio",
            gender="m",
            language="it",
            text_id="d1",
        )
    ]


@pytest.mark.parametrize(
    ("code", "emotion"),
    [("dis", "disgusted"), ("gio", "happy"), ("neu", "neutral"), ("pau", "fearful"), ("rab", "angry"),
     ("sor", "surprised"), ("tri", "sad")],
)  # fmt: skip
def test_codes_are_italian(tmp_path, code, emotion):
    write_wav(tmp_path / f"f1/{code}-f1-b1.wav")
    assert [u.emotion for u in parse(tmp_path).utterances] == [emotion]


@pytest.mark.parametrize("stem", ["rab-f1-b4", "rab-f4-b1", "rab-f1-l5", "rab-f1-n6", "ang-f1-b1", "rab-f1"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    write_wav(tmp_path / f"f1/{stem}.wav")
    with pytest.raises(DataError, match=f"^f1/{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)


def test_a_file_in_another_actors_folder_is_refused(tmp_path):
    write_wav(tmp_path / "f1/rab-f2-b1.wav")
    with pytest.raises(DataError, match="^f1/rab-f2-b1.wav: actor 'f2' in folder 'f1'; move it back"):
        parse(tmp_path)


def test_a_nested_copy_is_left_out_and_a_different_file_is_refused(tmp_path):
    wav = write_wav(tmp_path / "f1/rab-f1-b1.wav")
    copy = tmp_path / "EMOVO/f1/rab-f1-b1.wav"
    copy.parent.mkdir(parents=True)
    shutil.copy(wav, copy)
    parsed = parse(tmp_path)
    assert [u.wav for u in parsed.utterances] == [str(wav)]
    assert parsed.dropped == {"EMOVO/f1/rab-f1-b1.wav": "second copy of a file"}
    write_wav(copy, seed=1)
    with pytest.raises(DataError, match="'EMOVO/f1/rab-f1-b1.wav' and 'f1/rab-f1-b1.wav' .* differ"):
        parse(tmp_path)
