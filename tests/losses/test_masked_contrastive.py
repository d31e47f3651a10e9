"""wav2vec 2.0's objective against slow rewrites, transformers' own, and finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import Wav2Vec2ForPreTraining

from ser.losses import MaskedContrastiveLoss, codebook_diversity


def frames(seed: int, n: int = 6, dim: int = 5, k: int = 4):
    g = torch.Generator().manual_seed(seed)
    context, codes = (torch.randn(n, dim, generator=g, dtype=torch.float64) for _ in range(2))
    others = torch.randint(n - 1, (n, k), generator=g)
    return context, codes, others + (others >= torch.arange(n).unsqueeze(1))


def cosine(a, b) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def slow(context, codes, distractors, kappa) -> list[float]:
    """Eq. 3, frame by frame, without distractors that have the true code."""
    context, codes, found = context.tolist(), codes.tolist(), []
    for t, own in enumerate(distractors.tolist()):
        true = math.exp(cosine(context[t], codes[t]) / kappa)
        others = [math.exp(cosine(context[t], codes[i]) / kappa) for i in own if codes[i] != codes[t]]
        found.append(-math.log(true / (true + sum(others))))
    return found


@pytest.mark.parametrize("kappa", [0.1, 1.0])
def test_equals_the_printed_formula(kappa):
    context, codes, others = frames(0)
    codes[3] = codes[0]
    loss = MaskedContrastiveLoss(kappa)(context, codes, others)
    assert loss.tolist() == pytest.approx(slow(context, codes, others, kappa), rel=1e-9)


def test_without_true_distractors_there_is_nothing_to_lose():
    context, codes, others = frames(1)
    same = codes[:1].expand_as(codes)
    assert MaskedContrastiveLoss()(context, same, others).tolist() == [0.0] * len(context)


def test_equals_the_logits_of_transformers():
    context, codes, others = (x.float() if x.is_floating_point() else x for x in frames(2, n=9, k=7))
    logits = Wav2Vec2ForPreTraining.compute_contrastive_logits(
        codes.view(1, 1, 9, -1), codes[others].permute(1, 0, 2).unsqueeze(1), context.unsqueeze(0), 0.1
    )  # (1 + K, 1, N)
    theirs = torch.nn.functional.cross_entropy(
        logits.squeeze(1).T, torch.zeros(9, dtype=torch.long), reduction="none"
    )
    torch.testing.assert_close(MaskedContrastiveLoss(0.1)(context, codes, others), theirs)


def test_gradients_equal_finite_differences():
    context, codes, others = frames(3)
    assert torch.autograd.gradcheck(
        lambda c, q: MaskedContrastiveLoss(0.5)(c, q, others), (context.requires_grad_(), codes.requires_grad_())
    )
    p = torch.rand(2, 4, dtype=torch.float64).add(0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: codebook_diversity(p), (p,))


def test_half_precision_computes_in_single():
    context, codes, others = (x.bfloat16() if x.is_floating_point() else x for x in frames(4))
    loss = MaskedContrastiveLoss(0.1)(context, codes, others)
    assert loss.dtype == torch.float32
    assert loss.tolist() == pytest.approx(slow(context.double(), codes.double(), others, 0.1), rel=1e-4)


def test_diversity_is_the_mean_negative_entropy_by_hand():
    p = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    by_hand = (0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25)) / 6
    assert codebook_diversity(p).item() == pytest.approx(by_hand)
    assert codebook_diversity(torch.full((2, 8), 1 / 8)).item() == pytest.approx(-math.log(8) / 8)
