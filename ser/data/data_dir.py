"""Kaldi's file formats: maps (`utt2spk`, `wav.scp`, ...), data directories and id lists.

One table, `UTT_FILES`, says which file of a data directory holds which field of an utterance; writing,
reading and validating all follow it. Not here: archives of features (`archives.py`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ser.data.audio import probe
from ser.errors import DataError, unknown
from ser.system.files import changed_files, fingerprint, hash_files, read_json, replacing, write_json
from ser.system.folders import Kind, replacing_folder
from ser.types import EMOTIONS, Utterance

UTT_FILES = {
    "wav.scp": "wav",
    "utt2spk": "speaker",
    "utt2dur": "duration",
    "utt2emo": "emotion",
    "utt2emo_native": "emotion_native",
    "utt2lang": "language",
    "utt2hash": "audio_hash",
    "utt2session": "session",
    "utt2text_id": "text_id",
    "utt2aro": "arousal",
    "utt2val": "valence",
    "utt2dom": "dominance",
    "utt2emo_acted": "emotion_acted",
}
"""File of a data directory -> field of `Utterance`; utterance id is the key of each."""

SEGMENTS = "segments"
"""Kaldi's `utt recording start end`, where utterances are parts of files; the recording has the utterance's id."""

REQUIRED = ("wav.scp", "utt2spk", "spk2utt", "utt2dur", "utt2emo", "utt2emo_native", "utt2lang", "utt2hash")
PARTIAL = ("utt2text_id", "utt2aro", "utt2val", "utt2dom")
"""Files that may lack ids: a rating or a text can be missing where its turn is not."""

BACKUP = ".backup"
"""Folder below a data directory with its files from before `fix_data_dir`; the next ones are `.backup.2`, ..."""

OWN_FILES = (*UTT_FILES, SEGMENTS, "spk2utt", "spk2gender", "corpus.json")

DATA_DIR = Kind(
    name="data directory",
    mark="corpus.json",
    is_ours=lambda info: "utt2spk" in info["files"],  # the record of `write_data_dir`
    holds=lambda info: [
        *OWN_FILES,
        *info.get("others", ()),
        *(f"{BACKUP}{number}/{name}" for number in ("", ".*") for name in (*OWN_FILES, *info.get("others", ()))),
    ],
)
"""What `write_data_dir` and the tools of Kaldi's names write; `others` in `corpus.json` are files of other tools that
went from one directory into another."""

_NUMBERS = {"duration", "arousal", "valence", "dominance"}


def read_map(path: Path) -> dict[str, str]:
    """Read one `key value` line per key; the value may hold spaces.

    Raises:
        DataError: for a line without a value or a key that stands twice, with its file and line.
    """
    entries: dict[str, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        key, _, value = line.partition(" ")
        if not key or not value:
            raise DataError(f"{path} line {number}: found '{line}', expected 'key value'")
        if key in entries:
            raise DataError(f"{path} line {number}: '{key}' stands twice; keys are unique")
        entries[key] = value
    return entries


def write_map(path: Path, entries: Mapping[str, object]) -> None:
    """Write one `key value` line per key, sorted as `LC_ALL=C sort` does (UTF-8 bytes).

    Raises:
        DataError: for a key with white space or a value with a line break, which no reader could undo.
    """
    for key, value in entries.items():
        if not key or key.split() != [key]:
            raise DataError(f"{path}: key '{key}' is empty or holds white space")
        if not str(value) or str(value).splitlines() != [str(value)]:
            raise DataError(f"{path}: the value of '{key}' is empty or holds a line break: {value!r}")
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{key} {entries[key]}\n" for key in sorted(entries))


def read_list(path: Path) -> list[str]:
    """Read a list of ids, the first word of each line."""
    return [line.split(" ", 1)[0] for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    try:
        text = Path(path).read_bytes().decode()
    except FileNotFoundError:
        raise DataError(f"{path} is missing; run the stage that writes it") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from None
    return text.removesuffix("\n").split("\n") if text else []  # not splitlines: ids may hold U+2028


def write_data_dir(
    path: Path, utterances: Iterable[Utterance], info: Mapping[str, Any], kind: Kind = DATA_DIR
) -> None:
    """Write a data directory whole or not at all.

    Args:
        path: `data/<corpus>`.
        utterances: at least one; a file is written for each field that any of them has.
        info: content of `corpus.json`, which also records the files as they are now.
        kind: of an older directory that may be replaced.

    Raises:
        DataError: for an id that stands twice, whatever `validate_data_dir` finds, or anything in the way.
    """
    utterances = sorted(utterances, key=lambda u: u.utt_id)
    _check_unique(path, utterances)
    with replacing_folder(path, kind) as part:
        for name, field in UTT_FILES.items():
            values = {u.utt_id: getattr(u, field) for u in utterances}
            present = {utt: value for utt, value in values.items() if value is not None}
            if present:
                write_map(part / name, present)
        spk2utt: dict[str, list[str]] = {}
        for utterance in utterances:
            spk2utt.setdefault(utterance.speaker, []).append(utterance.utt_id)
        write_map(part / "spk2utt", {spk: " ".join(utts) for spk, utts in spk2utt.items()})
        if gender := {u.speaker: u.gender for u in utterances if u.gender is not None}:
            write_map(part / "spk2gender", gender)
        if any(u.start is not None for u in utterances):
            write_map(part / SEGMENTS, {u.utt_id: _segment(u) for u in utterances})
        write_json(part / "corpus.json", {**info, "files": record(part)})
        if violations := validate_data_dir(part):
            raise DataError(f"{path}: {len(violations)} violations, first: {violations[0]}")


def made_from(path: Path) -> dict[str, Any] | None:
    """Read what a data directory was made from; None if there is none, or a damaged one."""
    try:
        return read_json(path / "corpus.json")["made_from"]
    except (OSError, KeyError, TypeError, DataError):
        return None


def prepared(corpus: str) -> Kind:
    """Describe the data directory that stage 1 writes of one corpus, and may replace."""
    return dataclasses.replace(
        DATA_DIR,
        name=f"data directory of {corpus}",
        # Notes are of `fix_data_dir`, which keeps what was changed by hand.
        is_ours=lambda info: (
            DATA_DIR.is_ours(info) and info["corpus"] == corpus and "made_from" in info and not info.get("notes")
        ),
    )


def record(path: Path) -> dict[str, str]:
    """Hash the files of a data directory, as `check_unchanged` wants them in `corpus.json` under `files`.

    `wav.scp` is not among them: audio may move, and is held against `utt2hash` when it is read.
    """
    names = (*UTT_FILES, SEGMENTS, "spk2utt", "spk2gender")
    return hash_files(path, [name for name in names if name != "wav.scp" and (path / name).exists()])


def check_unchanged(path: Path) -> None:
    """Refuse a data directory whose files are not those that stage 1 wrote: later stages may have used them.

    Raises:
        DataError: naming a file. Directories without a record, as those of other tools, pass.
    """
    info = read_json(path / "corpus.json") if (path / "corpus.json").exists() else {}
    if changed := changed_files(path, info.get("files", {})):
        raise DataError(
            f"{path / changed[0]} is not what stage 1 wrote; to undo the change, "
            f"delete {path} and run stage 1 again; "
            f"to keep it, call utils/fix_data_dir.sh {path}"
        )


def _segment(utterance: Utterance) -> str:
    """Print a line of `segments` without its key; an utterance without times is its whole file."""
    start = utterance.start or 0.0
    return f"{utterance.utt_id} {start:.6f} {start + (utterance.duration or 0):.6f}"


def _check_unique(path: Path, utterances: Sequence[Utterance]) -> None:
    """Refuse what maps would hide, because the last of two values stays: ids that stand twice."""
    first: dict[str, Utterance] = {}
    gender: dict[str, str] = {}
    for u in utterances:
        if (twin := first.setdefault(u.utt_id, u)) is not u:
            raise DataError(
                f"{path}: utterance id '{u.utt_id}' stands for both '{twin.wav}' and '{u.wav}'; keep one of them"
            )
        if (other := gender.setdefault(u.speaker, u.gender)) != u.gender:
            raise DataError(f"{path}: speaker '{u.speaker}' is both '{other}' and '{u.gender}'; give one gender")


def read_data_dir(path: Path) -> list[Utterance]:
    """Read a data directory that `write_data_dir` wrote, sorted by utterance id."""
    path = Path(path)
    columns = {
        field: read_map(path / name)
        for name, field in UTT_FILES.items()
        if name in REQUIRED or (path / name).exists()
    }
    gender = read_map(path / "spk2gender") if (path / "spk2gender").exists() else {}
    times = read_segments(path)
    return [
        Utterance(
            utt_id=utt,
            gender=gender.get(speaker),
            start=times.get(utt, (None, None))[0],
            end=times.get(utt, (None, None))[1],
            **{
                field: float(column[utt]) if field in _NUMBERS else column[utt]
                for field, column in columns.items()
                if utt in column
            },
        )
        for utt, speaker in columns["speaker"].items()
    ]


def read_segments(path: Path) -> dict[str, tuple[float, float]]:
    """Read start and end in seconds of utterances that are parts of files; empty where they are whole files."""
    if not (path / SEGMENTS).exists():
        return {}
    values = {utt: value.split(" ") for utt, value in read_map(path / SEGMENTS).items()}
    return {utt: (float(start), float(end)) for utt, (_, start, end) in values.items()}


class AudioPart(NamedTuple):
    """Where an utterance's audio is: a file, and start and end in seconds where it is a part of the file."""

    path: str
    start: float | None = None
    end: float | None = None
    audio_hash: str | None = None

    def check(self) -> None:
        """Refuse audio that is not what stage 1 saw; the file is read, but not decoded.

        Raises:
            DataError: without the utterance.
        """
        if self.audio_hash is None:
            return
        try:
            found = probe(Path(self.path)).audio_hash
        except DataError as error:
            raise DataError(f"{self.path}: {error}; restore the file and run stage 1 again") from None
        if self.audio_hash not in (found, fingerprint([found, self.start, self.end])):
            raise DataError(f"{self.path}: is not the audio that stage 1 saw; restore the file or run stage 1 again")


