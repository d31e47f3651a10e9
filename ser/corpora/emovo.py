"""EMOVO: Italian emotional speech (Costantini et al. 2014).

Six actors, three women and three men, speak fourteen Italian sentences neutrally and with six emotions. Recorded by
the Fondazione Ugo Bordoni, http://voice.fub.it/activities/corpora/emovo/index.html; the page has no license that we
know of, and others state "non-commercial, with acknowledgement".

Layout: `f1|f2|f3|m1|m2|m3/dis-f1-b1.wav`, 48 kHz, 16 bit, two channels. Name: emotion (dis gio neu pau rab sor tri),
actor, sentence: three short ones (b1 to b3), four long ones (l1 to l4), five without meaning (n1 to n5), two
questions (d1, d2).

Counts: 588 files, each actor's 14 sentences with each of seven emotions: 84 per emotion, 98 per actor. Counted in the
release.

Known traps: gio (gioia) is happiness, rab (rabbia) anger, sor (sorpresa) surprise, pau (paura) fear; all actors share
the sentences. The two channels come from two microphones apart from each other: their average, which features are
computed of, is comb-filtered. Keep one channel first (`sox in.wav out.wav remix 1`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import GIB, Archive, Corpus, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"(dis|gio|neu|pau|rab|sor|tri)-([fm][1-3])-(b[1-3]|l[1-4]|n[1-5]|d[12])", re.ASCII)

EMOTIONS = {
    "dis": "disgusted",  # disgusto
    "gio": "happy",  # gioia
    "neu": "neutral",  # neutro
    "pau": "fearful",  # paura
    "rab": "angry",  # rabbia
    "sor": "surprised",  # sorpresa
    "tri": "sad",  # tristezza
}


def parse(release: Path) -> Parsed:
    """Read the files of a release.

    Raises:
        DataError: for a name outside the grammar, one in another actor's folder, or two different files of one name.
    """
    utterances = []
    for path in audio_files(release):
        code, actor, sentence = match_name(NAME, path, release, "dis-f1-b1").groups()
        folder = path.parent.name.lower()
        if re.fullmatch("[fm][1-3]", folder) and folder != actor:
            raise DataError(f"{path.relative_to(release)}: actor '{actor}' in folder '{folder}'; move it back")
        utt_id, speaker = ids("emovo", actor, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=actor[0],
                language="it",
                text_id=sentence,
            )
        )
    return without_copies(utterances, release)


# ---- The miniature --------------------------------------------------------------------------------------------

EMOVO_CODES = {
    "dis": "disgusted", "gio": "happy", "neu": "neutral", "pau": "fearful", "rab": "angry", "sor": "surprised",
    "tri": "sad",
}  # fmt: skip
EMOVO_SENTENCES = ("b1", "b2", "l1", "l2", "n1", "n2", "d1")


def prompts() -> Iterator[Prompt]:
    """Lay out EMOVO: six actors, each emotion with three sentences, in turn."""
    for (i, actor), (j, (code, emotion)), k in product(
        enumerate(("f1", "f2", "f3", "m1", "m2", "m3")), enumerate(EMOVO_CODES.items()), range(3)
    ):
        sentence = EMOVO_SENTENCES[(i + j + 2 * k) % len(EMOVO_SENTENCES)]
        yield Prompt(f"{actor}/{code}-{actor}-{sentence}.wav", actor, actor[0], emotion, sentence, n_channels=2)


MINIATURE = Miniature(
    folder="EMOVO",
    rate_hz=48_000,
    prompts=prompts,
    conditions=Conditions(  # Italian
        pitch_semitones=1.5, formant_ratio=1.01, fronting_ratio=1.03, vowel_space_ratio=1.12, frication_db=-18,
        syllables_per_s=7.5, rhythm_sd=0.1, channel_tilt_db_per_octave=-0.2, high_cut_hz=7200, noise_floor_dbfs=-62,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="emovo",
    title="EMOVO",
    languages=("it",),
    n_speakers=6,
    hours=0.5,
    kind="acted",
    traps="two microphones, whose average is comb-filtered; all actors share the sentences",
    rate_hz=48_000,
    folders=("EMOVO",),
    page="http://voice.fub.it/activities/corpora/emovo/index.html",
    licence="non-commercial, with acknowledgement, as others state it; cite Costantini et al. 2014",
    counts=dict.fromkeys(EMOTIONS.values(), 84),
    parse=parse,
    folds=Folds(FoldRule(rule="gender_pairs"), texts=7),  # three pairs; 14 sentences
    source=Archive(
        "", most=2 * GIB, note="its page leads to a file host that programs cannot read: download EMOVO.zip by hand"
    ),
    miniature=MINIATURE,
    channel="first",  # two microphones at some distance: their mean is a comb filter
)
