"""Correlation alignment (CORAL: Sun, Feng, Saenko, AAAI 2016, Algorithm 1), in closed form.

Source and target are standardized, each target corpus by itself; then the source is whitened and colored like the
target, z A with A = (C_S + lambda I)^(-1/2) (C_T + lambda I)^(1/2). Target utterances are only standardized. What is
of neither, as the source corpus in a test, is taken for more of the source.
"""

from __future__ import annotations

import numpy as np

from ser.adaptation.base import Seen, State, covariances, standardized

SEES = frozenset({"unlabelled-train"})
GROUP = "corpus"
MOVES_SOURCE = True

SHRINKAGE = 1.0
"""lambda; the paper's. As variances are 1, it halves every correlation before it is aligned."""

COLORING = "source to target"
"""Name of A, (D, D), in the state."""


def fit(seen: Seen) -> State:
    """Compute the statistics of source and target corpora, and A.

    Raises:
        ConfigError: if there are no utterances of a target.
    """
    state, source, target = covariances(seen)
    shrinkage = SHRINKAGE * np.eye(len(source))
    coloring = _power(source + shrinkage, -0.5) @ _power(target + shrinkage, 0.5)
    return {**state, COLORING: coloring.astype(np.float32)}


def apply(state: State, x: np.ndarray, group: str) -> np.ndarray:
    """Standardize features of a corpus, and color them unless it is one of the target's."""
    z = standardized(state, x, group)
    return z if group in state else z @ state[COLORING]


def _power(c: np.ndarray, exponent: float) -> np.ndarray:
    """Raise a symmetric positive definite matrix to a power."""
    values, vectors = np.linalg.eigh(c)
    return (vectors * values**exponent) @ vectors.T
