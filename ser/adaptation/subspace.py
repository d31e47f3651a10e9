"""Subspace alignment (Fernando, Habrard, Sebban, Tuytelaars: ICCV 2013), in closed form.

Source and target are standardized, each target corpus by itself. X_S and X_T are their first d principal directions,
(D, d). The source is seen as z X_S M with M = X_S' X_T, which turns its basis towards the target's; the target as
z X_T (Eqs. 3 to 5). Both are given in the coordinates of the features, times X_T', which changes no distance and no
inner product. What is of neither, as the source corpus in a test, is taken for more of the source.
"""

from __future__ import annotations

import numpy as np

from ser.adaptation.base import Seen, State, covariances, standardized

SEES = frozenset({"unlabelled-train"})
GROUP = "corpus"
MOVES_SOURCE = True

KEPT_VARIANCE = 0.95
"""d is the least number of directions that hold this share of the source's variance. The paper chooses d by
cross-validation below a bound that few utterances make useless; a share needs neither."""

SOURCE, TARGET = "source basis", "target basis"
"""Names in the state: X_S M and X_T, (D, d)."""


def fit(seen: Seen) -> State:
    """Compute the statistics of source and target corpora, and both bases.

    Raises:
        ConfigError: if there are no utterances of a target.
    """
    state, source, target = covariances(seen)
    values, x_s = _directions(source)
    of_target, x_t = _directions(target)
    d = 1 + int(np.searchsorted(np.cumsum(values) / values.sum(), KEPT_VARIANCE - 1e-9))
    d = min(d, int((of_target > 1e-9 * of_target[0]).sum()))  # few utterances span fewer directions
    x_s, x_t = x_s[:, :d], x_t[:, :d]
    return {**state, SOURCE: (x_s @ (x_s.T @ x_t)).astype(np.float32), TARGET: x_t.astype(np.float32)}


def apply(state: State, x: np.ndarray, group: str) -> np.ndarray:
    """Standardize features of a corpus and project them onto the target's subspace, the source's through its own."""
    basis = state[TARGET if group in state else SOURCE]
    return standardized(state, x, group) @ basis @ state[TARGET].T


def _directions(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give variances, (D,), and principal directions, (D, D), the largest first."""
    values, vectors = np.linalg.eigh(covariance)
    return values[::-1].clip(min=0), vectors[:, ::-1]
