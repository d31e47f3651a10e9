"""Spans of a sequence that are hidden while training (SpecAugment of wav2vec 2.0), frame by frame or feature by
feature. Not here: what stands in their place."""

from __future__ import annotations

import torch
from torch import Tensor


def span_mask(n: int, length: int, prob: float, min_spans: int, generator: torch.Generator) -> Tensor:
    """Choose spans as fairseq and Hugging Face do, their number rounded at random so that its mean is exact.

        n_spans = floor(prob n / length + u), u uniform in [0, 1)

    then at least `min_spans` and at most n // length. Spans begin at different places, all equally likely, and may
    overlap: `prob` is the share that would be masked if they did not. A sequence shorter than a span stays whole.

    Args:
        n: entries of the sequence, without padding.
        length: of every span.
        prob: in [0, 1].
        min_spans: at least so many, where they fit.
        generator: of both draws.

    Returns:
        (n,) bool, true where masked.
    """
    n_spans = int(prob * n / length + torch.rand((), generator=generator).item())
    n_spans = min(max(n_spans, min_spans), n // length)
    mask = torch.zeros(n, dtype=torch.bool)
    if n_spans:
        starts = torch.randperm(n - length + 1, generator=generator)[:n_spans]
        mask[starts.unsqueeze(1) + torch.arange(length)] = True
    return mask
