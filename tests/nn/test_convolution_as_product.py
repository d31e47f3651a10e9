"""Convolutions as products: PyTorch's own are the reference."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ser.nn.convolution_as_product import ConvolutionAsProduct, NormOverTime, as_products

CONVOLUTIONS = {
    "first of wav2vec 2.0": {"in_channels": 1, "out_channels": 8, "kernel_size": 10, "stride": 5, "bias": False},
    "stride above kernel": {"in_channels": 4, "out_channels": 6, "kernel_size": 2, "stride": 3},
    "padded, in groups": {"in_channels": 6, "out_channels": 12, "kernel_size": 4, "padding": 2, "groups": 3},
    "in groups without bias": {"in_channels": 6, "out_channels": 6, "kernel_size": 3, "groups": 6, "bias": False},
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("shape", [(1, 10), (1, 57), (3, 58)], ids=str)
def test_numbers_are_those_of_the_convolution(kind, shape):
    torch.manual_seed(0)
    conv = nn.Conv1d(**CONVOLUTIONS[kind]).double()
    x = torch.randn(shape[0], conv.in_channels, shape[1], dtype=torch.float64)
    torch.testing.assert_close(ConvolutionAsProduct(conv)(x), conv(x), rtol=1e-12, atol=1e-12)
    laid_out = x.transpose(1, 2).contiguous().transpose(1, 2)  # as the layer before leaves them
    torch.testing.assert_close(ConvolutionAsProduct(conv)(laid_out), conv(x), rtol=1e-12, atol=1e-12)


def test_each_channel_is_normalized_over_time():
    torch.manual_seed(0)
    norm = nn.GroupNorm(5, 5, eps=0.3).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = 3 + 2 * torch.randn(1, 5, 31, dtype=torch.float64)
    torch.testing.assert_close(NormOverTime(norm)(x), norm(x), rtol=1e-12, atol=1e-12)


def test_rounded_numbers_are_normalized_as_exactly_as_s3prl_does():
    """Means and deviations in fp32, of channels that are far from zero."""
    torch.manual_seed(0)
    x = (3 * torch.randn(1, 64, 1) + torch.randn(1, 64, 4000)).bfloat16()
    norm = nn.GroupNorm(64, 64).bfloat16()
    found = NormOverTime(norm)(x)
    assert found.dtype == torch.bfloat16
    expected = nn.GroupNorm(64, 64)(x.float()).bfloat16()  # s3prl's Fp32GroupNorm
    assert (found.float() - expected.float()).abs().max() <= 0.016  # one step of bf16 between 2 and 4
    assert found.float().mean(2).abs().max() < 1e-3


def test_only_convolutions_and_norms_of_one_channel_are_swapped():
    torch.manual_seed(0)
    own = nn.Sequential(
        nn.Sequential(nn.Conv1d(1, 8, 10, stride=5), nn.GroupNorm(8, 8), nn.GELU()),
        nn.Sequential(nn.Conv1d(8, 8, 3, stride=2), nn.GroupNorm(2, 8), nn.GELU()),
    ).double()
    swapped = copy.deepcopy(own)
    as_products(swapped)
    kinds = [type(layer) for block in swapped for layer in block]
    assert kinds == [ConvolutionAsProduct, NormOverTime, nn.GELU, ConvolutionAsProduct, nn.GroupNorm, nn.GELU]
    x = torch.randn(1, 1, 200, dtype=torch.float64)
    torch.testing.assert_close(swapped(x), own(x), rtol=1e-12, atol=1e-12)


def test_nothing_is_moved_between_layers():
    """Frame after frame in memory: a layer's output is the next one's matrix."""
    conv = ConvolutionAsProduct(nn.Conv1d(4, 4, 3, stride=2))
    y = conv(conv(torch.randn(1, 4, 40)))
    assert y.transpose(1, 2).is_contiguous()
    assert NormOverTime(nn.GroupNorm(4, 4))(y).transpose(1, 2).is_contiguous()
