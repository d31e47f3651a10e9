"""Data directories: whatever is legal comes back unchanged, whatever is not is told with its file and line."""

from __future__ import annotations

import dataclasses
import re
import shutil
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser.data.data_dir import read_data_dir, summary, write_data_dir
from ser.data.maps import UTT_FILES, read_list, read_map, write_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import hash_file, read_json, write_json
from ser.types import EMOTIONS, Utterance, format_votes, ids, sounds_as


def utterance(speaker: str, name: str, **fields: object) -> Utterance:
    utt_id, speaker_id = ids("c", speaker, name)
    values = {
        "wav": f"/x/{name}.wav",
        "emotion": "happy",
        "emotion_native": "F",
        "gender": "f",
        "language": "de",
        "duration": 1.5,
        "audio_hash": "00ff",
    }
    return Utterance(utt_id, speaker_id, **{**values, **fields})


FOUR = [
    utterance("a", "1", text_id="t1", valence=0.0, wav='/x/l\'été $(rm -rf x);`y` "z" &.wav'),
    utterance("a", "2", emotion="sad", emotion_native="T", duration=0.25, text_id="t2"),
    utterance("b", "1", gender="m", valence=-3.25),
    utterance("b", "2 (é)", gender="m", emotion="angry", emotion_native="W"),
]


@pytest.fixture
def data_dir(tmp_path):
    write_data_dir(tmp_path / "data", FOUR, {"corpus": "c"})
    return tmp_path / "data"


# ---- What is legal comes back ----------------------------------------------------------------------------------

VALUES = st.text(min_size=1, max_size=12).filter(lambda v: v.splitlines() == [v] and v.encode().strip())
PATHS = VALUES.filter(lambda v: not v.rstrip().endswith("|"))
PLAIN = st.text("AZaz09_.", min_size=1, max_size=3)  # of speakers: see test_speakers_with_escaped_characters
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VOTES = st.dictionaries(st.sampled_from(EMOTIONS), st.integers(1, 9), min_size=1).map(format_votes)


@st.composite
def corpora(draw: st.DrawFn) -> list[Utterance]:
    """Draw the utterances of any legal corpus."""
    names = draw(st.lists(st.tuples(PLAIN, st.text(max_size=5)), min_size=1, max_size=8, unique=True))
    genders = {speaker: draw(st.sampled_from(("m", "f", None))) for speaker, _ in names}
    session = VALUES if draw(st.booleans()) else st.none()  # a corpus has sessions or it has not
    acted = st.sampled_from(EMOTIONS) if draw(st.booleans()) else st.none()
    return [
        utterance(
            speaker,
            name,
            wav=draw(PATHS),
            emotion=draw(st.sampled_from(EMOTIONS)),
            emotion_native=draw(VALUES),
            gender=genders[speaker],
            language=draw(VALUES),
            duration=draw(st.floats(0, exclude_min=True, allow_infinity=False)),
            audio_hash=draw(VALUES),
            session=draw(session),
            text_id=draw(st.none() | VALUES),
            arousal=draw(st.none() | NUMBERS),
            valence=draw(st.none() | NUMBERS),
            dominance=draw(st.none() | NUMBERS),
            emotion_acted=draw(acted),
            emotion_rated=draw(acted),
            votes=draw(st.none() | VOTES),
            part=draw(session),
        )
        for speaker, name in names
    ]


def has_one_spelling_each(utterances: list[Utterance]) -> bool:
    """Whether no two speakers, sessions or utterances differ in case, zeros or Unicode form only."""
    speakers = {u.speaker.removeprefix("c-") for u in utterances}
    sessions = {u.session for u in utterances if u.session is not None}
    return len(utterances) == len({unquote(u.utt_id).casefold() for u in utterances}) and all(
        len({sounds_as(name) for name in names}) == len(names) for names in (speakers, sessions)
    )


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])
@given(corpora().filter(has_one_spelling_each))
def test_any_legal_corpus_survives_write_validate_and_read(utterances):
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        write_data_dir(data_dir, utterances, {})
        assert validate_data_dir(data_dir) == []
        assert read_data_dir(data_dir) == sorted(utterances, key=lambda u: u.utt_id)


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(VALUES.map(lambda v: "".join(v.split())).filter(bool), VALUES, max_size=5))
def test_any_map_is_read_as_written_and_sorted_by_bytes(entries):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map"
        write_map(path, entries)
        assert read_map(path) == entries
        lines = path.read_bytes().split(b"\n")
        assert lines.pop() == b""
        keys = [line.split(b" ")[0] for line in lines]
        assert keys == sorted(keys)
        assert read_list(path) == [key.decode() for key in keys]


