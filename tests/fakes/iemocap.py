"""IEMOCAP in its release's grammar, with its quirks: raters' folders, whole dialogs, hidden copies.

`full_release` lists 10,039 turns whose counts are those of the real one: per session, talker, emotion and
kind of scenario. Which turn has which is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.fakes.wav import write_wav

RATINGS = {  # valence, activation, dominance; of the four classes their means in the real release
    "ang": (1.895, 3.662, 3.966), "hap": (3.969, 3.404, 3.243), "exc": (3.969, 3.404, 3.243),
    "neu": (2.988, 2.726, 2.853), "sad": (2.243, 2.571, 2.818),
}  # fmt: skip
OTHER_RATINGS = (2.5, 3.0, 3.5)

SESSIONS = {  # of the four classes: ang hap exc neu sad, woman's turns, improvised turns; all turns
    "1": ((229, 135, 143, 384, 194), 528, 521, 1819),
    "2": ((137, 117, 210, 362, 197), 481, 530, 1811),
    "3": ((240, 135, 151, 320, 305), 522, 627, 2136),
    "4": ((327, 65, 238, 258, 143), 528, 534, 2103),
    "5": ((170, 143, 299, 384, 245), 590, 731, 2170),
}
OTHER_CODES = {"fru": 1849, "fea": 40, "sur": 107, "dis": 2, "oth": 3, "xxx": 2507}
WEARER_SILENT = 550  # turns of a session's four classes whose talker does not wear the markers: 2,750 in all

IMPRO = ("impro01", "impro02", "impro03", "impro04", "impro05a", "impro05b", "impro06", "impro07", "impro08")
SCRIPT = ("script01_1", "script01_1b", "script01_2", "script01_3", "script02_1", "script02_2", "script03_1")


class Turn(NamedTuple):
    """One labelled turn: `Ses01F_impro01`, `M000`, `neu` and (valence, activation, dominance)."""

    dialog: str
    talker: str
    code: str
    ratings: tuple[float | str, ...] = OTHER_RATINGS

    @property
    def name(self) -> str:
        return f"{self.dialog}_{self.talker}"

    @property
    def wav(self) -> str:
        """Below the release."""
        return f"Session{self.dialog[4]}/sentences/wav/{self.dialog}/{self.name}.wav"


def full_release() -> list[Turn]:
    """List all turns of the release."""
    rng = np.random.default_rng(0)
    others = rng.permutation([code for code, n in OTHER_CODES.items() for _ in range(n)]).tolist()
    turns: list[Turn] = []
    numbers: Counter[str] = Counter()

    def add(session: str, talker: str, wearer: str, scenario: str, code: str) -> None:
        stem = f"Ses0{session}{wearer}_{scenario}"
        number = numbers[stem + talker]
        numbers[stem + talker] += 1
        turns.append(Turn(stem, f"{talker}{number:03}", code, RATINGS.get(code, OTHER_RATINGS)))

    for session, (four_classes, n_woman, n_impro, n_all) in SESSIONS.items():
        n = sum(four_classes)
        codes = rng.permutation(np.repeat(["ang", "hap", "exc", "neu", "sad"], four_classes)).tolist()
        talkers = rng.permutation(["F"] * n_woman + ["M"] * (n - n_woman)).tolist()
        silent = rng.permutation([True] * WEARER_SILENT + [False] * (n - WEARER_SILENT)).tolist()
        improvised = rng.permutation([True] * n_impro + [False] * (n - n_impro)).tolist()
        for i in range(n):
            wearer = "FM"[(talkers[i] == "M") != silent[i]]
            scenes = IMPRO if improvised[i] else SCRIPT
            add(session, talkers[i], wearer, scenes[i % len(scenes)], codes[i])
        for i in range(n_all - n):
            scenes = (IMPRO, SCRIPT)[i // 4 % 2]
            add(session, "FM"[i % 2], "FM"[i // 2 % 2], scenes[i % len(scenes)], others.pop())
    return turns


def label(turn: Turn, start: float = 6.2901) -> str:
    """Write a turn's block of a label file: the release's line, then a line per rater."""
    ratings = ", ".join(r if isinstance(r, str) else f"{r:.4f}" for r in turn.ratings)
    return (
        f"[{start:.4f} - {start + 1.9456:.4f}]\t{turn.name}\t{turn.code}\t[{ratings}]\n"
        "C-E2:\tNeutral;\t()\n"
        f"C-{turn.talker[0]}1:\tAnger; Frustration;\t(at odds)\n"
        "A-E3:\tval 1; act 5; dom  ;\t()\n"
        "A-E4:\tval 5; act 1; dom  5;\t(mad)\n\n"
    )


def write_release(root: Path, turns: Iterable[Turn], n_samples: int = 50) -> Path:
    """Write a release with these turns, 16 kHz, and what else lies in it."""
    dialogs: dict[str, list[Turn]] = {}
    for seed, turn in enumerate(turns):
        dialogs.setdefault(turn.dialog, []).append(turn)
        write_wav(root / turn.wav, seed, n_samples)
    for dialog, its_turns in dialogs.items():
        session = root / f"Session{dialog[4]}"
        text = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        text += "".join(label(turn, 2.0 * i) for i, turn in enumerate(its_turns))
        labels = session / "dialog" / "EmoEvaluation"
        for rater in ("Attribute", "Categorical", "Self-evaluation"):  # turns again, labelled by one person
            (labels / rater).mkdir(parents=True, exist_ok=True)
            (labels / rater / f"{dialog}_e2.txt").write_text(f"{its_turns[0].name} :Anger; ()\n")
            (labels / rater / f"{dialog}.txt").write_text(text.replace("\tneu\t", "\tang\t"))
        (labels / f"{dialog}.txt").write_text(text)
        (labels / f"._{dialog}.txt").write_bytes(b"\0\5\x16\7 Mac OS X \xff\xfe")
        (session / "sentences" / "wav" / dialog / f"._{its_turns[0].name}.wav").write_bytes(b"\0\5\x16\7")
        write_wav(session / "dialog" / "wav" / f"{dialog}.wav", channels=2)
        transcript = session / "dialog" / "transcriptions" / f"{dialog}.txt"
        transcript.parent.mkdir(parents=True, exist_ok=True)
        transcript.write_text(f"{its_turns[0].name} [006.2901-008.2357]: Excuse me.\n")
    return root
