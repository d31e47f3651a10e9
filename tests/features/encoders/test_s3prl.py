"""Upstreams: each gives its front end's own frames, the same every time, and no checkpoint runs code."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchaudio
import torchaudio.compliance.kaldi
from safetensors.torch import save_file

import ser
from ser.errors import ConfigError, DataError
from ser.features import encoders
from ser.features.encoders import s3prl
from ser.features.encoders.checkpoints import flat_checkpoint, read_checkpoint
from tests.fakes.checkpoints import DIM, N_LAYERS, WRITERS, wav2vec2, wavlm
from tests.features.encoders.tiny import TRANSFORMERS, load, noise

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*mismatched.*mask:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Positional args are being deprecated:FutureWarning"),
]


def n_conv_frames(n_samples: int) -> int:
    """Count what is left after seven convolutions without padding."""
    for kernel, stride in [(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)]:
        n_samples = (n_samples - kernel) // stride + 1
    return n_samples


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_frames_and_layers_are_the_models_own(name, checkpoints):
    upstream = load(name, checkpoints[name])
    assert upstream(noise(9000)).shape == (N_LAYERS + 1, 27, DIM)
    for n_samples in (800, 8999, 9039, 9040, 9360, 16_000):  # odd and even numbers of frames
        assert upstream(noise(n_samples)).shape[1] == n_conv_frames(n_samples)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_layer_0_is_the_input_of_the_first_layer_and_last_the_encoders_output(name, checkpoints):
    model = model_of(name, checkpoints[name])
    with torch.no_grad():
        front = model.feature_extractor(noise(9000).unsqueeze(0)).transpose(1, 2)  # (1, T', 8)
        x = model.post_extract_proj(model.layer_norm(front))  # (1, T', D)
        x = x + model.encoder.pos_conv(x.transpose(1, 2)).transpose(1, 2)
        states, bias = [model.encoder.layer_norm(x)], {}
        for layer in model.encoder.layers:
            output = layer(states[-1].transpose(0, 1), **bias)
            bias = {"pos_bias": output[2]} if name == "wavlm_local" else {}
            states.append(output[0].transpose(0, 1))
    torch.testing.assert_close(load(name, checkpoints[name])(noise(9000)), torch.cat(states), atol=2e-6, rtol=1e-5)


def model_of(name: str, ckpt: Path) -> torch.nn.Module:
    """Build the model of a checkpoint without s3prl's expert around it."""
    from s3prl.upstream.hubert.convert import load_converted_model as load_hubert
    from s3prl.upstream.wav2vec2.convert import load_converted_model as load_wav2vec2
    from s3prl.upstream.wavlm.WavLM import WavLM, WavLMConfig

    if name == "wavlm_local":
        state = torch.load(ckpt, weights_only=True)
        model = WavLM(WavLMConfig(state["cfg"]))
        model.load_state_dict(state["model"])
        return model.eval()
    return {"hubert_local": load_hubert, "wav2vec2_local": load_wav2vec2}[name](str(ckpt))[0].eval()


@pytest.mark.parametrize("name", [*WRITERS, "fbank_no_cmvn"])
def test_an_utterance_gives_the_same_frames_every_time_and_in_any_order(name, checkpoints):
    wavs = [noise(n, seed) for seed, n in enumerate((9000, 16_000, 1000))]
    upstream, again = (load(name, checkpoints.get(name)) for _ in range(2))
    first = [upstream(wav) for wav in wavs]
    torch.manual_seed(5)  # no dropout or mask may depend on it
    for order in ([2, 1, 0], [1, 2, 0], [0, 0, 0]):
        assert all(torch.equal(again(wavs[i]), first[i]) for i in order)
    assert not torch.equal(first[0][:, :3], upstream(noise(9000, seed=7))[:, :3])
    assert not any(frames.requires_grad for frames in first)


@pytest.mark.parametrize("name", [*WRITERS, "fbank_no_cmvn"])
def test_shorter_than_50_ms_is_filled_with_silence(name, checkpoints):
    upstream = load(name, checkpoints.get(name))
    for n_samples in (1, 100, 799):
        wav = noise(n_samples)
        assert torch.equal(upstream(wav), upstream(F.pad(wav, (0, 800 - n_samples))))
    assert upstream(noise(801)).shape[1] >= 1


