"""Decoding block by block: memory does not grow with a file's length, and what a decoder leaves out is noticed.

The only file that opens audio with libsndfile.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, BinaryIO

from ser.data.headers import Header, no_audio, read_header
from ser.errors import DataError

if TYPE_CHECKING:
    import numpy as np

BLOCK = 1 << 16
"""Samples per channel that are decoded at a time."""

UNKNOWN_LENGTH = 2**62
"""libsndfile gives more samples than this where a header gives none."""


@contextlib.contextmanager
def opened(path: str | Path, no_pipes: bool = False) -> Iterator[tuple[BinaryIO, Header]]:
    """Open a file and read its header.

    Args:
        path: of the file.
        no_pipes: refuse what is no regular file, and do not wait for its writer.

    Raises:
        DataError: the reason why the file is unusable, without its path (tables name it once).
    """
    try:
        if no_pipes and not S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
            raise DataError("is a pipe or a device, which can be read only once; write it to a file first")
        with open(path, "rb") as file:
            yield file, read_header(file)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}{_why(str(path))})") from None
    except ValueError:
        raise DataError(f"cannot be read (its path {str(path)!r} holds a NUL byte)") from None


def _why(path: str) -> str:
    """Say why a path that was taken from a list may not be there."""
    reasons = {
        path.rstrip().endswith("|"): "; a command, which is not run: write its output to a file",
        path != path.strip(): "; white space at its beginning or end, as a carriage return, is part of it",
        path.startswith("~"): "; '~' is not expanded: write the whole path",
        path[:1] in ("'", '"'): "; quotes are part of it: take them off",
        ".ark:" in path: "; a place in an archive, not an audio file",
    }
    return reasons.get(True, "")


@dataclass(frozen=True)
class Decoder:
    """An open audio file.

    Attributes:
        rate_hz: samples per second and channel.
        channels: 1 for mono.
        n_promised: samples per channel by its header; None if it gives none.
    """

    rate_hz: int
    channels: int
    n_promised: int | None
    _file: Any
    _seekable: bool

    def blocks(self, start: float | None = None, end: float | None = None) -> Iterator[np.ndarray]:
        """Decode from `start` to `end`, in seconds, once; yields (n, channels) float32, n >= 1.

        Raises:
            DataError: where the decoder fails, or, of a whole file, if samples are missing at its end.
        """
        import soundfile

        first = round((start or 0) * self.rate_hz)
        left = UNKNOWN_LENGTH if end is None else max(0, round(end * self.rate_hz) - first)
        place = 0
        try:
            if self._seekable and first:
                place = first if self.n_promised is None else min(first, self.n_promised)
                self._file.seek(place)
            while place < first:
                if not (n := len(self._file.read(min(BLOCK, first - place)))):
                    return
                place += n
            while left and len(block := self._file.read(min(BLOCK, left), dtype="float32", always_2d=True)):
                place, left = place + len(block), left - len(block)
                yield block
        except soundfile.LibsndfileError as error:
            told = error.error_string or "it is damaged or cut off"
            raise DataError(f"cannot be decoded after {place / self.rate_hz:.2f} s ({told})") from None
        if end is None and self.n_promised is not None and place < self.n_promised:
            promised, there = (n / self.rate_hz for n in (self.n_promised, place))
            raise DataError(f"truncated: header promises {promised:.2f} s of audio, {there:.2f} s are there")


@contextlib.contextmanager
def decoding(path: str | Path) -> Iterator[Decoder]:
    """Open an audio file for decoding.

    Raises:
        DataError: the reason why the file is unusable, without its path.
    """
    import soundfile

    with opened(path) as (file, header), contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(_piped(path)) if header.is_estimate else os.fsencode(path)
            decoder = stack.enter_context(_sound_file()(source, closefd=not header.is_estimate))
        except soundfile.LibsndfileError:
            file.seek(0)
            head = file.read(12)
            damaged = f"damaged: libsndfile cannot open this {header.kind}"
            raise DataError(no_audio(head) if header.kind == "other" else damaged) from None
        promised = None if decoder.frames > UNKNOWN_LENGTH else decoder.frames
        yield Decoder(decoder.samplerate, decoder.channels, promised, decoder, not header.is_estimate)


@cache
def _sound_file() -> Any:
    import soundfile

    class Stream(soundfile.SoundFile):
        """Reads until nothing comes: soundfile seeks after each block, which fails at the end of some files."""

        def seekable(self) -> bool:
            return False

    return Stream


@contextlib.contextmanager
def _piped(path: str | Path) -> Iterator[int]:
    """Hand a file over through a pipe, so that libsndfile reads to its end, whatever length it would estimate."""
    reader, writer = os.pipe()

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), open(path, "rb") as file, os.fdopen(writer, "wb") as pipe:
            while block := file.read(1 << 16):
                pipe.write(block)

    thread = threading.Thread(target=feed, daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        os.close(reader)
        thread.join()
