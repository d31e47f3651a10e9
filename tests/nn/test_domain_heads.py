"""DomainHeads: linear layers whose own gradient is not reversed, while what lies below gets it reversed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ser.nn import DomainHeads

SIZES = {"gender": 2, "language": 2, "corpus": 4}


@pytest.fixture
def heads() -> DomainHeads:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return DomainHeads(5, SIZES).double()


@pytest.fixture
def batch() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    g = torch.Generator().manual_seed(1)
    h = torch.randn(6, 5, generator=g, dtype=torch.float64)
    return h, {name: torch.randint(size, (6,), generator=g) for name, size in SIZES.items()}


def test_each_head_is_one_linear_layer(heads, batch):
    h, _ = batch
    logits = heads(h)
    assert list(logits) == list(SIZES)
    for name, size in SIZES.items():
        w, b = heads.heads[name].weight, heads.heads[name].bias
        assert logits[name].shape == (6, size)
        assert torch.allclose(logits[name], torch.einsum("bd,kd->bk", h, w) + b)
    assert sum(p.numel() for p in heads.parameters()) == (5 + 1) * (2 + 2 + 4)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_only_what_lies_below_gets_the_reversed_gradient(heads, batch, scale):
    h, domains = batch
    h.requires_grad_()
    sum(F.cross_entropy(logits, domains[name]) for name, logits in heads(h, scale).items()).backward()
    below = torch.zeros_like(h)
    for name, y in domains.items():
        w, b = heads.heads[name].weight.detach(), heads.heads[name].bias.detach()
        error = ((h.detach() @ w.T + b).softmax(1) - F.one_hot(y, SIZES[name])) / 6  # d CE / d logits
        below += error @ w
        assert torch.allclose(heads.heads[name].weight.grad, error.T @ h.detach())  # whatever the scale
        assert torch.allclose(heads.heads[name].bias.grad, error.sum(0))
    assert torch.allclose(h.grad, -scale * below)


def test_a_network_without_adversary_has_no_heads():
    heads = DomainHeads(5, {})
    assert heads(torch.zeros(6, 5)) == {} and list(heads.parameters()) == []
