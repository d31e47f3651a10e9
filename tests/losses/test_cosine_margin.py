"""CosineMarginLoss against closed values, torch's own cosine loss and finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ser.losses import CosineMarginLoss


def sides(seed: int, p: int = 6, q: int = 6, dim: int = 5):
    g = torch.Generator().manual_seed(seed)
    return (torch.randn(n, dim, generator=g, dtype=torch.float64) for n in (p, q))


def at_cosine(cosine: float, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Positives and negatives of which every two have one cosine."""
    gram = torch.full((2 * n, 2 * n), cosine, dtype=torch.float64).fill_diagonal_(1)
    rows = torch.linalg.cholesky(gram)
    return rows[:n], rows[n:]


def test_closed_values():
    loss = CosineMarginLoss()
    same, away = torch.ones(16, 3), torch.tensor([[1.0, -1.0, 0.0]]).repeat(16, 1)
    assert loss(same, away).item() == pytest.approx(0, abs=1e-7)  # positives alike, negatives below the margin
    assert loss(*at_cosine(0.0, 16)).item() == pytest.approx(0.5)  # everything orthogonal
    assert loss(*at_cosine(0.9, 16)).item() == pytest.approx(0.55)  # everything alike: 0.5 * 0.1 + (0.9 - 0.4)
    assert loss(*at_cosine(0.4, 16)).item() == pytest.approx(0.3)  # at the margin: 0.5 * 0.6


@pytest.mark.parametrize("pairs", ["elementwise", "all"])
def test_equals_torchs_cosine_embedding_loss(pairs):
    x, z = sides(1)
    first, second = x.chunk(2)
    left, right = (x, z) if pairs == "elementwise" else (x.repeat_interleave(6, 0), z.repeat(6, 1))
    expected = 0.7 * F.cosine_embedding_loss(first, second, torch.ones(3)) + F.cosine_embedding_loss(
        left, right, -torch.ones(len(left)), margin=0.1
    )
    assert CosineMarginLoss(0.7, 0.1, pairs)(x, z).item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_first_half_is_paired_with_the_second():
    x = torch.eye(4)[[0, 1, 0, 1]]
    loss, away = CosineMarginLoss(), torch.eye(4)[[2, 2, 3, 3]]
    assert loss(x, away).item() == pytest.approx(0)
    assert loss(x[[0, 2, 1, 3]], away).item() == pytest.approx(0.5)


def test_scaling_changes_nothing():
    x, z = sides(2)
    scale = torch.tensor([[0.1], [2.0], [30.0], [4.0], [5.0], [0.5]]).double()
    for pairs in ("elementwise", "all"):
        loss = CosineMarginLoss(pairs=pairs)
        assert loss(scale * x, 3 * z).item() == pytest.approx(loss(x, z).item(), rel=1e-12)


@pytest.mark.parametrize("pairs", ["elementwise", "all"])
def test_gradients_pull_positives_and_spare_negatives_below_the_margin(pairs):
    x, z = (side.requires_grad_() for side in sides(3))
    assert torch.autograd.gradcheck(CosineMarginLoss(margin=-0.2, pairs=pairs), (x, z))
    CosineMarginLoss(margin=1.0, pairs=pairs)(x, z).backward()
    assert not z.grad.any() and x.grad.any()


@pytest.mark.parametrize(
    ("x", "z", "text"),
    [
        (torch.zeros(4, 3), torch.zeros(4, 2), r"\(4, 3\) and \(4, 2\)"),
        (torch.zeros(3, 3), torch.zeros(3, 3), "two halves, got 3"),
        (torch.zeros(4, 3), torch.zeros(2, 3), "as many negatives as positives, got 2 and 4"),
    ],
)
def test_wrong_shapes_are_refused(x, z, text):
    with pytest.raises(ValueError, match=text):
        CosineMarginLoss()(x, z)


def test_unknown_pairs_are_refused():
    with pytest.raises(ValueError, match="pairs 'some' is none of elementwise, all"):
        CosineMarginLoss(pairs="some")
