"""Adjusted R2 against scipy, by hand, and from moments by speaker; a test whose unit is the speaker."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ser.errors import DataError
from ser.metrics import adjusted_r2
from ser.metrics.linear_fit import adjusted, moments, r2_of, speaker_test


def data(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    return x @ [0.6, -0.3] + rng.normal(size=n) + 3, x


def test_by_hand():
    # y = 1.1 + 0.6 x: errors -0.1, 0.3, -0.3, 0.1, SSE 0.2 of SST 2, so R2 = 0.9
    assert adjusted_r2([1, 2, 2, 3], [0, 1, 2, 3]) == pytest.approx(1 - 0.1 * 3 / 2)
    assert adjusted_r2([1.0, 2.0, 3.0, 5.0], [2, 4, 6, 10]) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(8))
def test_a_perfect_fit_is_one_and_never_by_chance(seed):
    x = np.random.default_rng(seed).normal(size=30)
    assert adjusted_r2(2 * x + 1, x) == pytest.approx(1)
    assert adjusted_r2(2 * x + 1, x) <= 1


def test_one_column_is_the_squared_correlation():
    y, x = data(1)
    found = stats.linregress(x[:, 0], y)
    assert adjusted_r2(y, x[:, 0]) == pytest.approx(1 - (1 - found.rvalue**2) * 39 / 38)


def test_two_columns_are_least_squares():
    y, x = data(2)
    design = np.column_stack([np.ones(40), x])
    errors = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    r2 = 1 - (errors**2).sum() / ((y - y.mean()) ** 2).sum()
    assert adjusted_r2(y, x) == pytest.approx(1 - (1 - r2) * 39 / 37)


def test_moments_of_parts_add_up_to_those_of_the_whole():
    y, x = data(3)
    total = moments(y[:13], x[:13]) + moments(y[13:], x[13:]) + moments(y[:0], x[:0])
    r2, n, d = r2_of(np.stack([total, 2 * total]))  # weights as of a bootstrap
    assert n.tolist() == [40, 80]
    assert adjusted(r2, n, d)[0] == pytest.approx(adjusted_r2(y, x))
    assert adjusted(r2, n, d)[1] == pytest.approx(adjusted_r2(np.tile(y, 2), np.tile(x, (2, 1))))


def test_a_far_away_cloud_keeps_its_digits():
    y, x = data(4)
    assert adjusted_r2(y + 1e6, x - 1e6) == pytest.approx(adjusted_r2(y, x), abs=1e-8)


def test_columns_that_say_the_same_count_once_in_r2():
    y, x = data(5)
    doubled = np.column_stack([x[:, 0], 2 * x[:, 0]])
    r2 = stats.linregress(x[:, 0], y).rvalue ** 2
    assert adjusted_r2(y, doubled) == pytest.approx(1 - (1 - r2) * 39 / 37)


@pytest.mark.parametrize(("y", "x"), [([1, 2, 3], [[1, 2], [3, 5], [4, 4]]), ([2, 2, 2, 2], [1, 2, 3, 4]), ([], [])])
def test_where_there_is_nothing_to_fit_it_is_nan(y, x):
    assert np.isnan(adjusted_r2(y, x))


@pytest.mark.parametrize(
    ("y", "x", "said"),
    [
        ([1, 2], [1], r"found \(2,\) and \(1, 1\)"),
        ([1, 2, np.nan], [1, 2, 3], "found NaN"),
        ([[1]], [1], r"\(1, 1\)"),
    ],
)
def test_bad_input_is_told(y, x, said):
    with pytest.raises(DataError, match=said):
        adjusted_r2(y, x)


def by_speaker(seed: int, n_speakers: int, slope: float = 0.0) -> np.ndarray:
    """Moments of speakers who have a level of their own in both quantities."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_speakers):
        x = rng.normal(0, 0.7, 2) + rng.normal(size=(30, 2))
        found.append(moments(rng.normal(0, 0.7) + slope * x[:, 0] + rng.normal(size=30), x))
    return np.array(found)


def test_the_speaker_test_is_a_slow_jackknife():
    parts = by_speaker(1, 6, slope=0.3)

    def slopes(total):
        return np.linalg.solve(total[:-1, :-1], total[:-1, -1])[1:]

    left_out = np.array([slopes(parts.sum(0) - part) for part in parts])
    covariance = 5 / 6 * sum(np.outer(b - left_out.mean(0), b - left_out.mean(0)) for b in left_out)
    t2 = slopes(parts.sum(0)) @ np.linalg.inv(covariance) @ slopes(parts.sum(0))
    assert speaker_test(parts) == pytest.approx(stats.f.sf(t2 * 4 / (2 * 5), 2, 4))
    nobody = np.zeros((1, 4, 4))
    assert speaker_test(np.concatenate([parts, nobody])) == pytest.approx(speaker_test(parts))


@pytest.mark.parametrize("n_speakers", [5, 10, 24])
def test_without_dependence_the_speaker_test_rejects_one_in_twenty(n_speakers):
    parts = [by_speaker(1000 * n_speakers + seed, n_speakers) for seed in range(400)]
    rejected = np.mean([speaker_test(part) < 0.05 for part in parts])
    r2, n, _ = r2_of(np.array([part.sum(0) for part in parts]))
    ordinary = np.mean(stats.f.sf(r2 / 2 * (n - 3) / (1 - r2), 2, n - 3) < 0.05)  # utterances as the unit
    assert rejected < 0.085  # 5 % and 3 standard errors
    assert ordinary > 0.3


def test_the_speaker_test_finds_a_dependence():
    assert speaker_test(by_speaker(2, 10, slope=1.0)) < 1e-3
    assert np.isnan(speaker_test(by_speaker(3, 2)))
