"""Train the rows of a recipe's table.

usage: python -m ser.bin.train plan RECIPE_OPTIONS          list unfinished jobs in exp/jobs_train.tsv and others
       python -m ser.bin.train run RECIPE_OPTIONS --jobs exp/jobs_train.tsv [--part 1/4] [--device cpu]

On several machines: torchrun --nnodes N --nproc_per_node GPUS -m ser.bin.train run ..., on each of them, with the
recipe on a file system that they share; on a Slurm cluster `nodes` in conf/slurm.yaml does it. Only rows that
fine-tune gain from it.

A line of a list is a family: the runs that start, directly or not, from the weights of one run. A family stays in
one process, so nobody waits for anybody. Families that fine-tune their encoder have their own list,
`jobs_finetune.tsv`, because they need other machines.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.bin.recipe_args import add_job_arguments, add_recipe_arguments, read_jobs, recipe_of, write_jobs
from ser.errors import ConfigError, SerError, run_cli
from ser.recipe.recipe import Recipe, Row
from ser.system.devices import is_leader, wait_for_all
from ser.system.files import fingerprint, replacing, write_text

if TYPE_CHECKING:
    from ser.methods.base import History, State


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_job_arguments(parser)
    add_recipe_arguments(parser)
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    if args.action == "plan":
        plan(recipe)
    else:
        run(recipe, args.jobs, args.part, args.device)


def plan(recipe: Recipe) -> None:
    """Write the families of unfinished runs, parents before children, the largest family first."""
    families: dict[tuple[str, int], list[str]] = {}
    n_done = 0
    for row in sorted(recipe.rows, key=lambda row: len(_ancestors(recipe, row))):
        for seed in row.seeds if recipe.left_out(row) is None else ():
            done = recipe.train_done(row, seed)
            if done.holds():
                n_done += 1
                continue
            eldest = (_ancestors(recipe, row) or [row])[-1]
            families.setdefault((eldest.name, seed), []).append(f"{row.name}:{seed}")
            if done.path.exists():
                print(f"{row.name} seed {seed}: trained again, {', '.join(done.changed())} changed")
    if families:
        for row in recipe.rows:
            _ = row.config  # every mistake in a configuration is told before anything is computed
    by_size = sorted(families.values(), key=len, reverse=True)
    finetunes = {row.name for row in recipe.rows if row.finetunes}
    is_long = [any(run_name.rpartition(":")[0] in finetunes for run_name in family) for family in by_size]
    for kind, chosen in (("train", False), ("finetune", True)):
        listed = [family for family, long in zip(by_size, is_long, strict=True) if long == chosen]
        write_jobs(recipe.exp / f"jobs_{kind}.tsv", listed)
    n_runs = sum(map(len, families.values()))
    print(f"{n_runs} runs to do, {n_done} done before" if n_runs else "rows: up to date")
    for name, reason in {row.feature: row.needs for row in recipe.rows if row.needs}.items():
        print(f"{name}: its rows are left out: {reason}")
    if asked := [row.label for row in recipe.rows if recipe.left_out(row) and not row.needs]:
        print(f"rows that fine-tune ({', '.join(asked)}) are left out; ask for them with --finetune true")


def _ancestors(recipe: Recipe, row: Row) -> list[Row]:
    """List the rows whose weights a row starts from, the nearest first."""
    if row.init is None:
        return []
    parent = recipe.row(row.init)
    return [parent, *_ancestors(recipe, parent)]


def run(recipe: Recipe, jobs: Path | None, part: str, device: str) -> None:
    """Train one part of a list of families; a run that fails does not stop the others.

    Raises:
        ConfigError: for a list or a part that is not there.
        SerError: of the first run that failed, after all others were tried.
    """
    lines, number, n_parts = read_jobs(jobs, part)
    failed: list[SerError] = []
    data: dict[str, object] = {}
    names = [run_name.rpartition(":") for family in _share(lines, n_parts)[number - 1] for run_name in family]
    runs = [(recipe.row(name), int(seed)) for name, _, seed in names]
    if any(row.about.needs_torch for row, _ in runs):
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    todo = _together(runs)
    while todo:
        runs = todo.pop(0)
        try:
            _train(recipe, runs, device, data)
        except SerError as error:
            if len(runs) > 1:  # one of them spoils the others, who go on without it
                todo = [[run] for run in runs] + todo
                continue
            sys.stdout.write(f"{runs[0][0].name} seed {runs[0][1]}: failed: {error}\n")  # in one piece
            failed.append(error)
    if failed:
        raise failed[0]


def _share(families: list[list[str]], n_parts: int) -> list[list[list[str]]]:
    """Deal families out so that parts have about as many runs: the largest first, each to the emptiest part."""
    parts: list[list[list[str]]] = [[] for _ in range(n_parts)]
    for family in families:
        min(parts, key=lambda part: sum(map(len, part))).append(family)
    return parts


Run = tuple[Row, int]
"""A row and a seed."""


def _together(runs: Sequence[Run]) -> list[list[Run]]:
    """Gather the runs that one call of their method trains, on the same data; others stay alone, in their order."""
    groups: dict[object, list[Run]] = {}
    for row, seed in runs:
        key = (row.values["method"], row.reads) if hasattr(row.method, "train_together") else (row.name, seed)
        groups.setdefault(key, []).append((row, seed))
    return list(groups.values())


def _train(recipe: Recipe, runs: Sequence[Run], device: str, data_of: dict[str, object]) -> None:
    """Train one run, or several by one call, and write folders; `data_of` keeps what rows on one feature share."""
    import time

    started = time.monotonic()
    row, seed = runs[0]
    if row.reads not in data_of:
        data_of.clear()
        data_of[row.reads] = recipe.run_data(row, scoring=False)
    data = data_of[row.reads]
    for row, seed in runs:
        recipe.train_done(row, seed).clear()
    if hasattr(row.method, "train_together"):
        results = row.method.train_together([(row.config, seed) for row, seed in runs], data, device)
    else:
        results = [_train_alone(recipe, row, seed, device, data)]
    if is_leader():
        for (row, seed), (state, history) in zip(runs, results, strict=True):
            _write(recipe, row, seed, state, history)
    wait_for_all()
    names = [f"{row.name} seed {seed}" for row, seed in runs]
    said = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    if is_leader():
        sys.stdout.write(f"{said}: trained in {time.monotonic() - started:.1f} s\n")  # one write a line


def _train_alone(recipe: Recipe, row: Row, seed: int, device: str, data: object) -> tuple[State, History]:
    """Train one row for one seed, from the weights of the row that it starts from."""
    from ser.methods.base import Job

    init = None
    if row.init is not None:
        if not recipe.train_done(recipe.row(row.init), seed).holds():
            raise ConfigError(f"row {row.init}, which it starts from, is not trained; see its log and run again")
        init = recipe.weights(recipe.row(row.init), seed)
    scratch = recipe.run_dir(row, seed) / f"scratch-{fingerprint(recipe.train_inputs(row, seed))[:10]}"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    return row.method.train(row.config, data, seed, init, Job(device, scratch))


def _write(recipe: Recipe, row: Row, seed: int, state: State, history: History) -> None:
    """Write the folder of a trained row, its mark last."""
    import pandas as pd
    import yaml

    from ser.system.environment import environment
    from ser.training.tensor_files import write_tensors

    folder = recipe.run_dir(row, seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", state)
    with replacing(folder / "history.tsv") as path:
        pd.DataFrame(history).to_csv(path, sep="\t", index=False, lineterminator="\n")
    write_text(folder / "conf.yaml", yaml.safe_dump(row.config.model_dump(), sort_keys=False))
    environment().write(folder / "env.json")
    recipe.train_done(row, seed).mark()
    for old in folder.glob("scratch-*"):
        shutil.rmtree(old)


if __name__ == "__main__":
    run_cli(main)
