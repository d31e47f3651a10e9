"""Encoders with a transformer: together as each by itself, in bf16, and while they are trained."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ser.errors import DataError
from ser.features import encoders
from ser.features.encoders import transformer
from ser.features.encoders.transformer import TransformerEncoder, TransformerUpstream
from tests.fakes.checkpoints import DIM, N_LAYERS
from tests.features.encoders.tiny import CPU, FROZEN, TRAINABLE, TRANSFORMERS, load, noise, trainable

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*mismatched.*mask:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Positional args are being deprecated:FutureWarning"),
]


# ---- In bf16 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TRAINABLE, "byol_s"])
def test_bf16_points_where_fp32_does(name, checkpoints):
    exact, rounded = (encoders.load(name, str(checkpoints[name]), None, CPU, p) for p in ("fp32", "bf16"))
    for n_samples in (1000, 9000, 16_000):
        expected, found = exact(noise(n_samples)), rounded(noise(n_samples))
        assert found.shape == expected.shape and found.dtype == torch.float32
        assert not torch.equal(found, expected)
        assert F.cosine_similarity(found.mean(1), expected.mean(1)).min() > 0.999


@pytest.mark.parametrize("name", TRAINABLE)
def test_several_utterances_together_are_encoded_as_if_each_were_alone(name, checkpoints):
    """Also in another layout and with other kernels than s3prl's, to the last digits of fp32."""
    alone = load(name, checkpoints[name])
    many = TransformerUpstream(trainable(name, checkpoints), CPU, "fp32")
    wavs = [noise(n_samples, seed) for seed, n_samples in enumerate((16_000, 400, 9000, 31_123))]
    for found, wav in zip(many.together(wavs), wavs, strict=True):
        torch.testing.assert_close(found, alone(wav), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TRAINABLE)
def test_on_a_cpu_convolutions_are_products(name, checkpoints):
    encoder = trainable(name, checkpoints)
    TransformerUpstream(encoder, CPU, "bf16")
    assert not [module for module in encoder.modules() if isinstance(module, torch.nn.Conv1d)]


@pytest.mark.parametrize("name", TRAINABLE)
def test_long_utterances_need_no_matrix_of_all_pairs(name, checkpoints, monkeypatch):
    upstream = TransformerUpstream(trainable(name, checkpoints), CPU, "fp32")
    short = upstream(noise(9000))  # 27 frames
    calls = []
    fused = F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *a, **k: calls.append(1) or fused(*a, **k))
    upstream(noise(9000))
    assert not calls
    monkeypatch.setattr(transformer, "UNFUSED_FRAMES", 26)
    torch.testing.assert_close(upstream(noise(9000)), short, rtol=1e-4, atol=1e-5)
    assert len(calls) == N_LAYERS


@pytest.mark.parametrize("name", TRAINABLE)
def test_layers_above_the_last_that_is_asked_for_are_left_out(name, checkpoints):
    every, some = (encoders.load(name, str(checkpoints[name]), None, CPU, "bf16", up_to) for up_to in (None, 1))
    assert torch.equal(some(noise(9000)), every(noise(9000))[:2])


# ---- Transformers that are trained ----------------------------------------------------------------------------


def together(encoder: TransformerEncoder, frames: list[torch.Tensor], filler: float = 0.0, **masks):
    padded = torch.nn.utils.rnn.pad_sequence(frames, batch_first=True, padding_value=filler)
    return encoder(padded, torch.tensor([len(f) for f in frames]), **masks)


