"""The distance from training data, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ser.metrics.novelty import distances, fit_center, held_out_distances

TRAIN = np.array([[0.0, 10.0], [2.0, 10.0], [4.0, 40.0], [6.0, 60.0]])


def test_center_is_mean_and_population_deviation():
    center = fit_center(TRAIN)
    assert center.tolist() == [pytest.approx([3.0, 30.0]), pytest.approx([5**0.5, 450**0.5])]


def test_typical_difference_in_deviations():
    center = np.array([[1.0, 2.0], [2.0, 0.5]])
    found = distances(np.array([[1.0, 2.0], [3.0, 2.0], [7.0, 0.0]]), center)
    assert found.tolist() == pytest.approx([0.0, 0.5**0.5, (9 / 2 + 16 / 2) ** 0.5])


def test_training_utterances_are_1_away_on_average():
    x = np.random.default_rng(0).normal(size=(500, 20))
    assert np.square(distances(x, fit_center(x))).mean() == pytest.approx(1, abs=0.01)


def test_a_dimension_that_never_moved_counts_as_10_deviations_at_most():
    center = fit_center(np.array([[0.0, 5.0], [2.0, 5.0]]))
    (found,) = distances(np.array([[1.0, 6.0]]), center).tolist()
    assert found == pytest.approx((100 / 2) ** 0.5)


def test_held_out_distances_leave_a_group_out():
    x = np.array([[0.0], [2.0], [10.0], [12.0]])
    found = held_out_distances(x, ["a", "a", "b", "b"])
    assert found.tolist() == [10.0, 9.0, 9.0, 10.0]  # from mean 11 or 1, deviation 1, at most 10 deviations
    assert held_out_distances(x[:2], ["a", "a"]).tolist() == [1.0, 1.0]  # a single group from itself
