"""ESD: Emotional Speech Dataset (Zhou et al. 2021).

Ten speakers of Mandarin (0001 to 0010) and ten of English (0011 to 0020), five women and five men each, say 350
sentences of their language in five emotions; 29 hours. For research, after a request;
https://hltsingapore.github.io/ESD/.

Layout: `0001/Angry/0001_000351.wav`, 16 kHz, mono; in the first release a folder `train`, `evaluation` or `test`
stands between, with the official parts. Name: speaker, number: 1 to 350 neutral, 351 to 700 angry, to 1050 happy, to
1400 sad, to 1750 surprise (as several public loaders have it), so the number modulo 350 is the sentence.
`0001/0001.txt` holds the texts.

Counts: 35,000 files: 20 speakers, 350 sentences, 5 emotions; 7,000 per emotion (the authors' page).

Known traps: the text files have different encodings (GB 2312, UTF-16, UTF-8, Latin 1) and a few broken lines;
nothing here is read from them. All speakers of a language share the sentences, in the official parts too, where
train and test share all speakers. The two languages are two corpora in most papers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"(00(?:0[1-9]|1\d|20))_(00\d{4})", re.ASCII)
FOLDERS = {"neutral": "Neutral", "angry": "Angry", "happy": "Happy", "sad": "Sad", "surprised": "Surprise"}
"""Emotion -> folder, in the order of the numbers."""
N_SENTENCES = 350
PARTS = {"train": "train", "evaluation": "dev", "test": "test"}
MEN = {4, 5, 6, 8, 10, 11, 12, 13, 14, 20}


def parse(release: Path) -> Parsed:
    """Read the files of a release; the emotion is that of the number, and of the folder.

    Raises:
        DataError: for a name outside the grammar, a file in the folder of another emotion, or two different files of
            one name.
    """
    utterances = []
    for path in audio_files(release):
        name, number = match_name(NAME, path, release, "0001_000351").groups()
        part, sentence = divmod(int(number) - 1, N_SENTENCES)
        if not 0 <= part < len(FOLDERS):
            raise DataError(f"{path.relative_to(release)}: found number {number}, expected 000001 to 001750")
        emotion, folder = list(FOLDERS.items())[part]
        if not {folder, folder.lower()} & set(path.relative_to(release).parts[:-1]):
            raise DataError(f"{path.relative_to(release)}: number {number} is in no folder '{folder}'; move it back")
        utt_id, speaker = ids("esd", name, path.stem)
        parts = [PARTS[folder] for folder in path.relative_to(release).parts[:-1] if folder in PARTS]
        language = "zh" if int(name) <= 10 else "en"
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=emotion,
                emotion_native=folder,
                gender="m" if int(name) in MEN else "f",
                language=language,
                text_id=f"{language}{sentence + 1:03}",
                part=parts[-1] if parts else None,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

ESD_SPEAKERS = {"0001": ("f", "zh"), "0004": ("m", "zh"), "0011": ("m", "en"), "0015": ("f", "en")}
ESD_PARTS = {"Neutral": "neutral", "Angry": "angry", "Happy": "happy", "Sad": "sad", "Surprise": "surprised"}


def prompts() -> Iterator[Prompt]:
    """Lay out ESD: two speakers of each language, each emotion with four sentences."""
    for (speaker, (gender, language)), (i, (folder, emotion)), sentence in product(
        ESD_SPEAKERS.items(), enumerate(ESD_PARTS.items()), (1, 20, 21, 350)
    ):
        path = f"{speaker}/{folder}/{speaker}_{350 * i + sentence:06}.wav"
        yield Prompt(path, speaker, gender, emotion, f"{language}{sentence:03}")


MINIATURE = Miniature(
    folder="ESD",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(
        pitch_semitones=0.6, fronting_ratio=0.99, vowel_space_ratio=1.04, frication_db=-15, syllables_per_s=6.3,
        rhythm_sd=0.12, edge_silence_s=0.03, level_db=1.5, presence_db=1, high_cut_hz=7000, noise_floor_dbfs=-65,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="esd",
    title="ESD",
    languages=("zh", "en"),
    n_speakers=20,
    hours=29.0,
    kind="acted",
    traps="two languages; the official parts share all speakers and sentences",
    rate_hz=16_000,
    folders=("ESD", "Emotion Speech Dataset", "Emotional Speech Dataset (ESD)"),
    page="https://hltsingapore.github.io/ESD/",
    licence="research only, after a request; cite Zhou et al. 2021",
    counts=dict.fromkeys(FOLDERS, 7000),
    parse=parse,
    version=2,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("ask for the dataset"),
    miniature=MINIATURE,
)
