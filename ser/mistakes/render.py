"""From MISTAKES.json to MISTAKES.md and to the table in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.results.measures import p_value, percent, signed, span
from ser.results.record import read_record
from ser.results.render import environment
from ser.results.sections import pipes, wrapped
from ser.system import files

FORMAT = 1
"""Version of the file's layout."""

Json = Mapping[str, Any]

DEFINITIONS = """
UAR: mean of the per-class recalls, all folds of one support draw and seed scored together, then averaged over draws
and seeds. 95 %: interval of that mean with speakers, seeds and draws as random factors (delete-one-speaker jackknife
on the logit, two-way layout, Satterthwaite's degrees of freedom). Inflation: UAR with the mistake minus the honest
one, on the same test utterances and seeds; its interval and the p of its t test have the same variance and are
corrected for the rows of one table and condition (Bonferroni): p is below 0.05 exactly where the interval excludes 0.
seeds: trainings of a random method; -: nothing is random.
"""

INTRODUCTION = (
    "The effect of four common mistakes of evaluation. Each is made on purpose in a copy of the recipe's runs with "
    "everything else unchanged. No flagged number may appear next to an honest one."
)


def write_page(numbers: Path) -> bool:
    """Render MISTAKES.md next to MISTAKES.json; return whether it changed.

    Raises:
        DataError: for a file that is no JSON or of another format.
    """
    return files.write_page(numbers.with_suffix(".md"), markdown(read_record(numbers, FORMAT)))


def markdown(record: Json) -> str:
    """Write MISTAKES.md.

    Args:
        record: MISTAKES.json: `title`, `stamps`, `environment`, `definitions`, and `mistakes` as of
            `ser.mistakes.tables.as_json`.
    """
    parts = [
        "<!-- Written by `run.sh --simulate_mistake`; do not edit. -->",
        f"# {record['title']}: mistakes",
        *(f"**{stamp}**" for stamp in record["stamps"]),
        wrapped(INTRODUCTION),
        *([environment(record["environment"])] if record["environment"] else []),
        *(_section(mistake) for mistake in record["mistakes"]),
        wrapped(record["definitions"]),
    ]
    return "\n\n".join(parts) + "\n"


def _section(mistake: Json) -> str:
    """Lay out one mistake: what it is, a table with its stamp, and who could not make it."""
    header = [
        "tested",
        "system",
        "feature",
        "seeds",
        "honest UAR",
        "95 %",
        "with the mistake",
        "95 %",
        "inflation",
        "p",
    ]
    rows = [
        [
            row["tested"],
            f"{row['row']} [{mistake['stamp']}]",
            row["feature"],
            str(row.get("seeds") or "-"),
            *_numbers(row),
        ]
        for row in mistake["rows"]
    ]
    notes = [f"- {row['tested']}, {row['row']}: {row['note']}" for row in mistake["rows"] if row["note"]]
    parts = [f"## {mistake['mistake']}", wrapped(mistake["what"]), pipes([header, *rows], 3).rstrip()]
    if notes:
        is_pair = mistake["mistake"] == "test_selection"
        parts += ["Chosen honestly / with the mistake:" if is_pair else "Chosen:", "\n".join(notes)]
    if mistake["left_out"]:
        parts.append("\n".join(left_out(mistake)))
    return "\n\n".join(parts)


def left_out(mistake: Json, before: str = "- ") -> list[str]:
    """List the rows that could not make a mistake, with the reason."""
    return [f"{before}left out: {labels}: {reason}" for reason, labels in mistake["left_out"].items()]


def _numbers(row: Json) -> list[str]:
    bounds = row["inflation_interval"]
    between = f" [{', '.join(signed(100 * bound) for bound in bounds)}]" if bounds else ""
    return [
        percent(row["honest"]),
        span(row["honest_interval"]),
        percent(row["mistaken"]),
        span(row["mistaken_interval"]),
        f"{signed(100 * row['inflation'])}{between}",
        p_value(row["p"]),
    ]


def text(mistake: Json) -> str:
    """Lay out one mistake for a terminal."""
    rows: list[Sequence[str]] = [["tested", "system", "honest", "95 %", "mistaken", "95 %", "inflation", "p"]]
    rows += [[row["tested"], row["row"], *_numbers(row)] for row in mistake["rows"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    body = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{mistake['mistake']} [{mistake['stamp']}]", *body, *left_out(mistake, "")]) + "\n"
