"""RAVDESS as its authors publish it: speech folders by actor, the stereo file and the identical pair included."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from tests.fakes.wav import write_wav

STEREO = "03-01-08-01-02-02-20"
PAIR = ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")


def stems() -> list[str]:
    """List all 1,440 names: 4 neutral and 8 of each other emotion per actor."""
    return [
        f"03-01-{emotion:02}-{intensity:02}-{statement:02}-{repetition:02}-{actor:02}"
        for actor, emotion, intensity, statement, repetition in product(
            range(1, 25), range(1, 9), (1, 2), (1, 2), (1, 2)
        )
        if not (emotion == 1 and intensity == 2)  # neutral has no strong intensity
    ]


def write_release(root: Path, n_samples: int = 50) -> Path:
    """Write all files at 48 kHz."""
    for seed, stem in enumerate(stems()):
        same = stems().index(PAIR[0]) if stem == PAIR[1] else seed
        path = root / f"Actor_{stem[-2:]}" / f"{stem}.wav"
        write_wav(path, same, n_samples, rate_hz=48000, channels=2 if stem == STEREO else 1)
    return root
