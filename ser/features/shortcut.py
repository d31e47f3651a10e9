"""Features without speech content: duration, level and silence. A useful recognizer beats them."""

from __future__ import annotations

import numpy as np

from ser.data.audio import RATE_HZ

FRAME_S = 0.025
SILENCE_DB = -30.0
"""A frame this far below the loudest one counts as silent."""

NAMES = ("log duration", "level", "level deviation", "peak", "silence", "leading silence", "trailing silence")


def shortcut(wav: np.ndarray) -> np.ndarray:
    """Describe an utterance by duration, level and silence only.

    Args:
        wav: samples at 16 kHz, (T,) float32.

    Returns:
        (7,) float32: log of the duration in s; mean and standard deviation of the frame levels in dB; peak in dB;
        shares of silent frames: all, before the first and after the last sound.

    Example:
        >>> tone = np.sin(np.arange(16000) * 0.3)
        >>> shortcut(np.concatenate([tone, np.zeros(16000)]))[4:].tolist()
        [0.5, 0.0, 0.5]
    """
    size = round(FRAME_S * RATE_HZ)
    frames = np.pad(wav, (0, -len(wav) % size)).reshape(-1, size)
    level = 10 * np.log10(np.square(frames).mean(1) + 1e-10)  # (frames,) dB
    loud = level > level.max() + SILENCE_DB
    first, last = loud.nonzero()[0][[0, -1]]
    return np.array(
        [
            np.log(len(wav) / RATE_HZ),
            level.mean(),
            level.std(),
            20 * np.log10(np.abs(wav).max() + 1e-5),
            1 - loud.mean(),
            first / len(loud),
            1 - (last + 1) / len(loud),
        ],
        dtype=np.float32,
    )
