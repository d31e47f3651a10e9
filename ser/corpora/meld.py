"""MELD: Multimodal EmotionLines Dataset (Poria et al. 2019).

Utterances of the television series Friends, cut out of their dialogues, each labelled by three people with one of
seven emotions. GPL-3.0 for the repository, https://github.com/declare-lab/MELD (https://affective-meld.github.io);
the series itself is its owners'.

Layout: `train_splits/dia0_utt0.mp4`, `dev_splits_complete/`, `output_repeated_splits_test/`, with
`train_sent_emo.csv`, `dev_sent_emo.csv`, `test_sent_emo.csv` beside them or a folder up (columns Speaker, Emotion,
Dialogue_ID, Utterance_ID). Convert the video's audio first, next to it: `ffmpeg -i dia0_utt0.mp4 -vn -ar 16000 -ac 1
dia0_utt0.wav`; `.flac` is read too.

Counts: 13,708 labelled utterances, 13,706 with audio: neutral 6434, joy 2308, surprise 1636, anger 1607, sadness
1002, disgust 361, fear 358 (the authors' table, without the two below, which others say are neutral). Parts: train
9,988, dev 1,108, test 2,610.

Known traps: `dia125_utt3` of train cannot be decoded and `dia110_utt7` of dev does not exist; both are left out.
Numbers of dialogues start anew in each part, so a name alone is no utterance. The test folder has files without a
label (`final_videos_test...`, copies), which are left out. EmoBox counts 304 names of speakers. The official parts,
which stand in `utt2part` and in the utterance ids, share their speakers, who are characters, and minor characters
share names. Music and laughter are part of the audio.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import AMERICAN, Conditions, Labels, Miniature, Prompt, Rate
from ser.errors import DataError, unknown
from ser.types import Utterance, ids

PARTS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
"""Official part -> folder of its videos."""

WITHOUT_AUDIO = ("train_dia125_utt3", "dev_dia110_utt7")

EMOTIONS = {
    "anger": "angry", "disgust": "disgusted", "fear": "fearful", "joy": "happy", "neutral": "neutral",
    "sadness": "sad", "surprise": "surprised",
}  # fmt: skip

GENDER = {"Monica": "f", "Phoebe": "f", "Rachel": "f", "Chandler": "m", "Joey": "m", "Ross": "m"}
NUMBER = re.compile(r"\d+", re.ASCII)


def parse(release: Path) -> Parsed:
    """Read the tables of labels and find the audio of each line.

    A labelled utterance without audio stays one: its file is found missing where audio is checked.

    Raises:
        DataError: for a table that is missing or has a line outside the grammar.
    """
    utterances: list[Utterance] = []
    dropped = {}
    for part, folder in PARTS.items():
        table = _find(release, f"{part}_sent_emo.csv")
        audio = _find(release, folder)
        for row in _rows(table, release):
            name = f"dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"
            flac = audio / f"{name}.flac"
            wav = flac if flac.exists() else audio / f"{name}.wav"
            if f"{part}_{name}" in WITHOUT_AUDIO:
                dropped[str((audio / f"{name}.mp4").relative_to(release))] = "no audio in the release's file"
                continue
            who = row["Speaker"].strip()
            utt_id, speaker = ids("meld", who, f"{part}_{name}")
            utterances.append(
                Utterance(
                    utt_id=utt_id,
                    speaker=speaker,
                    wav=str(wav),
                    emotion=EMOTIONS[row["Emotion"]],
                    emotion_native=row["Emotion"],
                    gender=GENDER.get(who),
                    language="en",
                    part=part,
                )
            )
    return Parsed(utterances, dropped)


def _find(release: Path, name: str) -> Path:
    """Find a table or folder at its place, or one folder further down, where the archives are unpacked."""
    found = [path for path in (release / name, *sorted(release.glob(f"*/{name}"))) if path.exists()]
    if not found:
        raise DataError(f"meld: '{release}' holds no '{name}'; restore it from the release")
    return found[0]


def _rows(table: Path, release: Path) -> Iterator[dict[str, str]]:
    """Read a table's lines with what is needed of them."""
    with open(table, encoding="utf-8-sig", errors="replace", newline="") as file:  # texts may be anything
        for n, row in enumerate(csv.DictReader(file), start=2):
            where = f"meld: {table.relative_to(release)}, line {n} or later"
            wanted = {key: row.get(key) or "" for key in ("Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")}
            if wanted["Emotion"] not in EMOTIONS:
                raise DataError(f"{where}: Emotion {unknown(wanted['Emotion'], EMOTIONS)}")
            if not (wanted["Speaker"].strip() and all(NUMBER.fullmatch(wanted[k]) for k in list(wanted)[2:])):
                raise DataError(f"{where}: found {wanted}, expected a Speaker and two numbers")
            yield wanted


