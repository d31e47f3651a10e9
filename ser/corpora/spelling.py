"""How people spell column names, emotions and genders in tables of their own, and how a table is taken apart."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ser.config import read
from ser.errors import ConfigError, DataError, unknown
from ser.types import EMOTIONS

REQUIRED = ("path", "speaker", "emotion")
OPTIONAL = ("utt", "gender", "language", "session", "text_id", "arousal", "valence", "dominance", "start", "end",
            "channel")  # fmt: skip

HEADERS = {
    "path": ("file", "filename", "filepath", "wav", "audio", "audiofile", "wavfile"),
    "speaker": ("spk", "spkid", "speakerid", "speakername", "actor", "actorid", "subject", "participant"),
    "emotion": ("label", "emo", "emotionlabel", "class", "target"),
    "utt": ("uttid", "utterance", "utteranceid", "id"),
    "gender": ("sex", "speakergender"),
    "language": ("lang",),
    "session": ("sessionid",),
    "text_id": ("text", "textid", "sentence", "sentenceid", "statement"),
    "arousal": ("aro", "activation"),
    "valence": ("val",),
    "dominance": ("dom",),
    "start": ("starttime", "onset", "begin"),
    "end": ("endtime", "offset", "stop"),
}
"""Column -> other names of it, in small letters and without anything else."""

WORDS = {
    "angry": ("anger",), "happy": ("happiness",), "sad": ("sadness",), "neutral": ("neutrality",),
    "excited": ("excitement",), "frustrated": ("frustration",), "fearful": ("fear", "afraid"),
    "disgusted": ("disgust",), "surprised": ("surprise",), "calm": ("calmness",), "bored": ("boredom",),
}  # fmt: skip
"""Emotion -> its nouns. What means something else (joy, rage) is for `--map` to say."""

GENDERS = {"m": ("male", "man"), "f": ("female", "woman", "w")}

SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}

NEAR = 0.8
"""Likeness from which an unknown column is taken for a slip of the pen."""


def spelled(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Turn a table of spellings around: spelling -> word."""
    return {one: word for word, others in words.items() for one in (re.sub("[^a-z]", "", word), *others)}


_COLUMNS, _EMOTIONS, _GENDERS = spelled(HEADERS), spelled({**{e: () for e in EMOTIONS}, **WORDS}), spelled(GENDERS)


class Text(NamedTuple):
    """A table taken apart.

    Attributes:
        columns: names as they stand there -> columns that are read.
        unused: names of columns that nothing here reads.
        rows: number of the row -> cells by column.
        said: what was understood, to be printed.
        problems: what is wrong.
    """

    columns: dict[str, str]
    unused: list[str]
    rows: dict[int, dict[str, str]]
    said: list[str]
    problems: list[str]


def read_text(table: Path) -> Text:
    """Take a table apart: separator, column names, cells.

    Raises:
        DataError: for a file that is no text, or has no usable line of column names.
    """
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    head = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=head.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise DataError(f"{table} row {reader.line_num}: {error}; look for a quote that is not closed") from None
    names = _without_empty_end(lines[0][1], 0) if lines else []
    columns, unused, problems = _columns(names)
    if missing := [column for column in REQUIRED if column not in columns.values()]:
        found = ", ".join(names) or "nothing"
        raise DataError("; ".join([f"{table} row 1: no column {', '.join(missing)}; found {found}", *problems]))
    said = [f"separated by {SEPARATORS[separator]}: {len(lines) - 1} rows, {len(names)} columns"]
    said += [f"column '{name}' read as {column}" for name, column in columns.items() if name != column]
    said += [f"column '{name}' is not used" for name in unused if name]
    rows = {}
    for number, line in lines[1:]:
        cells = _without_empty_end(line, len(names))
        if not any(cells):
            continue
        if len(cells) != len(names):
            problems.append(f"row {number}: {len(cells)} cells for {len(names)} columns; put quotes around cells "
                            "that hold a separator")  # fmt: skip
            continue
        rows[number] = {columns[name]: cell for name, cell in zip(names, cells, strict=True) if name in columns}
    return Text(columns, unused, rows, said, problems)


def _without_empty_end(cells: Sequence[str], least: int) -> list[str]:
    """Take off empty cells behind the last column, as spreadsheets leave them."""
    n = len(cells)
    while n > least and not cells[n - 1]:
        n -= 1
    return list(cells[:n])


def _columns(names: Sequence[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """Understand column names: those that are read, those that are not, and what is wrong."""
    exact = {name for name in names if name in HEADERS}
    found: dict[str, str] = {}
    unused, problems = [], []
    for name in names:
        column = name if name in exact else _COLUMNS.get(re.sub("[^a-z]", "", name.lower()))
        near = difflib.get_close_matches(name.lower(), [c for c in HEADERS if c not in exact], n=1, cutoff=NEAR)
        if column is None and near:
            problems.append(f"row 1: column '{name}' is unknown; did you mean '{near[0]}'? Rename it")
        elif column is None or (column in exact and name != column):
            unused.append(name)
        elif column in found.values():
            problems.append(f"row 1: column {column} stands twice, the second time as '{name}'; remove one")
        else:
            found[name] = column
    return found, unused, problems


class Words(NamedTuple):
    """What the cells of a table mean.

    Attributes:
        mapped: native word -> emotion, as the user says; it comes before everything else.
    """

    mapped: Mapping[str, str]

    def emotion(self, word: str) -> str:
        """Understand an emotion.

        Raises:
            DataError: with what is allowed and what to do.

        Example:
            >>> Words({"joy": "happy"}).emotion("joy"), Words({}).emotion("Anger")
            ('happy', 'angry')
        """
        if word in self.mapped:
            return self.mapped[word]
        key = re.sub("[^a-z]", "", word.lower())
        if key in _EMOTIONS:
            return _EMOTIONS[key]
        raise DataError(f"column emotion: {unknown(word, EMOTIONS)}; correct it, or say --map '{word}=EMOTION'")

    def gender(self, word: str) -> str | None:
        """Understand a gender; None for an empty cell.

        Raises:
            DataError: with what is allowed.
        """
        if not word:
            return None
        if word.lower() not in _GENDERS:
            raise DataError(f"column gender: found '{word}', allowed are m, f, male, female or nothing")
        return _GENDERS[word.lower()]


def read_map_option(options: Sequence[str]) -> dict[str, str]:
    """Read `--map`: `joy=happy`, several of them, or a YAML file with such lines.

    Raises:
        ConfigError: naming the option, for what is neither, or an emotion that is not known.
    """
    found: dict[str, str] = {}
    for option in options:
        native, equals, emotion = option.partition("=")
        if equals:
            pairs = {native.strip(): emotion.strip()}
        elif Path(option).suffix in (".yaml", ".yml"):
            pairs = {str(word): str(one) for word, one in read(Path(option))[0].items()}
        else:
            raise ConfigError(
                f"--map '{option}': expected word=emotion, as in joy=happy, or a YAML file of such lines"
            )
        for word, one in pairs.items():
            if one not in EMOTIONS:
                raise ConfigError(f"--map {option}: '{word}': {unknown(one, EMOTIONS)}")
            found[word] = one
    return found
