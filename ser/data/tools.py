"""Operations on data directories that users of Kaldi know: fix, subset, combine, and the inverse of utt2spk.

What they write is valid (`validate_data_dir`) and stands whole or not at all; `corpus.json` says what was done.
Not here: the file formats and their rules (`ser.data.data_dir`), or copying audio: `wav.scp` points where it did.
"""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.data.data_dir import (
    BACKUP,
    DATA_DIR,
    OWN_FILES,
    PARTIAL,
    REQUIRED,
    SEGMENTS,
    UTT_FILES,
    read_data_dir,
    read_list,
    read_map,
    record,
    summary,
    validate_data_dir,
    write_map,
)
from ser.errors import ConfigError, DataError
from ser.randomness import seed_of
from ser.system.files import changed_files, read_json, remove, write_json
from ser.system.folders import check_free, check_place, replacing_copy, replacing_folder

KALDI_UTT_FILES = ("text", "feats.scp", "vad.scp")
"""Files with one line per utterance that other tools add beside `utt2*`; they follow and decide nothing."""

DERIVED = dataclasses.replace(
    DATA_DIR,
    name="subset or combination",
    is_ours=lambda info: DATA_DIR.is_ours(info) and not {"parts", "subset_of"}.isdisjoint(info),
)
"""What `subset_data_dir` and `combine_data` write, and may replace."""

ORDERS = ("random", "first", "last", "shortest")

LEFT_OUT = ", so it is left out"

Columns = dict[str, dict[str, str]]


