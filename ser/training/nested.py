"""The choice of a linear model's cost inside its training speakers, who are left out in turn.

What is tested has no part in it, so that a reference may be tuned like the methods that it is held against. Of a
single training speaker, utterances are left out instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

COSTS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Costs that are tried."""

INNER_FOLDS = 3
"""Parts of the training speakers, or of the utterances of a single one, that are left out in turn."""

NESTED = "nested"
"""Value of a cost that is chosen so."""


def inner_parts(speakers: Sequence[str]) -> list[set[str]]:
    """Part speakers into those who are left out together, by turns in the order of their names."""
    names = sorted(set(speakers))
    return [set(names[number::INNER_FOLDS]) for number in range(min(INNER_FOLDS, len(names)))]


def chosen_cost(
    x: np.ndarray,
    y: np.ndarray,
    speakers: Sequence[str],
    predict: Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray],
) -> float:
    """Choose the cost with the highest UAR over all training utterances, each predicted by a model of others.

    Where only one class is left to train on, that class is predicted.

    Args:
        x: (n, D).
        y: class indices, (n,).
        speakers: (n,).
        predict: from training data, their classes, other data and a cost to the classes of the latter.

    Returns:
        One of `COSTS`, of equal ones the smallest.
    """
    import numpy as np

    from ser.metrics.classification import uar

    out = [held for held in _left_out(y, speakers) if held.any()]
    scores = []
    for cost in COSTS:
        pred = np.empty_like(y)
        for held in out:
            rest = y[~held]
            alone = len(set(rest.tolist())) == 1
            pred[held] = rest[0] if alone else predict(x[~held], rest, x[held], cost)
        scores.append(uar(y, pred))
    return COSTS[int(np.argmax(scores))]


def _left_out(y: np.ndarray, speakers: Sequence[str]) -> list[np.ndarray]:
    """Give the parts that are left out in turn, each (n,) bool."""
    import numpy as np

    if len(parts := inner_parts(speakers)) > 1:
        return [np.array([speaker in part for speaker in speakers]) for part in parts]
    turn = np.empty(len(y), int)
    turn[np.argsort(y, kind="stable")] = np.arange(len(y)) % INNER_FOLDS  # by class, so that no part lacks one
    return [turn == number for number in range(INNER_FOLDS)]
