"""Extract every feature that a recipe's table needs, for all its corpora.

usage: python -m ser.bin.features RECIPE_OPTIONS [--nj N]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import run_cli
from ser.features.extract import extract_stale


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--nj", type=int, default=os.cpu_count())
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    data_dirs = [recipe.data / corpus for corpus in recipe.corpora]
    needs = {row.feature: row.needs for row in recipe.rows if not row.finetunes}
    usable = [(name, recipe.feature_config(name)) for name, reason in needs.items() if reason is None]
    extract_stale(usable, data_dirs, recipe.dump, args.nj, args.device)
    for name, reason in needs.items():
        if reason is not None:
            print(f"{name}: left out: {reason}")


if __name__ == "__main__":
    run_cli(main)
