"""SelfAttentionPooling against a slow rewrite, the mean, and padding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ser.nn import SelfAttentionPooling


def batch(seed: int = 0, dim: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(3, 6, dim, generator=g, dtype=torch.float64), torch.tensor([6, 1, 4])


def test_equals_a_slow_rewrite():
    frames, lengths = batch()
    pool = SelfAttentionPooling(4, seed=3).double()
    w = pool.weight.weight[0].tolist()
    for row, n, found in zip(frames.tolist(), lengths, pool(frames, lengths).tolist(), strict=True):
        powers = [math.exp(sum(a * b for a, b in zip(w, frame, strict=True))) for frame in row[:n]]
        expected = [sum(p * f[d] for p, f in zip(powers, row[:n], strict=True)) / sum(powers) for d in range(4)]
        assert found == pytest.approx(expected, rel=1e-12)


def test_zero_weights_give_the_mean_over_valid_frames():
    frames, lengths = batch()
    pool = SelfAttentionPooling(4).double()
    nn.init.zeros_(pool.weight.weight)
    means = torch.stack([row[:n].mean(0) for row, n in zip(frames, lengths, strict=True)])
    torch.testing.assert_close(pool(frames, lengths), means, rtol=0, atol=1e-14)


@pytest.mark.parametrize("filler", [7.0, torch.inf, torch.nan])
def test_padding_changes_nothing(filler):
    frames, lengths = batch()
    pool = SelfAttentionPooling(4).double()
    padded = torch.cat([frames, frames[:, :2]], 1)
    padded[torch.arange(8) >= lengths.unsqueeze(1)] = filler
    alone = torch.cat([pool(row[None, :n], n[None]) for row, n in zip(frames, lengths, strict=True)])
    torch.testing.assert_close(pool(padded, lengths), alone, rtol=0, atol=1e-14)
    padded.requires_grad_()
    pool(padded, lengths).sum().backward()
    assert not padded.grad[0, 6:].any() and padded.grad.isfinite().all()


def test_gradients():
    frames, lengths = batch()
    pool = SelfAttentionPooling(4).double()
    assert torch.autograd.gradcheck(lambda x: pool(x, lengths), frames.requires_grad_())


def test_the_seed_decides_the_weights_and_no_global_state_is_touched():
    before = torch.get_rng_state()
    one, same, other = (SelfAttentionPooling(4, seed).weight.weight for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert [name for name, _ in SelfAttentionPooling(4).named_parameters()] == ["weight.weight"]


@pytest.mark.parametrize("length", [0, 7])
def test_lengths_outside_the_frames_are_refused(length):
    frames, _ = batch()
    with pytest.raises(ValueError, match=rf"lie in 1 to 6, got {min(length, 1)} to {max(length, 1)}"):
        SelfAttentionPooling(4).double()(frames, torch.tensor([1, length, 1]))
