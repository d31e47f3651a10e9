"""Tables of a page: every system by the question that it answers, further measures, matrices, fits and probes.

From RESULTS.json to Markdown; columns of scores are those of `ser.results.measures`. Not here: the order of a page
and what it begins with (`ser.results.render`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ser.results import measures
from ser.results.answers import sees
from ser.results.measures import (
    DETAIL,
    PAGE,
    TERMINAL,
    brackets,
    cells_of,
    columns_of,
    number,
    percent,
    span,
)
from ser.results.record import condition_of

Json = Mapping[str, Any]

NAMES = ("system", "feature", "sees")
"""Columns that say what a row is."""

OWN = "The recipe's systems and references"
OTHERS = "Other systems"
"""Names of the tables of systems that answer no question of the recipe."""


# ---- Tables of scores -----------------------------------------------------------------------------------------


def rows_of(table: Json) -> list[Json]:
    """Choose the rows of a table; of some systems only a confusion matrix is printed."""
    return [row for row in table["rows"] if row["kind"] != "cited" or "published" in row]


def name_cells(row: Json) -> dict[str, str]:
    """Print what a row is, with its flags."""
    flags = "".join(f" [{stamp}]" for stamp in row.get("stamps", ()))
    return dict(zip(NAMES, (row["label"] + flags, row["feature"], sees(row)), strict=True))


def _columns(
    rows: Sequence[Json], classes: Sequence[str], tables: Sequence[str], any_published: bool = False
) -> list[list[str]]:
    """Print the columns of one or several kinds of tables that have something to say, names first."""
    cells = [name_cells(row) for row in rows]
    for table in tables:
        cells = [
            of_row | cells_of(measures.MEASURES, table, row, classes) for of_row, row in zip(cells, rows, strict=True)
        ]
    columns = [*NAMES, *(name for table in tables for name in columns_of(measures.MEASURES, table, classes))]
    kept_empty = ("UAR",)  # other columns that no row fills say nothing
    filled = [
        name
        for name in columns
        if (any_published or "published" not in name) and (name in kept_empty or any(row[name] for row in cells))
    ]
    return [filled, *([row[name] for name in filled] for row in cells)]


def page_rows(table: Json, any_published: bool = False) -> list[list[str]]:
    """Print all columns that a page has of a table, names first."""
    return _columns(rows_of(table), table["classes"], (PAGE, DETAIL), any_published)


def markdown_table(table: Json, any_published: bool = False) -> str:
    """Lay out all that is known of a table as one table."""
    return pipes(page_rows(table, any_published), len(NAMES))


def groups_of_rows(table: Json, questions: Mapping[str, Sequence[str]]) -> dict[str, list[Json]]:
    """Part the scored rows of a table by the question that they answer, the recipe's own systems first.

    Args:
        table: of RESULTS.json.
        questions: question -> labels of the rows that answer it.
    """
    rows = [row for row in rows_of(table) if "uar" in row or "published" in row]
    found: dict[str, list[Json]] = {OWN: [row for row in rows if row["kind"] != "variant"]}
    variants = [row for row in rows if row["kind"] == "variant"]
    for question, labels in questions.items():
        found[question] = [row for row in variants if row["label"] in labels]
    asked = {label for labels in questions.values() for label in labels}
    found[OTHERS] = [row for row in variants if row["label"] not in asked]
    return {name: rows for name, rows in found.items() if rows}


def score_tables(table: Json, questions: Mapping[str, Sequence[str]], any_published: bool = False) -> list[str]:
    """Lay out all systems of a table: a table for each question, what was not run, and further measures."""
    parts = []
    groups = groups_of_rows(table, questions)
    for name, rows in groups.items():
        title = [f"**{name}**"] if len(groups) > 1 else []
        shown = [row | {"hole": ""} if "hole" in row else row for row in rows]  # the reasons stand below
        parts += [*title, pipes(_columns(shown, table["classes"], (PAGE,), any_published), len(NAMES))]
    parts += not_run(table)
    rows = [row for rows in groups.values() for row in rows if "uar" in row]
    details = _columns(rows, table["classes"], (DETAIL,), any_published)
    dropped = [i for i, name in enumerate(details[0]) if name in ("sees", "UAR")]
    details = [[cell for i, cell in enumerate(line) if i not in dropped] for line in details]
    return [*parts, "**Further measures**", pipes(details, 2)] if len(details[0]) > 2 else parts


def not_run(table: Json) -> list[str]:
    """Name the systems that have no scores, with the reason."""
    reasons: dict[str, list[str]] = {}
    for row in rows_of(table):
        if row.get("hole"):
            reasons.setdefault(row["hole"], []).append(f"`{row['label']}` on {row['feature']}")
    return [wrapped(f"Not run: {', '.join(names)}: {why}.") for why, names in reasons.items()]


def text_table(table: Json, any_published: bool = False) -> str:
    """Lay out the columns that fit a terminal."""
    rows = _columns(rows_of(table), table["classes"], (TERMINAL,), any_published)
    place = rows[0].index("UAR")  # the reason why a row is not run takes the empty cells to its right
    scored = [row for row in rows if not row[place].startswith("not run")]
    widths = [max(len(row[i]) for row in (rows if i < place else scored)) for i in range(len(rows[0]))]
    return aligned(rows, widths)


def aligned(rows: Sequence[Sequence[str]], widths: Sequence[int] | None = None) -> str:
    """Lay out cells for a terminal; columns are as wide as their widest cell unless widths are given."""
    widths = widths or [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def overview(tables: Sequence[Json], any_published: bool = False) -> str:
    """Lay out UAR and interval of several conditions, one line per row, with the paper's UARs behind them.

    Corpora have a mean column, the plain mean of their UARs. Left out are chance and majority, rows without scores
    that the paper does not have, and systems that it cites.
    """
    are_corpora = not is_of_shots(tables)
    rows = [
        ["system", "feature", *(str(condition_of(table)) for table in tables), *(["mean"] if are_corpora else [])]
    ]
    if any_published:
        rows[0].append("published")
    of_tables = [{(row["label"], row["feature"]): row for row in table["rows"] if row["kind"] != "cited"}
                 for table in tables]  # fmt: skip
    for label, feature in dict.fromkeys(key for of_table in of_tables for key in of_table):
        # a row that was not made for a corpus, as a reference of another one, is empty there
        of_row = [of_table.get((label, feature), {}) for of_table in of_tables]
        theirs = [row.get("published") for row in of_row]
        if not any(row.get("cells") or row.get("published") is not None for row in of_row):
            continue
        cells = [label, feature, *map(_uar_with_interval, of_row)]
        if are_corpora:
            uars = [row.get("uar") for row in of_row]
            cells.append("" if None in uars else percent(sum(uars) / len(uars)))
        if any_published:
            texts = ["-" if value is None else number(value) for value in theirs]
            mean = f", mean {number(sum(theirs) / len(theirs))}" if are_corpora and None not in theirs else ""
            cells.append(" / ".join(texts) + mean if set(texts) != {"-"} else "")
        rows.append(cells)
    return pipes(rows, 2)


def _uar_with_interval(row: Json) -> str:
    if "uar" not in row:
        return "not run" if "hole" in row else ""
    interval = f" [{span(row['interval'])}]" if row.get("interval") else ""
    return percent(row["uar"]) + interval


def confusions(table: Json, confusion_source: str | None) -> list[str]:
    """Print our confusion matrices of the paper's methods, each with the paper's own beneath it where there is one.

    A matrix of the paper whose method has no scores here is printed without ours.
    """
    of_paper = [row for row in table["rows"] if "published_as" in row]
    ours = [row for row in of_paper if "confusion" in row]
    texts = []
    for row in ours:
        text = confusion_text(
            [[100 * share for share in of_class] for of_class in row["confusion"]], table["classes"]
        )
        if "published_confusion" in row:
            theirs = confusion_text(row["published_confusion"], table["classes"])
            text += f"\nPublished ({confusion_source}):\n\n{theirs}"
        texts.append(details(f"{row['label']}, {row['feature']}", text))
    alone = {row["published_as"]: row for row in of_paper if "published_confusion" in row}
    for name, row in alone.items():
        if name not in {row["published_as"] for row in ours if "published_confusion" in row}:
            text = confusion_text(row["published_confusion"], table["classes"])
            texts.append(details(f"{name}, published ({confusion_source})", text))
    return texts


def confusion_text(matrix: Sequence[Sequence[float]], classes: Sequence[str]) -> str:
    """Print a confusion matrix, (C, C) in per cent of each true class, as Yue 2023 does (Figs. 3 and 4)."""
    rows = [["true \\ predicted", *classes]]
    rows += [[name, *map(number, of_class)] for name, of_class in zip(classes, matrix, strict=True)]
    return pipes(rows, 1)


def details(summary: str, text: str) -> str:
    """Fold a part of a page."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n</details>"


