"""Audio files as people have them, made by bytes: cut off, written to a pipe, of variable rate, wrongly described."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
FULL = 0xFFFFFFFF


def speech(seconds: float = 1.0, seed: int = 0, rate_hz: int = RATE) -> np.ndarray:
    """Synthesize something like speech: syllables of a few harmonics, other ones for each seed; peak 0.5."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    out = np.zeros(len(t))
    for start in np.arange(0, seconds - 0.1, 0.15):
        pitch, tilt, length = rng.uniform(90, 250), rng.uniform(0.5, 2, 24), rng.uniform(0.06, 0.14)
        envelope = np.exp(-0.5 * ((t - start - length / 2) / (length / 4)) ** 2)
        for harmonic in range(1, 24):
            if harmonic * pitch < 3800:
                out += (
                    envelope
                    * rng.uniform(0, 1) ** 3
                    / harmonic ** tilt[harmonic]
                    * np.sin(2 * np.pi * harmonic * pitch * t)
                )
    return 0.5 * out / np.abs(out).max()


def encoded(samples: np.ndarray, format: str, rate_hz: int = RATE, **options: str) -> bytes:
    """Encode samples with libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=format, **options)
    return file.getvalue()


def wav(samples: np.ndarray, rate_hz: int = RATE, size: int | None = None, block: int | None = None) -> bytes:
    """Write 16-bit PCM, with any size of the data and any BlockAlign in the header."""
    channels = samples.shape[1] if samples.ndim > 1 else 1
    data = np.round(samples * 32767).astype("<i2").tobytes()
    block = 2 * channels if block is None else block
    total = 36 + len(data) if size is None else min(size, FULL)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", total, b"WAVE", b"fmt ", 16, 1, channels, rate_hz, rate_hz * 2 * channels,
        block, 16, b"data", len(data) if size is None else size,
    ) + data  # fmt: skip


def flac_of_unknown_length(samples: np.ndarray) -> bytes:
    """Write FLAC as to a pipe: the number of samples in STREAMINFO (36 bits from bit 108) is 0."""
    content = bytearray(encoded(samples, "FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    return bytes(content)


def mpeg_frame_size(head: bytes) -> int:
    """Bytes of a frame of MPEG 2 layer III at 16 kHz (ISO 13818-3): 72 x bit rate / 16000 and padding."""
    kbits = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[(head[2] >> 4) - 1]
    return 72_000 * kbits // RATE + (head[2] >> 1 & 1)


def mp3_without_length(samples: np.ndarray) -> bytes:
    """Encode MP3 of variable rate and take away the frame with its length."""
    content = encoded(samples, "MP3", bitrate_mode="VARIABLE", compression_level=0.9)
    assert b"Xing" in content[:64] or b"Info" in content[:64]
    return content[mpeg_frame_size(content) :]


def save(path: Path, content: bytes) -> Path:
    """Write bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
