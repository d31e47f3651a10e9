"""JL-Corpus: emotional speech in New Zealand English (James et al. 2018).

Two women and two men say fifteen sentences in five primary emotions (angry excited happy neutral sad) and five
secondary ones (anxious apologetic assertive concerned encouraging).
https://www.kaggle.com/datasets/tli725/jl-corpus; CC0, as others read it on the authors' page and in their paper.

Layout: `Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/male1_angry_10a_1.wav`, each with a text file of its
name. Name: speaker, emotion, sentence, a or b, take 1 or 2.

Counts: 2,400 files: 4 speakers, 10 emotions, 15 sentences, a and b, 2 takes; 240 per emotion (counted in EmoBox's
list of files; others count 60 per speaker and emotion).

Known traps: papers that count five emotions leave out half of the files; the secondary emotions are no canonical
words here and count as `other`, their own in `utt2emo_native`. The names are four people: male1 and female1 are two.
The archive holds a part of the folder again, in lower case; copies are read once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.types import Utterance, ids

PRIMARY = {"angry": "angry", "excited": "excited", "happy": "happy", "neutral": "neutral", "sad": "sad"}
SECONDARY = ("anxious", "apologetic", "assertive", "concerned", "encouraging")
NAME = re.compile(
    rf"((fe)?male[12])_({'|'.join((*PRIMARY, *SECONDARY))})_((?:[1-9]|1[0-5])[ab])_[12]", re.ASCII
)  # fmt: skip


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        name, fe, code, sentence = match_name(NAME, path, release, "male1_angry_10a_1").groups()
        utt_id, speaker = ids("jl_corpus", name, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=PRIMARY.get(code, "other"),
                emotion_native=code,
                gender="f" if fe else "m",
                language="en",
                text_id=sentence,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

JL_EMOTIONS = {
    "angry": "angry", "excited": "excited", "happy": "happy", "neutral": "neutral", "sad": "sad", "anxious": "other",
    "concerned": "other",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out JL-Corpus: four speakers, each emotion with three sentences; two secondary emotions."""
    for speaker, (code, emotion), sentence in product(
        ("female1", "female2", "male1", "male2"), JL_EMOTIONS.items(), ("1a", "7b", "15a")
    ):
        path = f"Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/{speaker}_{code}_{sentence}_1.wav"
        yield Prompt(path, speaker, speaker[0], emotion, sentence, take=code)


MINIATURE = Miniature(
    folder="JL-Corpus",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(  # New Zealand English
        fronting_ratio=1.05, vowel_space_ratio=0.92, frication_db=-17, syllables_per_s=6.9, rhythm_sd=0.19,
        level_db=-0.3, channel_tilt_db_per_octave=-0.2, noise_floor_dbfs=-67,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="jl_corpus",
    title="JL-Corpus",
    languages=("en",),
    n_speakers=4,
    hours=1.4,
    kind="acted",
    traps="half of the files are secondary emotions (`other`); four speakers, who share the sentences",
    rate_hz=44_100,
    folders=("JL-Corpus", "JL Corpus", "JL"),
    page="https://www.kaggle.com/datasets/tli725/jl-corpus",
    licence="CC0, as others read it on the authors' page; cite James et al. 2018",
    counts=dict.fromkeys(PRIMARY.values(), 240) | {"other": 1200},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers"), texts=5),
    source=Form("download the archive with an account"),
    miniature=MINIATURE,
)
