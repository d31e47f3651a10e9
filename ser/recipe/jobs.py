"""Lists of jobs, and which runs stage 4 has to do.

A line of stage 4's lists is a family: the runs that start, directly or not, from the weights of one run. A family
stays in one process, so nobody waits for anybody. Of runs that would train the same, under several tasks, one is
listed, and a run that starts from any of them is of its family. Families that gain from a GPU and those that
fine-tune their encoder have lists of their own, because they need other machines.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.errors import ConfigError
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.recipe.sharing import trainers
from ser.system.files import remove, write_text
from ser.system.progress import duration

if TYPE_CHECKING:
    from ser.system.devices import Device

KINDS = ("train", "gpu", "finetune")
"""Of machines that families need, in rising order; `exp/jobs_<kind>.tsv` lists theirs."""


@dataclasses.dataclass(frozen=True)
class Costing:
    """How the cost of runs is found.

    Attributes:
        device: of stage 4.
        n_processes: that work at the same time.
        of_all: also of runs whose time is known from before.
        is_timed: whether a step is timed here, or steps are counted only.
    """

    device: Device
    n_processes: int
    of_all: bool
    is_timed: bool


def machine_of(row: Row) -> str:
    """Say which kind of machine a row is trained on."""
    return "finetune" if row.finetunes else "gpu" if row.about.needs_gpu else "train"


def write_jobs(path: Path, jobs: Sequence[Sequence[str]]) -> None:
    """Write a list of jobs, a line each; no list where there are none."""
    write_text(path, "".join("\t".join(cells) + "\n" for cells in jobs), _lists_jobs)
    if not jobs:
        remove(path)


def _lists_jobs(path: Path) -> bool:
    """Tell whether every line is of a list of jobs: words between tabs, the last of which ends in a number."""
    return all(re.fullmatch(r"(\S+\t)*(\S+:)?\d+", line) for line in path.read_text(errors="replace").splitlines())


def read_jobs(jobs: Path | None, part: str) -> tuple[list[list[str]], int, int]:
    """Read a list of jobs, a line each, and which part of it is meant.

    Returns:
        The cells of every line, the number of the part, and of how many.

    Raises:
        ConfigError: for a list or a part that is not there.
    """
    number, slash, n_parts = part.partition("/")
    if not (slash and number.isdigit() and n_parts.isdigit() and 1 <= int(number) <= int(n_parts)):
        raise ConfigError(f"--part '{part}': expected PART/PARTS, as in 2/4")
    if jobs is None or not jobs.exists():
        raise ConfigError(f"--jobs '{jobs}': no such list; run 'plan' first")
    return [line.split("\t") for line in jobs.read_text(encoding="utf-8").splitlines()], int(number), int(n_parts)


def plan_training(recipe: Recipe, how: Costing | None = None) -> None:
    """Write the families of unfinished runs, parents before children, the largest first, and say the cost."""
    unfinished, n_all = _unfinished(recipe)
    trained_by = trainers(recipe, unfinished)
    todo = {run for run in unfinished if trained_by[run] == run}
    families: dict[tuple[str, int], list[str]] = {}
    for row in sorted(recipe.rows, key=lambda row: len(_ancestors(recipe, row))):
        for seed in (seed for seed in row.seeds if (row.name, seed) in todo):
            eldest = (_ancestors(recipe, row) or [row])[-1]
            first = trained_by.get((eldest.name, seed), (eldest.name, seed))
            families.setdefault(first, []).append(f"{row.name}:{seed}")
    if families:
        for row in recipe.rows:
            _ = row.config  # every error in a configuration is reported before anything is computed
    by_size = sorted(families.values(), key=len, reverse=True)
    machines = {row.name: machine_of(row) for row in recipe.rows}
    of_families = [max((machines[run.rpartition(":")[0]] for run in family), key=KINDS.index) for family in by_size]
    for kind in KINDS:
        listed = [family for family, own in zip(by_size, of_families, strict=True) if own == kind]
        write_jobs(recipe.exp / f"jobs_{kind}.tsv", listed)
    shared = f", {n} more with the same training under another task" if (n := len(unfinished) - len(todo)) else ""
    to_do = f"{len(todo)} runs to do{shared}, {n_all - len(unfinished)} done before{_expected(recipe, todo)}"
    print(to_do if todo else "rows: up to date")
    if how is not None and (new := todo if how.of_all else {run for run in todo if _took(recipe, *run) is None}):
        from ser.recipe.cost import costs, said

        n_processes = max(1, min(how.n_processes, len(families)))
        for line in said(costs(recipe, new, how.device, how.is_timed), n_processes):
            print(line)
    for name, reason in {row.feature: row.needs for row in recipe.rows if row.needs}.items():
        print(f"{name}: its rows are left out: {reason}")
    if asked := [row.label for row in recipe.rows if recipe.left_out(row) and not row.needs]:
        print(f"rows that fine-tune ({', '.join(asked)}) are left out; ask for them with --finetune true")


def _unfinished(recipe: Recipe) -> tuple[set[tuple[str, int]], int]:
    """List the runs that have to be trained, say why if they were before, and count all."""
    runs = [(row, seed) for row in recipe.rows if recipe.left_out(row) is None for seed in row.seeds]
    todo: set[tuple[str, int]] = set()
    replaced: dict[str, list[str]] = {}
    for row, seed in runs:
        done, lost = recipe.train_done(row, seed), recipe.lost(row, seed, of_training=True)
        if done.holds() and lost:
            print(f"{row.name} seed {seed}: {', '.join(lost)} missing or cut short; trained again")
        elif done.holds() and (recipe.has_weights(row, seed) or recipe.is_scored(row, seed)):
            continue
        elif done.path.exists():
            replaced.setdefault(row.name, []).append(", ".join(done.differences()) or "its weights were dropped")
        todo.add((row.name, seed))
    for name, seed in list(todo):  # they start from weights, which may have been dropped
        todo |= {
            (row.name, seed) for row in _ancestors(recipe, recipe.row(name)) if not recipe.has_weights(row, seed)
        }
    for name, of_seeds in replaced.items():
        n = f", {len(of_seeds)} seeds" if len(of_seeds) > 1 else ""
        print(f"{name}{n}: trained again ({of_seeds[0]})")
    if replaced:
        print(f"{sum(map(len, replaced.values()))} finished trainings are replaced, each when its new one has "
              "finished; to keep them and train next to them, use --set instead of an edited file")  # fmt: skip
    return todo, len(runs)


def _expected(recipe: Recipe, todo: Collection[tuple[str, int]]) -> str:
    """Say how long runs will take: as long as they, another seed, or the rows whose variants they are took before."""
    known = [seconds for run in todo if (seconds := _took(recipe, *run)) is not None]
    n_known, total = len(known), sum(known)
    if not n_known:
        return ""
    of_them = "" if n_known == len(todo) else f" for {n_known} of them"
    return f"; about {duration(total)} of computing{of_them}, as before, over all processes"


def _took(recipe: Recipe, name: str, seed: int) -> float | None:
    """Say how many seconds a run, another seed of it, or the row whose variant it is took before, if any did."""
    row = recipe.row(name)
    alike = [row, *([recipe.row(row.variant_of)] if row.variant_of else [])]
    places = [(one, other) for one in alike for other in (seed, *one.seeds)]
    files = (recipe.seconds_file(*place) for place in places)
    file = next((file for file in files if file.exists()), None)
    return None if file is None else float(file.read_text())


def _ancestors(recipe: Recipe, row: Row) -> list[Row]:
    """List the rows whose weights a row starts from, the nearest first."""
    if row.init is None:
        return []
    parent = recipe.row(row.init)
    return [parent, *_ancestors(recipe, parent)]


def share(families: list[list[str]], n_parts: int) -> list[list[list[str]]]:
    """Deal families out so that parts have about as many runs: the largest first, each to the emptiest part."""
    parts: list[list[list[str]]] = [[] for _ in range(n_parts)]
    for family in families:
        min(parts, key=lambda part: sum(map(len, part))).append(family)
    return parts
