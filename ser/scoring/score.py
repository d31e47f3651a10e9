"""Stage 5: predictions of trained rows, and their counts; the one place where test lists are opened."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import DataError
from ser.methods.base import Prediction
from ser.metrics.calibration import brier, calibration_error, logits_of, mean_nll, probabilities, risk_coverage
from ser.metrics.classification import scores_of_confusion
from ser.metrics.episodic import episodic_counts
from ser.metrics.linear_fit import adjusted_r2, moments
from ser.metrics.statistics import mean_scores
from ser.randomness import rng
from ser.training.run_data import RunData
from ser.types import ROTATION, Condition

LATENT = "z"
"""Columns of a latent space begin with it, and end with the number of the axis."""


def predictions_table(predictions: Sequence[Prediction], data: RunData) -> pd.DataFrame:
    """Lay out predictions next to the reference, one line per support set and test utterance.

    Returns:
        Columns split, shots, draw, utt_id, true, pred, one score per class, and z1, z2, ... of a latent space.

    Raises:
        ValueError: if a method left out or added an utterance.
    """
    reference = {split.name: split.test for split in data.splits}
    parts = []
    for p in predictions:
        if list(p.utts) != list(reference[p.split]) or p.scores.shape != (len(p.utts), len(data.classes)):
            raise ValueError(f"{p.split}: predictions are not one line per test utterance")
        if not np.isfinite(p.scores).all():
            raise DataError(f"{p.split}, draw {p.draw}: scores are not finite; lower the learning rate")
        part = pd.DataFrame(
            {
                "split": p.split,
                "shots": p.k,
                "draw": p.draw,
                "utt_id": p.utts,
                "true": list(reference[p.split].values()),
                "pred": np.asarray(data.classes)[p.scores.argmax(1)],
            }
        )
        parts.append(part.join(pd.DataFrame(p.scores, columns=list(data.classes))))
        if p.latent is not None:
            names = [f"{LATENT}{axis}" for axis in range(1, p.latent.shape[1] + 1)]
            parts[-1] = parts[-1].join(pd.DataFrame(p.latent, columns=names))
    return pd.concat(parts, ignore_index=True)


def confusion_counts(
    table: pd.DataFrame, classes: Sequence[str], speaker_of: Mapping[str, str]
) -> tuple[np.ndarray, list[int], list[str]]:
    """Count how often each class was taken for each, by fold, support draw and speaker.

    Args:
        table: predictions for one number of shots.
        classes: names in the order of their indices.
        speaker_of: utterance id -> speaker.

    Returns:
        Counts (F, R, S, C, C), folds in the order of their names, rows true; the draws (R,) and the speakers (S,).
    """
    speaker = table["utt_id"].map(speaker_of)
    columns = (table["split"], table["draw"], speaker)
    names = [sorted(column.unique().tolist()) for column in columns]
    shape = (*map(len, names), len(classes), len(classes))
    codes = [_codes(column, known) for column, known in zip(columns, names, strict=True)]
    codes += [_codes(table[name], classes) for name in ("true", "pred")]
    counts = np.bincount(np.ravel_multi_index(codes, shape), minlength=math.prod(shape)).reshape(shape)
    return counts, names[1], names[2]


def _codes(values: pd.Series, names: Sequence[Any]) -> np.ndarray:
    """Turn values into their places among some names, (n,)."""
    codes = pd.Index(list(names)).get_indexer(values)
    if (codes < 0).any():
        raise ValueError(f"'{values[codes < 0].iloc[0]}' is none of {list(names)}")
    return codes


def by_condition(
    table: pd.DataFrame, condition_of: Callable[[str, str, int], Condition]
) -> dict[Condition, pd.DataFrame]:
    """Divide predictions by evaluation condition.

    Where a corpus has fewer folds than there are rotations, each of its utterances counts once.

    Args:
        table: of `predictions_table`.
        condition_of: from split, tested corpus and number of shots to the condition, see
            `ser.splits.protocols.base.Protocol.condition`.
    """
    cells = table.groupby(["split", table["utt_id"].str.split("-").str[0].rename("corpus"), "shots"])
    rows: dict[Condition, list[np.ndarray]] = {}
    for (split, corpus, shots), places in cells.indices.items():
        rows.setdefault(condition_of(split, corpus, int(shots)), []).append(places)
    found = {condition: table.iloc[np.sort(np.concatenate(of))] for condition, of in rows.items()}
    return {
        condition: found[condition].drop_duplicates("utt_id") if condition.rotation else found[condition]
        for condition in sorted(found, key=lambda c: (c.source, c.corpus, c.rotation, c.shots or 0))
    }


def by_shots(table: pd.DataFrame) -> dict[Condition, pd.DataFrame]:
    """Divide predictions of one source and target by their number of shots."""
    return by_condition(table, lambda split, corpus, shots: Condition(shots=shots))


def by_corpus(table: pd.DataFrame) -> dict[Condition, pd.DataFrame]:
    """Divide predictions by tested corpus, and those of a rotation over held-out speakers from the others."""

    def condition_of(split: str, corpus: str, shots: int) -> Condition:
        return Condition(corpus=corpus, rotation=split.startswith(ROTATION))

    return by_condition(table, condition_of)


def by_pair(table: pd.DataFrame) -> dict[Condition, pd.DataFrame]:
    """Divide predictions of a matrix by source, which the names of splits begin with, target and number of shots."""

    def condition_of(split: str, corpus: str, shots: int) -> Condition:
        return Condition(corpus=corpus, shots=shots, source=split.partition("-")[0])

    return by_condition(table, condition_of)


def metrics(
    conditions: Mapping[Condition, pd.DataFrame],
    classes: Sequence[str],
    speaker_of: Mapping[str, str],
    episodic: bool = True,
) -> dict[str, Any]:
    """Score one row and seed, for each condition: a number of shots, or a tested corpus.

    Returns:
        key of a condition -> means over draws of UAR, WA, macro F1 and recalls on pooled folds, the mean of fold-wise
        UARs, in how many (fold, draw) cells only one class was predicted, and the counts that everything else,
        intervals and tests included, is computed from; and as `episodic` the paper's sampled UARs with their counts.
    """
    result = {}
    for condition, part in conditions.items():
        of_folds, draws, speakers = confusion_counts(part, classes, speaker_of)
        counts = of_folds.reshape(-1, *of_folds.shape[2:]) if _all_in_each_fold(part) else of_folds.sum(0)
        scores = mean_scores(counts)
        n_predicted = (of_folds.sum((2, 3)) > 0).sum(-1)  # classes in each cell, (F, R)
        result[condition.key] = {
            "uar": float(scores["uar"]),
            "wa": float(scores["wa"]),
            "macro_f1": float(scores["macro_f1"]),
            "recall": dict(zip(classes, scores["recall"].tolist(), strict=True)),
            "uar_mean_of_folds": _mean_of_folds(of_folds.sum(2)),
            "uar_sd_of_folds": _sd_of_folds(of_folds.sum(2)),
            "recall_per_speaker": _per_speaker(counts, speakers, classes),
            "cells": int((n_predicted > 0).sum()),
            "one_class_cells": int((n_predicted == 1).sum()),
            "draws": draws,
            "speakers": speakers,
            "counts": counts.tolist(),
            "episodic": _episodic(part, classes) if episodic else None,
        }
    return result


COVERAGES = tuple(n / 10 for n in range(1, 11))
"""Shares of utterances, the most confident first, of which the share of errors is kept."""


def calibration(
    table: pd.DataFrame, classes: Sequence[str], are_posteriors: bool, temperature: float | None
) -> dict[str, Any]:
    """Measure how far the probabilities of one condition can be trusted, on what is tested; draws and folds together.

    Args:
        table: predictions, of `predictions_table`.
        classes: names in the order of their indices.
        are_posteriors: whether scores are probabilities.
        temperature: fitted on other utterances, None where there is none: posteriors stay as they are.

    Returns:
        `ece`, `nll`, `brier`, and `risk_coverage`, the share of errors at each of `COVERAGES`; nothing for scores
        that are no probabilities and have no temperature.
    """
    if not are_posteriors and temperature is None:
        return {}
    logits, y = logits_of(table[list(classes)].to_numpy(float), are_posteriors), _codes(table["true"], classes)
    p = probabilities(logits, temperature or 1.0)
    coverage, risk = risk_coverage(p, y)
    places = np.searchsorted(coverage, np.array(COVERAGES) - 1e-9)
    return {
        "ece": calibration_error(p, y),
        "nll": mean_nll(logits, y, temperature or 1.0),
        "brier": brier(p, y),
        "risk_coverage": risk[places].tolist(),
    }


def _all_in_each_fold(table: pd.DataFrame) -> bool:
    """Tell whether every fold tests the same utterances, so that folds are repetitions and not parts."""
    return table.groupby("split")["utt_id"].agg(frozenset).nunique() == 1


def _sd_of_folds(counts: np.ndarray) -> float | None:
    """Give the sample standard deviation over folds of UAR, as `_mean_of_folds`; None for one fold."""
    if len(counts) < 2 or not _have_all_classes(counts):
        return None
    return float(scores_of_confusion(counts)["uar"].std(axis=0, ddof=1).mean())


def _mean_of_folds(counts: np.ndarray) -> float | None:
    """Average UAR over folds and draws, (F, R, C, C); None if a fold lacks a class that another one has."""
    return float(scores_of_confusion(counts)["uar"].mean()) if _have_all_classes(counts) else None


def _have_all_classes(counts: np.ndarray) -> bool:
    """Check that each fold and draw, (F, R, C, C), tests the same classes.

    These are the corpus's own: IEMOCAP lacks two of Xiang's six classes, and AESDD one of Das et al.'s four.
    """
    n_true = counts.sum(-1)
    occurs = n_true.any((0, 1))
    return bool(occurs.any() and n_true[..., occurs].all())


def _episodic(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Score random episodes for one number of shots: the same queries in every row, whatever was predicted."""
    true, pred = _codes(table["true"], classes), _codes(table["pred"], classes)
    of_cells = {
        cell: episodic_counts(true[places], pred[places], len(classes), rng("episodic queries", *cell))
        for cell, places in sorted(table.groupby(["split", "draw"]).indices.items())
    }
    folds, draws = (sorted(set(names)) for names in zip(*of_cells, strict=True))
    counts = np.array([[of_cells[fold, draw] for draw in draws] for fold in folds])  # (F, R, C, C)
    pooled = counts.sum(0)
    return {
        "uar": float(scores_of_confusion(pooled)["uar"].mean()) if pooled.any() else None,  # of tiny folds only
        "uar_mean_of_folds": _mean_of_folds(counts),
        "counts": pooled.tolist(),
    }


