"""The contract of encoders: a frozen encoder, and a backend that loads encoders by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ser.data.audio import RATE_HZ
from ser.errors import DataError
from ser.system.devices import Precision

if TYPE_CHECKING:
    from ser.features.encoders.transformer import TransformerEncoder

MIN_SAMPLES = RATE_HZ // 20
"""Shorter utterances are filled with silence to 50 ms, as s3prl does: no front end has a frame in less."""

Frames = Callable[[Tensor], Tensor]
"""(T,) samples at 16 kHz to (L, T', D): one row of frames per layer."""


class Upstream:
    """A frozen encoder of utterances.

    Args:
        frames: encodes one.
    """

    def __init__(self, frames: Frames):
        self._frames = frames

    def __call__(self, wav: Tensor) -> Tensor:
        """Encode an utterance of (T,) samples at 16 kHz to (L, T', D): one row of frames per layer."""
        return self._frames(wav)

    def together(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        """Encode several, each independently of the others."""
        return [self(wav) for wav in wavs]


class Backend(Protocol):
    """A file of this package that loads encoders; `BACKENDS` names it."""

    def takes(self, name: str) -> bool:
        """Whether a name is one of its own."""

    def load(
        self,
        name: str,
        ckpt: str | None,
        hop_ms: int | None,
        device: torch.device,
        precision: Precision,
        up_to: int | None,
    ) -> Upstream:
        """Load an encoder for inference, see `ser.features.encoders.load`."""

    def load_trainable(
        self, name: str, ckpt: str | None, dropout: float | None, layerdrop: float
    ) -> TransformerEncoder | None:
        """Load an encoder whose transformer is to be trained; None if it has none."""


def autocast(frames: Frames, device: torch.device) -> Frames:
    def rounded(wav: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return frames(wav).float()

    return rounded


def filled(wav: Tensor) -> Tensor:
    if wav.ndim != 1 or not len(wav):
        raise DataError(f"an upstream takes (T,) samples, T >= 1, found {tuple(wav.shape)}")
    return F.pad(wav, (0, max(0, MIN_SAMPLES - len(wav))))
