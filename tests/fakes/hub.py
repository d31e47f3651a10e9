"""Tiny models in the file layout of the Hugging Face hub, with random weights that a seed decides."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.fakes.checkpoints import DIM, N_LAYERS

WINDOW_SECONDS = 1
"""Of the tiny Whisper; the released ones hear 30 s."""

_WAVE = {
    "hidden_size": DIM,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 1,
}
_STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
_DATA2VEC = {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}

MODELS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "wav2vec2": ("Wav2Vec2", _WAVE, False),
    "xlsr": ("Wav2Vec2", _WAVE | _STABLE, True),
    "hubert": ("Hubert", _WAVE, True),
    "hubert_large": ("Hubert", _WAVE | _STABLE, True),
    "distilhubert": ("Hubert", _WAVE | {"feat_proj_layer_norm": False}, False),
    "wavlm": ("WavLM", _WAVE | {"num_buckets": 32, "max_bucket_distance": 64}, False),
    "wavlm_large": ("WavLM", _WAVE | _STABLE | {"num_buckets": 32, "max_bucket_distance": 64}, True),
    "data2vec": ("Data2VecAudio", _WAVE | _DATA2VEC, True),
    "w2v_bert": (
        "Wav2Vec2Bert",
        {"hidden_size": DIM, "num_hidden_layers": N_LAYERS, "num_attention_heads": 2, "intermediate_size": 32,
         "feature_projection_input_dim": 160, "left_max_position_embeddings": 4, "right_max_position_embeddings": 2},
        True,
    ),
    "whisper": (
        "Whisper",
        {"d_model": DIM, "encoder_layers": N_LAYERS, "decoder_layers": 1, "encoder_attention_heads": 2,
         "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "num_mel_bins": 80,
         "max_source_positions": 50 * WINDOW_SECONDS, "max_target_positions": 4, "vocab_size": 11, "pad_token_id": 0,
         "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
        True,
    ),
}  # fmt: skip
"""Name -> transformers' class, its settings, and whether waveforms are normalized."""

CONVERTIBLE = ("wav2vec2", "xlsr", "hubert", "hubert_large", "wavlm", "wavlm_large", "data2vec")


def model(name: str, seed: int = 0) -> torch.nn.Module:
    """Make a model; its norms and biases differ from what they begin with, so that none can be mistaken."""
    import transformers

    kind, settings, _ = MODELS[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**settings)).eval()
        for parameter in made.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def write(folder: Path, name: str, seed: int = 0, made: torch.nn.Module | None = None) -> Path:
    """Write config.json, model.safetensors and preprocessor_config.json."""
    (made or model(name, seed)).save_pretrained(folder)
    preprocessor(name).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    files = {path.name for path in folder.iterdir()}
    assert files == {"config.json", "model.safetensors", "preprocessor_config.json"}
    return folder


def preprocessor(name: str):
    import transformers

    if name == "whisper":
        return transformers.WhisperFeatureExtractor(chunk_length=WINDOW_SECONDS)
    if name == "w2v_bert":
        return transformers.SeamlessM4TFeatureExtractor()
    return transformers.Wav2Vec2FeatureExtractor(do_normalize=MODELS[name][2])


def n_frames(name: str, n_samples: int) -> int:
    """Count frames by the formula of each front end."""
    if name == "whisper":
        return math.ceil(n_samples / 320)
    if name == "w2v_bert":
        return ((n_samples - 400) // 160 + 1) // 2
    for kernel, stride in [(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)]:
        n_samples = (n_samples - kernel) // stride + 1
    return n_samples


@torch.no_grad()
def states(name: str, wav: Tensor) -> Tensor:
    """Compute hidden states the way that transformers' documentation does, (L, T', D).

    Except that 1e-5 is added to the variance of a waveform, as by fairseq, which trained the models, and not 1e-7.
    """
    inputs = preprocessor(name)(wav.numpy(), sampling_rate=16_000, return_tensors="pt")
    made = model(name)
    if name not in ("whisper", "w2v_bert"):
        normal = F.layer_norm(wav, wav.shape) if MODELS[name][2] else wav
        inputs = {"input_values": normal.unsqueeze(0)}
    output = (made.encoder if name == "whisper" else made)(**inputs, output_hidden_states=True)
    return torch.cat([*output.hidden_states[:-1], output.last_hidden_state])[:, : n_frames(name, len(wav))]


def edit(path: Path, **changes: object) -> None:
    """Change keys of a JSON file; None removes one."""
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))
