"""Say which features of a recipe cannot be computed here and what to do, before anything is computed.

usage: python -m ser.bin.check_features RECIPE_OPTIONS
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import ConfigError, run_cli


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    recipe = recipe_of(parser.parse_args(argv))
    for name in recipe.features:
        try:
            recipe.feature_config(name).check_usable()
        except ConfigError as error:
            if recipe.strict:
                raise
            print(f"{name}: {error}; until then its systems are not run")


if __name__ == "__main__":
    run_cli(main)
