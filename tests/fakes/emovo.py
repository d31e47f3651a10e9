"""EMOVO as released: 588 files of two channels at 48 kHz, a folder per actor."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from tests.fakes.wav import write_wav

CODES = ("dis", "gio", "neu", "pau", "rab", "sor", "tri")
SENTENCES = ("b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2")


def names() -> Iterator[str]:
    """Yield every path of the release."""
    for actor, code, sentence in product(("f1", "f2", "f3", "m1", "m2", "m3"), CODES, SENTENCES):
        yield f"{actor}/{code}-{actor}-{sentence}.wav"


def write_release(root: Path) -> Path:
    """Write the full release of 20 samples per file."""
    for seed, name in enumerate(names()):
        write_wav(root / name, seed, 20, 48_000, 2)
    return root
