"""Make the splits of a recipe and audit them for leaks.

usage: python -m ser.bin.make_splits --config conf/recipe.yaml --data DATA_ROOT SPLITS_DIR [--mini true]

The protocol's `tasks`, where it has them, get a folder each: SPLITS_DIR/<task>/<split>/.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.errors import run_cli
from ser.splits.make import make_splits


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the recipe, which holds its protocol")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds data directories")
    parser.add_argument("--mini", choices=("true", "false"), default="false")
    parser.add_argument("splits", type=Path)
    args = parser.parse_args(argv)
    make_splits(args.config, args.data, args.splits, mini=args.mini == "true")


if __name__ == "__main__":
    run_cli(main)