def test_files_are_kaldis_byte_for_byte(data_dir):
    files = {path.name: path.read_text() for path in data_dir.iterdir()}
    recorded = read_json(data_dir / "corpus.json")["files"]
    assert recorded == {name: hash_file(data_dir / name) for name in files if name not in ("wav.scp", "corpus.json")}
    write_json(data_dir / "corpus.json", {"corpus": "c"})
    files["corpus.json"] = (data_dir / "corpus.json").read_text()
    assert files == {
        "wav.scp": 'c-a-1 /x/l\'été $(rm -rf x);`y` "z" &.wav\nc-a-2 /x/2.wav\nc-b-1 /x/1.wav\n'
        "c-b-2%20%28%C3%A9%29 /x/2 (é).wav\n",
        "utt2spk": "c-a-1 c-a\nc-a-2 c-a\nc-b-1 c-b\nc-b-2%20%28%C3%A9%29 c-b\n",
        "spk2utt": "c-a c-a-1 c-a-2\nc-b c-b-1 c-b-2%20%28%C3%A9%29\n",
        "spk2gender": "c-a f\nc-b m\n",
        "utt2dur": "c-a-1 1.5\nc-a-2 0.25\nc-b-1 1.5\nc-b-2%20%28%C3%A9%29 1.5\n",
        "utt2emo": "c-a-1 happy\nc-a-2 sad\nc-b-1 happy\nc-b-2%20%28%C3%A9%29 angry\n",
        "utt2emo_native": "c-a-1 F\nc-a-2 T\nc-b-1 F\nc-b-2%20%28%C3%A9%29 W\n",
        "utt2lang": "c-a-1 de\nc-a-2 de\nc-b-1 de\nc-b-2%20%28%C3%A9%29 de\n",
        "utt2hash": "c-a-1 00ff\nc-a-2 00ff\nc-b-1 00ff\nc-b-2%20%28%C3%A9%29 00ff\n",
        "utt2text_id": "c-a-1 t1\nc-a-2 t2\n",
        "utt2val": "c-a-1 0.0\nc-b-1 -3.25\n",
        "corpus.json": '{\n "corpus": "c"\n}\n',
    }
    assert read_data_dir(data_dir) == FOUR


def test_directory_is_replaced_whole(data_dir):
    write_data_dir(data_dir, FOUR[1:2], {})
    assert read_data_dir(data_dir) == FOUR[1:2]
    assert not (data_dir / "utt2val").exists()  # nothing of the old directory stays
    assert [path.name for path in data_dir.parent.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "utterances, message",
    [
        ([], "data: .*wav.scp: missing"),
        ([utterance("a", "1", emotion="hapy")], "'hapy' is not a canonical emotion: .*did you mean 'happy'"),
        ([utterance("a", "1", wav="touch x |")], "wav.scp line 1: 'touch x |' is a pipe"),
        ([utterance("a", "1", wav="a\nb")], "the value of 'c-a-1' is empty or holds a line break: 'a.nb'"),
        ([utterance("a", "1", emotion_acted="sad"), utterance("a", "2")], "utt2emo_acted line 2: 1 ids missing"),
        ([utterance("a", "1", duration=None)], "utt2dur: missing"),
        (
            [utterance("a", "1", wav="/x/é/1.wav"), *FOUR[1:], utterance("a", "1", wav="/y/1.wav")],
            "data: utterance id 'c-a-1' stands for both '/x/é/1.wav' and '/y/1.wav'",
        ),
        (
            [utterance("a", "1"), utterance("a", "2", gender="m")],
            "data: speaker 'c-a' is both 'f' and 'm'",
        ),
    ],
)
def test_what_is_not_legal_is_not_written(tmp_path, utterances, message):
    write_data_dir(tmp_path / "data", FOUR, {})
    with pytest.raises(DataError, match=message):
        write_data_dir(tmp_path / "data", utterances, {})
    assert read_data_dir(tmp_path / "data") == FOUR


