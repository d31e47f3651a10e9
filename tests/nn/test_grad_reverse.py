"""grad_reverse: the identity forward, and finite differences times -scale backward."""

from __future__ import annotations

import pytest
import torch

from ser.nn import grad_reverse


def curved(x: torch.Tensor) -> torch.Tensor:
    return (x.sin() * x.square()).sum()


def finite_differences(f, x: torch.Tensor, step: float = 1e-6) -> torch.Tensor:
    units = torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape) * step
    return torch.stack([(f(x + unit) - f(x - unit)) / (2 * step) for unit in units]).view(x.shape)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_forward_is_the_identity(x):
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        y = grad_reverse(x.to(dtype), 0.3)
        assert y.dtype == dtype and torch.equal(y, x.to(dtype))


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.0, -2.0])
def test_gradient_is_minus_scale_times_finite_differences(x, scale):
    leaf = x.clone().requires_grad_()
    curved(grad_reverse(leaf, scale)).backward()
    assert leaf.grad.numpy() == pytest.approx(-scale * finite_differences(curved, x).numpy(), abs=1e-8)


def test_twice_reversed_is_not_reversed(x):
    leaf = x.clone().requires_grad_()
    curved(grad_reverse(grad_reverse(leaf, 0.5), 2.0)).backward()
    assert leaf.grad.numpy() == pytest.approx(finite_differences(curved, x).numpy(), abs=1e-8)


def test_the_gradient_has_a_gradient(x):
    """As a gradient penalty needs it; the second derivative passes the reversal twice."""
    leaf = x.clone().requires_grad_()
    (first,) = torch.autograd.grad(grad_reverse(leaf, 0.5).pow(3).sum(), leaf, create_graph=True)
    assert torch.allclose(first, -0.5 * 3 * x.square())
    (second,) = torch.autograd.grad(first.sum(), leaf)
    assert torch.allclose(second, 0.5**2 * 6 * x)


def test_works_under_torch_func(x):
    expected = -0.3 * finite_differences(curved, x)
    assert torch.allclose(torch.func.grad(lambda t: curved(grad_reverse(t, 0.3)))(x), expected, atol=1e-8)
    rows = torch.func.vmap(torch.func.grad(lambda t: curved(grad_reverse(t, 0.3))))(x)
    assert torch.allclose(rows, expected, atol=1e-8)
