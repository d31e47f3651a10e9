"""SAVEE: Surrey Audio-Visual Expressed Emotion database (Haq & Jackson 2010).

Four men (DC, JE, JK, KL) speak TIMIT sentences in British English with seven emotions. Research use after
registration: http://kahlan.eps.surrey.ac.uk/savee/Download.html.

Layouts: `AudioData/DC/d03.wav` in the official release, `ALL/DC_d03.wav` in the copy on Kaggle, `DCd03.wav`
in copies made by other tools; 44.1 kHz, 16 bit. Name: speaker (in the official release only by the folder),
emotion code (a anger, d disgust, f fear, h happiness, n neutral, sa sadness, su surprise), two-digit number.

Counts: 480 files, 120 per speaker: 30 neutral and 15 of each other emotion (`Info.txt` says 15 of each).

Known traps: sa and su are two letters, s alone is no code; in the official release the four speakers' files
have the same names; all speakers are men. The text id is code and number: which sentences several emotions
have in common is not known here, so text ids that differ may still share their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate
from ser.errors import DataError
from ser.types import Utterance, ids

SPEAKERS = ("DC", "JE", "JK", "KL")
NAME = re.compile(rf"(?:({'|'.join(SPEAKERS)})_?)?(sa|su|a|d|f|h|n)(\d\d)", re.ASCII)

EMOTIONS = {
    "a": "angry", "d": "disgusted", "f": "fearful", "h": "happy", "n": "neutral",
    "sa": "sad", "su": "surprised",
}  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the files of a release in any of its layouts, from `AudioData/`, `ALL/` or the folder itself.

    Raises:
        DataError: for a name outside the grammar, a file whose speaker is missing or given in two ways, or
            two different files for one utterance.
    """
    root = release.resolve()
    folders = [root / name for name in ("AudioData", "ALL") if (root / name).is_dir()]
    utterances: dict[str, Utterance] = {}
    dropped: dict[str, str] = {}
    for path in (p for folder in folders or [root] for p in audio_files(folder)):
        name = path.relative_to(root)
        prefix, code, number = match_name(NAME, path, root, "DC_sa03' or 'DC/sa03").groups()
        speaker_name = _speaker(prefix, path.parent.name, name)
        utt_id, speaker = ids("savee", speaker_name, code + number)
        if utt_id in utterances:
            twin = Path(utterances[utt_id].wav)
            if path.read_bytes() != twin.read_bytes():
                raise DataError(f"savee: '{name}' and '{twin.relative_to(root)}' differ; keep the right one")
            dropped[str(name)] = "second copy of a file"
            continue
        utterances[utt_id] = Utterance(
            utt_id=utt_id,
            speaker=speaker,
            wav=str(path),
            emotion=EMOTIONS[code],
            emotion_native=code,
            gender="m",
            language="en",
            text_id=code + number,
        )
    return Parsed(list(utterances.values()), dropped)


def _speaker(prefix: str | None, folder: str, name: Path) -> str:
    """Tell the speaker by the file's prefix or its folder."""
    known = {who for who in (prefix, folder) if who in SPEAKERS}
    if len(known) == 1:
        return known.pop()
    found = (
        f"speaker '{prefix}' in folder '{folder}'" if known else "neither the name nor the folder gives the speaker"
    )
    raise DataError(f"savee: {name}: {found}; expected one of {', '.join(SPEAKERS)}, as in 'DC_sa03' or 'DC/sa03'")


# ---- The miniature --------------------------------------------------------------------------------------------

SAVEE_CODES = {
    "a": ("angry", 4), "d": ("disgusted", 4), "f": ("fearful", 4), "h": ("happy", 4), "n": ("neutral", 6),
    "sa": ("sad", 4), "su": ("surprised", 4),
}  # fmt: skip
"""Emotion and utterances per speaker."""


def prompts() -> Iterator[Prompt]:
    """Lay out SAVEE: four men, seven emotions, in folders whose files have the same names."""
    for speaker, (code, (emotion, n)) in product(("DC", "JE", "JK", "KL"), SAVEE_CODES.items()):
        for number in range(1, n + 1):
            yield Prompt(f"AudioData/{speaker}/{code}{number:02}.wav", speaker, "m", emotion, f"{number:02}")


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"AudioData/Info.txt": ("15 sentences per emotion category, 44.1 kHz\n",)}


MINIATURE = Miniature(
    folder="SAVEE",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(  # British English
        pitch_semitones=-0.5, formant_ratio=0.98, fronting_ratio=0.99, vowel_space_ratio=1.05, frication_db=-15,
        syllables_per_s=7.2, rhythm_sd=0.2, edge_silence_s=0.04,
        level_db=0.5, presence_db=0.8, high_cut_hz=7000, noise_floor_dbfs=-64,
    ),
    labels=label_files,
)  # fmt: skip


CORPUS = Corpus(
    name="savee",
    title="SAVEE",
    languages=("en",),
    n_speakers=4,
    hours=0.5,
    kind="acted",
    traps="four men",
    rate_hz=44_100,
    folders=("SAVEE", "surrey-audiovisual-expressed-emotion-savee"),
    page="http://kahlan.eps.surrey.ac.uk/savee/Download.html (registration)",
    licence="research only, after registration",
    counts={e: 120 if e == "neutral" else 60 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers"), held_out=4),  # KL; Gao's values are multiples of 1/120
    source=Form("register and ask for `AudioData`"),
    miniature=MINIATURE,
)
