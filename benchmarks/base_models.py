"""Checkpoints of the size of the base models, with random weights, in s3prl's format."""

from __future__ import annotations

from pathlib import Path

import torch

from ser.features.encoders.s3prl import restore_torchaudio_names

_BASE = {
    "extractor_mode": "default",
    "encoder_layers": 12,
    "encoder_embed_dim": 768,
    "encoder_ffn_embed_dim": 3072,
    "encoder_attention_heads": 12,
    "conv_feature_layers": "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2",
    "conv_pos": 128,
    "conv_pos_groups": 16,
}


def wav2vec2_base(path: Path) -> Path:
    """Write a wav2vec 2.0 base (Baevski et al. 2020)."""
    restore_torchaudio_names()
    from s3prl.upstream.wav2vec2.wav2vec2_model import Wav2Vec2Config, Wav2Vec2Model

    cfg = {**_BASE, "quantize_targets": True, "final_dim": 256}
    torch.manual_seed(0)
    weights = Wav2Vec2Model(Wav2Vec2Config(**cfg)).state_dict()
    torch.save({"task_cfg": {"normalize": False}, "model_cfg": cfg, "model_weight": weights}, path)
    return path


def hubert_base(path: Path) -> Path:
    """Write a HuBERT base (Hsu et al. 2021)."""
    restore_torchaudio_names()
    from s3prl.upstream.hubert.hubert_model import HubertConfig, HubertModel, HubertPretrainingConfig

    cfg, task, symbols = {**_BASE, "final_dim": 256, "label_rate": 50}, {"label_rate": 50, "normalize": False}, ["0"]
    torch.manual_seed(0)
    weights = HubertModel(HubertConfig(**cfg), HubertPretrainingConfig(**task), [symbols]).state_dict()
    torch.save({"task_cfg": task, "model_cfg": cfg, "model_weight": weights, "dictionaries_symbols": [symbols]}, path)
    return path


def wavlm_base(path: Path) -> Path:
    """Write a WavLM base (Chen et al. 2022)."""
    restore_torchaudio_names()
    from s3prl.upstream.wavlm.WavLM import WavLM, WavLMConfig

    cfg = _BASE | {"relative_position_embedding": True, "num_buckets": 320, "max_distance": 800, "gru_rel_pos": True}
    torch.manual_seed(0)
    torch.save({"cfg": cfg, "model": WavLM(WavLMConfig(cfg)).state_dict()}, path)
    return path
