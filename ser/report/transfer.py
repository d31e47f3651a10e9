"""Heat maps of matrix recipes: sources by targets, for the system that the recipe names to be read first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ser.report.collect import title_of
from ser.results import matrix_page

Json = Mapping[str, Any]

OTHERS = {"others": "all others"}
"""Sources that are no corpus."""


@dataclass(frozen=True)
class Cell:
    """UAR of one source and target.

    Attributes:
        uar: in [0, 1].
        interval: its bounds, or nothing.
        share: of the way from chance to everything right, for its color; below 0 where it is worse than chance.
    """

    uar: float
    interval: Sequence[float] | None
    share: float


@dataclass(frozen=True)
class HeatMap:
    """The heat map of one matrix.

    Attributes:
        recipe: its name.
        title: of the recipe, and the task where it has several.
        system: label, feature, and shots of the system that is read first.
        classes: of the task.
        said: its means in words.
        targets: names of columns.
        rows: name of a source, and a cell or nothing for each target.
    """

    recipe: str
    title: str
    system: str
    classes: Sequence[str]
    said: str
    targets: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


def heat_maps(records: Sequence[Json]) -> list[HeatMap]:
    """Lay out the matrices of all recipes that name a system to be read first."""
    return [
        _heat_map(record, matrix, row)
        for record in records
        for matrix in record.get("matrices", [])
        for row in matrix["rows"]
        if row.get("headline")
    ]


def tables_of(record: Json) -> list[tuple[str, matrix_page.Table]]:
    """List the tables of a recipe's matrices, heading with header and rows, without those that its page folds."""
    found = []
    for matrix in record.get("matrices", []):
        for title, content, *more in matrix_page.sections(matrix):
            if not (isinstance(content, str) or any(more) or title.endswith("by direction")):
                plain = [[cell.replace("**", "") for cell in line] for line in content]
                found.append((f"{matrix['task']}: {title}", plain))
    return found


def _heat_map(record: Json, matrix: Json, row: Json) -> HeatMap:
    cells = {(cell["source"], cell["target"]): cell for cell in row["cells"]}
    chance = 1 / len(matrix["classes"])
    rows = []
    for source in matrix["sources"]:
        own = [cells.get((source, target)) for target in matrix["targets"]]
        if any(own):
            name = OTHERS.get(source) or " + ".join(title_of(record, part) for part in source.split("+"))
            rows.append((name, [cell and _cell(cell, chance) for cell in own]))
    return HeatMap(
        record["recipe"], _titled(record, matrix), matrix_page.name_of(row), matrix["classes"],
        matrix_page.headline(matrix) or "", [title_of(record, target) for target in matrix["targets"]], rows,
    )  # fmt: skip


def _titled(record: Json, matrix: Json) -> str:
    task = matrix["task"].replace("_", " ")
    return f"{record['title']}: {task}" if len(record["matrices"]) > 1 else record["title"]


def _cell(cell: Json, chance: float) -> Cell:
    return Cell(cell["uar"], cell.get("interval") or None, (cell["uar"] - chance) / (1 - chance))
