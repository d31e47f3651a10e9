"""RAVDESS: Ryerson Audio-Visual Database of Emotional Speech and Song (Livingstone & Russo 2018), speech part.

24 professional actors (odd numbers men, even numbers women) speak two statements in North American English
with eight emotions. CC BY-NC-SA 4.0; https://zenodo.org/record/1188976, `Audio_Speech_Actors_01-24.zip`.

Layout: `Actor_01/03-01-06-01-02-01-12.wav`, 48 kHz, 16 bit. Seven two-digit fields: modality (03 audio only),
channel (01 speech, 02 song), emotion, intensity (01 normal, 02 strong; neutral has no strong), statement,
repetition, actor.

Counts: 1,440 files, 60 per actor: 4 neutral and 8 of each other emotion.

Known defects: copies from Kaggle hold every file again in a nested folder; a few files have two channels; two
files of actor 07 are identical (`03-01-03-01-02-01-07` and `03-01-03-01-02-02-07`); song files and the audio
of the video files are other takes or copies of the same audio, so they are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import GIB, Archive, Corpus, Parsed, audio_files, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import AMERICAN, Conditions, Miniature, Prompt
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")

EMOTIONS = {
    "01": "neutral", "02": "calm", "03": "happy", "04": "sad",
    "05": "angry", "06": "fearful", "07": "disgusted", "08": "surprised",
}  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the speech files of a release; nested copies are read once.

    Raises:
        DataError: for a name outside the grammar, or a copy that differs in size from its namesake.
    """
    utterances: dict[str, Utterance] = {}
    dropped: dict[str, str] = {}
    shallow_first = sorted(audio_files(release), key=lambda p: (len(p.parts), p))
    for path in shallow_first:
        fields = match_name(NAME, path, release, "03-01-06-01-02-01-12").groups()
        modality, channel, emotion, _, statement, _, actor = fields
        name = str(path.relative_to(release))
        if channel == "02":
            dropped[name] = "song"
        elif modality != "03":
            dropped[name] = "audio of a video file"
        elif path.stem in utterances:
            twin = Path(utterances[path.stem].wav)
            if path.stat().st_size != twin.stat().st_size:
                raise DataError(
                    f"ravdess: '{name}' and '{twin.relative_to(release)}' have one name and different "
                    "sizes; keep the right one"
                )
            dropped[name] = "second copy of a file"
        else:
            utt_id, speaker = ids("ravdess", actor, path.stem)
            utterances[path.stem] = Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[emotion],
                emotion_native=emotion,
                gender="m" if int(actor) % 2 else "f",
                language="en",
                text_id=statement,
            )
    return Parsed(list(utterances.values()), dropped)


# ---- The miniature --------------------------------------------------------------------------------------------

RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


def prompts() -> Iterator[Prompt]:
    """Lay out RAVDESS: 24 actors, 8 emotions, 2 statements, once each at normal intensity.

    As in the release, two files of actor 7 are identical and some are stereo (here one).
    """
    for actor, code, statement in product(range(1, 25), range(1, 9), (1, 2)):
        gender = "m" if actor % 2 else "f"
        for repetition in (1, 2) if (actor, code, statement) == (7, 3, 2) else (1,):
            name = f"03-01-{code:02}-01-{statement:02}-{repetition:02}-{actor:02}"
            yield Prompt(
                path=f"Actor_{actor:02}/{name}.wav",
                speaker=f"{actor:02}",
                gender=gender,
                emotion=RAVDESS_EMOTIONS[code - 1],
                text_id=f"ravdess-{statement}",
                n_channels=2 if (actor, code, statement) == (1, 2, 1) else 1,
            )


MINIATURE = Miniature(
    folder="RAVDESS",
    rate_hz=48_000,
    prompts=prompts,
    conditions=Conditions(
        **AMERICAN, formant_ratio=0.98, syllables_per_s=6.5, edge_silence_s=0.06,
        level_db=0.5, channel_tilt_db_per_octave=-0.3, high_cut_hz=7000, noise_floor_dbfs=-63,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS",
    languages=("en",),
    n_speakers=24,
    hours=1.5,
    kind="acted",
    traps="all actors share two sentences; two files are identical",
    rate_hz=48_000,
    folders=("RAVDESS", "Audio_Speech_Actors_01-24", "ravdess-emotional-speech-audio"),
    page="https://zenodo.org/record/1188976 (Audio_Speech_Actors_01-24.zip)",
    licence="CC BY-NC-SA 4.0",
    counts={e: 96 if e == "neutral" else 192 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers", size=4), held_out=6, texts=2),  # two men, two women
    source=Archive(
        "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
        most=4 * GIB,
        size=208_468_073,
        checksum="md5:bc696df654c87fed845eb13823edef8a",  # as Zenodo shows it
    ),
    miniature=MINIATURE,
)
