"""IEMOCAP: Interactive Emotional Dyadic Motion Capture database (Busso et al. 2008).

Ten actors in five sessions, a woman and a man each, play scripts and improvise scenes in US English. Research
license, no redistribution; request form at https://sail.usc.edu/iemocap/ (`iemocap_release.htm`).

Layout: `Session{1..5}/dialog/EmoEvaluation/Ses01F_impro01.txt` (labels) and
`Session{1..5}/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav` (turns), 16 kHz, mono, 16 bit. Name of a
turn: session, wearer of the motion-capture markers, scenario (`impro01`, `script01_1`, with a letter where a
scene was taken in parts), then *talker* and turn number (`M000`, also `MX01` and `MXX0`). A label line has
start and end in seconds, turn, code and [valence, activation, dominance] on a scale of 1 to 5, separated by
tabs. Lines of its listeners follow: `C-E2:`, words of emotions, a comment in brackets. Their votes are in
`utt2votes`; those of the actors about themselves (`C-F1:`, `C-M1:`) are not.

Counts: 10,039 turns: neu 1708, ang 1103, sad 1084, hap 595, exc 1041, fru 1849, sur 107, fea 40; dis, oth and
xxx (no agreement) are 2,512 together. Their split into 2, 3 and 2,507 is the one of public listings: only the
sum was cross-checked. Four classes with excited as happy: 5,531.

Known traps: the letter after the session is not the talker (it is the other person in 2,750 of those 5,531
turns); scripted names are longer, so fields count from the end; folders below `EmoEvaluation` repeat the
labels per rater; whole dialogs lie beside the turns (`dialog/wav`); hidden `._*` copies; raters' lines that
lack dominance and hold comments in any encoding. Improvised turns of one scenario share its topic, not their
words; which turns of one script say the same line is not known, so the text id is the scenario without its
letter. Averages up to half a point outside 1 to 5 are let through: the release is said to hold some. Start
and end are not kept: the audio is cut.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, product
from math import ceil, floor
from pathlib import Path, PurePosixPath

from ser.corpora.base import Corpus, Form, Parsed, audio_files, audio_suffix, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import AMERICAN, Conditions, Labels, Miniature, Prompt, Rate, class_means
from ser.errors import DataError, unknown
from ser.types import Utterance, format_votes, ids

SESSION = re.compile(r"Session([1-5])")
DIALOG = re.compile(r"Ses0([1-5])[FM]_(impro\d\d|script\d\d_\d)[a-z]?", re.ASCII)
TALKER = re.compile(r"_([FM])[X\d]{2}\d", re.ASCII)
LABEL = re.compile(
    r"\[\d+\.\d+ - \d+\.\d+\]\t(\w+)\t(\w+)\t"
    r"\[(\d+\.\d+|NaN), (\d+\.\d+|NaN)(?:, *(\d+\.\d+|NaN)?)?\]",  # dominance may be missing
    re.ASCII,
)
LABEL_EXAMPLE = "[6.2901 - 8.2357]<TAB>Ses01F_impro01_F000<TAB>neu<TAB>[2.5000, 2.5000, 2.5000]"

EMOTIONS = {
    "ang": "angry", "hap": "happy", "exc": "excited", "sad": "sad", "neu": "neutral", "fru": "frustrated",
    "fea": "fearful", "sur": "surprised", "dis": "disgusted", "oth": "other", "xxx": "unknown",
}  # fmt: skip

COUNTS = {
    "ang": 1103, "hap": 595, "exc": 1041, "sad": 1084, "neu": 1708, "fru": 1849,
    "fea": 40, "sur": 107, "dis": 2, "oth": 3, "xxx": 2507,
}  # fmt: skip

RATER = re.compile(r"C-E\d+:([^(]*)", re.ASCII)
WORDS = {
    "anger": "angry", "happiness": "happy", "excited": "excited", "sadness": "sad", "neutral state": "neutral",
    "neutral": "neutral",
    "frustration": "frustrated", "fear": "fearful", "surprise": "surprised", "disgust": "disgusted",
}  # fmt: skip
"""What listeners choose; other words count as other."""

LOWEST, HIGHEST = 0.5, 5.5  # of an averaged rating


def parse(release: Path) -> Parsed:
    """Read the label files of all sessions and hold them against the turns' audio.

    A labelled turn without audio stays an utterance: its file is found missing where audio is checked.

    Raises:
        DataError: for a label file or line outside the grammar, or audio without a label.
    """
    root = release.resolve()
    if (root / "IEMOCAP_full_release").is_dir():
        root /= "IEMOCAP_full_release"
    sessions = [p for p in sorted(root.iterdir()) if SESSION.fullmatch(p.name) and p.is_dir()]
    if not sessions:
        raise DataError(f"iemocap: '{release}' holds none of the folders Session1 to Session5")
    suffix = audio_suffix(sessions[0] / "sentences" / "wav")
    utterances: dict[str, Utterance] = {}
    for session in sessions:
        for labels in _label_files(session):
            for where, utterance in _read_labels(labels, session, root, suffix):
                if utterance.wav in utterances:
                    raise DataError(f"{where}: '{Path(utterance.wav).stem}' is labelled twice; keep one line")
                utterances[utterance.wav] = utterance
    audio = (path for session in sessions for path in audio_files(session / "sentences" / "wav"))
    if unlabelled := [str(path.relative_to(root)) for path in audio if str(path) not in utterances]:
        raise DataError(
            f"iemocap: {len(unlabelled)} audio files have no label (first: {unlabelled[0]}); "
            "restore the files of dialog/EmoEvaluation or move the audio away"
        )
    return Parsed(list(utterances.values()), {})


def _label_files(session: Path) -> list[Path]:
    """List a session's label files, not those of single raters in the folders below."""
    folder = session / "dialog" / "EmoEvaluation"
    if found := sorted(p for p in folder.glob("*.txt") if not p.name.startswith(".")):
        return found
    raise DataError(f"iemocap: no label files '{session.name}/dialog/EmoEvaluation/*.txt'; restore them")