@dataclasses.dataclass(frozen=True)
class Fixed:
    """What `fix_data_dir` did.

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


def invert(utt2spk: Mapping[str, str]) -> dict[str, str]:
    """Make the entries of `spk2utt` from those of `utt2spk`.

    Raises:
        ValueError: for a speaker that is not one word.

    Example:
        >>> invert({"c-b-1": "c-b", "c-a-2": "c-a", "c-a-1": "c-a"})
        {'c-a': 'c-a-1 c-a-2', 'c-b': 'c-b-1'}
    """
    speakers: dict[str, list[str]] = {}
    for utt in sorted(utt2spk):
        if utt2spk[utt].split() != [utt2spk[utt]]:
            raise ValueError(f"'{utt}' has the speaker '{utt2spk[utt]}', expected one word")
        speakers.setdefault(utt2spk[utt], []).append(utt)
    return {speaker: " ".join(speakers[speaker]) for speaker in sorted(speakers)}


def spk2utt_of(path: Path) -> dict[str, str]:
    """Read a file `utt2spk` and give the entries of its `spk2utt`.

    Raises:
        DataError: for a line that is not `utterance speaker`, or an utterance that stands twice.
    """
    try:
        return invert(read_map(path))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


# ---- fix -------------------------------------------------------------------------------------------------------


def fix_data_dir(path: Path, allow_pipes: bool = False) -> Fixed:
    """Sort all files, keep what stands in all of them, and rebuild `spk2utt` and `spk2gender`.

    The directory is replaced whole, with its former files in `.backup` (or `.backup.2`, ...); files that are not
    about utterances stay as they are. `corpus.json` is stamped `subset` if utterances were lost.

    Raises:
        DataError: where sorting and leaving out cannot help (a missing file, one id with two values, a value that
            is not allowed, nothing in common); the directory is then left as it was.
    """
    path = _data_dir(path).resolve()
    old, report = _salvage_all(path)
    _invert_or_refuse(path, old["utt2spk"])
    kept, reasons = _intersect(path, old)
    new = _only(old, kept)
    new["spk2utt"] = _invert_or_refuse(path, new["utt2spk"])
    report += reasons + _changes(path, old, new)
    lost = tuple(sorted({utt for name in _deciding(old) for utt in old[name]} - kept))
    if not report:
        edited = changed_files(path, _info(path).get("files", {}))
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
    for name in _files(path):
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
    return entries, [f"{path.name}: {_some(where, 'lines')} {problem}: left out" for problem, where in bad.items()]


def _salvage_line(raw: bytes) -> tuple[str, str, str]:
    """Split one line into key and value, or tell what is wrong with it."""
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
    """Name the files that an utterance must stand in."""
    return [name for name in columns if name in (*UTT_FILES, SEGMENTS) and name not in PARTIAL]


def _intersect(path: Path, columns: Columns) -> tuple[set[str], list[str]]:
    """Find the utterances that all files have, and say which file lacks which."""
    known = {utt for name in _deciding(columns) for utt in columns[name]}
    lacking = {f"{name} lacks": sorted(known - columns[name].keys()) for name in _deciding(columns)}
    if "spk2gender" in columns and "spk2gender" not in PARTIAL:
        utt2spk, gender = columns["utt2spk"], columns["spk2gender"]
        lacking["spk2gender lacks the speakers of"] = sorted(utt for utt in utt2spk if utt2spk[utt] not in gender)
    kept = known.difference(*lacking.values())
    reasons = [f"{what} {_some(utts, 'utterances')}" for what, utts in lacking.items() if utts]
    if not kept:
        raise DataError(f"{path}: no utterance stands in all files ({'; '.join(reasons)}); restore the short ones")
    return kept, reasons


def _changes(path: Path, old: Columns, new: Columns) -> list[str]:
    """Say what goes from which file, and which files change in their form alone."""
    report = []
    for name, entries in new.items():
        gone = sorted(old.get(name, {}).keys() - entries.keys())
        if gone:
            report.append(f"{name}: {_some(gone, f'of {len(old[name])} lines')} went")
        if not entries:
            report.append(f"{name}: removed, nothing is left in it")
        elif not gone and _content(path / name) != "".join(f"{k} {entries[k]}\n" for k in sorted(entries)).encode():
            report.append(f"{name}: {'rebuilt from utt2spk' if name == 'spk2utt' else 'lines and order put right'}")
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
        info = _info(path)
        edited = changed_files(part, info.get("files", {}))
        note = f"{_some(lost, 'utterances')} went, see {backup}" if lost else f"{', '.join(edited)} changed by hand"
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
        f"{path}: sorting and leaving out cannot help, nothing was changed; {len(violations)} violations would stay "
        f"(lines as sorted), first: {violations[0]}"
    )


# ---- subset ----------------------------------------------------------------------------------------------------


def subset_data_dir(source: Path, keep: Collection[str], dest: Path, how: str, allow_pipes: bool = False) -> int:
    """Write a data directory of some utterances of another.

    Args:
        source: a valid data directory.
        keep: ids of its utterances, from `choose`, `listed` or elsewhere.
        dest: written whole or not at all; a directory that this function or `combine_data` made is replaced.
        how: how they were chosen, for `corpus.json`.
        allow_pipes: see `validate_data_dir`.

    Returns:
        The number of utterances written.
    """
    _check_dest(dest, [source])
    columns = _read_valid(source, allow_pipes)
    kept = set(keep)
    part = _only(columns, kept)
    info = _info(source)
    of = {"release": info.get("release"), "n_utterances": len(columns["utt2spk"]), "how": how}
    for name in ("made_from", "formats"):  # of the whole
        info.pop(name, None)
    whole = kept >= columns["utt2spk"].keys()
    info |= {"subset_of": of} if whole else {"subset_of": of, "release": "subset"}
    _write(dest, part, info, allow_pipes)
    return len(part["utt2spk"])


def choose(
    source: Path, n: int, order: str = "random", per_speaker: bool = False, seed: int = 1, allow_pipes: bool = False
) -> list[str]:
    """Choose utterances of a data directory, or of each of its speakers.

    Random order is that of a hash of seed and id: the same on every machine, independent of what else the
    directory holds, and a smaller choice is part of a larger one of the same seed.

    Args:
        source: a valid data directory.
        n: how many; of each speaker at most so many if `per_speaker`.
        order: take the first `n` in `random`, `first` (by id), `last` or `shortest` order.

    Raises:
        DataError: if there are fewer than `n` utterances.
    """
    if n < 1:
        raise ConfigError(f"N: found {n}, expected a number of utterances above 0")
    columns = _read_valid(source, allow_pipes)
    utts = _ordered(columns, order, seed)
    if per_speaker:
        of_speaker: dict[str, list[str]] = {}
        for utt in utts:
            of_speaker.setdefault(columns["utt2spk"][utt], []).append(utt)
        return sorted(utt for theirs in of_speaker.values() for utt in theirs[:n])
    if n > len(utts):
        raise DataError(f"{source}: holds {len(utts)} utterances, {n} were asked for; ask for at most {len(utts)}")
    return sorted(utts[:n])


def _ordered(columns: Columns, order: str, seed: int) -> list[str]:
    utts = sorted(columns["utt2spk"])
    if order == "random":
        return sorted(utts, key=lambda utt: seed_of("subset_data_dir", seed, utt))
    if order == "shortest":
        return sorted(utts, key=lambda utt: (float(columns["utt2dur"][utt]), utt))
    return utts if order == "first" else utts[::-1]


def listed(source: Path, utt_list: Path | None = None, spk_list: Path | None = None) -> list[str]:
    """Take the utterances that a list names, or those of the speakers that it names (first word of each line).

    Raises:
        DataError: for an empty list or an id that the directory has not.
    """
    utt2spk = read_map(_data_dir(source) / "utt2spk")
    path = utt_list or spk_list
    names = {name.strip() for name in read_list(path)} - {""}
    what, known = ("utterances", set(utt2spk)) if utt_list else ("speakers", set(utt2spk.values()))
    if not names:
        raise DataError(f"{path}: names no {what}; expected one id per line")
    if strange := sorted(names - known):
        raise DataError(f"{path}: {_some(strange, what)} are not in {source}; take them off the list")
    return sorted(names if utt_list else (utt for utt, speaker in utt2spk.items() if speaker in names))


# ---- combine ---------------------------------------------------------------------------------------------------


def combine_data(dest: Path, sources: Sequence[Path], allow_pipes: bool = False) -> list[str]:
    """Write one data directory of several.

    Ratings and texts stay missing where a part lacks them. A file that holds all utterances or none is filled: in
    `utt2session` a speaker is a session of its own (the leak audit stays as strict as it was), in `utt2emo_acted`
    the word is `unknown`, in `segments` an utterance is its whole file. `spk2gender` is then left out.

    Returns:
        One sentence per file that a part lacks.

    Raises:
        DataError: if an utterance stands in two parts, or a speaker has two genders.
    """
    _check_dest(dest, sources)
    parts = {source: _read_valid(source, allow_pipes) for source in sources}
    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    origin: dict[str, Path] = {}
    columns: Columns = {name: {} for name in names}
    left_out: set[str] = set()
    notes: list[str] = []
    for source, part in parts.items():
        _check_clash(source, part, columns, origin)
        for name in names:
            entries, told = (part[name], "") if name in part else _stand_in(name, part)
            columns[name].update(entries)
            if name not in part:
                notes.append(f"{name}: {source} has none{told}")
            if told == LEFT_OUT:
                left_out.add(name)
    columns = {name: column for name, column in columns.items() if name not in left_out}
    _write(dest, columns, _combined_info(dest, parts, notes), allow_pipes)
    return notes


def _stand_in(name: str, part: Columns) -> tuple[dict[str, str], str]:
    """Give what a file says of the utterances of a part that lacks it, and how to tell so."""
    utt2spk = part["utt2spk"]
    if name in PARTIAL or name not in (*UTT_FILES, SEGMENTS, "spk2gender"):
        return {}, ""
    if name == "utt2session":
        return utt2spk, "; each of its speakers stands for a session"
    if name == "utt2emo_acted":
        return dict.fromkeys(utt2spk, "unknown"), "; its utterances read 'unknown'"
    if name == SEGMENTS:
        whole = {utt: f"{utt} {0:.6f} {float(duration):.6f}" for utt, duration in part["utt2dur"].items()}
        return whole, "; its utterances are whole files"
    return {}, LEFT_OUT


def _check_clash(source: Path, part: Columns, columns: Columns, origin: dict[str, Path]) -> None:
    if both := sorted(part["utt2spk"].keys() & origin.keys()):
        raise DataError(
            f"{source} and {origin[both[0]]} share {_some(both, 'utterance ids')}; ids are unique across parts: "
            "leave one directory out, or take a subset of it"
        )
    for speaker, gender in part.get("spk2gender", {}).items():
        if (other := columns["spk2gender"].get(speaker, gender)) != gender:
            raise DataError(
                f"{source}: speaker '{speaker}' is '{gender}', in another part '{other}'; give one gender"
            )
    origin.update(dict.fromkeys(part["utt2spk"], source))


def _combined_info(dest: Path, parts: Mapping[Path, Columns], notes: list[str]) -> dict[str, Any]:
    infos = {source: _info(source) for source in parts}
    fields = ("corpus", "title", "licence", "page", "release")
    releases = {info.get("release") for info in infos.values()}
    return {
        "corpus": dest.resolve().name,
        "title": " + ".join(str(info.get("title", source.name)) for source, info in infos.items()),
        "licence": "; ".join(dict.fromkeys(info["licence"] for info in infos.values() if "licence" in info)),
        # No published counts stand for a combination; what is weaker than a user's own corpus shows through.
        "release": next((release for release in ("subset", "mini") if release in releases), "own"),
        "parts": [
            {
                "path": str(source.resolve()),
                **{field: info[field] for field in fields if field in info},
                "n_utterances": len(parts[source]["utt2spk"]),
            }
            for source, info in infos.items()
        ],
        "notes": notes,
    }


# ---- shared ----------------------------------------------------------------------------------------------------


def _data_dir(path: Path) -> Path:
    if path.is_dir():
        return path
    raise DataError(f"{path}: no such data directory; run the stage that writes it")


def _files(path: Path) -> list[str]:
    """Name the files of a directory that hold one line per utterance, known ones first, and `spk2gender`."""
    others = sorted(f.name for f in path.glob("utt2*") if f.is_file() and f.name not in UTT_FILES)
    return [
        name for name in (*UTT_FILES, SEGMENTS, *others, *KALDI_UTT_FILES, "spk2gender") if (path / name).is_file()
    ]


def _read_valid(path: Path, allow_pipes: bool) -> Columns:
    """Read every map of a valid data directory but `spk2utt`."""
    if violations := validate_data_dir(_data_dir(path), allow_pipes):
        raise DataError(f"{path}: {len(violations)} violations, first: {violations[0]}; try utils/fix_data_dir.sh")
    return {name: read_map(path / name) for name in _files(path)}


def _only(columns: Columns, kept: Collection[str]) -> Columns:
    """Reduce every file to some utterances and their speakers."""
    speakers = {speaker for utt, speaker in columns["utt2spk"].items() if utt in kept}
    return {
        name: {key: value for key, value in column.items() if key in (speakers if name == "spk2gender" else kept)}
        for name, column in columns.items()
    }


def _check_dest(dest: Path, sources: Sequence[Path]) -> None:
    """Refuse to replace anything but what these tools made."""
    check_place(dest, {f"the source {source.name}": source for source in sources})
    check_free(dest, DERIVED)


def _write(dest: Path, columns: Columns, info: Mapping[str, Any], allow_pipes: bool) -> None:
    """Write a data directory whole or not at all."""
    with replacing_folder(dest, DERIVED) as part:
        for name, entries in columns.items():
            if entries:
                write_map(part / name, entries)
        write_map(part / "spk2utt", _invert_or_refuse(dest, columns["utt2spk"]))
        if violations := validate_data_dir(part, allow_pipes):
            first = violations[0].replace(str(part), str(dest))
            raise DataError(f"{dest}: {len(violations)} violations, first: {first}")
        others = sorted(path.name for path in part.iterdir() if path.name not in OWN_FILES)
        counted = {**summary(read_data_dir(part)), "files": record(part), "others": others}
        write_json(part / "corpus.json", {**info, **counted})


def _invert_or_refuse(path: Path, utt2spk: Mapping[str, str]) -> dict[str, str]:
    try:
        return invert(utt2spk)
    except ValueError as error:
        raise DataError(f"{path / 'utt2spk'}: {error}") from None


def _info(path: Path) -> dict[str, Any]:
    """Read `corpus.json`; empty where there is none."""
    try:
        return read_json(path / "corpus.json")
    except FileNotFoundError:
        return {}


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _some(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what} (first: {', '.join(names[:3])})"
