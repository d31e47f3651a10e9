"""What a recording sounds like, in 576 numbers: whether two files are one recording, whatever was done to one.

A fingerprint is the log-mel spectrogram of what is loud, brought to 24 points in time, without its mean. Codec, rate,
gain, polarity, silence at the ends and mild noise change it little; two recordings of one sentence by one speaker
differ more. Not here: the search for copies among many (`ser.splits.copies`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

N_BANDS, N_POINTS = 24, 24
LOW_HZ, HIGH_HZ = 100.0, 3700.0
"""Edges of the bands: what is left of speech on a telephone line."""

WINDOW_S, HOP_S = 0.032, 0.016

TRIM_DB = -25.0
"""Loudness of a frame is counted in dB above this, relative to the loudest frame."""

OUTSIDE = 0.02
"""Share of the loudness before the first point in time, and behind the last: one soft frame moves neither."""

VOICE = 0.7
"""Share of each band's mean that is taken away: it is the voice, more than what is said."""

FLOOR_DB = -30.0
"""Bands count as this loud at least, relative to the loudest band of all: below it lies noise."""

SHORTEST_S = 0.25
"""Less sound has no fingerprint: a click resembles any other."""

VERSION = 1
"""Raise it when the same audio would give another fingerprint."""


class Fingerprint(NamedTuple):
    """Of one utterance.

    Attributes:
        exact: hash of the decoded samples and their rate; equal for copies in another container or sample format.
        seconds: of what is loud; 0 without a vector.
        vector: (576,) int8, of mean 0; empty for silence and less than `SHORTEST_S` of sound.
    """

    exact: str
    seconds: float
    vector: bytes

    def __str__(self) -> str:
        return f"{self.exact} {self.seconds:.3f} {base64.b85encode(self.vector).decode() or '-'}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read what `str` has written.

        Raises:
            ValueError: for anything else.
        """
        exact, seconds, vector = text.split(" ")
        return cls(exact, float(seconds), b"" if vector == "-" else base64.b85decode(vector))


class Listener:
    """Makes a fingerprint of samples that come block by block.

    Args:
        rate_hz: of the samples, any.
    """

    def __init__(self, rate_hz: int):
        self._size, self._hop = max(2, round(WINDOW_S * rate_hz)), max(1, round(HOP_S * rate_hz))
        self._window = np.hanning(self._size + 1)[:-1].astype(np.float32)
        self._mel = _mel(self._size, rate_hz)
        self._digest = hashlib.blake2b(f"{rate_hz}".encode(), digest_size=16)
        self._rest = np.zeros(0, np.float32)
        self._bands: list[np.ndarray] = []
        self._hop_s = self._hop / rate_hz

    def add(self, samples: np.ndarray) -> None:
        """Take more samples, (n,) float32."""
        self._digest.update(np.ascontiguousarray(samples, "<f4").tobytes())
        samples = np.concatenate([self._rest, samples])
        n_frames = (len(samples) - self._size) // self._hop + 1
        if n_frames > 0:
            frames = np.lib.stride_tricks.sliding_window_view(samples, self._size)[:: self._hop][:n_frames]
            self._bands.append(_power(frames * self._window) @ self._mel)
            samples = samples[n_frames * self._hop :]
        self._rest = samples

    def fingerprint(self) -> Fingerprint:
        """Give the fingerprint of all that was heard."""
        bands = np.concatenate(self._bands) if self._bands else np.zeros((0, N_BANDS), np.float32)
        seconds, vector = _vector(bands, self._hop_s)
        return Fingerprint(self._digest.hexdigest(), seconds, vector)


def _power(frames: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(frames - frames.mean(axis=1, keepdims=True))
    return (spectrum.real**2 + spectrum.imag**2).astype(np.float32)


@lru_cache(maxsize=8)
def _mel(size: int, rate_hz: int) -> np.ndarray:
    """Triangular filters, equally wide in mel: (size // 2 + 1, bands)."""
    mel = np.linspace(*(2595 * np.log10(1 + hz / 700) for hz in (LOW_HZ, HIGH_HZ)), N_BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hz = np.arange(size // 2 + 1)[:, None] * rate_hz / size
    up = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(up, down)).astype(np.float32)


def _vector(bands: np.ndarray, hop_s: float) -> tuple[float, bytes]:
    """Cut band powers (frames, bands) to the sound, bring them to the points in time, and round."""
    level = bands.sum(axis=1)
    if level.max(initial=0) <= 1e-12:
        return 0.0, b""
    loudness = np.maximum(0, 10 * np.log10(level / level.max() + 1e-9) - TRIM_DB)
    first, last = _at_share(loudness, OUTSIDE), _at_share(loudness, 1 - OUTSIDE)
    seconds = (last - first) * hop_s
    if seconds < SHORTEST_S:
        return 0.0, b""
    log = 10 * np.log10(bands / bands.max() + 10 ** (FLOOR_DB / 10))
    points = _at_points(log, first, last)
    points -= points.mean()
    points -= VOICE * points.mean(axis=0)
    scale = np.abs(points).max()
    return (seconds, np.round(points / scale * 127).astype(np.int8).tobytes()) if scale > 1e-3 else (0.0, b"")


def _at_share(loudness: np.ndarray, share: float) -> float:
    """Find the time, in frames, by which a share of all loudness has passed."""
    passed = np.concatenate([[0.0], np.cumsum(loudness)])
    frame = int(np.searchsorted(passed, share * passed[-1], side="right")) - 1
    return frame + (share * passed[-1] - passed[frame]) / loudness[frame]


def _at_points(log: np.ndarray, first: float, last: float) -> np.ndarray:
    """Average (frames, bands) over equal parts of the time; frames that lie in two count by their share."""
    edges = np.linspace(first, last, N_POINTS + 1)
    total = np.vstack([np.zeros(log.shape[1]), np.cumsum(log, axis=0)])
    whole = np.minimum(edges.astype(int), len(log) - 1)
    at_edges = total[whole] + (edges - whole)[:, None] * log[whole]
    return np.diff(at_edges, axis=0) / (edges[1] - edges[0])


def units_of(vectors: Sequence[bytes]) -> np.ndarray:
    """Turn vectors into (N, 576) float32 of length 1, whose products are cosines."""
    rows = np.frombuffer(b"".join(vectors), np.int8).reshape(-1, N_BANDS * N_POINTS).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cosine(one: Fingerprint, other: Fingerprint) -> float:
    """How alike two recordings sound; 1 for equal ones, 0 where one has no vector."""
    if one.exact == other.exact:
        return 1.0
    if not one.vector or not other.vector:
        return 0.0
    a, b = units_of([one.vector, other.vector])
    return float(a @ b)
