"""Training the runs of a part of stage 4's list, and writing their folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser import methods
from ser.errors import ConfigError, DataError, SerError
from ser.recipe import kept
from ser.recipe.jobs import read_jobs, share
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.recipe.sharing import sharers, taken_from_other_tasks
from ser.system.devices import is_leader, is_out_of_memory, wait_for_all
from ser.system.environment import is_environment
from ser.system.files import fingerprint, hash_file, remove, replacing, write_json, write_text
from ser.system.folders import Kind, remove_folder
from ser.system.progress import progress

if TYPE_CHECKING:
    from ser.methods.base import History, State

Run = tuple[Row, int]
"""A row and a seed."""

RUN_FILES = (
    "model.safetensors",
    "history.tsv",
    "conf.yaml",
    "predictions.tsv",
    "scores.tsv",
    "metrics.json",
    "README.md",
)
"""Of those that stages 4 and 5 write into a run's folder."""

TAKEN_OVER = "taken_over.json"
"""File in the folder of a run that was not trained itself: whose training it has, and the hash of the weights."""

SCRATCH = Kind("unfinished training", "", lambda _: True, lambda _: ["*.safetensors", "*.unfinished", "*.ser-part"])


def train_part(recipe: Recipe, jobs: Path | None, part: str, device: str) -> None:
    """Train one part of a list of families; a run that fails does not stop the others.

    Raises:
        ConfigError: for a list or a part that is not there.
        SerError: of the first run that failed, after all others were tried.
    """
    lines, number, n_parts = read_jobs(jobs, part)
    failed: list[SerError] = []
    data: dict[str, object] = {}
    names = [run_name.rpartition(":") for family in share(lines, n_parts)[number - 1] for run_name in family]
    runs = [(recipe.row(name), int(seed)) for name, _, seed in names]
    if any(row.about.needs_torch for row, _ in runs):
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    what = f"training (part {number} of {n_parts})" if n_parts > 1 else "training"
    todo = deque(_together(runs))
    for group in progress(_popped(todo), what, len(runs), size=len):
        try:
            _train(recipe, group, device, data)
        except (SerError, MemoryError, RuntimeError) as failure:
            error = failure if isinstance(failure, SerError) else _out_of_memory(failure, group[0][0])
            if len(group) > 1:  # one of them spoils the others, who go on without it
                todo.extendleft([run] for run in reversed(group))
                continue
            sys.stdout.write(f"{group[0][0].name} seed {group[0][1]}: failed: {error}\n")  # in one piece
            failed.append(error)
    if failed:
        raise failed[0]


def _out_of_memory(failure: Exception, row: Row) -> SerError:
    """Turn PyTorch's error into a sentence, so that other families of the part go on; raise any other error."""
    if not is_out_of_memory(failure):
        raise failure
    setting = row.about.memory
    advice = f"lower {setting}, now {getattr(row.config, setting)}" if setting else "use a larger one"
    return ConfigError(f"the memory of this machine or its GPU was not enough; {advice}")


def _popped(todo: deque[list[Run]]) -> Iterator[list[Run]]:
    """Take groups off until there are none; more may be added meanwhile."""
    while todo:
        yield todo.popleft()


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
        _check_ours(recipe.run_dir(row, seed))
    if hasattr(row.method, "train_together"):
        results = row.method.train_together([(row.config, seed) for row, seed in runs], data, device)
    else:
        results = [_train_alone(recipe, row, seed, device, data)]
    if is_leader():
        for (row, seed), (state, history) in zip(runs, results, strict=True):
            _write(recipe, row, seed, state, history)
            write_text(recipe.seconds_file(row, seed), f"{(time.monotonic() - started) / len(runs):.1f}\n")
            for other in sharers(recipe, row, seed):
                _take_over(recipe, row, other, seed)
                sys.stdout.write(f"{other.name} seed {seed}: the same training as {row.name}, taken over\n")
    wait_for_all()
    names = [f"{row.name} seed {seed}" for row, seed in runs]
    said = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    if is_leader():
        sys.stdout.write(f"{said}: trained in {time.monotonic() - started:.1f} s\n")  # one write a line


def _check_ours(folder: Path) -> None:
    """Refuse to write over files in a run's folder that no training has left its `env.json` with."""
    if is_environment(folder / "env.json"):
        return
    if there := [name for name in (*RUN_FILES, "env.json") if (folder / name).exists()]:
        raise DataError(f"{folder / there[0]}: was not written by stages 4 and 5, and stays as it is; move it away "
                        "and run again")  # fmt: skip


