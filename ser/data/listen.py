"""Hearing a file once, in stage 1: its level, which of its channels are live, and its fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from ser.data.audio import mono
from ser.data.decode import Decoder, decoding
from ser.data.fingerprint import Fingerprint, Listener
from ser.errors import DataError

Channel = Literal["average", "first", "loudest"]
"""What becomes of several channels: the mean of the live ones, the first live one, the live one with most energy."""

SILENT = 10 ** (-60 / 20)
"""Peak below which audio is called silent, once its mean is removed: -60 dB of full scale."""

FULL_SCALE = 1.5
"""Peak above which samples are no decoder's rounding, but not scaled to [-1, 1]."""

DIFFERENT = 0.05
"""Channels differ where so much of their energy is not in their mean; two independent ones have a half."""


class Levels(NamedTuple):
    """Of the channels of some audio.

    Attributes:
        peak: largest absolute sample.
        swing: (C,) peak of each channel around its mean.
        energy: (C,) of each channel around its mean.
        difference: share of the energy of the live channels that is lost in their mean.
    """

    peak: float
    swing: np.ndarray
    energy: np.ndarray
    difference: float

    @property
    def live(self) -> list[int]:
        """Indices of channels that are not silent; all if all are."""
        live = [i for i, swing in enumerate(self.swing) if swing >= SILENT]
        return live or list(range(len(self.swing)))

    @property
    def is_silent(self) -> bool:
        """Whether no channel is live."""
        return bool(self.swing.max() < SILENT)

    @property
    def is_beyond(self) -> bool:
        """Whether samples are not scaled to [-1, 1]."""
        return self.peak > FULL_SCALE

    @property
    def differ(self) -> bool:
        """Whether averaging takes something away from the live channels."""
        return self.difference > DIFFERENT


class Meter:
    """Measures samples that come block by block, (n, C) each."""

    def __init__(self) -> None:
        self._n = 0
        self._low = self._high = self._sum = self._products = np.zeros(0)

    def add(self, block: np.ndarray) -> None:
        """Take more samples."""
        block = block.astype(np.float64)
        low, high, products = block.min(0), block.max(0), block.T @ block
        if self._n:
            low, high = np.minimum(low, self._low), np.maximum(high, self._high)
            self._sum, self._products = self._sum + block.sum(0), self._products + products
        else:
            self._sum, self._products = block.sum(0), products
        self._low, self._high, self._n = low, high, self._n + len(block)

    def levels(self) -> Levels:
        """Give the levels of all samples.

        Raises:
            DataError: if there were none, or one that is not finite.
        """
        if not self._n:
            raise DataError("holds no samples")
        if not np.isfinite(self._products).all():
            raise DataError("holds a sample that is not finite")
        mean = self._sum / self._n
        covariance = self._products / self._n - np.outer(mean, mean)
        swing = np.maximum(self._high - mean, mean - self._low)
        peak = float(np.maximum(np.abs(self._low), np.abs(self._high)).max())
        levels = Levels(peak, swing, covariance.diagonal().copy(), 0.0)
        of_live = covariance[np.ix_(levels.live, levels.live)]
        total = of_live.diagonal().mean()
        return levels._replace(difference=float(1 - of_live.mean() / total) if total > 0 else 0.0)


def chosen(levels: Levels, channel: Channel = "average") -> str | None:
    """Choose channels: numbers from 1, as `utt2channel` has them; None for all."""
    live = levels.live
    if channel != "average":
        live = [live[0] if channel == "first" else max(live, key=lambda i: levels.energy[i])]
    return None if len(live) == len(levels.swing) else ",".join(str(i + 1) for i in live)


class Heard(NamedTuple):
    """What was heard of an utterance.

    Attributes:
        channels: those that are averaged, as `utt2channel` has them; None for all.
        levels: of all channels.
        fingerprint: of the average.
    """

    channels: str | None
    levels: Levels
    fingerprint: Fingerprint


def listen(
    path: str | Path, start: float | None = None, end: float | None = None, channel: Channel = "average"
) -> Heard:
    """Decode a file or a segment of it, block by block.

    Raises:
        DataError: the reason why the file is unusable, without its path.
    """
    meter = Meter()
    with decoding(path) as decoder:
        listener = Listener(decoder.rate_hz)
        for block in decoder.blocks(start, end):
            meter.add(block)
            if decoder.channels == 1:
                listener.add(block[:, 0])
    levels = meter.levels()
    channels = chosen(levels, channel)
    if decoder.channels > 1:
        with decoding(path) as decoder:
            _add_all(listener, decoder, start, end, channels)
    return Heard(channels, levels, listener.fingerprint())


def samples_of(
    path: str | Path, start: float | None = None, end: float | None = None, channels: str | None = None
) -> tuple[np.ndarray, int, Levels]:
    """Decode a file or a segment of it to mono at its own rate, and measure it.

    Args:
        path: of the file.
        start, end: seconds; the whole file without them.
        channels: numbers of those that are averaged; None takes the live ones, as stage 1 does.

    Returns:
        Samples (T,) float32, their rate, and the levels of all channels.

    Raises:
        DataError: the reason why the audio is unusable, without its path.
    """
    meter = Meter()
    with decoding(path) as decoder:
        blocks = list(decoder.blocks(start, end))
    for block in blocks:
        meter.add(block)
    levels = meter.levels()
    channels = chosen(levels) if channels is None else channels
    return np.concatenate([mono(block, channels) for block in blocks]), decoder.rate_hz, levels


def _add_all(
    listener: Listener, decoder: Decoder, start: float | None, end: float | None, channels: str | None
) -> None:
    for block in decoder.blocks(start, end):
        listener.add(mono(block, channels))
