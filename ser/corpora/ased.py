"""ASED: Amharic Speech Emotion Dataset, version 1 (Retta et al. 2023).

65 volunteers (25 women, 40 men) of four dialects say Amharic sentences in five emotions; eight judges kept what they
recognized. No license is stated; https://github.com/Ethio2021/ASED_V1.

Layout: five folders, named by number and emotion (`01Neutral`, `02Fearful`, ...), with `a5-03-01-02-50.wav`, 16 kHz.
Name: emotion (a angry, f fearful, h happy, n neutral, s sad) with the folder's number, sentence 01 to 07,
repetition, sex (01 woman, 02 man), speaker 01 to 65.

Counts: 2,474 files: neutral 522, fearful 510, happy 486, sad 470, angry 486 (the total is the authors'; the five
numbers counted in EmoBox's list of files, where one of the sad ones has an upper-case letter).

Known traps: five sentences of an emotion are said in that emotion only, and two in all, so the text tells most
emotions: sentences 01 to 05 have a text id with the letter. A split by speakers shares all texts. One name has an
upper-case letter (others give it as S4-04-02-01-29).
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

NAME = re.compile(r"([afhnsAFHNS])[1-5]-(0[1-7])-0[12]-(01|02)-(0[1-9]|[1-5]\d|6[0-5])", re.ASCII)

EMOTIONS = {"a": "angry", "f": "fearful", "h": "happy", "n": "neutral", "s": "sad"}


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        letter, sentence, sex, name = match_name(NAME, path, release, "a5-03-01-02-50").groups()
        letter = letter.lower()
        utt_id, speaker = ids("ased", name, path.stem.lower())
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[letter],
                emotion_native=letter,
                gender="f" if sex == "01" else "m",
                language="am",
                text_id=sentence if sentence > "05" else letter + sentence,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

ASED_FOLDERS = {
    "01Neutral": ("n1", "neutral"), "02Fearful": ("f2", "fearful"), "03Happy": ("h3", "happy"),
    "04Sad": ("s4", "sad"), "05Angry": ("a5", "angry"),
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out ASED: six speakers; the sixth and seventh sentence are said in every emotion."""
    for (folder, (code, emotion)), (speaker, sex), sentence in product(
        ASED_FOLDERS.items(), {"01": "02", "02": "01", "03": "02", "29": "01", "50": "02", "65": "01"}.items(), "167"
    ):
        name = f"{code}-0{sentence}-01-{sex}-{speaker}"
        text = f"0{sentence}" if sentence != "1" else code[0] + "01"
        yield Prompt(f"{folder}/{name}.wav", speaker, "f" if sex == "01" else "m", emotion, text)


MINIATURE = Miniature(
    folder="ASED_V1",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(  # Amharic
        pitch_semitones=0.4, formant_ratio=0.99, fronting_ratio=1.01, vowel_space_ratio=1.0, frication_db=-14,
        syllables_per_s=6.8, rhythm_sd=0.14, level_db=0.3, channel_tilt_db_per_octave=0.6, low_cut_hz=100,
        high_cut_hz=6400, noise_floor_dbfs=-51,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="ased",
    title="ASED",
    languages=("am",),
    n_speakers=65,
    hours=2.1,
    kind="acted",
    traps="most sentences are said in one emotion only, so the text gives the emotion away",
    rate_hz=16_000,
    folders=("ASED_V1", "ASED", "ASED_V1-main"),
    page="https://github.com/Ethio2021/ASED_V1",
    licence="none stated; cite Retta et al. 2023",
    counts={"angry": 486, "fearful": 510, "happy": 486, "neutral": 522, "sad": 470},
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("clone the repository"),
    miniature=MINIATURE,
)
