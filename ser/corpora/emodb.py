"""EMO-DB: Berlin Database of Emotional Speech (Burkhardt et al. 2005).

Ten actors speak ten German sentences with seven emotions. Free download from http://emodb.bilderbar.info/
(`download/download.zip`); its authors ask to be cited.

Layout: `wav/03a01Fa.wav` (some mirrors: `wav_corpus/`), 16 kHz, mono, 16 bit, beside label folders. Name:
speaker (two digits), sentence (a or b and two digits), emotion (German initial), version letter.

Counts: 535 files: W 127, L 81, E 46, A 69, F 71, T 62, N 79.

Known traps: A (Angst) is fear, F (Freude) happiness, E (Ekel) disgust; speaker ids are not 1 to 10 and their
sex is not told by odd and even; version letters have gaps, because clips that listeners did not recognise were
dropped; all speakers share the ten sentences.
"""

from __future__ import annotations

import re
from pathlib import Path

from ser.corpora.base import Corpus, Parsed, match_name, wav_files
from ser.corpora.folds import FoldRule, Folds
from ser.types import Utterance, ids

NAME = re.compile(r"(03|08|09|1[0-6])([ab]\d\d)([WLEAFTN])([a-z])")

EMOTIONS = {
    "W": "angry",  # Wut
    "L": "bored",  # Langeweile
    "E": "disgusted",  # Ekel
    "A": "fearful",  # Angst
    "F": "happy",  # Freude
    "T": "sad",  # Trauer
    "N": "neutral",
}

GENDER = {
    "03": "m", "08": "f", "09": "f", "10": "m", "11": "m",
    "12": "m", "13": "f", "14": "f", "15": "m", "16": "f",
}  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the files of a release, from `wav/`, `wav_corpus/` or the folder itself.

    Raises:
        DataError: for a name outside the grammar.
    """
    folders = [release / name for name in ("wav", "wav_corpus") if (release / name).is_dir()]
    utterances = []
    for path in wav_files(folders[0] if folders else release):
        speaker_name, sentence, letter, _ = match_name(NAME, path, release, "03a01Fa").groups()
        utt_id, speaker = ids("emodb", speaker_name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[letter],
                emotion_native=letter,
                gender=GENDER[speaker_name],
                language="de",
                text_id=sentence,
            )
        )
    return Parsed(utterances, {})


CORPUS = Corpus(
    name="emodb",
    title="EMO-DB",
    folders=("EMO-DB", "EMODB", "emo_db"),
    page="http://emodb.bilderbar.info/ (download/download.zip)",
    licence="free; cite Burkhardt et al. 2005",
    counts={"angry": 127, "bored": 81, "disgusted": 46, "fearful": 69, "happy": 71, "sad": 62, "neutral": 79},
    parse=parse,
    folds=Folds(FoldRule(rule="gender_pairs"), texts=5),  # five pairs; the first: 107 of 535
)
