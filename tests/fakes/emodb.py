"""EMO-DB as its authors publish it: `wav/` with every speaker's true number of files, label folders beside it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from tests.fakes.wav import write_wav

SENTENCES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")

LETTERS = "WLEAFTN"
PER_SPEAKER = {
    "03": (14, 5, 1, 4, 7, 7, 11),
    "08": (12, 10, 0, 6, 11, 9, 10),
    "09": (13, 4, 8, 1, 4, 4, 9),
    "10": (10, 8, 1, 8, 4, 3, 4),
    "11": (11, 8, 2, 10, 8, 7, 9),
    "12": (12, 5, 2, 6, 2, 4, 4),
    "13": (12, 10, 8, 7, 10, 5, 9),
    "14": (16, 8, 8, 12, 8, 10, 7),
    "15": (13, 9, 5, 8, 6, 4, 11),
    "16": (14, 14, 11, 7, 11, 9, 5),
}
"""Speaker -> files per letter of `LETTERS` (corpora.md, section 5)."""


def stems() -> list[str]:
    """List all 535 names; version letters have gaps."""
    return [
        f"{speaker}{sentence}{letter}{version}"
        for speaker, counts in PER_SPEAKER.items()
        for letter, count in zip(LETTERS, counts, strict=True)
        for version, sentence in list(product("ad", SENTENCES))[:count]
    ]


def write_release(root: Path, n_samples: int = 50, folder: str = "wav") -> Path:
    """Write all files at 16 kHz, and a few of the label files."""
    for seed, stem in enumerate(stems()):
        write_wav(root / folder / f"{stem}.wav", seed, n_samples)
    for name in ("lablaut/03a01Fa.lablaut", "silb/03a01Fa.silb", "erklaerung.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("labels")
    return root
