from collections import Counter

import pytest

from ser.corpora import urdu
from ser.corpora.base import prepare
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from tests.fakes.urdu import write_release
from tests.fakes.wav import write_wav

PER_SPEAKER = {
    "SF1": 12, "SF2": 2, "SF3": 2, "SF4": 4, "SF5": 4, "SF6": 14, "SF7": 6, "SF8": 2, "SF9": 4, "SF10": 2,
    "SF11": 4, "SM1": 22, "SM2": 28, "SM3": 12, "SM4": 48, "SM5": 80, "SM6": 14, "SM7": 28, "SM17": 2,
    "SM18": 2, "SM19": 2, "SM20": 10, "SM21": 4, "SM22": 2, "SM23": 6, "SM24": 38, "SM25": 40,
    "SM26": 2, "SM27": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("urdu") / "URDU")


def test_full_release_has_the_published_counts(release):
    utterances = urdu.parse(release).utterances
    assert len({u.utt_id for u in utterances}) == len(utterances) == 400
    assert Counter(u.emotion for u in utterances) == {"angry": 100, "happy": 100, "neutral": 100, "sad": 100}
    assert urdu.CORPUS.counts == Counter(u.emotion for u in utterances)


def test_29_speakers_of_which_a_number_alone_would_make_22(release):
    utterances = urdu.parse(release).utterances
    assert Counter(u.speaker.removeprefix("urdu-") for u in utterances) == PER_SPEAKER
    assert len(PER_SPEAKER) == 29
    assert len({speaker[2:] for speaker in PER_SPEAKER}) == 22  # 1 to 11 and 17 to 27
    assert {u.speaker for u in utterances if u.gender == "f"} == {f"urdu-SF{n}" for n in range(1, 12)}


def test_26_of_29_speakers_have_one_emotion_only(release):
    emotions: dict[str, set[str]] = {}
    for u in urdu.parse(release).utterances:
        emotions.setdefault(u.speaker, set()).add(u.emotion)
    assert {s for s, e in emotions.items() if len(e) > 1} == {"urdu-SM3", "urdu-SM5", "urdu-SM6"}


def test_prepares_to_a_valid_data_directory(release, tmp_path, capsys):
    prepare(urdu.CORPUS, release, tmp_path / "urdu")
    assert validate_data_dir(tmp_path / "urdu") == []
    info = read_json(tmp_path / "urdu/corpus.json")
    assert (info["release"], info["n_utterances"], info["n_speakers"]) == ("full", 400, 29)


def test_f_of_the_second_field_is_no_sex_and_a_zero_leads_the_number(tmp_path):
    write_wav(tmp_path / "Angry/SM1_F10_A010.wav")
    (utterance,) = urdu.parse(tmp_path).utterances
    assert utterance.utt_id == "urdu-SM1-SM1_F10_A010"
    assert (utterance.speaker, utterance.gender, utterance.language) == ("urdu-SM1", "m", "ur")
    assert (utterance.emotion, utterance.emotion_native, utterance.text_id) == ("angry", "A", None)


@pytest.mark.parametrize("stem", ["SX1_F1_A01", "SM1_F1_B01", "SM_F1_A01", "SM1-F1-A01", "SM1_F1_A01a", "SM1_F1_A٠١"])
def test_a_name_outside_the_grammar_stops_with_the_name(tmp_path, stem):
    write_wav(tmp_path / f"Angry/{stem}.wav")
    with pytest.raises(DataError, match=f"^Angry/{stem}.wav: name does not"):
        urdu.parse(tmp_path)


def test_one_name_in_two_folders_stops_and_does_not_collapse(tmp_path):
    write_wav(tmp_path / "Angry/SM1_F1_A01.wav", seed=1)
    write_wav(tmp_path / "new/SM1_F1_A01.wav", seed=2)
    with pytest.raises(DataError, match="'new/SM1_F1_A01.wav' and 'Angry/SM1_F1_A01.wav' have one name"):
        urdu.parse(tmp_path)
