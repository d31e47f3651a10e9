"""A corpus of the user's own, described by a table: one line per utterance, CSV or TSV, with a line of column names.

Columns: `path`, `speaker`, `emotion` (a canonical word), and, where known, `gender` (m or f), `language` (ISO
639-1), `session`, `text_id`, `arousal`, `valence`, `dominance`, and `start` and `end` in seconds for segments of
long files. Relative paths are relative to the table. Empty cells are unknown values.

The corpus is named after the last part of its data directory. Two lines may name one file if their times differ.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path

from ser.data.audio import probe
from ser.data.data_dir import check_unchanged, made_from, prepared, summary, write_data_dir
from ser.errors import DataError, unknown
from ser.system.files import alone, fingerprint, hash_file
from ser.system.folders import check_free, check_place
from ser.types import EMOTIONS, Utterance, ids

REQUIRED = ("path", "speaker", "emotion")
OPTIONAL = ("gender", "language", "session", "text_id", "arousal", "valence", "dominance", "start", "end")
ALL_OR_NONE = ("gender", "session")
"""Columns whose files a data directory has whole or not at all."""

NUMBERS = ("arousal", "valence", "dominance", "start", "end")
VERSION = 2
"""Raise it when the same table would give other files."""


def prepare_table(table: Path, data_dir: Path, allow_partial: bool = False) -> bool:
    """Turn a table into a valid data directory.

    Args:
        table: CSV (commas or semicolons) or TSV file.
        data_dir: written whole or not at all; its last part names the corpus.
        allow_partial: leave out files that are unusable; the result is stamped `subset`.

    Returns:
        False if the directory was up to date and nothing was done.

    Raises:
        DataError: naming row and column, what was found and what is allowed.
    """
    corpus = data_dir.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9_.]+", corpus):
        raise DataError(
            f"'{corpus}' cannot be the name of a corpus; name its folder with letters, digits, '_' or '.'"
        )
    if not table.is_file():
        raise DataError(f"{table}: no such table; give a CSV or TSV file with columns {', '.join(REQUIRED)}")
    mark = {
        "table": hash_file(table),
        "path": str(table.resolve()),
        "allow_partial": allow_partial,
        "parser": VERSION,
    }
    rows = _rows(table)
    audio = {path.parent: path for row in rows.values() if (path := table.parent / row["path"])}  # one of each folder
    check_place(data_dir, {"the table": table, **{f"audio of {table.name}": path for path in audio.values()}})
    mark["audio"] = fingerprint([_stamp(table.parent / row["path"]) for row in rows.values()])
    if made_from(data_dir) == mark:
        check_unchanged(data_dir)
        return False
    check_free(data_dir, prepared(corpus))
    utterances, unusable = {}, {}
    for where, row in rows.items():
        utterance = _utterance(corpus, table, where, row)
        if (twin := utterances.setdefault(utterance.utt_id, utterance)) is not utterance:
            raise DataError(f"{where}: column path: '{row['path']}' stands twice for speaker '{row['speaker']}' "
                            f"(id {twin.utt_id}); remove one line or give times")  # fmt: skip
        try:
            utterances[utterance.utt_id] = _with_audio(utterance, where)
        except DataError as reason:
            unusable[where] = f"{row['path']}: {reason}"
            del utterances[utterance.utt_id]
    for where, reason in unusable.items():
        print(f"  unusable: {where}: {reason}")
    if not utterances or (unusable and not allow_partial):
        raise DataError(
            f"{table}: {len(unusable)} of {len(rows)} rows are unusable (above); correct them, or leave them out "
            "with --allow_partial true, which flags every table made from it"
        )
    info = {
        "corpus": corpus,
        "title": corpus,
        "release": "subset" if unusable else "own",
        "made_from": mark,
        "dropped": unusable,
        "formats": {},
        **summary(list(utterances.values())),
    }
    with alone(data_dir):  # recipes share it
        write_data_dir(data_dir, utterances.values(), info, prepared(corpus))
    print(f"  {len(utterances)} utterances of {info['n_speakers']} speakers: {info['emotions']}")
    return True


def _rows(table: Path) -> dict[str, dict[str, str]]:
    """Read a table: where each row stands -> its cells by column."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    head = text.split("\n", 1)[0]
    delimiter = max("\t,;", key=head.count)
    lines = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    columns = [cell.strip() for cell in next(lines, [])]
    known = (*REQUIRED, *OPTIONAL)
    for column in columns:
        if column not in known:
            raise DataError(f"{table} row 1: column {unknown(column, known)}")
    if missing := [c for c in REQUIRED if c not in columns] or [c for c in columns if columns.count(c) > 1]:
        raise DataError(f"{table} row 1: column '{missing[0]}' is missing or twice; found {', '.join(columns)}")
    rows = {}
    for cells in lines:
        where = f"{table} row {lines.line_num}"
        if len(cells) != len(columns):
            if not any(cells):
                continue
            raise DataError(f"{where}: {len(cells)} cells for {len(columns)} columns; quote cells that hold a comma")
        rows[where] = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
    if not rows:
        raise DataError(f"{table}: no rows below the column names")
    for column in ALL_OR_NONE:
        empty = [where for where, row in rows.items() if not row.get(column)]
        if empty and len(empty) < len(rows):
            raise DataError(f"{empty[0]}: column {column}: empty, other rows have it; give it everywhere or nowhere")
    return rows


