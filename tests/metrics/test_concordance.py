"""CCC: values worked out by hand, a slow rewrite, and what has to hold of any two sequences."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from ser import metrics
from ser.errors import DataError
from ser.metrics import ccc


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 2, 3], [2, 3, 4], 4 / 7),  # variances 2/3, covariance 2/3, means one apart
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([0, 4], [0, 2], 4 / 6),  # variances 4 and 1, covariance 2, means 2 and 1; with n - 1 it would be 8/11
        ([1, 2, 3], [5, 5, 5], 0.0),
        ([5, 5], [3, 3], 0.0),
    ],
)
def test_values_worked_out_by_hand(x, y, expected):
    assert ccc(x, y) == pytest.approx(expected)


def exact(x: list[int], y: list[int]) -> Fraction:
    """The definition in fractions, by loops."""
    n = len(x)
    mx, my = Fraction(sum(x), n), Fraction(sum(y), n)
    covariance = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / n
    spread = sum((a - mx) ** 2 for a in x) / n + sum((b - my) ** 2 for b in y) / n + (mx - my) ** 2
    return 2 * covariance / spread


def test_properties_on_random_sequences():
    random = np.random.default_rng(1)
    for n in range(2, 40):
        x, y = random.integers(1, 6, (2, n))
        if len({*x, *y}) == 1:
            continue
        value = ccc(x, y)
        assert value == pytest.approx(float(exact(x.tolist(), y.tolist())))
        assert -1 - 1e-12 <= value <= 1 + 1e-12
        assert ccc(y, x) == pytest.approx(value)
        assert ccc(10 - 3 * x, 10 - 3 * y) == pytest.approx(value)  # one change of scale for both
        order = random.permutation(n)
        assert ccc(x[order], y[order]) == pytest.approx(value)
        if x.std() and y.std():  # Pearson's r times a factor of at most 1
            assert abs(value) <= abs(np.corrcoef(x, y)[0, 1]) + 1e-12


def test_a_shift_or_another_scale_lowers_it():
    x = np.arange(10.0)
    values = [ccc(x, x + shift) for shift in (0, 1, 5, 50)]
    assert values == sorted(values, reverse=True) and values[0] == pytest.approx(1)
    assert ccc(x, 2 * x - x.mean()) == pytest.approx(2 * 2 / (1 + 4))


def test_the_same_constant_has_none():
    assert math.isnan(ccc([3, 3], [3, 3]))
    assert math.isnan(ccc([0.1] * 3, [0.1] * 3))  # whose mean in floats is not 0.1


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1], r"two sequences of one length, at least 1, found \(2,\) and \(1,\)"),
        ([], [], "at least 1"),
        ([[1]], [[1]], "two sequences"),
        ([1.0, float("nan")], [1, 2], "finite values"),
    ],
)
def test_what_cannot_be_scored_is_an_error(x, y, message):
    with pytest.raises(DataError, match=message):
        ccc(x, y)


def test_the_promised_names_are_public():
    assert set(metrics.__all__) == {"adjusted_r2", "ccc", "macro_f1", "uar", "wa"}
    assert all(callable(getattr(metrics, name)) for name in metrics.__all__)
