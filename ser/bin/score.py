"""Predict the test utterances with every trained row and score them.

usage: python -m ser.bin.score RECIPE_OPTIONS
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.build import SIMILARITY, Recipe, Row
from ser.errors import SerError, run_cli
from ser.files import read_json, replacing, write_json


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    runs = [(row, seed) for row in recipe.rows if row.needs is None for seed in row.seeds]
    trained = [(row, seed) for row, seed in runs if recipe.train_done(row, seed).holds()]
    runs = [(row, seed) for row, seed in runs if recipe.left_out(row) is None or (row, seed) in trained]
    stale = [(row, seed) for row, seed in trained if not _is_scored(recipe, row, seed)]
    data = {}
    for row, seed in sorted(stale, key=lambda run: run[0].reads):  # so that features and lists are read once
        if row.reads not in data:
            data = {row.reads: recipe.run_data(row, scoring=True)}
        _score(recipe, row, seed, data[row.reads], args.device)
    print(f"scored {len(stale)} of {len(runs)} runs" if stale else "scores: up to date")
    if len(trained) < len(runs):
        missing = sorted({row.name for row, seed in runs if (row, seed) not in trained})
        raise SerError(f"{len(runs) - len(trained)} runs are not trained ({', '.join(missing)}); run stage 4")


def _path(recipe: Recipe, row: Row, seed: int) -> Path:
    return recipe.run_dir(row, seed) / "metrics.json"


def _is_scored(recipe: Recipe, row: Row, seed: int) -> bool:
    path = _path(recipe, row, seed)
    return path.exists() and read_json(path)["made_from"] == recipe.score_inputs(row, seed)


def _score(recipe: Recipe, row: Row, seed: int, data: object, device: str) -> None:
    import numpy as np
    from safetensors.torch import load_file

    from ser.scoring import by_corpus, by_shots, metrics, predictions_table

    folder = recipe.run_dir(row, seed)
    _path(recipe, row, seed).unlink(missing_ok=True)
    state = load_file(folder / "model.safetensors")
    predictions = row.method.predict(row.config, data, state, device)
    table = predictions_table(predictions, data)
    with replacing(folder / "predictions.tsv") as path:
        table.to_csv(path, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    if hasattr(row.method, "similarity") and (curves := row.method.similarity(row.config, data, state, device)):
        with replacing(folder / SIMILARITY) as path, open(path, "wb") as file:
            np.savez(file, **curves)
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    result = {
        "made_from": recipe.score_inputs(row, seed),
        "classes": list(data.classes),
        "target_data": sorted(row.method.target_data(row.config)),
        "conditions": metrics((by_corpus if row.task else by_shots)(table), data.classes, speaker_of, not row.task),
    }
    write_json(_path(recipe, row, seed), result)
    names = {c: f"at {c} shots" if c.isdigit() else f"on {c}" for c in result["conditions"]}
    uars = ", ".join(f"{100 * s['uar']:.1f} {names[c]}" for c, s in result["conditions"].items())
    print(f"{row.name} seed {seed}: UAR {uars}", flush=True)


if __name__ == "__main__":
    run_cli(main)
