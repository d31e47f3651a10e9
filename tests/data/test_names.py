"""One name has one spelling; two that people would take for one are refused with both."""

from __future__ import annotations

import dataclasses
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.corpora.table import prepare_table
from ser.data.combine import combine_data
from ser.data.data_dir import read_data_dir, write_data_dir
from ser.errors import DataError
from ser.types import name_of, sounds_as
from tests.fakes.wav import write_wav
from tests.splits.people import utterance

NFC, NFD = unicodedata.normalize("NFC", "José"), unicodedata.normalize("NFD", "José")


@pytest.mark.parametrize(
    "spelled", [NFD, f" {NFC}", f"{NFC}\u00a0", f"\u200b{NFC}", f"\ufeff{NFC}", "Jos\u200dé", "Jo\u00adsé"]
)
def test_invisible_differences_vanish(tmp_path, spelled):
    assert name_of(spelled) == NFC
    lines = ["path,speaker,emotion,session", f"a.wav,{NFC},happy,{NFC}", f"b.wav,{spelled},sad,{spelled}"]
    for i, name in enumerate(("a.wav", "b.wav")):
        write_wav(tmp_path / name, seed=i)
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    prepare_table(tmp_path / "t.csv", tmp_path / "lab")
    found = read_data_dir(tmp_path / "lab")
    assert {u.speaker for u in found} == {"lab-Jos%C3%A9"} and {u.session for u in found} == {NFC}


PAIRS = [("Anna", "anna"), ("1", "1.0"), ("01", "1"), ("Straße", "STRASSE"), ("007", "7.00")]


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("column", ["speaker", "session"])
def test_two_spellings_are_refused_with_both(tmp_path, one, other, column):
    assert sounds_as(one) == sounds_as(other)
    for i, name in enumerate(("a.wav", "b.wav")):
        write_wav(tmp_path / name, seed=i)
    cells = {"speaker": [(one, "s"), (other, "s")], "session": [("x", one), ("y", other)]}[column]
    rows = [f"{wav},{speaker},happy,{session}" for wav, (speaker, session) in zip("ab", cells, strict=True)]
    rows = [row.replace(",", ".wav,", 1) for row in rows]
    (tmp_path / "t.csv").write_text("\n".join(["path,speaker,emotion,session", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="two spellings of one name") as error:
        prepare_table(tmp_path / "t.csv", tmp_path / "lab")
    assert f"{one}'" in str(error.value) and f"{other}'" in str(error.value)
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize(
    ("one", "other"), [("s1", "s01"), ("10", "1"), ("1.5", "15"), ("Anna", "Hanna"), ("-1", "1")]
)
def test_other_names_are_two(one, other):
    assert sounds_as(one) != sounds_as(other)


@given(st.text())
def test_a_name_is_its_own_spelling(text):
    assert name_of(name_of(text)) == name_of(text)


def test_files_that_differ_in_case_only(tmp_path):
    for i, name in enumerate(("a.wav", "A.wav")):
        write_wav(tmp_path / name, seed=i)
    (tmp_path / "t.csv").write_text("path,speaker,emotion\na.wav,x,sad\nA.wav,x,sad\n")
    with pytest.raises(DataError, match="utterances 'lab-x-A' and 'lab-x-a' differ in case or Unicode form only"):
        prepare_table(tmp_path / "t.csv", tmp_path / "lab")


def test_directories_of_others_are_held_against_each_other(tmp_path):
    for name, speaker in (("one", "Ann"), ("two", "ann")):
        write_data_dir(tmp_path / name, [utterance(f"lab-{speaker}-{name}")], {"corpus": name})
    with pytest.raises(DataError, match="'lab-Ann' and 'lab-ann' are two spellings of one name among speakers"):
        combine_data(tmp_path / "both", [tmp_path / "one", tmp_path / "two"])


def test_the_same_name_in_two_corpora_is_two_people(tmp_path):
    people = [utterance("lab-Ann-a"), utterance("own-ann-a")]
    write_data_dir(tmp_path / "both", people, {"corpus": "both"})
    with pytest.raises(DataError, match="differ in case"):
        write_data_dir(tmp_path / "x", [people[0], dataclasses.replace(people[0], utt_id="lab-Ann-A")], {})
