"""MSP-IMPROV in its release's grammar, with both spellings of the label file and with or without `Audio/`.

`full_release` lists 8,438 turns whose counts are those of the real one: per condition and consensus, per
session, and the sums over scenario letters. The single letters and sessions 1 to 4 are not published: those
here fit the sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.fakes.wav import write_wav

CONSENSUS = {  # condition -> turns with A S H N, O, X
    "R": (169, 80, 88, 241, 3, 39),
    "T": (115, 106, 136, 283, 1, 11),
    "S": (470, 633, 1048, 1789, 70, 371),
    "P": (38, 66, 1372, 1164, 11, 134),
}
SCENARIOS = {"A": 2512, "S": 2034, "H": 2266, "N": 1626}
FOUR_CLASSES = {"1": 915, "2": 1325, "3": 1643, "4": 1035, "5": 1385, "6": 1495}  # session -> A S H N
OTHERS = {"1": 73, "2": 106, "3": 131, "4": 83, "5": 120, "6": 127}  # session -> O X
RATINGS = {  # activation as stored (1 is most active), valence, dominance, naturalness
    "A": ("1.600000", "2.100000", "3.700000", "4.000000"),
    "S": ("3.900000", "1.900000", "2.200000", "3.500000"),
    "H": ("2.200000", "4.300000", "3.100000", "4.250000"),
    "N": ("3.333333", "3.000000", "2.800000", "4.000000"),
    "O": ("2.800000", "2.600000", "3.000000", "3.000000"),
    "X": ("3.000000", "2.500000", "2.900000", "3.000000"),
}


class Turn(NamedTuple):
    """One labelled turn: `S01A-F01-S-FM01`, consensus, stored ratings A V D N."""

    name: str
    consensus: str
    ratings: tuple[str, ...]

    @property
    def wav(self) -> str:
        """Below the release, or below its `Audio/`."""
        scenario, talker, condition, _ = self.name.split("-")
        return f"session{talker[-1]}/{scenario}/{condition}/MSP-IMPROV-{self.name}.wav"


def full_release() -> list[Turn]:
    """List all turns of the release."""
    rng = np.random.default_rng(0)
    labelled = [
        (condition, letter)
        for condition, counts in CONSENSUS.items()
        for letter, n in zip("ASHNOX", counts, strict=True)
        for _ in range(n)
    ]
    scenarios = rng.permutation(np.repeat(list(SCENARIOS), list(SCENARIOS.values()))).tolist()
    sessions = {
        is_other: rng.permutation(np.repeat(list(counts), list(counts.values()))).tolist()
        for is_other, counts in ((False, FOUR_CLASSES), (True, OTHERS))
    }
    turns: list[Turn] = []
    numbers: Counter[str] = Counter()
    for i, (condition, letter) in enumerate(labelled):
        sex = "FM"[i % 2]
        performance = 2 * sex if condition == "R" else ("FM", "MF")[i // 2 % 2]
        talker = f"{sex}0{sessions[letter in 'OX'].pop()}"
        stem = f"S{i % 20 + 1:02}{scenarios.pop()}-{talker}-{condition}-{performance}"
        numbers[stem] += 1
        turns.append(Turn(f"{stem}{numbers[stem]:02}", letter, RATINGS[letter]))
    return turns


def label(turn: Turn) -> str:
    """Write a turn's block of the label file: the consensus, then a line per rater (one stands twice)."""
    a, v, d, n = turn.ratings
    rater = "20140930_A1; Happy; Happiness,Amusement; A:2.000000; V:5.000000; D:1.000000; N:5.000000;\n"
    return (
        f"UTD-IMPROV-{turn.name}.avi; {turn.consensus}; A:{a}; V:{v}; D:{d} ; N:{n};\n"
        f"{rater}{rater}20140930_A2; Other; Résigné, ; A:1.000000; V:NaN; D:5.000000; N:3.000000;\n\n"
    )


def write_release(
    root: Path,
    turns: Iterable[Turn],
    label_file: str = "Evalution.txt",
    audio_folder: bool = True,
    n_samples: int = 50,
) -> Path:
    """Write a release with these turns, at 44.1 kHz."""
    turns = list(turns)
    for seed, turn in enumerate(turns):
        write_wav((root / "Audio" if audio_folder else root) / turn.wav, seed, n_samples, rate_hz=44100)
    (root / label_file).write_text("".join(label(turn) for turn in turns), encoding="latin-1")
    (root / "Readme.txt").write_text("MSP-IMPROV\n")
    return root
