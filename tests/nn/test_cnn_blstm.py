"""CnnBlstm: parameter counts by hand, a slow rewrite, padding, both gradients of the adversary, and its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ser.nn import CnnBlstm, cnn_blstm
from ser.nn.cnn_blstm import SegmentCnn

DOMAINS = {"gender": 2, "corpus": 3}
SMALL = {"conv_maps": (2, 3), "kernel": 3, "segment_dim": 5, "blstm_units": 3, "fc1_dim": 7, "fc2_dim": 4}
LENGTHS = torch.tensor([3, 1, 5, 2])


def small(input_shape=(6, 9), seed=1, domains=DOMAINS, **settings) -> CnnBlstm:
    return CnnBlstm(2, domains, seed, input_shape=input_shape, **(SMALL | settings)).double()


def random_batch(input_shape=(6, 9), t=5) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return torch.randn(len(LENGTHS), t, *input_shape, generator=g, dtype=torch.float64)


def parts(output) -> list[torch.Tensor]:
    return [output.h, output.z, output.logits, *output.domains.values()]


# ---- sizes ---------------------------------------------------------------------------------------------------

LAYERS = {
    "cnn.convs.0": 32 * (5 * 5 * 1 + 1),
    "cnn.convs.1": 64 * (5 * 5 * 32 + 1),
    "cnn.fc": 512 * (64 * 8 * 32 + 1),  # 32 x 129 halved twice, 129 rounded down
    "blstm": 2 * 4 * 256 * (512 + 256 + 2),  # directions, gates; torch has two biases
    "fc1": 256 * (512 + 1),
    "fc2": 64 * (256 + 1),
    "classify": 2 * (64 + 1),
}


@pytest.mark.parametrize(
    ("domains", "total"),
    [
        ({}, 10_166_082),
        ({"speaker": 36, "corpus": 4}, 10_166_082 + 257 * 40),
        ({"gender": 2, "language": 2, "corpus": 4}, 10_166_082 + 257 * 8),
    ],
    ids=["Baseline", "DANN_1", "DANN_2"],
)
def test_default_has_the_parameters_of_the_layer_table(domains, total):
    model = CnnBlstm(n_classes=2, domains=domains, seed=1)
    for name, count in LAYERS.items():
        assert sum(p.numel() for p in model.get_submodule(name).parameters()) == count, name
    assert sum(LAYERS.values()) == 10_166_082
    assert sum(p.numel() for p in model.parameters()) == total


def test_frames_have_no_cnn():
    model = CnnBlstm(n_classes=2, domains={}, seed=1, input_shape=(768,))
    blstm = 2 * 4 * 256 * (768 + 256 + 2)
    expected = blstm + sum(LAYERS[name] for name in ("fc1", "fc2", "classify"))
    assert sum(p.numel() for p in model.parameters()) == expected


# ---- values --------------------------------------------------------------------------------------------------


def slow_maps(segment: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    """ReLU after each convolution and before the pooling, as the layer table says, sum by sum."""
    x = segment[None]
    for i in (0, 1):
        weight, bias = w[f"cnn.convs.{i}.weight"], w[f"cnn.convs.{i}.bias"]
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
        _, rows, columns = x.shape
        y = np.empty((len(weight), rows, columns))
        for m, r, c in np.ndindex(*y.shape):
            y[m, r, c] = max(0, (weight[m] * padded[:, r : r + 3, c : c + 3]).sum() + bias[m])
        x = np.empty((len(weight), rows // 2, columns // 2))
        for m, r, c in np.ndindex(*x.shape):
            x[m, r, c] = y[m, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].max()
    return x


def slow_steps(segment: np.ndarray, w: dict[str, np.ndarray], over_frames: bool) -> list[np.ndarray]:
    """What the BLSTM goes over: a vector of the segment, or of each frame that is left of it."""
    maps = slow_maps(segment, w)  # (maps, time, frequency)
    parts = [maps[:, t].ravel() for t in range(maps.shape[1])] if over_frames else [maps.ravel()]
    return [np.maximum(w["cnn.fc.weight"] @ part + w["cnn.fc.bias"], 0) for part in parts]


def slow_lstm(steps: list[np.ndarray], w: dict[str, np.ndarray], suffix: str) -> list[np.ndarray]:
    """Hidden states of one direction; gates in torch's order i, f, g, o."""
    units = w[f"blstm.weight_hh_{suffix}"].shape[1]
    hidden, cell, states = np.zeros(units), np.zeros(units), []
    for x in steps:
        gates = w[f"blstm.weight_ih_{suffix}"] @ x + w[f"blstm.bias_ih_{suffix}"]
        gates = gates + w[f"blstm.weight_hh_{suffix}"] @ hidden + w[f"blstm.bias_hh_{suffix}"]
        i, f, g, o = gates.reshape(4, units)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(g)
        hidden = o * np.tanh(cell)
        states.append(hidden)
    return states


