"""How nine corpora are published: which files, who says what in which emotion, and the label files beside them.

A `<corpus>_prompts` function lays out a miniature release in the names of the real one; a `<corpus>_labels`
function writes its label files, quirks included. What the real ones hold is told by the parsers beside this
file, and both follow the releases, not each other: a mistake on one side shows. Not here: how an utterance
sounds or is rated (`ser.corpora.mini.voice`), writing a release (`ser.corpora.mini.maker`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, groupby, product
from math import ceil, floor
from pathlib import PurePosixPath
from typing import NamedTuple


@dataclass(frozen=True)
class Prompt:
    """One file of a release: who says what in which emotion. Other paths and channels sound the same."""

    path: str  # relative to the release root
    speaker: str
    gender: str  # m or f
    emotion: str  # canonical word
    text_id: str
    n_channels: int = 1
    take: str = ""  # tells apart what is alike in speaker, emotion and text
    strength: float = 1.0  # aimed at: 0 is neutral, 1 the emotion

    @property
    def stem(self) -> str:
        """Name of the file without its extension."""
        return PurePosixPath(self.path).stem


@dataclass(frozen=True)
class Conditions:
    """What a corpus does to all its utterances; the defaults are the common ground of all corpora."""

    pitch_semitones: float = 0.0  # of the speaker population
    formant_ratio: float = 1.0  # of the speaker population
    fronting_ratio: float = 1.0  # language: second formants
    vowel_space_ratio: float = 1.0  # language: log distance of the vowels from their center
    frication_db: float = -16.0  # language: noise at syllable onsets, over the speech
    syllables_per_s: float = 6.7  # language
    rhythm_sd: float = 0.15  # language: of the log syllable durations
    edge_silence_s: float = 0.05  # before and after the speech
    level_db: float = 0.0
    channel_tilt_db_per_octave: float = 0.0
    presence_db: float = 0.0  # gain around 3 kHz
    low_cut_hz: float = 60.0
    high_cut_hz: float = 6800.0
    noise_floor_dbfs: float = -60.0  # up to 8 kHz

    def at(self, shift: float) -> Conditions:
        """Go from the common ground (shift 0) to these conditions (1), in a straight line."""
        mix = {f.name: f.default + shift * (getattr(self, f.name) - f.default) for f in fields(self)}
        return Conditions(**mix)


class Ratings(NamedTuple):
    """What listeners say on scales of 1 to 5."""

    arousal: float
    valence: float
    dominance: float = 3.0


def _means(**classes: tuple[float, ...]) -> dict[str, Ratings]:
    return {emotion: Ratings(*mean) for emotion, mean in classes.items()}


RATINGS = {  # corpus -> class means: arousal, valence, dominance
    # Means of the four classes in the release; the other classes are ours.
    "iemocap": _means(
        angry=(3.662, 1.895, 3.966), happy=(3.404, 3.969, 3.243), excited=(3.404, 3.969, 3.243),
        neutral=(2.726, 2.988, 2.853), sad=(2.571, 2.243, 2.818), frustrated=(3.0, 2.3, 3.4),
        unknown=(2.9, 2.7, 3.1), fearful=(3.3, 2.2, 2.5), surprised=(3.4, 3.1, 3.0),
        disgusted=(2.9, 2.0, 3.3), other=(3.0, 2.8, 3.1),
    ),
    # Ours: of the release it is known only that anger and joy are more active than neutral and sadness.
    "msp_improv": _means(
        angry=(3.4, 1.9, 3.6), happy=(3.2, 4.0, 3.1), neutral=(2.4, 3.1, 2.7), sad=(2.2, 2.0, 2.3),
        other=(2.8, 2.8, 2.9), unknown=(2.7, 2.7, 2.8),
    ),
    # Means of the ratings of Das et al. 2022 as they published them.
    "emodb": _means(
        angry=(4.23, 2.06), happy=(3.73, 3.70), neutral=(2.68, 3.00), sad=(1.66, 2.13), fearful=(3.71, 2.12),
        disgusted=(2.55, 2.03), bored=(2.16, 2.70),
    ),
    "cafe": _means(
        angry=(4.15, 1.76), happy=(3.27, 2.93), neutral=(2.83, 2.97), sad=(2.47, 1.83), fearful=(3.15, 2.20),
        disgusted=(2.73, 2.13), surprised=(3.25, 2.96),
    ),
    "urdu": _means(angry=(4.64, 1.88), happy=(3.25, 3.50), neutral=(2.88, 2.92), sad=(2.60, 2.70)),
    "aesdd": _means(
        angry=(3.92, 2.42), happy=(3.66, 3.35), sad=(2.53, 2.42), fearful=(3.45, 2.02), disgusted=(3.06, 2.44),
    ),
}  # fmt: skip

Rate = Callable[[Prompt], Ratings]
Labels = dict[str, Iterable[str]]
"""Path in the release -> pieces of text, made when they are read. Files are in Latin-1: a letter is a byte."""


def no_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Give no file: in most releases the names say it all."""
    return {}


