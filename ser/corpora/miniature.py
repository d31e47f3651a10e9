"""What a corpus declares of its miniature: which files, who says what in which emotion, label files, and its sound.

A miniature follows the names of the real release, quirks included. So does the grammar in the same file, and neither
follows the other: a mistake on one side shows. Not here: how an utterance sounds or is rated
(`ser.corpora.mini.voice`), writing a release (`ser.corpora.mini.maker`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import NamedTuple


@dataclass(frozen=True)
class Prompt:
    """One file of a release: who says what in which emotion. Other paths and channels sound the same."""

    path: str  # relative to the release root
    speaker: str
    gender: str  # m or f
    emotion: str  # canonical word
    text_id: str
    n_channels: int = 1
    take: str = ""  # tells apart what is alike in speaker, emotion and text
    strength: float = 1.0  # aimed at: 0 is neutral, 1 the emotion

    @property
    def stem(self) -> str:
        """Name of the file without its extension."""
        return PurePosixPath(self.path).stem


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


class Ratings(NamedTuple):
    """What listeners say on scales of 1 to 5."""

    arousal: float
    valence: float
    dominance: float = 3.0


def class_means(**classes: tuple[float, ...]) -> dict[str, Ratings]:
    """Name class means: arousal, valence and, where known, dominance."""
    return {emotion: Ratings(*mean) for emotion, mean in classes.items()}


Rate = Callable[[Prompt], Ratings]
Labels = dict[str, Iterable[str]]
"""Path in the release -> pieces of text, made when they are read. Files are in Latin-1: a letter is a byte."""


def no_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Give no file: in most releases the names say it all."""
    return {}


def das_csv(head: str, prompts: Iterable[Prompt], rate: Rate) -> Iterator[str]:
    """Write ratings as Das et al. publish them; columns without a name stay empty."""
    yield f"{head}\n"
    margin = head[: head.index("fil")]
    for prompt in prompts:
        arousal, valence, _ = rate(prompt)
        yield f"{margin}{prompt.stem}.wav,{arousal:g},{valence:g}\n"


@dataclass(frozen=True)
class Miniature:
    """A miniature release.

    Attributes:
        folder: its name.
        rate_hz: of the audio, that of the real release.
        prompts: lays out the files.
        conditions: what sets its sound apart.
        labels: writes label files.
        ratings: means of the classes, where label files hold ratings.
    """

    folder: str
    rate_hz: int
    prompts: Callable[[], Iterator[Prompt]]
    conditions: Conditions
    labels: Callable[[Sequence[Prompt], Rate, int], Labels] = no_labels
    ratings: Mapping[str, Ratings] = field(default_factory=dict)


AMERICAN = {"fronting_ratio": 0.96, "vowel_space_ratio": 0.85, "frication_db": -18, "rhythm_sd": 0.22}
"""The English of RAVDESS and, spoken faster in conversation, of IEMOCAP and MSP-IMPROV."""
