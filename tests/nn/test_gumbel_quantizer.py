"""The quantizer against s3prl's own, in both modes, and the gradient of its hard choice."""

from __future__ import annotations

import pytest
import torch

from ser.features.encoders.s3prl import upstream_module
from ser.nn.gumbel_quantizer import GumbelQuantizer


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    kind = upstream_module("wav2vec2.wav2vec2_model").GumbelVectorQuantizer
    return kind(dim=5, num_vars=4, temp=(2.0, 0.5, 0.999), groups=2, combine_groups=False, vq_dim=6, time_first=True)


@pytest.fixture
def ours(theirs) -> GumbelQuantizer:
    return GumbelQuantizer(theirs.weight_proj, theirs.vars.view(2, 4, 3), temperature=0.7)


@pytest.mark.parametrize("training", [False, True])
def test_codes_are_those_of_s3prl(theirs, ours, training):
    frames = torch.randn(50, 5)
    theirs.train(training)
    ours.train(training)
    theirs.curr_temp = 0.7
    torch.manual_seed(1)
    expected = theirs(frames.unsqueeze(0))
    torch.manual_seed(1)
    codes, probabilities = ours(frames)
    torch.testing.assert_close(codes, expected["x"].squeeze(0))
    p = probabilities.mean(0)
    torch.testing.assert_close((-(p * (p + 1e-7).log()).sum(1)).exp().sum(), expected["prob_perplexity"])


def test_a_code_joins_the_likeliest_entries_by_hand(ours):
    ours.eval()
    frames = torch.randn(20, 5)
    logits, codes = ours.logits(frames), ours(frames)[0]
    for i in range(20):
        first, second = logits[i, :4].argmax(), logits[i, 4:].argmax()
        assert codes[i].tolist() == [*ours.codebooks[0, first].tolist(), *ours.codebooks[1, second].tolist()]


def test_the_hard_choice_has_the_gradient_of_the_soft_one(ours):
    ours.train()
    frames, weight = torch.randn(3, 5), torch.randn(6)
    torch.manual_seed(2)
    (own,) = torch.autograd.grad((ours(frames)[0] * weight).sum(), ours.logits.weight)
    torch.manual_seed(2)
    noise = -torch.empty(3, 2, 4).exponential_().log()
    soft = ((ours.logits(frames).view(3, 2, 4) + noise) / 0.7).softmax(-1)
    (expected,) = torch.autograd.grad(
        (torch.einsum("ngv,gvd->ngd", soft, ours.codebooks.detach()).flatten(1) * weight).sum(), ours.logits.weight
    )
    torch.testing.assert_close(own, expected)
