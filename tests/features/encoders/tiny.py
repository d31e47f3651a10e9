"""Names and inputs that the tests of encoders share."""

from __future__ import annotations

from pathlib import Path

import torch

from ser.features import encoders
from ser.features.encoders.base import Upstream
from ser.features.encoders.transformer import TransformerEncoder

CPU = torch.device("cpu")
TRANSFORMERS = ("wav2vec2_local", "hubert_local", "wavlm_local")
TRAINABLE = (*TRANSFORMERS, "data2vec_local")
FROZEN = ("feature_extractor.", "layer_norm.", "post_extract_proj.", "mask_emb")


def load(name: str, ckpt: Path | str | None = None, hop_ms: int | None = None) -> Upstream:
    return encoders.load(name, ckpt and str(ckpt), hop_ms, CPU)


def noise(n_samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(n_samples, generator=torch.Generator().manual_seed(seed))


def trainable(name: str, checkpoints, **settings) -> TransformerEncoder:
    return encoders.load_trainable(name, str(checkpoints[name]), **settings)
