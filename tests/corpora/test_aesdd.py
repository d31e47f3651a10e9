from collections import Counter
from pathlib import Path

import pytest

from ser.corpora import aesdd
from ser.corpora.base import prepare
from ser.data.data_dir import read_data_dir
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from tests.fakes.aesdd import names, write_release
from tests.fakes.wav import write_wav

COUNTS = {"angry": 121, "disgusted": 122, "fearful": 120, "happy": 119, "sad": 122}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("aesdd") / "Acted Emotional Speech Dynamic Database")


@pytest.fixture(scope="module")
def utterances(release):
    return {Path(u.wav).stem: u for u in aesdd.parse(release).utterances}


def test_605_files_are_604_utterances_and_the_unusable_one(release, utterances):
    assert len(list(names())) == 605
    assert len(utterances) == len({u.utt_id for u in utterances.values()}) == 604
    assert aesdd.parse(release).dropped == {"sadness/s05 (3).wav": "no audio in the release's file"}


def test_full_release_has_the_published_counts(utterances):
    assert Counter(u.emotion for u in utterances.values()) == COUNTS == aesdd.CORPUS.counts
    # 100 per speaker; 5 has nine further takes and lacks d18 and the plain s01, 4 lacks f02, 3 h11 and s05
    assert Counter(u.speaker for u in utterances.values()) == {
        "aesdd-1": 100, "aesdd-2": 100, "aesdd-3": 98, "aesdd-4": 99, "aesdd-5": 107, "aesdd-6": 100,
    }  # fmt: skip


def test_prepares_whole_in_spite_of_the_unusable_file(release, tmp_path, capsys):
    prepare(aesdd.CORPUS, release, tmp_path / "aesdd")
    assert validate_data_dir(tmp_path / "aesdd") == []
    info = read_json(tmp_path / "aesdd/corpus.json")
    assert (info["release"], info["n_utterances"]) == ("full", 604)
    assert "left out: 1 x no audio in the release's file" in capsys.readouterr().out


def test_spaces_and_brackets_survive_in_paths_and_are_escaped_in_ids(release, tmp_path, capsys):
    prepare(aesdd.CORPUS, release, tmp_path / "aesdd")
    read = {u.utt_id: u.wav for u in read_data_dir(tmp_path / "aesdd")}
    assert read["aesdd-4-a03%20%284%29"] == str(release.resolve() / "anger/a03 (4).wav")
    assert all(Path(wav).is_file() for wav in read.values())


def test_further_takes_are_utterances_of_their_own_where_a_naive_id_would_merge_them(utterances):
    assert utterances["f18 (5)"].utt_id == "aesdd-5-f18%20%285%29"
    assert utterances["f18 (5)b"].utt_id == "aesdd-5-f18%20%285%29b"
    assert {"s01 (5)a", "s01 (5)b"} <= utterances.keys() and "s01 (5)" not in utterances
    takes = [u for stem, u in utterances.items() if not stem.endswith(")")]
    assert len(takes) == 9
    assert {u.speaker for u in takes} == {"aesdd-5"}


def test_a_padded_speaker_number_is_the_same_speaker(utterances):
    for stem in ("d03 (01)", "f10 (01)", "f11 (01)", "f12 (01)", "f13 (01)"):
        assert utterances[stem].speaker == "aesdd-1"
    assert utterances["d03 (01)"].utt_id == "aesdd-1-d03%20%2801%29"


def test_sex_is_not_odd_and_even(utterances):
    assert {u.speaker[-1]: u.gender for u in utterances.values()} == {
        "1": "f", "2": "f", "3": "m", "4": "m", "5": "f", "6": "m",
    }  # fmt: skip


def test_fields_of_a_name(utterances):
    u = utterances["h20 (6)"]
    assert (u.emotion, u.emotion_native, u.text_id, u.language) == ("happy", "h", "20", "el")


@pytest.mark.parametrize("stem", ["n01 .1.", "a21 .1.", "a00 .1.", "a1 .1.", "a01 .7.", "a01 .1.2", "a01_1"])
def test_a_name_outside_the_grammar_stops_with_the_name(tmp_path, stem):
    name = stem.replace(".", "(", 1).replace(".", ")", 1)
    write_wav(tmp_path / f"anger/{name}.wav")
    with pytest.raises(DataError, match=f"^anger/{stem}.wav: name does not"):
        aesdd.parse(tmp_path)


def test_one_name_in_two_folders_stops_and_does_not_collapse(tmp_path):
    write_wav(tmp_path / "AESDD/anger/a01 (1).wav", seed=1)
    write_wav(tmp_path / "anger/a01 (1).wav", seed=2)
    with pytest.raises(DataError, match="'anger/a01 .1..wav' and 'AESDD/anger/a01 .1..wav' have one name"):
        aesdd.parse(tmp_path)
