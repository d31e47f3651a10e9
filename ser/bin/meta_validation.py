"""Choose a system's settings for each target by the other corpora of a matrix; the target is never seen.

usage: python -m ser.bin.meta_validation RECIPE_OPTIONS --row smap --grid 'em.tau_s=4|16' 'em.temperature=0.05|0.1'
                                         [--targets emodb urdu] [--task four_class] [--feature byol_s+egemaps]

The recipe is a matrix of at least three corpora after stage 3. All combinations of the settings are tried, and the
row as it is. It prints what it would choose, with mean UAR in percent over the remaining directions and shots, and
writes exp/meta_validation.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.errors import ConfigError, run_cli, unknown
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.system.files import write_json


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--row", required=True, help="label of a row that draws nothing at random")
    parser.add_argument("--grid", nargs="+", required=True, metavar="KEY=A|B", help="settings to try")
    parser.add_argument("--targets", nargs="+", help="corpora to leave out, one at a time; else all that are tested")
    parser.add_argument("--task", help="of the recipe; else its first")
    parser.add_argument("--feature", help="of the row; else the recipe's first")
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    protocol = recipe.settings.protocol
    if not protocol.is_matrix:
        raise ConfigError(f"--recipe {args.recipe}: meta-validation needs a matrix, protocol: transfer")
    row = _row(recipe, args)
    targets = args.targets or protocol.test
    for name in targets:
        if name not in protocol.corpora:
            raise ConfigError(f"--targets: {unknown(name, protocol.corpora)}")
    from ser.scoring.meta_validation import grid_of, trials, without

    grid, data, found = grid_of(args.grid), recipe.run_data(row, scoring=True), {}
    for target in targets:
        others = without(data, target)
        ranked = trials(row.method, row.values, grid, others, protocol.condition)
        as_it_is = next(trial.uar for trial in ranked if not trial.settings)
        found[target] = {
            "directions": sorted({split.name.partition(".")[0] for split in others.splits}),
            "chosen": list(ranked[0].settings),
            "uar": ranked[0].uar,
            "uar_as_it_is": as_it_is,
            "trials": [{"settings": list(trial.settings), "uar": trial.uar} for trial in ranked],
        }
        print(f"without {target}: {' '.join(ranked[0].settings) or 'as it is'} {100 * ranked[0].uar:.1f}, as it is "
              f"{100 * as_it_is:.1f}; {len(ranked)} settings, {len(found[target]['directions'])} directions",
              flush=True)  # fmt: skip
    record: dict[str, Any] = {"row": row.label, "feature": row.feature, "task": row.task, "targets": found}
    write_json(recipe.exp / "meta_validation.json", record)


def _row(recipe: Recipe, args: argparse.Namespace) -> Row:
    task, feature = args.task or recipe.tasks[0], args.feature or recipe.features[0]
    labels = {row.label for row in recipe.rows}
    if args.row not in labels:
        raise ConfigError(f"--row: {unknown(args.row, labels)}")
    rows = [r for r in recipe.rows if (r.label, r.task, r.feature) == (args.row, task, feature)]
    if not rows:
        raise ConfigError(f"--row {args.row}: no such row of task '{task}' and feature '{feature}'")
    if rows[0].about.is_random or rows[0].init is not None:
        raise ConfigError(f"--row {args.row}: it is random or starts from another row; choose one that is neither")
    if rows[0].needs is not None:
        raise ConfigError(f"--row {args.row}: {rows[0].needs}")
    return rows[0]


if __name__ == "__main__":
    run_cli(main)
