"""Embedded miniature corpora: speech-like audio in the layouts of the real releases.

`make` writes releases, so that a recipe runs from raw audio to its results table without any licensed recording.
A new corpus is one layout function (which files, who says what in which emotion) and one entry of `CORPORA`. How
an utterance sounds is told in `ser.corpora.voice`, which is imported only when there is something to make.

Not here: reading releases (a parser per corpus, beside this file); results on these corpora say that the code
runs and nothing about people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from ser.errors import ConfigError, DataError, unknown
from ser.files import read_json, replacing, write_json

MAKER_VERSION = 1  # raise it whenever the same seed and shift would give other files: releases are rewritten
MAX_SHIFT = 3.0  # further out the conditions leave their ranges


@dataclass(frozen=True)
class Conditions:
    """What a corpus does to all its utterances; the defaults are the common ground of all corpora."""

    pitch_semitones: float = 0.0  # of the speaker population
    formant_ratio: float = 1.0  # of the speaker population
    fronting_ratio: float = 1.0  # language: second formants
    vowel_space_ratio: float = 1.0  # language: log distance of the vowels from their center
    frication_db: float = -16.0  # language: noise at syllable onsets, over the speech
    syllables_per_s: float = 6.7  # language
    rhythm_sd: float = 0.15  # language: of the log syllable durations
    edge_silence_s: float = 0.05  # before and after the speech
    level_db: float = 0.0
    channel_tilt_db_per_octave: float = 0.0
    presence_db: float = 0.0  # gain around 3 kHz
    low_cut_hz: float = 60.0
    high_cut_hz: float = 6800.0
    noise_floor_dbfs: float = -60.0  # up to 8 kHz

    def at(self, shift: float) -> Conditions:
        """Go from the common ground (shift 0) to these conditions (1), in a straight line."""
        mix = {f.name: f.default + shift * (getattr(self, f.name) - f.default) for f in fields(self)}
        return Conditions(**mix)


@dataclass(frozen=True)
class Prompt:
    """One file of a release: who says what in which emotion. Other paths and channels sound the same."""

    path: str  # relative to the release root
    speaker: str
    gender: str  # m or f
    emotion: str  # canonical word
    text_id: str
    n_channels: int = 1


RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
EMODB_SPEAKERS = {
    "03": "m", "08": "f", "09": "f", "10": "m", "11": "m",
    "12": "m", "13": "f", "14": "f", "15": "m", "16": "f",
}  # fmt: skip
EMODB_SENTENCES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
EMODB_LETTERS = {
    "W": ("angry", 4), "F": ("happy", 4), "N": ("neutral", 4), "T": ("sad", 4),
    "L": ("bored", 2), "E": ("disgusted", 1), "A": ("fearful", 1),
}  # fmt: skip
"""Emotion and utterances per speaker."""


def ravdess_prompts() -> Iterator[Prompt]:
    """Lay out RAVDESS: 24 actors, 8 emotions, 2 statements, once each at normal intensity.

    As in the release, two files of actor 7 are identical and some are stereo (here one).
    """
    for actor, code, statement in product(range(1, 25), range(1, 9), (1, 2)):
        gender = "m" if actor % 2 else "f"
        for repetition in (1, 2) if (actor, code, statement) == (7, 3, 2) else (1,):
            name = f"03-01-{code:02}-01-{statement:02}-{repetition:02}-{actor:02}"
            yield Prompt(
                path=f"Actor_{actor:02}/{name}.wav",
                speaker=f"{actor:02}",
                gender=gender,
                emotion=RAVDESS_EMOTIONS[code - 1],
                text_id=f"ravdess-{statement}",
                n_channels=2 if (actor, code, statement) == (1, 2, 1) else 1,
            )


def emodb_prompts() -> Iterator[Prompt]:
    """Lay out EMO-DB: ten actors take turns through the ten sentences, emotion by emotion."""
    for offset, (speaker, gender) in enumerate(EMODB_SPEAKERS.items()):
        emotions = [(letter, emotion) for letter, (emotion, n) in EMODB_LETTERS.items() for _ in range(n)]
        for turn, (letter, emotion) in enumerate(emotions, 3 * offset):
            sentence = EMODB_SENTENCES[turn % len(EMODB_SENTENCES)]
            version = "abcd"[turn % 4]  # not contiguous, as in the release
            yield Prompt(f"wav/{speaker}{sentence}{letter}{version}.wav", speaker, gender, emotion, sentence)


@dataclass(frozen=True)
class Release:
    """How a corpus is published, and what sets its sound apart."""

    folder: str
    rate_hz: int
    prompts: Callable[[], Iterator[Prompt]]
    conditions: Conditions


CORPORA = {
    "ravdess": Release("RAVDESS", 48_000, ravdess_prompts, Conditions(
        formant_ratio=0.98, fronting_ratio=0.96, vowel_space_ratio=0.85, frication_db=-18,
        syllables_per_s=6.5, rhythm_sd=0.22, edge_silence_s=0.06,
        level_db=0.5, channel_tilt_db_per_octave=-0.3, high_cut_hz=7000, noise_floor_dbfs=-63,
    )),
    "emodb": Release("EMO-DB", 16_000, emodb_prompts, Conditions(
        pitch_semitones=1, formant_ratio=1.03, fronting_ratio=1.05, vowel_space_ratio=1.1, frication_db=-13,
        syllables_per_s=7.0, rhythm_sd=0.12, edge_silence_s=0.04,
        level_db=-0.5, channel_tilt_db_per_octave=0.5, presence_db=1.5, low_cut_hz=90, high_cut_hz=6500,
        noise_floor_dbfs=-57,
    )),
}  # fmt: skip
"""What can be made. The distances are set so that a recognizer moved from one corpus to the other loses about
half of its recall; further apart in level and tilt, it would put every utterance into one class."""


def make(
    dest: Path, corpora: Sequence[str] = tuple(CORPORA), *, seed: int = 0, shift: float = 1.0
) -> dict[str, Path]:
    """Write miniature releases; one that is there already, made alike, is left as it is.

    A release appears as a whole, its `mini.json` included, or not at all: what an interrupted run leaves
    stands under a name of its own and is overwritten by the next.

    Args:
        dest: folder of the releases, made if need be.
        corpora: names from `CORPORA`.
        seed: of every draw.
        shift: distance between the corpora, 0 to 3: 0 leaves only other speakers and texts, 1 is clear.

    Returns:
        The root of each release.

    Raises:
        ConfigError: for a corpus that cannot be made, or a shift out of range.
        DataError: if a release's folder holds anything that was not made here.
    """
    for name in corpora:
        if name not in CORPORA:
            raise ConfigError(f"mini corpora: {unknown(name, CORPORA)}")
    if not 0 <= shift <= MAX_SHIFT:
        raise ConfigError(f"mini corpora: shift is {shift}; give a number from 0 to {MAX_SHIFT:g}")
    return {name: _make_release(Path(dest), name, seed, float(shift)) for name in corpora}


def _make_release(dest: Path, name: str, seed: int, shift: float) -> Path:
    release = CORPORA[name]
    root = dest / release.folder
    prompts = list(release.prompts())
    summary = {
        "corpus": name,
        "release": "mini",
        "maker": MAKER_VERSION,
        "seed": seed,
        "shift": shift,
        "counts": Counter(prompt.emotion for prompt in prompts),
        "total": len(prompts),
    }
    if _is_made(root, summary, {prompt.path for prompt in prompts}):
        return root
    from ser.corpora.voice import synthesize, write_wav

    conditions = release.conditions.at(shift)
    with replacing(root) as part:
        for prompt in prompts:
            samples = synthesize(name, prompt, conditions, rate_hz=release.rate_hz, seed=seed)
            write_wav(part / prompt.path, samples, release.rate_hz, prompt.n_channels)
        write_json(part / "mini.json", summary)
    return root


def _is_made(root: Path, summary: dict[str, Any], wavs: set[str]) -> bool:
    """Tell whether exactly this release is there; refuse a place whose content was not made here."""
    if not root.exists():
        return False
    found = {p.relative_to(root).as_posix() for p in root.rglob("*") if not p.is_dir()}
    made = _read_summary(root) if "mini.json" in found else {}
    ours = wavs | {"mini.json"} if made.get("corpus") == summary["corpus"] else set()
    if made == summary and ours <= found:
        return True
    if foreign := sorted(found - ours) or ([] if root.is_dir() else [root.name]):
        raise DataError(
            f"{root}: holds {len(foreign)} files that are not of a mini corpus (first: {foreign[0]}), "
            "and it would be overwritten; move them away, or choose another folder"
        )
    return False


def _read_summary(root: Path) -> dict[str, Any]:
    try:
        return dict(read_json(root / "mini.json"))
    except (TypeError, ValueError):  # not ours, then
        return {}
