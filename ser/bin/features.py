"""Extract every feature that a recipe's table needs, for all its corpora.

usage: python -m ser.bin.features plan RECIPE_OPTIONS          list what is missing: exp/jobs_features.tsv
       python -m ser.bin.features run RECIPE_OPTIONS --jobs exp/jobs_features.tsv [--part 1/4] [--nj N] [--device cpu]

A line of the list is a feature, a corpus and which of its archives.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ser.bin.recipe_args import add_job_arguments, add_recipe_arguments, recipe_of
from ser.data.data_dir import check_unchanged
from ser.errors import run_cli
from ser.features.config import JOINED
from ser.features.extract import Job, extract, find_stale
from ser.recipe.jobs import read_jobs, write_jobs
from ser.recipe.recipe import Recipe
from ser.system.devices import n_cores


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_job_arguments(parser)
    add_recipe_arguments(parser)
    parser.add_argument("--nj", type=int, default=n_cores(), help="worker processes (default: all cores)")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    if args.action == "plan":
        plan(recipe)
    else:
        lines, number, n_parts = read_jobs(args.jobs, args.part)
        jobs = [
            Job(name, recipe.feature_config(name), recipe.data / corpus, int(archive))
            for name, corpus, archive in lines
        ]
        extract(jobs[number - 1 :: n_parts], recipe.dump, args.nj, args.device)


def plan(recipe: Recipe) -> None:
    """Write the list of archives that are missing or were made from other audio."""
    data_dirs = [recipe.data / corpus for corpus in recipe.corpora]
    for data_dir in data_dirs:
        check_unchanged(data_dir)
    needs = {row.feature: row.needs for row in recipe.rows if not row.finetunes}
    names = dict.fromkeys(part for name, reason in needs.items() if reason is None for part in name.split(JOINED))
    usable = [(name, recipe.feature_config(name)) for name in names]
    stale = find_stale(usable, data_dirs, recipe.dump)
    write_jobs(
        recipe.exp / "jobs_features.tsv",
        [(name, data_dir.name, str(archive)) for name, _, data_dir, archive in stale],
    )
    for name, reason in needs.items():
        if reason is not None:
            print(f"{name}: left out: {reason}")


if __name__ == "__main__":
    run_cli(main)
