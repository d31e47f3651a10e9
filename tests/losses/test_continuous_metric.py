"""The continuous metric loss against slow rewrites, its identities and finite differences."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ser.losses import ContinuousMetricLoss

KINDS = [
    (d, p, by_dim) for d in ("euclidean", "signed_mean") for p in ("all", "consecutive") for by_dim in (True, False)
]


def batch(seed: int, n: int = 12, dim: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Latent vectors, (n, dim) float64, and ratings in half steps from 1 to 5."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    return z, torch.randint(2, 11, (n,), generator=generator) / 2


def distances(z, labels, distance, pairs, by_dim):
    """Loop over the pairs: lists of z_d and l_d."""
    n = len(labels)
    indices = list(combinations(range(n), 2)) if pairs == "all" else [(i, i + 1) for i in range(n - 1)]
    z_d, l_d = [], []
    for i, j in indices:
        difference = [a - b for a, b in zip(z[i].tolist(), z[j].tolist(), strict=True)]
        signed = distance == "signed_mean"
        value = sum(difference) if signed else sum(d * d for d in difference) ** 0.5
        z_d.append(value / len(difference) if by_dim else value)
        l_d.append(labels[i].item() - labels[j].item() if signed else abs(labels[i].item() - labels[j].item()))
    return np.array(z_d), np.array(l_d)


@pytest.mark.parametrize(("distance", "pairs", "by_dim"), KINDS)
def test_equals_a_loop_over_pairs(distance, pairs, by_dim):
    z, labels = batch(seed=1, dim=3)
    z_d, l_d = distances(z, labels, distance, pairs, by_dim)
    slope = np.linalg.lstsq(l_d[:, None], z_d, rcond=None)[0][0]
    fitted = slope * l_d
    a, b = l_d.argmin(), l_d.argmax()  # as printed: any two pairs whose label distances differ
    l_sl = abs((fitted[a] - fitted[b]) / (l_d[a] - l_d[b]) - 1)
    expected = ((z_d - fitted) ** 2).mean() + l_sl
    assert ContinuousMetricLoss(distance, pairs, by_dim)(z, labels).item() == pytest.approx(expected, rel=1e-12)


def test_not_dividing_multiplies_the_distance_by_the_dimension():
    z, labels = batch(seed=2)
    for distance in ("euclidean", "signed_mean"):
        half = ContinuousMetricLoss(distance, divide_by_dim=True)(2 * z, labels)
        assert ContinuousMetricLoss(distance, divide_by_dim=False)(z, labels).item() == pytest.approx(half.item())


@given(st.integers(0, 10_000), st.integers(3, 20))
def test_signed_loss_is_the_regression_of_the_mean_coordinate(seed, n):
    """Spec of the released code: L_res = 2 sum e^2 / (B - 1), p the slope, of the ordinary regression."""
    z, labels = batch(seed, n)
    if labels.unique().numel() == 1:
        return
    slope, intercept = np.polyfit(labels.numpy(), z.mean(1).numpy(), 1)
    errors = z.mean(1).numpy() - slope * labels.numpy() - intercept
    expected = 2 * (errors**2).sum() / (n - 1) + abs(slope - 1)
    assert ContinuousMetricLoss("signed_mean")(z, labels).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("distance", "pairs", "by_dim"), KINDS)
def test_gradient_is_that_of_finite_differences(distance, pairs, by_dim):
    z, labels = batch(seed=3, n=6)
    loss = ContinuousMetricLoss(distance, pairs, by_dim)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), z.requires_grad_())


def test_gradient_by_the_distances_ignores_the_slope_in_the_residual():
    """dL/dz_d = sign(p - 1) l_d / sum l_d^2 + 2 (z_d - p l_d) / M, carried to z by hand."""
    z, labels = batch(seed=4, n=7)
    z.requires_grad_()
    ContinuousMetricLoss()(z, labels).backward()
    z_d, l_d = distances(z, labels, "euclidean", "all", True)
    p = (z_d * l_d).sum() / (l_d**2).sum()
    of_distance = np.sign(p - 1) * l_d / (l_d**2).sum() + 2 * (z_d - p * l_d) / len(l_d)
    expected = np.zeros((7, 2))
    points = z.detach().numpy()
    for g, (i, j) in zip(of_distance, combinations(range(7), 2), strict=True):
        unit = (points[i] - points[j]) / np.linalg.norm(points[i] - points[j]) / 2  # D = 2
        expected[i] += g * unit
        expected[j] -= g * unit
    np.testing.assert_allclose(z.grad.numpy(), expected, atol=1e-12)


def test_is_zero_where_distances_agree():
    """One axis of twice the label and nothing else: ||z_i - z_j|| / 2 = |l_i - l_j|."""
    labels = torch.tensor([1.0, 2.5, 2.5, 5.0])
    z = torch.stack([2 * labels, torch.zeros(4)], dim=1)
    for pairs in ("all", "consecutive"):
        assert ContinuousMetricLoss("euclidean", pairs)(z, labels).item() == pytest.approx(0, abs=1e-12)
        assert ContinuousMetricLoss("signed_mean", pairs)(z, labels).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("distance", "pairs", "by_dim"), KINDS)
def test_a_stack_is_its_batches_and_unrated_utterances_are_in_no_pair(distance, pairs, by_dim):
    loss = ContinuousMetricLoss(distance, pairs, by_dim)
    z, labels = batch(seed=5, n=9)
    nan = torch.tensor([float("nan")] * 3)
    padded_z = torch.cat([z[:6], torch.full((3, 2), 7.0)])
    stack = loss(torch.stack([z, padded_z]), torch.stack([labels, torch.cat([labels[:6], nan])]))
    assert stack.tolist() == pytest.approx([loss(z, labels).item(), loss(z[:6], labels[:6]).item()], rel=1e-12)


@pytest.mark.parametrize("labels", [[], [3.0], [3.0, 3.0, 3.0], [float("nan"), 2.0]])
@pytest.mark.parametrize(("distance", "pairs", "by_dim"), KINDS)
def test_without_two_different_ratings_it_is_zero_with_a_gradient(labels, distance, pairs, by_dim):
    z = torch.ones(len(labels), 2, requires_grad=True)
    loss = ContinuousMetricLoss(distance, pairs, by_dim)(z, torch.tensor(labels))
    loss.backward()
    assert loss.item() == 0
    assert z.grad.tolist() == [[0.0, 0.0]] * len(labels)


def test_coinciding_vectors_pass_a_finite_gradient():
    z = torch.zeros(4, 2, requires_grad=True)
    for pairs in ("all", "consecutive"):
        ContinuousMetricLoss(pairs=pairs)(z, torch.tensor([1.0, 2.0, 3.0, 4.0])).backward()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"distance": "manhattan"}, "'manhattan' is not 'euclidean' or 'signed_mean'"), ({"pairs": "some"}, "'some'")],
)
def test_settings_are_checked(settings, said):
    with pytest.raises(ValueError, match=said):
        ContinuousMetricLoss(**settings)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"expected z \(..., B, D\) and labels \(..., B\), got \(3, 2\) and \(4,\)"):
        ContinuousMetricLoss()(torch.zeros(3, 2), torch.zeros(4))
