"""Scores of categorical predictions. Conventions: `(true, pred)`, labels of any hashable kind, results in [0, 1].

The classes are those that occur in `true`; a predicted class that never occurs there only costs recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ser.errors import DataError

Labels = Sequence[Any] | np.ndarray


def uar(true: Labels, pred: Labels) -> float:
    """Unweighted average recall (UA): the mean over classes of the share that was recognized.

    Args:
        true: reference labels, (N,), N >= 1.
        pred: predicted labels, (N,).

    Raises:
        DataError: if the lengths differ or nothing is to be scored.

    Example:
        >>> uar(["sad", "sad", "sad", "happy"], ["sad", "sad", "happy", "happy"])  # (2/3 + 1) / 2
        0.8333333333333333
    """
    true, pred = _checked(true, pred)
    classes, index = np.unique(true, return_inverse=True)
    n = np.bincount(index)
    # not scikit-learn's recall_score: its import takes seconds, and every training calls this
    return float((np.bincount(index[pred == true], minlength=len(classes)) / n).mean())


def wa(true: Labels, pred: Labels) -> float:
    """Weighted accuracy (WA): the share of all utterances that was recognized.

    Example:
        >>> wa(["sad", "sad", "sad", "happy"], ["sad", "sad", "happy", "happy"])
        0.75
    """
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(*_checked(true, pred)))


def macro_f1(true: Labels, pred: Labels) -> float:
    """Macro F1: the mean over the reference's classes of 2 TP / (2 TP + FP + FN).

    Example:
        >>> macro_f1(["sad", "sad", "sad", "happy"], ["sad", "sad", "happy", "happy"])  # (4/5 + 2/3) / 2
        0.7333333333333334
    """
    from sklearn.metrics import f1_score

    true, pred = _checked(true, pred)
    return float(f1_score(true, pred, labels=np.unique(true), average="macro", zero_division=0))


def _checked(true: Labels, pred: Labels) -> tuple[np.ndarray, np.ndarray]:
    true, pred = np.asarray(true), np.asarray(pred)
    if true.shape != pred.shape or true.ndim != 1:
        raise DataError(f"scores need two lists of one length, found {true.shape} and {pred.shape}")
    if not true.size:
        raise DataError("nothing to score: the list of reference labels is empty")
    return true, pred


def scores_of_confusion(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Compute UAR, WA, macro F1, recalls and F1 by class of many confusion matrices at once.

    The same definitions as above, on counts instead of labels; classes without an utterance are left out.

    Args:
        confusion: counts, (..., C, C), rows true, columns predicted.

    Returns:
        `uar`, `wa`, `macro_f1`, each (...), and `recall` and `f1`, (..., C), NaN for a class without an utterance.
    """
    confusion = np.asarray(confusion, dtype=float)
    n_true, n_pred = confusion.sum(-1), confusion.sum(-2)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    occurs = n_true > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(occurs, hits / n_true, np.nan)
        f1 = np.where(occurs, 2 * hits / (n_true + n_pred), np.nan)
        n_classes = occurs.sum(-1)
        return {
            "uar": np.nansum(recall, -1) / n_classes,
            "wa": hits.sum(-1) / n_true.sum(-1),
            "macro_f1": np.nansum(f1, -1) / n_classes,
            "recall": recall,
            "f1": f1,
        }