def _read_labels(path: Path, session: Path, root: Path, suffix: str) -> Iterator[tuple[str, Utterance]]:
    """Yield file and line with every turn of one dialog."""
    number, scenario = match_name(DIALOG, path, root, "Ses01F_impro01").groups()
    if f"Session{number}" != session.name:
        raise DataError(f"{path.relative_to(root)}: a dialog of session {number} in folder '{session.name}'")
    audio = session / "sentences" / "wav" / path.stem
    text = path.read_text(encoding="utf-8-sig", errors="replace")  # raters' comments may be anything
    votes = _votes(text.split("\n"))
    for n, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("["):  # raters, comments
            continue
        where = f"iemocap: {path.relative_to(root)} line {n}"
        if not (matched := LABEL.fullmatch(line.rstrip())):
            raise DataError(f"{where}: found '{line.rstrip()}', expected as in '{LABEL_EXAMPLE}'")
        turn, code, valence, activation, dominance = matched.groups()
        talker = TALKER.fullmatch(turn.removeprefix(path.stem))
        if not talker:
            raise DataError(f"{where}: turn '{turn}' is not of this dialog, expected as in '{path.stem}_F000'")
        if code not in EMOTIONS:
            raise DataError(f"{where}: {unknown(code, EMOTIONS)}")
        utt_id, speaker = ids("iemocap", f"Ses0{number}{talker[1]}", turn)
        yield (
            where,
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(audio / f"{turn}{suffix}"),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=talker[1].lower(),
                language="en",
                session=number,
                text_id=scenario,
                arousal=_rating("activation", activation, where),
                valence=_rating("valence", valence, where),
                dominance=_rating("dominance", dominance, where),
                votes=format_votes(votes[n]) or None,
            ),
        )


