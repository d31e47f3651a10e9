"""IEMOCAP on fake releases: a full-size one for the counts, small ones for every known trap."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from ser.corpora.base import prepare
from ser.corpora.iemocap import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from ser.types import Utterance
from tests.fakes.iemocap import Turn, full_release, label, write_release
from tests.fakes.wav import one_sound, write_wav

FOUR = {"angry": "ang", "happy": "hap+exc", "excited": "hap+exc", "neutral": "neu", "sad": "sad"}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Utterance]]:
    """A data directory from 10,039 turns, and what it holds."""
    folder = tmp_path_factory.mktemp("iemocap")
    with one_sound():
        assert prepare(CORPUS, write_release(folder / "release", full_release()), folder / "data")
    return folder / "data", read_data_dir(folder / "data")


@pytest.fixture(scope="module")
def four(full: tuple[Path, list[Utterance]]) -> list[Utterance]:
    return [u for u in full[1] if u.emotion in FOUR]


def one(release: Path) -> Utterance:
    (utterance,) = parse(release).utterances
    return utterance


# What the full release gives


def test_full_release_is_a_valid_data_directory(full):
    data, utterances = full
    info = read_json(data / "corpus.json")
    assert validate_data_dir(data) == []
    assert (info["release"], info["n_utterances"], info["n_speakers"]) == ("full", 10039, 10)
    assert info["dropped"] == {}
    assert len({u.audio_hash for u in utterances}) == 10039
    assert {u.speaker: u.gender for u in utterances} == {
        f"iemocap-Ses0{n}{sex}": sex.lower() for n in range(1, 6) for sex in "FM"
    }


def test_native_codes_are_kept_next_to_canonical_words(full):
    found = Counter((u.emotion_native, u.emotion) for u in full[1])
    none = {pair: found.pop(pair) for pair in (("dis", "disgusted"), ("oth", "other"), ("xxx", "unknown"))}
    assert sum(none.values()) == 2512
    assert found == {
        ("neu", "neutral"): 1708, ("ang", "angry"): 1103, ("sad", "sad"): 1084, ("hap", "happy"): 595,
        ("exc", "excited"): 1041, ("fru", "frustrated"): 1849, ("sur", "surprised"): 107,
        ("fea", "fearful"): 40,
    }  # fmt: skip


def test_four_classes(four):
    assert len(four) == 5531
    assert Counter(FOUR[u.emotion] for u in four) == {"ang": 1103, "hap+exc": 1636, "neu": 1708, "sad": 1084}


@pytest.mark.parametrize(
    "session, total, ang, hap_exc, neu, sad, woman, man",
    [
        ("1", 1085, 229, 278, 384, 194, 528, 557),
        ("2", 1023, 137, 327, 362, 197, 481, 542),
        ("3", 1151, 240, 286, 320, 305, 522, 629),
        ("4", 1031, 327, 303, 258, 143, 528, 503),
        ("5", 1241, 170, 442, 384, 245, 590, 651),
    ],
)
def test_four_classes_per_session_and_talker(four, session, total, ang, hap_exc, neu, sad, woman, man):
    turns = [u for u in four if u.session == session]
    assert len(turns) == total
    assert Counter(FOUR[u.emotion] for u in turns) == {"ang": ang, "hap+exc": hap_exc, "neu": neu, "sad": sad}
    assert Counter(u.speaker for u in turns) == {
        f"iemocap-Ses0{session}F": woman,
        f"iemocap-Ses0{session}M": man,
    }
    assert Counter(u.gender for u in turns) == {"f": woman, "m": man}


def test_speaker_is_not_the_marker_wearer_whom_naive_parsers_take_for_2750_turns(four):
    wearers = [Path(u.wav).stem[5].lower() for u in four]
    assert sum(wearer != u.gender for wearer, u in zip(wearers, four, strict=True)) == 2750


def test_scripted_turns_are_all_there_which_parsers_with_fixed_offsets_lose(four):
    assert Counter(u.text_id.startswith("script") for u in four) == {False: 2943, True: 2588}


@pytest.mark.parametrize(
    "emotion, valence, activation, dominance",
    [
        ("angry", 1.895, 3.662, 3.966),
        ("happy", 3.969, 3.404, 3.243),
        ("neutral", 2.988, 2.726, 2.853),
        ("sad", 2.243, 2.571, 2.818),
    ],
)
def test_ratings_are_valence_activation_dominance_in_that_order(four, emotion, valence, activation, dominance):
    ratings = {(u.valence, u.arousal, u.dominance) for u in four if u.emotion == emotion}
    assert ratings == {(valence, activation, dominance)}


# Known traps, each on a release small enough to see


def test_talker_is_the_last_letter_group_of_a_long_scripted_name(tmp_path):
    turn = one(write_release(tmp_path, [Turn("Ses05F_script01_1b", "M012", "neu", (2.0, 3.5, 4.0))]))
    assert turn == Utterance(
        utt_id="iemocap-Ses05M-Ses05F_script01_1b_M012",
        speaker="iemocap-Ses05M",
        wav=str(tmp_path / "Session5/sentences/wav/Ses05F_script01_1b/Ses05F_script01_1b_M012.wav"),
        emotion="neutral",
        emotion_native="neu",
        gender="m",
        language="en",
        session="5",
        text_id="script01_1",
        valence=2.0,
        arousal=3.5,
        dominance=4.0,
        votes="neutral:1",
    )


def test_a_listener_has_one_vote_and_actors_have_none_about_themselves(tmp_path):
    root = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "ang"), Turn("Ses01F_impro01", "F001", "xxx")])
    path = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    first, second = re.split(r"(?=\[\d+\.\d+ - .*F001)", path.read_text())
    heard = (
        "C-E1:\tAnger;\t()\nC-E3:\tAnger; Frustration;\t(mad, Fear)\nC-E4:\tBored;\t()\n"
        "C-F1:\tSadness;\t()\nC-M1:\tSadness;\t()\nA-E4:\tval 5; act 1; dom  5;\t()\n\n"
    )
    path.write_text(first.split("C-E2")[0] + heard + second)
    assert [u.votes for u in parse(root).utterances] == ["angry:1.5 frustrated:0.5 other:1", "neutral:1"]


@pytest.mark.parametrize("talker, gender", [("MX01", "m"), ("FXX0", "f"), ("MXX3", "m")])
def test_turns_numbered_with_x_are_no_grammar_error(tmp_path, talker, gender):
    turn = one(write_release(tmp_path, [Turn("Ses01F_impro01", talker, "xxx")]))
    assert (turn.gender, turn.utt_id) == (
        gender,
        f"iemocap-Ses01{gender.upper()}-Ses01F_impro01_{talker}",
    )


def test_dialog_whose_name_begins_like_anothers_keeps_its_own_turns(tmp_path):
    turns = [Turn("Ses05M_script01_1", "F000", "sad"), Turn("Ses05M_script01_1b", "F000", "ang")]
    parsed = parse(write_release(tmp_path, turns)).utterances
    assert {Path(u.wav).parent.name: (u.emotion, u.text_id) for u in parsed} == {
        "Ses05M_script01_1": ("sad", "script01_1"),
        "Ses05M_script01_1b": ("angry", "script01_1"),
    }


def test_folders_of_single_raters_are_not_read_as_a_recursive_glob_would(tmp_path):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    raters = release / "Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro01.txt"
    assert "\tang\t" in raters.read_text()  # the same turn, another label
    assert one(release).emotion == "neutral"


def test_hidden_copies_of_labels_and_audio_are_skipped(tmp_path):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    assert len(list(release.rglob("._*"))) == 2
    assert one(release).emotion == "neutral"


def test_whole_dialogs_are_no_turns_as_a_walk_over_all_wav_files_would_find(tmp_path):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    assert (release / "Session1/dialog/wav/Ses01F_impro01.wav").exists()
    assert one(release).wav.endswith("sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav")


@pytest.mark.parametrize(
    "ratings, expected",
    [
        ((2.5, 3.5), (2.5, 3.5, None)),
        ((2.5, 3.5, ""), (2.5, 3.5, None)),
        ((2.5, 3.5, "NaN"), (2.5, 3.5, None)),
        (("NaN", 3.5, 4.0), (None, 3.5, 4.0)),
    ],
)
def test_missing_rating_is_no_error_and_no_number(tmp_path, ratings, expected):
    turn = one(write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu", ratings)]))
    assert (turn.valence, turn.arousal, turn.dominance) == expected


def test_turn_without_dominance_is_left_out_of_its_file_alone(tmp_path):
    turns = [Turn("Ses01F_impro01", "F000", "neu", (2.5, 3.5)), Turn("Ses01F_impro01", "F001", "neu")]
    assert prepare(CORPUS, write_release(tmp_path / "release", turns), tmp_path / "data", allow_partial=True)
    assert validate_data_dir(tmp_path / "data") == []
    assert read_map(tmp_path / "data/utt2dom") == {"iemocap-Ses01F-Ses01F_impro01_F001": "3.5"}
    assert len(read_map(tmp_path / "data/utt2val")) == len(read_map(tmp_path / "data/utt2emo")) == 2


def test_comments_in_any_encoding_and_odd_line_ends_do_not_matter(tmp_path):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    labels = release / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    text = labels.read_bytes().replace(b"(mad)", b"(f\xe2ch\xe9\x85)").replace(b"\n", b" \r\n")
    labels.write_bytes(b"\xef\xbb\xbf" + text)
    assert (one(release).emotion, one(release).dominance) == ("neutral", 3.5)


def test_release_one_folder_further_down_is_found(tmp_path):
    write_release(tmp_path / "IEMOCAP_full_release", [Turn("Ses01F_impro01", "F000", "neu")])
    assert one(tmp_path).emotion == "neutral"


def test_release_below_a_name_with_spaces_quotes_and_accents(tmp_path):
    release = tmp_path / 'it\'s $(é); "x"'
    turns = [Turn("Ses01F_impro01", "F000", "neu")]
    prepare(CORPUS, write_release(release, turns), tmp_path / "data", allow_partial=True)
    (wav,) = read_map(tmp_path / "data/wav.scp").values()
    assert wav == str(release / turns[0].wav)


# Errors


def labels_of(release: Path, old: str, new: str) -> Path:
    """Change the one label file of a release."""
    (path,) = (release / "Session1/dialog/EmoEvaluation").glob("S*.txt")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return release


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("\tneu\t", "\tnue\t", "unknown 'nue'; did you mean 'neu'"),
        ("\tneu\t", " neu ", r"expected as in '\[6.2901 - 8.2357\]<TAB>"),
        ("[2.5000, ", "[2,5000, ", "expected as in"),
        ("[2.5000, ", "[, ", "expected as in"),
        ("[2.5000, ", "[6.2000, ", "valence '6.2000' outside 0.5 to 5.5"),
        ("_F000", "_X000", "'Ses01F_impro01_X000' is not of this dialog"),
        ("impro01_F000", "impro02_F000", "'Ses01F_impro02_F000' is not of this dialog"),
    ],
)
def test_broken_label_line_is_told_with_file_and_line(tmp_path, old, new, message):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    where = "iemocap: Session1/dialog/EmoEvaluation/Ses01F_impro01.txt line 3: "
    with pytest.raises(DataError, match=where + f".*{message}"):
        parse(labels_of(release, old, new))


def test_turn_labelled_twice_is_told_with_its_second_line(tmp_path):
    turn = Turn("Ses01F_impro01", "F000", "neu")
    release = labels_of(write_release(tmp_path, [turn]), label(turn, 0.0), label(turn) + label(turn))
    with pytest.raises(DataError, match="line 9: 'Ses01F_impro01_F000' is labelled twice"):
        parse(release)


def test_dialog_in_another_sessions_folder_is_refused(tmp_path):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    (release / "Session1").rename(release / "Session2")
    with pytest.raises(DataError, match="Ses01F_impro01.txt: a dialog of session 1 in folder 'Session2'"):
        parse(release)


def test_label_file_outside_the_grammar_is_refused(tmp_path):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    (release / "Session1/dialog/EmoEvaluation/notes.txt").write_text("")
    with pytest.raises(DataError, match="EmoEvaluation/notes.txt: name does not follow"):
        parse(release)


def test_audio_without_a_label_is_refused(tmp_path):
    release = write_release(tmp_path, [Turn("Ses01F_impro01", "F000", "neu")])
    write_wav(release / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F001.wav")
    message = "1 audio files have no label .first: Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F001.wav"
    with pytest.raises(DataError, match=message):
        parse(release)


def test_label_without_audio_is_unusable_and_named(tmp_path, capsys):
    turns = [Turn("Ses01F_impro01", "F000", "neu"), Turn("Ses01F_impro01", "F001", "neu")]
    release = write_release(tmp_path / "release", turns)
    (release / turns[1].wav).unlink()
    with pytest.raises(DataError, match="1 unusable files"):
        prepare(CORPUS, release, tmp_path / "data")
    assert f"unusable: {turns[1].wav}: cannot be read (No such file or directory)" in capsys.readouterr().out
    prepare(CORPUS, release, tmp_path / "data", allow_partial=True)
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["release"], info["n_utterances"], list(info["dropped"])) == ("subset", 1, [turns[1].wav])


def test_session_less_is_no_full_release(tmp_path):
    turns = [Turn("Ses01F_impro01", "F000", "neu")]
    with pytest.raises(DataError, match="counts that differ from the full release"):
        prepare(CORPUS, write_release(tmp_path / "release", turns), tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_folder_that_is_no_release_is_told(tmp_path):
    with pytest.raises(DataError, match="holds none of the folders Session1 to Session5"):
        parse(tmp_path)
    (tmp_path / "Session1").mkdir()
    with pytest.raises(DataError, match=r"no label files 'Session1/dialog/EmoEvaluation/\*.txt'"):
        parse(tmp_path)
