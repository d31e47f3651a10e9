"""MSP-IMPROV: acted and natural dyadic interactions (Busso et al. 2017).

Twelve actors in six sessions, a woman and a man each, in US English: 20 target sentences with four emotions,
as read, as reached in an improvised scene, with the scene around them and the talk between takes. Signed
academic license, then a password: https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html; no
redistribution.

Layout: `Evalution.txt` (or `Evaluation.txt`) and `Audio/session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav`; some
copies lack `Audio/`; rates differ between copies. Name: sentence (S01 to S20) with the scenario's emotion (A
angry, H happy, N neutral, S sad); *talker* (sex and session); condition (R target sentence read, T target
sentence improvised, S other improvised turns, P talk between takes); performance (first letter: sex of the
actor who says the target sentence in it) with the turn's number. A block of the label file is a header, then
a line per rater: `UTD-IMPROV-S20A-F02-R-FF99.avi; A; A:2.500000; V:2.000000; D:3.500000 ; N:3.000000;` holds
the raters' consensus (A H N S, O other, X no agreement), then activation, valence, dominance and naturalness
from 1 to 5.

Counts: 8,438 turns: A 792, S 885, H 2644, N 3477 (these four 7,798), O 85, X 555. By condition R 620, T 652,
S 4381, P 2785. By the scenario's letter A and S 4546, H and N 3892, N and S 3660, A and H 4778.

Known traps: S01 is a sentence, not a session; the performance's letters are not the talker; activation is
stored reversed (1 is most active), so arousal is 6 - A; its field comes before valence; a space stands before
`; N:`; some values are NaN; labels say UTD-IMPROV and .avi where audio says MSP-IMPROV and .wav; raters stand
twice in some blocks. The scenario's emotion (`emotion_acted`) equals what raters heard in half of the turns:
`emotion` is the consensus. The text is known for R and T only, so other turns have no text id. Naturalness
has no field and is not kept. `utt2votes` has the raters' first choices.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import AMERICAN, Conditions, Labels, Miniature, Prompt, Rate, class_means
from ser.errors import DataError, unknown
from ser.types import Utterance, format_votes, ids

LABEL_FILES = ("Evaluation.txt", "Evalution.txt")
TURN = r"S(?:0[1-9]|1\d|20)[AHNS]-[FM]0[1-6]-[PRST]-[FM]{2}\d\d"
NAME = re.compile(rf"MSP-IMPROV-({TURN})", re.ASCII)
LABEL = re.compile(
    rf"UTD-IMPROV-({TURN})\.avi; ([A-Z]); "
    r"A:([\d.]+|NaN); V:([\d.]+|NaN); D:([\d.]+|NaN) ?; N:(?:[\d.]+|NaN);",
    re.ASCII,
)
LABEL_EXAMPLE = "UTD-IMPROV-S20A-F02-R-FF99.avi; A; A:2.500000; V:2.000000; D:3.500000 ; N:3.000000;"
SESSION = re.compile(r"session([1-6])", re.IGNORECASE)

WORDS = {"Angry": "angry", "Happy": "happy", "Neutral": "neutral", "Sad": "sad"}
"""What raters choose; other words count as other."""

Label = tuple[str, tuple[float | None, float | None, float | None], dict[str, str]]

EMOTIONS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad", "O": "other", "X": "unknown"}


def parse(release: Path) -> Parsed:
    """Read the label file and hold it against the turns' audio.

    A labelled turn without audio stays an utterance: its file is found missing where audio is checked.

    Raises:
        DataError: for a name or label line outside the grammar, or audio without a label.
    """
    root = release.resolve()
    labels = _read_labels(_label_file(root), root)
    folder = root / "Audio" if (root / "Audio").is_dir() else root
    audio = _find_audio(folder, root)
    if unlabelled := [str(path.relative_to(root)) for turn, path in audio.items() if turn not in labels]:
        raise DataError(
            f"msp_improv: {len(unlabelled)} audio files have no label (first: {unlabelled[0]}); "
            "restore the label file or move the audio away"
        )
    return Parsed([_utterance(t, label, audio.get(t, _place(t, folder))) for t, label in labels.items()], {})


def _utterance(turn: str, label: Label, wav: Path) -> Utterance:
    scenario, talker, condition, _ = turn.split("-")
    letter, (activation, valence, dominance), heard = label
    utt_id, speaker = ids("msp_improv", talker, turn)
    return Utterance(
        utt_id=utt_id,
        speaker=speaker,
        wav=str(wav),
        emotion=EMOTIONS[letter],
        emotion_native=letter,
        gender=talker[0].lower(),
        language="en",
        session=talker[-1],
        text_id=scenario[1:3] if condition in "RT" else None,
        arousal=None if activation is None else round(6 - activation, 6),  # stored reversed
        valence=valence,
        dominance=dominance,
        emotion_acted=EMOTIONS[scenario[3]],
        votes=format_votes(Counter(heard.values())) or None,
    )


def _label_file(root: Path) -> Path:
    """Find the label file under either spelling."""
    found = [root / name for name in LABEL_FILES if (root / name).is_file()]
    if not found:
        raise DataError(f"msp_improv: '{root}' holds neither {' nor '.join(LABEL_FILES)}; restore the label file")
    if len(found) == 2 and found[0].read_bytes() != found[1].read_bytes():
        raise DataError(f"msp_improv: {' and '.join(LABEL_FILES)} differ; keep the one of the release")
    return found[0]


def _read_labels(path: Path, root: Path) -> dict[str, Label]:
    """Read turn -> consensus letter, (activation, valence, dominance) as stored, and what each rater heard."""
    labels: dict[str, Label] = {}
    heard: dict[str, str] = {}
    text = path.read_text(encoding="utf-8-sig", errors="replace")  # raters' words may be anything
    for n, line in enumerate(text.split("\n"), start=1):
        if not (line.startswith("UTD-") or ".avi;" in line):
            rater, _, words = line.partition(";")
            if words:
                heard[rater] = WORDS.get(words.partition(";")[0].strip(), "other")  # who stands twice counts once
            continue
        where = f"msp_improv: {path.relative_to(root)} line {n}"
        if not (matched := LABEL.fullmatch(line.rstrip())):
            raise DataError(f"{where}: found '{line.rstrip()}', expected as in '{LABEL_EXAMPLE}'")
        turn, letter, *ratings = matched.groups()
        if letter not in EMOTIONS:
            raise DataError(f"{where}: {unknown(letter, EMOTIONS)}")
        if turn in labels:
            raise DataError(f"{where}: '{turn}' is labelled twice; keep one block")
        activation, valence, dominance = (_rating(text, where) for text in ratings)
        labels[turn] = letter, (activation, valence, dominance), (heard := {})
    return labels


def _rating(text: str, where: str) -> float | None:
    if text == "NaN":
        return None
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{where}: rating '{text}' is not a number; restore the label file") from None
    if not 1 <= value <= 5:
        raise DataError(f"{where}: rating '{text}' outside 1 to 5; restore the label file")
    return value


def _find_audio(folder: Path, root: Path) -> dict[str, Path]:
    """Find turn -> file, each in the session of its talker."""
    audio: dict[str, Path] = {}
    for path in audio_files(folder):
        turn = match_name(NAME, path, root, "MSP-IMPROV-S01A-F01-S-FM01")[1]
        name, session = path.relative_to(root), turn[7]
        folders = [matched[1] for part in name.parts if (matched := SESSION.fullmatch(part))]
        if folders != [session]:
            found = f"'session{folders[-1]}'" if folders else "no session folder"
            raise DataError(f"{name}: talker '{turn[5:8]}' in {found}, expected 'session{session}'; move it back")
        if turn in audio:
            raise DataError(f"{name}: '{audio[turn].relative_to(root)}' has the same name; keep one of them")
        audio[turn] = path
    return audio


def _place(turn: str, folder: Path) -> Path:
    """Say where the release has a turn's audio."""
    scenario, talker, condition, _ = turn.split("-")
    return folder / f"session{talker[-1]}" / scenario / condition / f"MSP-IMPROV-{turn}.wav"


