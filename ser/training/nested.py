"""The choice of a linear model's cost inside its training speakers, who are left out in turn.

What is tested has no part in it, so that a reference may be tuned like the methods that it is held against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ser.errors import DataError

if TYPE_CHECKING:
    import numpy as np

COSTS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Costs that are tried."""

INNER_FOLDS = 3
"""Parts of the training speakers that are left out in turn."""

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
    """Choose the cost with the highest UAR over all training speakers, each predicted by a model of the others.

    Args:
        x: (n, D).
        y: class indices, (n,).
        speakers: (n,).
        predict: from training data, their classes, other data and a cost to the classes of the latter.

    Returns:
        One of `COSTS`, of equal ones the smallest.

    Raises:
        DataError: with fewer than two speakers.
    """
    import numpy as np

    from ser.metrics.classification import uar

    parts = inner_parts(speakers)
    if len(parts) < 2:
        raise DataError("a cost is chosen on training speakers who are left out in turn; found one speaker, two are "
                        "needed: give a number instead of 'nested'")  # fmt: skip
    out = np.array([[speaker in part for speaker in speakers] for part in parts])  # (parts, n)
    scores = []
    for cost in COSTS:
        pred = np.empty_like(y)
        for held in out:
            pred[held] = predict(x[~held], y[~held], x[held], cost)
        scores.append(uar(y, pred))
    return COSTS[int(np.argmax(scores))]
