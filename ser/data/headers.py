"""What a file is by its content, and whether it is whole: sizes that headers promise, held against the file.

libsndfile reads what is left of a damaged file and says nothing, so each container is walked here. Formats whose
headers say nothing that could be held against the file are decoded in full (`ser.data.decode`).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from ser.data.mpeg import frames_of, is_mpeg
from ser.errors import DataError

UNKNOWN_SIZES = {0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF}
"""Sizes of chunks of 32 bits that programs write to a pipe, where they cannot go back to the header."""

_PCM = {1, 3, 6, 7, 0xFFFE}
"""WAVE format tags whose samples have one size: PCM, float, A-law, mu-law and the extensible wrapper."""


class Header(NamedTuple):
    """What was found in front of the samples.

    Attributes:
        kind: as libsndfile names it; `MP3` for all MPEG audio.
        rate_hz, n_samples, channels: 0 where only decoding shows it.
        data: first byte of the samples and their number of bytes, of PCM in WAV.
        fmt: the chunk of that name, of WAV.
        is_estimate: whether libsndfile would estimate the length and stop there.
    """

    kind: str
    rate_hz: int = 0
    n_samples: int = 0
    channels: int = 0
    data: tuple[int, int] = (0, 0)
    fmt: bytes = b""
    is_estimate: bool = False


def read_header(file: BinaryIO) -> Header:
    """Find out what a file is, and hold the sizes of its header against the file.

    Args:
        file: at its beginning, seekable.

    Raises:
        DataError: for a file that is empty, cut off or damaged, or no audio that libsndfile reads; without its path.
    """
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise DataError("empty file (0 bytes)")
    head = file.read(40)
    file.seek(0)
    for begins, read in KINDS.items():
        if head.startswith(begins):
            return read(file, size)
    if is_mpeg(file):
        return _mpeg(file, size)
    if head[4:8] == b"ftyp" or head.startswith(tuple(_UNREAD)):
        raise DataError(no_audio(head))
    return Header("other")  # which libsndfile may know


_UNREAD = {b"\x1aE\xdf\xa3": "Matroska or WebM", b"0&\xb2u": "WMA", b"#!AMR": "AMR"}
"""How files of other libraries begin, whose users are told what to do."""


def no_audio(head: bytes) -> str:
    """Say what a file is that begins so and cannot be read."""
    kind = (
        "MP4" if head[4:8] == b"ftyp" else next((k for begins, k in _UNREAD.items() if head.startswith(begins)), "")
    )
    if kind:
        return f"is {kind}, which libsndfile does not read; convert it: ffmpeg -i FILE NEW.flac"
    return f"not audio that libsndfile reads (begins with {head[:4]!r})"


def _chunks(file: BinaryIO, order: str, start: int, pad: int = 2) -> Iterator[tuple[bytes, int, int]]:
    """Walk chunks of a name and a size of 32 bits: name, first byte of the content, promised bytes."""
    file.seek(start)
    while len(chunk := file.read(8)) == 8:
        name, n_bytes = struct.unpack(f"{order}4sI", chunk)
        place = file.tell()
        yield name, place, n_bytes
        file.seek(place + n_bytes + n_bytes % pad)


def _check(promised: int, present: int, unit: str = "bytes of audio") -> None:
    if promised > present:
        raise DataError(f"truncated: header promises {promised} {unit}, {present} are there")


def _wav(file: BinaryIO, size: int) -> Header:
    if file.read(12)[8:] != b"WAVE":
        file.seek(0)
        raise DataError(no_audio(file.read(12)))
    fmt = None
    for name, place, n_bytes in _chunks(file, "<", 12):
        if name == b"fmt ":
            fmt = file.read(min(n_bytes, 16))
        elif name == b"data":
            return _wav_data(fmt, place, n_bytes, size - place)
    raise DataError("no audio in it (the WAV header has no data chunk)")


def _wav_data(fmt: bytes | None, place: int, n_bytes: int, n_present: int) -> Header:
    """Check a data chunk: `n_bytes` promised, `n_present` in the file."""
    if fmt is None or len(fmt) < 16:
        raise DataError("damaged WAV header (no complete fmt chunk before the data)")
    tag, channels, rate_hz, _, block, bits = struct.unpack("<HHIIHH", fmt)
    if not channels or not rate_hz or (tag in _PCM and not (block and bits)):
        raise DataError(f"unknown WAV encoding (format tag {tag}, {channels} channels, {rate_hz} Hz)")
    if n_bytes == 0 and n_present:
        raise DataError(
            f"its length was not written (0, and {n_present} bytes follow), as when a program writes WAV to a pipe; "
            "write it to a file again, or convert it: ffmpeg -ignore_length 1 -i FILE NEW.wav"
        )
    if n_bytes in UNKNOWN_SIZES and n_bytes > n_present:  # of a pipe: all that follows is audio
        n_bytes = n_present
    _check(n_bytes, n_present)
    if tag not in _PCM:
        return Header("WAV", rate_hz, 0, channels)
    frame = channels * -(-bits // 8)
    if block != frame:
        raise DataError(
            f"damaged WAV header (blocks of {block} bytes, {channels} x {bits} bits make {frame}); restore the file"
        )
    if n_bytes < frame:
        raise DataError("no audio in it (the WAV header promises 0 samples)")
    return Header("WAV", rate_hz, n_bytes // frame, channels, (place, n_bytes), fmt)


def _rf64(file: BinaryIO, size: int) -> Header:
    n_data = None
    for name, place, n_bytes in _chunks(file, "<", 12):
        if name == b"ds64":
            n_data = struct.unpack("<Q", file.read(28)[8:16])[0]
        elif name == b"data":
            _check(n_data if n_bytes == 0xFFFFFFFF and n_data is not None else n_bytes, size - place)
            return Header("RF64")
    raise DataError("no audio in it (the RF64 header has no data chunk)")


def _aiff(file: BinaryIO, size: int) -> Header:
    if file.read(12)[8:] not in (b"AIFF", b"AIFC"):
        return Header("other")
    for name, place, n_bytes in _chunks(file, ">", 12):
        if name == b"SSND":
            if n_bytes not in (0, *UNKNOWN_SIZES):
                _check(n_bytes, size - place)
            return Header("AIFF")
    raise DataError("no audio in it (the AIFF header has no SSND chunk)")


def _au(file: BinaryIO, size: int) -> Header:
    _, start, n_bytes = struct.unpack(">4sII", file.read(12).ljust(12, b"\0"))
    if n_bytes not in UNKNOWN_SIZES:
        _check(n_bytes, size - start)
    return Header("AU")


def _w64(file: BinaryIO, size: int) -> Header:
    file.seek(40)
    while len(chunk := file.read(24)) == 24:
        n_bytes = struct.unpack("<Q", chunk[16:])[0] - 24  # sizes hold the chunk's own head
        place = file.tell()
        if chunk[:4] == b"data":
            if n_bytes < 2**62:  # a larger one was written to a pipe
                _check(n_bytes, size - place)
            return Header("W64")
        file.seek(min(place + max(n_bytes, 0) + -n_bytes % 8, size))
    raise DataError("no audio in it (the W64 header has no data chunk)")


def _caf(file: BinaryIO, size: int) -> Header:
    file.seek(8)
    while len(chunk := file.read(12)) == 12:
        name, n_bytes = struct.unpack(">4sq", chunk)
        place = file.tell()
        if name == b"data":
            if n_bytes < 0:
                raise DataError("its length was not written, as when a program writes CAF to a pipe; convert it: "
                                "ffmpeg -i FILE NEW.flac")  # fmt: skip
            _check(n_bytes, size - place)
            return Header("CAF")
        file.seek(min(place + max(n_bytes, 0), size))
    raise DataError("no audio in it (the CAF header has no data chunk)")


def _nist(file: BinaryIO, size: int) -> Header:
    lines = file.read(1024).decode("ascii", errors="replace").splitlines()
    try:
        fields = {cells[0]: cells[2] for line in lines[2:] if len(cells := line.split()) == 3}
        promised = int(fields["sample_count"]) * int(fields["channel_count"]) * int(fields["sample_n_bytes"])
        start = int(lines[1])
    except (KeyError, ValueError, IndexError):
        return Header("NIST")
    if "shorten" not in fields.get("sample_coding", ""):  # compressed: its sizes are of what comes out
        _check(promised, size - start)
    return Header("NIST")


def _ogg(file: BinaryIO, size: int) -> Header:
    """Look for the page that ends a stream; libsndfile takes the last one that is there for it."""
    span = min(size, 1 << 17)  # a page has less than 2^16 bytes
    file.seek(size - span)
    tail = file.read(span)
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27:
        raise DataError("truncated: the end of its last Ogg page is missing")
    n_segments = tail[page + 26]
    body = sum(tail[page + 27 : page + 27 + n_segments])
    if not tail[page + 5] & 4 or len(tail) < page + 27 + n_segments + body:
        raise DataError("truncated: the last page of its Ogg stream is missing")
    return Header("OGG")


def _mpeg(file: BinaryIO, size: int) -> Header:
    found = frames_of(file, size)
    if found.n_promised is not None:
        if found.n_promised > found.n_frames + 1:  # some encoders count the frame of the header
            _check(found.n_promised, found.n_frames, "MPEG frames")
    elif found.n_missing:
        raise DataError(f"truncated: {found.n_missing} bytes of its last MPEG frame are missing")
    return Header("MP3", is_estimate=found.n_promised is None)


KINDS: dict[bytes, Callable[[BinaryIO, int], Header]] = {
    b"RIFF": _wav,
    b"RIFX": lambda *_: Header("WAV"),
    b"RF64": _rf64,
    b"FORM": _aiff,
    b".snd": _au,
    b"riff\x2e\x91\xcf\x11": _w64,
    b"caff": _caf,
    b"NIST_1A": _nist,
    b"OggS": _ogg,
    b"fLaC": lambda *_: Header("FLAC"),
    b"Creative Voice File": lambda *_: Header("VOC"),
}
"""How a file begins -> who reads its header; MPEG audio begins in too many ways."""
