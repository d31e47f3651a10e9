"""Train the rows of a recipe's table.

usage: python -m ser.bin.train plan RECIPE_OPTIONS          list unfinished jobs in exp/jobs_train.tsv and others
       python -m ser.bin.train run RECIPE_OPTIONS --jobs exp/jobs_train.tsv [--part 1/4] [--device cpu]

On several machines: torchrun --nnodes N --nproc_per_node GPUS -m ser.bin.train run ..., on each of them, with the
recipe on a file system that they share; on a Slurm cluster `nodes` in conf/slurm.yaml does it. Only rows that
fine-tune gain from it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ser.bin.recipe_args import add_job_arguments, add_recipe_arguments, recipe_of
from ser.errors import run_cli
from ser.recipe.jobs import Costing, plan_training
from ser.recipe.train import take_over_weights, train_part

COSTS = ("new", "all", "counted")
"""Runs that were never timed, and none on miniature corpora; all; never timed ones, without timing a step."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_job_arguments(parser)
    add_recipe_arguments(parser)
    parser.add_argument("--nj", type=int, default=1, help="processes that the plan reckons with")
    parser.add_argument("--costs", choices=COSTS, default="new", help="runs whose cost the plan says")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    if args.action == "plan":
        take_over_weights(recipe)
        is_wanted = args.costs == "all" or not recipe.mini
        how = Costing(args.device, args.nj, of_all=args.costs == "all", is_timed=args.costs != "counted")
        plan_training(recipe, how if is_wanted else None)
    else:
        train_part(recipe, args.jobs, args.part, args.device)


if __name__ == "__main__":
    run_cli(main)
