"""One rate for all features: torchaudio's resampler, and the same filter, sample by sample, for odd rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RATE_HZ = 16_000
"""The one rate at which features are computed; openSMILE alone takes each file's own."""

RESAMPLER = "torchaudio.functional.resample sinc_interp_hann width=6 rolloff=0.99"
"""Part of every feature's key: resamplers differ in what they leave of 44.1 kHz speech."""

WIDTH, ROLLOFF = 6, 0.99

KERNEL_SIZE = 10**6
"""Numbers of the largest kernel that torchaudio may build. Those of 44.1 kHz to 16 kHz are 10^5; a rate without a
small ratio to 16 kHz takes gigabytes."""

_AT_A_TIME = 1 << 14


def resampled(samples: np.ndarray, native_hz: int, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Bring samples (T,) float32 to another rate by `RESAMPLER`; at their own rate they stay as they are."""
    if native_hz == rate_hz:
        return samples
    divisor = math.gcd(native_hz, rate_hz)
    if native_hz // divisor * (rate_hz // divisor) > KERNEL_SIZE:
        return _one_by_one(samples, native_hz, rate_hz)
    import torch
    import torchaudio.functional as F

    return F.resample(torch.from_numpy(samples), native_hz, rate_hz).numpy()


def _one_by_one(samples: np.ndarray, native_hz: int, rate_hz: int) -> np.ndarray:
    """Filter as torchaudio does, but compute the weights of each new sample when its turn comes.

    A new sample at time t is the sum over old ones at s of x(s) sinc(u) cos^2(pi u / 2 WIDTH), u = (s - t) f, where f
    is ROLLOFF times the lower rate, for |u| < WIDTH.
    """
    import numpy as np

    base = min(native_hz, rate_hz) * ROLLOFF
    reach = math.ceil(WIDTH * native_hz / base)
    padded = np.pad(samples, (reach, reach + 1)).astype(np.float64)
    n_new = -(-len(samples) * rate_hz // native_hz)
    taps = np.arange(-reach, reach + 1)
    out = np.empty(n_new, np.float32)
    for first in range(0, n_new, _AT_A_TIME):
        numbers = np.arange(first, min(first + _AT_A_TIME, n_new))
        whole, rest = np.divmod(numbers * native_hz, rate_hz)  # exact: place in old samples
        u = np.clip((taps[None] - (rest / rate_hz)[:, None]) * (base / native_hz), -WIDTH, WIDTH)
        weights = np.sinc(u) * np.cos(np.pi * u / (2 * WIDTH)) ** 2 * (base / native_hz)
        out[numbers] = (weights * padded[whole[:, None] + taps[None] + reach]).sum(1)
    return out
