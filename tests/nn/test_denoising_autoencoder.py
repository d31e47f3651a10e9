"""The denoising autoencoder: its size, and its layers rewritten by hand."""

from __future__ import annotations

import torch

from ser.nn import DenoisingAutoencoder


def test_has_the_paper_s_parameters():
    model = DenoisingAutoencoder(seed=1)
    assert sum(p.numel() for p in model.encoder.parameters()) == 4612
    assert sum(p.numel() for p in model.decoder.parameters()) == 4698
    assert sum(p.numel() for p in model.parameters()) == 9310


def test_computes_the_layers_of_the_table():
    model = DenoisingAutoencoder(seed=2)
    x = torch.randn(5, 88, generator=torch.Generator().manual_seed(1))
    h = x
    for number, layer in enumerate([*model.encoder, *model.decoder], start=1):  # 1 to 8
        h = h @ layer.weight.T + layer.bias
        if number in (1, 2, 3, 6):
            h = h.clamp(min=0)
        if number == 4:
            z = h
    ours = model(x)
    assert [tuple(t.shape) for t in ours] == [(5, 2), (5, 88)]
    torch.testing.assert_close(ours, (z, h))
    torch.testing.assert_close(model.encode(x), z)


def test_weights_depend_on_the_seed_alone():
    state = torch.get_rng_state()
    one, same, other = (DenoisingAutoencoder(seed=s).state_dict() for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["encoder.0.weight"], other["encoder.0.weight"])
