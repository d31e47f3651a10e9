"""The distance from training data, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ser.metrics.novelty import distances, fit_center, held_out_distances

TRAIN = np.array([[0.0, 10.0], [2.0, 10.0], [4.0, 40.0], [6.0, 60.0]])


def test_center_is_mean_and_population_deviation():
    center = fit_center(TRAIN)
    assert center.tolist() == [
        pytest.approx([3.0, 30.0]),
        pytest.approx([5**0.5, 450**0.5]),
    ]  # two dimensions: no axes


def test_typical_difference_in_deviations():
    center = np.array([[1.0, 2.0], [2.0, 0.5]])
    found = distances(np.array([[1.0, 2.0], [3.0, 2.0], [7.0, 0.0]]), center)
    assert found.tolist() == pytest.approx([0.0, 0.5**0.5, (9 / 2 + 16 / 2) ** 0.5])


def test_axes_are_the_principal_ones_and_do_not_count():
    """Against scikit-learn; what moves along them is near, what leaves them is far."""
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) @ (9 * rng.normal(size=(4, 40))) + rng.normal(size=(60, 40))
    center = fit_center(x)
    assert center.shape == (2 + 10, 40)
    z = (x - x.mean(0)) / x.std(0)
    axes = PCA(10).fit(z).components_
    assert np.abs(axes @ center[2:].T).max(1) == pytest.approx(np.ones(10), abs=1e-4)
    left = z - z @ axes.T @ axes
    assert distances(x, center) == pytest.approx(np.sqrt(np.square(left).mean(1)), rel=1e-3)
    along, across = (x.mean(0) + 3 * x.std(0) * axis for axis in (axes[0], PCA(40).fit(z).components_[-1]))
    found = distances(np.stack([along, across]), center)
    assert found.tolist() == pytest.approx([0, 3 / 40**0.5], abs=1e-3)


def test_axes_of_many_utterances_are_those_of_some_of_them():
    x = np.random.default_rng(0).normal(size=(1000, 8))
    found = fit_center(x)[2:]
    center = fit_center(x)[:2]
    some = (x[::4] - center[0]) / center[1]
    _, vectors = np.linalg.eigh(some.T @ some)
    assert np.abs(np.diag(found @ vectors[:, -2:])) == pytest.approx([1, 1], abs=1e-4)


def test_a_dimension_that_never_moved_counts_as_10_deviations_at_most():
    center = fit_center(np.array([[0.0, 5.0], [2.0, 5.0]]))
    (found,) = distances(np.array([[1.0, 6.0]]), center).tolist()
    assert found == pytest.approx((100 / 2) ** 0.5)


def test_held_out_distances_leave_a_group_out():
    x = np.array([[0.0], [2.0], [10.0], [12.0]])
    found = held_out_distances(x, ["a", "a", "b", "b"])
    assert found.tolist() == [10.0, 9.0, 9.0, 10.0]  # from mean 11 or 1, deviation 1, at most 10 deviations
    assert held_out_distances(x[:2], ["a", "a"]).tolist() == [1.0, 1.0]  # a single group from itself
