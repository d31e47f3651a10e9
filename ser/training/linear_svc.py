"""A linear support vector classifier (libsvm, through scikit-learn) as weights that can be stored."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from ser.errors import DataError


def fit_linear_svc(x: Tensor, y: Tensor, n_classes: int, cost: float) -> tuple[Tensor, Tensor]:
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
        DataError: for fewer than two classes.
    """
    from sklearn.svm import SVC

    present = y.unique().tolist()
    if len(present) < 2:
        raise DataError(f"a classifier needs two classes or more, found {len(present)} in {len(y)} utterances")
    model = SVC(kernel="linear", C=cost).fit(x.double().numpy(), y.numpy())
    n_pairs = n_classes * (n_classes - 1) // 2
    weight, bias = torch.zeros(n_pairs, x.shape[1]), torch.zeros(n_pairs)
    pairs = list(combinations(range(n_classes), 2))
    coef, intercept = torch.tensor(model.coef_).float(), torch.tensor(model.intercept_).float()
    sign = -1 if len(present) == 2 else 1  # scikit-learn turns the one hyperplane of two classes around
    for row, pair in enumerate(combinations(present, 2)):
        weight[pairs.index(pair)], bias[pairs.index(pair)] = sign * coef[row], sign * intercept[row]
    return weight, bias


def votes(x: Tensor, weight: Tensor, bias: Tensor, n_classes: int) -> Tensor:
    """Count for each utterance how many pairs each class wins, as libsvm predicts; the first of equals is predicted.

    Args:
        x: (n, D).
        weight, bias: of `fit_linear_svc`.
        n_classes: C.

    Returns:
        (n, C) float.
    """
    decisions = x @ weight.T + bias  # (n, P), positive for the first class of a pair
    counts = x.new_zeros(len(x), n_classes)
    for column, (first, second) in enumerate(combinations(range(n_classes), 2)):
        if weight[column].any() or bias[column]:
            counts[:, first] += decisions[:, column] > 0
            counts[:, second] += decisions[:, column] <= 0
    return counts
