"""PositivePairInfoNCELoss against closed values, the printed sum, slow rewrites and finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from ser.losses import PositivePairInfoNCELoss


def sides(seed: int, p: int = 4, q: int = 4, dim: int = 5):
    g = torch.Generator().manual_seed(seed)
    return (torch.randn(n, dim, generator=g, dtype=torch.float64) for n in (p, q))


def cosine(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def probability(x, z, i, j, tau) -> float:
    """l_ij, Eq. 2."""
    pair = math.exp(cosine(x[i], x[j]) / tau)
    return pair / (pair + sum(math.exp(cosine(x[i], row) / tau) for row in z))


def as_printed(x, z, tau, of_probability) -> float:
    """4 / (N (N - 2)) times the sum over i < j of both directions, Eq. 3."""
    x, z = x.tolist(), z.tolist()
    n = 2 * len(x)
    pairs = [(i, j) for i in range(len(x)) for j in range(i + 1, len(x))]
    total = sum(of_probability(probability(x, z, i, j, tau)) + of_probability(probability(x, z, j, i, tau))
                for i, j in pairs)  # fmt: skip
    return 4 / (n * (n - 2)) * total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form, of_probability", [("paper", lambda p: -math.log(p)), ("literal", lambda p: p)])
def test_the_mean_over_ordered_pairs_is_the_printed_sum(seed, form, of_probability):
    x, z = sides(seed)
    loss = PositivePairInfoNCELoss(0.3, form)(x, z)
    assert loss.item() == pytest.approx(as_printed(x, z, 0.3, of_probability), rel=1e-12)


def test_another_number_of_negatives_fills_the_denominator():
    x, z = sides(1, q=7)
    xs, zs = x.tolist(), z.tolist()
    expected = [-math.log(probability(xs, zs, i, j, 0.07)) for i in range(4) for j in range(4) if i != j]
    assert PositivePairInfoNCELoss()(x, z).item() == pytest.approx(sum(expected) / 12, rel=1e-12)


def test_equal_similarities_give_log_17():
    """N = 32: one positive and 16 negatives are alike."""
    same = torch.full((16, 8), 3.0)
    assert PositivePairInfoNCELoss()(same, same).item() == pytest.approx(math.log(17), abs=1e-6)
    assert PositivePairInfoNCELoss(form="literal")(same, same).item() == pytest.approx(1 / 17, abs=1e-7)
    assert PositivePairInfoNCELoss(form="supcon_out")(same, same).item() == pytest.approx(math.log(31), abs=1e-6)


def test_perfect_similarities_give_almost_nothing():
    """Positives at cosine 1, negatives at 0: log(1 + 16 exp(-1 / 0.07))."""
    x = torch.zeros(16, 4, dtype=torch.float64)
    z = x.clone()
    x[:, 0], z[:, 1] = 2.0, 5.0
    assert PositivePairInfoNCELoss()(x, z).item() == pytest.approx(math.log1p(16 * math.exp(-1 / 0.07)), rel=1e-9)
    assert PositivePairInfoNCELoss()(x, z).item() == pytest.approx(1e-5, rel=0.01)


def test_supcon_out_has_the_other_positives_in_its_denominator():
    x, z = sides(2)
    xs, zs = x.tolist(), z.tolist()
    total = 0.0
    for i in range(4):
        others = [math.exp(cosine(xs[i], row) / 0.2) for k, row in enumerate(xs) if k != i]
        below = sum(others) + sum(math.exp(cosine(xs[i], row) / 0.2) for row in zs)
        total -= sum(math.log(value / below) for value in others) / 3
    assert PositivePairInfoNCELoss(0.2, "supcon_out")(x, z).item() == pytest.approx(total / 4, rel=1e-12)


def gradient_along_similarity(form: str) -> float:
    """Slope when the second positive turns towards the first."""
    angle = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    first, negatives = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, -1.0], [-1.0, 0.0]]).double()
    positives = torch.cat([first, torch.stack([angle.cos(), angle.sin()])[None]])
    PositivePairInfoNCELoss(1.0, form)(positives, negatives).backward()
    return -angle.grad.item()


def test_minimizing_pulls_positives_together_and_the_printed_form_pushes_them_apart():
    assert gradient_along_similarity("paper") < -0.1
    assert gradient_along_similarity("supcon_out") < -0.1
    assert gradient_along_similarity("literal") > 0.1


@pytest.mark.parametrize("form", ["paper", "supcon_out", "literal"])
def test_gradients(form):
    x, z = (side.requires_grad_() for side in sides(4))
    assert torch.autograd.gradcheck(PositivePairInfoNCELoss(0.3, form), (x, z))


def test_lengths_of_vectors_do_not_matter_and_halves_do_not_overflow():
    x, z = sides(5)
    loss, scale = PositivePairInfoNCELoss(), torch.tensor([[0.1], [2.0], [30.0], [4.0]]).double()
    assert loss(scale * x, 7 * z).item() == pytest.approx(loss(x, z).item(), rel=1e-12)
    half = loss(x.half(), z.half())
    assert half.dtype == torch.float32 and half.item() == pytest.approx(loss(x, z).item(), abs=0.05)


@pytest.mark.parametrize(
    ("x", "z", "text"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), r"\(2, 3\) and \(2, 4\)"),
        (torch.zeros(2, 3), torch.zeros(0, 3), r"\(2, 3\) and \(0, 3\)"),
        (torch.zeros(3), torch.zeros(2, 3), r"\(3,\) and \(2, 3\)"),
        (torch.zeros(1, 3), torch.zeros(2, 3), "a pair needs two positives, got 1"),
    ],
)
def test_wrong_shapes_are_refused(x, z, text):
    with pytest.raises(ValueError, match=text):
        PositivePairInfoNCELoss()(x, z)


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form 'log' is none of paper, supcon_out, literal"):
        PositivePairInfoNCELoss(form="log")
