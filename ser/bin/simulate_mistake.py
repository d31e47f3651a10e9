"""Make one mistake of evaluation on purpose, and tell how much it inflates a recipe's scores.

usage: python -m ser.bin.simulate_mistake splits RECIPE_OPTIONS     write the lists that an arm needs
       python -m ser.bin.simulate_mistake report RECIPE_OPTIONS --out MISTAKES.md

RECIPE_OPTIONS hold `--simulate_mistake NAME --arm honest|mistaken`; stages 4 and 5 run once with each arm in between.
The report is exp/mistakes/NAME.md and NAME.json; MISTAKES.md joins those of all mistakes made so far.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import ConfigError, run_cli, unknown
from ser.mistakes.simulate import MISTAKES, Simulated, simulated
from ser.system.files import is_generated, read_json, write_json, write_text


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
    """Write what one mistake is worth, and the page of all."""
    from ser.mistakes import tables
    from ser.results.lines import wrapped

    honest = simulated(mistaken.plain, mistaken.mistake, "honest")
    lines, left_out = tables.inflations(honest, mistaken)
    folder = mistaken.plain.exp / "mistakes"
    write_json(folder / f"{mistaken.mistake}.json", tables.as_json(mistaken.mistake, lines, left_out))
    write_text(folder / f"{mistaken.mistake}.md", tables.markdown(mistaken.mistake, lines, left_out))
    sections = [path.read_text(encoding="utf-8") for name in MISTAKES if (path := folder / f"{name}.md").exists()]
    intro = (
        "What four common mistakes of evaluation are worth. Each is made on purpose in a copy of the recipe's runs "
        "with everything else as it was; no number with a stamp may stand beside an honest one."
    )
    parts = [
        "<!-- Written by `run.sh --simulate_mistake`; do not edit. -->",
        f"# {mistaken.plain.settings.title}: mistakes",
        *(f"**{stamp}**" for stamp in _stamps(mistaken)),
        wrapped(intro),
        _environment(honest if mistaken.mistake != "best_seed" else mistaken),
        *(section.rstrip() for section in sections),
        wrapped(tables.DEFINITIONS),
    ]
    write_text(out, "\n\n".join(part for part in parts if part) + "\n", is_generated)
    print(tables.text_table(mistaken.mistake, lines), end="")
    for reason, labels in left_out.items():
        print(f"left out: {labels}: {reason}")
    print(f"wrote {folder / mistaken.mistake}.md and {out}")


def _stamps(recipe: Simulated) -> list[str]:
    """Tell what stands above every table of the recipe, honest or not."""
    about = recipe.splits_about
    mini = "MINIATURE CORPORA: synthetic audio; the numbers say nothing about real speech"
    return [*about["stamps"], *([mini] if "mini" in about["releases"].values() else [])]


def _environment(recipe: Simulated) -> str:
    """Describe where the first row was trained."""
    paths = (recipe.run_dir(row, row.seeds[0]) / "env.json" for row in recipe.rows)
    found = next((read_json(path) for path in paths if path.exists()), None)
    if found is None:
        return ""
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    return (f"- date: {found['date']}\n- python {found['python']}, {found['machine']}, {packages}\n"
            f"- ser {found['ser']}, commit {found['commit']}")  # fmt: skip


if __name__ == "__main__":
    run_cli(main)
