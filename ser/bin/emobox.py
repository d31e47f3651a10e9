"""Read EmoBox's fold files and report what they leak, or write splits of ours in their format.

usage: python -m ser.bin.emobox report FOLDER_OR_FILES... [--data data/emodb]
       python -m ser.bin.emobox write egs/<recipe>/splits[/<task>] DEST --data DATA_ROOT

A folder is that of one corpus, as data/emodb of EmoBox. With --data, the data directory of the same corpus, identical
audio is looked for, too, and file names need not have the speaker.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.errors import ConfigError, run_cli
from ser.splits import emobox
from ser.splits.lists import Splits


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=("report", "write"))
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, help="report: a data directory; write: the folder that holds them")
    args = parser.parse_intermixed_args(argv)
    if args.action == "report":
        report(args.paths, args.data)
    elif len(args.paths) != 2 or args.data is None:
        raise ConfigError("write: needs the folder of a task's splits, a folder to write to, and --data")
    else:
        source, dest = args.paths
        left_out = emobox.write_folds(Splits.open(source), args.data, dest)
        print(f"wrote {dest}")
        for name in left_out:
            print(f"left out: {name}, which the format cannot hold")


def report(paths: Sequence[Path], data_dir: Path | None) -> None:
    """Print what training and test part of each fold share, and the stamp that its scores would need."""
    folds = emobox.read_folds(paths)
    told = emobox.told_of([entry for fold in folds for entry in (*fold.train, *fold.test)], data_dir)
    leaks = [emobox.leaks_of(fold, told) for fold in folds]
    keys = {entry["key"] for fold in folds for entry in (*fold.train, *fold.test)}
    if unknown := sorted(keys - set(told)):
        print(f"{len(unknown)} of {len(keys)} utterances have no known speaker, and count only as utterances (first: "
              f"'{unknown[0]}')")  # fmt: skip
    rows = [["fold", "train", "test", "speakers shared", "texts shared", "identical audio"]]
    for of_fold in leaks:
        texts = "?" if of_fold.texts is None else f"{len(of_fold.texts)} of {of_fold.n_texts}"
        audio = "?" if of_fold.audio is None else str(len(of_fold.audio))
        shared = f"{len(of_fold.speakers)} of {of_fold.n_speakers}"
        rows.append([str(of_fold.fold), str(of_fold.n_train), str(of_fold.n_test), shared, texts, audio])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for name, found in (("utterances", "utterances"), ("identical audio", "audio")):
        if bad := [str(of_fold.fold) for of_fold in leaks if getattr(of_fold, found)]:
            print(f"LEAK: {name} in both training and test of fold {', '.join(bad)}")
    if dependent := [of_fold for of_fold in leaks if of_fold.speakers]:
        names = sorted({speaker for of_fold in dependent for speaker in of_fold.speakers})
        print(f"SPEAKER-DEPENDENT: {len(dependent)} of {len(leaks)} folds test speakers of their training data: "
              f"{', '.join(names)}")  # fmt: skip
    else:
        print("no speaker is shared")
    if any(of_fold.audio is None for of_fold in leaks):
        print("?: not known; --data names a data directory of the corpus, which has it")


if __name__ == "__main__":
    run_cli(main)