def das_csv(head: str, prompts: Iterable[Prompt], rate: Rate) -> Iterator[str]:
    """Write ratings as Das et al. publish them; columns without a name stay empty."""
    yield f"{head}\n"
    margin = head[: head.index("fil")]
    for prompt in prompts:
        arousal, valence, _ = rate(prompt)
        yield f"{margin}{prompt.stem}.wav,{arousal:g},{valence:g}\n"


# ---- RAVDESS --------------------------------------------------------------------------------------------------

RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


def ravdess_prompts() -> Iterator[Prompt]:
    """Lay out RAVDESS: 24 actors, 8 emotions, 2 statements, once each at normal intensity.

    As in the release, two files of actor 7 are identical and some are stereo (here one).
    """
    for actor, code, statement in product(range(1, 25), range(1, 9), (1, 2)):
        gender = "m" if actor % 2 else "f"
        for repetition in (1, 2) if (actor, code, statement) == (7, 3, 2) else (1,):
            name = f"03-01-{code:02}-01-{statement:02}-{repetition:02}-{actor:02}"
            yield Prompt(
                path=f"Actor_{actor:02}/{name}.wav",
                speaker=f"{actor:02}",
                gender=gender,
                emotion=RAVDESS_EMOTIONS[code - 1],
                text_id=f"ravdess-{statement}",
                n_channels=2 if (actor, code, statement) == (1, 2, 1) else 1,
            )


# ---- EMO-DB ---------------------------------------------------------------------------------------------------

EMODB_SPEAKERS = {
    "03": "m", "08": "f", "09": "f", "10": "m", "11": "m",
    "12": "m", "13": "f", "14": "f", "15": "m", "16": "f",
}  # fmt: skip
EMODB_SENTENCES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
EMODB_LETTERS = {
    "W": ("angry", 4), "F": ("happy", 4), "N": ("neutral", 4), "T": ("sad", 4),
    "L": ("bored", 2), "E": ("disgusted", 1), "A": ("fearful", 1),
}  # fmt: skip
"""Emotion and utterances per speaker."""


def emodb_prompts() -> Iterator[Prompt]:
    """Lay out EMO-DB: ten actors take turns through the ten sentences, emotion by emotion."""
    for offset, (speaker, gender) in enumerate(EMODB_SPEAKERS.items()):
        emotions = [(letter, emotion) for letter, (emotion, n) in EMODB_LETTERS.items() for _ in range(n)]
        for turn, (letter, emotion) in enumerate(emotions, 3 * offset):
            sentence = EMODB_SENTENCES[turn % len(EMODB_SENTENCES)]
            version = "abcd"[turn % 4]  # not contiguous, as in the release
            yield Prompt(f"wav/{speaker}{sentence}{letter}{version}.wav", speaker, gender, emotion, sentence)


def emodb_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"EMO_DB.csv": das_csv("filename,activation,valence ", prompts, rate)}


# ---- IEMOCAP --------------------------------------------------------------------------------------------------

IEMOCAP_DIALOGS = ("F_impro01", "M_impro05a", "F_script01_1", "M_script02_2b")
"""Wearer of the markers and scenario; both actors talk in each."""

IEMOCAP_CODES = {
    "angry": ("ang", "Anger"), "happy": ("hap", "Happiness"), "excited": ("exc", "Excited"),
    "neutral": ("neu", "Neutral state"), "sad": ("sad", "Sadness"), "frustrated": ("fru", "Frustration"),
    "unknown": ("xxx", "Other"), "fearful": ("fea", "Fear"), "surprised": ("sur", "Surprise"),
    "disgusted": ("dis", "Disgust"), "other": ("oth", "Other"),
}  # fmt: skip
"""Code, and the word that raters chose."""

