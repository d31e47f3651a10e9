"""TurEV-DB: Turkish Emotion-Voice Database (Canpolat et al. 2020).

Six speakers say Turkish words angrily, calmly, happily and sadly. CC BY-NC-ND 4.0;
https://github.com/Xeonen/TurEV-DB, which names no paper: the one above is as we know it.

Layout: `Sound Source/Angry|Calm|Happy|Sad/1157_kz_acik.wav`, 44.1 kHz. Name: speaker (1157 1234 1358 1984 6783
7895), emotion (hl sad, kz angry, mt happy, sk calm), word.

Counts: 1,735 files: Angry 487, Calm 408, Happy 357, Sad 483 (counted in the repository's list of files; EmoBox has
the same total).

Known traps: single words; not every speaker has every emotion (1157 is neither calm nor happy); the sex of the
speakers is not stated and left out. Calm is no neutral: maps that have neutral count it there, as with RAVDESS.
Other folders hold spectrograms of parts of the same takes, and train and test sets that share speakers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ser.corpora.base import GIB, PACKED, Archive, Corpus, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.types import Utterance, ids

SPEAKERS = ("1157", "1234", "1358", "1984", "6783", "7895")
EMOTIONS = {"hl": "sad", "kz": "angry", "mt": "happy", "sk": "calm"}
NAME = re.compile(rf"({'|'.join(SPEAKERS)})_({'|'.join(EMOTIONS)})_([a-z]+)", re.ASCII)


def parse(release: Path) -> Parsed:
    """Read the files of a release, from `Sound Source/` or the folder itself.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    sounds = release / "Sound Source"
    utterances = []
    for path in audio_files(sounds if sounds.is_dir() else release):
        name, code, word = match_name(NAME, path, release, "1157_kz_acik").groups()
        utt_id, speaker = ids("turev_db", name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=None,
                language="tr",
                text_id=word,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

TUREV_FOLDERS = {"Angry": ("kz", "angry"), "Calm": ("sk", "calm"), "Happy": ("mt", "happy"), "Sad": ("hl", "sad")}
TUREV_WORDS = ("acik", "beste", "cay", "deyim", "lokma")


def prompts() -> Iterator[Prompt]:
    """Lay out TurEV-DB: four speakers, of whom one is neither calm nor happy."""
    for folder, (code, emotion) in TUREV_FOLDERS.items():
        for speaker, gender in {"1157": "f", "1234": "m", "1358": "f", "1984": "m"}.items():
            if speaker != "1157" or code in ("kz", "hl"):
                for word in TUREV_WORDS:
                    yield Prompt(f"Sound Source/{folder}/{speaker}_{code}_{word}.wav", speaker, gender, emotion, word)


MINIATURE = Miniature(
    folder="TurEV-DB",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(  # Turkish
        pitch_semitones=-0.3, fronting_ratio=1.03, vowel_space_ratio=0.98, frication_db=-16, syllables_per_s=6.2,
        rhythm_sd=0.1, edge_silence_s=0.04, level_db=-2, low_cut_hz=80, high_cut_hz=6900, noise_floor_dbfs=-52,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="turev_db",
    title="TurEV-DB",
    languages=("tr",),
    n_speakers=6,
    hours=0.5,
    kind="acted",
    traps="single words; not every speaker has every emotion",
    folders=("TurEV-DB", "TurEV-DB-master"),
    page="https://github.com/Xeonen/TurEV-DB",
    licence="CC BY-NC-ND 4.0",
    counts={"angry": 487, "calm": 408, "happy": 357, "sad": 483},
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers", folds=3)),
    source=Archive("https://github.com/Xeonen/TurEV-DB/archive/HEAD.zip", most=8 * GIB, note=PACKED),
    miniature=MINIATURE,
)
