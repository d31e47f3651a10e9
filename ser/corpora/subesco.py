"""SUBESCO: SUST Bangla Emotional Speech Corpus (Sultana et al. 2021).

Twenty professional actors, ten men and ten women, say ten Bangla sentences with six emotions and neutrally, five
times each; 7 hours 40 minutes. CC BY 4.0; https://zenodo.org/records/4526477.

Layout: `F_02_MONIKA_S_1_NEUTRAL_5.wav`, in one folder. Name: sex, number of the speaker, the speaker's name, S and
the number of the sentence, emotion (ANGRY DISGUST FEAR HAPPY NEUTRAL SAD SURPRISE), take.

Counts: 7,000 files: 20 speakers, 10 sentences, 7 emotions, 5 takes; 1,000 per emotion (the authors' description).

Known traps: men and women are both numbered 01 to 10, so the number alone is no speaker (a published loader merges
M_01 with F_01). All speakers share the ten sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import GIB, Archive, Corpus, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.types import Utterance, ids

NAME = re.compile(
    r"(([MF])_(?:0[1-9]|10))_[A-Z]+_S_([1-9]|10)_(ANGRY|DISGUST|FEAR|HAPPY|NEUTRAL|SAD|SURPRISE)_([1-5])", re.ASCII
)

EMOTIONS = {
    "ANGRY": "angry", "DISGUST": "disgusted", "FEAR": "fearful", "HAPPY": "happy", "NEUTRAL": "neutral",
    "SAD": "sad", "SURPRISE": "surprised",
}  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        name, sex, sentence, code, _ = match_name(NAME, path, release, "F_02_MONIKA_S_1_NEUTRAL_5").groups()
        utt_id, speaker = ids("subesco", name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=sex.lower(),
                language="bn",
                text_id=sentence,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

SUBESCO_SPEAKERS = {"F_01": "ANIKA", "F_02": "MONIKA", "M_01": "ARIF", "M_02": "BABUL"}
SUBESCO_EMOTIONS = {
    "ANGRY": "angry", "DISGUST": "disgusted", "FEAR": "fearful", "HAPPY": "happy", "NEUTRAL": "neutral",
    "SAD": "sad", "SURPRISE": "surprised",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out SUBESCO: four speakers of invented names, each emotion with three sentences."""
    for (speaker, name), (code, emotion), sentence in product(
        SUBESCO_SPEAKERS.items(), SUBESCO_EMOTIONS.items(), ("1", "2", "10")
    ):
        path = f"{speaker}_{name}_S_{sentence}_{code}_1.wav"
        yield Prompt(path, speaker, speaker[0].lower(), emotion, sentence)


MINIATURE = Miniature(
    folder="SUBESCO",
    rate_hz=48_000,
    prompts=prompts,
    conditions=Conditions(  # Bangla
        pitch_semitones=0.8, formant_ratio=1.02, fronting_ratio=0.98, vowel_space_ratio=1.06, frication_db=-19,
        syllables_per_s=7.3, rhythm_sd=0.11, edge_silence_s=0.04, level_db=0.8, high_cut_hz=7300,
        noise_floor_dbfs=-62,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="subesco",
    title="SUBESCO",
    languages=("bn",),
    n_speakers=20,
    hours=7.7,
    kind="acted",
    traps="men and women are both numbered from 01; all speakers share ten sentences",
    folders=("SUBESCO",),
    page="https://zenodo.org/records/4526477",
    licence="CC BY 4.0",
    counts=dict.fromkeys(EMOTIONS.values(), 1000),
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers"), texts=5),
    source=Archive(
        "https://zenodo.org/records/4526477/files/SUBESCO.zip?download=1",  # no checksum known to us
        most=8 * GIB,
    ),
    miniature=MINIATURE,
)
