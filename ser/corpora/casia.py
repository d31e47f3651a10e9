"""CASIA: Chinese emotional speech corpus of the Institute of Automation, Chinese Academy of Sciences.

Two men and two women speak Mandarin with six emotions. The full corpus is licensed by ChineseLDC
(http://www.chineseldc.org/resource_info.php?rid=76) for a fee; the literature mostly uses a subset in free
circulation (Baidu AI Studio dataset 209512, ModelScope `Westwest/CASIA`). 16 kHz, mono, 16 bit.

Layouts, in any wrapper folders:
    `liuchanhg/angry/201.wav`               subset, and the same-text part of the full corpus (`相同文本300/`)
    `Chang.Liu/normal/001.wav`              the full corpus' different-text part (`不同文本100/`)
    `angry/201-angry-liuchanhg.wav`         copies of the subset, flat by emotion

Counts: the subset has 1,200 files, sentences 201 to 250 by 4 speakers with 6 emotions; the full corpus
9,600: 300 same-text and 100 different-text sentences each.

Known traps: the four speakers have two spellings each (`liuchanhg` is written so; `ZhaoZuoxiang` is in lower
case in some copies), and the different-text part calls neutral `normal`; all speakers and emotions share the
file names, and both parts count their sentences, so ids hold speaker, part and emotion. The parts are told
by the speaker's spelling, because unzip mangles Chinese folder names. The sentence is the text id; the
different texts were written for one emotion each. The release does not give sex: it is taken from the names
of voice samples in a speaker recognition program that had recordings of all four (men wangzhe and
zhaozuoxiang, women liuchang and zhaoquanyin).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.errors import DataError
from ser.types import Utterance, ids

SAME_TEXT = {
    "liuchanhg": "liuchanhg", "liuchang": "liuchanhg", "wangzhe": "wangzhe",
    "zhaoquanyin": "zhaoquanyin", "zhaozuoxiang": "zhaozuoxiang",
}  # fmt: skip
DIFFERENT_TEXT = {
    "chang.liu": "liuchanhg", "zhe.wang": "wangzhe",
    "quanyin.zhao": "zhaoquanyin", "zuoxiang.zhao": "zhaozuoxiang",
}  # fmt: skip
"""Spelling in lower case -> speaker; the spelling tells the part."""

GENDER = {"liuchanhg": "f", "wangzhe": "m", "zhaoquanyin": "f", "zhaozuoxiang": "m"}

EMOTIONS = {
    "angry": "angry", "fear": "fearful", "happy": "happy", "neutral": "neutral", "normal": "neutral",
    "sad": "sad", "surprise": "surprised",
}  # fmt: skip

_SPEAKER = "|".join(map(re.escape, SAME_TEXT | DIFFERENT_TEXT))
_EMOTION = "|".join(EMOTIONS)
NESTED = re.compile(
    rf"(?:.*/)?(?P<spelling>{_SPEAKER})/(?P<emotion>{_EMOTION})/(?P<sentence>\d+)", re.ASCII | re.IGNORECASE
)
FLAT = re.compile(
    rf"(?:.*/)?(?P<sentence>\d+)-(?P<emotion>{_EMOTION})-(?P<spelling>{_SPEAKER})", re.ASCII | re.IGNORECASE
)


def parse(release: Path) -> Parsed:
    """Read the files of the subset or the full corpus, in any of their layouts.

    Raises:
        DataError: for a path outside the grammar, or two files of one utterance.
    """
    root = release.resolve()
    utterances: dict[str, Utterance] = {}
    for path in audio_files(root):
        name = path.relative_to(root).as_posix()
        stem = path.relative_to(root).with_suffix("").as_posix()
        matched = NESTED.fullmatch(stem) or FLAT.fullmatch(stem)
        if not matched:
            raise DataError(
                f"{name}: path does not follow the release's grammar (as in 'liuchanhg/angry/201.wav' or "
                "'201-angry-liuchanhg.wav'); remove the file or restore its name"
            )
        spelling, native, sentence = (matched[group].lower() for group in ("spelling", "emotion", "sentence"))
        speaker_name = (SAME_TEXT | DIFFERENT_TEXT)[spelling]
        text = f"different-{native}-{sentence}" if spelling in DIFFERENT_TEXT else sentence
        utt_id, speaker = ids("casia", speaker_name, f"{native}-{text}" if text == sentence else text)
        if utt_id in utterances:
            twin = Path(utterances[utt_id].wav).relative_to(root)
            raise DataError(f"casia: '{name}' and '{twin}' are one utterance; keep one of them")
        utterances[utt_id] = Utterance(
            utt_id=utt_id,
            speaker=speaker,
            wav=str(path),
            emotion=EMOTIONS[native],
            emotion_native=native,
            gender=GENDER[speaker_name],
            language="zh",
            text_id=text,
        )
    return Parsed(list(utterances.values()), {})


# ---- The miniature --------------------------------------------------------------------------------------------

CASIA_SPEAKERS = {"liuchanhg": "f", "wangzhe": "m", "zhaoquanyin": "f", "ZhaoZuoxiang": "m"}
CASIA_FOLDERS = {
    "angry": "angry", "fear": "fearful", "happy": "happy", "neutral": "neutral", "sad": "sad",
    "surprise": "surprised",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out CASIA's subset: four speakers say the same sentences with six emotions."""
    everything = product(CASIA_SPEAKERS.items(), CASIA_FOLDERS.items(), range(201, 211))
    for (spelling, gender), (folder, emotion), sentence in everything:
        path = f"{spelling}/{folder}/{sentence}.wav"
        yield Prompt(path, spelling.lower(), gender, emotion, str(sentence))


MINIATURE = Miniature(
    folder="CASIA",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(  # Mandarin
        pitch_semitones=1, formant_ratio=1.03, fronting_ratio=0.98, vowel_space_ratio=1.1, frication_db=-12,
        syllables_per_s=5.9, rhythm_sd=0.13, edge_silence_s=0.04,
        level_db=0.5, presence_db=1.2, low_cut_hz=70, high_cut_hz=6700, noise_floor_dbfs=-62,
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="casia",
    title="CASIA",
    languages=("zh",),
    n_speakers=4,
    hours=0.6,
    kind="acted",
    traps="four speakers, who share the sentences",
    rate_hz=16_000,
    folders=("CASIA", "CASIA情感语料库"),
    page="http://www.chineseldc.org/resource_info.php?rid=76",
    licence="licensed by ChineseLDC, no redistribution",
    counts={e: 200 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers"), texts=5),  # ten of fifty sentences each
    source=Form("order the emotional corpus with six emotions (for a fee)"),
    miniature=MINIATURE,
)
