"""A data directory as columns, file -> key -> value, for the tools of Kaldi's names: `fix`, `subset`, `combine`.

What they write is valid and stands whole or not at all; `corpus.json` says what was done. Audio is not copied:
`wav.scp` points where it did.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.data.data_dir import DATA_DIR, read_data_dir, record, summary
from ser.data.maps import KALDI_UTT_FILES, OWN_FILES, SEGMENTS, UTT_FILES, invert, read_map, write_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import read_json, write_json
from ser.system.folders import check_free, check_place, replacing_folder

Columns = dict[str, dict[str, str]]

DERIVED = dataclasses.replace(
    DATA_DIR,
    name="subset or combination",
    is_ours=lambda info: DATA_DIR.is_ours(info) and not {"parts", "subset_of"}.isdisjoint(info),
)
"""What `subset_data_dir` and `combine_data` write, and may replace."""


def existing(path: Path) -> Path:
    if path.is_dir():
        return path
    raise DataError(f"{path}: no such data directory; run the stage that writes it")


def files_of(path: Path) -> list[str]:
    """Name the files of a directory that hold one line per utterance, known ones first, and `spk2gender`."""
    others = sorted(f.name for f in path.glob("utt2*") if f.is_file() and f.name not in UTT_FILES)
    return [
        name for name in (*UTT_FILES, SEGMENTS, *others, *KALDI_UTT_FILES, "spk2gender") if (path / name).is_file()
    ]


def read_valid(path: Path, allow_pipes: bool) -> Columns:
    """Read every map of a valid data directory but `spk2utt`."""
    if violations := validate_data_dir(existing(path), allow_pipes):
        raise DataError(f"{path}: {len(violations)} violations, first: {violations[0]}; try utils/fix_data_dir.sh")
    return {name: read_map(path / name) for name in files_of(path)}


def only(columns: Columns, kept: Collection[str]) -> Columns:
    """Reduce every file to some utterances and their speakers."""
    speakers = {speaker for utt, speaker in columns["utt2spk"].items() if utt in kept}
    return {
        name: {key: value for key, value in column.items() if key in (speakers if name == "spk2gender" else kept)}
        for name, column in columns.items()
    }


def check_dest(dest: Path, sources: Sequence[Path]) -> None:
    """Refuse to replace anything but what these tools made."""
    check_place(dest, {f"the source {source.name}": source for source in sources})
    check_free(dest, DERIVED)


def write(dest: Path, columns: Columns, info: Mapping[str, Any], allow_pipes: bool) -> None:
    """Write a data directory whole or not at all."""
    with replacing_folder(dest, DERIVED) as part:
        for name, entries in columns.items():
            if entries:
                write_map(part / name, entries)
        write_map(part / "spk2utt", invert_or_refuse(dest, columns["utt2spk"]))
        if violations := validate_data_dir(part, allow_pipes):
            first = violations[0].replace(str(part), str(dest))
            raise DataError(f"{dest}: {len(violations)} violations, first: {first}")
        others = sorted(path.name for path in part.iterdir() if path.name not in OWN_FILES)
        counted = {**summary(read_data_dir(part)), "files": record(part), "others": others}
        write_json(part / "corpus.json", {**info, **counted})


def invert_or_refuse(path: Path, utt2spk: Mapping[str, str]) -> dict[str, str]:
    try:
        return invert(utt2spk)
    except ValueError as error:
        raise DataError(f"{path / 'utt2spk'}: {error}") from None


def read_info(path: Path) -> dict[str, Any]:
    """Read `corpus.json`; empty where there is none."""
    try:
        return read_json(path / "corpus.json")
    except FileNotFoundError:
        return {}


def some(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what} (first: {', '.join(names[:3])})"
