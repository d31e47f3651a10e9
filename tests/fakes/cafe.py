"""CaFE as released: 936 files at 48 kHz, or at 192 kHz (AIFF in two folders, neutral without intensity)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import soundfile

from tests.fakes.wav import write_wav

FOLDERS = {
    "C": "Colère", "D": "Dégoût", "J": "Joie", "N": "Neutre", "P": "Peur", "S": "Surprise", "T": "Tristesse",
}  # fmt: skip


def names(rate_hz: int = 48_000) -> Iterator[str]:
    """Yield every path of a release, folders in composed form."""
    for actor, letter, intensity, sentence in product(range(1, 13), FOLDERS, (1, 2), range(1, 7)):
        folder = f"{FOLDERS[letter]}/{('Faible', 'Fort')[intensity - 1]}"
        name = f"{actor:02}-{letter}-{intensity}-{sentence}"
        if letter == "N":
            if intensity == 2:
                continue
            folder = FOLDERS[letter]
            name = name if rate_hz == 48_000 else f"{actor:02}-N-{sentence}"
        part = "CaFE_48k" if rate_hz == 48_000 else f"CaFE_192k_{1 if actor < 7 else 2}"
        yield f"{part}/{folder}/{name}.{'wav' if rate_hz == 48_000 else 'aiff'}"


def write_release(root: Path, rate_hz: int = 48_000, form: str = "NFC") -> Path:
    """Write a full release of 50 samples per file.

    Args:
        root: its folder; releases of both rates may share one.
        rate_hz: 48000 or 192000.
        form: Unicode form of the folder names, NFC or NFD.
    """
    for seed, name in enumerate(names(rate_hz)):
        path = root / unicodedata.normalize(form, name)
        if rate_hz == 48_000:
            write_wav(path, seed, 50, rate_hz)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            samples = np.random.default_rng(seed).uniform(-0.1, 0.1, 50)
            soundfile.write(path, samples, rate_hz, subtype="PCM_24", format="AIFF")
    (root / "Readme.txt").write_text("CaFE\n")
    return root
