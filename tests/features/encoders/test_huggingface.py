"""Models of the Hugging Face hub: transformers' own numbers, s3prl's for the same weights, no neighbor is heard."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import ser
from ser.data import audio
from ser.errors import ConfigError
from ser.features import encoders
from ser.features.config import FeatureConfig
from ser.features.encoders import converted, huggingface
from ser.features.encoders.transformer import TransformerUpstream
from ser.features.extract import read_features
from ser.nn.lora import add_lora
from tests.fakes import hub
from tests.fakes.checkpoints import DIM, N_LAYERS, WRITERS
from tests.features.data_dir import extract, write_corpus
from tests.features.encoders.tiny import CPU, noise

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*mismatched.*mask:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
]

LENGTHS = (16_000, 900, 9000, 31_123)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("hub")
    return {name: hub.write(root / name, name) for name in hub.MODELS}


def load(folder: Path, precision: str = "fp32", up_to: int | None = None):
    return encoders.load(f"hf:{folder}", None, None, CPU, precision, up_to)


@pytest.mark.parametrize("name", hub.MODELS)
def test_layers_are_transformers_own(name, folders):
    wav = noise(9000)
    found = load(folders[name])(wav)
    expected = hub.states(name, wav)
    assert found.shape == (N_LAYERS + 1, hub.n_frames(name, 9000), DIM)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", hub.MODELS)
def test_frames_are_counted_by_the_front_ends_formula(name, folders):
    upstream = load(folders[name])
    for n_samples in (800, 8999, 9039, 9040, 9360, 16_000, 16_001, 40_123):  # also longer than Whisper's window
        assert upstream(noise(n_samples)).shape[1] == hub.n_frames(name, n_samples)
    assert torch.equal(upstream(noise(100)), upstream(F.pad(noise(100), (0, 700))))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", hub.MODELS)
def test_no_utterance_hears_its_neighbors(name, precision, folders):
    upstream = load(folders[name], precision)
    wavs = [noise(n_samples, seed) for seed, n_samples in enumerate(LENGTHS)]
    tolerance = 2e-5 if precision == "fp32" else 0.15
    for found, wav in zip(upstream.together(wavs), wavs, strict=True):
        alone = upstream(wav)
        assert torch.equal(alone, upstream(wav))
        torch.testing.assert_close(found, alone, rtol=0, atol=tolerance)
    assert not torch.allclose(upstream(wavs[0])[:, :2], upstream(noise(16_000, 9))[:, :2], atol=0.01)


@pytest.mark.parametrize("name", hub.MODELS)
def test_bf16_points_where_fp32_does(name, folders):
    exact, rounded = load(folders[name])(noise(9000)), load(folders[name], "bf16")(noise(9000))
    assert rounded.dtype == torch.float32 and not torch.equal(exact, rounded)
    assert F.cosine_similarity(rounded.mean(1), exact.mean(1)).min() > 0.999


@pytest.mark.parametrize("name", hub.MODELS)
def test_layers_above_the_last_that_is_asked_for_are_left_out(name, folders):
    assert torch.equal(load(folders[name], up_to=1)(noise(9000)), load(folders[name])(noise(9000))[:2])


def test_whispers_windows_follow_one_another(folders):
    upstream, wav = load(folders["whisper"]), noise(40_000)
    windows = [upstream(part) for part in wav.split(16_000 * hub.WINDOW_SECONDS)]
    torch.testing.assert_close(upstream(wav), torch.cat(windows, dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["wavlm", "w2v_bert", "whisper"])
def test_a_folder_goes_through_stage_3(name, folders, tmp_path, monkeypatch):
    """Also if it is named by a variable; its vectors are the means over its own frames."""
    monkeypatch.setenv("MODEL", str(folders[name]))
    data_dir, wavs = write_corpus(tmp_path, 3, 9000)
    config = FeatureConfig(upstream="hf:$MODEL", layer=1, pooling="mean+std")
    utts, found = read_features(extract(data_dir, tmp_path / "dump", config))
    upstream = load(folders[name])
    for utt, vector in zip(utts, found, strict=True):
        frames = upstream(audio.load(wavs[utt]))[1]
        expected = torch.cat([frames.mean(0), frames.std(0, correction=0)])
        torch.testing.assert_close(torch.from_numpy(vector), expected, rtol=1e-4, atol=1e-5)


# ---- The same weights in both libraries -----------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm"])
def test_the_same_weights_give_the_same_frames_as_in_s3prl(name, precision, tmp_path):
    """Weights of s3prl's checkpoint are written under transformers' names, and read from there."""
    ckpt = WRITERS[f"{name}_local"](tmp_path / "s3prl.pt", seed=3)
    state = torch.load(ckpt, weights_only=True)
    made = hub.model(name)
    own = made.state_dict()
    for key in own:
        theirs = converted._renamed(key, group_norm=True)
        own[key] = state["model" if name == "wavlm" else "model_weight"][theirs]
    made.load_state_dict(own)
    folder = hub.write(tmp_path / "hf", name, made=made)
    hub.edit(folder / "preprocessor_config.json", do_normalize=False)
    wav = noise(9000)
    expected = encoders.load(f"{name}_local", str(ckpt), None, CPU, precision)(wav)
    found = load(folder, precision)(wav)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5 if precision == "fp32" else 0)


@pytest.mark.parametrize("name", hub.CONVERTIBLE)
def test_what_s3prls_modules_know_is_fast_and_can_be_trained(name, folders):
    assert isinstance(load(folders[name]), TransformerUpstream)
    encoder = encoders.load_trainable(f"hf:{folders[name]}", None, dropout=0.0)
    frames = encoder.front_end(noise(9000))
    last = encoder(frames.unsqueeze(0), torch.tensor([len(frames)]))[0]
    torch.testing.assert_close(last.detach(), load(folders[name])(noise(9000))[-1], rtol=1e-4, atol=2e-5)
    last.square().sum().backward()
    moving = {key for key, p in encoder.named_parameters() if p.grad is not None}
    assert moving and all(key.startswith("encoder.") for key in moving)
    assert not any(parameter.is_meta for parameter in encoder.parameters())


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm_large"])
def test_adapters_of_low_rank_move_and_are_heard(name, folders):
    """As around the layers of an encoder that s3prl loaded."""
    encoder = encoders.load_trainable(f"hf:{folders[name]}", None, dropout=0.0).eval()
    frames = encoder.front_end(noise(9000)).unsqueeze(0)
    before = encoder(frames, torch.tensor([frames.shape[1]])).detach()
    add_lora(encoder, rank=2, alpha=4.0, dropout=0.0, targets=["fc1", "fc2"], seed=0)
    adapters = {key: p for key, p in encoder.named_parameters() if "lora_" in key}
    torch.testing.assert_close(encoder(frames, torch.tensor([frames.shape[1]])).detach(), before)
    for key, parameter in adapters.items():  # B begins as 0, and A would have no slope
        parameter.data += 0.1 if "lora_B" in key else 0.0
    after = encoder(frames, torch.tensor([frames.shape[1]]))
    after.square()[..., ::2].sum().backward()
    assert (after.detach() - before).abs().max() > 1e-3
    assert len(adapters) == 2 * 2 * N_LAYERS
    assert all(parameter.grad.abs().max() > 0 for parameter in adapters.values())


@pytest.mark.parametrize("name", ["whisper", "w2v_bert", "distilhubert"])
def test_what_s3prls_modules_do_not_know_is_not_trained(name, folders):
    with pytest.raises(ConfigError, match="has no transformer that can be fine-tuned; name one of wav2vec 2.0"):
        encoders.load_trainable(f"hf:{folders[name]}", None)


def test_dropout_is_the_configurations_own_or_the_given(folders):
    assert encoders.load_trainable(f"hf:{folders['hubert']}", None).dropout == 0.1
    assert encoders.load_trainable(f"hf:{folders['hubert']}", None, dropout=0.3).dropout == 0.3


@pytest.mark.parametrize("name", ["wav2vec2", "wavlm", "whisper", "w2v_bert"])
def test_a_head_above_the_encoder_is_left_out(name, folders, tmp_path):
    """Models for recognition keep the encoder's weights behind a prefix, in half precision or in several files."""
    import transformers

    kind, settings, _ = hub.MODELS[name]
    full = f"{kind}For{'ConditionalGeneration' if name == 'whisper' else 'CTC'}"
    made = getattr(transformers, full)(
        getattr(transformers, f"{kind}Config")(**settings, **({} if name == "whisper" else {"vocab_size": 7}))
    )
    base = made.model if name == "whisper" else getattr(made, made.base_model_prefix)
    base.load_state_dict(hub.model(name).state_dict())
    folder = tmp_path / "ctc"
    made.save_pretrained(folder, max_shard_size="8KB")
    hub.preprocessor(name).save_pretrained(folder)
    assert not (folder / "model.safetensors").exists()
    assert torch.equal(load(folder)(noise(9000)), load(folders[name])(noise(9000)))


