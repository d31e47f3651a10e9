"""Write a recipe's numbers, its page and its figures from its scores, and print its tables.

usage: python -m ser.bin.results RECIPE_OPTIONS --out RESULTS.md

RESULTS.json, next to RESULTS.md, holds everything that any page prints; pages are rendered from it
(`ser.bin.render`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import run_cli
from ser.results import render
from ser.results.keep import page_of
from ser.results.page import made_from, read_page, refuse_without_scores
from ser.results.record import text_of
from ser.system.files import holding, is_sealed, read_json, write_text
from ser.system.progress import show_on_terminal


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    if recipe.overrides:
        args.out = recipe.pages / args.out.name
    page = read_page(recipe)
    inputs, elsewhere = made_from(recipe, page), recipe.pages / args.out.name
    has_former = args.out.exists() or args.out.with_suffix(".json").exists()
    for out in (args.out, elsewhere) if has_former else ():  # a page that lacks rows of the former one lies in exp/
        numbers = out.with_suffix(".json")
        if _is_of(numbers, inputs) and (not out.exists() or _is_of(out, inputs)):
            if not is_sealed(read_json(numbers)):
                print(f"{numbers}: was changed after it was written; written again")
                continue
            render.write_page(numbers)
            print(f"results: up to date in {out}")
            return
    refuse_without_scores(recipe, page, args.out)
    from ser.results.tables import record

    found = record(recipe, page, inputs)
    out, why = page_of(args.out, found, recipe.pages)
    write_text(out.with_suffix(".json"), text_of(found), holding('"made_from": "'))
    render.write_page(out.with_suffix(".json"))
    print(render.text(found), end="")
    show_on_terminal(render.headline_text(found))
    if any(page.runs.values()):
        from ser.results.figures import draw
        from ser.results.tables import write_histories

        draw(found, recipe.pages / "figures")
        write_histories(recipe, page, recipe.pages / "figures" / "history.svg")
        print(f"wrote {out} and {recipe.pages / 'figures'}")
    else:
        print(f"wrote {out}")
    if why is not None:
        print(why)


def _is_of(path: Path, inputs: str) -> bool:
    """Tell whether numbers, or a page, were made from the same."""
    if not path.exists():
        return False
    with open(path, encoding="utf-8") as file:
        return inputs in file.read(200)


if __name__ == "__main__":
    run_cli(main)
