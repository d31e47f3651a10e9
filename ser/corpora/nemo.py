"""nEMO: emotional speech in Polish (Christop 2024).

Nine actors, four women and five men, say ninety Polish sentences neutrally and with five emotions; over three hours.
CC BY-NC-SA 4.0; https://github.com/amu-cai/nEMO (`samples/` and `data.tsv`), also at
https://huggingface.co/datasets/amu-cai/nEMO in Parquet, which is not read here.

Layout: `samples/EB0_anger_1.wav`. Name: speaker, emotion (anger fear happiness neutral sadness surprised), sentence
from 1 to 90.

Counts: 4,481 files: anger 749, fear 736, happiness 749, neutral 809, sadness 769, surprised 669. The total is that of
the repository's list of files and of the authors' dataset card, which also has the first two; the other four, as we
know them, add up to it, and were not counted in the files.

Known traps: it is "happiness" but "surprised"; recordings that did not come out well are missing, so sentences have
gaps; in `data.tsv` spaces stand before the speaker, so the sex is repeated here instead of read. All speakers share
the sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import GIB, PACKED, Archive, Corpus, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.types import Utterance, ids

GENDER = {
    "EB0": "f", "IC0": "f", "KD0": "f", "MK0": "f", "KS0": "m", "MP0": "m", "SM0": "m", "TP0": "m", "WR0": "m",
}  # fmt: skip
NAME = re.compile(
    rf"({'|'.join(GENDER)})_(anger|fear|happiness|neutral|sadness|surprised)_([1-9]|[1-8]\d|90)", re.ASCII
)

EMOTIONS = {
    "anger": "angry", "fear": "fearful", "happiness": "happy", "neutral": "neutral", "sadness": "sad",
    "surprised": "surprised",
}  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        name, code, sentence = match_name(NAME, path, release, "EB0_anger_1").groups()
        utt_id, speaker = ids("nemo", name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=GENDER[name],
                language="pl",
                text_id=sentence,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

NEMO_SPEAKERS = {"EB0": "f", "MK0": "f", "KS0": "m", "WR0": "m"}
NEMO_EMOTIONS = {
    "anger": "angry", "fear": "fearful", "happiness": "happy", "neutral": "neutral", "sadness": "sad",
    "surprised": "surprised",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out nEMO: four speakers, each emotion with three sentences."""
    for (speaker, gender), (code, emotion), sentence in product(
        NEMO_SPEAKERS.items(), NEMO_EMOTIONS.items(), ("1", "10", "90")
    ):
        yield Prompt(f"samples/{speaker}_{code}_{sentence}.wav", speaker, gender, emotion, sentence)


MINIATURE = Miniature(
    folder="nEMO",
    rate_hz=24_000,
    prompts=prompts,
    conditions=Conditions(  # Polish
        pitch_semitones=0.2, formant_ratio=0.99, fronting_ratio=1.02, vowel_space_ratio=1.02, frication_db=-12,
        syllables_per_s=7.1, rhythm_sd=0.13, level_db=-1, channel_tilt_db_per_octave=0.3, high_cut_hz=7400,
        noise_floor_dbfs=-63,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="nemo",
    title="nEMO",
    languages=("pl",),
    n_speakers=9,
    hours=3.1,
    kind="acted",
    traps="all actors share the sentences",
    folders=("nEMO", "nEMO-main"),
    page="https://github.com/amu-cai/nEMO",
    licence="CC BY-NC-SA 4.0",
    counts={"angry": 749, "fearful": 736, "happy": 749, "neutral": 809, "sad": 769, "surprised": 669},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers"), texts=5),
    source=Archive("https://github.com/amu-cai/nEMO/archive/HEAD.zip", most=4 * GIB, note=PACKED),
    miniature=MINIATURE,
)
