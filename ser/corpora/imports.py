"""Data sets in the forms of other tools, as a table that `prepare_corpus table` reads.

Read are databases of audformat, and folders of Hugging Face data sets on disk: Parquet with the audio in it, or audio
files with `metadata.csv`, `metadata.jsonl`, or a folder per class. Nothing is downloaded. Columns have the names that
their makers gave them, so the caller says which holds what.

Not here: what the table becomes (`ser.corpora.table`), and what its words mean (`ser.corpora.spelling`).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.corpora.base import SUFFIXES, audio_files
from ser.errors import ConfigError, DataError, unknown
from ser.system.files import replacing
from ser.types import escape

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]
"""Cells by column; `path` is absolute."""

FOLDER = "folder"
"""Stands for the name of the folder that a file is in, where no column holds the class."""


def write_table(table: Path, rows: Iterator[Row], columns: Mapping[str, str], language: str = "") -> int:
    """Write a table for `prepare_corpus table`.

    Args:
        table: CSV file.
        rows: of `audformat_rows` or `huggingface_rows`.
        columns: column of the table (`speaker`, `emotion`, `gender`, ...) -> column of the rows.
        language: of all rows, ISO 639-1, where no column holds it.

    Returns:
        The number of rows.

    Raises:
        DataError: for a column that no row has, or no rows.
    """
    timed, written = False, []
    for n, row in enumerate(rows, start=1):
        cells = {"path": str(row["path"])}
        for column, name in columns.items():
            if name not in row:
                raise DataError(f"row {n}: column {unknown(name, set(row) - {'path', 'start', 'end'})}")
            cells[column] = "" if row[name] is None else str(row[name])
        if language:
            cells.setdefault("language", language)
        if row.get("start") is not None:
            timed = True
            cells |= {"start": f"{row['start']:.6f}", "end": f"{row['end']:.6f}"}
        written.append(cells)
    if not written:
        raise DataError("no rows were found; name the folder of the data set")
    if any(not cells.get("gender", "x") for cells in written):  # a table has all or none
        written = [{column: value for column, value in cells.items() if column != "gender"} for cells in written]
        print("  gender: not known of all rows, so it is left out")
    head = ["path", *(c for c in columns if c in written[0]), *(["language"] if language else [])]
    head = list(dict.fromkeys([*head, *(["start", "end"] if timed else [])]))
    with replacing(table) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, head, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(written)
    return len(written)


def audformat_rows(folder: Path, table: str, columns: Mapping[str, str]) -> Iterator[Row]:
    """Read a table of an audformat database on disk.

    Args:
        folder: with `db.yaml`.
        table: name of the table with the emotion; "" for the one that has such a column.
        columns: as of `write_table`. A column that this table lacks is looked for in the others by file, and in the
            labels of its `speaker` column, as databases keep gender and language.

    Raises:
        ConfigError: without the package audformat, or for a table that the database lacks.
        DataError: for a folder without a database.
    """
    audformat = _needed("audformat")
    if not (folder / "db.yaml").is_file():
        raise DataError(f"'{folder}' holds no 'db.yaml', so it is no audformat database")
    db = audformat.Database.load(str(folder), load_data=True)
    have = [name for name in db.tables if columns["emotion"] in db[name].columns]
    if not table and len(have) != 1:
        raise ConfigError(
            f"--table: column '{columns['emotion']}' is in the tables {', '.join(have) or 'none'}; name one"
        )
    if table and table not in db.tables:
        raise ConfigError(f"--table: {unknown(table, db.tables)}")
    chosen = db[table or have[0]]
    frame = chosen.get()
    found: dict[str, Callable[[tuple], Any]] = {}
    for name in set(columns.values()):
        series = _audformat_column(db, chosen, name, columns.get("speaker", ""))
        if series is not None:
            found[name] = series
    for index in frame.index:
        file, start, end = index if isinstance(index, tuple) else (index, None, None)
        row: Row = {"path": (folder / file).absolute(), **{name: get(index) for name, get in found.items()}}
        if start is not None and end == end:  # NaT, the end of the file, differs from itself
            row |= {"start": start.total_seconds(), "end": end.total_seconds()}
        yield row


def _audformat_column(db: Any, chosen: Any, name: str, speaker: str) -> Callable[[Any], Any] | None:
    """Find a column: in the table, in another one by file, or in the labels of the speakers."""

    def by_file(values: Mapping[str, Any]) -> Callable[[Any], Any]:
        return lambda index: _plain(values.get(index[0] if isinstance(index, tuple) else index))

    if name in chosen.columns:
        values = chosen[name].get()
        return lambda index: _plain(values.loc[index])
    for other in (db[table] for table in db.tables):
        if name in other.columns and other.is_filewise:
            return by_file(other[name].get().to_dict())
    for other in (chosen, *(db[table] for table in db.tables)):
        if speaker in other.columns and other.is_filewise | (other is chosen):
            labels = db.schemes[other[speaker].scheme_id].labels if other[speaker].scheme_id else None
            if isinstance(labels, dict) and any(isinstance(v, dict) and name in v for v in labels.values()):
                of = _audformat_column(db, chosen, speaker, "")
                return lambda index, of=of, labels=labels: labels.get(of(index), {}).get(name)
    return None


def _plain(value: Any) -> Any:
    """Turn what pandas says of a missing value into None."""
    return None if value is None or value != value else value


def huggingface_rows(folder: Path, audio: Path) -> Iterator[Row]:
    """Read a Hugging Face data set on disk.

    Args:
        folder: with `*.parquet` at any depth, or with audio files.
        audio: folder for the audio that is in Parquet files; made if need be.

    Raises:
        ConfigError: for Parquet without the package pyarrow.
        DataError: for a folder with neither, or a line without its file.
    """
    if parquet := sorted(folder.rglob("*.parquet")):
        for path in parquet:
            yield from _parquet_rows(path, folder, audio)
        return
    tables = sorted(path for name in ("metadata.csv", "metadata.jsonl") for path in folder.rglob(name))
    if not tables:
        for path in audio_files(folder):
            yield {"path": path.absolute(), FOLDER: path.parent.name}
    for table in tables:
        for n, row in enumerate(_metadata(table), start=1):
            path = table.parent / str(row.get("file_name", ""))
            if not path.is_file():
                raise DataError(
                    f"{table}: row {n}: file_name '{row.get('file_name', '')}' is no file below its folder"
                )
            yield {**row, "path": path.absolute(), FOLDER: path.parent.name}


def _metadata(table: Path) -> Iterator[Row]:
    with open(table, encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file) if table.suffix == ".csv" else map(json.loads, filter(str.strip, file))


def _parquet_rows(path: Path, folder: Path, audio: Path) -> Iterator[Row]:
    """Read a Parquet file; its audio goes to a folder of its own, as it was encoded."""
    parquet = _needed("pyarrow.parquet", "pyarrow")
    file = parquet.ParquetFile(path)
    classes = _class_names(file.schema_arrow)
    stem = escape(str(path.relative_to(folder).with_suffix("")).replace("/", "-"), keep="-")
    n = 0
    for batch in file.iter_batches(batch_size=64):
        for row in batch.to_pylist():
            sound = row.pop("audio", None)
            if not isinstance(sound, dict) or not sound.get("bytes"):
                raise DataError(f"{path}: row {n + 1}: no bytes in a column 'audio'")
            name = Path(str(sound.get("path") or "")).name
            suffix = Path(name).suffix.lower()
            to = (
                audio
                / stem
                / f"{n:06}-{escape(Path(name).stem, keep='-') or 'audio'}{_suffix(sound['bytes'], suffix)}"
            )
            to.parent.mkdir(parents=True, exist_ok=True)
            with replacing(to) as part:
                part.write_bytes(sound["bytes"])
            named = {c: classes[c][v] if c in classes and isinstance(v, int) else v for c, v in row.items()}
            yield {**named, "path": to.absolute()}
            n += 1


def _suffix(content: bytes, suffix: str) -> str:
    """Name the encoding by the first bytes; releases may call anything `.wav`."""
    heads = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3"}
    found = next((ending for head, ending in heads.items() if content.startswith(head)), None)
    return found or (suffix if suffix in SUFFIXES else ".mp3" if content[:1] == b"\xff" else suffix or ".wav")


def _class_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """Read the names of classes that are stored as numbers."""
    info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = info.get("info", {}).get("features", {})
    return {
        name: f["names"] for name, f in features.items() if isinstance(f, dict) and f.get("_type") == "ClassLabel"
    }


def _needed(module: str, package: str = "") -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not re.match(rf"{package or module}\b", error.name or ""):
            raise
        raise ConfigError(f"needs the package {package or module}: pip install '.[import]'") from None
