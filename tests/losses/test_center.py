"""CenterLoss against hand-worked numbers, a slow rewrite and finite differences."""

from __future__ import annotations

import pytest
import torch

from ser.losses import CenterLoss


def random_batch(seed: int, n: int = 9, dim: int = 3, n_classes: int = 4):
    """Embeddings and labels in float64; the last class never occurs."""
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(n, dim, generator=g, dtype=torch.float64)
    return z, torch.randint(n_classes - 1, (n,), generator=g)


def loss_with_centers(centers: torch.Tensor, center_lr: float = 0.5) -> CenterLoss:
    loss = CenterLoss(*centers.shape, center_lr).to(centers.dtype)
    loss.centers.copy_(centers)
    return loss


def slow_loss(z, y, centers):
    """Eq. 4 number by number."""
    total = 0.0
    for row, label in zip(z.tolist(), y.tolist(), strict=True):
        total += sum((a - c) ** 2 for a, c in zip(row, centers[label], strict=True))
    return total / len(z)


def slow_update(z, y, centers, center_lr):
    """Eq. 5 as an increment, number by number."""
    moved = [list(center) for center in centers]
    for j, center in enumerate(centers):
        own = [row for row, label in zip(z.tolist(), y.tolist(), strict=True) if label == j]
        for d, c in enumerate(center):
            moved[j][d] = c - center_lr * sum(c - row[d] for row in own) / (1 + len(own))
    return moved


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_slow_rewrite(seed):
    z, y = random_batch(seed)
    centers = random_batch(seed + 10, n=4)[0]
    loss = loss_with_centers(centers)
    assert loss(z, y).dtype == torch.float64
    assert loss(z, y).item() == pytest.approx(slow_loss(z, y, centers.tolist()), rel=1e-12)


@pytest.mark.parametrize("center_lr", [0.5, 0.1])
def test_update_equals_a_slow_rewrite(center_lr):
    loss = loss_with_centers(random_batch(10, n=4)[0], center_lr)
    expected = loss.centers.tolist()
    for seed in range(5):
        z, y = random_batch(seed)
        loss.update(z, y)
        expected = slow_update(z, y, expected, center_lr)
    assert loss.centers.numpy() == pytest.approx(torch.tensor(expected).numpy(), rel=1e-6)


def test_worked_by_hand():
    loss = CenterLoss(n_classes=3, dim=2, center_lr=0.5)
    assert torch.equal(loss.centers, torch.zeros(3, 2))
    z, y = torch.tensor([[2.0, 0.0], [4.0, 0.0], [0.0, -6.0]]), torch.tensor([0, 0, 2])
    assert loss(z, y).item() == pytest.approx((4 + 16 + 36) / 3)  # a mean over the batch, no 1/2
    loss.update(z, y)
    assert loss.centers.tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, -1.5]]  # 0.5 * 6 / (1 + 2), 0.5 * -6 / (1 + 1)
    assert loss(z, y).item() == pytest.approx((1 + 9 + 4.5**2) / 3)
    loss.update(z[:2], y[:2])
    assert loss.centers[0].tolist() == pytest.approx([1 + 0.5 * (1 + 3) / 3, 0])
    assert loss.centers[2].tolist() == [0.0, -1.5]  # absent from the batch


def test_centers_end_at_the_class_means():
    z, y = random_batch(1)[0], torch.arange(9) % 3
    loss = loss_with_centers(torch.zeros(4, 3, dtype=torch.float64))
    for _ in range(200):
        loss.update(z, y)
    for j in range(3):
        assert loss.centers[j].tolist() == pytest.approx(z[y == j].mean(0).tolist(), abs=1e-9)
    assert torch.equal(loss.centers[3], torch.zeros(3, dtype=torch.float64))


def test_gradient_of_the_embeddings():
    z, y = random_batch(1)
    loss = loss_with_centers(random_batch(10, n=4)[0])
    z.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, y), z)
    loss(z, y).backward()
    assert torch.allclose(z.grad, 2 * (z.detach() - loss.centers[y]) / len(z))


def test_centers_get_no_gradient_and_updates_make_none():
    z, y = random_batch(1)
    z = z.float().requires_grad_()
    loss = CenterLoss(4, 3)
    assert list(loss.parameters()) == []
    loss.update(z, y)
    assert not loss.centers.requires_grad and z.grad is None
    before = loss.centers.clone()
    loss(z, y).backward()
    assert loss.centers.grad is None and torch.equal(loss.centers, before)


def test_state_dict_holds_the_centers():
    z, y = random_batch(2)
    loss, other = CenterLoss(4, 3), CenterLoss(4, 3)
    loss.update(z, y)
    assert loss.centers.any()
    other.load_state_dict(loss.state_dict())
    assert torch.equal(other.centers, loss.centers)


def test_an_empty_batch_counts_as_zero_with_a_gradient():
    z, y, loss = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, dtype=torch.long), CenterLoss(4, 3)
    value = loss(z, y)
    value.backward()
    loss.update(z, y)
    assert value.item() == 0 and z.grad.shape == (0, 3) and not loss.centers.any()


@pytest.mark.parametrize(
    ("z", "y", "text"),
    [
        (torch.zeros(2, 3), [0, 1, 2], r"\(2, 3\) and \(3,\)"),
        (torch.zeros(2, 5), [0, 1], r"expected embeddings \(B, 3\), as the centers are, got \(2, 5\)"),
        (torch.zeros(2, 3), [0, 4], "0 to 3, got 0 to 4"),
        (torch.zeros(2, 3), [-1, 2], "0 to 3, got -1 to 2"),  # as an index, -1 would be the last class
    ],
)
def test_wrong_batches_are_refused(z, y, text):
    loss = CenterLoss(4, 3)
    for call in (loss, loss.update):
        with pytest.raises(ValueError, match=text):
            call(z, torch.tensor(y))
