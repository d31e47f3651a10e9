"""Make one mistake of evaluation on purpose, and measure how much it inflates a recipe's scores.

usage: python -m ser.bin.simulate_mistake splits RECIPE_OPTIONS     write the lists that an arm needs
       python -m ser.bin.simulate_mistake report RECIPE_OPTIONS --out MISTAKES.md

RECIPE_OPTIONS hold `--simulate_mistake NAME --arm honest|mistaken`; stages 4 and 5 run once with each arm in between.
The report is exp/mistakes/NAME.json; MISTAKES.json joins those of all mistakes made so far, and MISTAKES.md is
rendered from it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import ConfigError, run_cli, unknown
from ser.mistakes import render
from ser.mistakes.simulate import MISTAKES, Simulated, simulated
from ser.results.record import text_of
from ser.system.files import holding, read_json, write_json, write_text


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=("splits", "report"))
    add_recipe_arguments(parser)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    if args.simulate_mistake not in MISTAKES:
        raise ConfigError(f"--simulate_mistake: {unknown(args.simulate_mistake, MISTAKES)}")
    recipe = recipe_of(args)
    if args.action == "splits":
        recipe.write_splits()
        print(
            f"{args.simulate_mistake}, {args.arm}: {', '.join(dict.fromkeys(row.label for row in recipe.compared))}"
        )
    else:
        report(recipe, args.out)


def report(mistaken: Simulated, out: Path) -> None:
    """Write the effect of one mistake, and the page of all."""
    from ser.mistakes import tables

    honest = simulated(mistaken.plain, mistaken.mistake, "honest")
    lines, left_out = tables.inflations(honest, mistaken)
    folder = mistaken.plain.exp / "mistakes"
    found = tables.as_json(mistaken.mistake, lines, left_out)
    write_json(folder / f"{mistaken.mistake}.json", found)
    record = {
        "format": render.FORMAT,
        "recipe": mistaken.plain.folder.name,
        "title": mistaken.plain.settings.title,
        "stamps": _stamps(mistaken),
        "environment": _environment(honest if mistaken.mistake != "best_seed" else mistaken),
        "definitions": " ".join(render.DEFINITIONS.split()),
        "mistakes": [read_json(path) for name in MISTAKES if (path := folder / f"{name}.json").exists()],
    }
    numbers = out.with_suffix(".json")
    write_text(numbers, text_of(record), holding('"recipe": "'))
    render.write_page(numbers)
    print(render.text(found), end="")
    print(f"wrote {folder / mistaken.mistake}.json and {out}")


def _stamps(recipe: Simulated) -> list[str]:
    """List the flags of every table of the recipe, honest or not."""
    about = recipe.splits_about
    mini = "MINIATURE CORPORA: synthetic audio; the numbers say nothing about real speech"
    return [*about["stamps"], *([mini] if "mini" in about["releases"].values() else [])]


def _environment(recipe: Simulated) -> dict[str, Any] | None:
    """Read where the first row was trained."""
    paths = (recipe.run_dir(row, row.seeds[0]) / "env.json" for row in recipe.rows)
    return next((read_json(path) for path in paths if path.exists()), None)


if __name__ == "__main__":
    run_cli(main)