@pytest.mark.parametrize("shape", [(0,), (1, 9000)])
def test_what_is_no_utterance_is_refused(shape):
    with pytest.raises(DataError, match=r"takes \(T,\) samples, T >= 1, found \("):
        load("fbank_no_cmvn")(torch.zeros(shape))


def test_fbank_no_cmvn_is_kaldis_filter_bank_with_its_differences():
    frames = load("fbank_no_cmvn")(noise(9000))
    kaldi = torchaudio.compliance.kaldi.fbank(
        noise(9000).unsqueeze(0), num_mel_bins=80, frame_length=25.0, frame_shift=10.0, dither=0.0
    )
    assert frames.shape == (1, 54, 240)
    torch.testing.assert_close(frames[0, :, :80], kaldi, atol=1e-4, rtol=1e-4)
    with_cmvn = load("fbank")(noise(9000))
    assert with_cmvn.mean(1).abs().max() < 1e-4
    torch.testing.assert_close(with_cmvn.std(1), torch.ones(1, 240), atol=0.02, rtol=0)


def test_byol_s_gives_one_frame_of_512_a_hop(checkpoints):
    wav = noise(16_000)
    every_200 = load("byol_s", checkpoints["byol_s"])(wav)
    assert every_200.shape == (1, 6, 512)  # windows of 1 s centered on 0, 200, ..., 1000 ms
    assert torch.equal(every_200, load("byol_s", checkpoints["byol_s"], hop_ms=200)(wav))
    assert load("byol_s", checkpoints["byol_s"], hop_ms=100)(wav).shape == (1, 11, 512)


@pytest.mark.parametrize(
    ("name", "nearest"), [("fbank_no_cmvm", "fbank_no_cmvn"), ("wavlm_base_pluss", "wavlm_base_plus")]
)
def test_an_unknown_name_gives_the_nearest_match(name, nearest):
    with pytest.raises(ConfigError, match=f"unknown '{name}'; near are .*\\b{nearest}\\b"):
        load(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("openai/whisper-base", "near are hf:openai/whisper-base;"),
        ("whisper_base", "near are hf:openai/whisper-base, hubert_base, "),
        ("https://huggingface.co/openai/whisper-base", "near are hf:openai/whisper-base;"),
        ("owner/own", "a folder or a model of the Hugging Face hub is named as 'hf:owner/own';"),
        ("/my/folder", "a folder or a model of the Hugging Face hub is named as 'hf:/my/folder';"),
    ],
)
def test_a_name_of_the_hub_or_a_path_without_its_prefix_is_understood(name, meant):
    with pytest.raises(ConfigError, match=f"unknown '{name}'; {meant}"):
        load(name)


HUB = """
import sys, warnings
print("ESPnet is not installed, cannot use espnet_hubert upstream", file=sys.stderr)
warnings.warn("deprecated", FutureWarning)
def own(): pass
def own_custom(ckpt): pass
def options(): return ["own", "own_custom"]
"""


def test_what_s3prl_says_while_it_is_imported_is_not_passed_on(tmp_path, monkeypatch, capsys, recwarn):
    (tmp_path / "hub.py").write_text(HUB)
    package = types.ModuleType("s3prl")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "s3prl", package)
    monkeypatch.delitem(sys.modules, "s3prl.hub", raising=False)
    assert list(s3prl.names()) == ["own"]
    assert not capsys.readouterr().err and not list(recwarn)


def test_weights_of_the_hub_as_a_checkpoint_lead_to_their_folder(tmp_path):
    from tests.fakes import hub

    weights = hub.write(tmp_path / "model", "hubert") / "model.safetensors"
    with pytest.raises(
        ConfigError, match=r"from another model \(KeyError\); name its folder as 'upstream: hf:FOLDER'"
    ):
        load("hubert_local", weights)


@pytest.mark.parametrize("name", ["hf_wav2vec2_custom", "wav2vec2_custom", "hubert_url"])
def test_names_that_need_arguments_lead_to_those_that_do_not(name):
    with pytest.raises(ConfigError, match=f"'{name}' of s3prl takes arguments .* 'hf:OWNER/NAME', its folder as"):
        load(name)


