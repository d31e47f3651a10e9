"""The stored classifier predicts what scikit-learn's does, for two classes and more, and for absent ones."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC

from ser.errors import DataError
from ser.training import linear_svc
from ser.training.linear_svc import fit_linear_svc, votes


@pytest.mark.parametrize(("classes", "n_classes"), [([0, 1], 2), ([0, 1, 2, 3], 4), ([1, 3], 4), ([0, 2, 3], 4)])
@pytest.mark.parametrize("cost", [0.01, 1.0])
def test_predicts_as_scikit_learn(classes, n_classes, cost):
    rng = np.random.default_rng(1)
    y = rng.choice(classes, size=120)
    x = (rng.normal(size=(120, 2)) + y[:, None] * [0.8, -0.5]).astype(np.float32)
    weight, bias = fit_linear_svc(x, y, n_classes, cost)
    assert weight.shape == (n_classes * (n_classes - 1) // 2, 2)
    query = (rng.normal(size=(500, 2)) * 3).astype(np.float32)
    found = votes(query, weight, bias, n_classes)
    expected = SVC(kernel="linear", C=cost).fit(x.astype(float), y).predict(query.astype(float))
    assert set(expected) > {classes[0]}
    assert found.argmax(1).tolist() == expected.tolist()
    n_pairs = len(classes) * (len(classes) - 1) // 2
    assert found.sum(1).tolist() == [n_pairs] * 500


def test_one_class_alone_is_told():
    with pytest.raises(DataError, match="needs two classes or more, found 1 in 3 utterances"):
        fit_linear_svc(np.zeros((3, 2)), np.ones(3, dtype=int), 2, 1.0)


def test_one_that_does_not_converge_is_told(monkeypatch):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 3)) * [1, 1, 5000], rng.choice([0, 1], size=60)
    monkeypatch.setattr(linear_svc, "MAX_ITERATIONS", 1000)
    sentence = r"not converged after 1,000 iterations on 60 utterances whose features reach .*e\+04; standardize them"
    with pytest.raises(DataError, match=sentence):
        fit_linear_svc(x, y, 2, 1.0)
    fit_linear_svc(x / x.std(0), y, 2, 1.0)
