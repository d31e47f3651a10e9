"""MAP and EM of Gaussian classes against slow posteriors, and the objective that EM climbs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from ser.training.gaussian_map import class_moments, em, log_likelihood, map_means, responsibilities, whitening


def test_map_of_a_corpus_equals_the_posterior_of_the_joint_gaussian():
    """Eqs. 1 to 3 by conditioning: x_i and x_j of a class covary by 1 / tau_c, of one speaker by 1 / tau_s more."""
    rng, tau_c, tau_s = np.random.default_rng(0), 10.0, 4.0
    mu, y, speaker = rng.normal(size=(3, 5)), np.array([0, 0, 0, 0, 1, 1, 0]), list("aabaabb")
    x = rng.normal(size=(7, 5))
    found = map_means(mu, x, y, speaker, tau_c, tau_s)
    for c in (0, 1):
        own = x[y == c]
        same = np.equal.outer(np.array(speaker)[y == c], np.array(speaker)[y == c])
        covariance = 1 / tau_c + same / tau_s + np.eye(len(own))
        gain = np.full(len(own), 1 / tau_c) @ np.linalg.inv(covariance)
        assert found[c] == pytest.approx(mu[c] + gain @ (own - mu[c]))
    assert found[2] == pytest.approx(mu[2])


def test_one_shot_of_one_speaker_by_hand():
    """kappa = 4 / 5: (10 mu + 0.8 x) / 10.8."""
    found = map_means(np.zeros((1, 1)), np.array([[1.08]]), np.array([0]), ["a"], 10.0, 4.0)
    assert found.item() == pytest.approx(0.08)


def test_whitening_makes_w_the_identity():
    rng = np.random.default_rng(1)
    w = np.cov(rng.normal(size=(30, 6)) @ rng.normal(size=(6, 6)), rowvar=False)
    v = whitening(w, 0.6)
    assert v.T @ (0.4 * w + 0.6 * np.trace(w) / 6 * np.eye(6)) @ v == pytest.approx(np.eye(6))


def test_class_moments_are_those_of_each_class():
    z, y = np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 0.0]]), np.array([0, 0, 1])
    means, second = class_moments(z, np.eye(2)[y])
    assert means.tolist() == [[2.0, 1.0], [5.0, 0.0]]
    assert second == pytest.approx((z[:2].T @ z[:2] / 2 + z[2:].T @ z[2:]) / 2)


def test_log_likelihood_is_gaussian_up_to_what_classes_share():
    rng = np.random.default_rng(2)
    x, m = rng.normal(size=(4, 3)), rng.normal(size=(2, 5, 3))
    slow = -0.5 * np.square(x[None, :, None] - m[:, None]).sum(-1) + 0.5 * np.square(x).sum(-1)[:, None]
    assert log_likelihood(x, m) == pytest.approx(slow)


def objective(x: np.ndarray, of_corpus: np.ndarray, m: np.ndarray, share: np.ndarray, tau: float) -> float:
    """Give log p(x | m, share) + log p(m) + log p(share), up to constants: n utterances are seen of every class."""
    likelihood = logsumexp(log_likelihood(x, m[None])[0] + np.log(share), axis=1).sum()
    return likelihood - tau / 2 * np.square(m - of_corpus).sum() + len(x) * np.log(share).sum()


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(2, 5), st.floats(0.1, 50), st.floats(0.1, 5))
def test_the_likelihood_of_em_never_falls(seed, n, n_classes, tau, scale):
    rng = np.random.default_rng(seed)
    x, of_corpus = scale * rng.normal(size=(n, 3)), scale * rng.normal(size=(n_classes, 3))
    found = [em(x, of_corpus[None], rounds, tau, 1.0) for rounds in range(8)]
    climbed = [objective(x, of_corpus, m[0], share[0], tau) for m, share, _ in found]
    assert all(b >= a - 1e-9 * (1 + abs(a)) for a, b in zip(climbed, climbed[1:], strict=False))


def test_one_round_of_em_by_hand():
    """Two utterances on the means at 0 and 10: r is hard, and each mean is (tau M + x) / (tau + 1)."""
    m, share, r = em(np.array([[0.0], [11.0]]), np.array([[[0.0], [10.0]]]), 1, 4.0, 1.0)
    assert r[0] == pytest.approx(np.eye(2), abs=1e-6)
    assert m[0] == pytest.approx(np.array([[0.0], [(4 * 10 + 11) / 5]]), abs=1e-6)
    assert share[0] == pytest.approx([0.5, 0.5])


def test_em_finds_the_shares_and_shrinks_them():
    x = np.array([[0.0]] * 3 + [[9.0]])
    _, share, _ = em(x, np.array([[[0.0], [9.0]]]), 5, 4.0, 1.0)
    assert share[0] == pytest.approx([(0.75 + 1) / 3, (0.25 + 1) / 3], abs=1e-6)


def test_models_and_speakers_do_not_touch_each_other():
    rng = np.random.default_rng(3)
    x, m, places = rng.normal(size=(6, 2)), rng.normal(size=(3, 2, 2)), [np.array([0, 2, 4]), np.array([1, 3, 5])]
    together = responsibilities(x, m, places, 20, 4.0, 0.5)
    for e in range(3):
        for own in places:
            assert together[e, own] == pytest.approx(em(x[own], m[e : e + 1], 20, 4.0, 0.5)[2][0])


def test_without_rounds_utterances_are_classified_by_themselves():
    rng = np.random.default_rng(4)
    x, m = rng.normal(size=(6, 2)), rng.normal(size=(1, 2, 2))
    same, share, r = em(x, m, 0, 4.0, 1.0)
    assert same is m and share.tolist() == [[0.5, 0.5]]
    logits = log_likelihood(x, m)[0]
    assert r[0, :, 0] == pytest.approx(1 / (1 + np.exp(logits[:, 1] - logits[:, 0])))
