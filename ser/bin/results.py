"""Write a recipe's numbers, its page and its figures from its scores, and print its tables.

usage: python -m ser.bin.results RECIPE_OPTIONS --out RESULTS.md

RESULTS.json, beside RESULTS.md, holds all that any page prints; pages are rendered from it (`ser.bin.render`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import run_cli
from ser.results import render
from ser.results.page import made_from, read_page, refuse_without_scores
from ser.results.record import text_of
from ser.system.files import holding, write_text


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    page = read_page(recipe)
    inputs, numbers = made_from(recipe, page), args.out.with_suffix(".json")
    if _is_of(numbers, inputs):
        render.write_page(numbers)
        print(f"results: up to date in {args.out}")
        return
    refuse_without_scores(recipe, page, args.out)
    from ser.results.tables import record

    found = record(recipe, page, inputs)
    write_text(numbers, text_of(found), holding('"made_from": "'))
    render.write_page(numbers)
    print(render.text(found), end="")
    if any(page.runs.values()):
        from ser.results.figures import draw

        draw(found, recipe.exp / "figures")
        print(f"wrote {args.out} and {recipe.exp / 'figures'}")
    else:
        print(f"wrote {args.out}")


def _is_of(path: Path, inputs: str) -> bool:
    """Tell whether numbers were made from the same."""
    if not path.exists():
        return False
    with open(path, encoding="utf-8") as file:
        return inputs in file.read(200)


if __name__ == "__main__":
    run_cli(main)
