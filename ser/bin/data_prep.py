"""Prepare every corpus that a recipe's protocol names: stage 1.

usage: python -m ser.bin.data_prep --recipe egs/NAME --data DATA [--db_root DIR] [--mini true] [--allow_partial true]
           [--features "A B"]

A release is where the variable of the corpus' name in capitals says (`conf/db.sh`), or else below --db_root. With
--mini true miniature releases are made there first. Features that cannot be computed here are named before anything
is prepared: one of --features is an error, of the recipe's own the others go on.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ser.bin import make_mini_corpora, prepare_corpus
from ser.errors import ConfigError, run_cli
from ser.recipe.rows import feature_config
from ser.recipe.settings import read_settings


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds data directories")
    parser.add_argument("--db_root", default="", help="folder that holds releases under their usual names")
    parser.add_argument("--mini", choices=("true", "false"), default="false")
    parser.add_argument("--allow_partial", choices=("true", "false"), default="false")
    parser.add_argument("--features", default="", help="names, separated by spaces (default: the recipe's)")
    args = parser.parse_args(argv)
    settings = read_settings(args.recipe / "conf" / "recipe.yaml", args.mini == "true")
    check_features(args.recipe, args.features.split() or settings.features, strict=bool(args.features.split()))
    corpora = settings.protocol.corpora
    if args.mini == "true":
        make_mini_corpora.main([args.db_root, *corpora])
    for name in corpora:
        release = "" if args.mini == "true" else os.environ.get(name.upper(), "")
        where = [release] if release else ["--db_root", args.db_root]
        prepare_corpus.main([name, *where, str(args.data / name), "--allow_partial", args.allow_partial])


def check_features(folder: Path, names: Sequence[str], strict: bool) -> None:
    """Say which features of a recipe cannot be computed here and what to do.

    Raises:
        ConfigError: if `strict`, for the first of them.
    """
    for name in names:
        try:
            feature_config(name, folder / "conf").check_usable()
        except ConfigError as error:
            if strict:
                raise
            print(f"{name}: {error}; until then its systems are not run")


if __name__ == "__main__":
    run_cli(main)
