"""Score trained rows on tested speakers whose classes are balanced or skewed, beside those that the corpus has.

usage: python -m ser.bin.test_speakers RECIPE_OPTIONS --systems smap emofsl_speaker [--versus emofsl_speaker]
                                       [--test_speakers "as they are" "balanced 16" "skewed 16"] [--draws 5]

It writes exp/test_speakers.json, which stage 6 takes into a matrix, and prints UAR in percent with 95 % intervals;
with --versus also the difference, paired by support set and speaker. Counts of all draws are pooled. Rows are those
that stage 4 has trained, and only seed 1 of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import ConfigError, run_cli, unknown
from ser.system.files import write_json


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--test_speakers", nargs="+", default=["as they are", "balanced 16", "skewed 16"])
    parser.add_argument("--systems", nargs="+", required=True, help="labels of rows; all their features and tasks")
    parser.add_argument("--draws", type=int, default=5, help="how often utterances are drawn")
    parser.add_argument("--versus", help="label of a row; with feature and task of each row that it is held against")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    labels = [*args.systems, *([args.versus] if args.versus and args.versus not in args.systems else [])]
    for label in labels:
        if label not in {row.label for row in recipe.rows}:
            raise ConfigError(f"--systems: {unknown(label, {row.label for row in recipe.rows})}")
    from ser.results import balance
    from ser.results.page import TEST_SPEAKERS
    from ser.scoring.test_speakers import TestSpeakers

    conditions = [TestSpeakers.of(text) for text in args.test_speakers]
    rows = [row for row in recipe.rows if row.label in labels and row.needs is None]
    rows = [row for row in rows if recipe.train_done(row, balance.SEED).holds()]
    counts, data, reads = {}, None, None
    for row in sorted(rows, key=lambda row: row.reads):
        if row.reads != reads:
            data, reads = recipe.run_data(row, scoring=True), row.reads
        for how in conditions:
            counts[row.name, how] = balance.counts_of(recipe, row, data, how, args.draws, args.device)
    other_of = {(row.feature, row.task): row.name for row in rows if row.label == args.versus}
    found = []
    for (name, how), own in counts.items():
        row = recipe.row(name)
        other = other_of.get((row.feature, row.task))
        versus = None if other == name else counts.get((other, how))
        for record in balance.records(recipe, row, how, own, versus):
            print(balance.line(record), flush=True)
            found.append(record)
    write_json(recipe.exp / TEST_SPEAKERS, {"draws": args.draws, "versus": args.versus, "rows": found})


if __name__ == "__main__":
    run_cli(main)
