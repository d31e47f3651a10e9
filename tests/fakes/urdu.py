"""URDU as released: 400 files, as unevenly spread over its 29 speakers as they really are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.fakes.wav import write_wav

FILES = {
    "Angry": {"SM1": 22, "SM2": 28, "SM3": 2, "SM4": 48},
    "Happy": {
        "SF1": 12, "SF2": 2, "SF3": 2, "SF4": 4, "SF5": 4, "SF6": 14, "SF7": 6, "SF8": 2, "SM17": 2,
        "SM18": 2, "SM19": 2, "SM3": 2, "SM5": 8, "SM6": 10, "SM7": 28,
    },
    "Neutral": {"SF9": 4, "SM20": 10, "SM21": 4, "SM22": 2, "SM3": 8, "SM5": 72},
    "Sad": {"SF10": 2, "SF11": 4, "SM23": 6, "SM24": 38, "SM25": 40, "SM26": 2, "SM27": 4, "SM6": 4},
}  # fmt: skip
"""Folder -> speaker -> number of files, counted in the real corpus."""


def names() -> Iterator[str]:
    """Yield every path of the release."""
    for folder, speakers in FILES.items():
        number = 0
        for speaker, n_files in speakers.items():
            for file_number in range(1, n_files + 1):
                number += 1
                yield f"{folder}/{speaker}_F{file_number}_{folder[0]}0{number}.wav"


def write_release(root: Path) -> Path:
    """Write the full release of 50 samples per file."""
    for seed, name in enumerate(names()):
        write_wav(root / name, seed, 50, 44_100)
    return root
