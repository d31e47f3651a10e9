"""The 512-dimensional BYOL-S (Scheidwasser-Clow et al. 2022), whose s3prl expert takes only 2,048 dimensions."""

from __future__ import annotations

import torch
from torch import Tensor

from ser.errors import ConfigError
from ser.features.encoders.base import Frames, Upstream, autocast, filled
from ser.features.encoders.checkpoints import existing, read_checkpoint
from ser.features.encoders.s3prl import upstream_module
from ser.system.devices import Precision

DIM = 512
WINDOW_MS = 1000
HOP_MS = 200
"""Where a feature names no hop."""


def takes(name: str) -> bool:
    """Whether a name is one of its own."""
    return name == "byol_s"


def load(
    name: str, ckpt: str | None, hop_ms: int | None, device: torch.device, precision: Precision, up_to: int | None
) -> Upstream:
    """Load it from its checkpoint file."""
    frames = _frames(existing(ckpt, name), hop_ms or HOP_MS, device)
    return Upstream(autocast(frames, device) if precision == "bf16" else frames)


def load_trainable(name: str, ckpt: str | None, dropout: float | None, layerdrop: float) -> None:
    """Give None: it has no transformer."""


def _frames(ckpt: str, hop_ms: int, device: torch.device) -> Frames:
    serab = upstream_module("byol_s.serab_byols.serab")
    model = upstream_module("byol_s.byol_a.models.audio_ntt").AudioNTT2020(n_mels=64, d=DIM)
    try:
        model.load_state_dict(read_checkpoint(ckpt))
    except Exception as error:
        raise ConfigError(
            f"upstream 'byol_s': ckpt '{ckpt}' is not a {DIM}-dimensional BYOL-S checkpoint "
            f"({type(error).__name__}); get default512_BYOLAs64x96 from github.com/Neclow/serab"
        ) from None
    model.eval().to(device)

    @torch.no_grad()
    def frames(wav: Tensor) -> Tensor:  # one utterance a call: it normalizes over everything in a call
        embeddings, _ = serab.get_timestamp_embeddings(filled(wav).unsqueeze(0).to(device), model, WINDOW_MS, hop_ms)
        return embeddings  # (1, T', 512): one layer

    return frames