def _utterance(corpus: str, table: Path, where: str, row: Mapping[str, str]) -> Utterance:
    """Check one row's cells and make its utterance, without looking at the audio."""
    for column in REQUIRED:
        if not row[column]:
            raise DataError(f"{where}: column {column}: empty; every utterance needs one")
    if row["emotion"] not in EMOTIONS:
        raise DataError(f"{where}: column emotion: {unknown(row['emotion'], EMOTIONS)}")
    if row.get("gender") not in (None, "", "m", "f"):
        raise DataError(f"{where}: column gender: found '{row['gender']}', allowed are m, f or nothing")
    numbers = {column: _number(where, column, row.get(column, "")) for column in NUMBERS}
    start, end = numbers["start"], numbers["end"]
    if (start is None) != (end is None):
        raise DataError(f"{where}: columns start and end: found '{row.get('start', '')}' and '{row.get('end', '')}'; "
                        "give both or neither")  # fmt: skip
    if start is not None and not 0 <= start < end:
        raise DataError(f"{where}: columns start and end: found {start} and {end}, needed is 0 <= start < end")
    name = str(Path(row["path"]).with_suffix("")).replace("/", "-")
    times = "" if start is None else f"-{round(1000 * start):07d}-{round(1000 * end):07d}"
    utt_id, speaker = ids(corpus, row["speaker"], name + times)
    return Utterance(
        utt_id=utt_id,
        speaker=speaker,
        wav=str((table.parent / row["path"]).absolute()),
        emotion=row["emotion"],
        emotion_native=row["emotion"],
        gender=row.get("gender") or None,
        language=row.get("language") or "und",
        session=row.get("session") or None,
        text_id=row.get("text_id") or None,
        **numbers,
    )


def _number(where: str, column: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: column {column}: found '{text}', a number or nothing is allowed")
    return round(value, 6) if column in ("start", "end") else value  # as `segments` has them


def _with_audio(utterance: Utterance, where: str) -> Utterance:
    """Hold the file's header against its size, and a segment against the file."""
    info = probe(Path(utterance.wav))
    if utterance.start is None:
        return dataclasses.replace(utterance, duration=round(info.duration, 6), audio_hash=info.audio_hash)
    if utterance.end > info.duration + 1e-3:
        raise DataError(f"column end: {utterance.end} is after the end of the file ({info.duration:.3f} s)")
    return dataclasses.replace(
        utterance,
        duration=round(utterance.end - utterance.start, 6),
        audio_hash=fingerprint([info.audio_hash, utterance.start, utterance.end]),
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
