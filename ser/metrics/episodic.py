"""The sampled score of Yue et al. 2023: random episodes with as many queries of every class, for comparison only.

It estimates the same value as a score of every test utterance, with the paper's sampling noise added.
"""

from __future__ import annotations

import numpy as np

QUERIES = 5
"""Queries per class in an episode."""

UTTERANCES_PER_EPISODE = 10
"""A fold of n test utterances gets floor(n / 10) episodes."""


def episodic_counts(true: np.ndarray, pred: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """Count which class was taken for which over the random episodes of one fold.

    An episode has no query twice, unless a class has fewer than 5 utterances; episodes are drawn independently.
    The drawn utterances depend only on `true` and `rng`, so methods are compared on the same ones.

    Args:
        true: class indices in [0, C) of the fold's test utterances, (n,).
        pred: predicted class indices, (n,).
        n_classes: C.
        rng: source of randomness.

    Returns:
        Counts, (C, C), rows true: each row adds up to 5 floor(n / 10), or to 0 if the fold lacks the class.

    Source: Yue 2023 does not print the rule. It is the one that gives the denominators of all rows of Figs. 3 and 4:
        2760 (IEMOCAP), 420 (RAVDESS) and 3885 (MSP-IMPROV) for every class.
    """
    counts = np.zeros((n_classes, n_classes), dtype=int)
    for c in range(n_classes):
        of_class = np.flatnonzero(true == c)
        if of_class.size:
            drawn = of_class[_subsets(len(of_class), len(true) // UTTERANCES_PER_EPISODE, rng)]
            counts[c] = np.bincount(pred[drawn].ravel(), minlength=n_classes)
    return counts


def _subsets(n: int, n_episodes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw 5 out of n for all episodes at once, (E, 5); without replacement (Floyd's method) where n allows it."""
    if n < QUERIES:
        return rng.integers(n, size=(n_episodes, QUERIES))
    chosen = np.empty((n_episodes, QUERIES), dtype=int)
    for i, last in enumerate(range(n - QUERIES, n)):
        pick = rng.integers(last + 1, size=n_episodes)
        taken = (chosen[:, :i] == pick[:, None]).any(1)
        chosen[:, i] = np.where(taken, last, pick)
    return chosen
