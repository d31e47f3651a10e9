"""Tiny WAV files whose samples differ by seed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from ser.data import listen


def write_wav(path: Path, seed: int = 0, n_samples: int = 80, rate_hz: int = 16000, channels: int = 1) -> Path:
    """Write a 16-bit PCM file of noise; fast enough for trees of 10,000 files."""
    data = np.random.default_rng(seed).integers(-3000, 3000, n_samples * channels, dtype="<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, channels, rate_hz,
        rate_hz * 2 * channels, 2 * channels, 16, b"data", len(data),
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + data)
    return path


def touch(root: Path, names: Iterable[str]) -> Path:
    """Make empty files: enough for a parser, which reads names only, and fast for trees of 10,000 files."""
    paths = [root / name for name in names]
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        path.touch()
    return root


@contextmanager
def one_sound() -> Iterator[None]:
    """Let every file sound as the first one does: decoding 10,000 of them takes longer than all else of a release.

    Files are still opened and hashed. That all are heard is tested with smaller releases.
    """
    heard: list[listen.Heard] = []
    real = listen.listen

    def hear(*args: object) -> listen.Heard:
        if not heard:
            heard.append(real(*args))
        return heard[0]

    with mock.patch.object(listen, "listen", hear):
        yield
