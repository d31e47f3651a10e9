"""Splits as files: what was written comes back, and training never opens the test lists."""

from __future__ import annotations

import dataclasses
import string

import pytest

from ser.errors import DataError
from ser.splits.lists import Split, Splits, changed_lists, with_shares, write_splits
from ser.system.files import fingerprint

LEGAL = string.ascii_letters + string.digits + "_.%"
ODD = f"c-{LEGAL}-{LEGAL}-{string.digits}--"
SPLIT = Split(
    name="fold1",
    train={"c-1-b": "sad", "c-1-a": "happy"},
    dev={"c-2-a": "very sad"},
    adapt=["d-2-a", "d-1-a"],
    test={ODD: "happy", "d-3-a": "sad"},
    support={(5, 1): {"d-2-a": "sad"}, (5, 2): {"d-1-a": "sad"}, (10, 1): {"d-2-a": "sad", "d-1-a": "happy"}},
    labelled={"d-2-a": "sad", "d-1-a": "happy"},
    about={"test_speakers": ["d-3"]},
)
ABOUT = {"made_from": {"seed": 1}, "labels": {"classes": ["happy", "sad"]}, "releases": {"c": "mini"}}


@pytest.fixture
def folder(tmp_path):
    write_splits(tmp_path / "splits", [SPLIT, dataclasses.replace(SPLIT, name="fold2", support={})], ABOUT)
    return tmp_path / "splits"


def test_shares_are_of_utterances_whose_class_a_list_shows_and_never_of_tested_ones(tmp_path):
    votes = {"c-1-b": {"very sad": 0.75, "sad": 0.25}, "d-2-a": {"sad": 1.0}, "d-3-a": {"sad": 0.6, "happy": 0.4},
             "x-1-a": {"sad": 1.0}}  # fmt: skip
    split = with_shares(SPLIT, votes)
    assert split.shares == {"c-1-b": votes["c-1-b"], "d-2-a": votes["d-2-a"]}
    write_splits(tmp_path / "splits", [split], ABOUT)
    assert (tmp_path / "splits/fold1/shares.lst").read_text() == "c-1-b very sad:0.75; sad:0.25\nd-2-a sad:1\n"
    assert Splits.open(tmp_path / "splits").for_training()[0].shares == split.shares
    assert not (tmp_path / "splits/fold1/shares.lst").read_text().count("d-3-a")


def test_what_was_written_comes_back_in_its_order(folder):
    opened = Splits.open(folder)
    one, two = opened.for_scoring()
    assert one == dataclasses.replace(SPLIT, about={})
    assert list(one.train) == ["c-1-b", "c-1-a"] and one.adapt == ["d-2-a", "d-1-a"]
    assert list(one.support) == [(5, 1), (5, 2), (10, 1)]
    assert (two.name, two.support) == ("fold2", {})
    assert opened.classes == ["happy", "sad"]
    assert opened.fingerprint == fingerprint({"seed": 1})


def test_training_works_without_the_test_lists(folder):
    for name in ("fold1", "fold2"):
        (folder / name / "test.lst").unlink()
        (folder / name / "test.ref").unlink()
    for split in Splits.open(folder).for_training():
        assert split.test == {}
        assert (split.train, split.labelled) == (SPLIT.train, SPLIT.labelled)
    with pytest.raises(DataError, match=r"fold1/test\.lst is missing; run stage 2"):
        Splits.open(folder).for_scoring()


def test_the_files_are_those_of_the_design(folder):
    files = {path.name: path.read_text() for path in (folder / "fold1").iterdir() if path.suffix != ".json"}
    assert files == {
        "train.lst": "c-1-b sad\nc-1-a happy\n",
        "dev.lst": "c-2-a very sad\n",
        "adapt.lst": "d-2-a\nd-1-a\n",
        "labelled.lst": "d-2-a sad\nd-1-a happy\n",
        "test.lst": f"{ODD}\nd-3-a\n",
        "test.ref": f"{ODD} happy\nd-3-a sad\n",
        "support.5.1.lst": "d-2-a sad\n",
        "support.5.2.lst": "d-1-a sad\n",
        "support.10.1.lst": "d-2-a sad\nd-1-a happy\n",
    }


def test_an_older_set_of_splits_is_replaced_whole(folder):
    write_splits(folder, [dataclasses.replace(SPLIT, name="only")], ABOUT)
    assert sorted(path.name for path in folder.iterdir()) == ["only", "protocol.json"]


@pytest.mark.parametrize("name", ["train.lst", "support.5.1.lst", "test.ref"])
def test_an_edited_list_is_refused(name, folder):
    path = folder / "fold1" / name
    path.write_text(path.read_text().replace(" sad", " happy"))
    assert changed_lists(folder) == [path]
    if name == "test.ref":
        Splits.open(folder).for_training()  # which does not open it
    with pytest.raises(
        DataError, match=rf"fold1/{name} is not what stage 2 wrote; run stage 2 again, which restores"
    ):
        Splits.open(folder).for_scoring()


def test_lists_from_before_there_were_records_are_read(folder):
    (about := folder / "fold1" / "split.json").write_text('{"name": "fold1"}')
    assert about.exists() and changed_lists(folder) == []
    Splits.open(folder).for_scoring()
