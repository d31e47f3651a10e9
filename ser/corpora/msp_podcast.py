"""MSP-Podcast: natural speech from podcasts (Lotfian & Busso 2019; Busso et al. 2025).

English speaking turns, each heard by five listeners or more. Signed academic license, no redistribution;
https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html.

Layout: `Audios/MSP-PODCAST_0001_0008.wav` (in older versions `Audio/`), 16 kHz but for a few files, and
`Labels/labels_consensus.csv` (older: `labels_concensus.csv`; either may lie a folder deeper) with the columns
FileName, EmoClass, EmoAct, EmoVal, EmoDom (1 to 7), SpkrID, Gender, Split_Set. EmoClass: A angry, C contempt, D
disgust, F fear, H happy, N neutral, S sad, U surprise, O other, X no agreement. `labels_detailed.csv` has the
listeners, a line each: in a column EmoClass_Major, or in the second column as `worker; Neutral; Annoyed; A:3; V:4`.

Counts: not asserted, as they differ between versions: 2.0 has 264,705 labelled turns (137,168 of eight emotions in
Train, 27,205 in Development, 36,768 in Test1, 11,667 in Test2). Every labelled turn has to have audio, except
MSP-PODCAST_1909_1017, which is not in the release.

Known traps: turns of unknown speakers (a sixth of version 2.0) may be anybody's, people of the test sets included:
they are one speaker `Unknown` here, so that folds keep them together. The official parts, which are in `utt2part`,
share a few speakers. Test3 comes without labels and is left out. Contempt and other count as `other`. A fifth of the
turns is X or O. Test1 and Test2 have other shares of neutral, and are two test sets.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from ser.corpora.base import SUFFIXES, Corpus, Form, Parsed, audio_files
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import AMERICAN, Conditions, Labels, Miniature, Prompt, Rate, class_means
from ser.errors import DataError, unknown
from ser.types import Utterance, format_votes, ids

CONSENSUS = ("labels_consensus.csv", "labels_concensus.csv")
DETAILED = "labels_detailed.csv"
EMOTIONS = {
    "A": "angry", "C": "other", "D": "disgusted", "F": "fearful", "H": "happy", "N": "neutral", "O": "other",
    "S": "sad", "U": "surprised", "X": "unknown",
}  # fmt: skip
WORDS = {
    "Angry": "angry", "Contempt": "other", "Disgust": "disgusted", "Fear": "fearful", "Happy": "happy",
    "Neutral": "neutral", "Sad": "sad", "Surprise": "surprised",
}  # fmt: skip
"""What listeners choose; other words, which they wrote themselves, count as other."""

PARTS = {
    "Train": "train", "Development": "dev", "Validation": "dev", "Test1": "test1", "Test2": "test2", "Test3": "test3",
}  # fmt: skip
GENDER = {"Female": "f", "Male": "m"}
UNKNOWN = "Unknown"
WITHOUT_AUDIO = "MSP-PODCAST_1909_1017"
LOWEST, HIGHEST = 1.0, 7.0


def parse(release: Path) -> Parsed:
    """Read the tables of labels and find the audio of each line.

    A labelled turn without audio stays an utterance: its file is found missing where audio is checked.

    Raises:
        DataError: for a table that is missing or has a line outside the grammar.
    """
    table = next((path for name in CONSENSUS for path in _find(release, name)), None)
    if table is None:
        raise DataError(f"msp_podcast: '{release}' holds no '{CONSENSUS[0]}'; restore it from the release")
    votes = {name: format_votes(heard) for path in _find(release, DETAILED)[:1] for name, heard in _votes(path)}
    audio = {path.stem: path for path in audio_files(release)}
    folder = next(iter(audio.values())).parent if audio else release / "Audios"
    utterances, dropped = [], {}
    for where, row in _rows(table):
        stem = Path(row["FileName"]).stem
        if stem == WITHOUT_AUDIO and stem not in audio:
            dropped[f"{stem}.wav"] = "no audio in the release"
            continue
        known = row["SpkrID"] not in ("", UNKNOWN)
        utt_id, speaker = ids("msp_podcast", row["SpkrID"] if known else UNKNOWN, stem)
        arousal, valence, dominance = (_rating(row[column], where) for column in ("EmoAct", "EmoVal", "EmoDom"))
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(audio.pop(stem, folder / f"{stem}{SUFFIXES[0]}")),
                emotion=EMOTIONS[row["EmoClass"]],
                emotion_native=row["EmoClass"],
                gender=GENDER.get(row["Gender"]) if known else None,
                language="en",
                arousal=arousal,
                valence=valence,
                dominance=dominance,
                votes=votes.get(stem),
                part=PARTS[row["Split_Set"]],
            )
        )
    dropped |= {str(path.relative_to(release)): "no label in the release" for path in audio.values()}
    return Parsed(utterances, dropped)


def _find(release: Path, name: str) -> list[Path]:
    return [path for depth in ("", "*/", "*/*/") for path in sorted(release.glob(depth + name))]


def _rows(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Read the lines of the consensus, with where each stands."""
    with open(table, encoding="utf-8-sig", newline="") as file:
        for n, row in enumerate(csv.DictReader(file), start=2):
            where = f"msp_podcast: {table.name}, line {n}"
            for column, known in (("EmoClass", EMOTIONS), ("Split_Set", PARTS)):
                if row.get(column) not in known:
                    raise DataError(f"{where}: {column} {unknown(str(row.get(column)), known)}")
            if missing := [c for c in ("FileName", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender") if c not in row]:
                raise DataError(f"{where}: no column '{missing[0]}'; restore the table")
            yield where, {column: (value or "").strip() for column, value in row.items() if column}


def _rating(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not LOWEST <= value <= HIGHEST:
        raise DataError(f"{where}: rating '{text}' outside {LOWEST:g} to {HIGHEST:g}; restore the table")
    return value


def _votes(table: Path) -> Iterator[tuple[str, Counter[str]]]:
    """Count what the listeners of each turn chose first."""
    heard: dict[str, Counter[str]] = defaultdict(Counter)
    with open(table, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        head = next(reader, [])
        column = head.index("EmoClass_Major") if "EmoClass_Major" in head else None
        for n, row in enumerate(reader, start=2):
            cell = (
                row[1].split(";")[1:2]
                if column is None and len(row) > 1
                else row[column : column + 1]
                if column
                else []
            )
            if not cell:
                raise DataError(
                    f"msp_podcast: {table.name}, line {n}: found {row}, expected a column EmoClass_Major or "
                    "'worker; Neutral; ...' in the second; restore the table"
                )
            heard[Path(row[0]).stem][WORDS.get(cell[0].strip(), "other")] += 1
    yield from heard.items()


# ---- The miniature --------------------------------------------------------------------------------------------

MSP_PODCAST_LETTERS = {
    "angry": "A", "disgusted": "D", "fearful": "F", "happy": "H", "neutral": "N", "other": "O", "sad": "S",
    "surprised": "U", "unknown": "X",
}  # fmt: skip
MSP_PODCAST_WORDS = {
    "A": "Angry", "D": "Disgust", "F": "Fear", "H": "Happy", "N": "Neutral", "O": "Other-Tired", "S": "Sad",
    "U": "Surprise", "X": "Sad",
}  # fmt: skip
MSP_PODCAST_SPEAKERS = {"1": "f", "2": "m", "3": "f", "4": "m", "5": "f", "Unknown": "m"}
MSP_PODCAST_PARTS = {"1": "Train", "2": "Train", "3": "Development", "4": "Test1", "5": "Test2", "Unknown": "Train"}


def prompts() -> Iterator[Prompt]:
    """Lay out MSP-Podcast: five speakers and unknown ones, a podcast each; two turns of every consensus."""
    for (n, (speaker, sex)), (i, emotion), take in product(
        enumerate(MSP_PODCAST_SPEAKERS.items(), 1), enumerate(MSP_PODCAST_LETTERS), (1, 2)
    ):
        name = f"MSP-PODCAST_{n:04}_{20 * i + take:04}"
        yield Prompt(f"Audios/{name}.wav", speaker, sex, emotion, name)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write consensus and listeners: three choose the consensus, one neutral, one a word of his own."""
    head = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
    consensus, detailed = [head], ["FileName,Labels\n"]
    for prompt in prompts:
        letter = MSP_PODCAST_LETTERS[prompt.emotion]
        scales = [f"{1 + 1.5 * (value - 1):g}" for value in rate(prompt)]  # of 1 to 5, to 1 to 7
        sex = {"f": "Female", "m": "Male"}[prompt.gender] if prompt.speaker != "Unknown" else "Unknown"
        file = f"{prompt.stem}.wav"
        consensus.append(
            f"{file},{letter},{','.join(scales)},{prompt.speaker},{sex},{MSP_PODCAST_PARTS[prompt.speaker]}\n"
        )
        for n, word in enumerate([MSP_PODCAST_WORDS[letter]] * 3 + ["Neutral", "Other-Curious"]):
            detailed.append(f'{file},"WORKER{n:04}; {word}; {word},Annoyed; A:4; V:4; D:4;"\n')
    return {"Labels/labels_consensus.csv": consensus, "Labels/labels_detailed.csv": detailed}


MINIATURE = Miniature(
    folder="MSP-Podcast",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(
        **AMERICAN, pitch_semitones=-0.3, syllables_per_s=7.8, edge_silence_s=0.03, level_db=1.6,
        channel_tilt_db_per_octave=-0.2, presence_db=1.4, low_cut_hz=90, high_cut_hz=6900, noise_floor_dbfs=-59,
    ),
    labels=label_files,
    ratings=class_means(  # ours
        angry=(3.6, 2.0, 3.6), disgusted=(3.0, 2.1, 3.2), fearful=(3.2, 2.3, 2.6), happy=(3.4, 3.9, 3.2),
        neutral=(2.7, 3.0, 2.9), other=(3.0, 2.8, 3.0), sad=(2.4, 2.1, 2.6), surprised=(3.4, 3.2, 3.0),
        unknown=(2.9, 2.8, 3.0),
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="msp_podcast",
    title="MSP-Podcast",
    languages=("en",),
    hours=409.0,
    kind="natural, podcasts",
    traps="a sixth of the turns is of unknown speakers; the official parts share a few speakers",
    folders=("MSP-Podcast", "MSP-PODCAST", "MSP_Podcast", "MSP-PODCAST-Publish-2.0"),
    page="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html (academic license)",
    licence="academic license of UT Dallas, no redistribution",
    counts={},
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("sign the academic license and ask for audio and labels"),
    miniature=MINIATURE,
)
