"""AESDD as released: 605 files with its gaps, further takes, `(01)` for `(1)`, and one file without audio."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from tests.fakes.wav import write_wav

FOLDERS = {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"}
MISSING = {"f02 (4)", "h11 (3)", "d18 (5)", "s01 (5)"}
EXTRA = (
    "a06 (5)b",
    "d01 (5)b",
    "d03 (5)b",
    "d04 (5)b",
    "f18 (5)b",
    "s01 (5)a",
    "s01 (5)b",
    "s02 (5)b",
    "s04 (5)b",
)
PADDED = {"d03 (1)", "f10 (1)", "f11 (1)", "f12 (1)", "f13 (1)"}
UNUSABLE = "s05 (3)"


def names() -> Iterator[str]:
    """Yield every path of the release."""
    regular = (f"{e}{text:02} ({speaker})" for e, text, speaker in product(FOLDERS, range(1, 21), range(1, 7)))
    for stem in (*(s for s in regular if s not in MISSING), *EXTRA):
        yield f"{FOLDERS[stem[0]]}/{stem.replace('(', '(0') if stem in PADDED else stem}.wav"


def write_release(root: Path) -> Path:
    """Write the full release of 50 samples per file."""
    for seed, name in enumerate(names()):
        path = write_wav(root / name, seed, 50, 44_100)
        if path.stem == UNUSABLE:  # as in the release: a header without a data chunk
            fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 44_100, 88_200, 2, 16)
            path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(fmt), b"WAVE") + fmt)
    (root / "Tools and Documentation").mkdir()
    (root / "Tools and Documentation/readme.txt").write_text("AESDD v1.0\n")
    return root
