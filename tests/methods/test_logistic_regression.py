"""Logistic regression on the support set against scikit-learn's own pipeline."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ser.errors import ConfigError
from ser.methods import logistic_regression
from ser.methods.base import Job
from ser.methods.logistic_regression import Config
from tests.training.run_data import CLASSES, make_run_data

JOB = Job("cpu", Path("never written"))


def config(inverse_penalty: float = 1.0, train_on: str = "support", normalization: str | None = None) -> Config:
    return Config(
        method="logistic_regression", inverse_penalty=inverse_penalty, train_on=train_on, normalization=normalization
    )


def fit_and_predict(data, c):
    blind = dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])
    state, history = logistic_regression.train(c, blind, 1, None, JOB)
    assert history == [{"k": 1, "models": 4}, {"k": 2, "models": 4}]
    return logistic_regression.predict(c, data, state, "cpu")


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:3], CLASSES[:2]])
@pytest.mark.parametrize("inverse_penalty", [0.05, 1.0])
def test_equals_scikit_learn(inverse_penalty, classes):
    data = make_run_data(classes=classes)
    data.x[:, 1] *= 1000
    data.x[:, 2] = 0.1  # constant
    predictions = fit_and_predict(data, config(inverse_penalty))
    assert len(predictions) == 8
    for p in predictions:
        split = next(split for split in data.splits if split.name == p.split)
        support = split.support[p.k, p.draw]
        model = make_pipeline(StandardScaler(), LogisticRegression(C=inverse_penalty, max_iter=1000))
        model.fit(data.x[data.rows(support)].astype(float), list(support.values()))
        x = data.x[data.rows(split.test)].astype(float)
        assert p.utts == list(split.test)
        assert list(model.classes_) == data.classes
        assert p.scores == pytest.approx(model.predict_proba(x), abs=2e-3)
        assert np.array(data.classes)[p.scores.argmax(1)].tolist() == model.predict(x).tolist()


def test_a_row_trains_on_distributions_of_votes():
    """Against the cross entropy with the shares, written out and minimized; utterances without votes count whole."""
    data = make_run_data(classes=CLASSES[:3])
    rng = np.random.default_rng(0)
    shares = {
        utt: dict(zip(data.classes, rng.dirichlet(np.ones(3)).tolist(), strict=True))
        for utt in list(data.splits[0].train)[1:]
    }
    data = dataclasses.replace(data, splits=[dataclasses.replace(data.splits[0], shares=shares)])
    soft = config(0.5, "source").model_copy(update={"targets": "distributions"})
    state, _ = logistic_regression.train(soft, data, 1, None, JOB)
    (prediction,) = logistic_regression.predict(soft, data, state, "cpu")

    train = data.splits[0].train
    x = StandardScaler().fit(data.x[data.rows(train)].astype(float))
    seen, tested = (x.transform(data.x[data.rows(utts)].astype(float)) for utts in (train, data.splits[0].test))
    first = next(iter(train))
    p = np.array([[shares.get(u, {train[first]: 1.0}).get(c, 0.0) for c in data.classes] for u in train])

    def loss(flat):
        weight, bias = flat[:-3].reshape(-1, 3), flat[-3:]
        return -(p * log_softmax(seen @ weight + bias, axis=1)).sum() + (weight**2).sum() / (2 * 0.5)

    best = minimize(loss, np.zeros(seen.shape[1] * 3 + 3), options={"gtol": 1e-7}).x
    expected = softmax(tested @ best[:-3].reshape(-1, 3) + best[-3:], axis=1)
    assert prediction.scores == pytest.approx(expected, abs=2e-3)
    hard, _ = logistic_regression.train(config(0.5, "source"), data, 1, None, JOB)
    assert np.abs(hard["k0.weight"] - state["k0.weight"]).max() > 0.05


def test_distributions_need_votes():
    data = make_run_data()
    with pytest.raises(ConfigError, match="^targets: distributions needs a label map with 'by: distribution'"):
        logistic_regression.train(
            config(train_on="source").model_copy(update={"targets": "distributions"}), data, 1, None, JOB
        )


def test_in_domain_trains_on_all_labelled_utterances_of_the_other_speakers():
    data = make_run_data()
    splits = [dataclasses.replace(s, labelled={u: u.split("-")[2][:-1] for u in s.adapt}) for s in data.splits]
    data = dataclasses.replace(data, splits=splits)
    state, history = logistic_regression.train(config(train_on="labelled"), data, 1, None, JOB)
    assert history == [{"k": 0, "models": 2}]
    for p, split in zip(
        logistic_regression.predict(config(train_on="labelled"), data, state, "cpu"), splits, strict=True
    ):
        assert (p.split, p.k, p.draw, len(split.labelled)) == (split.name, 0, 0, 32)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(data.x[data.rows(split.labelled)].astype(float), list(split.labelled.values()))
        x = data.x[data.rows(split.test)].astype(float)
        assert p.scores == pytest.approx(model.predict_proba(x), abs=2e-3)


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[:2]])
@pytest.mark.parametrize("normalization", [None, "source"])
def test_late_fusion_is_the_normalized_product_of_the_features_posteriors(classes, normalization):
    """The geometric mean of what scikit-learn gives for each feature; the features differ in scale and size."""
    data = dataclasses.replace(make_run_data(classes=classes), dims={"a": 2, "b": 4})
    data.x[:, 2:] *= 100
    c = config(0.5, "source", normalization).model_copy(update={"fusion": "late"})
    state, _ = logistic_regression.train(c, data, 1, None, JOB)
    (p, *_) = logistic_regression.predict(c, dataclasses.replace(data, dims={}), state, "cpu")  # as in `predict`
    split = data.splits[0]
    y, product = list(split.train.values()), 1.0
    for part in (slice(0, 2), slice(2, 6)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=1000))
        model.fit(data.x[data.rows(split.train), part].astype(float), y)
        product = product * model.predict_proba(data.x[data.rows(split.test), part].astype(float)) ** 0.5
    assert p.scores == pytest.approx(product / product.sum(1, keepdims=True), abs=2e-3)
    early = logistic_regression.predict(
        *(config(0.5, "source", normalization), data),
        logistic_regression.train(config(0.5, "source", normalization), data, 1, None, JOB)[0],
        "cpu",
    )[0]
    assert np.abs(p.scores - early.scores).max() > 0.01


def test_late_fusion_of_one_feature_is_the_feature():
    data = dataclasses.replace(make_run_data(), dims={"a": 6})
    late = fit_and_predict(data, config().model_copy(update={"fusion": "late"}))
    for found, expected in zip(late, fit_and_predict(data, config()), strict=True):
        assert found.scores == pytest.approx(expected.scores, abs=1e-6)


def test_source_trains_on_the_labelled_source_alone():
    data = make_run_data()
    state, _ = logistic_regression.train(config(train_on="source"), data, 1, None, JOB)
    prediction = logistic_regression.predict(config(train_on="source"), data, state, "cpu")[0]
    split = data.splits[0]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(data.x[data.rows(split.train)].astype(float), list(split.train.values()))
    x = data.x[data.rows(split.test)].astype(float)
    assert prediction.scores == pytest.approx(model.predict_proba(x), abs=2e-3)


def test_target_data_is_the_support_set_or_all_labels():
    assert logistic_regression.target_data(config()) == {"k-shot"}
    assert logistic_regression.target_data(config(train_on="labelled")) == {"labelled"}
    assert logistic_regression.target_data(config(train_on="source")) == set()
    assert logistic_regression.target_data(config(train_on="source"), is_source=True) == {"labelled"}
    assert logistic_regression.target_data(config(), is_source=True) == {"k-shot"}
