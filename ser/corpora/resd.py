"""RESD: Russian Emotional Speech Dialogs (Aniemore 2022).

Actors play Russian dialogs, each of two roles with an emotion. MIT, as others state it;
https://huggingface.co/datasets/Aniemore/resd_annotated (there as Parquet; `ser.bin.import_table` reads that form).

Layout: `train/` and `test/` with a folder per dialog, and `train.csv`, `test.csv` with the columns `path` and
`emotion`: `train/anger_fear_34/34_anger_fear_a_060.wav`, of the first dialogs
`train/03_disgust_neutral/03_disgust_neutral n_050.wav`; rates differ. Name: dialog, emotions of its two roles,
initial of the emotion that is spoken, number.

Counts: 1,396 files: anger 219, disgust 185, enthusiasm 198, fear 223, happiness 218, neutral 191, sadness 162
(counted in EmoBox's list of files).

Known traps: it is not stated who plays; a speaker here is a role in a dialog, which has one emotion only, so that
speaker and emotion cannot be told apart (flagged `speaker ~ emotion`), and an actor may be several speakers. EmoBox
takes each file for a speaker. The official parts share dialogs. Enthusiasm counts as excited.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from ser.corpora.base import SUFFIXES, Corpus, Form, Parsed, audio_files
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate
from ser.errors import DataError, unknown
from ser.types import Utterance, ids

EMOTIONS = {
    "anger": "angry", "disgust": "disgusted", "enthusiasm": "excited", "fear": "fearful", "happiness": "happy",
    "neutral": "neutral", "sadness": "sad",
}  # fmt: skip
PARTS = ("train", "test")
NAME = re.compile(r"(\d\d)_([a-z]+_[a-z]+)[ _]([adefhns])_\d{3}", re.ASCII)


def parse(release: Path) -> Parsed:
    """Read the two tables and find the audio of each line.

    A line without audio stays an utterance: its file is found missing where audio is checked.

    Raises:
        DataError: for a table that is missing, or a line or a name outside the grammar.
    """
    utterances = []
    for part in PARTS:
        audio = {str(path.relative_to(release / part).with_suffix("")): path for path in audio_files(release / part)}
        for where, file, code in _rows(release / f"{part}.csv"):
            name = Path(file).with_suffix("")
            if not (matched := NAME.fullmatch(name.name)):
                raise DataError(f"resd: {where}: found '{file}', expected as in '34_anger_fear_a_060.wav'")
            dialog, _, initial = matched.groups()
            utt_id, speaker = ids("resd", dialog + initial, name.name.replace(" ", "_"))
            utterances.append(
                Utterance(
                    utt_id=utt_id,
                    speaker=speaker,
                    wav=str(audio.get(str(name), release / part / f"{name}{SUFFIXES[0]}")),
                    emotion=EMOTIONS[code],
                    emotion_native=code,
                    gender=None,
                    language="ru",
                    part=part,
                )
            )
    return Parsed(utterances, {})


def _rows(table: Path) -> Iterator[tuple[str, str, str]]:
    """Read a table's lines: where each stands, path and emotion."""
    if not table.is_file():
        raise DataError(f"resd: '{table.parent}' holds no '{table.name}'; restore it from the release")
    with open(table, encoding="utf-8-sig", newline="") as file:
        for n, row in enumerate(csv.DictReader(file), start=2):
            where, path, emotion = f"{table.name}, line {n} or later", row.get("path") or "", row.get("emotion") or ""
            if emotion not in EMOTIONS:
                raise DataError(f"resd: {where}: emotion {unknown(emotion, EMOTIONS)}")
            yield where, path, emotion


# ---- The miniature --------------------------------------------------------------------------------------------

RESD_DIALOGS = {
    "03": ("disgust", "neutral"), "12": ("sadness", "disgust"), "17": ("anger", "fear"),
    "32": ("happiness", "enthusiasm"), "40": ("fear", "sadness"), "44": ("neutral", "anger"),
    "47": ("enthusiasm", "happiness"),
}  # fmt: skip
RESD_WORDS = {
    "anger": "angry", "disgust": "disgusted", "enthusiasm": "excited", "fear": "fearful", "happiness": "happy",
    "neutral": "neutral", "sadness": "sad",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out RESD: seven dialogs of two roles, who say three sentences; the official test part has the last."""
    for (dialog, roles), n, number in product(RESD_DIALOGS.items(), (0, 1), ("010", "020", "031")):
        emotion = roles[n]
        name, folder = f"{dialog}_{'_'.join(roles)}_{emotion[0]}_{number}", f"{'_'.join(roles)}_{dialog}"
        if dialog == "03":  # written otherwise, as in the release
            folder, name = f"{dialog}_{'_'.join(roles)}", name.replace(f"_{emotion[0]}_", f" {emotion[0]}_")
        part = "test" if number == "031" else "train"
        path = f"{part}/{folder}/{name}.wav"
        yield Prompt(path, dialog + emotion[0], "mf"[n], RESD_WORDS[emotion], dialog + number, take=part)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write the tables of the two parts."""
    native = {emotion: code for code, emotion in RESD_WORDS.items()}
    return {
        f"{part}.csv": [
            "path,emotion,text\n",
            *(f"{p.path.partition('/')[2]},{native[p.emotion]},privet\n" for p in prompts if p.take == part),
        ]
        for part in PARTS
    }


MINIATURE = Miniature(
    folder="RESD",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(  # Russian
        pitch_semitones=-0.6, fronting_ratio=0.98, vowel_space_ratio=0.93, frication_db=-14, syllables_per_s=6.6,
        rhythm_sd=0.17, edge_silence_s=0.04, level_db=0.2, low_cut_hz=70, high_cut_hz=7100, noise_floor_dbfs=-53,
    ),
    labels=label_files,
)  # fmt: skip


CORPUS = Corpus(
    name="resd",
    title="RESD",
    languages=("ru",),
    hours=2.3,
    kind="acted dialogs",
    traps="speakers are not stated: each role of a dialog counts as one, and has one emotion",
    folders=("RESD", "resd_annotated"),
    page="https://huggingface.co/datasets/Aniemore/resd_annotated",
    licence="MIT, as others state it; cite Aniemore 2022",
    counts={
        "angry": 219, "disgusted": 185, "excited": 198, "fearful": 223, "happy": 218, "neutral": 191, "sad": 162,
    },
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("download the archive with `train.csv` and `test.csv`"),
    miniature=MINIATURE,
)  # fmt: skip
