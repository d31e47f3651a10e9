"""TESS: Toronto Emotional Speech Set (Pichora-Fuller & Dupuis 2020).

Two actresses, 64 (OAF) and 26 (YAF) years old, say 200 words in "Say the word ..." neutrally and with six emotions.
https://tspace.library.utoronto.ca/handle/1807/24487; others state a Creative Commons license for non-commercial use,
which we have not read there.

Layout: a folder per actress and emotion (`OAF_angry`, `YAF_pleasant_surprised`, of varying spelling) or all in one,
with `OAF_back_angry.wav`, 24,414 Hz, mono, 16 bit. Name: actress, word, emotion (angry disgust fear happy neutral ps
sad).

Counts: 2,800 files, 200 words by two actresses with seven emotions: 400 each (the authors' page).

Known traps: `ps` is pleasant surprise. `OA_bite_neutral` is OAF's. Two files, which others name as YAF_germ_angry
and YAF_neat_fear, are AIFF inside (readers of WAV take them for damaged), and one file has 96 kHz; both are read as
they are. Copies from Kaggle hold every file again in a nested folder. There are two speakers, so a split by speakers
has two folds, and both say the same words. 24,414 Hz is no usual rate: features are computed from 16 kHz.
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

NAME = re.compile(r"(OAF|YAF|OA(?=_bite_neutral$))_([a-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.ASCII)

EMOTIONS = {
    "angry": "angry", "disgust": "disgusted", "fear": "fearful", "happy": "happy", "neutral": "neutral",
    "ps": "surprised", "sad": "sad",
}  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the files of a release; nested copies are read once.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        actress, word, code = match_name(NAME, path, release, "OAF_back_angry").groups()
        actress = "OAF" if actress == "OA" else actress
        utt_id, speaker = ids("tess", actress, f"{actress}_{word}_{code}")
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender="f",
                language="en",
                text_id=word,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

TESS_WORDS = ("back", "bite", "food", "gaze", "neat", "young")
TESS_EMOTIONS = {
    "angry": "angry", "disgust": "disgusted", "fear": "fearful", "happy": "happy", "neutral": "neutral",
    "ps": "surprised", "sad": "sad",
}  # fmt: skip
TESS_FOLDERS = {"ps": "Pleasant_surprise"}


def prompts() -> Iterator[Prompt]:
    """Lay out TESS: two actresses, each emotion with six words; one name lacks a letter, as in the release."""
    for actress, (code, emotion), word in product(("OAF", "YAF"), TESS_EMOTIONS.items(), TESS_WORDS):
        name = f"{actress}_{word}_{code}".replace("OAF_bite_neutral", "OA_bite_neutral")
        yield Prompt(f"{actress}_{TESS_FOLDERS.get(code, code)}/{name}.wav", actress, "f", emotion, word)


MINIATURE = Miniature(
    folder="TESS",
    rate_hz=24_414,
    prompts=prompts,
    conditions=Conditions(  # Canadian English
        pitch_semitones=-0.5, fronting_ratio=0.97, vowel_space_ratio=0.95, frication_db=-17, syllables_per_s=5.8,
        rhythm_sd=0.18, edge_silence_s=0.03, level_db=-0.8, presence_db=1.2, noise_floor_dbfs=-64,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="tess",
    title="TESS",
    languages=("en",),
    n_speakers=2,
    hours=1.6,
    kind="acted",
    traps="two speakers, who share the words; two files are AIFF inside",
    folders=("TESS", "TESS Toronto emotional speech set data"),
    page="https://tspace.library.utoronto.ca/handle/1807/24487",
    licence="Creative Commons, non-commercial, as others state it; cite Pichora-Fuller & Dupuis 2020",
    counts=dict.fromkeys(EMOTIONS.values(), 400),
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers"), texts=5),
    source=Form("download the archives of both actresses"),
    miniature=MINIATURE,
)