def test_speakers_with_escaped_characters_are_refused_where_their_orders_disagree(tmp_path):
    """'%' sorts before '-': speaker 'A' comes before 'A B', the utterances of 'A B' before those of 'A'."""
    utterances = [utterance("A", "1"), utterance("A B", "1")]
    with pytest.raises(DataError, match=r"utt2spk line 2: sorted by utterance but not by speaker \('c-A'\)"):
        write_data_dir(tmp_path / "data", utterances, {})
    write_data_dir(tmp_path / "data", [utterance("A", "1"), utterance("B C", "1"), utterance("é", "1")], {})


# ---- Any single corruption is told with file and line ----------------------------------------------------------


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_the_directory_that_is_corrupted_below_is_valid(data_dir):
    assert validate_data_dir(data_dir) == []
    assert {*UTT_FILES} - {path.name for path in data_dir.iterdir()} == {
        "utt2session", "utt2aro", "utt2dom", "utt2emo_acted", "utt2emo_rated",
        "utt2votes", "utt2part", "utt2channel", "utt2fingerprint",
    }  # fmt: skip


COMPLETE = ("wav.scp", "utt2spk", "utt2dur", "utt2emo", "utt2emo_native", "utt2lang", "utt2hash",
            "spk2utt")  # fmt: skip
PARTIAL = ("utt2text_id", "utt2val", "spk2gender")


@st.composite
def corruptions(draw: st.DrawFn) -> tuple[str, bytes, str]:
    """Draw a file, what it is overwritten with, and what has to be said about it."""
    with tempfile.TemporaryDirectory() as folder:
        write_data_dir(Path(folder) / "data", FOUR, {})
        files = {path.name: lines_of(path) for path in (Path(folder) / "data").iterdir()}
    name = draw(st.sampled_from(COMPLETE + PARTIAL))
    lines = files[name]
    at = draw(st.integers(0, len(lines) - 1))
    line, number = lines[at], at + 1
    key = line.split(b" ")[0]
    kinds = ["duplicate", "extra", "empty", "crlf", "no line end", "no value", "blank", "not utf-8", "tab"]
    kind = draw(st.sampled_from(kinds + ["unsorted"] * (at > 0) + ["missing"] * (name in COMPLETE)))
    before, after = lines[:at], lines[at + 1 :]
    new, said = {
        "unsorted": lambda: ([*before[:-1], line, before[-1], *after], f" line {number}: '.*' is not sorted"),
        "duplicate": lambda: ([*before, line, line, *after], f" line {number + 1}: '.*' stands twice"),
        "extra": lambda: (
            [*before, line, key + b"~ 1\n", *after],
            f" line {number + 1}: .*~' (is not a known id|is not the inverse|does not begin)",
        ),
        "missing": lambda: (
            [*before, *after],
            r"( line \d+)?: .*missing|.* line \d+: .*(not a known id|not the inverse)",
        ),
        "empty": lambda: ([], ": empty file"),
        "crlf": lambda: ([*before, line[:-1] + b"\r\n", *after], f" line {number}: carriage return"),
        "no line end": lambda: ([*lines[:-1], lines[-1][:-1]], f" line {len(lines)}: no line end"),
        "no value": lambda: ([*before, key + b"\n", *after], f" line {number}: found .*, expected 'key value'"),
        "blank": lambda: ([*before, line, b"\n", *after], f" line {number + 1}: found b'', expected 'key value'"),
        "not utf-8": lambda: ([*before, line[:-1] + b"\xe9\n", *after], f" line {number}: not UTF-8"),
        "tab": lambda: ([*before, line.replace(b" ", b"\t"), *after], f" line {number}: found .*, expected"),
    }[kind]()
    return name, b"".join(new), said


