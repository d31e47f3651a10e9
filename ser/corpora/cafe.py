"""CaFE: Canadian French Emotional speech database (Gournay, Lahaie & Lefebvre 2018).

Twelve actors (odd numbers men, even numbers women) speak six sentences in Canadian French, neutral and with
six emotions at two intensities. CC BY-NC-SA 4.0; https://zenodo.org/record/1478765, `CaFE_48k.zip`, or the
same takes at 192 kHz in `CaFE_192k_1.zip` (actors 1 to 6) and `CaFE_192k_2.zip` (7 to 12).

Layout: `Colère|Dégoût|Joie|Peur|Surprise|Tristesse/Faible|Fort/01-C-1-1.wav` and `Neutre/01-N-1-1.wav`, 48
kHz; at 192 kHz the files are AIFF of 24 bit and neutral ones carry no intensity (`03-N-1.aiff`). Name:
actor, emotion (French initial), intensity (1 weak, 2 strong; neutral has only 1), sentence. Utterance ids
follow the 48 kHz names, so both releases give the same ids.

Counts: 936 files, 78 per actor: 6 neutral and 12 of each other emotion.

Known traps: S is surprise, T (tristesse) sadness, P (peur) fear; accented folder names come in either
Unicode form or mangled by unzip, so only file names are read; both rates in one tree are the same utterances
twice, so the fuller one is read (48 kHz if they are equal) and the other left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, product
from pathlib import Path, PurePosixPath

from ser.corpora.base import GIB, SUFFIXES, Archive, Corpus, Parsed, audio_files, match_name
from ser.corpora.folds import FoldRule, Folds
from ser.corpora.miniature import Conditions, Labels, Miniature, Prompt, Rate, class_means, das_csv
from ser.errors import DataError
from ser.types import Utterance, ids

NAME = re.compile(r"(0[1-9]|1[0-2])-(?:(N)(?:-1)?|([CDJPST])-([12]))-([1-6])", re.ASCII)
FOLDER_192 = re.compile(r"cafe.?192.?k", re.IGNORECASE)

EMOTIONS = {
    "C": "angry",  # Colère
    "D": "disgusted",  # Dégoût
    "J": "happy",  # Joie
    "N": "neutral",
    "P": "fearful",  # Peur
    "S": "surprised",
    "T": "sad",  # Tristesse
}


def parse(release: Path) -> Parsed:
    """Read the files of a release at one of its two rates; second copies are left out.

    `emotion_native` is emotion and intensity as in the names, such as `C-2`.

    Raises:
        DataError: for a name outside the grammar, or two different files for one utterance.
    """
    root = release.resolve()
    rates: dict[str, list[Path]] = {"48 kHz": [], "192 kHz": []}
    aiff = list(_aiff_files(root))
    for path in sorted(chain(audio_files(root, SUFFIXES[:1] if aiff else SUFFIXES), aiff)):
        rates[_rate(path, root)].append(path)
    read = max(rates, key=lambda rate: len({path.stem for path in rates[rate]}))
    dropped = {
        str(path.relative_to(root)): f"{rate} copy, the {read} release was read"
        for rate, paths in rates.items()
        if rate != read
        for path in paths
    }
    utterances: dict[str, Utterance] = {}
    for path in rates[read]:
        actor, neutral, letter, intensity, sentence = match_name(NAME, path, root, "01-C-1-1").groups()
        native = f"{neutral or letter}-{intensity or 1}"
        utt_id, speaker = ids("cafe", actor, f"{actor}-{native}-{sentence}")
        if utt_id in utterances:
            name, twin = path.relative_to(root), Path(utterances[utt_id].wav)
            if path.read_bytes() != twin.read_bytes():
                raise DataError(f"cafe: '{name}' and '{twin.relative_to(root)}' differ; keep the right one")
            dropped[str(name)] = "second copy of a file"
            continue
        utterances[utt_id] = Utterance(
            utt_id=utt_id,
            speaker=speaker,
            wav=str(path),
            emotion=EMOTIONS[native[0]],
            emotion_native=native,
            gender="m" if int(actor) % 2 else "f",
            language="fr",
            text_id=sentence,
        )
    return Parsed(list(utterances.values()), dropped)


def _aiff_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.suffix.lower() == ".aiff" and not any(p.startswith((".", "__MACOSX")) for p in parts):
            yield path


def _rate(path: Path, root: Path) -> str:
    """Tell the release that a file is of, by its folder or its format."""
    folders = (root.name, *path.relative_to(root).parts[:-1])
    if path.suffix.lower() == ".aiff" or any(FOLDER_192.search(folder) for folder in folders):
        return "192 kHz"
    return "48 kHz"


# ---- The miniature --------------------------------------------------------------------------------------------

CAFE_FOLDERS = {
    "C": ("Colère", "angry"), "D": ("Dégoût", "disgusted"), "J": ("Joie", "happy"), "N": ("Neutre", "neutral"),
    "P": ("Peur", "fearful"), "S": ("Surprise", "surprised"), "T": ("Tristesse", "sad"),
}  # fmt: skip
CAFE_INTENSITIES = {"1": ("Faible", 0.75), "2": ("Fort", 1.2)}
"""Folder, and strength of the emotion."""


def prompts() -> Iterator[Prompt]:
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


def label_files(prompts: Sequence[Prompt], rate: Rate, seed: int) -> Labels:
    return {"CAFE.csv": das_csv("filname,activation ,valence", prompts, rate)}


MINIATURE = Miniature(
    folder="CaFE_48k",
    rate_hz=48_000,
    prompts=prompts,
    conditions=Conditions(  # Canadian French
        formant_ratio=1.02, fronting_ratio=1.07, vowel_space_ratio=1.05, frication_db=-17,
        syllables_per_s=7.8, rhythm_sd=0.11, edge_silence_s=0.04,
        channel_tilt_db_per_octave=0.2, presence_db=0.5, high_cut_hz=7200, noise_floor_dbfs=-66,
    ),
    labels=label_files,
    ratings=class_means(  # Means of the ratings of Das et al. 2022 as they published them.
        angry=(4.15, 1.76), happy=(3.27, 2.93), neutral=(2.83, 2.97), sad=(2.47, 1.83), fearful=(3.15, 2.20),
        disgusted=(2.73, 2.13), surprised=(3.25, 2.96),
    ),
)  # fmt: skip


CORPUS = Corpus(
    name="cafe",
    title="CaFE",
    languages=("fr",),
    n_speakers=12,
    hours=1.2,
    kind="acted",
    traps="all speakers share six sentences",
    folders=("CaFE", "CaFE_48k", "CaFE_192k"),
    page="https://zenodo.org/record/1478765 (CaFE_48k.zip)",
    licence="CC BY-NC-SA 4.0",
    counts={e: 72 if e == "neutral" else 144 for e in EMOTIONS.values()},
    parse=parse,
    folds=Folds(FoldRule(rule="consecutive_speakers", size=2)),  # one man and one woman
    source=Archive(
        "https://zenodo.org/records/1478765/files/CaFE_48k.zip?download=1",  # no checksum known to us
        most=4 * GIB,
    ),
    miniature=MINIATURE,
)
