"""Fixing a data directory: what is kept, what is said, and all or nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.data.data_dir import check_unchanged, read_data_dir
from ser.data.fix import fix_data_dir
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from tests.data.six import IDS, SIX, change, content, info, write


def test_fix_leaves_a_valid_directory_alone(data):
    before = content(data)
    fixed = fix_data_dir(data)
    assert (fixed.n_kept, fixed.lost, fixed.report) == (6, (), ())
    assert content(data) == before


def test_fix_accepts_what_was_changed_by_hand(data):
    change(data, "utt2emo", b"c-a-2 sad\n", b"c-a-2 happy\n")
    with pytest.raises(
        DataError, match=r"utt2emo is not what stage 1 wrote; .*; to keep it, call utils/fix_data_dir"
    ):
        check_unchanged(data)
    assert fix_data_dir(data).report == ("utt2emo: is not what stage 1 wrote, and stays as it is",)
    check_unchanged(data)
    assert info(data)["notes"][-1] == "fix_data_dir: utt2emo changed by hand"
    assert read_map(data / "utt2emo")["c-a-2"] == "happy"
    assert fix_data_dir(data).report == ()


def test_audio_may_move(data):
    change(data, "wav.scp", b"/x/1.wav", b"/y/1.wav")
    check_unchanged(data)


def test_fix_intersects_and_tells_what_went_and_why(data):
    change(data, "utt2emo", b"c-a-2 sad\n", b"")
    change(data, "wav.scp", b"c-d-1 /x/1.wav\n", b"")
    (data / "feats.scp").write_text("c-a-2 ark:2\nc-a-1 ark:1\n")
    (data / "notes.txt").write_text("mine")
    former = content(data)
    fixed = fix_data_dir(data)
    assert fixed.lost == ("c-a-2", "c-d-1")
    assert fixed.n_kept == 4
    assert "utt2emo lacks 1 utterances (first: c-a-2)" in fixed.report
    assert "wav.scp lacks 1 utterances (first: c-d-1)" in fixed.report
    assert "utt2dur: 2 of 6 lines (first: c-a-2, c-d-1) went" in fixed.report
    assert "spk2gender: 1 of 3 lines (first: c-d) went" in fixed.report
    assert "spk2utt: rebuilt from utt2spk" in fixed.report
    assert validate_data_dir(data) == []
    assert read_data_dir(data) == [SIX[0], SIX[2], SIX[3], SIX[4]]
    assert read_map(data / "spk2utt") == {"c-a": "c-a-1 c-a-3", "c-b": "c-b-1 c-b-2"}
    assert (data / "feats.scp").read_text() == "c-a-1 ark:1\n"
    assert (data / "notes.txt").read_text() == "mine"
    assert {name.removeprefix(".backup/"): c for name, c in content(data).items() if "/" in name} == former
    assert info(data)["release"] == "subset"
    assert info(data)["n_utterances"] == 4
    assert info(data)["notes"] == ["fix_data_dir: 2 utterances (first: c-a-2, c-d-1) went, see .backup"]
    assert info(data)["licence"] == "free"


def test_ratings_do_not_decide(data):
    change(data, "utt2val", b"c-b-1 -3.0\n", b"c-zz-9 1\n")
    fixed = fix_data_dir(data)
    assert fixed.lost == ()
    assert fixed.report == ("utt2val: 1 of 2 lines (first: c-zz-9) went",)
    assert read_map(data / "utt2val") == {"c-a-1": "1.5"}
    assert info(data)["release"] == "full"  # nothing was lost


def test_fix_removes_a_rating_file_of_which_nothing_is_left(data):
    (data / "utt2val").write_text("c-zz-9 1\n")
    assert "utt2val: removed, nothing is left in it" in fix_data_dir(data).report
    assert not (data / "utt2val").exists()


FORM = {
    "unsorted": (lambda text: b"".join(reversed(text.splitlines(keepends=True))), "lines and order corrected"),
    "no final newline": (lambda text: text.removesuffix(b"\n"), "lines and order corrected"),
    "CRLF": (lambda text: text.replace(b"\n", b"\r\n"), "lines and order corrected"),
    "tabs": (lambda text: text.replace(b" ", b"\t", 1), "lines and order corrected"),
    "byte order mark": (lambda text: b"\xef\xbb\xbf" + text, "lines and order corrected"),
    "line twice": (lambda text: text.splitlines(keepends=True)[0] + text, "1 lines (first: line 2) standing twice"),
    "blank line": (lambda text: b"\n" + text, "1 lines (first: line 1) without a word"),
    "bare id": (lambda text: text + b"c-zz-1\n", "1 lines (first: line 7) without a value"),
    "Latin-1": (lambda text: text + b"c-\xe9-1 x\n", "1 lines (first: line 7) not in UTF-8"),
}


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "utt2emo_native"])
@pytest.mark.parametrize("what", FORM)
def test_fix_puts_the_form_right_and_loses_nothing(data, name, what):
    before = content(data)
    corrupt, told = FORM[what]
    (data / name).write_bytes(corrupt((data / name).read_bytes()))
    assert validate_data_dir(data)
    fixed = fix_data_dir(data)
    assert fixed.lost == ()
    assert [line for line in fixed.report if line.startswith(f"{name}: {told}")], fixed.report
    assert {k: v for k, v in content(data).items() if not k.startswith(".backup/")} == before


@pytest.mark.parametrize("text", [b"", b"c-a c-a-2 c-a-1\n", None])
def test_fix_rebuilds_spk2utt(data, text):
    before = (data / "spk2utt").read_bytes()
    (data / "spk2utt").unlink() if text is None else (data / "spk2utt").write_bytes(text)
    assert fix_data_dir(data).report == ("spk2utt: rebuilt from utt2spk",)
    assert (data / "spk2utt").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "utt2emo",
            b"c-a-2 sad",
            b"c-a-2 sad\nc-a-2 angry",
            "line 3: 'c-a-2' has the value 'angry', in line 2 'sad'",
        ),
        ("utt2emo", b"c-a-2 sad", b"c-a-2 sade", "1 violations would remain .*'sade' is not a canonical emotion"),
        ("wav.scp", b"c-d-1 /x/1.wav", b"c-d-1 touch pwned |", "is a pipe, which would run a command"),
        ("utt2spk", b"c-b-1 c-b", b"c-b-1 c-a", "does not begin with its speaker 'c-a-'"),
        ("utt2spk", b"c-b-1 c-b", b"c-b-1 c-b c", "'c-b-1' has the speaker 'c-b c', expected one word"),
        ("utt2dur", b"c-", b"d-", "no utterance is in all files"),
    ],
)
def test_fix_changes_nothing_where_it_cannot_help(data, name, old, new, told):
    change(data, name, old, new)
    change(data, "utt2lang", b"c-a-1 de\nc-a-2 de\n", b"c-a-2 de\nc-a-1 de\n")  # this one could be fixed
    before = content(data.parent)
    with pytest.raises(DataError, match=told):
        fix_data_dir(data)
    assert content(data.parent) == before
    assert [p.name for p in data.parent.iterdir()] == ["data"]


def test_fix_accepts_pipes_where_the_user_does(data):
    change(data, "wav.scp", b"c-d-1 /x/1.wav", b"c-d-1 sox x |")
    change(data, "utt2emo", b"c-a-2 sad\n", b"")
    assert fix_data_dir(data, allow_pipes=True).lost == ("c-a-2",)
    assert read_map(data / "wav.scp")["c-d-1"] == "sox x |"


@pytest.mark.parametrize("name", ["wav.scp", "utt2hash"])
def test_fix_names_a_missing_file(data, name):
    (data / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing and no other file holds it; run the stage"):
        fix_data_dir(data)


def test_fix_wants_a_directory(tmp_path):
    with pytest.raises(DataError, match="no such data directory; run the stage that writes it"):
        fix_data_dir(tmp_path / "none")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_loss_of_lines_and_order_is_fixed_to_the_intersection(draw):
    names = ["wav.scp", "utt2spk", "utt2dur", "utt2emo", "utt2val"]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "data", SIX)
        kept = set(IDS[:1])
        lost: set[str] = set()
        for name in names:
            lines = (path / name).read_text().splitlines()
            chosen = draw.draw(
                st.permutations([u for u in lines if u.split()[0] in kept or draw.draw(st.booleans())])
            )
            (path / name).write_text("".join(f"{line}\n" for line in chosen))
            if name != "utt2val":
                lost |= set(IDS) - {line.split()[0] for line in chosen}
        fixed = fix_data_dir(path)
        assert set(fixed.lost) == lost
        assert [u.utt_id for u in read_data_dir(path)] == [i for i in IDS if i not in lost]
        assert validate_data_dir(path) == []
        assert fix_data_dir(path).report == ()
