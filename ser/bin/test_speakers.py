"""Score trained rows on tested speakers whose classes are balanced or skewed, beside those that the corpus has.

usage: python -m ser.bin.test_speakers RECIPE_OPTIONS --rows smap emofsl_speaker [--versus emofsl_speaker]
                                       [--test_speakers "as they are" "balanced 16" "skewed 16"] [--draws 5]

It writes exp/test_speakers.json, and prints UAR in percent with 95 % intervals; with --versus also the difference,
paired by support set and speaker. Counts of all draws are pooled. Rows are those that stage 4 has trained, and only
seed 1 of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import ConfigError, run_cli, unknown
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.system.files import write_json

if TYPE_CHECKING:
    import numpy as np

    from ser.scoring.test_speakers import TestSpeakers


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--test_speakers", nargs="+", default=["as they are", "balanced 16", "skewed 16"])
    parser.add_argument("--rows", nargs="+", required=True, help="labels of rows; all their features")
    parser.add_argument("--draws", type=int, default=5, help="how often utterances are drawn")
    parser.add_argument("--versus", help="label of a row; with the feature of each row that it is held against")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    labels = [*args.rows, *([args.versus] if args.versus and args.versus not in args.rows else [])]
    for label in labels:
        if label not in {row.label for row in recipe.rows}:
            raise ConfigError(f"--rows: {unknown(label, {row.label for row in recipe.rows})}")
    from ser.scoring.test_speakers import TestSpeakers

    conditions = [TestSpeakers.of(text) for text in args.test_speakers]
    rows = [row for row in recipe.rows if row.label in labels and row.needs is None]
    rows = [row for row in rows if recipe.train_done(row, 1).holds()]
    counts, records = {}, []
    for row in sorted(rows, key=lambda row: row.reads):
        data = recipe.run_data(row, scoring=True)
        for how in conditions:
            for shots, found in _counts(recipe, row, data, how, args.draws, args.device).items():
                counts[row.name, how, shots] = found
    other_of = {(row.feature, row.task): row.name for row in rows if row.label == args.versus}
    for (name, how, shots), found in counts.items():
        row = recipe.row(name)
        other = other_of.get((row.feature, row.task), name)
        records.append(_record(row, how, shots, found, counts.get((other, how, shots)) if other != name else None))
        print(_line(records[-1]), flush=True)
    write_json(recipe.exp / "test_speakers.json", {"draws": args.draws, "versus": args.versus, "rows": records})


def _counts(
    recipe: Recipe, row: Row, data: object, how: TestSpeakers, draws: int, device: str
) -> dict[str, np.ndarray]:
    """Count how often each class was taken for each: shots -> (1, support sets, speakers, C, C).

    Draws of test utterances are added up: in one of them a class may have no utterance without a certain speaker.
    """
    import pandas as pd

    from ser.scoring.score import by_shots, confusion_counts, predictions_table
    from ser.scoring.test_speakers import predict_drawn

    state, tables = recipe.weights(row, 1), []
    for draw in range(1, 1 + (1 if how.how == "as they are" else draws)):
        seed = recipe.settings.protocol.seed
        predictions, shown = predict_drawn(row.method, row.config, data, state, device, how, draw, seed)
        tables.append(predictions_table(predictions, shown))
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    return {
        str(condition.key): confusion_counts(part, data.classes, speaker_of)[0].sum(0)[None]
        for condition, part in by_shots(pd.concat(tables, ignore_index=True)).items()
    }


def _record(row: Row, how: TestSpeakers, shots: str, counts: np.ndarray, versus: np.ndarray | None) -> dict[str, Any]:
    from ser.metrics.uncertainty import uar_difference, uar_estimate

    found = uar_estimate(counts, row.about.is_random)
    record = {"row": row.label, "feature": row.feature, "test_speakers": str(how), "shots": int(shots),
              "uar": found.value, "interval": found.interval, "utterances": int(counts[0, 0].sum())}  # fmt: skip
    if versus is not None:
        difference = uar_difference(counts, versus, is_random=True, paired=True)
        record |= {"difference": difference.value, "difference_interval": difference.interval, "p": difference.p}
    return record


def _line(record: dict[str, Any]) -> str:
    def bounds(interval: Sequence[float] | None) -> str:
        return "" if interval is None else f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"

    text = f"{record['row']:26} {record['feature']:16} {record['test_speakers']:12} {record['shots']:2} shots "
    text += f"{100 * record['uar']:5.1f}{bounds(record['interval'])}"
    if "difference" in record:
        text += f", difference {100 * record['difference']:+.1f}{bounds(record['difference_interval'])}"
    return text


if __name__ == "__main__":
    run_cli(main)
