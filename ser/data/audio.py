"""Audio files: what their headers say, whether that is true, and their samples at one rate.

Headers are held against the file's size, because readers fill in or cut silently what is missing.
Not here: features.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ser.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import torch

RATE_HZ = 16_000
"""The one rate at which features are computed; openSMILE alone takes each file's own."""

RESAMPLER = "torchaudio.functional.resample sinc_interp_hann width=6 rolloff=0.99"
"""Part of every feature's key: resamplers differ in what they leave of 44.1 kHz speech."""

# WAVE format tags that libsndfile decodes: PCM, float, A-law, mu-law and the extensible wrapper.
_WAV_FORMATS = {1, 3, 6, 7, 0xFFFE}


_OTHER_SUFFIXES = {"aif": "aiff", "oga": "ogg", "opus": "ogg"}


@dataclass(frozen=True)
class AudioInfo:
    """What an intact file's header says.

    Attributes:
        rate_hz: samples per second and channel.
        n_samples: samples per channel, at least 1.
        channels: 1 for mono.
        audio_hash: hash of format and samples, without the header's other chunks.
    """

    rate_hz: int
    n_samples: int
    channels: int
    audio_hash: str

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.rate_hz


def probe(path: Path, aiff_inside: bool = False) -> AudioInfo:
    """Read a file's header, hold it against the file's size and hash its samples; nothing is decoded.

    Args:
        path: a WAV file, or another format that libsndfile reads, under its right extension.
        aiff_inside: whether a file named `.wav` may be AIFF.

    Raises:
        DataError: the reason why the file is unusable, without its path (tables name it once).
    """
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise DataError("empty file (0 bytes)")
            is_aiff = aiff_inside and file.read(4) == b"FORM"
            file.seek(0)
            if Path(path).suffix.lower() == ".wav" and not is_aiff:
                return _probe_wav(file)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None
    return _probe_other(path, "aiff" if aiff_inside else "")


def _probe_wav(file: BinaryIO) -> AudioInfo:
    size = os.fstat(file.fileno()).st_size
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise DataError(f"not a WAV file in spite of its name (begins with {head[:4]!r})")
    fmt = None
    while len(chunk := file.read(8)) == 8:
        name, n_bytes = struct.unpack("<4sI", chunk)
        start = file.tell()
        if name == b"fmt ":
            fmt = file.read(min(n_bytes, 16))
        elif name == b"data":
            return _wav_info(file, fmt, n_bytes, size - start)
        file.seek(start + n_bytes + n_bytes % 2)  # chunks are padded to even length
    raise DataError("no audio in it (the WAV header has no data chunk)")


def _wav_info(file: BinaryIO, fmt: bytes | None, n_bytes: int, n_present: int) -> AudioInfo:
    """Check the data chunk at which `file` stands: `n_bytes` promised, `n_present` in the file."""
    if fmt is None or len(fmt) < 16:
        raise DataError("damaged WAV header (no complete fmt chunk before the data)")
    tag, channels, rate_hz, _, frame_bytes, _ = struct.unpack("<HHIIHH", fmt)
    if tag not in _WAV_FORMATS or not channels or not rate_hz or not frame_bytes:
        raise DataError(f"unknown WAV encoding (format tag {tag}, {channels} channels, {rate_hz} Hz)")
    if n_bytes < frame_bytes:
        raise DataError("no audio in it (the WAV header promises 0 samples)")
    if n_bytes > n_present:
        raise DataError(f"truncated: header promises {n_bytes} bytes of audio, {n_present} are there")
    digest = hashlib.blake2b(fmt, digest_size=16)
    left = n_bytes
    while left and (block := file.read(min(left, 1 << 20))):
        digest.update(block)
        left -= len(block)
    return AudioInfo(rate_hz, n_bytes // frame_bytes, channels, digest.hexdigest())


def _probe_other(path: Path, but: str) -> AudioInfo:
    import soundfile

    from ser.system.files import hash_file

    try:
        info = soundfile.info(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        raise DataError(f"not readable as audio ({error.error_string})") from None
    suffix = Path(path).suffix.lower().lstrip(".")
    if info.format.lower() not in (_OTHER_SUFFIXES.get(suffix, suffix), but):
        raise DataError(f"is {info.format} in spite of its name")
    if info.frames < 1:
        raise DataError("no audio in it (the header promises 0 samples)")
    return AudioInfo(info.samplerate, info.frames, info.channels, hash_file(path))


def load(
    path: str | Path, rate_hz: int = RATE_HZ, start: float | None = None, end: float | None = None
) -> torch.Tensor:
    """Decode a file, or a segment of it, to mono at one rate.

    Args:
        path: of the file.
        rate_hz: samples per second of the result.
        start, end: seconds; the whole file without them.

    Returns:
        Samples in [-1, 1], (T,) float32; several channels are averaged.

    Raises:
        DataError: if the file cannot be decoded, or holds no samples or one that is not finite.
    """
    import torch

    return torch.from_numpy(resampled(*load_native(path, start, end), rate_hz))


def load_native(path: str | Path, start: float | None = None, end: float | None = None) -> tuple[np.ndarray, int]:
    """Decode as `load` does, but leave the file's own rate, which is the second value."""
    import numpy as np
    import soundfile

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            native_hz = file.samplerate
            first = round((start or 0) * native_hz)
            n_samples = -1 if end is None else max(0, round(end * native_hz) - first)
            file.seek(min(first, file.frames))
            samples = file.read(n_samples, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise DataError(f"{path}: cannot be decoded ({error}); run stage 1 again") from None
    if not len(samples) or not np.isfinite(samples).all():
        what = "a sample that is not finite" if len(samples) else "no samples"
        raise DataError(f"{path}: holds {what}; restore the file and run stage 1 again")
    return samples.mean(axis=1), native_hz


def resampled(samples: np.ndarray, native_hz: int, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Bring samples (T,) float32 to another rate by `RESAMPLER`; at their own rate they stay as they are."""
    if native_hz == rate_hz:
        return samples
    import torch
    import torchaudio.functional as F

    return F.resample(torch.from_numpy(samples), native_hz, rate_hz).numpy()
