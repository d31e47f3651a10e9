"""AESDD: Acted Emotional Speech Dynamic Database (Vryzas et al. 2018); AESD in Das et al. 2022.

Six actors speak twenty Greek utterances with five emotions, none of them neutral; the twentieth was
improvised. Published for research, its release states no license;
http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/.

Layout: `anger|disgust|fear|happiness|sadness/a03 (4).wav`, 44.1 kHz, beside `Tools and Documentation/`.
Name: emotion initial, utterance 01 to 20, speaker in brackets; a letter behind the brackets marks a further
take.

Counts: 605 files, of which 604 are usable: 121 anger, 122 disgust, 120 fear, 119 happiness, 122 sadness.

Known defects: `s05 (3).wav` holds no audio and is left out; `f02 (4)`, `h11 (3)` and `d18 (5)` are missing;
speaker 1 is spelled `(01)` in d03 and f10 to f13; speaker 5 has further takes (`f18 (5)b`; `s01 (5)a` and
`s01 (5)b` without `s01 (5)`). The sex of the speakers does not follow odd and even numbers. The database was meant to
grow: other copies may hold more.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from itertools import chain, product
from pathlib import Path

from ser.corpora.base import GIB, Archive, Corpus, Parsed, audio_files, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate, class_means, das_csv
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"([adfhs])(0[1-9]|1\d|20) \(0?([1-6])\)[a-z]?", re.ASCII)
UNUSABLE = "s05 (3)"

EMOTIONS = {"a": "angry", "d": "disgusted", "f": "fearful", "h": "happy", "s": "sad"}
GENDER = {"1": "f", "2": "f", "3": "m", "4": "m", "5": "f", "6": "m"}


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two files of one name.
    """
    root = release.resolve()
    utterances: dict[str, Utterance] = {}
    dropped: dict[str, str] = {}
    for path in audio_files(root):
        letter, text, speaker_name = match_name(NAME, path, root, "a03 (4)' or 'f18 (5)b").groups()
        if path.stem == UNUSABLE:
            dropped[str(path.relative_to(root))] = "no audio in the release's file"
            continue
        utt_id, speaker = ids("aesdd", speaker_name, path.stem)
        if utt_id in utterances:
            twin = Path(utterances[utt_id].wav).relative_to(root)
            raise DataError(f"aesdd: '{path.relative_to(root)}' and '{twin}' have one name; keep one of them")
        utterances[utt_id] = Utterance(
            utt_id=utt_id,
            speaker=speaker,
            wav=str(path),
            emotion=EMOTIONS[letter],
            emotion_native=letter,
            gender=GENDER[speaker_name],
            language="el",
            text_id=text,
        )
    return Parsed(list(utterances.values()), dropped)


# ---- The miniature --------------------------------------------------------------------------------------------

AESDD_FOLDERS = {
    "a": ("anger", "angry"), "d": ("disgust", "disgusted"), "f": ("fear", "fearful"),
    "h": ("happiness", "happy"), "s": ("sadness", "sad"),
}  # fmt: skip
AESDD_TEXTS = ("01", "03", "10", "18")
AESDD_TAKES = {
    "d03 (1)": ["d03 (01)"], "f10 (1)": ["f10 (01)"],
    "d01 (5)": ["d01 (5)", "d01 (5)b"], "f18 (5)": ["f18 (5)", "f18 (5)b"], "s01 (5)": ["s01 (5)a", "s01 (5)b"],
    "d18 (5)": [],
}  # fmt: skip
"""Names that are spelt otherwise, have further takes or are missing in the release."""

AESDD_UNUSABLE = "s05 (3).wav"
WAV_WITHOUT_AUDIO = struct.pack(
    "<4sI4s4sIHHIIHH", b"RIFF", 28, b"WAVE", b"fmt ", 16, 1, 1, 44_100, 88_200, 2, 16
).decode("latin-1")


def prompts() -> Iterator[Prompt]:
    """Lay out AESDD: six speakers, five emotions and four sentences, with the irregular names among them."""
    for (letter, (folder, emotion)), text, speaker in product(AESDD_FOLDERS.items(), AESDD_TEXTS, "123456"):
        regular = f"{letter}{text} ({speaker})"
        gender = "f" if speaker in "125" else "m"
        for name in AESDD_TAKES.get(regular, [regular]):
            yield Prompt(f"{folder}/{name}.wav", speaker, gender, emotion, text, take=name.rpartition(")")[2])


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Rate three quarters of the utterances, and the file that holds no audio with `nan`."""
    rated = [prompt for i, prompt in enumerate(prompts) if i % 11 % 4]  # no speaker or text is left out
    rows = das_csv("filename,activation,valence ", rated, rate)
    return {
        "AESD.csv": chain(rows, (f"{AESDD_UNUSABLE},nan,nan\n",)),
        f"sadness/{AESDD_UNUSABLE}": (WAV_WITHOUT_AUDIO,),
    }


MINIATURE = Miniature(
    folder="AESDD",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(  # Greek
        formant_ratio=1.01, fronting_ratio=1.03, vowel_space_ratio=0.95, frication_db=-14,
        syllables_per_s=8.0, rhythm_sd=0.12, edge_silence_s=0.045,
        level_db=-0.5, channel_tilt_db_per_octave=0.3, presence_db=-0.5, noise_floor_dbfs=-59,
    ),
    labels=label_files,
    ratings=class_means(  # Means of the ratings of Das et al. 2022 as they published them.
        angry=(3.92, 2.42), happy=(3.66, 3.35), sad=(2.53, 2.42), fearful=(3.45, 2.02), disgusted=(3.06, 2.44),
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="aesdd",
    title="AESDD",
    languages=("el",),
    n_speakers=6,
    hours=0.7,
    kind="acted",
    traps="all speakers share the sentences; speaker 5 has more takes than the others",
    rate_hz=44_100,
    folders=("AESDD", "AESD", "Acted Emotional Speech Dynamic Database"),
    page="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    licence="published for research; the release states no license; cite Vryzas et al. 2018",
    counts={"angry": 121, "disgusted": 122, "fearful": 120, "happy": 119, "sad": 122},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers")),
    source=Archive(
        "",
        most=4 * GIB,
        note="its page leads to a file host (MEGA when last seen) that only a browser can read",
    ),
    miniature=MINIATURE,
)
