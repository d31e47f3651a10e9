"""Oréau: French emotional speech (Kerkeni et al. 2020), second version.

32 people who are no actors, 7 women and 25 men, say French sentences of everyday life in class with six emotions and
neutrally. https://zenodo.org/records/4405783; others state CC BY 4.0, read it there.

Layout: `OréauFR_02/f|m/sessc/11a03Ca.wav`, 44.1 kHz, a folder per sex and emotion. Name: speaker, sentence (a letter
and two digits), emotion (C colère, D dégoût, J joie, N neutre, P peur, S surprise, T tristesse), a letter.

Counts: 434 files: C 67, D 67, J 62, N 70, P 51, S 62, T 55 (counted in EmoBox's list of files). `OréauFR_01` is the
first version, with 502 files; the second holds those whose emotion listeners recognized. Only the second is read
where both are there.

Known traps: most speakers say two sentences per emotion. Whether a sentence's number means the same sentence under
another emotion is not known to us: it is the text id, so that a split by texts keeps both together. The accent of the
folder's name comes in either Unicode form or mangled by unzip, so it is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"(\d\d)([a-z]\d\d)([CDJNPST])[a-z]", re.ASCII)

EMOTIONS = {
    "C": "angry",  # colère
    "D": "disgusted",  # dégoût
    "J": "happy",  # joie
    "N": "neutral",  # neutre
    "P": "fearful",  # peur
    "S": "surprised",  # surprise
    "T": "sad",  # tristesse
}


def parse(release: Path) -> Parsed:
    """Read the files of the second version, from its folder or the folder itself.

    Raises:
        DataError: for a name outside the grammar, a file that is in no folder of a sex, or two different files of one
            name.
    """
    versions = [path for path in sorted(release.glob("*_02")) if path.is_dir()]
    utterances = []
    for path in audio_files(versions[0] if versions else release):
        name, sentence, code = match_name(NAME, path, release, "11a03Ca").groups()
        sex = {"f", "m"} & set(path.relative_to(release).parts[:-1])
        if len(sex) != 1:
            raise DataError(f"{path.relative_to(release)}: is in no folder 'f' or 'm'; move it back")
        utt_id, speaker = ids("oreau", name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=sex.pop(),
                language="fr",
                text_id=sentence,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

OREAU_SPEAKERS = {"10": "f", "11": "f", "07": "m", "12": "m"}
OREAU_EMOTIONS = {
    "C": "angry", "D": "disgusted", "J": "happy", "N": "neutral", "P": "fearful", "S": "surprised", "T": "sad",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out Oréau: four speakers, each emotion with two sentences, one of them behind another letter."""
    for (speaker, sex), (code, emotion), sentence in product(
        OREAU_SPEAKERS.items(), OREAU_EMOTIONS.items(), ("a01", "z03")
    ):
        path = f"OréauFR_02/{sex}/sess{code.lower()}/{speaker}{sentence}{code}a.wav"
        yield Prompt(path, speaker, sex, emotion, sentence)


MINIATURE = Miniature(
    folder="Oreau",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(  # French
        pitch_semitones=-0.2, fronting_ratio=1.03, vowel_space_ratio=1.01, frication_db=-16, syllables_per_s=6.3,
        rhythm_sd=0.1, edge_silence_s=0.06, level_db=-1.8, low_cut_hz=90, high_cut_hz=6600, noise_floor_dbfs=-50,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="oreau",
    title="Oréau",
    languages=("fr",),
    n_speakers=32,
    hours=0.3,
    kind="acted by laypeople",
    traps="two sentences per emotion of most speakers; two versions",
    rate_hz=44_100,
    folders=("Oreau", "Oréau", "OreauFR", "OréauFR"),
    page="https://zenodo.org/records/4405783",
    licence="CC BY 4.0, as others state it; cite Kerkeni et al. 2020",
    counts={
        "angry": 67, "disgusted": 67, "fearful": 51, "happy": 62, "neutral": 70, "sad": 55, "surprised": 62,
    },
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("download the archive"),
    miniature=MINIATURE,
)  # fmt: skip
