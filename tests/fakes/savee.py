"""SAVEE in its three layouts: the official one, the flat copy on Kaggle, and names without an underscore."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.wav import write_wav

LAYOUTS = {
    "official": "AudioData/{speaker}/{stem}.wav",
    "flat": "ALL/{speaker}_{stem}.wav",
    "joined": "{speaker}{stem}.wav",
}


def stems() -> list[str]:
    """List what one speaker says: 30 neutral and 15 of each other emotion."""
    return [
        f"{code}{number:02}"
        for code in ("a", "d", "f", "h", "n", "sa", "su")
        for number in range(1, 31 if code == "n" else 16)
    ]


def write_release(root: Path, layout: str = "official", n_samples: int = 50) -> Path:
    """Write all 480 files in one of the layouts, at 44.1 kHz."""
    seed = 0
    for speaker in ("DC", "JE", "JK", "KL"):
        for stem in stems():
            path = root / LAYOUTS[layout].format(speaker=speaker, stem=stem)
            write_wav(path, seed := seed + 1, n_samples, rate_hz=44100)
    if layout == "official":
        (root / "AudioData" / "Info.txt").write_text("15 sentences per emotion category, 44.1 kHz\n")
        (root / "AudioData" / "DC" / "._d03.wav").write_bytes(b"\0\5\x16\7")
    return root