def is_of_shots(tables: Sequence[Json]) -> bool:
    """Decide whether tables are about numbers of shots."""
    return condition_of(tables[0]).shots is not None


# ---- Fits and probes ------------------------------------------------------------------------------------------


def fit_table(fits: Json) -> list[list[str]]:
    """Print the cells of a table of R2, names first; columns that no row fills are left out."""
    columns = columns_of(measures.FIT_MEASURES, PAGE)
    names = [*NAMES, *(f"{rating}: {name}" for rating in fits["ratings"] for name in columns)]
    rows = []
    for row in fits["rows"]:
        stamped = " ".join([row["label"], *(f"[{stamp}]" for stamp in row.get("stamps", ()))])
        seen = sees(row | ({"uar": None} if row["is_run"] else {}))
        cells = [stamped, row["feature"], seen]
        for rating in fits["ratings"]:
            own = row["ratings"].get(rating)
            cells += (
                [""] * len(columns_of(measures.FIT_MEASURES, PAGE))
                if own is None
                else cells_of(measures.FIT_MEASURES, PAGE, own).values()
            )
        rows.append(cells)
    filled = [i for i in range(len(names)) if any(row[i] for row in rows)]
    return [[row[i] for i in filled] for row in (names, *rows)] if rows else []


def fit_overview(fits: Sequence[Json]) -> list[list[str]]:
    """Lay the R2 of several corpora side by side, names first; rows without fits are left out."""
    found: dict[str, dict[tuple[str, str], Json]] = {}
    for table in fits:
        for rating in table["ratings"]:
            column = f"{condition_of(table).corpus}: {rating}"
            for row in table["rows"]:
                if "n" in (own := row["ratings"].get(rating, {})):
                    found.setdefault(column, {})[row["label"], row["feature"]] = own
    keys = dict.fromkeys(key for of_column in found.values() for key in of_column)
    if not keys:
        return []
    cells = [
        [*key, *(_r2_with_interval(of_column[key]) if key in of_column else "" for of_column in found.values())]
        for key in keys
    ]
    return [["system", "feature", *found], *cells]


