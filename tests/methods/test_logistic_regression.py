"""Logistic regression on the support set against scikit-learn's own pipeline."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser.methods import logistic_regression
from ser.methods.logistic_regression import Config
from tests.training.run_data import CLASSES, make_run_data


def fit_and_predict(data, c):
    blind = dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])
    state, history = logistic_regression.train(c, blind, 1, None, "cpu")
    assert history == [{"k": 1, "models": 4}, {"k": 2, "models": 4}]
    return logistic_regression.predict(c, data, state, "cpu")


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:3], CLASSES[:2]])
@pytest.mark.parametrize("inverse_penalty", [0.05, 1.0])
def test_equals_scikit_learn(inverse_penalty, classes):
    data = make_run_data(classes=classes)
    data.x[:, 1] *= 1000
    data.x[:, 2] = 0.1  # constant
    predictions = fit_and_predict(data, Config(method="logistic_regression", inverse_penalty=inverse_penalty))
    assert len(predictions) == 8
    for p in predictions:
        split = next(split for split in data.splits if split.name == p.split)
        support = split.support[p.k, p.draw]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=inverse_penalty, max_iter=1000))
        model.fit(data.x[data.rows(support)].double().numpy(), list(support.values()))
        x = data.x[data.rows(split.test)].double().numpy()
        assert p.utts == list(split.test)
        assert list(model.classes_) == data.classes
        assert p.scores.numpy() == pytest.approx(model.predict_proba(x), abs=2e-3)
        assert np.array(data.classes)[p.scores.argmax(1)].tolist() == model.predict(x).tolist()


def test_target_data_is_the_support_set():
    c = Config(method="logistic_regression", inverse_penalty=1.0)
    assert logistic_regression.target_data(c) == {"k-shot"}