@settings(deadline=None, derandomize=True)
@given(corruptions())
def test_any_single_corruption_is_told_with_file_and_line(corruption):
    name, content, said = corruption
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        write_data_dir(data_dir, FOUR, {})
        (data_dir / name).write_bytes(content)
        found = validate_data_dir(data_dir)
    assert any(re.match(re.escape(str(data_dir / name)) + said, violation) for violation in found), found


@pytest.mark.parametrize("name", COMPLETE)
def test_missing_line_names_the_id_that_is_missing_and_where(data_dir, name):
    """A line less: the others' ids are not called unknown instead."""
    (data_dir / name).write_bytes(b"".join(lines_of(data_dir / name)[:-1]))
    last = "c-b" if name.startswith("spk2") else "c-b-2%20%28%C3%A9%29"
    found = validate_data_dir(data_dir)
    if name in ("utt2spk", "spk2utt"):  # these say which ids there are, so that others have one too many
        others = [v for v in found if not v.startswith(str(data_dir / name))]
        assert any(f"'{last}' is not a known id" in v for v in others)
    if name == "utt2spk":
        assert f"{data_dir / 'spk2utt'} line 2: 'c-b' is not the inverse of utt2spk" in found
    elif name == "spk2utt":
        assert f"{data_dir / name} line 2: speaker 'c-b' of utt2spk is missing" in found
    else:
        n_lines = len(lines_of(data_dir / name))
        assert found == [f"{data_dir / name} line {n_lines + 1}: 1 ids missing (first: '{last}')"]


@pytest.mark.parametrize("name", COMPLETE)
def test_missing_file_is_told(data_dir, name):
    (data_dir / name).unlink()
    assert validate_data_dir(data_dir) == [f"{data_dir / name}: missing"]


def test_gender_may_be_unknown_of_some_speakers_or_of_all(data_dir):
    (data_dir / "spk2gender").write_text("c-b m\n")
    assert validate_data_dir(data_dir) == []
    assert {u.speaker: u.gender for u in read_data_dir(data_dir)} == {"c-a": None, "c-b": "m"}
    (data_dir / "spk2gender").unlink()
    assert validate_data_dir(data_dir) == []
    assert {u.gender for u in read_data_dir(data_dir)} == {None}


def test_segments_come_back_and_are_checked(tmp_path):
    utterances = [
        utterance("a", "1", start=0.5, end=2.0, duration=1.5),
        utterance("a", "2", start=2.0, end=2.25, duration=0.25),
    ]
    write_data_dir(tmp_path / "d", utterances, {})
    assert (tmp_path / "d" / "segments").read_text().splitlines() == [
        "c-a-1 c-a-1 0.500000 2.000000",
        "c-a-2 c-a-2 2.000000 2.250000",
    ]
    assert [(u.start, u.end) for u in read_data_dir(tmp_path / "d")] == [(0.5, 2.0), (2.0, 2.25)]
    replace_line(tmp_path / "d" / "segments", 2, "c-a-2 c-a-2 3 2.25")
    assert validate_data_dir(tmp_path / "d") == [
        f"{tmp_path / 'd' / 'segments'} line 2: 'c-a-2 3 2.25' is not 'recording start end' with 0 <= start < end"
    ]


@pytest.mark.parametrize(
    "votes", ["angry:2 angry:1", "angry:0", "mad:1", "angry", "angry:nan", "angry:-1", "angry:1  sad:1"]
)
def test_votes_are_emotions_with_numbers(data_dir, votes):
    (data_dir / "utt2votes").write_text("c-a-1 angry:2 sad:0.5\n")
    assert validate_data_dir(data_dir) == []
    assert [u.votes for u in read_data_dir(data_dir)] == ["angry:2 sad:0.5", None, None, None]
    (data_dir / "utt2votes").write_text(f"c-a-1 {votes}\n")
    assert validate_data_dir(data_dir) == [
        f"{data_dir / 'utt2votes'} line 1: '{votes}' is not 'emotion:votes ...' with canonical emotions and numbers "
        "above 0"
    ]


