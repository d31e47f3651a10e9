"""`egs/RESULTS.md`: all recipes in one page of Markdown, systems grouped by what may be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from ser.report import words
from ser.report.cards import Card, cards
from ser.report.collect import REGIMES, Found, System
from ser.report.compare import Group, Matrix, choices, groups, marks, matrices
from ser.report.transfer import Cell, HeatMap, heat_maps
from ser.results import measures
from ser.results.measures import SUMMARY, cells_of, columns_of, p_value, percent, signed, span
from ser.results.sections import details, pipes, wrapped

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
    records = [recipe.record for recipe in found if recipe.record]
    scored = [system for system in systems if system.uar is not None]
    parts += [
        wrapped(
            "What four papers claim, and what holds on corpora that anyone may download. [How to read these tables]"
            "(../docs/reading-tables.md) defines every term; `./run.sh --report` makes this page and "
            "`egs/report.html`, where all systems can be sorted and filtered."
        ),
        *(text for card in cards(records) for text in _card(card)),
        "## Source and target",
        *(text for found_map in heat_maps(records) for text in _heat_map(found_map)),
        *_best_of_pairs(scored),
    ]
    parts += ["## Recipes", _recipes(found), *_stale(found)]
    parts += [
        "## Systems",
        wrapped(
            "Systems of one table were tested on the same utterances of the same classes. ★: the best, if its "
            "interval is above chance, leaving out systems with a flag that others lack and, unless all are, systems "
            "trained on labels of the target beyond k shots. =: not significantly worse than ★ at the 5 % level, "
            "corrected for the systems of the table. no test: one of the two was trained once."
        ),
    ]
    for group in groups([system for system in scored if system.is_shown_first]):
        parts.append(details(f"<b>{_heading(group)}</b>", _table(group)))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _card(card: Card) -> list[str]:
    """Say what a paper claims, what open corpora give, and what holds."""
    results = []
    for result in card.results:
        one = result.compared
        interval = "" if one.interval is None else " [{}, {}]".format(*(signed(100 * b) for b in one.interval))
        p = "" if one.p is None else f", p {p_value(one.p)}"
        link = f"[{result.recipe}]({result.recipe}/RESULTS.md)"
        results.append(f"- {result.where}: {signed(100 * one.difference)} points{interval}{p} ({link})")
    proposed, other = card.systems
    return [
        f"## {card.name}",
        wrapped(f"**The claim.** {card.paper.claim} Published: {card.published}"),
        wrapped(f"**On open corpora**, {proposed} minus {other}: **{card.holds}**"),
        *(["\n".join(results)] if results else []),
    ]


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


def _heat_map(found: HeatMap) -> list[str]:
    """Lay out the matrix of the system that the recipe names to be read first."""
    rows = [["trained on \\ tested on", *found.targets]]
    for source, cells in found.rows:
        rows.append([source, *("" if cell is None else _with_interval(cell) for cell in cells)])
    title = f"### [{found.title}]({found.recipe}/RESULTS.md)"
    return [title, wrapped(f"{found.said} UAR [95 %] of {', '.join(found.classes)}:"), pipes(rows, 1)]


def _with_interval(cell: Cell) -> str:
    return percent(cell.uar) + (f" [{span(cell.interval)}]" if cell.interval else "")


def _best_of_pairs(systems: Sequence[System]) -> list[str]:
    """Lay out the best system of each pair, folded but for the classes that most systems have."""
    shown = [f"regime:{regime}" for regime in REGIMES if regime != "labelled"]
    found: dict[Sequence[str], list[str]] = {}
    for matrix in (matrix for matrix in matrices(systems) if matrix.choice in shown):
        title = f"**{', '.join(matrix.classes)}; {choices(systems)[matrix.choice]}**"
        found.setdefault(matrix.classes, []).extend([title, _matrix(matrix)])
    if not found:
        return []
    text = (
        "The best UAR of each source and target among systems that have seen the same of the target, chosen by the "
        "scores themselves; flagged systems only where there are no others (*)."
    )
    first, *others = found.values()
    folded = [part for own in others for part in own]
    return [
        "### The best system of each pair", wrapped(text), *first,
        *([details("Other classes", "\n\n".join(part.strip("\n") for part in folded) + "\n")] if folded else []),
    ]  # fmt: skip


def _matrix(matrix: Matrix) -> str:
    rows = [["trained on \\ tested on", *matrix.targets]]
    for source in matrix.sources:
        cells = []
        for target in matrix.targets:
            cell = matrix.cells.get((source, target))
            best = None if cell is None else cell.best
            cells.append("" if best is None else f"{percent(best.uar)}{'*' if cell.is_stamped else ''}")
        rows.append([source, *cells])
    return pipes(rows, 1)


def _heading(group: Group) -> str:
    tested = f"{sum(group.n_true.values())} utterances, {group.n_speakers} speakers"
    return f"{group.corpus}: {', '.join(group.classes)} ({tested})"


NAMES = ("trained on", "system", "feature", "sees", "split", "flags", "recipe")
"""Columns that describe a system."""


def _table(group: Group) -> str:
    told = marks(group)
    rows = [{**_cells(system), "notes": words.rank(told.get(id(system), ""))} for system in group.systems]
    columns = [*NAMES, *columns_of(measures.MEASURES, SUMMARY), "notes"]
    filled = [name for name in columns if name == "UAR" or any(row[name] for row in rows)]
    n_texts = sum(name in NAMES for name in filled)
    return pipes([filled, *([row[name] for name in filled] for row in rows)], n_texts)


def _cells(system: System) -> Mapping[str, str]:
    row = system.row
    names = {
        "trained on": " + ".join(system.sources),
        "system": system.label,
        "feature": "" if system.feature == "-" else system.feature,
        "sees": words.seen(system) if system.regime else "",
        "split": system.split_rule,
        "flags": ", ".join(words.stamps(system)),
        "recipe": "" if row["kind"] == "reference" else f"{system.recipe['recipe']}, {system.condition}",
    }
    return names | cells_of(measures.MEASURES, SUMMARY, row)
