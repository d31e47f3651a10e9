"""The one way to audio, for stage 1, stage 3 and predict: what a file is, how long, and its samples at one rate.

A header is believed where the file's size bears it out (PCM in WAV); every other file is decoded in full, block by
block. Not here: containers (`headers.py`), the decoder (`decode.py`), what a file sounds like (`listen.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ser.data.decode import decoding, opened
from ser.data.headers import KINDS, Header
from ser.data.resample import RATE_HZ, RESAMPLER, resampled
from ser.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = [
    "RATE_HZ", "RESAMPLER", "AudioInfo", "audio_hash", "begins_as_audio", "load", "load_native", "mono", "probe",
    "resampled", "walk",
]  # fmt: skip


@dataclass(frozen=True)
class AudioInfo:
    """What an intact file holds.

    Attributes:
        rate_hz: samples per second and channel.
        n_samples: samples per channel, at least 1.
        channels: 1 for mono.
        audio_hash: hash of the file's audio as it is stored: format and samples of PCM in WAV, without the header's
            other chunks; all bytes of other files.
    """

    rate_hz: int
    n_samples: int
    channels: int
    audio_hash: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.rate_hz


def probe(path: str | Path) -> AudioInfo:
    """Find out what a file is by its content, its true length, rate and channels, and hash what it holds.

    Args:
        path: a file that libsndfile reads, under any name. Only PCM in WAV is not decoded.

    Raises:
        DataError: the reason why the file is unusable, without its path (tables name it once).
    """
    with opened(path, no_pipes=True) as (file, header):
        found = _hash(file, header)
    if header.n_samples:
        return AudioInfo(header.rate_hz, header.n_samples, header.channels, found)
    with decoding(path) as decoder:
        n_samples = sum(map(len, decoder.blocks()))
    if not n_samples:
        raise DataError("no audio in it (0 samples come out)")
    return AudioInfo(decoder.rate_hz, n_samples, decoder.channels, found)


def audio_hash(path: str | Path) -> str:
    """Give the `audio_hash` of `probe`; nothing is decoded."""
    with opened(path) as (file, header):
        return _hash(file, header)


def _hash(file: BinaryIO, header: Header) -> str:
    import hashlib

    digest = hashlib.blake2b(header.fmt, digest_size=16)
    start, left = header.data if header.n_samples else (0, os.fstat(file.fileno()).st_size)
    file.seek(start)
    while left and (block := file.read(min(left, 1 << 20))):
        digest.update(block)
        left -= len(block)
    return digest.hexdigest()


def load(
    path: str | Path,
    rate_hz: int = RATE_HZ,
    start: float | None = None,
    end: float | None = None,
    channels: str | None = None,
) -> torch.Tensor:
    """Decode a file, or a segment of it, to mono at one rate.

    Args:
        path: of the file.
        rate_hz: samples per second of the result.
        start, end: seconds; the whole file without them.
        channels: numbers of those that are averaged, from 1, as `2` or `1,3`; None takes all.

    Returns:
        Samples in [-1, 1], (T,) float32.

    Raises:
        DataError: if the file cannot be decoded, or holds no samples or one that is not finite.
    """
    import torch

    return torch.from_numpy(resampled(*load_native(path, start, end, channels), rate_hz))


def load_native(
    path: str | Path, start: float | None = None, end: float | None = None, channels: str | None = None
) -> tuple[np.ndarray, int]:
    """Decode as `load` does, but leave the file's own rate, which is the second value."""
    import numpy as np

    try:
        with decoding(path) as decoder:
            blocks = [mono(block, channels) for block in decoder.blocks(start, end)]
    except DataError as error:
        raise DataError(f"{path}: {error}; restore the file and run stage 1 again") from None
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not len(samples) or not np.isfinite(samples).all():
        what = "a sample that is not finite" if len(samples) else "no samples"
        raise DataError(f"{path}: holds {what}; restore the file and run stage 1 again")
    return samples, decoder.rate_hz


def mono(block: np.ndarray, channels: str | None = None) -> np.ndarray:
    """Average channels of (n, C) samples: all, or those whose numbers are listed, as in `1,3`.

    Raises:
        DataError: for a number that the file has not.
    """
    if channels is None:
        return block.mean(axis=1)
    numbers = [int(number) - 1 for number in channels.split(",")]
    if max(numbers) >= block.shape[1]:
        raise DataError(f"has {block.shape[1]} channel(s), and channel {max(numbers) + 1} was to be taken")
    return block[:, numbers].mean(axis=1)


def begins_as_audio(path: Path) -> bool:
    """Whether a file begins as a container of audio does, whatever its name is; MPEG only with a tag."""
    begins = (*(name for name in KINDS if name not in (b"RIFF", b"FORM")), b"ID3")
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError:
        return False
    return head.startswith(begins) or (head[:4], head[8:12]) in ((b"RIFF", b"WAVE"), (b"FORM", b"AIFF"))


def walk(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder in sorted order, without hidden ones and the copies that macOS makes."""
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not _is_hidden(name))
        for name in sorted(names):
            if not _is_hidden(name):
                yield Path(place) / name


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
