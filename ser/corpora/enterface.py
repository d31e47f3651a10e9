"""eNTERFACE'05: audio-visual emotion database (Martin et al. 2006).

People of 14 nations hear six short stories and react to each in English with five sentences of its emotion. MIT
license, as the page states; https://enterface.net/enterface05/emotion.html (`project2_database.zip`).

Layout: `subject 19/anger/sentence 4/s19_an_4.avi`, videos with 48 kHz stereo. Write the audio next to each first:
`find . -name '*.avi' -exec sh -c 'ffmpeg -i "$1" -vn "${1%.avi}.wav"' _ {} \\;`. Folders: subject 1 to 44, emotion
(anger disgust fear happiness sadness surprise), sentence 1 to 5.

Counts: 1,287 files: 215 of each emotion, 212 of happiness (43 subjects; EmoBox lists 1,263 names, which lack the 30
of subject 11 that have the names of subject 12, and hold the six of subject 6). Subject 23 lacks three files.

Known traps: names cannot be trusted, folders can: files of `subject 11` are named s12, others `s_3_ha_1` or
`s16_su_3avi`. `subject 6` has one long file per emotion, which is left out; papers with 42 subjects leave out subject
23, too. Each emotion has its own five sentences, so the text gives the emotion away, and the text id has the
emotion. Most speakers are not native; four in five are men, but who is not stated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import SUFFIXES, Corpus, Form, Parsed, audio_files
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.errors import DataError
from ser.types import Utterance, ids

EMOTIONS = {
    "anger": "angry", "disgust": "disgusted", "fear": "fearful", "happiness": "happy", "sadness": "sad",
    "surprise": "surprised",
}  # fmt: skip
PLACE = re.compile(rf"subject ([1-9]|[1-3]\d|4[0-4])/({'|'.join(EMOTIONS)})(?:/sentence ([1-5]))?/[^/]+", re.ASCII)


def parse(release: Path) -> Parsed:
    """Read the folders of a release.

    A video without audio next to it stays an utterance: its file is found missing where audio is checked.

    Raises:
        DataError: for a file outside the folders of the release, or two in the folder of one sentence.
    """
    videos = audio_files(release, (".avi",))
    audio = {path.with_suffix(""): path for path in audio_files(release, SUFFIXES)}
    files = {path.with_suffix(""): path.with_suffix(SUFFIXES[0]) for path in videos} | audio
    utterances: dict[str, Utterance] = {}
    dropped = {}
    for path in (files[stem] for stem in sorted(files)):
        name = path.relative_to(release)
        if not (place := PLACE.fullmatch("/".join(name.parts[-4:])) or PLACE.fullmatch("/".join(name.parts[-3:]))):
            raise DataError(f"{name}: is in no folder as 'subject 19/anger/sentence 4'; move it back or remove it")
        subject, code, sentence = place.groups()
        if sentence is None:
            dropped[str(name)] = "several sentences in one file"
            continue
        utt_id, speaker = ids("enterface", f"s{subject}", f"{code}_{sentence}")
        if (twin := utterances.get(utt_id)) is not None:
            raise DataError(
                f"'{name}' and '{Path(twin.wav).relative_to(release)}' are one sentence; keep one of them"
            )
        utterances[utt_id] = Utterance(
            utt_id=utt_id,
            speaker=speaker,
            wav=str(path),
            emotion=EMOTIONS[code],
            emotion_native=code,
            gender=None,
            language="en",
            text_id=f"{code}_{sentence}",
        )
    return Parsed(list(utterances.values()), dropped)


# ---- The miniature --------------------------------------------------------------------------------------------

ENTERFACE_CODES = {
    "anger": ("an", "angry"), "disgust": ("di", "disgusted"), "fear": ("fe", "fearful"), "happiness": ("ha", "happy"),
    "sadness": ("sa", "sad"), "surprise": ("su", "surprised"),
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out eNTERFACE'05: six subjects, each emotion with two sentences; one subject has another's names."""
    for (subject, sex), (folder, (code, emotion)), sentence in product(
        {"1": "m", "2": "m", "11": "f", "12": "m", "23": "f", "44": "m"}.items(), ENTERFACE_CODES.items(), "15"
    ):
        name = f"s{12 if subject == '11' else subject}_{code}_{sentence}"
        path = f"enterface database/subject {subject}/{folder}/sentence {sentence}/{name}.wav"
        yield Prompt(path, subject, sex, emotion, f"{folder}{sentence}")


MINIATURE = Miniature(
    folder="eNTERFACE05",
    rate_hz=48_000,
    prompts=prompts,
    conditions=Conditions(  # English of many accents
        pitch_semitones=0.1, fronting_ratio=1.0, vowel_space_ratio=0.97, frication_db=-17, syllables_per_s=5.9,
        rhythm_sd=0.16, edge_silence_s=0.07, level_db=-1.2, low_cut_hz=90, high_cut_hz=6700, noise_floor_dbfs=-46,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="enterface",
    title="eNTERFACE'05",
    languages=("en",),
    n_speakers=43,
    hours=1.1,
    kind="induced and acted",
    traps="each emotion has its own sentences, so the text gives it away; names of files are wrong",
    folders=("eNTERFACE05", "enterface database", "eNTERFACE", "project2_database"),
    page="https://enterface.net/enterface05/emotion.html",
    licence="MIT, as the page states; cite Martin et al. 2006",
    counts={e: 212 if e == "happy" else 215 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("download `project2_database.zip` and convert the audio of its videos"),
    miniature=MINIATURE,
)
