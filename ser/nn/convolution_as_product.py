"""Convolutions over time as products of matrices, for inference: the same numbers, sooner on a CPU in bf16."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def as_products(module: nn.Module) -> None:
    """Swap the convolutions over time in a module, and its group norms of one channel each, for those of this file.

    The module takes and gives what it did, (B, C, T), but frame after frame in memory, so that nothing is moved
    between its layers.

    Args:
        module: changed in place; its convolutions have no dilation.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv1d):
                setattr(parent, name, ConvolutionAsProduct(child))
            elif isinstance(child, nn.GroupNorm) and child.num_groups == child.num_channels:
                setattr(parent, name, NormOverTime(child))


class ConvolutionAsProduct(nn.Module):
    """A convolution whose windows are rows of a matrix; they overlap in memory and are not copied.

    Args:
        conv: from (B, C, T) to (B, C', T'), its weight not normalized any more.
    """

    def __init__(self, conv: nn.Conv1d):
        super().__init__()
        (self.kernel,), (self.stride,), (self.padding,) = conv.kernel_size, conv.stride, conv.padding
        by_group = conv.weight.detach().unflatten(0, (conv.groups, -1))  # (G, C' / G, C / G, K)
        self.weight = nn.Parameter(by_group.transpose(2, 3).flatten(2).contiguous(), requires_grad=False)
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        if self.padding:  # else it would be copied
            x = F.pad(x, (0, 0, self.padding, self.padding))
        groups = x.unflatten(2, (len(self.weight), -1)).permute(2, 0, 1, 3).contiguous()  # (G, B, T, C / G)
        biases = [None] * len(groups) if self.bias is None else self.bias.chunk(len(groups))
        products = [F.linear(self._windows(g), w, b) for g, w, b in zip(groups, self.weight, biases, strict=True)]
        return (products[0] if len(products) == 1 else torch.cat(products, 2)).transpose(1, 2)

    def _windows(self, x: Tensor) -> Tensor:
        """(B, T, C) to (B, T', K C), a view."""
        n_utts, n_samples, dim = x.shape
        n_windows = (n_samples - self.kernel) // self.stride + 1
        strides = (n_samples * dim, self.stride * dim, 1)
        return x.as_strided((n_utts, n_windows, self.kernel * dim), strides, x.storage_offset())


class NormOverTime(nn.Module):
    """A group norm of one channel each, of one utterance: (1, C, T), each channel normalized over time."""

    def __init__(self, norm: nn.GroupNorm):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        # as a batch of T, each of C numbers; instance normalization does the same and would move them all
        dtype = torch.promote_types(x.dtype, torch.float32)  # of rounded numbers, too, means and deviations are not
        weight, bias = self.weight.to(dtype), self.bias.to(dtype)
        return F.batch_norm(x[0].t(), None, None, weight, bias, training=True, eps=self.eps).t().unsqueeze(0)
