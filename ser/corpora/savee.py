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
from pathlib import Path

from ser.corpora.base import Corpus, Parsed, match_name, wav_files
from ser.corpora.folds import FoldRule, Folds
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
        DataError: for a name outside the grammar, a file whose speaker is not told or told in two ways, or
            two different files for one utterance.
    """
    root = release.resolve()
    folders = [root / name for name in ("AudioData", "ALL") if (root / name).is_dir()]
    utterances: dict[str, Utterance] = {}
    dropped: dict[str, str] = {}
    for path in (p for folder in folders or [root] for p in wav_files(folder)):
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
    found = f"speaker '{prefix}' in folder '{folder}'" if known else "neither name nor folder tells the speaker"
    raise DataError(f"savee: {name}: {found}; expected one of {', '.join(SPEAKERS)}, as in 'DC_sa03' or 'DC/sa03'")


CORPUS = Corpus(
    name="savee",
    title="SAVEE",
    folders=("SAVEE", "surrey-audiovisual-expressed-emotion-savee"),
    page="http://kahlan.eps.surrey.ac.uk/savee/Download.html (registration)",
    licence="research only, after registration",
    counts={e: 120 if e == "neutral" else 60 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers"), held_out=4),  # KL; Gao's values are multiples of 1/120
)