@pytest.mark.parametrize("name", TRAINABLE)
def test_two_parts_give_the_last_hidden_state_of_the_whole(name, checkpoints):
    encoder, whole = trainable(name, checkpoints).eval(), load(name, checkpoints[name])
    for n_samples in (100, 8999, 9039, 9360, 16_000):  # odd and even numbers of frames
        wav = 3 * noise(n_samples) + 1
        with torch.no_grad():
            alone = together(encoder, [encoder.front_end(wav)])
        torch.testing.assert_close(alone[0], whole(wav)[-1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize("masked", [False, True])
def test_padding_changes_nothing(name, masked, checkpoints):
    encoder = trainable(name, checkpoints).eval()
    frames = [encoder.front_end(noise(n, seed)) for seed, n in enumerate((16_000, 1000, 9000, 8000))]
    time, feature = torch.zeros(4, 49, dtype=torch.bool), torch.zeros(4, DIM, dtype=torch.bool)
    time[:, 1:3], feature[:, 4:7] = masked, masked
    batch = together(encoder, frames, filler=1e3, time_mask=time, feature_mask=feature)
    for i, own in enumerate(frames):
        alone = together(encoder, [own], time_mask=time[i : i + 1, : len(own)], feature_mask=feature[i : i + 1])
        torch.testing.assert_close(batch[i, : len(own)], alone[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", TRAINABLE)
def test_masks_replace_frames_and_features(name, checkpoints):
    encoder = trainable(name, checkpoints).eval()
    frames = encoder.front_end(noise(9000))
    time, feature = torch.zeros(1, len(frames), dtype=torch.bool), torch.zeros(1, DIM, dtype=torch.bool)
    time[0, 3:8], feature[0, :5] = True, True
    expected = frames.clone()
    expected[3:8] = encoder.mask_emb
    assert torch.equal(together(encoder, [frames], time_mask=time), together(encoder, [expected]))
    expected[:, :5] = 0
    both = together(encoder, [frames], time_mask=time, feature_mask=feature)
    assert torch.equal(both, together(encoder, [expected]))
    assert not torch.allclose(both, together(encoder, [frames]), atol=1e-3)


@pytest.mark.parametrize("name", TRAINABLE)
def test_only_the_transformer_moves(name, checkpoints):
    """One step of Adam moves every parameter by its learning rate, if it gets a gradient."""
    encoder = trainable(name, checkpoints, dropout=0.0)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    moving = [p for p in encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(moving, lr=0.01)
    frames = encoder.front_end(noise(9000))
    assert not frames.requires_grad
    time = torch.zeros(1, len(frames), dtype=torch.bool)
    time[0, :3] = True
    together(encoder, [frames], time_mask=time).square()[..., ::2].sum().backward()
    optimizer.step()
    stays = {key for key, value in encoder.state_dict().items() if torch.equal(value, before[key])}
    no_slope = {key for key in before if key.endswith("k_proj.bias")}  # softmax does not see it; it moves by rounding
    assert stays - no_slope == {key for key in before if key.startswith(FROZEN)}
    assert {key.split(".")[0] for key in stays - no_slope} == {key.removesuffix(".") for key in FROZEN}


@pytest.mark.parametrize("name", TRAINABLE)
def test_training_draws_from_torch_alone(name, checkpoints):
    encoder = trainable(name, checkpoints, layerdrop=0.5)
    frames = encoder.front_end(noise(9000))
    states = np.random.get_state()[1].copy(), random.getstate()
    torch.manual_seed(1)
    first, second = together(encoder, [frames]), together(encoder, [frames])
    torch.manual_seed(1)
    assert torch.equal(together(encoder, [frames]), first)
    assert not torch.equal(first, second)
    assert (np.random.get_state()[1] == states[0]).all()
    assert random.getstate() == states[1]


@pytest.mark.parametrize("name", TRAINABLE)
def test_dropout_is_the_checkpoints_own_or_the_given(name, checkpoints):
    def drawn(**settings):
        encoder = trainable(name, checkpoints, **settings)
        frames = encoder.front_end(noise(9000))
        assert torch.equal(frames, encoder.front_end(noise(9000)))  # never in the front end
        return [together(encoder, [frames]) for _ in range(2)]

    without, own, more = drawn(dropout=0.0), drawn(), drawn(dropout=0.6)
    assert torch.equal(*without)
    assert not torch.equal(*own)
    assert (more[0] - without[0]).square().mean() > (own[0] - without[0]).square().mean() > 0


@pytest.mark.parametrize("name", TRAINABLE)
def test_layerdrop_leaves_layers_out_while_training(name, checkpoints):
    encoder = trainable(name, checkpoints, dropout=0.0, layerdrop=0.9999)
    frames = encoder.front_end(noise(9000))
    layer_calls = []
    for layer in encoder.encoder.layers:
        layer.register_forward_hook(lambda *_: layer_calls.append(1))
    together(encoder, [frames])
    assert layer_calls == []
    together(encoder.eval(), [frames])
    assert len(layer_calls) == N_LAYERS


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_waveforms_are_normalized_where_the_checkpoint_says_so(name, checkpoints, tmp_path):
    state = torch.load(checkpoints[name], weights_only=True)
    state["cfg" if name == "wavlm_local" else "task_cfg"]["normalize"] = True
    torch.save(state, tmp_path / "normalizes.pt")
    encoder = encoders.load_trainable(name, str(tmp_path / "normalizes.pt"))
    wav = noise(9000)
    torch.testing.assert_close(encoder.front_end(wav), encoder.front_end(5 * wav + 1), atol=1e-4, rtol=0)
    own = trainable(name, checkpoints)
    normal = (wav - wav.mean()) / (wav.var(correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(encoder.front_end(wav), own.front_end(normal), atol=1e-4, rtol=0)


def test_audio_for_whose_attention_there_is_no_memory_is_refused(monkeypatch):
    """WavLM: 300 s are 15,000 frames, and two heads took 11.5 GB."""
    from types import SimpleNamespace

    from ser.features.encoders import transformer

    def encoder(relative: bool):
        attention = SimpleNamespace(has_relative_attention_bias=relative, num_heads=2)
        return SimpleNamespace(encoder=SimpleNamespace(layers=[SimpleNamespace(self_attn=attention)]))

    monkeypatch.setattr(transformer, "available_memory", lambda: 11e9)
    with pytest.raises(DataError, match="^300 s of audio take 12 GB in this encoder, .* and 11 GB are free; cut it"):
        transformer.check_memory(encoder(relative=True), 15_000)
    transformer.check_memory(encoder(relative=True), 14_000)
    transformer.check_memory(encoder(relative=False), 150_000)
    with pytest.raises(DataError, match="^100 s"):
        transformer.check_memory(encoder(relative=True), 5_000, n_utterances=10)
