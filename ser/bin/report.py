"""Lay the results of all recipes side by side, and render their pages anew.

usage: python -m ser.bin.report EGS_DIR [--mini true] [--pages render|latex|csv]

Reads the RESULTS.json of every recipe; writes EGS_DIR/RESULTS.md and EGS_DIR/report.html, and for miniature corpora
EGS_DIR/report_mini.md and EGS_DIR/report_mini.html. --pages render first renders each recipe's RESULTS.md, and its
MISTAKES.md from MISTAKES.json. Needs no corpora.
--pages latex and csv write the tables of each recipe into its exp/tables/ instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.errors import run_cli
from ser.mistakes import render as mistakes
from ser.report.collect import find_results, systems_of
from ser.report.compact import compact
from ser.report.compare import in_order
from ser.report.markdown import EMPTY, markdown
from ser.report.page import page
from ser.results.export import SUFFIX, Format, write_tables
from ser.results.render import write_page
from ser.system.files import holding, is_generated, write_text

TITLE = "<title>Results: cross-corpus speech emotion recognition</title>"
"""Of the page in HTML: what shows that a file of its name is one."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("egs", type=Path)
    parser.add_argument("--mini", choices=("true", "false"), default="false")
    parser.add_argument("--pages", choices=("report", "render", "latex", "csv"), default="report")
    args = parser.parse_args(argv)
    mini = args.mini == "true"
    if args.pages in SUFFIX:
        export_recipes(args.egs, mini, args.pages)
        return
    if args.pages == "render":
        render_recipes(args.egs, mini)
    found = find_results(args.egs, mini)
    if not any(recipe.record for recipe in found) and not any(recipe.is_old for recipe in found):
        print(EMPTY)
        return
    systems = systems_of([recipe.record for recipe in found if recipe.record])
    text, html = (args.egs / name for name in (("report_mini.md", "report_mini.html") if mini else
                                               ("RESULTS.md", "report.html")))  # fmt: skip
    write_text(text, markdown(found, systems), is_generated)
    write_text(html, compact(page(found, systems)), holding(TITLE))
    old = ", ".join(recipe.name for recipe in found if recipe.is_old)
    if old:
        print(f"left out, because RESULTS.json is missing (run stage 6 again): {old}")
    n_own = sum(recipe.is_own for recipe in found)
    own = f", {n_own} runs of this machine" if n_own else ""
    n_recipes = sum(bool(recipe.record) for recipe in found) - n_own
    print(f"{n_recipes} recipes{own}, {len(in_order(systems))} systems: wrote {text} and {html}")


def export_recipes(egs: Path, mini: bool, form: Format) -> None:
    """Write the tables of every recipe below its exp/."""
    for recipe in (recipe for recipe in find_results(egs, mini) if not recipe.is_own):
        if recipe.record:
            folder = egs / recipe.name / ("exp_mini" if mini else "exp") / "tables"
            print(f"wrote {len(write_tables(recipe.record, folder, form))} tables into {folder}")


def render_recipes(egs: Path, mini: bool) -> None:
    """Render the pages of every recipe."""
    folders = [script.parent for script in sorted(egs.glob("*/run.sh"))]
    places = [folder / "exp_mini" for folder in folders] if mini else [p for f in folders for p in (f, f / "exp")]
    changed = {page: write_page(page) for place in places if (page := place / "RESULTS.json").exists()}
    changed |= {page: mistakes.write_page(page) for place in places if (page := place / "MISTAKES.json").exists()}
    print(f"rendered {len(changed)} pages of recipes, of which {sum(changed.values())} changed")


if __name__ == "__main__":
    run_cli(main)