def _r2_with_interval(own: Json) -> str:
    return f"{cells_of(measures.FIT_MEASURES, PAGE, own)['R2']} {brackets(own.get('interval'))}".strip()


def probe_table(probes: Sequence[Json]) -> str:
    """Lay out how well domains can be read from embeddings."""
    factors = probes[0]["probes"]
    has_distance = probes[0]["proxy_a_distance"] is not None
    heads = [f"{factor} ({percent(probe['chance'])} by chance)" for factor, probe in factors.items()]
    rows = [["system", "feature", *heads, *(["proxy A-distance"] if has_distance else [])]]
    for probe in probes:
        cells = [_with_sd(probe["probes"][factor]) for factor in factors]
        distance = [number(probe["proxy_a_distance"])] if has_distance else []
        rows.append([probe["label"], probe["feature"], *cells, *distance])
    return pipes(rows, 2)


def _with_sd(probe: Json) -> str:
    return percent(probe["uar"]) + (f" ± {percent(probe['sd'])}" if probe["sd"] is not None else "")


# ---- Layout ---------------------------------------------------------------------------------------------------


def pipes(rows: Sequence[Sequence[str]], n_texts: int) -> str:
    """Lay out a Markdown table whose first row is its header and whose first columns hold text."""
    lines = [rows[0], ["---"] * n_texts + ["---:"] * (len(rows[0]) - n_texts), *rows[1:]]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def wrapped(text: str) -> str:
    """Break a paragraph into lines."""
    return "\n".join(textwrap.wrap(text, 118, break_on_hyphens=False))
