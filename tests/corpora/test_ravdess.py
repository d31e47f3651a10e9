"""RAVDESS on a full-size fake release, and its known traps."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from ser.corpora.base import prepare
from ser.corpora.ravdess import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from ser.types import Utterance
from tests.fakes.ravdess import PAIR, STEREO, stems, write_release
from tests.fakes.wav import write_wav


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release that tests only read."""
    return write_release(tmp_path_factory.mktemp("ravdess") / "release")


@pytest.fixture(scope="module")
def data_dir(release):
    prepare(CORPUS, release, release.parent / "data")
    return release.parent / "data"


def test_full_release_gives_1440_utterances_in_a_valid_data_directory(data_dir):
    assert validate_data_dir(data_dir) == []
    info = read_json(data_dir / "corpus.json")
    assert (info["release"], info["n_utterances"], info["dropped"]) == ("full", 1440, {})
    assert info["utterances_per_speaker"] == {f"ravdess-{actor:02}": 60 for actor in range(1, 25)}
    utterances = read_data_dir(data_dir)
    assert Counter((u.emotion_native, u.emotion) for u in utterances) == {
        ("01", "neutral"): 96, ("02", "calm"): 192, ("03", "happy"): 192, ("04", "sad"): 192,
        ("05", "angry"): 192, ("06", "fearful"): 192, ("07", "disgusted"): 192, ("08", "surprised"): 192,
    }  # fmt: skip
    assert Counter((u.speaker, u.emotion) for u in utterances) == {
        (f"ravdess-{actor:02}", emotion): 4 if emotion == "neutral" else 8
        for actor in range(1, 25)
        for emotion in CORPUS.counts
    }


def test_every_field_of_an_utterance(tmp_path):
    wav = write_wav(tmp_path / "Actor_12/03-01-06-01-02-01-12.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="ravdess-12-03-01-06-01-02-01-12",
            speaker="ravdess-12",
            wav=str(wav),
            emotion="fearful",
            emotion_native="06",
            gender="f",
            language="en",
            text_id="02",
        )
    ]


def test_odd_actors_are_men_and_even_ones_women(data_dir):
    gender = read_map(data_dir / "spk2gender")
    assert gender == {f"ravdess-{actor:02}": "fm"[actor % 2] for actor in range(1, 25)}


def test_song_files_are_left_out_and_told(tmp_path):
    """They are other takes: a parser that globs `*.wav` mixes them in."""
    speech = write_wav(tmp_path / "Actor_01/03-01-03-01-01-01-01.wav")
    write_wav(tmp_path / "Actor_01/03-02-03-01-01-01-01.wav")
    parsed = parse(tmp_path)
    assert [u.wav for u in parsed.utterances] == [str(speech)]
    assert parsed.dropped == {"Actor_01/03-02-03-01-01-01-01.wav": "song"}


def test_audio_of_video_files_is_left_out_and_told(tmp_path):
    """It is a copy of the same audio under another name: one copy in training, the other in test."""
    speech = write_wav(tmp_path / "Actor_01/03-01-03-01-01-01-01.wav")
    for modality in ("01", "02"):
        write_wav(tmp_path / f"Actor_01/{modality}-01-03-01-01-01-01.wav")
    parsed = parse(tmp_path)
    assert [u.wav for u in parsed.utterances] == [str(speech)]
    assert parsed.dropped == {
        f"Actor_01/{modality}-01-03-01-01-01-01.wav": "audio of a video file" for modality in ("01", "02")
    }


def test_kaggles_nested_copy_is_read_once(release, tmp_path, capsys):
    """A parser that globs all levels finds 2,880 files."""
    shutil.copytree(release, tmp_path / "release")
    shutil.copytree(release, tmp_path / "release/audio_speech_actors_01-24")
    assert prepare(CORPUS, tmp_path / "release", tmp_path / "data")
    assert "  left out: 1440 x second copy of a file\n" in capsys.readouterr().out
    wavs = read_map(tmp_path / "data/wav.scp")
    assert len(wavs) == 1440
    assert not any("audio_speech_actors" in wav for wav in wavs.values())
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["release"], len(info["dropped"])) == ("full", 1440)


def test_nested_copy_that_differs_is_refused(tmp_path):
    name = "Actor_02/03-01-03-01-01-01-02.wav"
    write_wav(tmp_path / name, n_samples=50)
    write_wav(tmp_path / "audio_speech_actors_01-24" / name, n_samples=49)
    with pytest.raises(DataError) as error:
        parse(tmp_path)
    assert str(error.value) == (
        f"ravdess: 'audio_speech_actors_01-24/{name}' and '{name}' have one name and different sizes; "
        "keep the right one"
    )


def test_stereo_file_is_counted_and_has_its_own_length(data_dir):
    """A reader that takes the samples of both channels for one doubles its duration."""
    info = read_json(data_dir / "corpus.json")
    assert info["formats"] == {"48000 Hz, 1 channel(s)": 1439, "48000 Hz, 2 channel(s)": 1}
    stereo = next(u for u in read_data_dir(data_dir) if STEREO in u.utt_id)
    assert stereo.duration == round(50 / 48000, 6)


def test_identical_pair_stays_two_utterances_with_one_hash(data_dir):
    """The release holds both; dropping one gives 1,439 and seven files of an emotion for actor 7."""
    hashes = read_map(data_dir / "utt2hash")
    one, two = (f"ravdess-07-{stem}" for stem in PAIR)
    assert hashes[one] == hashes[two]
    assert len(set(hashes.values())) == 1439


def test_hidden_copies_are_skipped(tmp_path):
    stem = stems()[0]
    for path in (f"Actor_01/{stem}.wav", f"Actor_01/._{stem}.wav", f"__MACOSX/Actor_01/._{stem}.wav",
                 f"__MACOSX/Actor_01/{stem}.wav"):  # fmt: skip
        write_wav(tmp_path / path)
    parsed = parse(tmp_path)
    assert [u.utt_id for u in parsed.utterances] == [f"ravdess-01-{stem}"]
    assert parsed.dropped == {}


@pytest.mark.parametrize(
    "stem",
    [
        "03-01-09-01-01-01-01",  # no ninth emotion
        "03-01-00-01-01-01-01",
        "04-01-01-01-01-01-01",
        "03-03-01-01-01-01-01",
        "03-01-01-03-01-01-01",
        "03-01-01-01-03-01-01",
        "03-01-01-01-01-03-01",
        "03-01-01-01-01-01-25",
        "03-01-01-01-01-01-00",
        "03-01-01-01-01-01",
        "03-01-01-01-01-01-01-01",
        "3-1-1-1-1-1-1",
        "03-01-01-01-01-01-01 copy",
        "song",
    ],
)
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    write_wav(tmp_path / "Actor_01" / f"{stem}.wav")
    with pytest.raises(DataError) as error:
        parse(tmp_path)
    assert str(error.value) == (
        f"Actor_01/{stem}.wav: name does not follow the release's grammar (as in '03-01-06-01-02-01-12'); "
        "remove the file or restore its name"
    )
