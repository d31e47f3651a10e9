"""MPEG audio (MP3, MP2) frame by frame: how many there are, how many a header promises, whether the last is whole.

Sizes of frames follow from their headers (ISO 11172-3, 2.4.2.3, and 13818-3 for the lower rates). A file of variable
rate without a Xing header says nowhere how long it is; libsndfile estimates its length and reads no further.
"""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""MPEG 1 or 2, layer -> kbit/s of the bit rate's index 1 to 14."""

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Bits of the version (3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5) -> sampling rates."""

SEARCH = 1 << 16
"""Bytes in which the first frame has to begin."""


class Frames(NamedTuple):
    """The frames of a file.

    Attributes:
        n_frames: whole ones with audio.
        n_promised: by a Xing, Info or VBRI header; None if there is none.
        n_missing: bytes of the last frame that are not there.
    """

    n_frames: int
    n_promised: int | None
    n_missing: int


def _frame_size(head: bytes) -> int:
    """Bytes of the frame with a header of four bytes; 0 if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or rate == 3 or not 0 < bits < 15:
        return 0
    generation = 1 if version == 3 else 2
    kbits, hz, padding = _KBITS[generation, layer][bits - 1], _RATES[version][rate], head[2] >> 1 & 1
    if layer == 1:
        return (12_000 * kbits // hz + padding) * 4
    return (144_000 if layer == 2 or generation == 1 else 72_000) * kbits // hz + padding


def _start(file: BinaryIO) -> tuple[int, int]:
    """Find the first frame: its place and the size of the tag before it; the place is -1 if there is none."""
    file.seek(0)
    head = file.read(10)
    tag = 0
    if head[:3] == b"ID3" and len(head) == 10:
        tag = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(tag)
    block = file.read(SEARCH)
    if block.startswith(b"fLaC"):
        return -1, tag
    for match in re.finditer(rb"\xff[\xe0-\xff]", block):
        at = match.start()
        size = _frame_size(block[at : at + 4])
        follower = block[at + size : at + size + 4]
        if size and (_frame_size(follower) or len(follower) < 4):
            return tag + at, tag
        if not tag and at == 0 and not size:
            break
    return -1, tag


def is_mpeg(file: BinaryIO) -> bool:
    """Whether a file is MPEG audio: a tag or a frame, followed by a frame."""
    start, tag = _start(file)
    return start >= 0 and (bool(tag) or start == 0)


def frames_of(file: BinaryIO, size: int) -> Frames:
    """Count the frames of a file of `size` bytes that `is_mpeg`."""
    place, _ = _start(file)
    file.seek(place)
    first = file.read(200)
    promised = _promised(first)
    n_frames, n_missing = 0, 0
    while True:
        file.seek(place)
        n_bytes = _frame_size(file.read(4))
        if not n_bytes:  # the end, or tags behind the audio
            break
        if place + n_bytes > size:
            n_missing = place + n_bytes - size
            break
        place += n_bytes
        n_frames += 1
    return Frames(n_frames - (promised is not None), promised, n_missing)  # the header is a frame without audio


def _promised(first: bytes) -> int | None:
    """Read the number of frames out of the first one."""
    found = re.search(rb"Xing|Info", first[:64])
    if found and first[found.end() + 3] & 1:
        return int.from_bytes(first[found.end() + 4 : found.end() + 8], "big")
    if first[36:40] == b"VBRI":
        return int.from_bytes(first[50:54], "big")
    return None
