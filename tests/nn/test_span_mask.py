"""Span masks: number, length and place of the spans, against probabilities worked out by hand."""

from __future__ import annotations

import pytest
import torch

from ser.nn.span_mask import span_mask


def draws(n: int, length: int, prob: float, min_spans: int, times: int = 2000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.stack([span_mask(n, length, prob, min_spans, generator) for _ in range(times)])


def test_the_generator_alone_decides():
    before = torch.get_rng_state()
    one, same, other = (span_mask(200, 15, 0.3, 0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_number_of_spans_is_rounded_at_random():
    """prob n / length = 0.6: one span in 60 % of all draws, else none."""
    masks = draws(768, 64, 0.05, 0)
    assert set(masks.sum(1).tolist()) == {0, 64}
    assert (masks.sum(1) > 0).float().mean().item() == pytest.approx(0.6, abs=0.03)
    assert draws(768, 64, 0.05, 1).sum(1).unique().tolist() == [64]


def test_a_span_is_contiguous_and_begins_anywhere():
    masks = draws(12, 4, 0.0, 1)
    starts = masks.int().argmax(1)
    for mask, start in zip(masks, starts, strict=True):
        assert mask.nonzero().flatten().tolist() == list(range(start, start + 4))
    assert torch.bincount(starts).tolist() == pytest.approx([2000 / 9] * 9, abs=60)


def test_two_spans_begin_at_different_places_and_may_overlap():
    sums = draws(10, 3, 0.0, 2).sum(1)
    assert set(sums.tolist()) == {4, 5, 6}
    # 28 pairs of 8 starts: 7 are neighbors, 6 two apart
    assert (sums == 4).float().mean().item() == pytest.approx(7 / 28, abs=0.03)
    assert (sums == 5).float().mean().item() == pytest.approx(6 / 28, abs=0.03)


@pytest.mark.parametrize("n, length, prob, min_spans, share", [
    (14, 15, 1.0, 2, 0), (15, 15, 0.0, 2, 1), (15, 15, 1.0, 9, 1), (29, 15, 0.0, 2, 15 / 29), (40, 5, 0.0, 0, 0),
])  # fmt: skip
def test_spans_that_do_not_fit_are_left_out(n, length, prob, min_spans, share):
    masks = draws(n, length, prob, min_spans, times=50)
    assert masks.shape == (50, n)
    assert masks.float().mean(1).tolist() == pytest.approx([share] * 50)


def test_the_share_is_the_probability_less_overlaps():
    """5 of 51 starts: a frame far from the ends is seen by 10 of them, hypergeometric."""
    masks = draws(60, 10, 5 * 10 / 60, 0)
    free = 1.0
    for i in range(5):
        free *= (41 - i) / (51 - i)
    assert masks[:, 10:50].float().mean().item() == pytest.approx(1 - free, abs=0.01)
