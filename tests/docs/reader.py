"""What pages take for granted: a reader's own files, as miniatures, in a checkout whose recipe has run."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import soundfile

from ser.bin import prepare_corpus
from ser.data.data_dir import read_data_dir
from ser.splits import emobox
from ser.splits.copies import with_recordings
from ser.splits.lists import Splits
from tests.fakes.wav import write_wav
from tests.recipes.conftest import RECIPE, Checkout

EXP = f"egs/{RECIPE}/exp_mini"

OF_OTHERS = {"my.csv": ("cafe", "CaFE_48k"), "phone.csv": ("casia", "CASIA")}
"""Table of one's own -> the corpus whose miniature has its audio."""


FOUR = ("angry", "happy", "neutral", "sad")


def write_files(checkout: Checkout, nine: Path) -> None:
    """Write every file that a page names and no command of it makes.

    Args:
        checkout: in which the recipe has run on miniatures.
        nine: miniature releases.
    """
    root = checkout.root
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "activate").touch()  # the environment is the one that runs the tests
    (root / "corpora").symlink_to("data_mini/corpora")
    shutil.copytree(nine / "IEMOCAP_full_release", root / "corpora" / "IEMOCAP_full_release", copy_function=os.link)
    for table, (name, folder) in OF_OTHERS.items():
        _write_table(root / table, name, nine / folder)
    for name in ("recordings/a.wav", "recordings/b.wav", "new_recordings/c.wav"):
        write_wav(root / name, n_samples=16_000)
    sound, rate = soundfile.read(root / "recordings" / "a.wav")
    soundfile.write(root / "call.mp3", sound, rate)
    for name, row in (("mine.tsv", "btl"), ("theirs.tsv", "emofsl")):
        _write_predictions(root / name, root / EXP / f"{row}-fbank_no_cmvn" / "seed1" / "predictions.tsv")
    emobox.write_folds(Splits.open(root / EXP / "splits"), root / "data_mini", root / "EmoBox" / "data" / "emodb")
    _write_data_set(root / "resd")


def _write_table(path: Path, name: str, release: Path) -> None:
    """Write the table of a corpus: path, speaker, emotion; of synthetic voices that sound alike, one."""
    folder = path.parent / "prepared" / name
    prepare_corpus.main([name, str(release), str(folder)])
    utterances = [own for own in read_data_dir(folder) if own.emotion in FOUR]
    speakers = sorted({own.speaker for own in utterances})[:4]
    utterances = [own for own in utterances if own.speaker in speakers]
    found = {own.recording or own.utt_id: own for own in with_recordings(utterances)}
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "emotion"])
        writer.writerows([own.wav, own.speaker, own.emotion] for own in found.values())


def _write_predictions(path: Path, predictions: Path) -> None:
    """Write the scores of a system as somebody else's."""
    lines = [line.split("\t") for line in predictions.read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if name not in ("true", "pred")]
    path.write_text("".join("\t".join(line[i] for i in kept) + "\n" for line in lines))


def _write_data_set(folder: Path) -> None:
    """Write a data set as the Hugging Face hub has it: audio, and a table of file names."""
    rows = [("a.wav", "ann", "enthusiasm"), ("b.wav", "bob", "sadness")]
    for i, (name, _, _) in enumerate(rows):
        write_wav(folder / name, seed=i)
    (folder / "metadata.csv").write_text(
        "".join(",".join(row) + "\n" for row in [("file_name", "name", "emotion"), *rows])
    )