def _votes(lines: Sequence[str]) -> dict[int, Counter[str]]:
    """Count the votes below each label line, by its number: of listeners, not of the actors about themselves.

    A listener has one vote, who chose several emotions a part of it for each.
    """
    votes: dict[int, Counter[str]] = {}
    current = Counter[str]()
    for n, line in enumerate(lines, start=1):
        if line.startswith("["):
            current = votes[n] = Counter()
        elif (rater := RATER.match(line)) and (words := [word for w in rater[1].split(";") if (word := w.strip())]):
            for word in words:
                current[WORDS.get(word.lower(), "other")] += 1 / len(words)
    return votes


def _rating(name: str, text: str | None, where: str) -> float | None:
    if text in (None, "NaN"):
        return None
    if not LOWEST <= float(text) <= HIGHEST:
        raise DataError(f"{where}: {name} '{text}' outside {LOWEST} to {HIGHEST}; restore the label file")
    return float(text)


# ---- The miniature --------------------------------------------------------------------------------------------

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


def prompts() -> Iterator[Prompt]:
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


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write each dialog's evaluation, and a rater's below it; a hidden copy lies beside."""
    labels: Labels = {}

    def dialog_of(prompt: Prompt) -> str:
        return PurePosixPath(prompt.path).parent.name

    for dialog, group in groupby(sorted(prompts, key=dialog_of), dialog_of):
        turns, folder = list(group), f"Session{dialog[4]}/dialog/EmoEvaluation"
        labels[f"{folder}/{dialog}.txt"] = _evaluation(turns, rate)
        labels[f"{folder}/Categorical/{dialog}_e2_cat.txt"] = _rater(turns)
        labels[f"{folder}/._{dialog}.txt"] = RESOURCE_FORK
    return labels


def _evaluation(turns: list[Prompt], rate: Rate) -> Iterator[str]:
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


def _rater(turns: list[Prompt]) -> Iterator[str]:
    for turn in turns:
        yield f"{turn.stem} :{IEMOCAP_CODES[turn.emotion][1]}; ()\n"


MINIATURE = Miniature(
    folder="IEMOCAP_full_release",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(
        **AMERICAN, formant_ratio=1.01, syllables_per_s=7.4, edge_silence_s=0.04,
        level_db=-1, channel_tilt_db_per_octave=-0.5, low_cut_hz=80, high_cut_hz=6200, noise_floor_dbfs=-56,
    ),
    labels=label_files,
    ratings=class_means(  # Means of the four classes in the release; the other classes are ours.
        angry=(3.662, 1.895, 3.966), happy=(3.404, 3.969, 3.243), excited=(3.404, 3.969, 3.243),
        neutral=(2.726, 2.988, 2.853), sad=(2.571, 2.243, 2.818), frustrated=(3.0, 2.3, 3.4),
        unknown=(2.9, 2.7, 3.1), fearful=(3.3, 2.2, 2.5), surprised=(3.4, 3.1, 3.0),
        disgusted=(2.9, 2.0, 3.3), other=(3.0, 2.8, 3.1),
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="iemocap",
    title="IEMOCAP",
    languages=("en",),
    n_speakers=10,
    hours=12.0,
    kind="acted and improvised",
    traps="the letter after the session is not the talker; a quarter of the turns has no agreed emotion",
    rate_hz=16_000,
    folders=("IEMOCAP_full_release", "IEMOCAP"),
    page="https://sail.usc.edu/iemocap/ (release form)",
    licence="research only, no redistribution (release form of USC SAIL)",
    counts={EMOTIONS[code]: n for code, n in COUNTS.items()},
    parse=parse,
    version=2,
    folds=Folds(FoldRule(rule="sessions"), held_out=5),  # a woman and a man each; the fifth: 1241 of 5531 turns
    source=Form("fill in the release form and ask for the full release"),
    miniature=MINIATURE,
)
