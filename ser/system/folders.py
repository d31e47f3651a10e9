"""Replacing and removing whole folders: only those that are empty, or that this project made and nobody added to.

Every kind of folder that is written as a whole is described by a `Kind`; without one nothing is replaced or removed.
A folder with as much as one file that was not written here stays as it is. Single files: `ser.system.files`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ser.errors import ConfigError, DataError
from ser.system.files import naming, read_json

CHECKOUT = Path(__file__).resolve().parents[2]

LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""Files that desktops leave in every folder that somebody looks into; they keep no folder from being replaced."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of folder that this project writes as a whole.

    Attributes:
        name: as in messages.
        mark: JSON file that every such folder holds; empty where the names of its files say enough.
        is_ours: whether the content of the mark is of this kind, and written by this project.
        holds: content of the mark -> files that were written below the folder: paths, or their patterns (`fnmatch`).
    """

    name: str
    mark: str
    is_ours: Callable[[dict[str, Any]], bool]
    holds: Callable[[dict[str, Any]], Iterable[str]]


def mark_of(path: Path, kind: Kind) -> dict[str, Any] | None:
    """Read the mark of a folder; None where there is none of this kind."""
    if not kind.mark:
        return {}
    try:
        about = read_json(path / kind.mark)
        return about if isinstance(about, dict) and kind.is_ours(about) else None
    except (OSError, DataError, TypeError, AttributeError, KeyError):
        return None


def is_made_here(path: Path, kind: Kind) -> bool:
    """Tell whether a folder is of this kind, and holds nothing else."""
    return path.is_dir() and any(_files(path)) and not obstacle(path, kind)


def obstacle(path: Path, kind: Kind | None) -> str:
    """Say why nothing may take the place of what is there; empty if something may.

    Args:
        path: an absent folder, an empty one, or anything else.
        kind: that may be replaced; None replaces nothing but an empty folder.
    """
    if path.is_symlink():
        return f"is a symbolic link to '{os.readlink(path)}'; remove the link, or name a folder"
    if not path.exists():
        return ""
    if not path.is_dir():
        return "is a file, where a folder is needed; move it away, or name another folder"
    if not (found := sorted(_files(path))):
        return ""
    about = mark_of(path, kind) if kind else None
    if about is None:
        what = f"is not a {kind.name} that was made here, but holds" if kind else "exists already, and holds"
        return f"{what} {_some(found)}; nothing was changed: move it away, or name another folder"
    patterns = {kind.mark, *kind.holds(about)}
    others = [name for name in found if name not in patterns]
    if strangers := [name for name in others if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]:
        return (
            f"holds {_some(strangers)}, not written here, which would be lost; nothing was changed: move "
            f"{'it' if len(strangers) == 1 else 'them'} away, or name another folder"
        )
    return ""


def check_free(path: Path, kind: Kind | None) -> None:
    """Refuse a place where something is that may not be replaced.

    Raises:
        DataError: see `obstacle`.
    """
    if reason := obstacle(path, kind):
        raise DataError(f"{path}: {reason}")


def check_place(path: Path, read: Mapping[str, Path] | None = None) -> None:
    """Refuse a destination that cannot be meant: what is read, the checkout, the home or current folder, or above.

    Args:
        path: folder to be written, there or not.
        read: description -> file or folder that is read; nothing may be written over or into it.

    Raises:
        ConfigError: with what it is, holds or lies in.
    """
    place = _resolved(path)
    kept = {"the folder of this project": CHECKOUT}
    with contextlib.suppress(RuntimeError):
        kept["the home folder"] = Path.home()
    with contextlib.suppress(FileNotFoundError):
        kept["the current folder"] = Path.cwd()
    for what, other in {**(read or {}), **kept}.items():
        target = _resolved(other)
        how = "is" if _same(place, target) else "holds" if any(_same(place, p) for p in target.parents) else ""
        if not how and what not in kept and target.is_dir() and any(_same(target, p) for p in place.parents):
            how = "lies in"
        if how:
            raise ConfigError(f"'{path}': {how} {what} ('{other}') and cannot be written; name another folder")


@contextlib.contextmanager
def replacing_folder(path: Path, kind: Kind | None) -> Iterator[Path]:
    """Yield a new folder next to `path` that takes its place when the block ends well.

    A reader sees the old folder or the new one, never a part. What an interrupted run left is overwritten by the
    next one.

    Args:
        path: absent, an empty folder, or one of this kind.
        kind: that may be replaced; None replaces nothing but an empty folder.

    Raises:
        DataError: if anything else is there; see `obstacle`.
        OSError: with the name of `path` also where the system gives none, as when the disk is full.
    """
    path = Path(path)
    path = path if path.name not in ("", "..") else path.resolve()
    part, old = (path.with_name(f".{path.name}.ser-{ending}") for ending in ("part", "old"))
    with naming(path):
        if old.exists() and not path.exists():  # killed between the two renames below
            old.rename(path)
        check_free(path, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_tree(part)
        part.mkdir()
        try:
            yield part
            check_free(path, kind)
        except BaseException:
            _remove_tree(part)
            raise
        if path.exists():  # a folder cannot be renamed onto a full one
            _remove_tree(old)
            path.rename(old)
            part.rename(path)
            _remove_tree(old)
        else:
            part.rename(path)


@contextlib.contextmanager
def replacing_copy(path: Path) -> Iterator[Path]:
    """Yield a copy of a folder with all it holds, which takes its place when the block ends well."""
    with replacing_folder(path, Kind("folder", "", lambda _: True, lambda _: ("*",))) as part:
        shutil.copytree(path, part, symlinks=True, dirs_exist_ok=True)
        yield part


def remove_folder(path: Path, kind: Kind) -> None:
    """Remove a folder of this kind, if it is there.

    Raises:
        DataError: if anything else is there; see `obstacle`.
    """
    check_free(path, kind)
    _remove_tree(path)


def _remove_tree(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[str]:
    """Yield everything below a folder but folders and litter: files, links and whatever else there is."""
    for folder, subfolders, names in os.walk(path, onerror=_raise):
        links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
        for name in (*names, *links):
            if name not in LITTER:
                yield (Path(folder) / name).relative_to(path).as_posix()


def _raise(error: OSError) -> None:
    raise error


def _resolved(path: Path) -> Path:
    return Path(path).expanduser().resolve() if str(path).startswith("~") else Path(path).resolve()


def _same(a: Path, b: Path) -> bool:
    """Check whether two paths are one place, also on disks that ignore case."""
    try:
        return a == b or os.path.samefile(a, b)
    except OSError:
        return False


def _some(names: list[str]) -> str:
    return f"'{names[0]}'" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
