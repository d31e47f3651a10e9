"""Lines and tables by hand, of three classes and six speakers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ser.results.lines import Line, reference_lines
from ser.results.measures import DETAIL, MEASURES, PAGE, cells_of
from ser.results.published import Published
from ser.results.record import row_record, table_record
from ser.results.scores import Scored, score_lines
from ser.results.sections import name_cells
from ser.types import Condition

CLASSES = ("angry", "happy", "sad")
FIVE, TEN = Condition(shots=5), Condition(shots=10)
N_TRUE = np.array([[4, 2, 2], [4, 3, 1], [3, 1, 4], [4, 4, 2], [2, 2, 2], [5, 1, 3]])  # (S, C)
SPEAKERS = [f"t-{i}" for i in range(len(N_TRUE))]
THEIRS = [[80, 15.5, 4.5], [20.25, 50.5, 29.25], [0, 33.33, 66.67]]
PAPER = Published(
    source="A 2020, Table 1",
    uar={"btl": {5: 40.25}, "emofsl": {5: 65.72, 10: 70}},
    confusion={"emofsl": {5: THEIRS}},
    confusion_source="A 2020, Fig. 2",
    note="The note.",
)


def counts_of(skill: float, seed: int, seeds: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shares = (1 - skill) / 3 + skill * np.eye(3)
    return np.array(
        [[[rng.multinomial(n, shares[c]) for c, n in enumerate(row)] for row in N_TRUE] for _ in range(seeds)]
    )


def line(label: str, skill: float = 0.5, seed: int = 0, versus: str | None = None, **more) -> Line:
    own = {"counts": counts_of(skill, seed)[:, None], "seeds": (1, 2, 3), "is_random": True, "speakers": SPEAKERS}
    return Line(label, "byol", FIVE, ("k-shot",), cells=6, versus=versus, **own | more)


def hole(label: str, feature: str, why: str, published: str | None = None) -> Line:
    return Line(label, feature, FIVE, hole=why, published=published)


def scored(*lines: Line) -> list[Scored | Line]:
    return score_lines(lines, CLASSES)


def entries(condition: Condition = FIVE) -> list[Scored | Line]:
    lines = [
        line("BTL", published="btl"),
        line("EMOFSL", 0.9, 1, versus="BTL", one_class=1, published="emofsl"),
        line("LR", 0.6, 5, versus="BTL"),
        hole("FSTL", "wav2vec2", "no s3prl"),
        hole("EMOFSL", "wav2vec2", "no GPU", published="emofsl"),
    ]
    lines = [dataclasses.replace(one, condition=condition) for one in lines]
    return scored(*reference_lines(lines[0], CLASSES, "angry"), *lines)


def about(found: Sequence[Scored | Line]) -> dict[tuple[str, str], dict]:
    """Tell rows of a recipe from references and cited systems."""
    lines = [entry.line if isinstance(entry, Scored) else entry for entry in found]
    return {(one.label, one.feature): {"kind": "paper"} for one in lines if one.cells or one.hole}


def table_of(
    found: Sequence[Scored | Line], published: Published | None = None, condition: Condition = FIVE, **more
) -> dict:
    """Make a table of RESULTS.json."""
    own = {"split_rule": "folds", "notes": ""} | more
    return table_record(condition, found, CLASSES, published, about(found), **own)


def cell(entry: Scored | Line, column: str, published: Published | None = None, condition: Condition = FIVE) -> str:
    """Print one cell of RESULTS.md."""
    row = row_record(entry, condition, published, about([entry]))
    printed = cells_of(MEASURES, PAGE, row, CLASSES) | cells_of(MEASURES, DETAIL, row, CLASSES)
    return (name_cells(row) | printed)[column]


def cells_of_pipes(table: str) -> list[list[str]]:
    """Read a Markdown table."""
    return [[c.strip() for c in row.split("|")[1:-1]] for row in table.splitlines()]
