"""Tiny checkpoints in the file formats of s3prl's converted upstreams, with random weights that a seed decides."""

from __future__ import annotations

from pathlib import Path

import torch

from ser.features.encoders.byol_s import DIM as BYOL_S_DIM
from ser.features.encoders.s3prl import restore_torchaudio_names

N_LAYERS = 2
DIM = 16

_MODEL = {
    "extractor_mode": "default",
    "encoder_layers": N_LAYERS,
    "encoder_embed_dim": DIM,
    "encoder_ffn_embed_dim": 32,
    "encoder_attention_heads": 2,
    # kernels and strides of the base models, so that frames come out as theirs do: every 20 ms
    "conv_feature_layers": "[(8, 10, 5)] + [(8, 3, 2)] * 4 + [(8, 2, 2)] * 2",
    "conv_pos": 16,
    "conv_pos_groups": 1,  # oneDNN computes groups of 8 channels wrongly in bf16 on processors with AMX
    "final_dim": 8,
}


def _seeded(seed: int) -> None:
    restore_torchaudio_names()  # else the package of none of these models can be imported
    torch.manual_seed(seed)


def wav2vec2(path: Path, seed: int = 0) -> Path:
    """Write what `s3prl.upstream.wav2vec2.convert` makes of a fairseq checkpoint."""
    with torch.random.fork_rng():
        _seeded(seed)
        from s3prl.upstream.wav2vec2.wav2vec2_model import Wav2Vec2Config, Wav2Vec2Model

        cfg = {**_MODEL, "quantize_targets": True, "latent_vars": 4, "latent_groups": 2}
        weights = Wav2Vec2Model(Wav2Vec2Config(**cfg)).state_dict()
    torch.save({"task_cfg": {"normalize": False}, "model_cfg": cfg, "model_weight": weights}, path)
    return path


def hubert(path: Path, seed: int = 0) -> Path:
    """Write what `s3prl.upstream.hubert.convert` makes of a fairseq checkpoint."""
    with torch.random.fork_rng():
        _seeded(seed)
        from s3prl.upstream.hubert.hubert_model import HubertConfig, HubertModel, HubertPretrainingConfig

        cfg, task, symbols = {**_MODEL, "label_rate": 50}, {"label_rate": 50, "normalize": False}, [["0", "1", "2"]]
        weights = HubertModel(HubertConfig(**cfg), HubertPretrainingConfig(**task), symbols).state_dict()
    torch.save({"task_cfg": task, "model_cfg": cfg, "model_weight": weights, "dictionaries_symbols": symbols}, path)
    return path


def wavlm(path: Path, seed: int = 0) -> Path:
    """Write a WavLM checkpoint as Microsoft releases it."""
    with torch.random.fork_rng():
        _seeded(seed)
        from s3prl.upstream.wavlm.WavLM import WavLM, WavLMConfig

        cfg = {k: v for k, v in _MODEL.items() if k != "final_dim"}
        cfg |= {"relative_position_embedding": True, "num_buckets": 32, "max_distance": 64, "gru_rel_pos": True}
        weights = WavLM(WavLMConfig(cfg)).state_dict()
    torch.save({"cfg": cfg, "model": weights}, path)
    return path


def data2vec(path: Path, seed: int = 0) -> Path:
    """Write what `s3prl.upstream.data2vec.convert` makes of a fairseq checkpoint: several positional convolutions."""
    with torch.random.fork_rng():
        _seeded(seed)
        from s3prl.upstream.data2vec.data2vec_model import Data2VecAudioConfig, Data2VecAudioModel

        cfg = {**_MODEL, "pos_conv_depth": 2, "extractor_mode": "layer_norm", "final_dim": 0}
        model = Data2VecAudioModel(Data2VecAudioConfig(**cfg))
        model.remove_pretraining_modules()
    torch.save(
        {"task_cfg": {"normalize": True}, "model_cfg": cfg, "model_weight": model.state_dict() | {"_ema": {}}}, path
    )
    return path


def byol_s(path: Path, seed: int = 0, dim: int = BYOL_S_DIM) -> Path:
    """Write the state dict of a BYOL-S encoder; the released small one has 512 dimensions."""
    with torch.random.fork_rng():
        _seeded(seed)
        from s3prl.upstream.byol_s.byol_a.models.audio_ntt import AudioNTT2020

        weights = AudioNTT2020(n_mels=64, d=dim).state_dict()
    torch.save(weights, path)
    return path


WRITERS = {"wav2vec2_local": wav2vec2, "hubert_local": hubert, "wavlm_local": wavlm, "byol_s": byol_s}
"""Name of an upstream -> what writes a checkpoint for it."""
