"""Writing files so that a killed run leaves nothing half-written, and knowing whether work is done or changed.

Not here: any format; formats build on `replacing`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ser.errors import DISK_ERRORS, DataError


@contextlib.contextmanager
def replacing(path: Path, ours: Callable[[Path], bool] | None = None) -> Iterator[Path]:
    """Yield a temporary path next to the file `path` that takes its place when the block ends well.

    A reader sees the old content or the new, never a part. What an interrupted run left is overwritten by the next
    one. Folders: `ser.system.folders.replacing_folder`.

    Args:
        path: of a file; its folder is made if need be.
        ours: whether a file that is there was written by this project. Needed wherever a user may name the file or
            keep one of the same name; without it, a file of this name in its folder can be nobody else's.

    Raises:
        DataError: if a folder is there, or a file that is not ours.
        OSError: with the name of `path` also where the system gives none, as when the disk is full.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.ser-part")
    with naming(path):
        _check_file(path, ours)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(part)
        yield part
        if part.is_dir():
            raise TypeError("a folder was made; call replacing_folder")
        _check_file(path, ours)
        os.replace(part, path)


def _check_file(path: Path, ours: Callable[[Path], bool] | None) -> None:
    """Refuse to overwrite files of others; an empty file belongs to nobody."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder, where a file is to be written; move it away, or name another file")
    if ours is not None and path.exists() and path.stat().st_size and not ours(path):
        raise DataError(
            f"{path}: was not written by this project, and stays as it is; move it away, or name another file"
        )


def holding(text: str) -> Callable[[Path], bool]:
    """Make a test for `replacing`: whether a text that this project writes stands in a file's first kilobyte."""

    def holds(path: Path) -> bool:
        with open(path, "rb") as file:
            return text.encode() in file.read(1000)

    return holds


is_generated = holding("<!-- Written by `")
"""Whether a page says that this project wrote it."""


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the file to errors of the disk: errors of writing name no file, and safetensors gives no error number."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else _told_number(str(error))
        if number not in DISK_ERRORS or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _told_number(text: str) -> int | None:
    """Read the number of the system's error that Rust puts behind its words."""
    told = re.search(r"\(os error (\d+)\)$", text)
    return int(told[1]) if told else None


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for this path; a killed process leaves no lock behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def remove(path: Path) -> None:
    """Remove a file or a link, if it is there. Folders: `ser.system.folders.remove_folder`."""
    path.unlink(missing_ok=True)


def write_text(path: Path, text: str, ours: Callable[[Path], bool] | None = None) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all; `ours` as in `replacing`."""
    with replacing(path, ours) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_page(path: Path, text: str) -> bool:
    """Write a page that says that this project wrote it, unless the file holds it already.

    Returns:
        Whether it was written.
    """
    if path.exists() and path.read_bytes() == text.encode():
        return False
    write_text(path, text, is_generated)
    return True


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: if it is damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: damaged, not JSON ({error}); restore it, or delete it and run again") from None


def hash_file(path: Path) -> str:
    """Hash a file's bytes (BLAKE2b, 128 bit, hex)."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hash_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Hash some files of a folder, as a record that `changed_files` holds them against later."""
    return {name: hash_file(Path(folder) / name) for name in sorted(names)}


def changed_files(folder: Path, recorded: Mapping[str, str]) -> list[str]:
    """Name the files of a folder that are not what they were when `hash_files` recorded them, or not there."""
    paths = {name: Path(folder) / name for name in recorded}
    return [name for name, path in paths.items() if not path.is_file() or hash_file(path) != recorded[name]]


def fingerprint(inputs: Any) -> str:
    """Hash any JSON-like value; equal values give equal fingerprints on every machine.

    Example:
        >>> fingerprint({"seed": 1, "lr": 0.1}) == fingerprint({"lr": 0.1, "seed": 1})
        True
    """
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Add the hash of a record to it, so that a later edit shows.

    Example:
        >>> is_sealed(sealed({"uar": 0.5})), is_sealed(sealed({"uar": 0.5}) | {"uar": 0.6}), is_sealed({"uar": 0.5})
        (True, False, False)
    """
    own = {key: part for key, part in value.items() if key != SEAL}
    return own | {SEAL: fingerprint(own)}


def is_sealed(value: Mapping[str, Any]) -> bool:
    """Whether a record is what it was when `sealed` hashed it."""
    return value.get(SEAL) == fingerprint({key: part for key, part in value.items() if key != SEAL})


SEAL = "hash"
"""Key of a record's own hash."""


class Done:
    """The `.done` mark of a folder: everything that decided its content.

    A folder counts as done only while its mark says exactly what would decide its content now.
    """

    def __init__(self, folder: Path, inputs: Mapping[str, Any]):
        self.path = Path(folder) / ".done"
        self.inputs = json.loads(json.dumps(inputs))  # as it will be read back

    def holds(self) -> bool:
        """Tell whether the folder is done for exactly these inputs."""
        return self._stored() == self.inputs

    def changed(self) -> list[str]:
        """Name the inputs that differ from those of the last finished run; all where there was none."""
        old = self._stored() or {}
        return sorted(k for k in {*old, *self.inputs} if old.get(k) != self.inputs.get(k))

    def differences(self, detailed: str = "config") -> list[str]:
        """Say what has changed since the last finished run: inputs by name, of one of them each value.

        Example:
            >>> done = Done(Path("nowhere"), {"config": {"adapt": {"lr": 0.1}}})
            >>> done._stored = lambda: {"config": {"adapt": {"lr": 0.2}}}
            >>> done.differences()
            ['adapt.lr from 0.2 to 0.1']
        """
        old, found = self._stored() or {}, []
        for key in self.changed():
            was, now = (_leaves(inputs.get(key)) for inputs in (old, self.inputs))
            if key != detailed or was.keys() != now.keys():
                found.append(key)
            else:
                found += [f"{k} from {json.dumps(was[k])} to {json.dumps(now[k])}" for k in was if was[k] != now[k]]
        return found

    def clear(self) -> None:
        """Take the mark away before the content changes."""
        self.path.unlink(missing_ok=True)

    def mark(self) -> None:
        """Write the mark; call it last."""
        write_json(self.path, self.inputs)

    def _stored(self) -> dict[str, Any] | None:
        try:
            return read_json(self.path)
        except (FileNotFoundError, DataError):
            return None


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Flatten nested values: `adapt.lr` -> its value."""
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key, own in value.items() for k, v in _leaves(own, f"{path}.{key}".lstrip(".")).items()}
