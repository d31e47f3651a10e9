"""IEMOCAP: Interactive Emotional Dyadic Motion Capture database (Busso et al. 2008).

Ten actors in five sessions, a woman and a man each, play scripts and improvise scenes in US English. Research
licence, no redistribution; request form at https://sail.usc.edu/iemocap/ (`iemocap_release.htm`).

Layout: `Session{1..5}/dialog/EmoEvaluation/Ses01F_impro01.txt` (labels) and
`Session{1..5}/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav` (turns), 16 kHz, mono, 16 bit. Name of a
turn: session, wearer of the motion-capture markers, scenario (`impro01`, `script01_1`, with a letter where a
scene was taken in parts), then *talker* and turn number (`M000`, also `MX01` and `MXX0`). A label line has
start and end in seconds, turn, code and [valence, activation, dominance] on a scale of 1 to 5, separated by
tabs.

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
from collections.abc import Iterator
from pathlib import Path

from ser.corpora.base import Corpus, Parsed, match_name, wav_files
from ser.corpora.folds import FoldRule, Folds
from ser.errors import DataError, unknown
from ser.types import Utterance, ids

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
    utterances: dict[str, Utterance] = {}
    for session in sessions:
        for labels in _label_files(session):
            for where, utterance in _read_labels(labels, session, root):
                if utterance.wav in utterances:
                    raise DataError(f"{where}: '{Path(utterance.wav).stem}' is labelled twice; keep one line")
                utterances[utterance.wav] = utterance
    audio = (path for session in sessions for path in wav_files(session / "sentences" / "wav"))
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


def _read_labels(path: Path, session: Path, root: Path) -> Iterator[tuple[str, Utterance]]:
    """Yield file and line with every turn of one dialog."""
    number, scenario = match_name(DIALOG, path, root, "Ses01F_impro01").groups()
    if f"Session{number}" != session.name:
        raise DataError(f"{path.relative_to(root)}: a dialog of session {number} in folder '{session.name}'")
    audio = session / "sentences" / "wav" / path.stem
    text = path.read_text(encoding="utf-8-sig", errors="replace")  # raters' comments may be anything
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
                wav=str(audio / f"{turn}.wav"),
                emotion=EMOTIONS[code],
                emotion_native=code,
                gender=talker[1].lower(),
                language="en",
                session=number,
                text_id=scenario,
                arousal=_rating("activation", activation, where),
                valence=_rating("valence", valence, where),
                dominance=_rating("dominance", dominance, where),
            ),
        )


def _rating(name: str, text: str | None, where: str) -> float | None:
    if text in (None, "NaN"):
        return None
    if not LOWEST <= float(text) <= HIGHEST:
        raise DataError(f"{where}: {name} '{text}' outside {LOWEST} to {HIGHEST}; restore the label file")
    return float(text)


CORPUS = Corpus(
    name="iemocap",
    title="IEMOCAP",
    folders=("IEMOCAP_full_release", "IEMOCAP"),
    page="https://sail.usc.edu/iemocap/ (release form)",
    licence="research only, no redistribution (release form of USC SAIL)",
    counts={EMOTIONS[code]: n for code, n in COUNTS.items()},
    parse=parse,
    folds=Folds(FoldRule(rule="sessions"), held_out=5),  # a woman and a man each; the fifth: 1241 of 5531 turns
)
