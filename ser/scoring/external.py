"""Predictions of a system that was trained elsewhere, held against the test lists of a recipe's splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ser.errors import DataError, unknown
from ser.scoring.score import by_condition
from ser.splits.lists import Split, Splits
from ser.types import ROTATION, Condition

OPTIONAL = ("split", "shots", "draw", "seed")
"""Columns that a file may have beside utt_id and a score for each class."""


def read_predictions(path: Path, splits: Splits) -> dict[Condition, pd.DataFrame]:
    """Read a file of predictions, and divide them by evaluation condition.

    Args:
        path: separated by tabs, with the columns utt_id and one score for each class, larger is likelier; and where
            there are several, `split` (a name of the recipe's), `shots` and `draw` (of the support set), and `seed`.
        splits: of the recipe.

    Returns:
        Condition -> the columns seed, split, shots, draw, utt_id, true and pred, of whole test lists.

    Raises:
        DataError: for a wrong column or score, or where predictions are not one line for each test utterance.
    """
    try:
        table = pd.read_csv(path, sep="\t", keep_default_na=False, dtype={"utt_id": str, "split": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no table separated by tabs ({error})") from None
    needed = ["utt_id", *splits.classes]
    for name in table.columns:
        if name not in (*needed, *OPTIONAL):
            raise DataError(f"{path}: column {unknown(name, [*needed, *OPTIONAL])}")
    if missing := [name for name in needed if name not in table]:
        raise DataError(f"{path}: no column '{missing[0]}'; needed are {', '.join(needed)}")
    tested = {split.name: split for split in splits.for_scoring()}
    scores = table[splits.classes].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not np.isfinite(scores).all():
        first = table["utt_id"][int(np.flatnonzero(~np.isfinite(scores).all(1))[0])]
        raise DataError(f"{path}: utterance {first}: a score is no finite number")
    for name in OPTIONAL[1:]:
        table[name] = _whole(path, table, name)
    if "split" not in table:
        table["split"] = _split_of(path, table["utt_id"], tested)
    for (name, shots, draw, seed), part in table.groupby(["split", "shots", "draw", "seed"]):
        if name not in tested:
            raise DataError(f"{path}: split {unknown(name, tested)}")
        _check(f"{path}: split {name}, {shots} shots, draw {draw}, seed {seed}", part["utt_id"], tested[name])
    pred = np.array(splits.classes)[scores.argmax(1)]
    true = [tested[name].test[utt] for name, utt in zip(table["split"], table["utt_id"], strict=True)]
    table = table[["seed", "split", "shots", "draw", "utt_id"]].assign(true=true, pred=pred)
    has_shots = bool((table["shots"] > 0).any())

    def condition_of(split: str, corpus: str, shots: int) -> Condition:
        return Condition(corpus=corpus, shots=shots if has_shots else None, rotation=split.startswith(ROTATION))

    parts = {seed: by_condition(part, condition_of) for seed, part in table.groupby("seed")}
    found = {c: [of[c] for of in parts.values() if c in of] for of in parts.values() for c in of}
    for condition, own in found.items():
        _check_whole(path, condition, own, tested)
    return {condition: pd.concat(own) for condition, own in found.items()}


def _whole(path: Path, table: pd.DataFrame, name: str) -> pd.Series:
    """Read a column of whole numbers; where it is absent, there is one seed, one draw and no support set."""
    if name not in table:
        return pd.Series(1 if name == "seed" else 0, index=table.index)
    numbers = pd.to_numeric(table[name], errors="coerce")
    if wrong := table[name][~((numbers >= 0) & (numbers % 1 == 0))].tolist():
        raise DataError(f"{path}: column {name}: '{wrong[0]}' is no whole number of at least 0")
    return numbers.astype(int)


def _split_of(path: Path, utts: pd.Series, tested: Mapping[str, Split]) -> list[str]:
    """Find the one split that tests each utterance."""
    by_utt: dict[str, list[str]] = {}
    for name, split in tested.items():
        for utt in split.test:
            by_utt.setdefault(utt, []).append(name)
    for utt in utts:
        names = by_utt.get(utt, [])
        if len(names) != 1:
            why = f"is tested by {', '.join(names[:3])}: add a column split" if names else "is in no test list"
            raise DataError(f"{path}: utterance {utt} {why}")
    return [by_utt[utt][0] for utt in utts]


def _check(where: str, utts: pd.Series, split: Split) -> None:
    """Refuse predictions that are not one line for each test utterance of a split."""
    if twice := utts[utts.duplicated()].tolist():
        raise DataError(f"{where}: utterance {twice[0]} stands twice")
    extra, missing = sorted(set(utts) - set(split.test)), sorted(set(split.test) - set(utts))
    if extra:
        raise DataError(f"{where}: {len(extra)} utterances are not tested there (first: {extra[0]})")
    if missing:
        raise DataError(
            f"{where}: {len(missing)} of {len(split.test)} test utterances are missing (first: {missing[0]})"
        )


def _check_whole(
    path: Path, condition: Condition, seeds: Sequence[pd.DataFrame], tested: Mapping[str, Split]
) -> None:
    """Refuse a condition of which a seed or a draw lacks splits that others have, or the protocol has."""
    needed = {
        name
        for name, split in tested.items()
        if name.startswith(ROTATION) == condition.rotation
        and any(utt.split("-")[0] == condition.corpus for utt in split.test)
    }
    draws = sorted({draw for part in seeds for draw in part["draw"]})
    for part in seeds:
        for draw in draws:
            if lacking := sorted(needed - set(part["split"][part["draw"] == draw])):
                where = f"{path}: {condition}, seed {part['seed'].iloc[0]}, draw {draw}"
                raise DataError(f"{where}: no predictions for split {lacking[0]}")
