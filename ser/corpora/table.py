"""A corpus of the user's own, described by a table: one line per utterance, CSV or TSV, with a line of column names.

Columns: `path`, `speaker`, `emotion`, and, where known, `utt` (the name of the utterance), `gender` (m or f),
`language` (ISO 639-1), `session`, `text_id`, `arousal`, `valence`, `dominance`, `start` and `end` in seconds for
segments of long files, and `channel` (average, first or loudest) for files with several. Relative paths are relative
to the table. Empty cells are unknown values. Common spellings of names, emotions and genders are understood
(`ser.corpora.spelling`), and said; the native word is kept.

An utterance is named by `utt`, or else by its path below the common folder of all files: a corpus in another place
has the same ids. The corpus is named after the last part of its data directory. Two lines may name one file if their
times differ.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ser.corpora.base import formats_of
from ser.corpora.spelling import OPTIONAL, REQUIRED, Text, Words, read_text
from ser.data.audio import AudioInfo, probe
from ser.data.data_dir import (
    check_unchanged,
    made_from,
    notes_on_levels,
    prepared,
    summary,
    with_audio,
    write_data_dir,
)
from ser.errors import DataError, unknown
from ser.system.files import alone, fingerprint, hash_file
from ser.system.folders import check_free, check_place
from ser.system.progress import progress
from ser.types import Utterance, escape, ids, name_of

if TYPE_CHECKING:
    from ser.data.listen import Levels

ALL_OR_NONE = ("gender", "session")
"""Columns whose files a data directory has whole or not at all."""

NUMBERS = ("arousal", "valence", "dominance", "start", "end")

CHANNELS = ("average", "first", "loudest")
"""Cells of the column `channel`, the default first."""

VERSION = 4
"""Raise it when the same table would give other files."""

HELP = f"""columns of a table: {", ".join(REQUIRED)}; and where known {", ".join(OPTIONAL)}.
Relative paths are relative to the table. Emotions are words as in ser/types.py; `--map joy=happy`, or a YAML file of
such lines, says what other words mean."""


class Problems:
    """What is wrong with a table, all of it."""

    def __init__(self, table: Path, first: list[str]):
        self.table, self.found = table, list(first)

    def add(self, row: int, reason: object) -> None:
        """Note what is wrong with a row."""
        self.found.append(f"row {row}: {reason}")

    def refuse(self) -> None:
        """Raise DataError if anything is wrong; several problems are printed before."""
        if len(self.found) == 1:
            raise DataError(f"{self.table} {self.found[0]}")
        if self.found:
            self.found.sort(key=lambda problem: int(problem.removeprefix("row ").partition(":")[0]))
            for problem in self.found:
                print(f"  {problem}")
            raise DataError(f"{self.table}: {len(self.found)} problems (above), the first is {self.found[0]}")


def prepare_table(
    table: Path, data_dir: Path, allow_partial: bool = False, mapped: Mapping[str, str] | None = None
) -> bool:
    """Turn a table into a valid data directory.

    Args:
        table: CSV (commas, semicolons or bars) or TSV file.
        data_dir: written whole or not at all; its last part names the corpus.
        allow_partial: leave out files that are unusable; the result is stamped `subset`.
        mapped: native word -> emotion; None takes what the directory was made with before.

    Returns:
        False if the directory was up to date and nothing was done.

    Raises:
        DataError: naming row and column of every problem, what was found and what is allowed.
    """
    corpus = data_dir.resolve().name
    if not corpus or escape(corpus) != corpus:
        raise DataError(
            f"'{corpus}' cannot be the name of a corpus; name its folder with letters, digits, '_' or '.'"
        )
    if not table.is_file():
        raise DataError(f"{table}: no such table; give a CSV or TSV file with columns {', '.join(REQUIRED)}")
    before = made_from(data_dir) or {}
    if mapped is None:
        mapped = before.get("map", {}) if before.get("path") == str(table.resolve()) else {}
    mark = {
        "table": hash_file(table),
        "path": str(table.resolve()),
        "allow_partial": allow_partial,
        "map": dict(mapped),
        "parser": VERSION,
    }
    text = read_text(table)
    if not text.rows and not text.problems:
        raise DataError(f"{table}: no rows below the column names")
    files = {number: table.parent / row["path"] for number, row in text.rows.items() if row["path"]}
    audio = {path.parent: path for path in files.values()}  # one of each folder
    check_place(data_dir, {"the table": table, **{f"audio of {table.name}": path for path in audio.values()}})
    mark["audio"] = fingerprint([_stamp(path) for path in files.values()])
    if before == mark:
        check_unchanged(data_dir)
        return False
    check_free(data_dir, prepared(corpus))
    for line in text.said:
        print(f"  {line}")
    problems = Problems(table, text.problems)
    utterances = _utterances(corpus, text, files, Words(mapped), problems)
    infos, heard, unusable = _audio(text, utterances, problems)
    if problems.found:
        for number, reason in unusable.items():
            problems.add(number, f"column path: {reason}")
    problems.refuse()
    _report(text, utterances, infos, unusable)
    if not infos or (unusable and not allow_partial):
        raise DataError(
            f"{table}: {len(unusable)} of {len(text.rows)} rows are unusable (above); correct them, or leave them "
            "out with --allow_partial true, which flags every table made from it"
        )
    usable = list(heard.values())
    info = {
        "corpus": corpus,
        "title": corpus,
        "release": "subset" if unusable else "own",
        "made_from": mark,
        "dropped": {f"{table} row {number}": reason for number, reason in unusable.items()},
        "formats": formats_of(infos.values()),
        **summary(usable),
    }
    with alone(data_dir):  # recipes share it
        write_data_dir(data_dir, usable, info, prepared(corpus))
    return True


def _report(
    text: Text, utterances: Mapping[int, Utterance], infos: Mapping[int, AudioInfo], unusable: Mapping[int, str]
) -> None:
    """Print what was understood and counted."""
    words = Counter((text.rows[number]["emotion"], u.emotion) for number, u in utterances.items())
    for (native, emotion), n in sorted(words.items()):
        if native != emotion:
            print(f"  emotion '{native}' read as {emotion}: {n} x")
    for number, reason in unusable.items():
        print(f"  unusable: row {number}: {reason}")
    for name, n in formats_of(infos.values()).items():
        print(f"  {n} x {name}")
    counts = summary([utterances[number] for number in infos])
    print(f"  {len(infos)} utterances of {counts['n_speakers']} speakers: {counts['emotions']}")


def _utterances(
    corpus: str, text: Text, files: Mapping[int, Path], words: Words, problems: Problems
) -> dict[int, Utterance]:
    """Make the utterance of every row that has no problem, without looking at the audio."""
    folder = Path(os.path.commonpath([os.path.abspath(path.parent) for path in files.values()])) if files else Path()
    found: dict[int, Utterance] = {}
    named: dict[str, int] = {}
    for number, row in text.rows.items():
        n_before = len(problems.found)
        for column in REQUIRED:
            if not row[column]:
                problems.add(number, f"column {column}: empty; every utterance needs one")
        values = _cells(number, row, words, problems)
        if len(problems.found) > n_before:
            continue
        path = Path(os.path.abspath(files[number]))
        times = (
            ""
            if values["start"] is None
            else f"-{round(1000 * values['start']):07d}-{round(1000 * values['end']):07d}"
        )
        name = row.get("utt") or f"{'-'.join(path.relative_to(folder).with_suffix('').parts)}{times}"
        utt_id, speaker = ids(corpus, row["speaker"], name)
        if (twin := named.setdefault(utt_id, number)) != number:
            what = f"column utt: '{name}'" if row.get("utt") else f"column path: '{row['path']}'"
            problems.add(number, f"{what} stands twice for speaker '{row['speaker']}', in row {twin} too; remove one "
                                 "line or give times")  # fmt: skip
            continue
        found[number] = Utterance(
            utt_id=utt_id, speaker=speaker, wav=str(path), emotion_native=row["emotion"], **values
        )
    _check_columns(text, found, problems)
    return found


def _cells(number: int, row: Mapping[str, str], words: Words, problems: Problems) -> dict[str, object]:
    """Understand a row's cells."""
    values: dict[str, object] = {column: name_of(row.get(column) or "") or None for column in ("session", "text_id")}
    if row.get("channel") and row["channel"] not in CHANNELS:
        problems.add(number, f"column channel: {unknown(row['channel'], CHANNELS)}")
    values["language"] = row.get("language") or "und"
    for column, understood in (("emotion", words.emotion), ("gender", words.gender)):
        try:
            values[column] = understood(row.get(column, "")) if column != "emotion" or row[column] else None
        except DataError as error:
            problems.add(number, error)
    for column in NUMBERS:
        try:
            values[column] = _number(column, row.get(column, ""))
        except DataError as error:
            problems.add(number, error)
    start, end = values.get("start"), values.get("end")
    if bool(row.get("start")) != bool(row.get("end")):
        problems.add(number, f"columns start and end: found '{row.get('start', '')}' and '{row.get('end', '')}'; "
                             "give both or neither")  # fmt: skip
    elif start is not None and end is not None and not 0 <= start < end:
        problems.add(number, f"columns start and end: found {start} and {end}, needed is 0 <= start < end")
    return values


