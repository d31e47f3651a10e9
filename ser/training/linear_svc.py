"""A linear support vector classifier (libsvm, through scikit-learn) as weights that can be stored."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np

from ser.errors import DataError

MAX_ITERATIONS = 10_000_000
"""Of libsvm: a minute for 1,440 utterances of RAVDESS, which need 214,000 with standardized eGeMAPS."""


def fit_linear_svc(x: np.ndarray, y: np.ndarray, n_classes: int, cost: float) -> tuple[np.ndarray, np.ndarray]:
    """Fit one hyperplane for each pair of classes that occur, classes unweighted.

    Args:
        x: (n, D) float.
        y: class indices, (n,).
        n_classes: C.
        cost: scikit-learn's C.

    Returns:
        Weights (P, D) and offsets (P,), float32, P = C (C - 1) / 2 in the order (0, 1), (0, 2), ...; both are zero
        for a pair of which a class does not occur.

    Raises:
        DataError: for fewer than two classes, or if libsvm does not converge in `MAX_ITERATIONS`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC

    present = np.unique(y).tolist()
    if len(present) < 2:
        raise DataError(f"a classifier needs two classes or more, found {len(present)} in {len(y)} utterances")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the sentence below says it
        model = SVC(kernel="linear", C=cost, max_iter=MAX_ITERATIONS).fit(x.astype(np.float64), y)
    if model.fit_status_:
        raise DataError(
            f"the linear SVC had not converged after {MAX_ITERATIONS:,} iterations on {len(y)} utterances whose "
            f"features reach {np.abs(x).max():.3g}; standardize them (normalization: source, corpus or speaker), "
            "or lower cost"
        )
    n_pairs = n_classes * (n_classes - 1) // 2
    weight, bias = np.zeros((n_pairs, x.shape[1]), np.float32), np.zeros(n_pairs, np.float32)
    pairs = list(combinations(range(n_classes), 2))
    sign = -1 if len(present) == 2 else 1  # scikit-learn turns the one hyperplane of two classes around
    for row, pair in enumerate(combinations(present, 2)):
        weight[pairs.index(pair)], bias[pairs.index(pair)] = sign * model.coef_[row], sign * model.intercept_[row]
    return weight, bias


def votes(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, n_classes: int) -> np.ndarray:
    """Count for each utterance how many pairs each class wins, as libsvm predicts; the first of equals is predicted.

    Args:
        x: (n, D).
        weight, bias: of `fit_linear_svc`.
        n_classes: C.

    Returns:
        (n, C) float32.
    """
    decisions = x @ weight.T + bias  # (n, P), positive for the first class of a pair
    counts = np.zeros((len(x), n_classes), np.float32)
    for column, (first, second) in enumerate(combinations(range(n_classes), 2)):
        if weight[column].any() or bias[column]:
            counts[:, first] += decisions[:, column] > 0
            counts[:, second] += decisions[:, column] <= 0
    return counts