def read_audio_parts(path: Path) -> dict[str, AudioPart]:
    """Read where the audio of each utterance of a data directory is."""
    wavs, times = read_map(path / "wav.scp"), read_segments(path)
    hashes = read_map(path / "utt2hash") if (path / "utt2hash").exists() else {}  # stage 1 writes it, Kaldi does not
    return {utt: AudioPart(wav, *times.get(utt, (None, None)), hashes.get(utt)) for utt, wav in wavs.items()}


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
    return found + _check_speakers(path, columns["utt2spk"], columns["spk2utt"])


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
            found.append(f"{path} line {number}: carriage return; lines end in a line feed alone")
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
    found = [f"{path} line {lines[key]}: '{key}' is no known id" for key in column if key not in keys]
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
        if field in ("emotion", "emotion_acted") and value not in EMOTIONS:
            return f"is no canonical emotion: {unknown(value, EMOTIONS)}"
        if field == SEGMENTS and not _is_segment(value):
            return "is not 'recording start end' with 0 <= start < end"
        if field == "spk2gender" and value not in ("m", "f"):
            return "is not 'm' or 'f'"
        if field in _NUMBERS and not (_is_number(value) and (field != "duration" or float(value) > 0)):
            return "is not a positive number" if field == "duration" else "is not a number"
        return None

    return [
        f"{path} line {number}: '{value}' {text}"
        for number, value in enumerate(column.values(), start=1)
        if (text := problem(value))
    ]


def _is_segment(text: str) -> bool:
    parts = text.split(" ")
    return len(parts) == 3 and all(map(_is_number, parts[1:])) and 0 <= float(parts[1]) < float(parts[2])


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))  # NaN is no rating
    except ValueError:
        return False


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


def summary(utterances: Sequence[Utterance]) -> dict[str, Any]:
    """Count what a data directory holds, for `corpus.json`."""
    emotions = [u.emotion for u in utterances]
    speakers = sorted({u.speaker for u in utterances})
    return {
        "n_utterances": len(utterances),
        "n_speakers": len(speakers),
        "hours": round(sum(u.duration or 0 for u in utterances) / 3600, 3),
        "emotions": {e: emotions.count(e) for e in EMOTIONS if e in emotions},
        "utterances_per_speaker": {s: sum(u.speaker == s for u in utterances) for s in speakers},
        "fields": sorted(
            f.name for f in dataclasses.fields(Utterance) if any(getattr(u, f.name) is not None for u in utterances)
        ),
    }
