"""Spectrogram segments, the input of Gao et al. 2022: 265 ms each, 32 x 129 (time x frequency).

Not here: normalization, which is fitted only on training speakers, and padding utterances to one number of segments.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ser.errors import ConfigError
from ser.features.config import framing_problem

WINDOWS = {"hamming": torch.hamming_window, "hann": torch.hann_window}


def spectrogram_segments(
    wav: Tensor,
    *,
    segment_samples: int = 4240,
    segment_hop_samples: int = 4240,
    min_fill: float = 0.5,
    window_samples: int = 256,
    hop_samples: int = 128,
    n_fft: int = 256,
    n_bins: int = 129,
    window: Literal["hamming", "hann"] = "hamming",
    scale: Literal["log", "magnitude"] = "log",
    floor: float = 1e-6,
) -> Tensor:
    """Cut an utterance into segments and take the magnitude spectrogram of each by itself.

    |X| of every windowed frame without padding, or log(|X| + floor). The paper's text gives 25 ms frames, but of
    the usual framings at 16 kHz only 256/128/256 yields the 32 x 129 of its Sec. 2: 31 * 128 + 256 = 4224 of 4240
    samples. The nearest one with 25 ms keeps 0 to 4 kHz of a finer transform: window_samples=400, n_fft=512,
    hop_samples=122 (121 to 123), n_bins=129.

    Args:
        wav: samples at 16 kHz, (T,) float, T >= 1.
        segment_samples: length of a segment; 265 ms are 4240 samples.
        segment_hop_samples: from one segment to the next; segments overlap if it is smaller (not given in the paper).
        min_fill: share of a segment that the last one has to fill with samples; zeros fill the rest, a shorter rest
            is dropped. The first segment is always kept.
        window_samples, hop_samples, n_fft: framing.
        n_bins: how many frequencies to keep, from 0 Hz on.
        window: periodic, as for torch.stft (not given in the paper).
        scale: `log` or `magnitude` (not given in the paper).
        floor: added under the logarithm; log(1e-6) = -13.8 is digital silence.

    Returns:
        (n_segments, n_frames, n_bins), of wav's dtype; (n_segments, 32, 129) with the default framing.

    Raises:
        ValueError: if wav is no single channel with samples.
        ConfigError: for settings that do not fit together.

    Example:
        >>> spectrogram_segments(torch.zeros(16000)).shape  # 3 whole segments, and one filled to 77 %
        torch.Size([4, 32, 129])
    """
    if wav.ndim != 1 or not len(wav):
        raise ValueError(f"expected samples (T,) with T >= 1, got {tuple(wav.shape)}")
    if problem := framing_problem(segment_samples, window_samples, n_fft, n_bins):
        raise ConfigError(problem)
    if window not in WINDOWS or scale not in ("log", "magnitude"):
        raise ConfigError(f"window '{window}' and scale '{scale}' have to be hamming or hann, and log or magnitude")
    segments = _cut(wav, segment_samples, segment_hop_samples, min_fill)  # (S, segment_samples)
    frames = segments.unfold(1, window_samples, hop_samples)  # (S, n_frames, window_samples)
    frames = frames * WINDOWS[window](window_samples, dtype=wav.dtype, device=wav.device)
    magnitude = torch.fft.rfft(frames, n=n_fft)[..., :n_bins].abs()  # (S, n_frames, n_bins)
    return magnitude if scale == "magnitude" else (magnitude + floor).log()


def _cut(wav: Tensor, size: int, hop: int, min_fill: float) -> Tensor:
    """Cut samples (T,) into segments (S, size), S >= 1, the last ones filled with zeros."""
    needed = max(1, math.ceil(min_fill * size))
    n_segments = 1 + max(0, len(wav) - needed) // hop
    total = (n_segments - 1) * hop + size
    return F.pad(wav[:total], (0, max(0, total - len(wav)))).unfold(0, size, hop)
