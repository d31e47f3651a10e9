"""Options that say which recipe, which folders, which features and which jobs; shared by stages 3 to 6."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser.mistakes.simulate import simulated
from ser.recipe.choice import Choice
from ser.recipe.recipe import Recipe
from ser.recipe.settings import read_settings


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `recipe_of` reads."""
    for name in ("recipe", "data", "dump", "splits", "exp"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--features", default="",
                        help="names, separated by spaces, none of which may fail; else the recipe's")  # fmt: skip
    for name in ("rows", "tasks", "seeds"):
        parser.add_argument(f"--{name}", default="", help="separated by spaces; else all")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep_weights", choices=("", "all", "best", "none"), default="")
    parser.add_argument("--mini", choices=("true", "false"), default="false")
    parser.add_argument("--finetune", choices=("true", "false"), default="false",
                        help="also train the systems that train the encoder itself")  # fmt: skip
    for name in ("simulate_mistake", "arm"):  # by run.sh only
        parser.add_argument(f"--{name}", default="", help=argparse.SUPPRESS)


def recipe_of(args: argparse.Namespace) -> Recipe:
    """Build the recipe that the options describe."""
    mini = args.mini == "true"
    recipe = Recipe(
        folder=args.recipe,
        data=args.data,
        dump=args.dump,
        splits=args.splits,
        exp=args.exp,
        features=args.features.split() or read_settings(args.recipe / "conf" / "recipe.yaml", mini).features,
        strict=bool(args.features.split()),
        overrides=args.set,
        mini=mini,
        finetune=args.finetune == "true",
        keep_weights=args.keep_weights,
        choice=Choice(args.rows.split(), args.tasks.split(), args.seeds.split()),
    )
    return simulated(recipe, args.simulate_mistake, args.arm) if args.arm else recipe


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action, and the options that `ser.recipe.jobs.read_jobs` reads."""
    parser.add_argument("action", choices=("plan", "run"))
    parser.add_argument("--jobs", type=Path)
    parser.add_argument("--part", default="1/1", help="which part of the list, as in 2/4")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
