"""URDU: Urdu emotional speech from talk shows (Latif et al. 2018).

Clips of 1 to 3 seconds from unscripted television talk shows, four emotions. For research only;
https://github.com/siddiquelatif/URDU-Dataset.

Layout: `Angry|Happy|Neutral|Sad/SM1_F10_A010.wav`, 44.1 kHz, mono, 16 bit. Name: speaker (S, sex M or F,
number), file number of that speaker behind an F, emotion initial and running number.

Counts: 400 files, 100 per emotion, from 29 speakers: SM1 to SM7, SM17 to SM27, SF1 to SF11.

Known defects: the README speaks of 38 speakers; ids SM8 to SM16 do not occur. Sex and number make a speaker
together (SM1 and SF1 are two people), and the F of the second field is no sex. Most speakers have one
emotion only (anger comes almost wholly from SM1, SM2 and SM4, neutral mostly from SM5), so that speaker and
emotion are hard to tell apart. No text is given.
"""

from __future__ import annotations

import re
from pathlib import Path

from ser.corpora.base import Corpus, Parsed, match_name, wav_files
from ser.corpora.folds import FoldRule, Folds
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"(S([MF])[1-9]\d?)_F\d+_([AHNS])\d+", re.ASCII)

EMOTIONS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two files of one name.
    """
    root = release.resolve()
    utterances: dict[str, Utterance] = {}
    for path in wav_files(root):
        speaker_name, sex, letter = match_name(NAME, path, root, "SM1_F10_A010").groups()
        utt_id, speaker = ids("urdu", speaker_name, path.stem)
        if utt_id in utterances:
            twin = Path(utterances[utt_id].wav).relative_to(root)
            raise DataError(f"urdu: '{path.relative_to(root)}' and '{twin}' have one name; keep one of them")
        utterances[utt_id] = Utterance(
            utt_id=utt_id,
            speaker=speaker,
            wav=str(path),
            emotion=EMOTIONS[letter],
            emotion_native=letter,
            gender=sex.lower(),
            language="ur",
        )
    return Parsed(list(utterances.values()), {})


CORPUS = Corpus(
    name="urdu",
    title="URDU",
    folders=("URDU", "URDU-Dataset", "URDU-Dataset-master"),
    page="https://github.com/siddiquelatif/URDU-Dataset",
    licence="research only; cite Latif et al. 2018",
    counts={e: 100 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),  # most speakers have only one emotion
)
