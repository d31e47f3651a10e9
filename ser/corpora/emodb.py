"""EMO-DB: Berlin Database of Emotional Speech (Burkhardt et al. 2005).

Ten actors speak ten German sentences with seven emotions. Free download from http://emodb.bilderbar.info/
(`download/download.zip`); its authors ask to be cited.

Layout: `wav/03a01Fa.wav` (some mirrors: `wav_corpus/`), 16 kHz, mono, 16 bit, beside label folders. Name:
speaker (two digits), sentence (a or b and two digits), emotion (German initial), version letter.

Counts: 535 files: W 127, L 81, E 46, A 69, F 71, T 62, N 79.

Known traps: A (Angst) is fear, F (Freude) happiness, E (Ekel) disgust; speaker ids are not 1 to 10 and their sex does
not follow odd and even numbers; version letters have gaps, because clips that listeners did not recognize were
dropped; all speakers share the ten sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser.corpora.base import GIB, Archive, Corpus, Parsed, audio_files, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate, class_means, das_csv
from ser.types import Utterance, ids

NAME = re.compile(r"(03|08|09|1[0-6])([ab]\d\d)([WLEAFTN])([a-z])")

EMOTIONS = {
    "W": "angry",  # Wut
    "L": "bored",  # Langeweile
    "E": "disgusted",  # Ekel
    "A": "fearful",  # Angst
    "F": "happy",  # Freude
    "T": "sad",  # Trauer
    "N": "neutral",
}

GENDER = {
    "03": "m", "08": "f", "09": "f", "10": "m", "11": "m",
    "12": "m", "13": "f", "14": "f", "15": "m", "16": "f",
}  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the files of a release, from `wav/`, `wav_corpus/` or the folder itself.

    Raises:
        DataError: for a name outside the grammar.
    """
    folders = [release / name for name in ("wav", "wav_corpus") if (release / name).is_dir()]
    utterances = []
    for path in audio_files(folders[0] if folders else release):
        speaker_name, sentence, letter, _ = match_name(NAME, path, release, "03a01Fa").groups()
        utt_id, speaker = ids("emodb", speaker_name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[letter],
                emotion_native=letter,
                gender=GENDER[speaker_name],
                language="de",
                text_id=sentence,
            )
        )
    return Parsed(utterances, {})


# ---- The miniature --------------------------------------------------------------------------------------------

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


def prompts() -> Iterator[Prompt]:
    """Lay out EMO-DB: ten actors take turns through the ten sentences, emotion by emotion."""
    for offset, (speaker, gender) in enumerate(EMODB_SPEAKERS.items()):
        emotions = [(letter, emotion) for letter, (emotion, n) in EMODB_LETTERS.items() for _ in range(n)]
        for turn, (letter, emotion) in enumerate(emotions, 3 * offset):
            sentence = EMODB_SENTENCES[turn % len(EMODB_SENTENCES)]
            version = "abcd"[turn % 4]  # not contiguous, as in the release
            yield Prompt(f"wav/{speaker}{sentence}{letter}{version}.wav", speaker, gender, emotion, sentence)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"EMO_DB.csv": das_csv("filename,activation,valence ", prompts, rate)}


MINIATURE = Miniature(
    folder="EMO-DB",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(  # German
        pitch_semitones=1, formant_ratio=1.03, fronting_ratio=1.05, vowel_space_ratio=1.1, frication_db=-13,
        syllables_per_s=7.0, rhythm_sd=0.12, edge_silence_s=0.04,
        level_db=-0.5, channel_tilt_db_per_octave=0.5, presence_db=1.5, low_cut_hz=90, high_cut_hz=6500,
        noise_floor_dbfs=-57,
    ),
    labels=label_files,
    ratings=class_means(  # Means of the ratings of Das et al. 2022 as they published them.
        angry=(4.23, 2.06), happy=(3.73, 3.70), neutral=(2.68, 3.00), sad=(1.66, 2.13), fearful=(3.71, 2.12),
        disgusted=(2.55, 2.03), bored=(2.16, 2.70),
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="emodb",
    title="EMO-DB",
    languages=("de",),
    n_speakers=10,
    hours=0.4,
    kind="acted",
    traps="all speakers share ten sentences; clips that listeners did not recognize were dropped",
    rate_hz=16_000,
    folders=("EMO-DB", "EMODB", "emo_db"),
    page="http://emodb.bilderbar.info/ (download/download.zip)",
    licence="free; cite Burkhardt et al. 2005",
    counts={"angry": 127, "bored": 81, "disgusted": 46, "fearful": 69, "happy": 71, "sad": 62, "neutral": 79},
    parse=parse,
    folds=Folds(FoldRule(rule="gender_pairs"), texts=5),  # five pairs; the first: 107 of 535
    source=Archive(
        "http://emodb.bilderbar.info/download/download.zip",  # about 40 MB; no checksum is published
        most=1 * GIB,
    ),
    miniature=MINIATURE,
)
