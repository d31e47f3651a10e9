"""A cost chosen inside training speakers: against a slow search, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.svm import SVC

from ser.training.nested import COSTS, chosen_cost, inner_parts

SPEAKERS = [f"c-{i % 5}" for i in range(60)]


def data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=60)
    return np.eye(3)[y] @ rng.normal(size=(3, 20)) + 2.5 * rng.normal(size=(60, 20)), y


def predict(x, y, other, cost):
    return SVC(kernel="linear", C=cost).fit(x, y).predict(other)


@pytest.mark.parametrize("seed", range(4))
def test_the_cost_is_that_of_a_slow_search(seed):
    x, y = data(seed)
    scores = {}
    for cost in COSTS:
        true, pred = [], []
        for part in ({"c-0", "c-3"}, {"c-1", "c-4"}, {"c-2"}):
            held = np.array([speaker in part for speaker in SPEAKERS])
            true += y[held].tolist()
            pred += predict(x[~held], y[~held], x[held], cost).tolist()
        scores[cost] = balanced_accuracy_score(true, pred)
    assert chosen_cost(x, y, SPEAKERS, predict) == max(scores, key=scores.__getitem__)  # the first of equals


def test_no_speaker_is_predicted_by_a_model_that_was_fitted_on_them():
    x = np.array([[int(speaker[-1])] for speaker in SPEAKERS])

    def watched(fitted, y, other, cost):
        assert not set(fitted.ravel()) & set(other.ravel())
        return np.zeros(len(other), int)

    assert chosen_cost(x, np.arange(60) % 2, SPEAKERS, watched) == COSTS[0]


def test_of_one_speaker_thirds_of_each_class_are_left_out():
    x, y = data(0)
    order = np.argsort(y, kind="stable")
    scores = {}
    for cost in COSTS:
        pred = np.empty_like(y)
        for first in range(3):
            held = np.isin(np.arange(60), order[first::3])
            pred[held] = predict(x[~held], y[~held], x[held], cost)
        scores[cost] = balanced_accuracy_score(y, pred)
    assert len(set(scores.values())) > 1
    assert chosen_cost(x, y, ["a"] * 60, predict) == max(scores, key=scores.__getitem__)


def test_a_single_class_that_is_left_is_predicted():
    """As of two speakers with one emotion each: scikit-learn fits no model to one class."""
    assert inner_parts(["a", "b", "a"]) == [{"a"}, {"b"}]
    y = np.array([0, 1, 0, 1])
    assert chosen_cost(np.zeros((4, 1)), y, ["a", "b", "a", "b"], predict) == COSTS[0]
