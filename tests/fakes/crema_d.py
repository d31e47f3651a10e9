"""CREMA-D as released: all takes of 91 actors but 20; which of them are missing is invented, except one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from tests.fakes.wav import touch

SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
MISSING = {
    "1002_TIE_NEU_XX",  # the release's table has no such line
    *(f"{actor}_TSI_NEU_XX" for actor in range(1010, 1014)),
    *(f"{actor}_WSI_{code}_XX" for actor, code in product(range(1020, 1023), ("ANG", "DIS", "FEA", "HAP", "SAD"))),
}


def names() -> Iterator[str]:
    """Yield every path of the release; one name lacks a letter."""
    for actor, sentence, code in product(range(1001, 1092), SENTENCES, ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")):
        for level in ("LO", "MD", "HI") if sentence == "IEO" and code != "NEU" else ("XX",):
            stem = f"{actor}_{sentence}_{code}_{level}"
            if stem not in MISSING:
                yield f"AudioWAV/{'1040_ITH_SAD_X' if stem == '1040_ITH_SAD_XX' else stem}.wav"


def write_release(root: Path) -> Path:
    return touch(root, names())
