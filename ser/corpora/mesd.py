"""MESD: Mexican Emotional Speech Database (Duville, Alonso-Valerdi & Ibarra-Zarate 2021).

Women, men and children say single Spanish words in five emotions and neutrally. CC BY 4.0;
https://data.mendeley.com/datasets/cy34mh68j9/5.

Layout: `Mexican Emotional Speech Database (MESD)/Anger_F_A_tarde.wav`, 48 kHz. Name: emotion (Anger Disgust Fear
Happiness Neutral Sadness), voice (F women, M men, C children), list of words (A, B), word, whose parts are joined by
`_` (`de_nada`).

Counts: 862 files: anger 143, disgust 144, fear 144, happiness 144, neutral 143, sadness 144 (counted in EmoBox's list
of files). All words with all emotions and voices would be 864.

Known traps: the names say whether a woman, a man or a child speaks, not who: a speaker here is one of these three
groups of people, so that folds by speaker share nobody. EmoBox counts eleven speakers, and takes the three groups for
them, too. Children have no sex here. The words of list A are said in all emotions, those of B in one or some. Most
files are shorter than a second.
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

EMOTIONS = {
    "Anger": "angry", "Disgust": "disgusted", "Fear": "fearful", "Happiness": "happy", "Neutral": "neutral",
    "Sadness": "sad",
}  # fmt: skip
NAME = re.compile(rf"({'|'.join(EMOTIONS)})_([FMC])_([AB])_([a-z]+(?:_[a-z]+)*)", re.ASCII)
GENDER = {"F": "f", "M": "m", "C": None}


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        code, voice, words, word = match_name(NAME, path, release, "Anger_F_A_tarde").groups()
        utt_id, speaker = ids("mesd", voice, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=GENDER[voice],
                language="es",
                text_id=word,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

MESD_EMOTIONS = {
    "Anger": "angry", "Disgust": "disgusted", "Fear": "fearful", "Happiness": "happy", "Neutral": "neutral",
    "Sadness": "sad",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out MESD: three voices, each emotion with three words; a child sounds as a woman does."""
    for voice, (code, emotion), word in product("CFM", MESD_EMOTIONS.items(), ("A_tarde", "A_de_nada", "B_furia")):
        path = f"Mexican Emotional Speech Database (MESD)/{code}_{voice}_{word}.wav"
        yield Prompt(path, voice, "m" if voice == "M" else "f", emotion, word[2:])


MINIATURE = Miniature(
    folder="MESD",
    rate_hz=48_000,
    prompts=prompts,
    conditions=Conditions(  # Mexican Spanish
        pitch_semitones=0.6, fronting_ratio=1.02, vowel_space_ratio=1.05, frication_db=-15, syllables_per_s=6.9,
        rhythm_sd=0.11, edge_silence_s=0.02, level_db=-0.5, noise_floor_dbfs=-57,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="mesd",
    title="MESD",
    languages=("es",),
    n_speakers=3,
    hours=0.2,
    kind="acted",
    traps="single words; a speaker is a group of people (women, men, children)",
    rate_hz=48_000,
    folders=("MESD", "Mexican Emotional Speech Database (MESD)"),
    page="https://data.mendeley.com/datasets/cy34mh68j9/5",
    licence="CC BY 4.0; cite Duville et al. 2021",
    counts={"angry": 143, "disgusted": 144, "fearful": 144, "happy": 144, "neutral": 143, "sad": 144},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers")),
    source=Form("download all files"),
    miniature=MINIATURE,
)
