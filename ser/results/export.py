"""Tables of RESULTS.json as LaTeX and CSV, with the intervals and marks of the page. Needs no corpora."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ser.results import drawn_page, matrix_page
from ser.results.matrix_page import Table
from ser.results.record import condition_of
from ser.results.sections import page_rows
from ser.system.files import holding, write_text

Format = Literal["latex", "csv"]
SUFFIX = {"latex": ".tex", "csv": ".csv"}

WRITTEN_BY = "% Written by `./run.sh --render latex`; needs the packages booktabs and amssymb."

LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", ">": r"$\rightarrow$", "<": r"$<$", "★": r"$\bigstar$",
    "†": r"\dag{}", "‡": r"\ddag{}", "±": r"$\pm$", "≈": r"$\approx$", "→": r"$\rightarrow$",
}  # fmt: skip
"""Characters that LaTeX reads otherwise, or has not."""


def write_tables(record: Mapping[str, Any], folder: Path, form: Format) -> list[Path]:
    """Write every table of a recipe into a file of its own.

    Args:
        record: RESULTS.json, see `ser.results.record`.
        folder: where the files go.
        form: `latex` for booktabs' tabular, `csv`.

    Raises:
        DataError: for a file of that name that was not written here.
    """
    written = []
    for name, table in _tables(record).items():
        path = folder / f"{name}{SUFFIX[form]}"
        text = latex(table) if form == "latex" else as_csv(table)
        write_text(path, text, holding(WRITTEN_BY if form == "latex" else text.splitlines()[0][:200]))
        written.append(path)
    return written


def _tables(record: Mapping[str, Any]) -> dict[str, Table]:
    found = {}
    for table in record["tables"]:
        name = re.sub(r"[^A-Za-z0-9_]+", "-", str(condition_of(table))).strip("-")
        found[name] = page_rows(table, bool(record["source"]))
    if drawn := record.get("test_speakers"):
        found |= {f"test_speakers-{re.sub('[^A-Za-z0-9_]+', '-', title)}": own
                  for title, own in drawn_page.tables(drawn).items()}  # fmt: skip
    for matrix in record.get("matrices", []):
        found |= matrix_page.tables(matrix)
    return found


def as_csv(table: Table) -> str:
    """Lay a table out as RFC 4180 has it, without Markdown's bold.

    Example:
        >>> as_csv([["system", "UAR"], ["**btl**, 5 shots", "50.0 [40.0-60.0]"]])
        'system,UAR\\n"btl, 5 shots",50.0 [40.0-60.0]\\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([cell.replace("**", "") for cell in row] for row in table)
    return text.getvalue()


def latex(table: Table) -> str:
    """Lay a table out for LaTeX's `tabular`, numbers to the right.

    Example:
        >>> print(latex([["system", "UAR"], ["**lr_source**", "50.0"]]))
        % Written by `./run.sh --render latex`; needs the packages booktabs and amssymb.
        \\begin{tabular}{lr}
        \\toprule
        system & UAR \\\\
        \\midrule
        \\textbf{lr\\_source} & 50.0 \\\\
        \\bottomrule
        \\end{tabular}
        <BLANKLINE>
    """
    header, *rows = table
    are_numbers = [all(re.match(r"[-+(]?\d|$", row[i]) for row in rows) for i in range(len(header))]
    columns = "".join("r" if numbers else "l" for numbers in are_numbers)
    lines = [WRITTEN_BY, rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _latex_row(header), r"\midrule"]
    lines += [*map(_latex_row, rows), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_row(row: list[str]) -> str:
    return " & ".join(map(_latex_cell, row)) + r" \\"


def _latex_cell(text: str) -> str:
    bold = re.fullmatch(r"\*\*(.*?)\*\*(.*)", text)
    if bold:
        return rf"\textbf{{{_escaped(bold[1])}}}{_escaped(bold[2])}"
    return _escaped(text)


def _escaped(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
