"""EmotionDistanceLoss against a slow rewrite and the closed values of Eq. 2."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch

from ser.losses import EmotionDistanceLoss

ANGRY, HAPPY, NEUTRAL, SAD = range(4)
FAR = ({ANGRY, SAD}, {HAPPY, SAD})
PAIRS = {5: (40, 50, 100), 10: (180, 200, 400), 15: (420, 450, 900)}
"""k -> numbers of PP, PN and MN pairs among k utterances of each emotion."""


def slow_loss(z, y, alpha=1.0, beta=0.6, kappa1=0.6, kappa2=0.3, reduction="mean"):
    """Eq. 2 pair by pair, in plain Python."""
    pp, pn, mn = [], [], []
    for i, j in combinations(range(len(y)), 2):
        d = math.sqrt(sum((a - b) ** 2 for a, b in zip(z[i].tolist(), z[j].tolist(), strict=True)) + 1e-12)
        if y[i] == y[j]:
            pp.append(d)
        elif {int(y[i]), int(y[j])} in FAR:
            pn.append(max(alpha - d, 0))
        else:
            mn.append(max(beta - d, 0))
    sizes = (1, 1, 1) if reduction == "sum" else (len(pp) or 1, len(pn) or 1, len(mn) or 1)
    return sum(pp) / sizes[0] + kappa1 * sum(pn) / sizes[1] + kappa2 * sum(mn) / sizes[2]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("seed", range(3))
def test_equals_a_slow_rewrite(seed, reduction):
    g = torch.Generator().manual_seed(seed)
    z = 0.5 * torch.randn(15, 3, generator=g, dtype=torch.float64)
    y = torch.randint(4, (15,), generator=g)
    for settings in ({}, {"alpha": 1.7, "beta": 0.9, "kappa1": 0.2, "kappa2": 2.0}):
        loss = EmotionDistanceLoss(**settings, reduction=reduction)(z, y)
        assert loss.dtype == torch.float64
        assert loss.item() == pytest.approx(slow_loss(z, y, **settings, reduction=reduction), rel=1e-12)


@pytest.mark.parametrize("k", PAIRS)
def test_identical_embeddings_under_mean(k):
    loss = EmotionDistanceLoss()(torch.ones(4 * k, 8, dtype=torch.float64), torch.arange(4).repeat(k))
    assert loss.item() == pytest.approx(0.6 * 1 + 0.3 * 0.6, abs=1e-5)  # 0.78; d(x, x) is 1e-6


def test_identical_embeddings_under_sum():
    loss = EmotionDistanceLoss(reduction="sum")(torch.ones(20, 8, dtype=torch.float64), torch.arange(4).repeat(5))
    assert loss.item() == pytest.approx(0.6 * 50 + 0.3 * 0.6 * 100, abs=1e-4)  # 48


@pytest.mark.parametrize("k, counts", PAIRS.items())
def test_pair_counts(k, counts):
    """With one axis per utterance all distances are sqrt(2), so that a sum counts its pairs."""
    z, y, d = torch.eye(4 * k, dtype=torch.float64), torch.arange(4).repeat(k), math.sqrt(2)
    pp, pn, mn = (
        EmotionDistanceLoss(alpha, beta, 1, 1, "sum")(z, y).item() for alpha, beta in ((0, 0), (d + 1, 0), (0, d + 1))
    )
    assert (pp / d, pn - pp, mn - pp) == pytest.approx(counts, abs=1e-6)


def test_zero_beyond_both_margins():
    corners = torch.tensor([[0.0, 0.0], [0.6, 0.0], [0.3, 0.6], [0.3, -1.0]], dtype=torch.float64)
    y = torch.arange(4).repeat(5)
    d = torch.cdist(corners, corners)
    assert d[SAD, ANGRY] > 1 and d[SAD, HAPPY] > 1 and d[:3, :3][~torch.eye(3, dtype=bool)].min() >= 0.6
    for reduction, tolerance in (("mean", 2e-6), ("sum", 5e-5)):  # 1 and 40 times d(x, x)
        assert EmotionDistanceLoss(reduction=reduction)(corners[y], y).item() == pytest.approx(0, abs=tolerance)


@pytest.mark.parametrize("a, b", list(combinations(range(4), 2)))
def test_margin_of_each_pair_of_emotions(a, b):
    for d in (0.5, 0.8, 1.2):
        z = torch.tensor([[0.0], [d]], dtype=torch.float64)
        margin, kappa = (1.0, 0.6) if {a, b} in FAR else (0.6, 0.3)
        for y in ([a, b], [b, a]):
            assert EmotionDistanceLoss()(z, torch.tensor(y)).item() == pytest.approx(kappa * max(margin - d, 0))


def test_embeddings_are_used_as_they_are():
    z, y = torch.tensor([[0.0, 3.0], [0.0, 7.0]]), torch.tensor([HAPPY, HAPPY])
    assert EmotionDistanceLoss()(z, y).item() == pytest.approx(4)  # on the unit sphere it would be 0
