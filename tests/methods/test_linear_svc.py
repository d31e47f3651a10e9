"""The linear support vector classifier as a row of a table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser.methods import linear_svc
from ser.methods.base import Job
from tests.training.run_data import make_run_data

JOB = Job("cpu", Path("never written"))


def config(**changes: object) -> linear_svc.Config:
    return linear_svc.Config(
        **{"method": "linear_svc", "train_on": "source", "normalization": "source", "cost": 1.0} | changes
    )


def fit_and_predict(data, c):
    blind = dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])
    state, _ = linear_svc.train(c, blind, 1, None, JOB)
    return linear_svc.predict(c, data, state, "cpu")


def test_equals_scikit_learn_on_the_statistics_of_the_training_part():
    data = make_run_data()
    data.x[:, 1] *= 1000
    for p, split in zip(fit_and_predict(data, config()), data.splits, strict=True):
        model = make_pipeline(StandardScaler(), SVC(kernel="linear"))
        model.fit(data.x[data.rows(split.train)].astype(float), list(split.train.values()))
        expected = model.predict(data.x[data.rows(split.test)].astype(float))
        assert (p.split, list(p.utts)) == (split.name, list(split.test))
        assert np.array(data.classes)[p.scores.argmax(1)].tolist() == expected.tolist()


def test_splits_without_its_kind_of_data_are_passed_over():
    data = make_run_data()
    first, second = data.splits
    second = dataclasses.replace(
        second, name="t.fold1", train={}, labelled={u: u.split("-")[2][:-1] for u in second.adapt}
    )
    data = dataclasses.replace(data, splits=[first, second])
    assert [p.split for p in fit_and_predict(data, config())] == [first.name]
    (p,) = fit_and_predict(data, config(train_on="labelled"))
    model = make_pipeline(StandardScaler(), SVC(kernel="linear"))
    model.fit(data.x[data.rows(second.labelled)].astype(float), list(second.labelled.values()))
    expected = model.predict(data.x[data.rows(second.test)].astype(float))
    assert np.array(data.classes)[p.scores.argmax(1)].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({}, set()),
        ({"normalization": "corpus"}, {"unlabelled-train"}),
        ({"normalization": "speaker"}, {"unlabelled-train", "unlabelled-test"}),
        ({"train_on": "labelled"}, {"labelled"}),
        ({"train_on": "labelled", "normalization": "corpus"}, {"labelled"}),
        ({"train_on": "labelled", "normalization": "speaker"}, {"labelled", "unlabelled-test"}),
    ],
)
def test_tells_what_it_sees_of_the_target(changes, seen):
    assert linear_svc.target_data(config(**changes)) == seen


@pytest.mark.parametrize(("how", "more"), [("source", ()), ("corpus", ()), ("speaker", ("unlabelled-test",))])
def test_a_corpus_that_it_is_trained_on_is_labelled(how, more):
    """Corpus statistics of other folds are those of training; a tested speaker is in no other fold."""
    assert linear_svc.target_data(config(normalization=how), is_source=True) == {"labelled", *more}
