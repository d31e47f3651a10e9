"""EmoV-DB: Emotional Voices Database (Adigwe et al. 2018).

Two women and two men read English sentences of CMU Arctic in up to five styles, for speech synthesis. A license of
its own, for research, teaching and other non-commercial use; https://www.openslr.org/115/, linked by the authors at
https://github.com/numediart/EmoV-DB.

Layout: `bea_Amused/amused_1-28_0011.wav` or `bea/Amused/...`, 16 or 44.1 kHz, 16 bit. Folder: speaker (bea jenie
josh sam), style (Amused, Angry, Disgusted or Disgust, Neutral, Sleepy). Name: style in another word, range of the
sentences that were recorded together, number of the sentence.

Counts: not asserted. The authors' table adds up to 7,000 files (amused 1330, angry 1308, disgusted 1033, neutral
1585, sleepy 1744), and EmoBox lists 6,887.

Known traps: josh is neither angry nor disgusted, so a fold by speaker lacks these. No fear and no sadness. Amused
counts as happy and sleepy as `other`; their own words are in `utt2emo_native`. The speakers share the sentences. Some
files begin with laughter or a yawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import AMERICAN, Conditions, Miniature, Prompt
from ser.errors import DataError
from ser.types import Utterance, ids

GENDER = {"bea": "f", "jenie": "f", "josh": "m", "sam": "m"}
STYLES = {
    "Amused": "happy", "Angry": "angry", "Disgusted": "disgusted", "Neutral": "neutral", "Sleepy": "other",
}  # fmt: skip
FOLDER = re.compile(rf"({'|'.join(GENDER)})[_/](Amused|Angry|Disgust(?:ed)?|Neutral|Sleepy)", re.ASCII)
NAME = re.compile(r"[A-Za-z]+_\d+-\d+_(\d{4})", re.ASCII)


def parse(release: Path) -> Parsed:
    """Read the files of a release; speaker and style are those of the folders.

    Raises:
        DataError: for a name outside the grammar, a file in no folder of a speaker and a style, or two different
            files of one name.
    """
    utterances = []
    for path in audio_files(release):
        (sentence,) = match_name(NAME, path, release, "amused_1-28_0011").groups()
        folders = path.relative_to(release).parts[:-1]
        found = FOLDER.fullmatch("/".join(folders[-2:])) or FOLDER.fullmatch("/".join(folders[-1:]))
        if not found:
            raise DataError(f"{path.relative_to(release)}: is in no folder as 'bea_Amused'; move it back")
        name, style = found[1], found[2].replace("Disgusted", "Disgust").replace("Disgust", "Disgusted")
        utt_id, speaker = ids("emov_db", name, f"{style}_{path.stem}")
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=STYLES[style],
                emotion_native=style,
                gender=GENDER[name],
                language="en",
                text_id=sentence,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

EMOV_STYLES = {
    "Amused": ("amused", "happy"), "Angry": ("anger", "angry"), "Disgusted": ("disgust", "disgusted"),
    "Neutral": ("neutral", "neutral"), "Sleepy": ("sleepiness", "other"),
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out EmoV-DB: four speakers, each style with three sentences; one man lacks two styles."""
    for (speaker, gender), (style, (word, emotion)), sentence in product(
        {"bea": "f", "jenie": "f", "josh": "m", "sam": "m"}.items(), EMOV_STYLES.items(), ("0001", "0011", "0028")
    ):
        if speaker != "josh" or style not in ("Angry", "Disgusted"):
            yield Prompt(f"{speaker}_{style}/{word}_1-28_{sentence}.wav", speaker, gender, emotion, sentence)


MINIATURE = Miniature(
    folder="EmoV-DB",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(
        **AMERICAN, pitch_semitones=-0.4, syllables_per_s=6.4, level_db=0.4, channel_tilt_db_per_octave=0.2,
        presence_db=0.8, noise_floor_dbfs=-60,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="emov_db",
    title="EmoV-DB",
    languages=("en",),
    n_speakers=4,
    hours=9.5,
    kind="acted, read",
    traps="one of four speakers lacks two emotions; no sadness; speakers share the sentences",
    folders=("EmoV-DB", "EmoV_DB", "EmoVDB"),
    page="https://www.openslr.org/115/",
    licence="non-commercial, of its own; cite Adigwe et al. 2018",
    counts={},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers")),
    source=Form("download all archives and unpack each into a folder of its name"),
    miniature=MINIATURE,
)
