"""SAVEE on full-size fake releases in its three layouts, and its known traps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ser.corpora.base import prepare
from ser.corpora.savee import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from ser.types import Utterance
from tests.fakes.savee import LAYOUTS, write_release
from tests.fakes.wav import write_wav


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_480_utterances_in_a_valid_data_directory(tmp_path, layout):
    assert prepare(CORPUS, write_release(tmp_path / "release", layout), tmp_path / "data")
    assert validate_data_dir(tmp_path / "data") == []
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["release"], info["n_utterances"]) == ("full", 480)
    assert info["utterances_per_speaker"] == {f"savee-{s}": 120 for s in ("DC", "JE", "JK", "KL")}
    utterances = read_data_dir(tmp_path / "data")
    assert Counter((u.emotion_native, u.emotion) for u in utterances) == {
        ("a", "angry"): 60, ("d", "disgusted"): 60, ("f", "fearful"): 60, ("h", "happy"): 60,
        ("n", "neutral"): 120, ("sa", "sad"): 60, ("su", "surprised"): 60,
    }  # fmt: skip
    assert {u.gender for u in utterances} == {"m"}


def test_all_layouts_give_the_same_ids_and_labels(tmp_path):
    maps = []
    for layout in LAYOUTS:
        prepare(CORPUS, write_release(tmp_path / layout / "release", layout), tmp_path / layout / "data")
        names = ("utt2spk", "utt2emo", "utt2text_id", "utt2hash")
        maps.append([read_map(tmp_path / layout / "data" / name) for name in names])
    assert maps[0] == maps[1] == maps[2]


def test_every_field_of_an_utterance(tmp_path):
    wav = write_wav(tmp_path / "AudioData/JK/su07.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="savee-JK-su07",
            speaker="savee-JK",
            wav=str(wav),
            emotion="surprised",
            emotion_native="su",
            gender="m",
            language="en",
            text_id="su07",
        )
    ]


@pytest.mark.parametrize("stem, emotion", [("sa01", "sad"), ("su01", "surprised"), ("a01", "angry")])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_letter_codes_are_not_cut_to_their_first_letter(tmp_path, layout, stem, emotion):
    write_wav(tmp_path / LAYOUTS[layout].format(speaker="DC", stem=stem))
    assert [u.emotion for u in parse(tmp_path).utterances] == [emotion]


def test_four_speakers_with_one_file_name_are_four_utterances_not_the_last_alone(tmp_path):
    for seed, speaker in enumerate(("DC", "JE", "JK", "KL")):
        write_wav(tmp_path / "AudioData" / speaker / "d03.wav", seed)
    assert [u.utt_id for u in parse(tmp_path).utterances] == [
        "savee-DC-d03", "savee-JE-d03", "savee-JK-d03", "savee-KL-d03",
    ]  # fmt: skip


def test_hidden_copies_are_skipped(tmp_path):
    assert (write_release(tmp_path) / "AudioData/DC/._d03.wav").exists()
    assert len(parse(tmp_path).utterances) == 480


def test_file_in_two_layouts_is_counted_once_and_the_copy_told(tmp_path):
    for layout in ("official", "flat"):
        write_wav(tmp_path / LAYOUTS[layout].format(speaker="DC", stem="d03"))
    parsed = parse(tmp_path)
    assert [u.wav for u in parsed.utterances] == [str(tmp_path / "AudioData/DC/d03.wav")]
    assert parsed.dropped == {"ALL/DC_d03.wav": "second copy of a file"}


def test_two_different_files_for_one_utterance_are_refused(tmp_path):
    for seed, layout in enumerate(("official", "flat")):
        write_wav(tmp_path / LAYOUTS[layout].format(speaker="DC", stem="d03"), seed)
    with pytest.raises(DataError, match="savee: 'ALL/DC_d03.wav' and 'AudioData/DC/d03.wav' differ"):
        parse(tmp_path)


@pytest.mark.parametrize(
    "path, message",
    [
        ("AudioData/DC/s01.wav", "AudioData/DC/s01.wav: name does not follow .*'DC_sa03' or 'DC/sa03'"),
        ("AudioData/DC/sad01.wav", "name does not follow"),
        ("AudioData/DC/a1.wav", "name does not follow"),
        ("ALL/XX_a01.wav", "name does not follow"),
        (
            "AudioData/a01.wav",
            "AudioData/a01.wav: neither the name nor the folder gives the speaker; expected one of DC",
        ),
        ("AudioData/DC/KL_a01.wav", "AudioData/DC/KL_a01.wav: speaker 'KL' in folder 'DC'"),
    ],
)
def test_name_that_tells_no_emotion_or_no_speaker_is_refused(tmp_path, path, message):
    write_wav(tmp_path / path)
    with pytest.raises(DataError, match=message):
        parse(tmp_path)


def test_file_less_is_no_full_release(tmp_path, capsys):
    (write_release(tmp_path / "release") / "AudioData/KL/n30.wav").unlink()
    with pytest.raises(DataError, match="counts that differ from the full release"):
        prepare(CORPUS, tmp_path / "release", tmp_path / "data")
    assert "neutral           120    119     119  <-" in capsys.readouterr().out


def test_release_below_a_name_with_spaces_quotes_and_accents(tmp_path):
    release = tmp_path / "l'été; $(touch x) |"
    write_wav(release / "AudioData/DC/a01.wav")
    prepare(CORPUS, release, tmp_path / "data", allow_partial=True)
    wav: str = read_map(tmp_path / "data/wav.scp")["savee-DC-a01"]
    assert Path(wav) == release / "AudioData/DC/a01.wav"