IEMOCAP_TURNS = {"angry": 4, "happy": 4, "excited": 2, "neutral": 5, "sad": 4, "frustrated": 2, "unknown": 1}
IEMOCAP_RARE = ("fearful", "surprised", "disgusted", "other", "surprised")  # one turn of each talker, by session
NO_DOMINANCE = "Ses01F_impro01_F000"
RESOURCE_FORK = ("\0\5\26\7\0\2\0\0Mac OS X        ",)  # what macOS leaves in archives


def iemocap_prompts() -> Iterator[Prompt]:
    """Lay out IEMOCAP: five sessions of a woman and a man, who improvise and play scripts in turns.

    As in the release, half of the turns are not of the actor whose letter their dialog has, and some
    have an X in their number (here the rare emotions).
    """
    for session, talker in product(range(1, 6), "FM"):
        emotions = [emotion for emotion, n in IEMOCAP_TURNS.items() for _ in range(n)]
        for turn, emotion in enumerate([*emotions, IEMOCAP_RARE[session - 1]]):
            dialog = f"Ses0{session}{IEMOCAP_DIALOGS[turn % 4]}"
            number = f"{turn // 4:03}" if emotion in IEMOCAP_TURNS else "XX0"
            name = f"{dialog}_{talker}{number}"
            path = f"Session{session}/sentences/wav/{dialog}/{name}.wav"
            yield Prompt(path, f"Ses0{session}{talker}", talker.lower(), emotion, text_id=name)


def iemocap_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write each dialog's evaluation, and a rater's below it; a hidden copy lies beside."""
    labels: Labels = {}

    def dialog_of(prompt: Prompt) -> str:
        return PurePosixPath(prompt.path).parent.name

    for dialog, group in groupby(sorted(prompts, key=dialog_of), dialog_of):
        turns, folder = list(group), f"Session{dialog[4]}/dialog/EmoEvaluation"
        labels[f"{folder}/{dialog}.txt"] = _iemocap_evaluation(turns, rate)
        labels[f"{folder}/Categorical/{dialog}_e2_cat.txt"] = _iemocap_rater(turns)
        labels[f"{folder}/._{dialog}.txt"] = RESOURCE_FORK
    return labels


def _iemocap_evaluation(turns: list[Prompt], rate: Rate) -> Iterator[str]:
    """Write the averaged line of each turn, then its raters': one below and one above the average."""
    yield "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
    for i, turn in enumerate(turns):
        code, word = IEMOCAP_CODES[turn.emotion]
        arousal, valence, dominance = rate(turn)
        average = f"{valence:.4f}, {arousal:.4f}" + (f", {dominance:.4f}" if turn.stem != NO_DOMINANCE else "")
        yield f"[{2 * i + 0.29:.4f} - {2 * i + 1.2357:.4f}]\t{turn.stem}\t{code}\t[{average}]\n"
        yield f"C-E2:\t{word};\t()\nC-E4:\t{word if code != 'xxx' else 'Anger; Sadness'};\t()\n"
        for rater, whole in (("E2", floor), ("E4", ceil)):
            dom = whole(dominance) if turn.stem != NO_DOMINANCE else ""
            yield f"A-{rater}:\tval {whole(valence)}; act {whole(arousal)}; dom  {dom};\t()\n"
        yield "\n"


def _iemocap_rater(turns: list[Prompt]) -> Iterator[str]:
    for turn in turns:
        yield f"{turn.stem} :{IEMOCAP_CODES[turn.emotion][1]}; ()\n"


# ---- MSP-IMPROV -----------------------------------------------------------------------------------------------

MSP_IMPROV_LETTERS = {"angry": "A", "happy": "H", "neutral": "N", "sad": "S", "other": "O", "unknown": "X"}
MSP_IMPROV_WORDS = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad", "O": "Other", "X": "Other"}


def msp_improv_prompts() -> Iterator[Prompt]:
    """Lay out MSP-IMPROV: six sessions of a woman and a man, each consensus heard in all four conditions.

    Target sentences are heard as their scenario wants it, other improvised turns in every other session,
    talk between takes never.
    """
    for session, sex, (i, emotion) in product(range(1, 7), "FM", enumerate(MSP_IMPROV_LETTERS)):
        astray = {"R": 0, "T": 0, "S": session % 2, "P": 1 + session % 3}
        for condition in {"other": "S", "unknown": "P"}.get(emotion, "RTSP"):
            sentence = f"{1 + (i + session) % 4:02}"
            scenario = f"S{sentence}{'AHNS'[(i + astray[condition]) % 4]}"
            performance = 2 * sex if condition == "R" else {"F": "FM", "M": "MF"}[sex]
            name = f"{scenario}-{sex}{session:02}-{condition}-{performance}{i + 1:02}"
            yield Prompt(
                path=f"Audio/session{session}/{scenario}/{condition}/MSP-IMPROV-{name}.wav",
                speaker=f"{sex}{session:02}",
                gender=sex.lower(),
                emotion=emotion,
                text_id=sentence if condition in "RT" else name,
                take=condition,
            )