def _number(column: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace("_", "x"))  # Python reads 1_5 as 15
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"column {column}: found '{text}', a number or nothing is allowed")
    return round(value, 6) if column in ("start", "end") else value  # as `segments` has them


def _check_columns(text: Text, utterances: Mapping[int, Utterance], problems: Problems) -> None:
    """Check what rows have to agree on: one gender of a speaker, and cells that all rows have or none."""
    for column in ALL_OR_NONE:
        empty = [number for number, row in text.rows.items() if not row.get(column)]
        if empty and len(empty) < len(text.rows):
            others = f" (and {len(empty) - 1} more rows)" if len(empty) > 1 else ""
            problems.add(
                empty[0], f"column {column}: empty{others}, other rows have it; give it everywhere or nowhere"
            )
    first: dict[str, int] = {}
    for number, u in utterances.items():
        other = first.setdefault(u.speaker, number)
        if utterances[other].gender != u.gender and u.gender and utterances[other].gender:
            problems.add(number, f"column gender: speaker '{u.speaker}' is both '{utterances[other].gender}' (row "
                                 f"{other}) and '{u.gender}'; give one gender")  # fmt: skip


def _audio(
    text: Text, utterances: Mapping[int, Utterance], problems: Problems
) -> tuple[dict[int, AudioInfo], dict[int, Utterance], dict[int, str]]:
    """Listen to every file, and hold segments against their file, and the same audio against itself."""
    infos: dict[int, AudioInfo] = {}
    heard: dict[int, Utterance] = {}
    levels: dict[str, dict[str, Levels]] = {channel: {} for channel in CHANNELS}
    probed = lru_cache(1)(probe)  # of a long file and its segments
    unusable: dict[int, str] = {}
    first: dict[str, dict[tuple[float | None, float | None], int]] = {}
    for number, u in progress(utterances.items(), "audio", len(utterances)):
        try:
            info = probed(u.wav)
            if u.end is not None and u.end > info.duration + 1e-3:
                unusable[number] = f"column end: {u.end} is after the end of the file ({info.duration:.3f} s)"
                continue
            channel, path = text.rows[number].get("channel") or CHANNELS[0], text.rows[number]["path"]
            heard[number], levels[channel][path] = with_audio(u, info, channel)
        except DataError as reason:
            unusable[number] = f"{text.rows[number]['path']}: {reason}"
            continue
        infos[number] = info
        same = first.setdefault(info.audio_hash, {})
        for (start, end), other in same.items():
            apart = u.start is not None and start is not None and (u.start >= end or start >= u.end)
            twin = utterances[other]
            if not apart and (twin.speaker, twin.emotion) != (u.speaker, u.emotion):
                problems.add(number, f"columns path, speaker and emotion: the audio of row {other} once more, there "
                                     f"{twin.speaker} and {twin.emotion}, here {u.speaker} and {u.emotion}; keep the "
                                     "right one")  # fmt: skip
                break
        same.setdefault((u.start, u.end), number)
    for channel, of_paths in levels.items():
        for note in notes_on_levels(of_paths, channel):
            print(f"  {note}")
    return infos, heard, unusable


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
