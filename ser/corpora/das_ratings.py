"""Activation and valence ratings of four corpora (Das et al. 2022), joined where the user has the files.

Published beside the paper's code (`DTUComputeStatisticsAndDataAnalysis/Continuous-Metric-Learning-For-
Transferable-Speech-Emotion-Recognition-and-Embedding`, folder `data_labels`) without a license: downloaded
by the user, never part of this repository. Scale 1 to 5 in half steps; activation is arousal here.

    `EMO_DB.csv`  535 rows       `CAFE.csv`  936 rows, header `filname,activation ,valence`
    `URDU.csv`    400 rows behind two empty columns
    `AESD.csv`    455 rows of 605 files, one of them `nan` (`s05 (3).wav`)

Known quirks: column names misspelt and with trailing spaces; AESD covers three quarters of its corpus, so
150 utterances stay without a rating. Not here: class means in place of missing ratings.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import os
from collections.abc import Iterable
from pathlib import Path

from ser.errors import DataError
from ser.types import Utterance, escape

FILES = {"emodb": "EMO_DB.csv", "cafe": "CAFE.csv", "urdu": "URDU.csv", "aesdd": "AESD.csv"}
"""Corpus -> file as published."""

VARIABLE = "DAS2022"
"""Its line in `conf/db.sh` names the folder of the files, if they are not next to the releases."""

SCALE = (1.0, 5.0)

COLUMNS = {"filename": "filename", "filname": "filename", "activation": "activation", "valence": "valence"}


def find(corpus: str, release: Path) -> Path | None:
    """Find a corpus' rating file in its release, beside it, or in the folder DAS2022 of `conf/db.sh`.

    A mini release is rated only from within.

    Raises:
        DataError: if DAS2022 names no folder.
    """
    if corpus not in FILES:
        return None
    root = release.resolve()
    if (root / "mini.json").exists():
        places = [root]
    else:
        places = [root, root.parent]
        if named := os.environ.get(VARIABLE):
            if not Path(named).is_dir():
                raise DataError(
                    f"{VARIABLE}: '{named}' is not a folder; set it in conf/db.sh to that of {FILES[corpus]}"
                )
            places.append(Path(named))
    return next((p / FILES[corpus] for p in places if (p / FILES[corpus]).is_file()), None)


def join(corpus: str, utterances: list[Utterance], release: Path) -> list[Utterance]:
    """Give each utterance its arousal and valence; print how many were rated.

    Args:
        corpus: name as in `FILES`; others have no such ratings.
        utterances: of that corpus, as its parser gives them.
        release: its folder.

    Returns:
        The utterances in their order, unchanged where there is no file or no rating.

    Raises:
        DataError: for a file that is not as published, or two ratings of one utterance that differ.
    """
    path = find(corpus, release)
    if path is None:
        return utterances
    ratings = read(path)
    rated = [_rate(utterance, ratings) for utterance in utterances]
    n_rated = sum(u.arousal is not None for u in rated)
    n_unknown = len(ratings.keys() - {_key(u) for u in utterances})
    print(f"  ratings: {path.name} rates {n_rated} of {len(rated)} utterances", end="")
    print(f"; {n_unknown} of its rows match no utterance here" if n_unknown else "")
    return rated


def read(path: Path) -> dict[str, tuple[float | None, float | None]]:
    """Read a rating file: escaped file name without extension -> activation and valence, `nan` as None.

    Raises:
        DataError: with file and line, for what is not as published.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}; download it again") from None
    columns = {COLUMNS[cell]: i for i, cell in enumerate(rows[0] if rows else []) if cell in COLUMNS}
    if len(columns) != 3:
        raise DataError(
            f"{path} line 1: found columns {rows[0] if rows else []}, expected filename, activation and "
            "valence between commas; download it again"
        )
    ratings: dict[str, tuple[float | None, float | None]] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        where = f"{path} line {line}"
        name, activation, valence = _cells(row, columns, where)
        key = escape(name.removesuffix(".wav"), keep="-")
        pair = _number(activation, where), _number(valence, where)
        if ratings.setdefault(key, pair) != pair:
            raise DataError(f"{where}: '{name}' is rated {pair}, and above {ratings[key]}; keep the right one")
    return ratings


def _cells(row: list[str], columns: dict[str, int], where: str) -> Iterable[str]:
    if len(row) <= max(columns.values()) or not row[columns["filename"]]:
        raise DataError(f"{where}: found {row}, expected a file name, activation and valence")
    return (row[columns[column]] for column in ("filename", "activation", "valence"))


def _number(text: str, where: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{where}: rating '{text}' is not a number; expected 1 to 5 or nan") from None
    if math.isnan(value):
        return None
    if not SCALE[0] <= value <= SCALE[1]:
        raise DataError(f"{where}: rating '{text}' outside {SCALE[0]:g}-{SCALE[1]:g}")
    return value


def _key(utterance: Utterance) -> str:
    """Name an utterance as the rating files do; its id holds that name whatever its file is called."""
    return utterance.utt_id.removeprefix(f"{utterance.speaker}-")


def _rate(utterance: Utterance, ratings: dict[str, tuple[float | None, float | None]]) -> Utterance:
    arousal, valence = ratings.get(_key(utterance), (None, None))
    return dataclasses.replace(utterance, arousal=arousal, valence=valence)
