"""CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset (Cao et al. 2014).

91 actors, 48 men and 43 women, say twelve English sentences neutrally and with five emotions; listeners rated all
clips. Open Database License 1.0 (contents: Database Contents License 1.0);
https://github.com/CheyneyComputerScience/CREMA-D, through Git LFS: `git lfs clone
https://github.com/CheyneyComputerScience/CREMA-D.git`. A zip of the page holds pointers instead of audio.

Layout: `AudioWAV/1001_DFA_ANG_XX.wav`, 16 kHz, mono, 16 bit. Name: actor (1001 to 1091), sentence, emotion (ANG DIS
FEA HAP NEU SAD), level (LO MD HI, of the sentence IEO; XX elsewhere). `VideoDemographics.csv` has the sex of the
actors (repeated here), `processedResults/summaryTable.csv` the listeners' votes: `FileName`, `VoiceVote` (letter of
the emotion that most listeners heard from audio only, several with `:` for a tie), and others for video;
`processedResults/tabulatedVotes.csv` the number of votes, of audio only in its lines 100,001 to 107,442.

Counts: 7,442 files (the authors' total): 1,271 of each emotion, 1,087 neutral (counted in EmoBox's list of files).
All takes of 91 actors would be 7,462: 16 of IEO and 6 of every other sentence; 20 are missing.

Known traps: the emotion of the name is what the actor intended, and listeners of the audio agree in 41 % (the
paper's abstract); `emotion` is the intended one, as nearly all papers use it, and `emotion_rated` what listeners
heard, unknown for a tie. `1040_ITH_SAD_X` is named so in the release, and `..._XX` in the table. The release's
`AudioMP3/` and `VideoFlash/` hold the same takes and are left out. 1076_MTI_SAD_XX is silence, and three pairs of
files are the same samples under two emotions (found by others, not by us); they are kept, since all totals count
them. All actors share the sentences.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from ser.corpora.base import Corpus, Form, Parsed, audio_files, match_name, without_copies
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import AMERICAN, Conditions, Labels, Miniature, Prompt, Rate
from ser.errors import DataError
from ser.types import Utterance, format_votes, ids

SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
NAME = re.compile(
    rf"(10(?:0[1-9]|[1-8]\d|9[01]))_({'|'.join(SENTENCES)})_((ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX?))", re.ASCII
)  # `1040_ITH_SAD_X` is one of the release's

EMOTIONS = {
    "ANG": "angry", "DIS": "disgusted", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad",
}  # fmt: skip
VOTES = {code[0]: emotion for code, emotion in EMOTIONS.items()}

WOMEN = {
    1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025, 1028, 1029, 1030, 1037,
    1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063, 1072, 1073, 1074, 1075, 1076, 1078,
    1079, 1082, 1084, 1089, 1091,
}  # fmt: skip
VOICE = range(100_000, 200_000)
"""Numbers of the clips that listeners heard without seeing them, in the table of all votes."""

TABLES = ("processedResults/summaryTable.csv", "summaryTable.csv")
ALL_VOTES = ("processedResults/tabulatedVotes.csv", "tabulatedVotes.csv")


def parse(release: Path) -> Parsed:
    """Read the files of a release, from `AudioWAV/` or the folder itself, and the listeners' votes if it has them.

    Raises:
        DataError: for a name outside the grammar, two different files of one name, or a vote of unknown form.
    """
    votes, all_votes = _votes(release), _all_votes(release)
    utterances = []
    folder = release / "AudioWAV" if (release / "AudioWAV").is_dir() else release
    for path in audio_files(folder):
        actor, sentence, native, code = match_name(NAME, path, release, "1001_DFA_ANG_XX").groups()
        utt_id, speaker = ids("crema_d", actor, path.stem)
        utterances.append(
            Utterance(
                utt_id=utt_id,
                speaker=speaker,
                wav=str(path),
                emotion=EMOTIONS[code],
                emotion_native=native,
                gender="f" if int(actor) in WOMEN else "m",
                language="en",
                text_id=sentence,
                emotion_rated=votes.get(_clip(path.stem), "unknown") if votes else None,
                votes=all_votes.get(_clip(path.stem)),
            )
        )
    return without_copies(utterances, release)


def _clip(stem: str) -> str:
    """Name a file as the table of votes does: `1040_ITH_SAD_X` is the one that differs."""
    return f"{stem}X" if stem.endswith("_X") else stem


def _votes(release: Path) -> dict[str, str]:
    """Read clip -> emotion that most listeners heard; several with as many votes are unknown."""
    found = [release / name for name in TABLES if (release / name).is_file()]
    if not found:
        return {}
    votes = {}
    with open(found[0], encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            name, vote = row.get("FileName"), row.get("VoiceVote")
            if not name or not re.fullmatch("[ADFHNS](:[ADFHNS])*", vote or ""):
                raise DataError(
                    f"crema_d: {found[0].relative_to(release)}: found FileName '{name}' and VoiceVote '{vote}', "
                    "expected as in '1001_IEO_ANG_MD' and 'A:D'; restore the table or remove it"
                )
            votes[name] = VOTES.get(vote, "unknown")
    return votes


def _all_votes(release: Path) -> dict[str, str]:
    """Read clip -> votes of those who heard it without seeing it."""
    found = [release / name for name in ALL_VOTES if (release / name).is_file()]
    votes = {}
    for path in found[:1]:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for n, row in enumerate(csv.DictReader(file), start=2):
                try:
                    number = int(row.get("") or "")
                    heard = {emotion: int(row[letter]) for letter, emotion in VOTES.items()}
                    clip = row["fileName"]
                except (KeyError, ValueError):
                    raise DataError(
                        f"crema_d: {path.relative_to(release)}, line {n}: found {row}, expected a number, votes in "
                        "the columns A D F H N S, and a fileName; restore the table or remove it"
                    ) from None
                if number in VOICE:
                    votes[clip] = format_votes(heard)
    return votes


# ---- The miniature --------------------------------------------------------------------------------------------

CREMA_D_ACTORS = {"1001": "m", "1002": "f", "1005": "m", "1006": "f", "1011": "m", "1018": "f"}
CREMA_D_EMOTIONS = {
    "ANG": "angry", "DIS": "disgusted", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad",
}  # fmt: skip


def prompts() -> Iterator[Prompt]:
    """Lay out CREMA-D: six of the actors, each emotion with two sentences; only IEO has levels."""
    for (actor, gender), (i, (code, emotion)), sentence in product(
        CREMA_D_ACTORS.items(), enumerate(CREMA_D_EMOTIONS.items()), ("IEO", "DFA")
    ):
        level = ("LO", "MD", "HI")[i % 3] if sentence == "IEO" and code != "NEU" else "XX"
        path = f"AudioWAV/{actor}_{sentence}_{code}_{level}.wav"
        yield Prompt(path, actor, gender, emotion, sentence, strength=0.7 if level == "LO" else 1.0)


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    """Write the votes: every fifth clip is heard as neutral, every seventh is a tie."""
    lines = ['"","FileName","VoiceVote","VoiceLevel"\n']
    for n, prompt in enumerate(prompts, 1):
        letter = prompt.stem.split("_")[2][0]
        vote = "N" if n % 5 == 0 else "A:D" if n % 7 == 0 else letter
        lines.append(f'"{n}","{prompt.stem}","{vote}","50"\n')
    return {"processedResults/summaryTable.csv": lines, "processedResults/tabulatedVotes.csv": _tabulated(prompts)}


def _tabulated(prompts: Sequence[Prompt]) -> Iterator[str]:
    """Write the votes on audio, of which the last of ten is neutral, and on video, which are not read."""
    yield '"","A","D","F","H","N","S","fileName","numResponses"\n'
    for n, prompt in enumerate(prompts, 1):
        for mode, most in ((100_000, 9), (200_000, 8)):
            votes = dict.fromkeys("ADFHNS", 0)
            votes[prompt.stem.split("_")[2][0]] += most
            votes["N"] += 10 - most
            yield f'"{mode + n}",{",".join(map(str, votes.values()))},"{prompt.stem}",10\n'


MINIATURE = Miniature(
    folder="CREMA-D",
    rate_hz=16_000,
    prompts=prompts,
    conditions=Conditions(
        **AMERICAN, pitch_semitones=0.2, syllables_per_s=7.0, level_db=-1.5, channel_tilt_db_per_octave=0.8,
        low_cut_hz=70, high_cut_hz=7000, noise_floor_dbfs=-50,
    ),
    labels=label_files,
)  # fmt: skip


CORPUS = Corpus(
    name="crema_d",
    title="CREMA-D",
    languages=("en",),
    n_speakers=91,
    hours=5.3,
    kind="acted",
    traps="less than half of the clips are heard as intended; all actors share twelve sentences",
    rate_hz=16_000,
    folders=("CREMA-D", "CREMAD", "CREMA_D", "CREMA-D-master"),
    page="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="Open Database License 1.0; cite Cao et al. 2014",
    counts={e: 1087 if e == "neutral" else 1271 for e in EMOTIONS.values()},
    parse=parse,
    version=2,
    folds=Folds(FoldRule(rule="stratified_speakers")),
    source=Form("clone with Git LFS (`git lfs clone https://github.com/CheyneyComputerScience/CREMA-D.git`)"),
    miniature=MINIATURE,
)