@pytest.mark.parametrize("name", WRITERS)
def test_a_missing_checkpoint_is_named(name):
    with pytest.raises(ConfigError, match=f"'{name}': ckpt: no file 'nowhere.pt'; name a checkpoint file"):
        load(name, "nowhere.pt")
    with pytest.raises(ConfigError, match=f"'{name}' needs 'ckpt', a checkpoint file"):
        load(name)


WRONG = {
    "garbage": lambda path, own: path.write_bytes(b"garbage" * 100),
    "empty": lambda path, own: path.write_bytes(b""),
    "truncated": lambda path, own: path.write_bytes(own.read_bytes()[:-2000]),
    "no dict": lambda path, own: torch.save([1, 2], path),
    "other keys": lambda path, own: torch.save({"cfg": {}, "weights": {}}, path),
    "configuration of another type": lambda path, own: torch.save(
        {"cfg": [], "task_cfg": [], "model_cfg": [], "model": {}, "model_weight": {}, "dictionaries_symbols": []},
        path,
    ),
    "no weights": lambda path, own: torch.save(
        torch.load(own, weights_only=True) | {"model": {}, "model_weight": {}}, path
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", WRITERS)
def test_a_wrong_checkpoint_is_one_sentence(name, wrong, checkpoints, tmp_path):
    if (name, wrong) == ("byol_s", "no weights"):
        wrong = "other keys"  # its file is nothing but weights
    WRONG[wrong](tmp_path / "wrong.pt", checkpoints[name])
    with pytest.raises(ConfigError, match=rf"^upstream '{name}'.*wrong\.pt") as error:
        load(name, tmp_path / "wrong.pt")
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value)  # torch's advice would run what the file says


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_checkpoint_of_another_model_is_refused(name, checkpoints):
    for other in {*WRITERS} - {name}:
        with pytest.raises(ConfigError, match=f"^upstream '{name}'"):
            load(name, checkpoints[other])


def test_byol_s_of_another_size_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="not a 512-dimensional BYOL-S checkpoint"):
        load("byol_s", WRITERS["byol_s"](tmp_path / "large.pt", dim=64))


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.mkdir, (self.path,)


@pytest.mark.parametrize("name", WRITERS)
def test_a_malicious_pickle_does_not_run(name, checkpoints, tmp_path):
    state = torch.load(checkpoints[name], weights_only=True)
    torch.save(state | {"extra": Malicious(tmp_path / "ran")}, tmp_path / "evil.pt")
    with pytest.raises(ConfigError, match=f"^upstream '{name}'"):
        load(name, tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)
    assert (tmp_path / "ran").exists()  # it would have


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_code_in_a_checkpoints_configuration_does_not_run(name, checkpoints, tmp_path):
    """s3prl evaluates the description of the convolutions as Python."""
    state = torch.load(checkpoints[name], weights_only=True)
    cfg = state["cfg" if name == "wavlm_local" else "model_cfg"]
    cfg["conv_feature_layers"] = (
        f"[__import__('os').mkdir({str(tmp_path / 'ran')!r})][1:] + {cfg['conv_feature_layers']}"
    )
    torch.save(state, tmp_path / "evil.pt")
    with pytest.raises(ConfigError, match="conv_feature_layers"):
        load(name, tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["fbank_no_cmvn", "wavlm_base_plus"])
def test_a_checkpoint_is_never_ignored(name, checkpoints):
    """s3prl would take the file, download another and not say so."""
    with pytest.raises(ConfigError, match=f"upstream '{name}' takes no 'ckpt'.*_local"):
        load(name, checkpoints["wavlm_local"])


@pytest.mark.parametrize("name", [*WRITERS, "data2vec_local"])
def test_a_checkpoint_as_safetensors_gives_the_same_frames(name, checkpoints, tmp_path, monkeypatch):
    tensors, settings = flat_checkpoint(read_checkpoint(checkpoints[name]))
    save_file(tensors, tmp_path / "encoder.safetensors", settings)
    expected = load(name, checkpoints[name])(noise(9000))
    monkeypatch.setattr(torch, "load", None)  # nothing of it is unpickled
    assert torch.equal(load(name, tmp_path / "encoder.safetensors")(noise(9000)), expected)
    assert torch.load is None