def msp_improv_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write the label file: misspelt as in most copies where the seed is even, else spelt right."""
    return {("Evalution.txt", "Evaluation.txt")[seed % 2]: _msp_improv_blocks(prompts, rate)}


def _msp_improv_blocks(prompts: Sequence[Prompt], rate: Rate) -> Iterator[str]:
    """Write each turn's consensus and its raters, one of them twice; the first turn's dominance is missing."""
    for prompt in prompts:
        letter = MSP_IMPROV_LETTERS[prompt.emotion]
        arousal, valence, dominance = rate(prompt)
        scales = {"A": 6 - arousal, "V": valence, "D": dominance if prompt != prompts[0] else float("nan")}
        values = "; ".join(f"{scale}:{value:.6f}".replace("nan", "NaN") for scale, value in scales.items())
        rater = f"20140930_A1; {MSP_IMPROV_WORDS[letter]}; Calm,Résigné; {values}; N:4.000000;\n"
        name = prompt.stem.replace("MSP", "UTD", 1)
        yield f"{name}.avi; {letter}; {values} ; N:{'NaN' if letter == 'X' else '4.000000'};\n{rater}{rater}\n"


# ---- SAVEE ----------------------------------------------------------------------------------------------------

SAVEE_CODES = {
    "a": ("angry", 4), "d": ("disgusted", 4), "f": ("fearful", 4), "h": ("happy", 4), "n": ("neutral", 6),
    "sa": ("sad", 4), "su": ("surprised", 4),
}  # fmt: skip
"""Emotion and utterances per speaker."""


def savee_prompts() -> Iterator[Prompt]:
    """Lay out SAVEE: four men, seven emotions, in folders whose files have the same names."""
    for speaker, (code, (emotion, n)) in product(("DC", "JE", "JK", "KL"), SAVEE_CODES.items()):
        for number in range(1, n + 1):
            yield Prompt(f"AudioData/{speaker}/{code}{number:02}.wav", speaker, "m", emotion, f"{number:02}")


def savee_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"AudioData/Info.txt": ("15 sentences per emotion category, 44.1 kHz\n",)}


# ---- CaFE -----------------------------------------------------------------------------------------------------

CAFE_FOLDERS = {
    "C": ("Colère", "angry"), "D": ("Dégoût", "disgusted"), "J": ("Joie", "happy"), "N": ("Neutre", "neutral"),
    "P": ("Peur", "fearful"), "S": ("Surprise", "surprised"), "T": ("Tristesse", "sad"),
}  # fmt: skip
CAFE_INTENSITIES = {"1": ("Faible", 0.75), "2": ("Fort", 1.2)}
"""Folder, and strength of the emotion."""


def cafe_prompts() -> Iterator[Prompt]:
    """Lay out CaFE: twelve actors, each emotion weak and strong; neutral twice, without a folder for it."""
    takes = product(range(1, 13), enumerate(CAFE_FOLDERS.items()), CAFE_INTENSITIES.items())
    for actor, (i, (letter, (folder, emotion))), (intensity, (how, strength)) in takes:
        sentence = 1 + (actor + i + 3 * int(intensity)) % 6
        if emotion == "neutral":
            how, intensity, strength = "", "1", 1.0
        path = PurePosixPath(folder, how, f"{actor:02}-{letter}-{intensity}-{sentence}.wav")
        yield Prompt(
            path=str(path),
            speaker=f"{actor:02}",
            gender="m" if actor % 2 else "f",
            emotion=emotion,
            text_id=str(sentence),
            take=intensity,
            strength=strength,
        )


def cafe_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"CAFE.csv": das_csv("filname,activation ,valence", prompts, rate)}


# ---- URDU -----------------------------------------------------------------------------------------------------

URDU_FILES = {
    "Angry": {"SM1": 5, "SM2": 6, "SM3": 1, "SM4": 10},
    "Happy": {
        "SF1": 3, "SF2": 1, "SF3": 1, "SF4": 1, "SF5": 1, "SF6": 3, "SF7": 2, "SF8": 1, "SM17": 1,
        "SM18": 1, "SM19": 1, "SM3": 1, "SM5": 2, "SM6": 2, "SM7": 6,
    },
    "Neutral": {"SF9": 1, "SM20": 2, "SM21": 1, "SM22": 1, "SM3": 2, "SM5": 15},
    "Sad": {"SF10": 1, "SF11": 1, "SM23": 2, "SM24": 8, "SM25": 8, "SM26": 1, "SM27": 1, "SM6": 1},
}  # fmt: skip
"""Folder -> speaker -> files: a fifth of the release's, rounded up, so that most speakers have one emotion."""


