"""Options that say which recipe, which folders and which features; shared by the command lines of stages 3 to 6."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser.build import Recipe


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that `recipe_of` reads."""
    for name in ("recipe", "data", "dump", "splits", "exp"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--features", required=True, help="names, separated by spaces")
    parser.add_argument("--strict", choices=("true", "false"), default="true",
                        help="whether a feature without its checkpoint is an error")  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--mini", choices=("true", "false"), default="false")
    parser.add_argument("--finetune", choices=("true", "false"), default="false",
                        help="whether rows that train the encoder itself are trained too")  # fmt: skip


def recipe_of(args: argparse.Namespace) -> Recipe:
    """Build the recipe that the options describe."""
    return Recipe(
        folder=args.recipe,
        data=args.data,
        dump=args.dump,
        splits=args.splits,
        exp=args.exp,
        features=args.features.split(),
        strict=args.strict == "true",
        overrides=args.set,
        mini=args.mini == "true",
        finetune=args.finetune == "true",
    )
