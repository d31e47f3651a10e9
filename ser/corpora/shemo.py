"""ShEMO: Sharif Emotional Speech Database (Mohamad Nezami et al. 2019).

3,000 semi-natural utterances from Persian radio plays, 87 speakers (31 women, 56 men), 3 hours 25 minutes; twelve
people labelled five emotions and neutral, and the majority decides. Free for academic purposes;
https://github.com/pariajm/sharif-emotional-speech-database.

Layout: `female/F03S02.wav`, `male/M02F01.wav`, 44.1 kHz, mono, 16 bit as we
know it. Name: sex and number of the speaker, emotion
(A anger, F fear, H happiness, N neutral, S sadness, W surprise), number of the utterance in that emotion.

Counts: 3,000: A 1059, F 38, H 201, N 1028, S 449, W 225. The total is the authors'; the six numbers are those of
their paper as we know them, and add up to it, but were not counted in the files. Other lists have 2,838 files.

Known traps: F is a woman as the first letter and fear as the fourth; number and sex make a speaker together (F03 and
M03 are two people); fear has 38 utterances, and most people leave it out; the language is Persian (fa), although a
published loader says Arabic. The text is given elsewhere and is different for each utterance, so there is no text
id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.types import Utterance, ids

NAME = re.compile(r"(([FM])\d\d)([AFHNSW])\d\d\d?", re.ASCII)

EMOTIONS = {"A": "angry", "F": "fearful", "H": "happy", "N": "neutral", "S": "sad", "W": "surprised"}


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        name, sex, letter = match_name(NAME, path, release, "F03S02").groups()
        utt_id, speaker = ids("shemo", name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[letter],
                emotion_native=letter,
                gender=sex.lower(),
                language="fa",
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

SHEMO_LETTERS = {
    "A": ("angry", 4), "F": ("fearful", 1), "H": ("happy", 2), "N": ("neutral", 4), "S": ("sad", 3),
    "W": ("surprised", 2),
}  # fmt: skip
"""Emotion and utterances per speaker."""


def prompts() -> Iterator[Prompt]:
    """Lay out ShEMO: six speakers, uneven emotions, a text for each utterance."""
    for (folder, sex), speaker, (letter, (emotion, n)) in product(
        {"female": "F", "male": "M"}.items(), ("01", "02", "03"), SHEMO_LETTERS.items()
    ):
        for number in range(1, n + 1):
            name = f"{sex}{speaker}{letter}{number:02}"
            yield Prompt(f"{folder}/{name}.wav", sex + speaker, sex.lower(), emotion, name)


MINIATURE = Miniature(
    folder="ShEMO",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(  # Persian, as heard on the radio
        pitch_semitones=0.3, fronting_ratio=1.04, vowel_space_ratio=1.03, frication_db=-14, syllables_per_s=7.2,
        rhythm_sd=0.13, level_db=1.2, channel_tilt_db_per_octave=-0.3, low_cut_hz=100, high_cut_hz=6300,
        noise_floor_dbfs=-55,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="shemo",
    title="ShEMO",
    languages=("fa",),
    n_speakers=87,
    hours=3.4,
    kind="radio plays",
    traps="38 utterances of fear; a corrected list has 2,838 of the files",
    folders=("ShEMO",),
    page="https://github.com/pariajm/sharif-emotional-speech-database",
    licence="free for academic purposes; cite Mohamad Nezami et al. 2019",
    counts={"angry": 1059, "fearful": 38, "happy": 201, "neutral": 1028, "sad": 449, "surprised": 225},
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("download `female.zip` and `male.zip`"),
    miniature=MINIATURE,
)
