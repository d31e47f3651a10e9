"""MSP-IMPROV on fake releases: a full-size one for the counts, small ones for every known trap."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ser.corpora.base import prepare
from ser.corpora.msp_improv import CORPUS, parse
from ser.data.data_dir import read_data_dir
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json
from ser.types import Utterance
from tests.fakes.msp_improv import RATINGS, Turn, full_release, label, write_release
from tests.fakes.wav import one_sound, write_wav

TURN = Turn("S20A-F02-T-MF09", "H", ("2.500000", "2.000000", "3.500000", "3.000000"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Utterance]]:
    """A data directory from 8,438 turns, and what it holds."""
    folder = tmp_path_factory.mktemp("msp_improv")
    with one_sound():
        assert prepare(CORPUS, write_release(folder / "release", full_release()), folder / "data")
    return folder / "data", read_data_dir(folder / "data")


def one(release: Path) -> Utterance:
    (utterance,) = parse(release).utterances
    return utterance


def condition(utterance: Utterance) -> str:
    return Path(utterance.wav).stem.split("-")[4]


# What the full release gives


def test_full_release_is_a_valid_data_directory(full):
    data, utterances = full
    info = read_json(data / "corpus.json")
    assert validate_data_dir(data) == []
    assert (info["release"], info["n_utterances"], info["n_speakers"]) == ("full", 8438, 12)
    assert (info["dropped"], info["formats"]) == ({}, {"44100 Hz, 1 channel(s)": 8438})
    assert {u.speaker: u.gender for u in utterances} == {
        f"msp_improv-{sex}0{n}": sex.lower() for n in range(1, 7) for sex in "FM"
    }
    assert {u.session for u in utterances} == set("123456")


def test_consensus_gives_7798_turns_of_four_classes(full):
    found = Counter(u.emotion for u in full[1])
    assert found == {"angry": 792, "sad": 885, "happy": 2644, "neutral": 3477, "other": 85, "unknown": 555}
    assert found.total() - found["other"] - found["unknown"] == 7798
    assert Counter(u.emotion_native for u in full[1])["X"] == 555


def test_scenario_letters_give_the_sums_of_gao_et_al_which_the_consensus_cannot(full):
    acted = Counter(u.emotion_acted for u in full[1])
    assert acted["angry"] + acted["sad"] == 4546
    assert acted["happy"] + acted["neutral"] == 3892
    assert acted["neutral"] + acted["sad"] == 3660
    assert acted["angry"] + acted["happy"] == 4778


@pytest.mark.parametrize(
    "letter, turns, A, S, H, N, other, none",
    [
        ("R", 620, 169, 80, 88, 241, 3, 39),
        ("T", 652, 115, 106, 136, 283, 1, 11),
        ("S", 4381, 470, 633, 1048, 1789, 70, 371),
        ("P", 2785, 38, 66, 1372, 1164, 11, 134),
    ],
)
def test_consensus_per_condition(full, letter, turns, A, S, H, N, other, none):
    found = Counter(u.emotion_native for u in full[1] if condition(u) == letter)
    assert found.total() == turns
    assert found == {"A": A, "S": S, "H": H, "N": N, "O": other, "X": none}


def test_sessions_are_the_talkers_pairs_not_the_sentence_numbers(full):
    everyone = Counter(u.session for u in full[1])
    four = Counter(u.session for u in full[1] if u.emotion not in ("other", "unknown"))
    assert (everyone["5"], everyone["6"], sum(everyone[s] for s in "1234")) == (1505, 1622, 5311)
    assert (four["5"] + four["6"], sum(four[s] for s in "1234")) == (2880, 4918)


def test_only_target_sentences_have_a_text_id(full):
    with_text = {condition(u): u.text_id for u in full[1] if u.text_id}
    assert set(with_text) == {"R", "T"}
    assert len(read_map(full[0] / "utt2text_id")) == 620 + 652
    assert {u.text_id for u in full[1] if u.text_id} == {f"{n:02}" for n in range(1, 21)}


# Known traps, each on a release small enough to see


def test_every_field_of_a_turn(tmp_path):
    assert one(write_release(tmp_path, [TURN])) == Utterance(
        utt_id="msp_improv-F02-S20A-F02-T-MF09",
        speaker="msp_improv-F02",
        wav=str(tmp_path / "Audio/session2/S20A/T/MSP-IMPROV-S20A-F02-T-MF09.wav"),
        emotion="happy",
        emotion_native="H",
        emotion_acted="angry",
        gender="f",
        language="en",
        session="2",
        text_id="20",
        arousal=3.5,  # 6 - 2.5
        valence=2.0,
        dominance=3.5,
        votes="happy:1 other:1",  # the first rater stands twice
    )


@pytest.mark.parametrize("performance", ["MF", "FM", "MM", "FF"])
def test_talker_is_the_third_field_not_the_letters_of_the_performance(tmp_path, performance):
    turn = one(write_release(tmp_path, [Turn(f"S01H-M03-S-{performance}01", "N", RATINGS["N"])]))
    assert (turn.speaker, turn.gender, turn.session) == ("msp_improv-M03", "m", "3")


def test_first_field_is_a_sentence_not_a_session_with_a_speaker(tmp_path):
    turn = one(write_release(tmp_path, [Turn("S01A-F06-R-FF01", "N", RATINGS["N"])]))
    assert (turn.session, turn.speaker, turn.text_id) == ("6", "msp_improv-F06", "01")


def test_activation_is_stored_reversed_so_angry_turns_are_more_aroused_than_sad_ones(tmp_path):
    turns = [Turn("S01A-F01-S-FM01", "A", RATINGS["A"]), Turn("S01S-F01-S-FM01", "S", RATINGS["S"])]
    angry, sad = parse(write_release(tmp_path, turns)).utterances
    assert (angry.arousal, sad.arousal) == (4.4, 2.1)  # 6 - 1.6 and 6 - 3.9


def test_flipped_activation_has_no_binary_crumbs(tmp_path):
    assert 6 - 4.1 != 1.9
    assert one(write_release(tmp_path, [TURN._replace(ratings=("4.1", "3", "3", "3"))])).arousal == 1.9


def test_first_rating_is_activation_which_naive_parsers_read_as_valence(tmp_path):
    turn = one(write_release(tmp_path, [TURN._replace(ratings=("1.25", "3.75", "2.5", "5"))]))
    assert (turn.arousal, turn.valence, turn.dominance) == (4.75, 3.75, 2.5)


def test_nan_is_no_rating_and_stays_out_of_its_file_alone(tmp_path):
    turns = [TURN._replace(ratings=("NaN", "2.0", "NaN", "NaN")), Turn("S20A-F02-T-MF10", "N", RATINGS["N"])]
    prepare(CORPUS, write_release(tmp_path / "release", turns), tmp_path / "data", allow_partial=True)
    assert validate_data_dir(tmp_path / "data") == []
    assert read_map(tmp_path / "data/utt2aro") == {"msp_improv-F02-S20A-F02-T-MF10": "2.666667"}
    assert set(read_map(tmp_path / "data/utt2val").values()) == {"2.0", "3.0"}
    assert set(read_map(tmp_path / "data/utt2dom").values()) == {"2.8"}


@pytest.mark.parametrize("label_file", ["Evaluation.txt", "Evalution.txt"])
@pytest.mark.parametrize("audio_folder", [True, False])
def test_both_spellings_of_the_label_file_with_and_without_audio_folder(tmp_path, label_file, audio_folder):
    turn = one(write_release(tmp_path, [TURN], label_file, audio_folder))
    assert turn.utt_id == "msp_improv-F02-S20A-F02-T-MF09"
    assert Path(turn.wav).relative_to(tmp_path).parts[0] == ("Audio" if audio_folder else "session2")


def test_both_label_files_at_once_must_agree(tmp_path):
    release = write_release(tmp_path, [TURN], "Evaluation.txt")
    assert one(write_release(tmp_path, [TURN], "Evalution.txt")).emotion == "happy"
    (release / "Evalution.txt").write_text(label(TURN._replace(consensus="N")))
    with pytest.raises(DataError, match="Evaluation.txt and Evalution.txt differ"):
        parse(release)


@pytest.mark.parametrize("old, new", [(" ; N:", "; N:"), ("\n", "\r\n")])
def test_copies_without_the_odd_space_or_with_windows_line_ends(tmp_path, old, new):
    text = label(TURN)
    assert " ; N:" in text  # as released
    write_release(tmp_path, [TURN]).joinpath("Evalution.txt").write_bytes(text.replace(old, new).encode())
    assert (one(tmp_path).emotion, one(tmp_path).dominance) == ("happy", 3.5)


def test_raters_lines_are_not_labels_even_twice_and_in_another_encoding(tmp_path):
    text = (write_release(tmp_path, [TURN]) / "Evalution.txt").read_bytes()
    assert text.count(b"20140930_A1; Happy") == 2
    assert b"R\xe9sign\xe9" in text
    assert (one(tmp_path).arousal, one(tmp_path).valence) == (3.5, 2.0)


def test_hidden_copies_are_skipped(tmp_path):
    release = write_release(tmp_path, [TURN])
    (release / "Audio/session2/S20A/T/._MSP-IMPROV-S20A-F02-T-MF09.wav").write_bytes(b"\0\5\x16\7")
    assert one(release).emotion == "happy"


@pytest.mark.parametrize("letter, emotion", [("O", "other"), ("X", "unknown")])
def test_turns_without_a_class_are_kept(tmp_path, letter, emotion):
    turn = one(write_release(tmp_path, [TURN._replace(consensus=letter)]))
    assert (turn.emotion, turn.emotion_native, turn.emotion_acted) == (emotion, letter, "angry")


# Errors


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("; H;", "; Q;", "unknown 'Q'"),
        (
            "A:2.500000",
            "A:",
            "found 'UTD-IMPROV-S20A-F02-T-MF09.avi; H; A:; .* expected as in 'UTD-IMPROV-S20A",
        ),
        ("A:2.500000", "A:2.5.0", "rating '2.5.0' is not a number"),
        ("A:2.500000", "A:6.200000", "rating '6.200000' outside 1 to 5"),
        ("UTD-IMPROV-S20A", "UTD-IMPROV-S21A", "expected as in"),
        ("UTD-IMPROV-S20A", "MSP-IMPROV-S20A", "expected as in"),
    ],
)
def test_broken_header_is_told_with_file_and_line(tmp_path, old, new, message):
    other = Turn("S20A-F02-T-MF08", "N", RATINGS["N"])
    text = label(other) + label(TURN).replace(old, new, 1)
    (write_release(tmp_path, [other, TURN]) / "Evalution.txt").write_text(text)
    with pytest.raises(DataError, match=f"msp_improv: Evalution.txt line 6: .*{message}"):
        parse(tmp_path)


def test_turn_labelled_twice_is_told_with_its_second_line(tmp_path):
    (write_release(tmp_path, [TURN]) / "Evalution.txt").write_text(2 * label(TURN))
    with pytest.raises(DataError, match="Evalution.txt line 6: 'S20A-F02-T-MF09' is labelled twice"):
        parse(tmp_path)


@pytest.mark.parametrize(
    "folder, found", [("session3", "'session3'"), ("Session1", "'session1'"), ("copies", "no session folder")]
)
def test_session_folder_and_talker_must_agree(tmp_path, folder, found):
    release = write_release(tmp_path, [TURN])
    (release / "Audio/session2").rename(release / "Audio" / folder)
    with pytest.raises(DataError, match=f"{folder}/.*: talker 'F02' in {found}, expected 'session2'"):
        parse(release)


def test_name_outside_the_grammar_is_refused(tmp_path):
    release = write_release(tmp_path, [TURN])
    write_wav(release / "Audio/session2/S20A/T/MSP-IMPROV-S20B-F02-T-MF09.wav")
    with pytest.raises(DataError, match="MSP-IMPROV-S20B-F02-T-MF09.wav: name does not follow"):
        parse(release)


def test_one_name_in_two_places_is_refused(tmp_path):
    release = write_release(tmp_path, [TURN])
    write_wav(release / "Audio/session2/S20A/copy/MSP-IMPROV-S20A-F02-T-MF09.wav")
    with pytest.raises(DataError, match="S20A/copy/MSP-.*: 'Audio/session2/S20A/T/MSP-.*' has the same name"):
        parse(release)


def test_audio_without_a_label_is_refused(tmp_path):
    release = write_release(tmp_path, [TURN])
    write_wav(release / "Audio/session1/S01A/P/MSP-IMPROV-S01A-M01-P-FM01.wav")
    message = "1 audio files have no label .first: Audio/session1/S01A/P/MSP-IMPROV-S01A-M01-P-FM01.wav"
    with pytest.raises(DataError, match=message):
        parse(release)


def test_label_without_audio_is_unusable_and_named(tmp_path, capsys):
    turns = [TURN, Turn("S01A-M01-R-MM01", "N", RATINGS["N"])]
    release = write_release(tmp_path / "release", turns)
    (release / "Audio" / turns[1].wav).unlink()
    with pytest.raises(DataError, match="1 unusable files"):
        prepare(CORPUS, release, tmp_path / "data")
    missing = "Audio/session1/S01A/R/MSP-IMPROV-S01A-M01-R-MM01.wav"
    assert f"unusable: {missing}: cannot be read (No such file or directory)" in capsys.readouterr().out
    prepare(CORPUS, release, tmp_path / "data", allow_partial=True)
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["release"], info["n_utterances"], list(info["dropped"])) == ("subset", 1, [missing])


def test_release_without_label_file_is_told(tmp_path):
    (write_release(tmp_path, [TURN]) / "Evalution.txt").unlink()
    with pytest.raises(DataError, match="holds neither Evaluation.txt nor Evalution.txt"):
        parse(tmp_path)
