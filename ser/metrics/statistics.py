"""Means over repetitions. How far they can be trusted is in `ser.metrics.uncertainty`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ser.metrics.classification import scores_of_confusion


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


def mean_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Score every repetition on all its speakers together, then average.

    Args:
        counts: (R, S, C, C), rows true.

    Returns:
        Means over R of `uar`, `wa`, `macro_f1`, `recall` and `f1` (C,), and `uar_sd`, their sample standard
        deviation over R (NaN for one repetition).
    """
    scores = scores_of_confusion(counts.sum(1))
    sd = scores["uar"].std(ddof=1) if len(counts) > 1 else np.nan
    return {name: values.mean(0) for name, values in scores.items()} | {"uar_sd": np.asarray(sd)}