# ---- What is refused ------------------------------------------------------------------------------------------


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_class_and_code_of_a_repository_are_refused(tmp_path):
    folder = hub.write(tmp_path / "x", "wav2vec2")
    (folder / "own.py").write_text("raise SystemExit('ran')")
    hub.edit(folder / "config.json", model_type="emotion2vec", auto_map={"AutoModel": "own.Model"})
    assert "is of the class 'emotion2vec'; wav2vec2, hubert, wavlm" in refusal(folder)
    hub.edit(folder / "config.json", model_type="wav2vec2")
    assert load(folder)(noise(900)).shape[2] == DIM  # of a class that is known: nothing of its code runs


def test_pickled_weights_are_not_read(tmp_path):
    folder = hub.write(tmp_path / "x", "wav2vec2")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "has no model.safetensors, and pickled weights are not read; save the model anew" in refusal(folder)


@pytest.mark.parametrize("name", ["hubert", "whisper"])
def test_damaged_files_are_one_sentence(name, tmp_path):
    folder = hub.write(tmp_path / "x", name)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-100])
    assert "its files are damaged or of another model (SafetensorError" in refusal(folder)
    (folder / "model.safetensors").write_bytes(weights)
    hub.edit(folder / "config.json", num_hidden_layers=9, encoder_layers=9)
    assert "weights '" in refusal(folder) and "others are missing" in refusal(folder)
    (folder / "config.json").write_text("{")
    assert "JSONDecodeError" in refusal(folder)
    (folder / "config.json").unlink()
    assert "config.json'; name the folder of a model" in refusal(folder)


def test_how_audio_is_prepared_must_be_known(tmp_path):
    folder = hub.write(tmp_path / "x", "wav2vec2")
    hub.edit(folder / "preprocessor_config.json", sampling_rate=8000)
    assert "takes audio of 8000 Hz, not of 16000" in refusal(folder)
    (folder / "preprocessor_config.json").unlink()
    assert "neither preprocessor_config.json nor processor_config.json" in refusal(folder)


def test_a_checkpoint_beside_a_folder_is_refused(folders):
    with pytest.raises(ConfigError, match="takes no 'ckpt', found 'x.pt'"):
        encoders.load(f"hf:{folders['hubert']}", "x.pt", None, CPU)


def test_transformers_is_imported_in_one_file():
    root = Path(ser.__file__).parent
    statements = ("import transformers", "from transformers", 'import_module("transformers', 'import_module(f"transf')
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if any(statement in path.read_text(encoding="utf-8") for statement in statements)
    }
    assert found == {"features/encoders/huggingface.py"}
    assert tuple(huggingface._CLASSES) == huggingface.FAMILIES
