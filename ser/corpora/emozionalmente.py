"""Emozionalmente: crowdsourced emotional speech in Italian (Catania, Wilke & Garzotto 2025).

431 laypeople say eighteen Italian sentences in six emotions and neutrally, at home; five listeners heard each file.
CC BY 4.0; https://zenodo.org/records/6569824.

Layout: `emozionalmente_dataset/audio/1613655062436.wav`, 16 kHz mono for the most part, and `metadata/`:
`samples.csv` (`file_name`, `actor`, `sentence`, `emotion_expressed`), `users.csv` (`username`, `gender`),
`evaluations.csv` (`file_name`, `emotion_recognized`, a line per listener).

Counts: 6,902 files, 986 per emotion: anger disgust fear joy neutrality sadness surprise (the authors' total; the
seven numbers counted in EmoBox's list of files).

Known traps: `emotion` is what the actor intended, and listeners hear it in two thirds of the files; `emotion_rated`
is what most of them heard, unknown for a tie, and `utt2votes` has their votes. All actors share the sentences. EmoBox
lists at least one file with 44.1 kHz.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from ser.corpora.base import GIB, SUFFIXES, Archive, Corpus, Parsed, audio_files
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate
from ser.errors import DataError, unknown
from ser.system.files import fingerprint
from ser.types import Utterance, format_votes, ids, plurality

EMOTIONS = {
    "anger": "angry", "disgust": "disgusted", "fear": "fearful", "joy": "happy", "neutrality": "neutral",
    "sadness": "sad", "surprise": "surprised",
}  # fmt: skip
TABLES = {
    "samples.csv": ("file_name", "actor", "sentence", "emotion_expressed"),
    "users.csv": ("username", "gender"),
    "evaluations.csv": ("file_name", "emotion_recognized"),
}
"""Table of `metadata/` -> what is read of it."""


def parse(release: Path) -> Parsed:
    """Read the tables of a release and find the audio of each line.

    A line without audio stays an utterance: its file is found missing where audio is checked.

    Raises:
        DataError: for a table that is missing or has a line outside the grammar.
    """
    inner = [path.parent.parent for path in release.glob("*/metadata/samples.csv")]
    root = inner[0] if inner else release
    sexes = {name: sex.strip().lower()[:1] for name, sex in _rows(root, "users.csv")}
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for file, code in _rows(root, "evaluations.csv"):
        votes[file][_emotion(code, "evaluations.csv")] += 1
    audio = {path.stem: path for path in audio_files(root / "audio")}
    utterances = []
    for file, actor, sentence, code in _rows(root, "samples.csv"):
        stem = Path(file).stem
        utt_id, speaker = ids("emozionalmente", actor, stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(audio.get(stem, root / "audio" / f"{stem}{SUFFIXES[0]}")),
                emotion=_emotion(code, "samples.csv"),
                emotion_native=code,
                gender=sexes[actor] if sexes.get(actor) in ("f", "m") else None,
                language="it",
                text_id=fingerprint(sentence)[:8],
                emotion_rated=plurality(votes[file]),
                votes=format_votes(votes[file]) or None,
            )
        )
    return Parsed(utterances, {})


def _emotion(code: str, table: str) -> str:
    if code not in EMOTIONS:
        raise DataError(f"emozionalmente: {table}: emotion {unknown(code, EMOTIONS)}")
    return EMOTIONS[code]


def _rows(root: Path, table: str) -> Iterator[tuple[str, ...]]:
    """Read the named columns of a table."""
    path = root / "metadata" / table
    if not path.is_file():
        raise DataError(f"emozionalmente: '{root}' holds no 'metadata/{table}'; restore it from the release")
    with open(path, encoding="utf-8-sig", newline="") as file:
        for n, row in enumerate(csv.DictReader(file), start=2):
            cells = tuple((row.get(column) or "").strip() for column in TABLES[table])
            if not all(cells):
                raise DataError(
                    f"emozionalmente: {table}, line {n}: found {row}, expected {', '.join(TABLES[table])}"
                )
            yield cells


# ---- The miniature --------------------------------------------------------------------------------------------

EMOZIONALMENTE_ACTORS = {"anna1": "f", "bea2": "f", "carlo3": "m", "dario4": "m"}
EMOZIONALMENTE_CODES = {
    "anger": "angry", "disgust": "disgusted", "fear": "fearful", "joy": "happy", "neutrality": "neutral",
    "sadness": "sad", "surprise": "surprised",
}  # fmt: skip
ROOT = "emozionalmente_dataset"


def prompts() -> Iterator[Prompt]:
    """Lay out Emozionalmente: four actors, each emotion with three sentences; names of files say nothing."""
    for n, ((actor, sex), emotion, sentence) in enumerate(
        product(EMOZIONALMENTE_ACTORS.items(), EMOZIONALMENTE_CODES.values(), ("Ciao", "Dove vai", "Piove"))
    ):
        yield Prompt(f"{ROOT}/audio/{1613655062436 + 977 * n}.wav", actor, sex, emotion, sentence)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write the tables: two of five listeners hear what was meant, and three of every third file hear neutral."""
    native = {emotion: code for code, emotion in EMOZIONALMENTE_CODES.items()}
    users = [f"{actor},{'female' if sex == 'f' else 'male'},30\n" for actor, sex in EMOZIONALMENTE_ACTORS.items()]
    samples, evaluations = [], []
    for n, prompt in enumerate(prompts):
        file, code = f"{prompt.stem}.wav", native[prompt.emotion]
        samples.append(f'{file},{prompt.speaker},"{prompt.text_id}",{code}\n')
        heard = [code, code, *(["neutrality"] * 3 if n % 3 == 0 else [code, "joy", "fear"])]
        evaluations += [f"{file},rater{i},{word}\n" for i, word in enumerate(heard)]
    return {
        f"{ROOT}/metadata/users.csv": ["username,gender,age\n", *users],
        f"{ROOT}/metadata/samples.csv": ["file_name,actor,sentence,emotion_expressed\n", *samples],
        f"{ROOT}/metadata/evaluations.csv": ["file_name,evaluator,emotion_recognized\n", *evaluations],
    }


MINIATURE = Miniature(
    folder="Emozionalmente",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(  # Italian, with cheap microphones
        pitch_semitones=0.2, fronting_ratio=1.01, vowel_space_ratio=1.08, frication_db=-16, syllables_per_s=7.0,
        rhythm_sd=0.1, edge_silence_s=0.08, level_db=-2.2, low_cut_hz=120, high_cut_hz=6200, noise_floor_dbfs=-45,
    ),
    labels=label_files,
)  # fmt: skip


CORPUS = Corpus(
    name="emozionalmente",
    title="Emozionalmente",
    languages=("it",),
    n_speakers=431,
    hours=7.3,
    kind="acted by laypeople",
    traps="two thirds of the files are heard as intended; all actors share eighteen sentences",
    folders=("Emozionalmente", "emozionalmente_dataset"),
    page="https://zenodo.org/records/6569824",
    licence="CC BY 4.0; cite Catania et al. 2025",
    counts=dict.fromkeys(EMOTIONS.values(), 986),
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers"), texts=6),
    source=Archive(
        "https://zenodo.org/records/6569824/files/emozionalmente.zip",
        most=4 * GIB,
        checksum="md5:398c6502dd2b0e1e810f927c12897547",
    ),
    miniature=MINIATURE,
)