def _per_speaker(counts: np.ndarray, speakers: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    recall = scores_of_confusion(counts.mean(0))["recall"]  # (S, C)
    return {
        speaker: {c: None if np.isnan(r) else round(float(r), 4) for c, r in zip(classes, row, strict=True)}
        for speaker, row in zip(speakers, recall, strict=True)
    }


def fits(
    conditions: Mapping[Condition, pd.DataFrame],
    ratings: Mapping[str, Mapping[str, float]],
    speaker_of: Mapping[str, str],
) -> dict[str, Any]:
    """Hold each model's latent space against the ratings of the utterances that it encoded, for each condition.

    Returns:
        key of a condition -> rating -> its speakers, the moments of (1, z, rating) by model and speaker
        (M, S, D + 2, D + 2), and by model the adjusted R2 of latent distances on rating distances over all pairs
        (M,). Nothing for conditions without ratings, or rows without a latent space.
    """
    result: dict[str, Any] = {}
    for condition, part in conditions.items():
        axes = [column for column in part if re.fullmatch(rf"{LATENT}\d+", str(column))]
        for rating, of_utt in ratings.items():
            rated = part.assign(rating=part["utt_id"].map(of_utt)).dropna(subset=[*axes, "rating"])
            if axes and len(rated):
                result.setdefault(condition.key, {})[rating] = _fits_of_models(rated, axes, speaker_of)
    return result


def _fits_of_models(rated: pd.DataFrame, axes: Sequence[str], speaker_of: Mapping[str, str]) -> dict[str, Any]:
    from scipy.spatial.distance import pdist

    speaker = rated["utt_id"].map(speaker_of)
    speakers = sorted(speaker.unique())
    sums, distances = [], []
    for _, model in rated.groupby(["split", "draw"]):
        y, z = model["rating"].to_numpy(float), model[axes].to_numpy(float)
        own = speaker[model.index].to_numpy()
        sums.append([moments(y[own == name], z[own == name]).tolist() for name in speakers])
        distances.append(adjusted_r2(pdist(z), pdist(y[:, None])) if len(y) > 2 else np.nan)
    return {
        "speakers": speakers,
        "moments": sums,
        "distances": [None if np.isnan(r) else r for r in distances],  # JSON knows no NaN
    }