# ---- The miniature --------------------------------------------------------------------------------------------

MELD_PEOPLE = {"Rachel": "f", "Phoebe": "f", "Joey": "m", "Ross": "m"}
MELD_EMOTIONS = {
    "neutral": ("neutral", 3), "joy": ("happy", 2), "surprise": ("surprised", 1), "anger": ("angry", 2),
    "sadness": ("sad", 2), "disgust": ("disgusted", 1), "fear": ("fearful", 1),
}  # fmt: skip
"""Emotion and utterances per person and part."""


def prompts() -> Iterator[Prompt]:
    """Lay out MELD: a dialogue per person in each part; every utterance has its own text."""
    for part, folder in PARTS.items():
        for dialogue, (who, gender) in enumerate(MELD_PEOPLE.items()):
            emotions = [emotion for emotion, n in MELD_EMOTIONS.values() for _ in range(n)]
            for turn, emotion in enumerate(emotions[:: 1 if part == "train" else 2]):
                name = f"dia{dialogue}_utt{turn}"
                yield Prompt(f"MELD.Raw/{folder}/{name}.wav", who, gender, emotion, f"{part}{name}", take=part)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write the three tables; names of emotions are the release's own."""
    native = {emotion: code for code, (emotion, _) in MELD_EMOTIONS.items()}
    files = {}
    for part in PARTS:
        lines = ["Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"]
        for n, prompt in enumerate((p for p in prompts if p.take == part), 1):
            dialogue, turn = re.findall(r"\d+", prompt.stem)
            lines.append(f'{n},"Well, no.",{prompt.speaker},{native[prompt.emotion]},neutral,{dialogue},{turn}\n')
        files[f"MELD.Raw/{part}_sent_emo.csv"] = lines
    return files


MINIATURE = Miniature(
    folder="MELD",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(  # as heard on television
        **AMERICAN, pitch_semitones=1, syllables_per_s=7.9, edge_silence_s=0.02, level_db=2,
        channel_tilt_db_per_octave=-0.5, low_cut_hz=120, high_cut_hz=6000, noise_floor_dbfs=-42,
    ),
    labels=label_files,
)  # fmt: skip


CORPUS = Corpus(
    name="meld",
    title="MELD",
    languages=("en",),
    n_speakers=304,
    hours=12.1,
    kind="television series",
    traps="the official parts share their speakers; music and laughter",
    folders=("MELD", "MELD.Raw"),
    page="https://github.com/declare-lab/MELD",
    licence="GPL-3.0 for the repository; cite Poria et al. 2019",
    counts={
        "angry": 1607, "disgusted": 361, "fearful": 358, "happy": 2308, "neutral": 6434, "sad": 1002,
        "surprised": 1636,
    },
    parse=parse,
    version=2,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form(
        "download http://web.eecs.umich.edu/~mihalcea/downloads/MELD.Raw.tar.gz and convert the audio of its videos"
    ),
    miniature=MINIATURE,
)  # fmt: skip