def replace_line(path: Path, number: int, line: str) -> None:
    lines = lines_of(path)
    lines[number - 1] = line.encode() + b"\n"
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    "name, number, line, said",
    [
        ("utt2emo", 2, "c-a-2 Sad", "'Sad' is not a canonical emotion: unknown 'Sad'; did you mean 'sad'? known: "),
        ("utt2emo", 2, "c-a-2 sad ", "'sad ' is not a canonical emotion: "),
        ("utt2emo", 1, "c-a-1 xqz", "'xqz' is not a canonical emotion: unknown 'xqz'; known: angry, bored, "),
        ("spk2gender", 2, "c-b x", "'x' is not 'm' or 'f'"),
        ("spk2gender", 1, "c-a F", "'F' is not 'm' or 'f'"),
        ("utt2dur", 1, "c-a-1 0", "'0' is not a positive number"),
        ("utt2dur", 2, "c-a-2 -1.5", "'-1.5' is not a positive number"),
        ("utt2dur", 2, "c-a-2 nan", "'nan' is not a positive number"),
        ("utt2dur", 2, "c-a-2 inf", "'inf' is not a positive number"),
        ("utt2dur", 3, "c-b-1 1,5", "'1,5' is not a positive number"),
        ("utt2val", 2, "c-b-1 NaN", "'NaN' is not a number"),
        ("utt2val", 2, "c-b-1 -inf", "'-inf' is not a number"),
        ("utt2val", 1, "c-a-1 high", "'high' is not a number"),
        ("wav.scp", 3, "c-b-1 sox x.wav -t wav - |", "'sox x.wav -t wav - |' is a pipe, which would run"),
        ("wav.scp", 3, "c-b-1 touch x |  ", "'touch x |  ' is a pipe, which would run"),
        ("utt2spk", 3, "c-b-1 c-a", "utterance 'c-b-1' does not begin with its speaker 'c-a-'"),
        ("utt2spk", 1, "c-a-1 c-", "utterance 'c-a-1' does not begin with its speaker 'c--'"),
        ("spk2utt", 1, "c-a c-a-1", "'c-a' is not the inverse of utt2spk"),
        ("spk2utt", 1, "c-a c-a-2 c-a-1", "'c-a' is not the inverse of utt2spk"),
        ("spk2utt", 2, "c-b c-b-1 c-b-2%20%28%C3%A9%29 c-a-1", "'c-b' is not the inverse of utt2spk"),
    ],
)
def test_wrong_value_is_told_with_file_and_line(data_dir, name, number, line, said):
    replace_line(data_dir / name, number, line)
    found = validate_data_dir(data_dir)
    assert any(violation.startswith(f"{data_dir / name} line {number}: {said}") for violation in found), found


def test_keys_that_are_neither_utf_8_nor_unique_are_told(data_dir):
    (data_dir / "utt2lang").write_bytes(b"\xff de\n\xff de\n\xfe de\n")
    found = validate_data_dir(data_dir)
    assert [v.removeprefix(f"{data_dir / 'utt2lang'} ") for v in found if "not UTF-8" not in v] == [
        "line 2: '\\xff' stands twice",
        "line 3: '\\xfe' is not sorted (LC_ALL=C)",
    ]


def test_every_violation_is_told_not_only_the_first(data_dir):
    replace_line(data_dir / "utt2emo", 1, "c-a-1 x")
    replace_line(data_dir / "utt2emo", 4, "c-b-2%20%28%C3%A9%29 y")
    replace_line(data_dir / "spk2gender", 2, "c-b x")
    assert [re.search(r"(\w+) line (\d)", v).groups() for v in validate_data_dir(data_dir)] == [
        ("utt2emo", "1"), ("utt2emo", "4"), ("spk2gender", "2"),
    ]  # fmt: skip


def test_pipes_are_accepted_only_by_the_option(data_dir):
    replace_line(data_dir / "wav.scp", 3, "c-b-1 touch x |")
    assert len(validate_data_dir(data_dir)) == 1
    assert validate_data_dir(data_dir, allow_pipes=True) == []
    replace_line(data_dir / "utt2emo", 1, "c-a-1 x")
    assert len(validate_data_dir(data_dir, allow_pipes=True)) == 1