@pytest.mark.parametrize("name", ["fbank_no_cmvn", "byol_s"])
def test_what_has_no_transformer_is_not_trained(name):
    with pytest.raises(ConfigError, match=f"'{name}' has no transformer that can be fine-tuned; name one of wav2vec"):
        encoders.load_trainable(name, None)


def test_trainable_upstreams_are_loaded_as_carefully_as_frozen_ones(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"garbage")
    with pytest.raises(ConfigError, match="'wavlm_local': ckpt '.*' is damaged or from another model"):
        encoders.load_trainable("wavlm_local", str(tmp_path / "x.pt"))
    with pytest.raises(ConfigError, match="'wavlm_base_plus' takes no 'ckpt'"):
        encoders.load_trainable("wavlm_base_plus", str(tmp_path / "x.pt"))


@pytest.mark.parametrize(
    ("error", "reason"), [(OSError("no route\nto host"), "no route"), (AssertionError(), "no reason given")]
)
def test_a_failed_download_says_what_to_do_offline(error, reason, monkeypatch):
    def entry():
        raise error

    monkeypatch.setattr(s3prl, "_entry", lambda name: entry)
    kind = type(error).__name__
    with pytest.raises(ConfigError, match=rf"'wavlm_base' could not .* \({kind}: {reason}\); offline, fetch"):
        load("wavlm_base")


def test_seeds_of_fake_checkpoints_matter(tmp_path):
    one, same, two = (wavlm(tmp_path / f"{i}.pt", seed) for i, seed in enumerate((1, 1, 2)))
    assert one.read_bytes()[-4000:] != two.read_bytes()[-4000:]
    assert torch.equal(load("wavlm_local", one)(noise(9000)), load("wavlm_local", same)(noise(9000)))


def test_fake_checkpoints_leave_the_global_generator_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    wav2vec2(tmp_path / "x.pt")
    assert torch.equal(torch.rand(2), expected)


def test_torchaudio_names_are_restored_only_when_missing(monkeypatch):
    own = types.ModuleType("torchaudio.sox_effects")
    monkeypatch.setattr(torchaudio, "set_audio_backend", "own", raising=False)
    monkeypatch.setitem(sys.modules, "torchaudio.sox_effects", own)
    s3prl.restore_torchaudio_names()
    assert torchaudio.set_audio_backend == "own"
    assert sys.modules["torchaudio.sox_effects"] is own
    monkeypatch.delattr(torchaudio, "set_audio_backend")
    monkeypatch.delitem(sys.modules, "torchaudio.sox_effects")
    s3prl.restore_torchaudio_names()
    assert torchaudio.set_audio_backend("sox_io") is None
    from torchaudio.sox_effects import apply_effects_file, apply_effects_tensor  # noqa: F401, as s3prl does


def test_s3prls_hub_is_imported_only_for_names_of_unknown_families():
    code = (
        "import sys, torch; from ser.features import encoders; assert 's3prl' not in sys.modules\n"
        "encoders.load('fbank_no_cmvn', None, None, torch.device('cpu'))(torch.ones(9000))\n"
        "assert 's3prl' in sys.modules and 's3prl.hub' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_s3prl_is_imported_in_one_file():
    root = Path(ser.__file__).parent
    statements = ("import s3prl", "from s3prl", 'import_module("s3prl', 'import_module(f"s3prl')
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if any(statement in path.read_text(encoding="utf-8") for statement in statements)
    }
    assert found == {"features/encoders/s3prl.py"}


def test_a_model_that_looks_like_one_of_them_is_computed_by_s3prl():
    """MAE-AST and LightHuBERT have layers with the same attributes, and another way through them."""
    expert = torch.nn.Module()
    expert.model = torch.nn.Module()
    expert.model.encoder = torch.nn.Module()
    layer = torch.nn.TransformerEncoderLayer(4, 2)
    layer.self_attn_layer_norm = layer.norm1
    expert.model.encoder.layers = torch.nn.ModuleList([layer])
    assert not s3prl._has_known_transformer(expert)
