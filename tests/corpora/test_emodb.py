"""EMO-DB on a full-size fake release, and its known traps."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.corpora.base import prepare
from ser.corpora.emodb import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from ser.types import Utterance
from tests.fakes.emodb import LETTERS, PER_SPEAKER, write_release
from tests.fakes.wav import write_wav

GERMAN = {
    "W": "angry",  # Wut
    "L": "bored",  # Langeweile
    "E": "disgusted",  # Ekel
    "A": "fearful",  # Angst
    "F": "happy",  # Freude
    "T": "sad",  # Trauer
    "N": "neutral",
}


def test_full_release_gives_535_utterances_in_a_valid_data_directory(tmp_path):
    assert prepare(CORPUS, write_release(tmp_path / "release"), tmp_path / "data")
    assert validate_data_dir(tmp_path / "data") == []
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["release"], info["n_utterances"], info["dropped"]) == ("full", 535, {})
    assert info["emotions"] == {
        "angry": 127, "bored": 81, "disgusted": 46, "fearful": 69, "happy": 71, "sad": 62, "neutral": 79,
    }  # fmt: skip
    assert info["formats"] == {"16000 Hz, 1 channel(s)": 535}
    assert Counter((u.speaker, u.emotion) for u in read_data_dir(tmp_path / "data")) == {
        (f"emodb-{speaker}", GERMAN[letter]): n
        for speaker, counts in PER_SPEAKER.items()
        for letter, n in zip(LETTERS, counts, strict=True)
        if n
    }


def test_every_field_of_an_utterance(tmp_path):
    wav = write_wav(tmp_path / "wav/14b10Ed.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="emodb-14-14b10Ed",
            speaker="emodb-14",
            wav=str(wav),
            emotion="disgusted",
            emotion_native="E",
            gender="f",
            language="de",
            text_id="b10",
        )
    ]


@pytest.mark.parametrize("letter, emotion", GERMAN.items())
def test_letters_are_german_initials_not_english_ones(tmp_path, letter, emotion):
    """A parser that reads English takes A for anger, F for fear and E for excitement."""
    write_wav(tmp_path / f"wav/03a01{letter}a.wav")
    assert [(u.emotion, u.emotion_native) for u in parse(tmp_path).utterances] == [(emotion, letter)]


def test_sex_is_told_by_table_not_by_odd_and_even(tmp_path):
    """The rule of RAVDESS is wrong for five of the ten speakers."""
    for speaker in PER_SPEAKER:
        write_wav(tmp_path / f"wav/{speaker}a01Na.wav")
    gender = {u.speaker[-2:]: u.gender for u in parse(tmp_path).utterances}
    assert [speaker for speaker, sex in gender.items() if sex == "m"] == ["03", "10", "11", "12", "15"]
    assert [speaker for speaker, sex in gender.items() if sex == "f"] == ["08", "09", "13", "14", "16"]


@pytest.mark.parametrize("folder", ["wav", "wav_corpus", ".", "download/wav"])
def test_mirrors_name_the_folder_differently(tmp_path, folder):
    prepare(CORPUS, write_release(tmp_path / "release", folder=folder), tmp_path / "data")
    assert len(read_map(tmp_path / "data/wav.scp")) == 535


def test_hidden_copies_are_skipped(tmp_path):
    for path in ("wav/03a01Fa.wav", "wav/._03a01Fa.wav", "wav/__MACOSX/03a01Fa.wav", "wav/.trash/03a01Wa.wav"):
        write_wav(tmp_path / path)
    assert [u.utt_id for u in parse(tmp_path).utterances] == ["emodb-03-03a01Fa"]


@pytest.mark.parametrize(
    "stem",
    [
        "01a01Fa",  # speakers are not 1 to 10
        "04a01Fa",
        "17a01Fa",
        "3a01Fa",
        "03c01Fa",
        "03a1Fa",
        "03a01Xa",
        "03a01fa",
        "03a01F",
        "03a01Fab",
        "03a01Fa (1)",
        "x03a01Fa",
    ],
)
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    write_wav(tmp_path / "wav/03a01Fa.wav")
    write_wav(tmp_path / "wav" / f"{stem}.wav")
    with pytest.raises(DataError) as error:
        parse(tmp_path)
    assert str(error.value) == (
        f"wav/{stem}.wav: name does not follow the release's grammar (as in '03a01Fa'); "
        "remove the file or restore its name"
    )


def test_more_files_than_the_historic_release_are_not_taken_for_it(tmp_path, capsys):
    """Version 2.0 may hold more."""
    write_wav(write_release(tmp_path / "release") / "wav/03b10Az.wav")
    with pytest.raises(DataError, match="counts that differ from the full release"):
        prepare(CORPUS, tmp_path / "release", tmp_path / "data")
    assert "  fearful            69     70      70  <-\n" in capsys.readouterr().out


def test_one_name_in_two_folders_is_refused_not_overwritten(tmp_path):
    for seed, folder in enumerate(("wav", "wav/more")):
        write_wav(tmp_path / "release" / folder / "03a01Fa.wav", seed)
    with pytest.raises(DataError, match="'emodb-03-03a01Fa' stands for both '.*/wav/03a01Fa.wav' and '.*/more/03"):
        prepare(CORPUS, tmp_path / "release", tmp_path / "data", allow_partial=True)
    assert not (tmp_path / "data").exists()
