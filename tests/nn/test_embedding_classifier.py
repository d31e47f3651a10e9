"""EmbeddingClassifier: what it computes, and that its seed alone decides its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ser.nn import EmbeddingClassifier


def test_equals_numpy():
    model = EmbeddingClassifier(5, 7, 3, seed=1)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    z, logits = model(x)
    w = {name: value.detach().numpy() for name, value in model.named_parameters()}
    expected_z = np.maximum(x.numpy() @ w["embed.weight"].T + w["embed.bias"], 0)
    assert (expected_z == 0).any() and (expected_z > 0).any()
    assert z.detach().numpy() == pytest.approx(expected_z, abs=1e-6)
    assert logits.detach().numpy() == pytest.approx(
        expected_z @ w["classify.weight"].T + w["classify.bias"], abs=1e-6
    )


def test_seed_decides_the_weights_and_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    one, same, other = (EmbeddingClassifier(5, 7, 3, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for name in one:
        assert torch.equal(one[name], same[name])
        assert not torch.equal(one[name], other[name])
