"""Stage 5: predictions of trained rows, and their counts; the one place where test lists are opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import DataError
from ser.methods.base import Prediction
from ser.metrics.classification import scores_of_confusion
from ser.metrics.statistics import mean_scores
from ser.training.data import RunData


def predictions_table(predictions: Sequence[Prediction], data: RunData) -> pd.DataFrame:
    """Lay out predictions beside the reference, one line per support set and test utterance.

    Returns:
        Columns split, shots, draw, utt_id, true, pred, and one score per class.

    Raises:
        ValueError: if a method left out or added an utterance.
    """
    reference = {split.name: split.test for split in data.splits}
    parts = []
    for p in predictions:
        if list(p.utts) != list(reference[p.split]) or p.scores.shape != (len(p.utts), len(data.classes)):
            raise ValueError(f"{p.split}: predictions are not one line per test utterance")
        scores = p.scores.numpy()
        if not np.isfinite(scores).all():
            raise DataError(f"{p.split}, draw {p.draw}: scores are not finite; lower the learning rate")
        part = pd.DataFrame(
            {
                "split": p.split,
                "shots": p.k,
                "draw": p.draw,
                "utt_id": p.utts,
                "true": list(reference[p.split].values()),
                "pred": np.asarray(data.classes)[scores.argmax(1)],
            }
        )
        parts.append(part.join(pd.DataFrame(scores, columns=list(data.classes))))
    return pd.concat(parts, ignore_index=True)


def confusion_counts(
    table: pd.DataFrame, classes: Sequence[str], speaker_of: Mapping[str, str]
) -> tuple[np.ndarray, list[int], list[str]]:
    """Count how often each class was taken for each, by support draw and speaker; folds are pooled.

    Args:
        table: predictions for one number of shots.
        classes: names in the order of their indices.
        speaker_of: utterance id -> speaker.

    Returns:
        Counts (R, S, C, C), rows true; the draws (R,) and the speakers (S,).
    """
    draws = sorted(table["draw"].unique().tolist())
    speakers = sorted({speaker_of[utt] for utt in table["utt_id"]})
    counts = np.zeros((len(draws), len(speakers), len(classes), len(classes)), dtype=int)
    index = (
        table["draw"].map(draws.index),
        table["utt_id"].map(lambda utt: speakers.index(speaker_of[utt])),
        table["true"].map(list(classes).index),
        table["pred"].map(list(classes).index),
    )
    np.add.at(counts, tuple(np.asarray(i) for i in index), 1)
    return counts, draws, speakers


def metrics(table: pd.DataFrame, classes: Sequence[str], speaker_of: Mapping[str, str]) -> dict[str, Any]:
    """Score one row and seed, for each number of shots.

    Returns:
        shots -> means over draws of UAR, WA, macro F1 and recalls on pooled folds, the mean of fold-wise UARs,
        in how many (fold, draw) cells only one class was predicted, and the counts that everything else,
        intervals and tests included, is computed from.
    """
    result = {}
    for shots, part in table.groupby("shots"):
        counts, draws, speakers = confusion_counts(part, classes, speaker_of)
        scores = mean_scores(counts)
        cells = part.groupby(["split", "draw"])["pred"].nunique()
        result[str(shots)] = {
            "uar": float(scores["uar"]),
            "wa": float(scores["wa"]),
            "macro_f1": float(scores["macro_f1"]),
            "recall": dict(zip(classes, scores["recall"].tolist(), strict=True)),
            "uar_mean_of_folds": _mean_of_folds(part, classes, speaker_of),
            "recall_per_speaker": _per_speaker(counts, speakers, classes),
            "cells": len(cells),
            "one_class_cells": int((cells == 1).sum()),
            "draws": draws,
            "speakers": speakers,
            "counts": counts.tolist(),
        }
    return result


def _mean_of_folds(table: pd.DataFrame, classes: Sequence[str], speaker_of: Mapping[str, str]) -> float | None:
    """Average UAR over folds and draws; None if a fold lacks a class and so cannot be scored alone."""
    uars = []
    for _, fold in table.groupby("split"):
        counts, _, _ = confusion_counts(fold, classes, speaker_of)
        pooled = counts.sum(1)
        if not pooled[0].sum(-1).all():
            return None
        uars.append(scores_of_confusion(pooled)["uar"].mean())
    return float(np.mean(uars))


def _per_speaker(counts: np.ndarray, speakers: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    recall = scores_of_confusion(counts.mean(0))["recall"]  # (S, C)
    return {
        speaker: {c: None if np.isnan(r) else round(float(r), 4) for c, r in zip(classes, row, strict=True)}
        for speaker, row in zip(speakers, recall, strict=True)
    }