def test_partial_files_may_lack_utterances_but_know_no_others(data_dir):
    (data_dir / "utt2aro").write_text("c-a-2 3\n")
    assert validate_data_dir(data_dir) == []
    (data_dir / "utt2aro").write_text("c-a-2 3\nc-a-3 3\n")
    assert validate_data_dir(data_dir) == [f"{data_dir / 'utt2aro'} line 2: 'c-a-3' is not a known id"]
    (data_dir / "utt2aro").unlink()
    (data_dir / "utt2session").write_text("c-a-2 3\n")
    assert validate_data_dir(data_dir) == [f"{data_dir / 'utt2session'} line 2: 3 ids missing (first: 'c-a-1')"]


def test_order_of_speakers_that_disagrees_with_that_of_utterances(tmp_path):
    """Valid but for the order: Kaldi's tools merge both lists in step."""
    write_data_dir(tmp_path / "d", [utterance("A", "1"), utterance("B", "1")], {})
    for path in (tmp_path / "d").iterdir():
        text = path.read_text().replace("c-A", "@").replace("c-B", "c-A%20B").replace("@", "c-A")
        key_lines = sorted(text.splitlines(keepends=True))
        path.write_text("".join(key_lines) if path.name != "corpus.json" else text)
    (found,) = validate_data_dir(tmp_path / "d")
    assert found == f"{tmp_path / 'd/utt2spk'} line 2: sorted by utterance but not by speaker ('c-A')"


def test_no_such_directory(tmp_path):
    assert validate_data_dir(tmp_path / "none") == [f"{tmp_path / 'none'}: no such directory"]


# ---- Single maps -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, message",
    [
        (b"a 1\nb\n", "map line 2: found 'b', expected 'key value'"),
        (b"a 1\n\nb 2\n", "map line 2: found '', expected 'key value'"),
        (b"a 1\na 2\n", "map line 2: 'a' stands twice; keys are unique"),
        (b"a \xe9\n", "map: not UTF-8 at byte 2"),
    ],
)
def test_map_that_cannot_be_read(tmp_path, content, message):
    (tmp_path / "map").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(message)):
        read_map(tmp_path / "map")


def test_map_that_is_missing(tmp_path):
    with pytest.raises(DataError, match="map is missing; run the stage that writes it"):
        read_map(tmp_path / "map")


@pytest.mark.parametrize("key", ["", "a b", "a\tb", " a", "a\n", "a\u00a0b"])
def test_key_that_no_reader_could_undo_is_not_written(tmp_path, key):
    with pytest.raises(DataError, match="is empty or holds white space"):
        write_map(tmp_path / "map", {"b": 1, key: 2})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", "a\nb", "a\r", "a\n", "\u2028", "a\x0cb"])
def test_value_that_no_reader_could_undo_is_not_written(tmp_path, value):
    with pytest.raises(DataError, match="the value of 'a' is empty or holds a line break"):
        write_map(tmp_path / "map", {"a": value})
    assert list(tmp_path.iterdir()) == []


def test_list_takes_the_first_word_of_each_line(tmp_path):
    (tmp_path / "list").write_text("c-a-1 c-a\nc-a-2\n")
    assert read_list(tmp_path / "list") == ["c-a-1", "c-a-2"]
    (tmp_path / "list").write_text("")
    assert read_list(tmp_path / "list") == []


def test_summary_counts_by_hand():
    assert summary(FOUR) == {
        "n_utterances": 4,
        "n_speakers": 2,
        "hours": 0.001,  # 4.75 s
        "emotions": {"angry": 1, "happy": 2, "sad": 1},
        "utterances_per_speaker": {"c-a": 2, "c-b": 2},
        "fields": [
            "audio_hash", "duration", "emotion", "emotion_native", "gender", "language", "speaker", "text_id",
            "utt_id", "valence", "wav",
        ],
    }  # fmt: skip


def test_a_rating_of_zero_is_a_rating():
    assert "valence" in summary([dataclasses.replace(FOUR[1], valence=0.0)])["fields"]


def test_speakers_of_another_data_directory_do_not_leak_into_this_one(data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "other")
    replace_line(tmp_path / "other/spk2gender", 2, "d-b m")
    assert validate_data_dir(tmp_path / "other") == [
        f"{tmp_path / 'other/spk2gender'} line 2: 'd-b' is not a known id",
    ]
    assert validate_data_dir(data_dir) == []
