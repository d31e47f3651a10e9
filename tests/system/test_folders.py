"""Folders are replaced whole or not at all, and only those of a kind that this project writes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ser.errors import ConfigError, DataError
from ser.system.files import write_json
from ser.system.folders import (
    Kind,
    check_place,
    is_made_here,
    obstacle,
    remove_folder,
    replacing_copy,
    replacing_folder,
)

DATA = Kind("toy", "toy.json", lambda about: about["toy"] is True, lambda about: [*about["names"], "deep/[0-9].txt"])


def write_folder(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Replace a toy: `toy.json` says what is in it."""
    with replacing_folder(path, DATA) as part:
        yield part
        write_json(part / "toy.json", {"toy": True, "names": names(part)})


def toy(path: Path, **files: str) -> Path:
    write_folder(path, **files)
    write_json(path / "toy.json", {"toy": True, "names": list(files)})
    return path


@pytest.mark.parametrize("old", [False, True])
def test_folder_keeps_its_content_when_the_block_raises(tmp_path, old):
    path = tmp_path / "data"
    if old:
        toy(path, a="1", b="2")
    with pytest.raises(KeyError, match="x"), replacing(path) as part:
        (part / "a").write_text("3")
        raise KeyError("x")
    assert (names(path) if path.exists() else []) == (["a", "b", "toy.json"] if old else [])
    assert names(tmp_path) == (["data"] if old else [])


def test_folder_is_replaced_whole_and_nothing_of_the_old_one_stays(tmp_path):
    toy(tmp_path / "data", a="1", b="2")
    with replacing(tmp_path / "data") as part:
        for name, text in (("b", "3"), ("c", "4")):
            (part / name).write_text(text)
        assert names(tmp_path / "data") == ["a", "b", "toy.json"]  # until the block ends, readers see the old one
    assert names(tmp_path / "data") == ["b", "c", "toy.json"]
    assert (tmp_path / "data/b").read_text() == "3"
    assert names(tmp_path) == ["data"]


def test_leftovers_of_an_interrupted_run_are_overwritten(tmp_path):
    """The first run is killed after one of its files, as by the power cut."""
    code = (
        "import os, sys; from pathlib import Path; from ser.system.folders import replacing_folder\n"
        "with replacing_folder(Path(sys.argv[1]), None) as part:\n"
        "    (part / 'stale').write_text('x'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")]).returncode == 9
    assert names(tmp_path) == [".data.ser-part"]
    with replacing(tmp_path / "data") as part:
        (part / "a").write_text("1")
    assert names(tmp_path / "data") == ["a", "toy.json"]
    assert names(tmp_path) == ["data"]


def test_leftover_old_folder_of_an_interrupted_exchange_is_overwritten(tmp_path):
    for name in ("data", ".data.ser-old", ".data.ser-part"):
        toy(tmp_path / name, **{name: "x"})
    with replacing(tmp_path / "data") as part:
        (part / "a").write_text("1")
    assert names(tmp_path / "data") == ["a", "toy.json"]
    assert names(tmp_path) == ["data"]


def test_a_folder_that_was_lost_between_two_renames_comes_back(tmp_path, monkeypatch):
    """Killed when the old folder was away and the new one not yet there; the next run fails, and nothing is lost."""
    toy(tmp_path / "data", a="1")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match="^$"):  # noqa: PT012
        renames = []

        def rename(self, target, real=Path.rename):
            renames.append(target)
            if len(renames) == 2:
                raise KeyboardInterrupt
            return real(self, target)

        patch.setattr(Path, "rename", rename)
        with replacing(tmp_path / "data") as part:
            (part / "a").write_text("2")
    assert not (tmp_path / "data").exists()
    with pytest.raises(KeyError, match="refused"), replacing(tmp_path / "data"):
        raise KeyError("refused")
    assert (tmp_path / "data/a").read_text() == "1"


@pytest.mark.parametrize(
    "mark, is_ours",
    [('{"toy": true, "names": ["a"]}', True), ('{"toy": false, "names": ["a"]}', False), ('{"names": ["a"]}', False),
     ("[]", False), ('"toy"', False), ("{", False), (None, False)],
)  # fmt: skip
def test_the_mark_decides(tmp_path, mark, is_ours):
    folder = write_folder(tmp_path / "x", a="1")
    if mark is not None:
        (folder / "toy.json").write_text(mark)
    assert is_made_here(folder, DATA) == is_ours
    if is_ours:
        remove_folder(folder, DATA)
        assert not folder.exists()
    else:
        with pytest.raises(DataError, match="x: is not a toy that was made here, but holds 'a'"):
            remove_folder(folder, DATA)
        assert (folder / "a").read_text() == "1"


def test_names_patterns_litter_and_strangers(tmp_path):
    folder = toy(tmp_path / "x", a="1")
    (folder / "deep/er").mkdir(parents=True)
    for name in ("deep/1.txt", ".DS_Store", "deep/Thumbs.db"):
        (folder / name).write_text("x")
        assert obstacle(folder, DATA) == ""
    (folder / "deep/12.txt").write_text("x")
    (folder / "deep/er/link").symlink_to(tmp_path)
    assert obstacle(folder, DATA) == (
        "holds 'deep/12.txt' and 1 more, not written here, which would be lost; nothing was changed: move them away, "
        "or name another folder"
    )
    assert obstacle(folder, None).startswith("exists already, and holds 'a' and ")


def test_what_a_folder_links_to_stays_when_it_goes(tmp_path):
    target = write_folder(tmp_path / "target", kept="1")
    folder = toy(tmp_path / "x")
    (folder / "link").symlink_to(target)
    write_json(folder / "toy.json", {"toy": True, "names": ["link"]})
    remove_folder(folder, DATA)
    assert names(tmp_path) == ["target"] and names(target) == ["kept"]


def test_a_copy_holds_everything(tmp_path):
    folder = write_folder(tmp_path / "x", a="1")
    (folder / "deep/er").mkdir(parents=True)
    (folder / "link").symlink_to("nowhere")
    with replacing_copy(folder) as part:
        (part / "a").write_text("2")
    assert (folder / "a").read_text() == "2" and (folder / "deep/er").is_dir()
    assert os.readlink(folder / "link") == "nowhere"
    assert names(tmp_path) == ["x"]


def test_an_unreadable_subfolder_is_no_empty_one(tmp_path, monkeypatch):
    folder = tmp_path / "x"
    (folder / "closed").mkdir(parents=True)
    real = os.scandir

    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError), replacing(folder):
        pass
    assert folder.exists()


@pytest.mark.parametrize(
    "dest, said",
    [("in", "is the input"), ("in/x", "lies in the input"), (".", "holds the input"), ("link/in", "is the input"),
     ("in/../in", "is the input"), ("to_file", "is the file"), ("link", "holds the input")],
)  # fmt: skip
def test_places_that_overlap_with_what_is_read(tmp_path, dest, said):
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "to_file").symlink_to(tmp_path / "file")
    read = {"the input": tmp_path / "in", "the file": tmp_path / "file"}
    with pytest.raises(ConfigError, match=f"'.*': {said} "):
        check_place(tmp_path / dest, read)
    check_place(tmp_path / "input", read)  # a name that begins alike
    check_place(tmp_path / "file2/x", read)
