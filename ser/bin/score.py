"""Predict the test utterances with every trained row, score them, and make its folder one that `predict` can use.

usage: python -m ser.bin.score RECIPE_OPTIONS
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import SerError, run_cli
from ser.features.compute import end_with_parent
from ser.mistakes.simulate import Simulated
from ser.recipe import kept
from ser.recipe.recipe import METRICS, Recipe
from ser.recipe.rows import Row
from ser.recipe.train import write_settings
from ser.scoring.runs import is_scored, score_run, write_scores
from ser.system.devices import device_of, n_cores
from ser.system.files import read_json
from ser.system.progress import progress


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--nj", type=int, default=1, help="processes that score on a CPU")
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
    for said in progress(_score_all(recipe, stale, args.device, args.nj), "scoring", len(stale)):
        print(said, flush=True)
    _join_scores(recipe, [(row, seed) for row, seed in trained if row.name in {one.name for one, _ in stale}])
    print(f"scored {len(stale)} of {len(runs)} runs" if stale else "scores: up to date")
    if recipe.keep_weights in ("best", "none"):
        drop_weights(recipe, trained)
    if len(trained) < len(runs):
        missing = sorted({row.name for row, seed in runs if (row, seed) not in trained})
        raise SerError(f"{len(runs) - len(trained)} runs are not trained ({', '.join(missing)}); run stage 4")


Run = tuple[Row, int]
"""A row and a seed."""


def _score_all(recipe: Recipe, runs: Sequence[Run], device: str, nj: int) -> Iterator[str]:
    """Score runs, those on the same data one after another, so that features and lists are read once."""
    loaded = False
    for _, group in groupby(sorted(runs, key=lambda run: run[0].reads), key=lambda run: run[0].reads):
        on_same = list(group)
        data = recipe.run_data(on_same[0][0], scoring=True)
        first = None if loaded else next((run for run in on_same if not _trains(run[0])), None)
        if first is not None:  # loads what all need
            on_same.remove(first)
            yield _score(recipe, *first, data, device)
            loaded = True
        yield from _score_side_by_side(recipe, on_same, data, device, nj)


def _trains(row: Row) -> bool:
    """Whether scoring a row trains for its calibration, after which copies of a process may not train themselves."""
    return "k-shot" in row.method.target_data(row.config)


def _score_side_by_side(recipe: Recipe, runs: Sequence[Run], data: object, device: str, nj: int) -> Iterator[str]:
    """Score runs on the same data in copies of this process, which share its memory; give lines in their order."""
    nj = min(nj, len(runs), n_cores() if sys.platform == "linux" else 1)  # on a cluster, nj is of all machines
    if nj < 2 or any(row.finetunes for row, _ in runs) or device_of(device) == "cuda":
        for run in runs:
            yield _score(recipe, *run, data, device)
        return
    copies, given = multiprocessing.get_context("fork"), (recipe, runs, data, device)
    with ProcessPoolExecutor(nj, copies, initializer=_begin, initargs=given) as pool:
        try:
            yield from pool.map(_score_number, range(len(runs)))
        finally:
            pool.shutdown(cancel_futures=True)


_GIVEN: list[object] = []
"""Of a copy: recipe, runs, data and device."""


def _begin(*given: object) -> None:
    end_with_parent()
    _GIVEN.extend(given)


def _score_number(number: int) -> str:
    recipe, runs, data, device = _GIVEN
    return _score(recipe, *runs[number], data, device)


def _score(recipe: Recipe, row: Row, seed: int, data: object, device: str) -> str:
    """Score one run, make its folder one that `predict` can use, and give a line for the terminal."""
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
    return scored.summary


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
