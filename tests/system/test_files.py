"""Whole or not at all: what a killed run leaves is never trusted."""

from __future__ import annotations

import json
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.errors import DataError
from ser.system.files import (
    Done,
    alone,
    changed_files,
    fingerprint,
    hash_file,
    hash_files,
    read_json,
    remove,
    replacing,
    write_json,
    write_text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def write_folder(folder: Path, **files: str) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("old", [None, "old"])
def test_file_keeps_its_content_when_the_block_raises(tmp_path, old):
    path = tmp_path / "table"
    if old:
        path.write_text(old)
    with pytest.raises(KeyError, match="x"), replacing(path) as part:
        part.write_text("ne")
        assert part.parent == path.parent  # on one file system, so that a rename is enough
        assert part.name.startswith(".")  # and no glob of a later run takes it for content
        raise KeyError("x")
    assert (path.read_text() if path.exists() else None) == old


def test_file_takes_the_place_of_a_file_and_folders_above_it_are_made(tmp_path):
    for text in ("old", "new"):
        write_text(tmp_path / "a b/é/x", text)
    assert (tmp_path / "a b/é/x").read_text() == "new"
    assert names(tmp_path / "a b/é") == ["x"]


def test_remove_takes_links_and_not_what_they_point_to(tmp_path):
    write_folder(tmp_path / "kept", a="1")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "link")
    remove(tmp_path / "nothing there")
    assert names(tmp_path) == ["kept"]
    assert names(tmp_path / "kept") == ["a"]
    with pytest.raises(OSError, match="kept"):
        remove(tmp_path / "kept")
    assert names(tmp_path / "kept") == ["a"]


def test_text_has_unix_line_ends_and_utf_8(tmp_path):
    write_text(tmp_path / "x", "é\nb\n")
    assert (tmp_path / "x").read_bytes() == b"\xc3\xa9\nb\n"


def test_equal_values_give_equal_bytes_of_json(tmp_path):
    write_json(tmp_path / "x", {"b": [1, None], "a": "é"})
    write_json(tmp_path / "y", {"a": "é", "b": [1, None]})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    assert (tmp_path / "x").read_text() == '{\n "a": "é",\n "b": [\n  1,\n  null\n ]\n}\n'
    assert read_json(tmp_path / "x") == {"a": "é", "b": [1, None]}


def test_hash_of_a_file_longer_than_one_block(tmp_path):
    content = bytes(range(256)) * 5000  # 1.28 MB
    (tmp_path / "x").write_bytes(content)
    assert hash_file(tmp_path / "x") == "267d69dd4fad93a5d554e501ad4dad6b"
    (tmp_path / "x").write_bytes(content[:-1] + b"\0")
    assert hash_file(tmp_path / "x") != "267d69dd4fad93a5d554e501ad4dad6b"


def test_fingerprint_is_stable_across_versions_of_this_code():
    """A stored fingerprint decides whether work is done again: another value here throws away every cache."""
    assert fingerprint({"lr": 0.1, "é": [1, None, True]}) == "065bdaa6e501647003449dc617b34016"


@settings(deadline=None, derandomize=True)
@given(JSON, JSON)
def test_fingerprints_differ_where_values_do(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (fingerprint(one) == fingerprint(other)) == same


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(st.text(max_size=3), JSON, min_size=2, max_size=4))
def test_fingerprint_does_not_depend_on_the_order_of_keys(value):
    assert fingerprint(dict(reversed(value.items()))) == fingerprint(value)


def test_done_holds_for_exactly_its_inputs_and_names_those_that_changed(tmp_path):
    inputs = {"seed": 1, "loss": {"alpha": 0.5}, "lists": ("a", "b")}
    done = Done(tmp_path, inputs)
    assert not done.holds()
    assert done.changed() == ["lists", "loss", "seed"]
    done.mark()
    assert Done(tmp_path, inputs).holds()  # although JSON has made a list of the tuple
    assert Done(tmp_path, inputs).changed() == []
    other = Done(tmp_path, {"seed": 1, "loss": {"alpha": 0.6}, "device": "cpu"})
    assert not other.holds()
    assert other.changed() == ["device", "lists", "loss"]
    done.clear()
    done.clear()
    assert not done.holds()


def test_differences_have_both_values_of_settings(tmp_path):
    Done(tmp_path, {"config": {"lr": 0.1, "adapt": {"epochs": 50, "by": None}}, "code": "a"}).mark()
    other = Done(tmp_path, {"config": {"lr": 0.1, "adapt": {"epochs": 2, "by": "step"}}, "code": "b"})
    assert other.differences() == ["code", 'adapt.by from null to "step"', "adapt.epochs from 50 to 2"]
    assert Done(tmp_path, {"config": {"lr": 0.1}, "code": "a"}).differences() == ["config"]  # other settings


@pytest.mark.parametrize("content", ["", '{"seed": 1', "null"])
def test_damaged_mark_does_not_count_as_done(tmp_path, content):
    (tmp_path / ".done").write_text(content)
    done = Done(tmp_path, {"seed": 1})
    assert not done.holds()
    assert done.changed() == ["seed"]


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RuntimeError("I/O error: No space left on device (os error 28)")],
)
def test_a_full_disk_is_told_with_the_name_of_the_file(error, tmp_path):
    """Python names no file when a write fails, and safetensors gives words alone."""
    message = re.escape(f"[Errno 28] No space left on device: '{tmp_path / 'x'}'")
    with pytest.raises(OSError, match=message) as caught, replacing(tmp_path / "x"):
        raise error
    assert caught.value.filename == str(tmp_path / "x")


@pytest.mark.parametrize("error", [OSError(104, "Connection reset"), ValueError("x (os error 2)"), OSError("odd")])
def test_what_is_not_about_the_disk_stays_as_it_is(error, tmp_path):
    with pytest.raises(type(error)) as caught, replacing(tmp_path / "x"):  # noqa: PT011
        raise error
    assert caught.value is error


def test_processes_are_alone_one_after_another(tmp_path):
    code = (
        "import sys; from pathlib import Path; from ser.system.files import alone\n"
        "with alone(Path(sys.argv[1])):\n print('in', flush=True); sys.stdin.read()"
    )
    with alone(tmp_path / "x"):
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "x")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert select.select([other.stdout], [], [], 0.5)[0] == []
    assert other.stdout.readline() == b"in\n"
    other.kill()
    other.communicate()
    with alone(tmp_path / "x"):  # a killed process leaves no lock
        pass


def test_recorded_files_that_changed_or_went_are_named(tmp_path):
    write_folder(tmp_path / "d", a="1", b="2", c="3", other="4")
    recorded = hash_files(tmp_path / "d", ["c", "a", "b"])
    assert changed_files(tmp_path / "d", recorded) == []
    (tmp_path / "d/other").write_text("5")
    (tmp_path / "d/b").write_text("3")
    (tmp_path / "d/c").unlink()
    assert changed_files(tmp_path / "d", recorded) == ["b", "c"]


def test_damaged_json_is_told_with_its_file(tmp_path):
    (tmp_path / "x").write_text('{"a": 1')
    with pytest.raises(DataError, match=r"x: damaged, not JSON \(.*\); restore it, or delete it and run again"):
        read_json(tmp_path / "x")
