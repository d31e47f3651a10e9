"""CASIA in the layouts in which it circulates: the subset by speaker or by emotion, and the full corpus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from tests.fakes.wav import write_wav

SPEAKERS = {
    "liuchanhg": "Chang.Liu",
    "wangzhe": "Zhe.Wang",
    "zhaoquanyin": "Quanyin.Zhao",
    "ZhaoZuoxiang": "Zuoxiang.Zhao",
}
"""Spelling in the subset and the same-text part -> in the different-text part."""

EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def names(layout: str = "speaker", n_same: int = 300, n_different: int = 100) -> Iterator[str]:
    """Yield every path of a release.

    Args:
        layout: `speaker` or `emotion` (the subset of 1,200 files), or `full` (two parts).
        n_same, n_different: sentences of the full corpus' parts.
    """
    for (speaker, other), emotion in product(SPEAKERS.items(), EMOTIONS):
        if layout == "full":
            for sentence in range(1, n_same + 1):
                yield f"相同文本300/{speaker}/{emotion}/{sentence:03}.wav"
            for sentence in range(1, n_different + 1):
                yield f"不同文本100/{other}/{emotion.replace('neutral', 'normal')}/{sentence:03}.wav"
            continue
        for sentence in range(201, 251):
            if layout == "speaker":
                yield f"{speaker}/{emotion}/{sentence}.wav"
            else:
                yield f"{emotion}/{sentence}-{emotion}-{speaker}.wav"


def write_release(root: Path, layout: str = "speaker", n_same: int = 300, n_different: int = 100) -> Path:
    """Write a release of 50 samples per file, with stray files beside the audio."""
    for seed, name in enumerate(names(layout, n_same, n_different)):
        write_wav(root / name, seed, 50)
    (root / "desktop.ini").write_text("")
    (root / "说明.txt").write_text("CASIA\n", encoding="utf-8")
    return root
