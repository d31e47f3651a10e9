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
from ser.recipe.jobs import plan_training
from ser.recipe.train import take_over_weights, train_part


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_job_arguments(parser)
    add_recipe_arguments(parser)
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    if args.action == "plan":
        take_over_weights(recipe)
        plan_training(recipe)
    else:
        train_part(recipe, args.jobs, args.part, args.device)


if __name__ == "__main__":
    run_cli(main)
