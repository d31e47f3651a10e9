"""What can be known without listening: duration, level and silence. A recogniser worth its name beats them."""

from __future__ import annotations

import torch
from torch import Tensor

from ser.audio import RATE_HZ

FRAME_S = 0.025
SILENCE_DB = -30.0
"""A frame this far below the loudest one counts as silent."""

NAMES = ("log duration", "level", "level deviation", "peak", "silence", "leading silence", "trailing silence")


def shortcut(wav: Tensor) -> Tensor:
    """Describe an utterance by duration, level and silence alone.

    Args:
        wav: samples at 16 kHz, (T,) float32.

    Returns:
        (7,): log of the duration in s; mean and standard deviation of the frame levels in dB; peak in dB;
        shares of silent frames: all, before the first and after the last sound.

    Example:
        >>> tone = torch.sin(torch.arange(16000) * 0.3)
        >>> [round(x, 2) for x in shortcut(torch.cat([tone, torch.zeros(16000)])).tolist()[4:]]
        [0.5, 0.0, 0.5]
    """
    size = round(FRAME_S * RATE_HZ)
    padded = torch.nn.functional.pad(wav, (0, -len(wav) % size))
    level = 10 * torch.log10(padded.view(-1, size).square().mean(1) + 1e-10)  # (frames,) dB
    loud = level > level.max() + SILENCE_DB
    first, last = loud.nonzero()[[0, -1], 0].tolist()
    return torch.tensor(
        [
            torch.tensor(len(wav) / RATE_HZ).log(),
            level.mean(),
            level.std(correction=0),
            20 * torch.log10(wav.abs().max() + 1e-5),
            1 - loud.float().mean(),
            first / len(loud),
            1 - (last + 1) / len(loud),
        ]
    )
