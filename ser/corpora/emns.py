"""EMNS: Emotive Narrative Storytelling corpus (Noriy, Yang & Zhang 2023).

A woman says sentences of stories in British English in seven emotions and neutrally. Apache 2.0;
https://www.openslr.org/136/.

Layout: `metadata.csv`, with `|` between its columns (`id`, `emotion`, `audio_recording`, `status` and others), and
`cleaned_webm/recorded_audio_RF6OuQ4.webm`, 48 kHz. Convert the audio first, next to it: `for f in *.webm; do ffmpeg
-i "$f" "${f%.webm}.wav"; done`. The table has `wavs/` before each name.

Counts: 1,181 recordings: Angry 126, Disgust 162, Excited 150, Happy 157, Neutral 149, Sad 147, Sarcastic 139,
Surprised 151 (counted in EmoBox's list of files). The table has 24 more lines, which are marked `Needs Updating` and
have no audio.

Known traps: one speaker, so no evaluation within the corpus is speaker-independent, and it has no folds. Every
utterance has its own sentence, so there is no text id. Sarcastic counts as `other`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ser.corpora.base import SUFFIXES, Corpus, Form, Parsed, audio_files
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate
from ser.errors import DataError, unknown
from ser.types import Utterance, ids

TABLE = "metadata.csv"
EMOTIONS = {
    "Angry": "angry", "Disgust": "disgusted", "Excited": "excited", "Happy": "happy", "Neutral": "neutral",
    "Sad": "sad", "Sarcastic": "other", "Surprised": "surprised",
}  # fmt: skip
COLUMNS = ("emotion", "audio_recording", "status")
COMPLETE, INCOMPLETE = "Complete", "Needs Updating"


def parse(release: Path) -> Parsed:
    """Read the table and find the audio of each line.

    A line without audio stays an utterance: its file is found missing where audio is checked.

    Raises:
        DataError: for a table that is missing or has a line outside the grammar.
    """
    if not (release / TABLE).is_file():
        raise DataError(f"emns: '{release}' holds no '{TABLE}'; restore it from the release")
    audio = {path.stem: path for path in audio_files(release)}
    videos = {path.stem: path for path in audio_files(release, (".webm",))}
    utterances, dropped = [], {}
    for where, emotion, recording, status in _rows(release):
        stem = PurePosixPath(recording).stem
        if status == INCOMPLETE:
            dropped[f"{TABLE}: {stem or where}"] = "no audio in the release"
            continue
        place = videos.get(stem, release / "cleaned_webm" / stem).with_suffix(SUFFIXES[0])
        utt_id, speaker = ids("emns", "1", stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(audio.get(stem, place)),
                emotion=EMOTIONS[emotion],
                emotion_native=emotion,
                gender="f",
                language="en",
            )
        )
    return Parsed(utterances, dropped)


def _rows(release: Path) -> Iterator[tuple[str, str, str, str]]:
    """Read the lines of the table: where each stands, its emotion, its recording and its status."""
    with open(release / TABLE, encoding="utf-8-sig", errors="replace", newline="") as file:  # texts may be anything
        for n, row in enumerate(csv.DictReader(file, delimiter="|"), start=2):
            emotion, recording, status = ((row.get(column) or "").strip() for column in COLUMNS)
            where = f"{TABLE}, line {n} or later"
            if status not in (COMPLETE, INCOMPLETE):
                raise DataError(f"emns: {where}: status {unknown(status, (COMPLETE, INCOMPLETE))}")
            if status == COMPLETE and (emotion not in EMOTIONS or not recording):
                raise DataError(f"emns: {where}: emotion {unknown(emotion, EMOTIONS)}, recording '{recording}'")
            yield where, emotion, recording, status


# ---- The miniature --------------------------------------------------------------------------------------------

EMNS_EMOTIONS = {
    "Angry": "angry", "Disgust": "disgusted", "Excited": "excited", "Happy": "happy", "Neutral": "neutral",
    "Sad": "sad", "Sarcastic": "other", "Surprised": "surprised",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out EMNS: one woman, eight emotions, four sentences each, all different."""
    for code, emotion in EMNS_EMOTIONS.items():
        for letter in "ABCD":
            name = f"recorded_audio_{letter}{code[:4]}9"
            yield Prompt(f"cleaned_webm/{name}.wav", "1", "f", emotion, name)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write the table, and a line without a recording."""
    native = {emotion: code for code, emotion in EMNS_EMOTIONS.items()}
    lines = ["id|gender|age|emotion|level|utterance|description|audio_recording|status\n"]
    for n, prompt in enumerate(prompts, 1):
        lines.append(f"{n}|female|30|{native[prompt.emotion]}|5|Well, no.|calm|wavs/{prompt.stem}.webm|Complete\n")
    return {TABLE: [*lines, "99|female|30|Happy|5|Lost.|calm||Needs Updating\n"]}


MINIATURE = Miniature(
    folder="EMNS",
    rate_hz=48_000,
    prompts=prompts,
    conditions=Conditions(  # British English
        pitch_semitones=0.7, fronting_ratio=1.0, vowel_space_ratio=1.04, frication_db=-17, syllables_per_s=6.1,
        rhythm_sd=0.2, edge_silence_s=0.05, level_db=-0.6, presence_db=0.6, noise_floor_dbfs=-55,
    ),
    labels=label_files,
)  # fmt: skip


CORPUS = Corpus(
    name="emns",
    title="EMNS",
    languages=("en",),
    n_speakers=1,
    hours=1.9,
    kind="acted",
    traps="one speaker; every emotion has its own sentences",
    folders=("EMNS",),
    page="https://www.openslr.org/136/",
    licence="Apache 2.0; cite Noriy et al. 2023",
    counts={
        "angry": 126, "disgusted": 162, "excited": 150, "happy": 157, "neutral": 149, "other": 139, "sad": 147,
        "surprised": 151,
    },
    parse=parse,
    source=Form("download `cleaned_webm.tar.xz` and `metadata.csv`, and convert the audio"),
    miniature=MINIATURE,
)  # fmt: skip
