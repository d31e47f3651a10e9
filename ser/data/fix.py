"""Sorting the files of a data directory and keeping the utterances that are in all of them."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from ser.data.columns import Columns, existing, files_of, invert_or_refuse, only, read_info, some
from ser.data.data_dir import BACKUP, read_data_dir, record, summary
from ser.data.maps import PARTIAL, REQUIRED, SEGMENTS, UTT_FILES, write_map
from ser.data.validate import validate_data_dir
from ser.errors import DataError
from ser.system.files import changed_files, remove, write_json
from ser.system.folders import replacing_copy


@dataclasses.dataclass(frozen=True)
class Fixed:
    """The changes of `fix_data_dir`.

    Attributes:
        n_kept: utterances in the directory now.
        lost: utterances that are not in it any more, sorted.
        report: one sentence per file and reason; empty if nothing had to change.
        backup: folder below the directory with its former files; empty if nothing had to change.
    """

    n_kept: int
    lost: tuple[str, ...]
    report: tuple[str, ...]
    backup: str = ""


def fix_data_dir(path: Path, allow_pipes: bool = False) -> Fixed:
    """Sort all files, keep the utterances that are in all of them, and rebuild `spk2utt` and `spk2gender`.

    The directory is replaced whole, with its former files in `.backup` (or `.backup.2`, ...); files that are not
    about utterances stay as they are. `corpus.json` is stamped `subset` if utterances were lost.

    Raises:
        DataError: where sorting and leaving out cannot help (a missing file, one id with two values, a value that
            is not allowed, nothing in common); the directory is then left as it was.
    """
    path = existing(path).resolve()
    old, report = _salvage_all(path)
    invert_or_refuse(path, old["utt2spk"])
    kept, reasons = _intersect(path, old)
    new = only(old, kept)
    new["spk2utt"] = invert_or_refuse(path, new["utt2spk"])
    report += reasons + _changes(path, old, new)
    lost = tuple(sorted({utt for name in _deciding(old) for utt in old[name]} - kept))
    if not report:
        edited = changed_files(path, read_info(path).get("files", {}))
        report = [f"{name}: is not what stage 1 wrote, and stays as it is" for name in edited]
    backup = _write_fixed(path, new, lost, allow_pipes) if report else ""
    if not report and (violations := validate_data_dir(path, allow_pipes)):
        raise _unfixable(path, violations)
    return Fixed(len(kept), lost, tuple(report), backup)


def _salvage_all(path: Path) -> tuple[Columns, list[str]]:
    for name in REQUIRED:
        if name != "spk2utt" and not (path / name).exists():
            raise DataError(f"{path / name} is missing and no other file holds it; run the stage that writes it")
    columns: Columns = {}
    report: list[str] = []
    for name in files_of(path):
        columns[name], notes = _salvage(path / name)
        report += notes
    return columns, report


def _salvage(path: Path) -> tuple[dict[str, str], list[str]]:
    """Read every line of a map that can be read, and say which cannot."""
    entries: dict[str, str] = {}
    lines: dict[str, int] = {}
    bad: dict[str, list[str]] = {}
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    for number, raw in enumerate(content.removesuffix(b"\n").split(b"\n") if content else [], start=1):
        key, value, problem = _salvage_line(raw)
        if not problem and key in entries:
            if entries[key] != value:
                raise DataError(
                    f"{path} line {number}: '{key}' has the value '{value}', in line {lines[key]} '{entries[key]}'; "
                    "delete the wrong line"
                )
            problem = "standing twice"
        if problem:
            bad.setdefault(problem, []).append(f"line {number}")
        else:
            entries[key], lines[key] = value, number
    return entries, [f"{path.name}: {some(where, 'lines')} {problem}: left out" for problem, where in bad.items()]


def _salvage_line(raw: bytes) -> tuple[str, str, str]:
    """Split one line into key and value, or give its error."""
    try:
        line = raw.rstrip(b"\r").decode()
    except UnicodeDecodeError:
        return "", "", "not in UTF-8"
    key, _, value = line.partition(" ")
    if not key or "\t" in key:  # indented, or with a tab for the space
        key, value = (*line.split(None, 1), "", "")[:2]
    if not key:
        return "", "", "without a word"
    if not value.strip():
        return "", "", "without a value"
    return key, value, "" if key.split() == [key] else "with white space in the id"


def _deciding(columns: Iterable[str]) -> list[str]:
    """Name the files that must have an utterance."""
    return [name for name in columns if name in (*UTT_FILES, SEGMENTS) and name not in PARTIAL]


def _intersect(path: Path, columns: Columns) -> tuple[set[str], list[str]]:
    """Find the utterances that all files have, and say which file lacks which."""
    known = {utt for name in _deciding(columns) for utt in columns[name]}
    lacking = {f"{name} lacks": sorted(known - columns[name].keys()) for name in _deciding(columns)}
    kept = known.difference(*lacking.values())
    reasons = [f"{what} {some(utts, 'utterances')}" for what, utts in lacking.items() if utts]
    if not kept:
        raise DataError(f"{path}: no utterance is in all files ({'; '.join(reasons)}); restore the short ones")
    return kept, reasons


def _changes(path: Path, old: Columns, new: Columns) -> list[str]:
    """List the lines removed from each file, and the files that change only in their form."""
    report = []
    for name, entries in new.items():
        gone = sorted(old.get(name, {}).keys() - entries.keys())
        if gone:
            report.append(f"{name}: {some(gone, f'of {len(old[name])} lines')} went")
        if not entries:
            report.append(f"{name}: removed, nothing is left in it")
        elif not gone and _content(path / name) != "".join(f"{k} {entries[k]}\n" for k in sorted(entries)).encode():
            report.append(f"{name}: {'rebuilt from utt2spk' if name == 'spk2utt' else 'lines and order corrected'}")
    return report


def _write_fixed(path: Path, columns: Columns, lost: Sequence[str], allow_pipes: bool) -> str:
    """Put a fixed copy in the directory's place, with the former files in a folder whose name is returned."""
    with replacing_copy(path) as part:
        backup = _next_backup(part)
        (part / backup).mkdir()
        for file in sorted(path.iterdir()):
            if file.is_file():
                shutil.copy2(file, part / backup / file.name)
        for name, entries in columns.items():
            remove(part / name)
            if entries:
                write_map(part / name, entries)
        if violations := validate_data_dir(part, allow_pipes):
            violations = [v.replace(str(part), str(path)) for v in violations]
            raise _unfixable(path, violations)
        info = read_info(path)
        edited = changed_files(part, info.get("files", {}))
        note = f"{some(lost, 'utterances')} went, see {backup}" if lost else f"{', '.join(edited)} changed by hand"
        if lost or edited:
            notes = [*info.get("notes", []), f"fix_data_dir: {note}"]
            info |= {**summary(read_data_dir(part)), "notes": notes, "files": record(part)}
            info |= {"release": "subset"} if lost else {}
            write_json(part / "corpus.json", info)
    return backup


def _next_backup(path: Path) -> str:
    """Name a folder for former files that is not there yet: what an earlier call kept is kept."""
    numbered = (f"{BACKUP}.{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([BACKUP], numbered) if not os.path.lexists(path / name))


def _unfixable(path: Path, violations: Sequence[str]) -> DataError:
    return DataError(
        f"{path}: sorting and removing lines cannot repair it, nothing was changed; {len(violations)} violations "
        f"would remain (lines as sorted), first: {violations[0]}"
    )


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
