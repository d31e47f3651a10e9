"""`egs/RESULTS.md`: all recipes in one page of Markdown, systems grouped by what may be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from ser.report import words
from ser.report.collect import REGIMES, Found, System
from ser.report.compare import Group, Matrix, choices, groups, marks, matrices
from ser.results import measures
from ser.results.measures import SUMMARY, cells_of, columns_of, percent
from ser.results.render import pipes, wrapped
from ser.results.words import paragraph

EMPTY = "No recipe has results yet: run a recipe, as in `egs/emodb/run.sh --db_root DIR`, and then the report again."


def markdown(found: Sequence[Found], systems: Sequence[System]) -> str:
    """Write the page.

    Args:
        found: all recipes.
        systems: of those that have numbers.
    """
    parts = ["<!-- Written by `./run.sh --report`; do not edit. -->", "# Results of all recipes"]
    if not systems:
        return "\n\n".join([*parts, EMPTY, *_stale(found)]) + "\n"
    parts += [
        wrapped(
            "One row per system: the papers' methods and their baselines. Each recipe's RESULTS.md "
            "has all systems. The systems of one table were tested on the same utterances of the same classes. "
            "Columns give the training corpora and the data seen of the tested corpus. ★: the best of a table, if "
            "its interval is above chance, leaving out systems with a flag that others lack and, unless all are, "
            "systems trained on labels of the target beyond k shots. =: not significantly worse than ★ at the 5 % "
            "level, corrected for the systems of the table. ?: no test, since one of the two was trained once. Marks "
            "are of this table only, and none stands where intervals are missing."
        ),
        "## Recipes",
        _recipes(found),
        *_stale(found),
        "## Source and target",
        "Best UAR of the systems that have seen the same of the tested corpus; the best is chosen by the scores "
        "themselves. A number in brackets is published. *: flagged systems only.",
    ]
    shown = [f"regime:{regime}" for regime in REGIMES if regime != "labelled"]
    for matrix in (matrix for matrix in matrices(systems) if matrix.choice in shown):
        parts += [f"### {', '.join(matrix.classes)}: {choices(systems)[matrix.choice]}", _matrix(matrix)]
    for group in groups([system for system in systems if system.is_shown_first]):
        parts += [f"## {_heading(group)}", _table(group)]
    terms = words.definitions([recipe.record for recipe in found if recipe.record], "tables")
    terms = [both for both in terms if both[0].partition(" ")[0] not in ("marks", "★", "▽")]
    return "\n\n".join([*parts, "## Definitions", wrapped(paragraph(terms))]) + "\n"


def _stale(found: Sequence[Found]) -> list[str]:
    """Name the recipes whose page has no RESULTS.json."""
    old = [f"`{recipe.name}`" for recipe in found if recipe.is_old]
    if not old:
        return []
    return [wrapped(f"Not here, because RESULTS.json is missing (run stage 6 again): {', '.join(old)}.")]


def _recipes(found: Sequence[Found]) -> str:
    rows = [["recipe", "paper", "what", "state", "command"]]
    for recipe in found:
        if (record := recipe.record) is not None:
            state = f"needs {record['needs']}" if record["needs"] else f"run on {record['environment']['date']}"
            state += "; this machine" if recipe.is_own else ""
            paper = f"{record['paper']}, {record['kind']}" if record["paper"] else record["kind"]
            name = f"[{recipe.name}]({quote(recipe.page or f'{recipe.name}/RESULTS.md')})"
            rows.append([name, paper, record["title"], state, f"`{record['command']}`"])
    return pipes(rows, len(rows[0]))


def _matrix(matrix: Matrix) -> str:
    rows = [["trained on \\ tested on", *matrix.targets]]
    for source in matrix.sources:
        cells = []
        for target in matrix.targets:
            cell = matrix.cells.get((source, target))
            if cell is None:
                cells.append("")
            elif cell.best is not None:
                cells.append(f"{percent(cell.best.uar)}{'*' if cell.is_stamped else ''}")
            else:
                printed = "" if cell.published is None else f" ({cell.published:.1f})"
                cells.append(f"needs {cell.needs}{printed}" if cell.needs else f"not run{printed}")
        rows.append([source, *cells])
    return pipes(rows, 1)


def _heading(group: Group) -> str:
    tested = f"{sum(group.n_true.values())} utterances, {group.n_speakers} speakers" if group.n_true else "not run"
    return f"{group.corpus}: {', '.join(group.classes)} ({tested})"


NAMES = ("trained on", "system", "feature", "regime", "target data", "split", "flags", "recipe")
"""Columns that describe a system."""


def _table(group: Group) -> str:
    told = marks(group)
    rows = [{**_cells(system), "marks": told.get(id(system), "")} for system in group.systems]
    columns = [*NAMES, *columns_of(measures.MEASURES, SUMMARY), "marks"]
    filled = [name for name in columns if name == "UAR" or any(row[name] for row in rows)]
    n_texts = sum(name in NAMES for name in filled)
    return pipes([filled, *([row[name] for name in filled] for row in rows)], n_texts)


def _cells(system: System) -> Mapping[str, str]:
    row = system.row
    names = {
        "trained on": " + ".join(system.sources),
        "system": system.label,
        "feature": "" if system.feature == "-" else system.feature,
        "regime": words.regime(system),
        "target data": words.seen(system) if system.regime else "",
        "split": system.split_rule,
        "flags": ", ".join(words.stamps(system)),
        "recipe": "" if row["kind"] == "reference" else f"{system.recipe['recipe']}, {system.condition}",
    }
    cells = cells_of(measures.MEASURES, SUMMARY, row)
    return names | cells | ({} if system.uar is not None else {"UAR": words.hole(system)})
