"""SiameseContrastiveLoss against a slow rewrite and closed values of Eq. 1."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch

from ser.losses import SiameseContrastiveLoss


def slow_loss(z, y, kappa=1.0, reduction="mean"):
    """Eq. 1 pair by pair, in plain Python."""
    same, different = [], []
    for i, j in combinations(range(len(y)), 2):
        d = math.sqrt(sum((a - b) ** 2 for a, b in zip(z[i].tolist(), z[j].tolist(), strict=True)) + 1e-12)
        (same if y[i] == y[j] else different).append(d)
    if reduction == "sum":
        return sum(same) - kappa * sum(different)
    return sum(same) / (len(same) or 1) - kappa * sum(different) / (len(different) or 1)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("kappa", [1.0, 0.25])
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_slow_rewrite(seed, kappa, reduction):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(13, 3, generator=g, dtype=torch.float64)
    y = torch.randint(4, (13,), generator=g)
    loss = SiameseContrastiveLoss(kappa, reduction)(z, y)
    assert loss.dtype == torch.float64
    assert loss.item() == pytest.approx(slow_loss(z, y, kappa, reduction), rel=1e-12)


@pytest.mark.parametrize("k, positive, negative", [(5, 40, 150), (10, 180, 600), (15, 420, 1350)])
def test_pair_counts(k, positive, negative):
    """With one axis per utterance all distances are sqrt(2), so that a sum counts its pairs."""
    z, y, d = torch.eye(4 * k, dtype=torch.float64), torch.arange(4).repeat(k), math.sqrt(2)
    assert SiameseContrastiveLoss(0, "sum")(z, y).item() / d == pytest.approx(positive)
    assert SiameseContrastiveLoss(1, "sum")(z, y).item() / d == pytest.approx(positive - negative)
    assert SiameseContrastiveLoss(1, "mean")(z, y).item() == pytest.approx(0)


def test_hand_worked():
    z, y = torch.tensor([[0.0], [1.0], [4.0], [6.0]]), torch.tensor([0, 0, 1, 1])
    assert SiameseContrastiveLoss(2, "sum")(z, y).item() == pytest.approx(1 + 2 - 2 * (4 + 6 + 3 + 5))
    assert SiameseContrastiveLoss(2)(z, y).item() == pytest.approx(1.5 - 2 * 4.5)


def test_embeddings_are_used_as_they_are_and_no_margin_bounds_them():
    y = torch.tensor([0, 1])
    for d in (4.0, 400.0):
        assert SiameseContrastiveLoss()(torch.tensor([[0.0], [d]]), y).item() == pytest.approx(-d)
