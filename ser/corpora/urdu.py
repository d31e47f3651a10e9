"""URDU: Urdu emotional speech from talk shows (Latif et al. 2018).

Clips of 1 to 3 seconds from unscripted television talk shows, four emotions. For research only;
https://github.com/siddiquelatif/URDU-Dataset.

Layout: `Angry|Happy|Neutral|Sad/SM1_F10_A010.wav`, 44.1 kHz, mono, 16 bit. Name: speaker (S, sex M or F,
number), file number of that speaker behind an F, emotion initial and running number.

Counts: 400 files, 100 per emotion, from 29 speakers: SM1 to SM7, SM17 to SM27, SF1 to SF11.

Known defects: the README speaks of 38 speakers; ids SM8 to SM16 do not occur. Sex and number make a speaker
together (SM1 and SF1 are two people), and the F of the second field is no sex. Most speakers have one
emotion only (anger comes almost wholly from SM1, SM2 and SM4, neutral mostly from SM5), so that speaker and
emotion are hard to separate. No text is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser.corpora.base import GIB, PACKED, Archive, Corpus, Parsed, audio_files, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate, class_means, das_csv
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"(S([MF])[1-9]\d?)_F\d+_([AHNS])\d+", re.ASCII)

EMOTIONS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two files of one name.
    """
    root = release.resolve()
    utterances: dict[str, Utterance] = {}
    for path in audio_files(root):
        speaker_name, sex, letter = match_name(NAME, path, root, "SM1_F10_A010").groups()
        utt_id, speaker = ids("urdu", speaker_name, path.stem)
        if utt_id in utterances:
            twin = Path(utterances[utt_id].wav).relative_to(root)
            raise DataError(f"urdu: '{path.relative_to(root)}' and '{twin}' have one name; keep one of them")
        utterances[utt_id] = Utterance(
            utt_id=utt_id,
            speaker=speaker,
            wav=str(path),
            emotion=EMOTIONS[letter],
            emotion_native=letter,
            gender=sex.lower(),
            language="ur",
        )
    return Parsed(list(utterances.values()), {})


# ---- The miniature --------------------------------------------------------------------------------------------

URDU_FILES = {
    "Angry": {"SM1": 5, "SM2": 6, "SM3": 1, "SM4": 10},
    "Happy": {
        "SF1": 3, "SF2": 1, "SF3": 1, "SF4": 1, "SF5": 1, "SF6": 3, "SF7": 2, "SF8": 1, "SM17": 1,
        "SM18": 1, "SM19": 1, "SM3": 1, "SM5": 2, "SM6": 2, "SM7": 6,
    },
    "Neutral": {"SF9": 1, "SM20": 2, "SM21": 1, "SM22": 1, "SM3": 2, "SM5": 15},
    "Sad": {"SF10": 1, "SF11": 1, "SM23": 2, "SM24": 8, "SM25": 8, "SM26": 1, "SM27": 1, "SM6": 1},
}  # fmt: skip
"""Folder -> speaker -> files: a fifth of the release's, rounded up, so that most speakers have one emotion."""


def prompts() -> Iterator[Prompt]:
    """Lay out URDU: 29 speakers of very different shares; every utterance has its own text."""
    for folder, speakers in URDU_FILES.items():
        files = [(speaker, n) for speaker, n_files in speakers.items() for n in range(1, n_files + 1)]
        for number, (speaker, n) in enumerate(files, 1):
            name = f"{speaker}_F{n}_{folder[0]}0{number}"
            yield Prompt(f"{folder}/{name}.wav", speaker, speaker[1].lower(), folder.lower(), text_id=name)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"URDU.csv": das_csv(",,filename,activation,valence", prompts, rate)}


MINIATURE = Miniature(
    folder="URDU",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(  # as heard on television
        pitch_semitones=0.5, fronting_ratio=1.02, vowel_space_ratio=0.92, frication_db=-15,
        syllables_per_s=7.4, rhythm_sd=0.14, edge_silence_s=0.035,
        level_db=1, channel_tilt_db_per_octave=-0.4, low_cut_hz=110, high_cut_hz=6000, noise_floor_dbfs=-54,
    ),
    labels=label_files,
    ratings=class_means(  # Means of the ratings of Das et al. 2022 as they published them.
        angry=(4.64, 1.88), happy=(3.25, 3.50), neutral=(2.88, 2.92), sad=(2.60, 2.70),
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="urdu",
    title="URDU",
    languages=("ur",),
    n_speakers=29,
    hours=0.3,
    kind="natural, television",
    traps="most speakers have one emotion only",
    rate_hz=44_100,
    folders=("URDU", "URDU-Dataset", "URDU-Dataset-master"),
    page="https://github.com/siddiquelatif/URDU-Dataset",
    licence="research only; cite Latif et al. 2018",
    counts={e: 100 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),  # most speakers have only one emotion
    source=Archive(
        "https://github.com/siddiquelatif/URDU-Dataset/archive/refs/heads/master.zip",
        most=1 * GIB,
        note=PACKED,
    ),
    miniature=MINIATURE,
)
