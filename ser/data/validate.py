"""Whether a data directory keeps every rule that later stages rely on."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from ser.data.maps import NUMBERS, PARTIAL, REQUIRED, SEGMENTS, UTT_FILES
from ser.errors import unknown
from ser.types import EMOTIONS, parse_votes, sounds_as


def validate_data_dir(path: Path, allow_pipes: bool = False) -> list[str]:
    """Check a data directory against every rule that later stages rely on.

    Args:
        path: the directory.
        allow_pipes: accept `wav.scp` lines that end in a pipe; they run a command when read.

    Returns:
        One sentence per violation, with file and line; empty if the directory is valid.
    """
    path = Path(path)
    if not path.is_dir():
        return [f"{path}: no such directory"]
    names = [name for name in (*UTT_FILES, SEGMENTS, "spk2utt", "spk2gender") if (path / name).exists()]
    found = [f"{path / name}: missing" for name in REQUIRED if name not in names]
    columns: dict[str, dict[str, str]] = {}
    for name in names:
        columns[name], violations = _check_format(path / name)
        found += violations
    if found:  # content is judged only where the form holds
        return found
    for name, column in columns.items():
        keys = columns["spk2utt" if name.startswith("spk2") else "utt2spk"]
        found += _check_keys(path / name, column, keys, partial=name in PARTIAL)
        found += _check_values(path / name, column, allow_pipes)
    found += _check_speakers(path, columns["utt2spk"], columns["spk2utt"])
    return found + _check_spellings(path, columns)


def _check_format(path: Path) -> tuple[dict[str, str], list[str]]:
    """Check lines, order and uniqueness of one map."""
    content = path.read_bytes()
    if not content:
        return {}, [f"{path}: empty file"]
    found: list[str] = []
    column: dict[str, str] = {}
    lines = content.split(b"\n")
    if lines[-1]:
        found.append(f"{path} line {len(lines)}: no line end at the end of the file")
    previous = b""
    for number, line in enumerate(lines if lines[-1] else lines[:-1], start=1):
        key, _, value = line.partition(b" ")
        name = key.decode(errors="backslashreplace")
        if b"\r" in line:
            found.append(f"{path} line {number}: carriage return; lines end in a line feed only")
        elif not key or not value.strip() or b"\t" in key:
            found.append(f"{path} line {number}: found {line!r}, expected 'key value'")
        elif number > 1 and key == previous:
            found.append(f"{path} line {number}: '{name}' stands twice")
        elif key < previous:
            found.append(f"{path} line {number}: '{name}' is not sorted (LC_ALL=C)")
        try:
            column[key.decode()] = value.decode()
        except UnicodeDecodeError:
            found.append(f"{path} line {number}: not UTF-8")
        previous = key
    return column, found


def _check_keys(path: Path, column: Mapping[str, str], keys: Mapping[str, str], partial: bool) -> list[str]:
    """Check that a map has exactly the ids of `utt2spk`, or of `spk2utt`."""
    lines = {key: number for number, key in enumerate(column, start=1)}
    found = [f"{path} line {lines[key]}: '{key}' is not a known id" for key in column if key not in keys]
    missing = [] if partial else [key for key in keys if key not in column]
    if missing:
        found.append(f"{path} line {len(column) + 1}: {len(missing)} ids missing (first: '{missing[0]}')")
    return found


def _check_values(path: Path, column: Mapping[str, str], allow_pipes: bool) -> list[str]:
    """Check the values of one map, by the field that it holds."""
    field = UTT_FILES.get(path.name, path.name)

    def problem(value: str) -> str | None:
        if field == "wav" and value.rstrip().endswith("|") and not allow_pipes:
            return "is a pipe, which would run a command; --allow_pipes true accepts it"
        if field in ("emotion", "emotion_acted", "emotion_rated") and value not in EMOTIONS:
            return f"is not a canonical emotion: {unknown(value, EMOTIONS)}"
        if field == "votes" and not _are_votes(value):
            return "is not 'emotion:votes ...' with canonical emotions and numbers above 0"
        if field == SEGMENTS and not _is_segment(value):
            return "is not 'recording start end' with 0 <= start < end"
        if field == "spk2gender" and value not in ("m", "f"):
            return "is not 'm' or 'f'"
        if field in NUMBERS and not (is_number(value) and (field != "duration" or float(value) > 0)):
            return "is not a positive number" if field == "duration" else "is not a number"
        return None

    return [
        f"{path} line {number}: '{value}' {text}"
        for number, value in enumerate(column.values(), start=1)
        if (text := problem(value))
    ]


def _is_segment(text: str) -> bool:
    parts = text.split(" ")
    return len(parts) == 3 and all(map(is_number, parts[1:])) and 0 <= float(parts[1]) < float(parts[2])


def _are_votes(text: str) -> bool:
    try:
        return bool(parse_votes(text))
    except ValueError:
        return False


def is_number(text: str) -> bool:
    """Whether a text is a finite number; not `nan`, and not `1_5`, which Python takes for 15."""
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _check_spellings(path: Path, columns: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Check that no two names of a corpus are one name for a person: equal but for case, Unicode form or zeros."""
    utt2spk = columns["utt2spk"]
    named = {
        "utt2spk": ("speakers", {speaker: speaker.partition("-")[2] for speaker in utt2spk.values()}),
        "utt2session": ("sessions", {name: name for name in columns.get("utt2session", {}).values()}),
    }
    ids = {utt: utt.removeprefix(f"{speaker}-") for utt, speaker in utt2spk.items()}
    found = []
    for name, (what, names) in named.items():
        first: dict[tuple[str, str], str] = {}
        for full, own in names.items():
            of = full.partition("-")[0] if name == "utt2spk" else ""  # corpora that were combined
            other = first.setdefault((of, sounds_as(unquote(own))), full)
            if other != full:
                found.append(f"{path / name}: '{unquote(other)}' and '{unquote(full)}' are two spellings of one name "
                             f"among {what}; write it in one way")  # fmt: skip
    first = {}
    for utt, own in ids.items():
        other = first.setdefault((utt2spk[utt], unicodedata.normalize("NFC", unquote(own)).casefold()), utt)
        if other != utt:
            found.append(f"{path / 'utt2spk'}: utterances '{other}' and '{utt}' differ in case or Unicode form only; "
                         "rename one")  # fmt: skip
    return found


def _check_speakers(path: Path, utt2spk: Mapping[str, str], spk2utt: Mapping[str, str]) -> list[str]:
    """Check prefixes, common order, and that `spk2utt` is the inverse of `utt2spk`."""
    found: list[str] = []
    inverse: dict[str, list[str]] = {}
    previous = ""
    for number, (utt, speaker) in enumerate(utt2spk.items(), start=1):
        where = f"{path / 'utt2spk'} line {number}"
        if not utt.startswith(f"{speaker}-"):
            found.append(f"{where}: utterance '{utt}' does not begin with its speaker '{speaker}-'")
        if speaker < previous:
            found.append(f"{where}: sorted by utterance but not by speaker ('{speaker}')")
        previous = speaker
        inverse.setdefault(speaker, []).append(utt)
    for number, (speaker, utts) in enumerate(spk2utt.items(), start=1):
        if utts.split() != inverse.get(speaker):
            found.append(f"{path / 'spk2utt'} line {number}: '{speaker}' is not the inverse of utt2spk")
    found += [
        f"{path / 'spk2utt'} line {len(spk2utt) + 1}: speaker '{speaker}' of utt2spk is missing"
        for speaker in inverse
        if speaker not in spk2utt
    ]
    return found
