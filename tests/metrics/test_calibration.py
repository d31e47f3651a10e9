"""Temperature scaling against what can be worked out by hand and against torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import brier_score_loss

from ser.metrics.calibration import (
    LOG_TEMPERATURES,
    brier,
    calibration_error,
    fit_temperature,
    logits_of,
    mean_nll,
    probabilities,
    risk_coverage,
)


@pytest.mark.parametrize(("right", "of"), [(3, 4), (9, 10), (51, 100)])
def test_equal_scores_get_the_share_that_is_right(right, of):
    """With logits (2, 0) for all, -ln p is smallest where p is the share: 2 / T = ln(share / (1 - share))."""
    logits, y = np.tile([2.0, 0.0], (of, 1)), np.array([0] * right + [1] * (of - right))
    t = fit_temperature(logits, y)
    assert t == pytest.approx(2 / math.log(right / (of - right)), rel=1e-3)
    assert probabilities(logits, t)[0, 0] == pytest.approx(right / of, abs=1e-4)


def test_nll_is_torchs_cross_entropy():
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    for t in (0.1, 1.0, 7.0):
        expected = F.cross_entropy(torch.from_numpy(logits) / t, torch.from_numpy(y)).item()
        assert mean_nll(logits, y, t) == pytest.approx(expected, rel=1e-9)


def test_no_temperature_is_better_than_the_fitted_one():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 4, 300)
    logits = 5 * (np.eye(4)[y] + rng.normal(size=(300, 4)))
    t = fit_temperature(logits, y)
    grid = np.exp(np.linspace(*LOG_TEMPERATURES, 2000))
    assert mean_nll(logits, y, t) <= min(mean_nll(logits, y, other) for other in grid) + 1e-9
    assert fit_temperature(10 * logits, y) == pytest.approx(10 * t, rel=1e-3)


def test_posteriors_come_back_at_temperature_1_and_keep_their_zeros():
    p = np.array([[0.7, 0.3, 0.0], [0.2, 0.5, 0.3]])
    assert probabilities(logits_of(p, True)) == pytest.approx(p)
    assert probabilities(logits_of(p, True), 3.0)[0, 2] == 0
    distances = np.array([[-1.0, -2.0]])
    assert logits_of(distances, False).tolist() == distances.tolist()


def test_a_class_that_is_ruled_out_does_not_spoil_the_others():
    logits, y = logits_of(np.array([[0.9, 0.1], [1.0, 0.0], [0.8, 0.2]]), True), np.array([0, 1, 1])
    assert math.isfinite(fit_temperature(logits, y))


def test_the_likeliest_class_stays():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(200, 5))
    for t in (0.05, 1.0, 50.0):
        assert (probabilities(logits, t).argmax(1) == logits.argmax(1)).all()
    assert np.isfinite(probabilities(1e6 * logits, 1e-3)).all()


def test_calibration_error_by_hand():
    """Two bins: confidences 0.6 with all right are 0.4 off, 0.9 with one of two right are 0.4 off."""
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert calibration_error(p, np.array([0, 1, 0, 0]), 2) == pytest.approx(0.4)
    assert calibration_error(p, np.array([0, 1, 0, 0]), 1) == pytest.approx(0.0)  # 0.75 right, 0.75 confident


def test_probabilities_that_hold_are_calibrated():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 40_000)
    y = (p.cumsum(1) > rng.uniform(size=(len(p), 1))).argmax(1)
    assert calibration_error(p, y) < 0.02  # 15 bins of 2,667: 0.008 expected by chance
    sharper = p**3 / (p**3).sum(1, keepdims=True)
    assert calibration_error(sharper, y) > 0.1


def test_brier_equals_scikit_learn():
    rng = np.random.default_rng(1)
    p, y = rng.dirichlet(np.ones(2), 50), rng.integers(2, size=50)
    assert brier(p, y) == pytest.approx(2 * brier_score_loss(y, p[:, 1]))  # both classes' squares
    assert brier(np.eye(3), np.arange(3)) == 0


def test_risk_coverage_equals_a_slow_threshold():
    rng = np.random.default_rng(2)
    p, y = rng.dirichlet(np.ones(3), 60).round(1), rng.integers(3, size=60)  # rounded, so that confidences tie
    coverage, risk = risk_coverage(p, y)
    for c, r, threshold in zip(coverage, risk, np.unique(p.max(1))[::-1], strict=True):
        kept = p.max(1) >= threshold
        assert c == pytest.approx(kept.mean())
        assert r == pytest.approx((p.argmax(1) != y)[kept].mean())
    assert coverage[-1] == 1
