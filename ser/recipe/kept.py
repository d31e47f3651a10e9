"""The files of a run's folder, held against a record of them: what is lost, and what was dropped on purpose.

The record has sizes. Weights of a recipe may take 13 GB, which an idle run cannot hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ser.system.files import read_json, remove, write_json

RECORD = "files.json"

WEIGHTS = "model.safetensors"

TRAINED = ("env.json", "history.tsv", WEIGHTS)
"""Files of stage 4."""

DROPPED = (WEIGHTS, "predict.safetensors")
"""Files that `--keep_weights` drops."""


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    return read_json(path) if path.exists() else {"sizes": {}, "dropped": []}


def record(folder: Path, names: Iterable[str]) -> None:
    """Record files that were just written, as far as there are such."""
    sizes = {name: (folder / name).stat().st_size for name in names if (folder / name).is_file()}
    old = _record(folder)
    dropped = [name for name in old["dropped"] if name not in sizes]
    write_json(folder / RECORD, {"sizes": {**old["sizes"], **sizes}, "dropped": dropped})


def lost(folder: Path, of_training: bool) -> list[str]:
    """List the recorded files of stage 4, or of stage 5, that are missing or have another size now."""
    known = _record(folder)
    return [
        name
        for name, size in known["sizes"].items()
        if (name in TRAINED) == of_training
        and name not in known["dropped"]
        and not ((folder / name).is_file() and (folder / name).stat().st_size == size)
    ]


def was_dropped(folder: Path) -> bool:
    """Tell whether the weights were dropped on purpose."""
    return WEIGHTS in _record(folder)["dropped"]


def drop_weights(folder: Path) -> int:
    """Remove a run's weights and record that; give the number of bytes."""
    known, n_bytes = _record(folder), 0
    there = [name for name in DROPPED if (folder / name).is_file()]
    if there:
        write_json(folder / RECORD, {**known, "dropped": sorted({*known["dropped"], *there})})
    for name in there:
        n_bytes += (folder / name).stat().st_size
        remove(folder / name)
    return n_bytes
