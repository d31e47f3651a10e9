"""Predict the test utterances with every trained row, score them, and make its folder one that `predict` can use.

usage: python -m ser.bin.score RECIPE_OPTIONS
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import SerError, run_cli
from ser.mistakes.simulate import Simulated
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.scoring.runs import is_scored, score_run, write_scores


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    runs = [(row, seed) for row in recipe.rows if row.needs is None for seed in row.seeds]
    trained = [(row, seed) for row, seed in runs if recipe.train_done(row, seed).holds()]
    runs = [(row, seed) for row, seed in runs if recipe.left_out(row) is None or (row, seed) in trained]
    stale = [(row, seed) for row, seed in trained if not is_scored(recipe, row, seed)]
    data = {}
    for row, seed in sorted(stale, key=lambda run: run[0].reads):  # so that features and lists are read once
        if row.reads not in data:
            data = {row.reads: recipe.run_data(row, scoring=True)}
        _score(recipe, row, seed, data[row.reads], args.device)
    print(f"scored {len(stale)} of {len(runs)} runs" if stale else "scores: up to date")
    if len(trained) < len(runs):
        missing = sorted({row.name for row, seed in runs if (row, seed) not in trained})
        raise SerError(f"{len(runs) - len(trained)} runs are not trained ({', '.join(missing)}); run stage 4")


def _score(recipe: Recipe, row: Row, seed: int, data: object, device: str) -> None:
    """Score one run, and make its folder one that `predict` can use."""
    state = recipe.weights(row, seed)
    scored, temperatures = score_run(recipe, row, seed, data, state, device), {}
    if (
        not isinstance(recipe, Simulated) and not recipe.settings.protocol.is_matrix
    ):  # nobody is to use what a mistake made
        from ser.inference.folder import write_folder

        temperatures = write_folder(recipe, row, seed, data, state, scored, device)["temperatures"]
    scored.calibrate(temperatures)
    write_scores(recipe.run_dir(row, seed), scored.result)
    print(scored.summary, flush=True)


if __name__ == "__main__":
    run_cli(main)