def slow_forward(model: CnnBlstm, utterance: np.ndarray) -> list[np.ndarray]:
    """h, z, logits and domain logits of one utterance without padding, (T, ...)."""
    w = {name: value.detach().numpy() for name, value in model.named_parameters()}
    of_segments = [slow_steps(x, w, model.over_frames) if x.ndim == 2 else [x] for x in utterance]
    steps = [step for steps in of_segments for step in steps]
    there, back = slow_lstm(steps, w, "l0"), slow_lstm(steps[::-1], w, "l0_reverse")[::-1]
    mean = np.mean([np.concatenate(both) for both in zip(there, back, strict=True)], axis=0)
    h = np.maximum(w["fc1.weight"] @ mean + w["fc1.bias"], 0)
    z = w["fc2.weight"] @ h + w["fc2.bias"]
    heads = (f"domain_heads.heads.{name}" for name in DOMAINS)
    domains = [w[f"{head}.weight"] @ h + w[f"{head}.bias"] for head in heads]
    return [h, z, w["classify.weight"] @ z + w["classify.bias"], *domains]


@pytest.mark.parametrize(
    ("input_shape", "over"),
    [((6, 9), "segments"), ((8,), "segments"), ((9, 6), "frames")],
    ids=["segments", "frames of an upstream", "frames of segments"],
)
def test_equals_a_slow_rewrite_of_each_utterance_alone(input_shape, over):
    model, x = small(input_shape, blstm_over=over).eval(), random_batch(input_shape)
    output = model(x, LENGTHS)
    assert (output.h == 0).any() and (output.h > 0).any()
    for i, length in enumerate(LENGTHS):
        for found, expected in zip(parts(output), slow_forward(model, x[i, :length].numpy()), strict=True):
            assert found[i].detach().numpy() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("input_shape", "over"), [((6, 9), "segments"), ((8,), "segments"), ((9, 6), "frames")])
@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing(input_shape, over, training):
    """Neither what stands in the padding nor how much there is: outputs and gradients are equal to the bit."""
    x = random_batch(input_shape)
    longer = torch.cat([x, torch.zeros_like(x)], dim=1)
    for i, length in enumerate(LENGTHS):
        longer[i, length:] = torch.nan
    results = []
    for batch in (x, longer):
        model = small(input_shape, blstm_over=over).train(training)
        found = parts(model(batch, LENGTHS, generator=torch.Generator().manual_seed(3)))
        sum(part.square().sum() for part in found).backward()
        results.append(found + [p.grad for p in model.parameters()])
    for a, b in zip(*results, strict=True):
        assert a.isfinite().all() and torch.equal(a, b)


def test_order_of_the_batch_does_not_matter():
    model, x = small().eval(), random_batch()
    order = torch.tensor([2, 0, 3, 1])
    for a, b in zip(parts(model(x, LENGTHS)), parts(model(x[order], LENGTHS[order])), strict=True):
        assert torch.allclose(a[order], b, atol=1e-12)


# ---- the adversary -------------------------------------------------------------------------------------------

GAMMA = 0.3