def _train_alone(recipe: Recipe, row: Row, seed: int, device: str, data: object) -> tuple[State, History]:
    """Train one row for one seed, from the weights of the row that it starts from."""
    from ser.methods.base import Job

    init = None
    if row.init is not None:
        parent = recipe.row(row.init)
        if not (recipe.is_trained(parent, seed) and recipe.has_weights(parent, seed)):
            raise ConfigError(f"row {row.init}, which it starts from, is not trained; see its log and run again")
        init = recipe.weights(recipe.row(row.init), seed)
    scratch = recipe.run_dir(row, seed) / f"scratch-{fingerprint(recipe.train_inputs(row, seed))[:10]}"
    scratch.parent.mkdir(parents=True, exist_ok=True)
    return row.method.train(row.config, data, seed, init, Job(device, scratch))


def _check_weights(row: Row, state: State) -> None:
    """Raise ConfigError for weights of another kind than the method declares, which could not be read again."""
    import numpy as np

    for name, value in state.items():
        needs_torch, kind = row.about.needs_torch, f"{type(value).__module__}.{type(value).__qualname__}"
        if not (hasattr(value, "cpu") if needs_torch else isinstance(value, np.ndarray)):
            declared = "torch's tensors" if needs_torch else "numpy's arrays"
            raise ConfigError(
                f"{methods.said(row.values['method'])}: ABOUT: needs_torch={needs_torch} says that weights are "
                f"{declared}; train gave '{name}' as {kind}; correct one of the two"
            )


def _write(recipe: Recipe, row: Row, seed: int, state: State, history: History) -> None:
    """Write the folder of a trained row, its mark last."""
    import pandas as pd

    from ser.system.environment import environment
    from ser.training.checkpoint import write_tensors

    _check_weights(row, state)
    folder = recipe.run_dir(row, seed)
    folder.mkdir(parents=True, exist_ok=True)
    recipe.train_done(row, seed).clear()  # so late: until here the folder holds the last finished training
    environment().write(folder / "env.json")  # first: it marks the folder, also when this is killed
    write_tensors(folder / "model.safetensors", state)
    with replacing(folder / "history.tsv") as path:
        pd.DataFrame(history).to_csv(path, sep="\t", index=False, lineterminator="\n")
    write_settings(recipe, row, seed)
    remove(folder / TAKEN_OVER)
    kept.record(folder, kept.TRAINED)
    recipe.train_done(row, seed).mark()
    for old in folder.glob(f"scratch-{10 * '[0-9a-f]'}"):
        with contextlib.suppress(DataError):  # somebody has put something there
            remove_folder(old, SCRATCH)


def write_settings(recipe: Recipe, row: Row, seed: int) -> None:
    """Write the settings of a run into its folder, unless they are there."""
    import yaml

    path, text = recipe.run_dir(row, seed) / "conf.yaml", yaml.safe_dump(row.config.model_dump(), sort_keys=False)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def take_over_weights(recipe: Recipe) -> None:
    """Give runs the weights of others that were trained alike: variants those of their rows, where their settings
    change predictions only, and rows those of another task with the same training."""
    for row in recipe.rows:
        if row.variant_of is None or recipe.left_out(row):
            continue
        for seed in row.seeds:
            own, of_row = (recipe.train_done(one, seed) for one in (row, recipe.row(row.variant_of)))
            is_there = of_row.holds() and recipe.has_weights(recipe.row(row.variant_of), seed)
            if not recipe.is_trained(row, seed) and own.inputs == of_row.inputs and is_there:
                _take_over(recipe, recipe.row(row.variant_of), row, seed)
    for row, seed, other in taken_from_other_tasks(recipe):
        _take_over(recipe, row, other, seed)


def _take_over(recipe: Recipe, row: Row, other: Row, seed: int) -> None:
    """Give a row what the training of another has left; weights are a second name of one file, where that can be."""
    source, folder = recipe.run_dir(row, seed), recipe.run_dir(other, seed)
    _check_ours(folder)
    folder.mkdir(parents=True, exist_ok=True)
    done = recipe.train_done(other, seed)
    done.clear()
    for name in kept.TRAINED:
        with replacing(folder / name) as path:
            _link(source / name, path) if name == kept.WEIGHTS else shutil.copyfile(source / name, path)
    write_settings(recipe, other, seed)
    write_json(folder / TAKEN_OVER, {"row": row.name, "seed": seed, "weights": hash_file(source / kept.WEIGHTS)})
    kept.record(folder, kept.TRAINED)
    done.mark()


def _link(source: Path, path: Path) -> None:
    try:
        os.link(source, path)  # no file of ours is changed in place, only replaced
    except OSError:
        shutil.copyfile(source, path)