# ---- The miniature --------------------------------------------------------------------------------------------

MSP_IMPROV_LETTERS = {"angry": "A", "happy": "H", "neutral": "N", "sad": "S", "other": "O", "unknown": "X"}
MSP_IMPROV_WORDS = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad", "O": "Other", "X": "Other"}


def prompts() -> Iterator[Prompt]:
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


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write the label file: misspelt as in most copies where the seed is even, else spelt right."""
    return {("Evalution.txt", "Evaluation.txt")[seed % 2]: _blocks(prompts, rate)}


def _blocks(prompts: Sequence[Prompt], rate: Rate) -> Iterator[str]:
    """Write each turn's consensus and its raters, one of them twice; the first turn's dominance is missing."""
    for prompt in prompts:
        letter = MSP_IMPROV_LETTERS[prompt.emotion]
        arousal, valence, dominance = rate(prompt)
        scales = {"A": 6 - arousal, "V": valence, "D": dominance if prompt != prompts[0] else float("nan")}
        values = "; ".join(f"{scale}:{value:.6f}".replace("nan", "NaN") for scale, value in scales.items())
        rater = f"20140930_A1; {MSP_IMPROV_WORDS[letter]}; Calm,Résigné; {values}; N:4.000000;\n"
        name = prompt.stem.replace("MSP", "UTD", 1)
        yield f"{name}.avi; {letter}; {values} ; N:{'NaN' if letter == 'X' else '4.000000'};\n{rater}{rater}\n"


MINIATURE = Miniature(
    folder="MSP-IMPROV",
    rate_hz=44_100,
    prompts=prompts,
    conditions=Conditions(
        **AMERICAN, pitch_semitones=0.5, syllables_per_s=7.6, edge_silence_s=0.035,
        level_db=0.5, channel_tilt_db_per_octave=0.3, presence_db=1, low_cut_hz=80, noise_floor_dbfs=-58,
    ),
    labels=label_files,
    # Ours: of the release it is known only that anger and joy are more active than neutral and sadness.
    ratings=class_means(
        angry=(3.4, 1.9, 3.6), happy=(3.2, 4.0, 3.1), neutral=(2.4, 3.1, 2.7), sad=(2.2, 2.0, 2.3),
        other=(2.8, 2.8, 2.9), unknown=(2.7, 2.7, 2.8),
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="msp_improv",
    title="MSP-IMPROV",
    languages=("en",),
    n_speakers=12,
    hours=9.0,
    kind="acted, improvised and natural",
    traps="the emotion of the scenario is not what listeners heard",
    folders=("MSP-IMPROV", "MSP_IMPROV", "MSPIMPROV"),
    page="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html (academic licence)",
    licence="academic license of UT Dallas, no redistribution",
    counts={"angry": 792, "sad": 885, "happy": 2644, "neutral": 3477, "other": 85, "unknown": 555},
    parse=parse,
    version=2,
    folds=Folds(FoldRule(rule="sessions"), held_out=6),  # a woman and a man each; the sixth: 1622 turns
    source=Form("sign the academic license and ask for the audio and `Evalution.txt`"),
    miniature=MINIATURE,
)