def urdu_prompts() -> Iterator[Prompt]:
    """Lay out URDU: 29 speakers of very different shares; every utterance has its own text."""
    for folder, speakers in URDU_FILES.items():
        files = [(speaker, n) for speaker, n_files in speakers.items() for n in range(1, n_files + 1)]
        for number, (speaker, n) in enumerate(files, 1):
            name = f"{speaker}_F{n}_{folder[0]}0{number}"
            yield Prompt(f"{folder}/{name}.wav", speaker, speaker[1].lower(), folder.lower(), text_id=name)


def urdu_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"URDU.csv": das_csv(",,filename,activation,valence", prompts, rate)}


# ---- AESDD ----------------------------------------------------------------------------------------------------

AESDD_FOLDERS = {
    "a": ("anger", "angry"), "d": ("disgust", "disgusted"), "f": ("fear", "fearful"),
    "h": ("happiness", "happy"), "s": ("sadness", "sad"),
}  # fmt: skip
AESDD_TEXTS = ("01", "03", "10", "18")
AESDD_TAKES = {
    "d03 (1)": ["d03 (01)"], "f10 (1)": ["f10 (01)"],
    "d01 (5)": ["d01 (5)", "d01 (5)b"], "f18 (5)": ["f18 (5)", "f18 (5)b"], "s01 (5)": ["s01 (5)a", "s01 (5)b"],
    "d18 (5)": [],
}  # fmt: skip
"""Names that are spelt otherwise, have further takes or are missing in the release."""

AESDD_UNUSABLE = "s05 (3).wav"
WAV_WITHOUT_AUDIO = struct.pack(
    "<4sI4s4sIHHIIHH", b"RIFF", 28, b"WAVE", b"fmt ", 16, 1, 1, 44_100, 88_200, 2, 16
).decode("latin-1")


def aesdd_prompts() -> Iterator[Prompt]:
    """Lay out AESDD: six speakers, five emotions and four sentences, with the irregular names among them."""
    for (letter, (folder, emotion)), text, speaker in product(AESDD_FOLDERS.items(), AESDD_TEXTS, "123456"):
        regular = f"{letter}{text} ({speaker})"
        gender = "f" if speaker in "125" else "m"
        for name in AESDD_TAKES.get(regular, [regular]):
            yield Prompt(f"{folder}/{name}.wav", speaker, gender, emotion, text, take=name.rpartition(")")[2])


def aesdd_labels(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Rate three quarters of the utterances, and the file that holds no audio with `nan`."""
    rated = [prompt for i, prompt in enumerate(prompts) if i % 11 % 4]  # no speaker or text is left out
    rows = das_csv("filename,activation,valence ", rated, rate)
    return {
        "AESD.csv": chain(rows, (f"{AESDD_UNUSABLE},nan,nan\n",)),
        f"sadness/{AESDD_UNUSABLE}": (WAV_WITHOUT_AUDIO,),
    }


# ---- CASIA ----------------------------------------------------------------------------------------------------

CASIA_SPEAKERS = {"liuchanhg": "f", "wangzhe": "m", "zhaoquanyin": "f", "ZhaoZuoxiang": "m"}
CASIA_FOLDERS = {
    "angry": "angry", "fear": "fearful", "happy": "happy", "neutral": "neutral", "sad": "sad",
    "surprise": "surprised",
}  # fmt: skip


def casia_prompts() -> Iterator[Prompt]:
    """Lay out CASIA's subset: four speakers say the same sentences with six emotions."""
    everything = product(CASIA_SPEAKERS.items(), CASIA_FOLDERS.items(), range(201, 211))
    for (spelling, gender), (folder, emotion), sentence in everything:
        path = f"{spelling}/{folder}/{sentence}.wav"
        yield Prompt(path, spelling.lower(), gender, emotion, str(sentence))