def losses(model: CnnBlstm, x: torch.Tensor, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """L_E (cross-entropy and a pull on z) and L_D of a fixed batch."""
    g = torch.Generator().manual_seed(5)
    output = model(x, LENGTHS, scale)
    emotion = F.cross_entropy(output.logits, torch.tensor([0, 1, 1, 0])) + 0.1 * output.z.square().sum(1).mean()
    domains = [
        F.cross_entropy(logits, torch.randint(DOMAINS[name], (len(x),), generator=g))
        for name, logits in output.domains.items()
    ]
    return emotion, sum(domains)


@pytest.mark.parametrize("name", ["cnn.convs.0.weight", "blstm.weight_hh_l0", "fc1.weight", "fc2.weight",
                                  "classify.bias", "domain_heads.heads.corpus.weight"])  # fmt: skip
def test_one_backward_pass_serves_both_sides(name):
    """Finite differences: heads descend L_D, all the rest L_E - gamma L_D, with L = L_E + gamma L_D (Eq. 1)."""
    model, x, step = small().eval(), random_batch(), 1e-6
    emotion, domain = losses(model, x)
    (emotion + GAMMA * domain).backward()
    parameter = model.get_parameter(name)
    sign = 1 if name.startswith("domain_heads") else -1
    for k in torch.linspace(0, parameter.numel() - 1, 5).long().unique():
        values = []
        for move in (step, -step):
            with torch.no_grad():
                before = parameter.view(-1)[k].item()
                parameter.view(-1)[k] += move
                emotion, domain = losses(model, x)
                values.append(emotion + sign * GAMMA * domain)
                parameter.view(-1)[k] = before
        expected = (values[0] - values[1]).item() / (2 * step)
        assert parameter.grad.view(-1)[k].item() == pytest.approx(expected, abs=1e-8)


def test_domain_branch_leaves_before_fc2():
    model = small().eval()
    losses(model, random_batch())[1].backward()
    assert model.fc2.weight.grad is None and model.classify.weight.grad is None
    assert model.fc1.weight.grad.any() and model.cnn.convs[0].weight.grad.any()


def test_scale_inside_the_reversal_weights_the_encoder_alone():
    inside, outside, x = small().eval(), small().eval(), random_batch()
    losses(inside, x, GAMMA)[1].backward()
    (GAMMA * losses(outside, x)[1]).backward()
    for (name, a), b in zip(inside.named_parameters(), outside.parameters(), strict=True):
        if a.grad is not None:
            factor = 1 / GAMMA if name.startswith("domain_heads") else 1
            assert torch.allclose(a.grad, factor * b.grad, atol=1e-12), name


# ---- memory --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "calls"), [(4096, 3), (8, 4), (5, 5), (0, 6)])
def test_convolving_in_chunks_or_twice_changes_nothing(most, calls, monkeypatch):
    x, whole, chunked = random_batch(), small().eval(), small().eval()
    of_whole = losses(whole, x)
    (of_whole[0] + of_whole[1]).backward()
    convolve, sizes = SegmentCnn._convolve, []
    monkeypatch.setattr(SegmentCnn, "_convolve", lambda self, s: sizes.append(len(s)) or convolve(self, s))
    monkeypatch.setitem(cnn_blstm.CHUNK_SEGMENTS, "cpu", 4)
    monkeypatch.setitem(cnn_blstm.MAX_HELD_SEGMENTS, "cpu", most)  # of the 11
    of_chunked = losses(chunked, x)
    (of_chunked[0] + of_chunked[1]).backward()
    assert sizes[:3] == [4, 4, 3] and len(sizes) == calls  # those not kept are computed again on the way back
    assert [a.item() for a in of_chunked] == pytest.approx([a.item() for a in of_whole], rel=1e-12)
    for (name, a), b in zip(whole.named_parameters(), chunked.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-13), name


# ---- randomness ----------------------------------------------------------------------------------------------


def test_seed_decides_the_weights_and_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    one, same, other = (small(seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for name in one:
        assert torch.equal(one[name], same[name])
        assert torch.equal(one[name], other[name]) == ("bias" in name)  # which all start at zero


def test_weights_start_in_glorots_bounds_so_that_signals_pass_all_layers():
    net = CnnBlstm(2, {"corpus": 4}, seed=1)
    for name, layer in net.named_modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            fan_out, fan_in = layer.weight.shape[:2]
            bound = (6 / ((fan_in + fan_out) * layer.weight[0, 0].numel())) ** 0.5
            assert 0.8 * bound < layer.weight.abs().max() <= 1.0001 * bound, name
            assert layer.bias.abs().max() == 0
    recurrent = net.blstm.weight_hh_l0_reverse
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(recurrent.shape[1]), atol=1e-5, rtol=0)
    assert net.blstm.bias_ih_l0.abs().max() == 0


def test_networks_of_one_seed_differ_in_their_heads_alone():
    baseline, adversarial = small(domains={}).state_dict(), small(domains={"speaker": 9}).state_dict()
    assert set(adversarial) - set(baseline) == {f"domain_heads.heads.speaker.{p}" for p in ("weight", "bias")}
    assert all(torch.equal(value, adversarial[name]) for name, value in baseline.items())


def test_dropout_draws_from_the_given_generator():
    model, x = small().train(), random_batch()
    before = torch.get_rng_state()
    first, again, other = (model(x, LENGTHS, generator=torch.Generator().manual_seed(s)).h for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(model.eval()(x, LENGTHS).h, small(dropout=0.0).train()(x, LENGTHS).h)


def test_dropout_drops_its_share_of_the_blstm_input_and_scales_the_rest():
    seen = []
    model = small((50,), dropout=0.2).train()
    model.blstm.register_forward_pre_hook(lambda module, args: seen.append(args[0].data))
    x, generator = torch.ones(4, 40, 50, dtype=torch.float64), torch.Generator().manual_seed(0)
    model(x, torch.full((4,), 40), generator=generator)
    assert seen[0].unique().tolist() == pytest.approx([0, 1 / 0.8])
    assert (seen[0] == 0).double().mean().item() == pytest.approx(0.2, abs=0.02)  # 8,000 draws, sd 0.0045


# ---- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "lengths", "text"),
    [
        ((2, 3, 6, 8), [3, 2], r"expected x \(B, T, 6, 9\) and lengths \(B,\), got \(2, 3, 6, 8\) and \(2,\)"),
        ((2, 3, 9), [3, 2], r"got \(2, 3, 9\)"),
        ((2, 3, 6, 9), [3], r"and \(1,\)"),
        ((2, 3, 6, 9), [3, 0], "1 to 3, got 0 to 3"),
        ((2, 3, 6, 9), [4, 1], "1 to 3, got 1 to 4"),
    ],
)
def test_wrong_batches_are_refused(shape, lengths, text):
    with pytest.raises(ValueError, match=text):
        small()(torch.zeros(shape, dtype=torch.float64), torch.tensor(lengths))


@pytest.mark.parametrize(
    ("input_shape", "text"),
    [((3, 129), "nothing is left after 2 poolings by 2"), ((1, 32, 129), r"\(time, frequency\) or \(D,\), got")],
)
def test_wrong_input_shapes_are_refused(input_shape, text):
    with pytest.raises(ValueError, match=text):
        small(input_shape)
