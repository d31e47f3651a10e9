"""AESDD: Acted Emotional Speech Dynamic Database (Vryzas et al. 2018); AESD in Das et al. 2022.

Six actors speak twenty Greek utterances with five emotions, none of them neutral; the twentieth was
improvised. Published for research, its release states no licence;
http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/.

Layout: `anger|disgust|fear|happiness|sadness/a03 (4).wav`, 44.1 kHz, beside `Tools and Documentation/`.
Name: emotion initial, utterance 01 to 20, speaker in brackets; a letter behind the brackets marks a further
take.

Counts: 605 files, of which 604 are usable: 121 anger, 122 disgust, 120 fear, 119 happiness, 122 sadness.

Known defects: `s05 (3).wav` holds no audio and is left out; `f02 (4)`, `h11 (3)` and `d18 (5)` are missing;
speaker 1 is spelled `(01)` in d03 and f10 to f13; speaker 5 has further takes (`f18 (5)b`; `s01 (5)a` and
`s01 (5)b` without `s01 (5)`). The sex of the speakers is not told by odd and even. The database was meant to
grow: other copies may hold more.
"""

from __future__ import annotations

import re
from pathlib import Path

from ser.corpora.base import Corpus, Parsed, match_name, wav_files
from ser.corpora.folds import FoldRule, Folds
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
    for path in wav_files(root):
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


CORPUS = Corpus(
    name="aesdd",
    title="AESDD",
    folders=("AESDD", "AESD", "Acted Emotional Speech Dynamic Database"),
    page="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    licence="published for research, the release states none; cite Vryzas et al. 2018",
    counts={"angry": 121, "disgusted": 122, "fearful": 120, "happy": 119, "sad": 122},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers")),
)
