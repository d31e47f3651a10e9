"""Writing files so that a killed run leaves nothing half-written, and knowing whether work is done.

Not here: any format; formats build on `replacing`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well.

    Works for a file and for a folder; a reader sees the old content or the new, never a part. What an
    interrupted run left is overwritten by the next.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    remove(part)
    yield part
    if part.is_dir() and path.exists():  # a folder cannot be renamed onto a full one
        old = path.with_name(f".{path.name}.old")
        remove(old)
        path.rename(old)
        part.rename(path)
        remove(old)
    else:
        os.replace(part, path)


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def hash_file(path: Path) -> str:
    """Hash a file's bytes (BLAKE2b, 128 bit, hex)."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(inputs: Any) -> str:
    """Hash any JSON-like value; equal values give equal fingerprints on every machine.

    Example:
        >>> fingerprint({"seed": 1, "lr": 0.1}) == fingerprint({"lr": 0.1, "seed": 1})
        True
    """
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


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

    def clear(self) -> None:
        """Take the mark away before the content changes."""
        self.path.unlink(missing_ok=True)

    def mark(self) -> None:
        """Write the mark; call it last."""
        write_json(self.path, self.inputs)

    def _stored(self) -> dict[str, Any] | None:
        try:
            return read_json(self.path)
        except (FileNotFoundError, json.JSONDecodeError):
            return None
