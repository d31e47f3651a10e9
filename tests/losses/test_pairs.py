"""What both metric losses owe to the pairs they are made of: gradients, empty sets, symmetry, refusals."""

from __future__ import annotations

import pytest
import torch

from ser.losses import EmotionDistanceLoss, SiameseContrastiveLoss
from ser.losses.pairs import pair_distances, reduce_pairs

LOSSES = (EmotionDistanceLoss, SiameseContrastiveLoss)
both_losses = pytest.mark.parametrize("loss", LOSSES)
both_reductions = pytest.mark.parametrize("reduction", ["mean", "sum"])


def batch(n: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    z = 0.4 * torch.randn(n, 3, generator=g, dtype=torch.float64)
    return z.requires_grad_(), torch.randint(4, (n,), generator=g)


def test_distances_of_all_unordered_pairs():
    d, y_i, y_j = pair_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]), torch.tensor([7, 8, 9]))
    assert d.tolist() == pytest.approx([5, 3, 4])
    assert list(zip(y_i.tolist(), y_j.tolist(), strict=True)) == [(7, 8), (7, 9), (8, 9)]


def test_distances_of_near_embeddings_keep_their_digits():
    z = torch.tensor([[1000.0], [1000.0625]], requires_grad=True)  # by products float32 would give 0
    d = pair_distances(z, torch.tensor([0, 0]))[0]
    d.sum().backward()
    assert d.item() == pytest.approx(0.0625, rel=1e-6)
    assert z.grad.flatten().tolist() == pytest.approx([-1, 1], rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_distances_are_of_the_embeddings_dtype(dtype):
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=dtype, requires_grad=True)
    d = pair_distances(z, torch.tensor([0, 1]))[0]
    d.sum().backward()
    assert d.dtype == z.grad.dtype == dtype
    assert d.item() == pytest.approx(5)
    torch.testing.assert_close(z.grad.double(), torch.tensor([[-0.6, -0.8], [0.6, 0.8]]).double(), rtol=0.01, atol=0)


def test_reduction_of_a_set():
    values, mask = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True])
    assert reduce_pairs(values, mask, "sum").item() == 7
    assert reduce_pairs(values, mask, "mean").item() == 3.5
    assert reduce_pairs(values, torch.zeros(3, dtype=torch.bool), "mean").item() == 0


@both_reductions
@both_losses
def test_gradient_equals_finite_differences(loss, reduction):
    z, y = batch()
    d = pair_distances(z, y)[0]
    assert min((d - margin).abs().min().item() for margin in (0, 0.6, 1)) > 1e-4  # away from the kinks
    assert torch.autograd.gradcheck(lambda z: loss(reduction=reduction)(z, y), (z,), eps=1e-6, atol=1e-7)


@both_reductions
@both_losses
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_batches_under_vmap_equal_one_after_another(loss, reduction, dim):
    batches = [batch(seed=seed) for seed in range(4)]
    z, y = torch.stack([z.detach() for z, _ in batches], dim).requires_grad_(), torch.stack([y for _, y in batches])
    values = torch.func.vmap(loss(reduction=reduction), in_dims=(dim, 0))(z, y)
    values.sum().backward()
    for i, (own, labels) in enumerate(batches):
        value = loss(reduction=reduction)(own, labels)
        value.backward()
        torch.testing.assert_close(values[i], value, rtol=1e-12, atol=0)
        torch.testing.assert_close(z.grad.select(dim, i), own.grad, rtol=1e-12, atol=1e-12)


@both_losses
def test_gradient_may_be_taken_inside_of_vmap(loss):
    z, y = batch()
    both = torch.stack([z.detach(), 2 * z.detach()])
    inside = torch.func.vmap(torch.func.grad(loss()), in_dims=(0, None))(both, y)
    for own, grad in zip(both, inside, strict=True):
        torch.testing.assert_close(grad, torch.func.grad(loss())(own, y), rtol=1e-12, atol=1e-12)


@both_reductions
@both_losses
def test_gradient_is_finite_where_embeddings_coincide(loss, reduction):
    z, y = torch.ones(8, 3, requires_grad=True), torch.arange(4).repeat(2)
    loss(reduction=reduction)(z, y).backward()
    assert torch.equal(z.grad, torch.zeros(8, 3))


@both_reductions
@both_losses
@pytest.mark.parametrize("labels", [[], [2]])
def test_no_pair_at_all_gives_zero_with_a_gradient(loss, reduction, labels):
    z = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    value = loss(reduction=reduction)(z, torch.tensor(labels, dtype=torch.long))
    value.backward()
    assert value.item() == 0
    assert torch.equal(z.grad, torch.zeros(len(labels), 3))


@both_reductions
@both_losses
def test_empty_pair_sets_count_as_zero(loss, reduction):
    z = torch.tensor([[0.0], [0.25]], requires_grad=True)
    value = loss(reduction=reduction)(z, torch.tensor([1, 1]))  # one positive pair, no negative one
    value.backward()
    assert value.item() == pytest.approx(0.25)
    assert z.grad.flatten().tolist() == pytest.approx([-1, 1])
    value = loss(reduction=reduction)(z, torch.tensor([0, 1]))  # one angry-happy pair, no positive one
    assert value.item() == pytest.approx(0.3 * (0.6 - 0.25) if loss is EmotionDistanceLoss else -0.25)


@both_reductions
@both_losses
def test_order_of_the_batch_does_not_matter(loss, reduction):
    z, y = batch()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    value = loss(reduction=reduction)
    assert value(z[order], y[order]).item() == pytest.approx(value(z, y).item(), rel=1e-12)


@both_losses
@pytest.mark.parametrize("z_shape, y_shape", [((4, 2), (3,)), ((4,), (4,)), ((4, 2), (4, 1)), ((2, 4, 2), (2,))])
def test_shapes_that_disagree_are_refused(loss, z_shape, y_shape):
    words = rf"expected embeddings \(B, D\) and labels \(B,\), got \({z_shape[0]},.*\) and \({y_shape[0]},.*\)"
    with pytest.raises(ValueError, match=words):
        loss()(torch.zeros(z_shape), torch.zeros(y_shape, dtype=torch.long))


@both_losses
def test_unknown_reduction_is_refused(loss):
    with pytest.raises(ValueError, match="reduction 'none' is not 'mean' or 'sum'"):
        loss(reduction="none")
