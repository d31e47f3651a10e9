"""Predict the test utterances with every trained row, score them, and make its folder one that `predict` can use.

usage: python -m ser.bin.score RECIPE_OPTIONS
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import SerError, run_cli
from ser.mistakes.simulate import Simulated
from ser.recipe import kept
from ser.recipe.recipe import METRICS, Recipe
from ser.recipe.rows import Row
from ser.recipe.train import write_settings
from ser.scoring.runs import is_scored, score_run, write_scores
from ser.system.files import read_json
from ser.system.progress import progress


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    runs = [(row, seed) for row in recipe.rows if row.needs is None for seed in row.seeds]
    trained = [(row, seed) for row, seed in runs if recipe.is_trained(row, seed)]
    runs = [(row, seed) for row, seed in runs if recipe.left_out(row) is None or (row, seed) in trained]
    stale = [
        (row, seed) for row, seed in trained if not is_scored(recipe, row, seed) and recipe.has_weights(row, seed)
    ]
    for row, seed in stale:
        if missing := recipe.lost(row, seed, of_training=False):
            print(f"{row.name} seed {seed}: {', '.join(missing)} missing or cut short; scored again")
    data = {}
    by_data = sorted(stale, key=lambda run: run[0].reads)  # so that features and lists are read once
    for row, seed in progress(by_data, "scoring", len(stale)):
        if row.reads not in data:
            data = {row.reads: recipe.run_data(row, scoring=True)}
        _score(recipe, row, seed, data[row.reads], args.device)
    _join_scores(recipe, [(row, seed) for row, seed in trained if row.name in {one.name for one, _ in stale}])
    print(f"scored {len(stale)} of {len(runs)} runs" if stale else "scores: up to date")
    if recipe.keep_weights in ("best", "none"):
        drop_weights(recipe, trained)
    if len(trained) < len(runs):
        missing = sorted({row.name for row, seed in runs if (row, seed) not in trained})
        raise SerError(f"{len(runs) - len(trained)} runs are not trained ({', '.join(missing)}); run stage 4")


def _score(recipe: Recipe, row: Row, seed: int, data: object, device: str) -> None:
    """Score one run, and make its folder one that `predict` can use."""
    state = recipe.weights(row, seed)
    write_settings(recipe, row, seed)  # those of prediction may have changed since it was trained
    scored, temperatures = score_run(recipe, row, seed, data, state, device), {}
    if (
        not isinstance(recipe, Simulated) and not recipe.settings.protocol.is_matrix
    ):  # nobody is to use what a mistake made
        from ser.inference.folder import write_folder

        temperatures = write_folder(recipe, row, seed, data, state, scored, device)["temperatures"]
    scored.calibrate(temperatures)
    folder = recipe.run_dir(row, seed)
    write_scores(folder, scored.result)
    kept.record(folder, [path.name for path in folder.iterdir() if path.name[0] != "." and path.name != kept.RECORD])
    print(scored.summary, flush=True)


def _join_scores(recipe: Recipe, runs: Sequence[tuple[Row, int]]) -> None:
    """Write the scores of all seeds of each row into one file, in the order of the seeds."""
    if not runs:
        return
    from ser.scoring.tidy import join_scores

    folders: dict[Path, list[Path]] = {}
    for row, seed in runs:
        if recipe.is_scored(row, seed):
            folder = recipe.run_dir(row, seed)
            folders.setdefault(folder.parent, []).append(folder)
    for folder, of_row in folders.items():
        join_scores(folder, of_row)


def drop_weights(recipe: Recipe, runs: Sequence[tuple[Row, int]]) -> None:
    """Drop the weights of scored runs; with `best`, all but those of each row's seed with the highest UAR."""
    scored = [run for run in runs if recipe.is_scored(*run)]
    best: dict[str, tuple[float, int]] = {}
    for row, seed in scored:
        conditions = read_json(recipe.run_dir(row, seed) / METRICS)["conditions"].values()
        uar = sum(of["uar"] for of in conditions) / max(len(conditions), 1)
        best[row.name] = max(best.get(row.name, (-1.0, 0)), (uar, -seed))
    n_bytes = sum(
        kept.drop_weights(recipe.run_dir(row, seed))
        for row, seed in scored
        if recipe.keep_weights == "none" or best[row.name][1] != -seed
    )
    if n_bytes:
        print(f"dropped {n_bytes / 1e9:.2f} GB of weights, as --keep_weights {recipe.keep_weights}; "
              "--keep_weights all trains them again")  # fmt: skip


if __name__ == "__main__":
    run_cli(main)
