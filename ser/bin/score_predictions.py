"""Score predictions of other systems on a recipe's splits: the same measures, intervals and tests as in its tables.

usage: python -m ser.bin.score_predictions --split DIR FILE... [--fixed true]

DIR is egs/<recipe>/splits, or a task's folder in it. FILE is a table separated by tabs with the columns utt_id and
one score for each class (larger is likelier). Where there are several, it also has columns split (a name in DIR),
shots and draw (of the support set), and seed. Each FILE is a system of the name of the file, flagged as external; all
are held against the first. --fixed true says that another training would give the same predictions.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.errors import DataError, run_cli

EXTERNAL = "external"
"""Flag of systems that were trained elsewhere: nothing is known of what they have seen."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--split", type=Path, required=True, metavar="DIR")
    parser.add_argument("--fixed", choices=("true", "false"), default="false")
    args = parser.parse_args(argv)
    names = [path.stem for path in args.files]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"two files are named {twice[0]}: a system has the name of its file; rename one")
    from ser.results.lines import Line, reference_lines
    from ser.results.record import table_record
    from ser.results.scores import score_lines
    from ser.results.sections import markdown_table
    from ser.scoring.compare import counts_of, speaker_of_id
    from ser.scoring.external import read_predictions
    from ser.splits.lists import Splits

    splits = Splits.open(args.split)
    read = {name: read_predictions(path, splits) for name, path in zip(names, args.files, strict=True)}
    for condition in dict.fromkeys(condition for of_file in read.values() for condition in of_file):
        lines = []
        for name, of_file in read.items():
            if condition not in of_file:
                continue
            own = counts_of(of_file[condition], splits.classes, args.fixed == "false")
            speakers = sorted({speaker_of_id(utt) for utt in of_file[condition]["utt_id"]})
            lines.append(
                Line(
                    name,
                    "-",
                    condition,
                    counts=own.counts,
                    seeds=own.seeds,
                    is_random=own.is_random,
                    speakers=speakers,
                    cells=own.counts.shape[0] * own.counts.shape[1],
                    versus=None if name == names[0] else names[0],
                    stamps=[EXTERNAL],
                )  # fmt: skip
            )
        references = reference_lines(lines[0], splits.classes, splits.classes[0])[:1]  # chance
        table = table_record(condition, score_lines([*references, *lines], splits.classes), splits.classes, None, {})
        print(f"## {condition}\n\n{table['n_utterances']} utterances, {table['n_speakers']} speakers\n")
        print(markdown_table(table))
    print("docs/reading-tables.md defines every term.")


if __name__ == "__main__":
    run_cli(main)
