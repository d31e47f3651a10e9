"""From RESULTS.json to RESULTS.md and to the table in the terminal. Needs neither corpora nor numpy.

Columns of scores are those of `ser.results.measures`. Not here: the pages of all recipes (`ser.report`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.results import matrix_page, measures
from ser.results.gains import gain_rows
from ser.results.groups import DEFINITION, group_rows
from ser.results.measures import (
    PAGE,
    TERMINAL,
    brackets,
    cells_of,
    columns_of,
    interval_of,
    number,
    percent,
)
from ser.results.record import condition_of, read_record
from ser.results.words import paragraph
from ser.system import files

Json = Mapping[str, Any]

NAMES = ("system", "feature", "target data")
"""Columns that say what a row is."""

WITHOUT_SCORES = ("system", "feature", "published", "UAR")
"""Columns of a table in which nothing was run."""

ENVIRONMENT = "## Environment"


def holds_scores(page: str) -> bool:
    """Check whether a RESULTS.md has scores, or only published values."""
    return ENVIRONMENT in page.splitlines()


def write_page(numbers: Path) -> bool:
    """Render RESULTS.md next to RESULTS.json; return whether it changed.

    Args:
        numbers: RESULTS.json.

    Raises:
        DataError: as for `ser.results.record.read_record`.
    """
    return files.write_page(numbers.with_suffix(".md"), markdown(read_record(numbers)))


# ---- The page -------------------------------------------------------------------------------------------------


def markdown(record: Json) -> str:
    """Write a recipe's RESULTS.md.

    Args:
        record: RESULTS.json, see `ser.results.record`.
    """
    any_scores = record["environment"] is not None
    parts = [
        f"<!-- Written by `python -m ser.bin.results` from {record['made_from']}; do not edit. -->",
        f"# {record['title']}",
        *(f"**{stamp}**" for stamp in record["stamps"]),
    ]
    if any_scores:
        parts += [ENVIRONMENT, environment(record["environment"]), "\n".join(_inputs(record))]
    below = _definitions(record)
    groups = groups_of(record["tables"])
    for name, tables in groups.items():
        if len(tables) > 1 and not _is_of_shots(tables):  # the main results come first
            parts += [f"## {name}", "UAR [95 %].", overview(tables, bool(record["source"]))]
        parts += _of_task(record, name)
    if gains := record.get("gains"):
        parts += ["## Gains that the paper's text claims", "Points of UAR.", pipes(gain_rows(gains), 2)]
    for matrix in record.get("matrices", []):
        parts += _matrix(matrix, record)
    for table in record["tables"]:
        heading = str(condition_of(table))
        parts += [f"## {heading}", markdown_table(table, bool(record["source"]))]
        parts += [*([wrapped(table["notes"])] if table["notes"] else []), *below]
        parts += _by_group(table, heading)
        if matrices := confusions(table, record["confusion_source"]):
            parts += [f"### Confusion matrices, {heading}", "Per cent of each true class.", *matrices]
        for fits in record["fits"]:
            if fits["condition"] == table["condition"] and (rows := fit_table(fits)):
                parts += [f"### Ratings on the latent space, {heading}", pipes(rows, 3),
                          wrapped(paragraph(record["definitions"]["fits"]))]  # fmt: skip
    for name, tables in groups.items():
        if len(tables) > 1 and _is_of_shots(tables):
            told = "UAR [95 %]; rows without support sets have one value."
            parts += [f"## {name}", told, overview(tables, bool(record["source"]))]
    return "\n\n".join(parts) + "\n"


def _by_group(table: Json, heading: str) -> list[str]:
    """Fold what there is of a table's rows by speaker, gender, language, and emotion."""
    rows = group_rows(table)
    if not rows:
        return []
    text = f"{wrapped(' '.join(DEFINITION.split()))}\n\n{pipes(rows, 3)}"
    return [_details(f"By speaker, gender, language, and emotion, {heading}", text)]


def _matrix(matrix: Json, record: Json) -> list[str]:
    """Lay out one matrix; its wide tables by direction are folded."""
    parts = [f"## {matrix['task']}"]
    for title, content in matrix_page.sections(matrix):
        if isinstance(content, str):
            parts.append(wrapped(content))
        elif title.endswith("by direction"):
            parts.append(_details(title, pipes(content, 1)))
        else:
            parts += [f"### {title}", pipes(content, 4 if title.startswith("Means") else 1)]
    return [*parts, wrapped(paragraph(record["definitions"]["matrices"]))]


def environment(found: Json) -> str:
    """List where something was computed."""
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return (
        f"- date: {found['date']}\n- python {found['python']}, {found['machine']}, {packages}\n"
        f"- ser {found['ser']}, commit {found['commit']}"
    )


def _inputs(record: Json) -> list[str]:
    """List corpora and features."""
    corpora = [
        f"- corpus `{name}`: {corpus_text(info)}"
        for name, info in sorted(record["corpora"].items())
        if "release" in info
    ]
    return corpora + [f"- {text}" for text in sorted(set(record["features"].values()))]


def corpus_text(info: Json) -> str:
    """Describe a corpus."""
    return (
        f"{info['title']}, {info['release']} release, {info['n_utterances']} utterances, "
        f"{info['n_speakers']} speakers, {', '.join(info['formats'])}"
    )


def _definitions(record: Json) -> list[str]:
    """Explain a table, one paragraph about our scores and one about the paper's."""
    any_scores = record["environment"] is not None
    paragraphs = [paragraph(record["definitions"]["tables"])] if any_scores else []
    if record["source"]:
        difference = " Folds - published: our mean over folds, or our UAR where a fold lacks a class, minus it."
        text = f"Published: UAR of {record['source']}.{difference if any_scores else ''} {record['note'] or ''}"
        paragraphs.append(text)
    return [wrapped(text) for text in paragraphs]


def _of_task(record: Json, name: str) -> list[str]:
    """Lay out the results of a whole task: R2 of its corpora side by side, and probes."""
    parts = []
    fits = [fits for fits in record["fits"] if condition_of(fits).task == name]
    if rows := fit_overview(fits):
        parts += ["Adjusted R2 [95 %] of ratings on the latent space.", pipes(rows, 2)]
    if probes := [probe for probe in record["probes"] if probe["task"] == name]:
        parts += [f"### Domains, {name}", probe_table(probes), wrapped(paragraph(record["definitions"]["probes"]))]
    return parts


def groups_of(tables: Sequence[Json]) -> dict[str, list[Json]]:
    """Gather the tables that are read together: all numbers of shots, or a task's corpora on one kind of split."""
    found: dict[str, list[Json]] = {}
    for table in tables:
        condition = condition_of(table)
        name = condition.task if condition.shots is None else "UAR against shots"
        if condition.rotation:
            name += ", rotation over held-out speakers"
        found.setdefault(name, []).append(table)
    return found


def _is_of_shots(tables: Sequence[Json]) -> bool:
    return condition_of(tables[0]).shots is not None


# ---- Tables of scores -----------------------------------------------------------------------------------------


def rows_of(table: Json) -> list[Json]:
    """Choose the rows of a table; of some systems only a confusion matrix is printed."""
    return [row for row in table["rows"] if row["kind"] != "cited" or "published" in row]


def name_cells(row: Json) -> dict[str, str]:
    """Print what a row is, with its stamps."""
    mark = f" †{row['one_class']}/{row['cells']}" if row.get("one_class") else ""
    mark += "".join(f" [{stamp}]" for stamp in row.get("stamps", ()))
    seen = ", ".join(row.get("target_data", ())) or "none"
    return dict(zip(NAMES, (row["label"] + mark, row["feature"], seen if "uar" in row else ""), strict=True))


def _columns(table: Json, where: str, any_published: bool, names: Sequence[str] | None = None) -> list[list[str]]:
    """Print the columns of a table that have something to say, names first."""
    rows = [name_cells(row) | cells_of(measures.MEASURES, where, row, table["classes"]) for row in rows_of(table)]
    columns = names or [*NAMES, *columns_of(measures.MEASURES, where, table["classes"])]
    kept_empty = ("UAR", "difference", "p")  # other columns that no row fills say nothing
    filled = [
        name
        for name in columns
        if (any_published or "published" not in name) and (name in kept_empty or any(row[name] for row in rows))
    ]
    return [filled, *([row[name] for name in filled] for row in rows)]


def page_rows(table: Json, any_published: bool = False) -> list[list[str]]:
    """Print the columns of a page's table, names first."""
    return _columns(table, PAGE, any_published)


def markdown_table(table: Json, any_published: bool = False) -> str:
    """Lay out a pipe table; without any score, only the columns that can be filled."""
    any_scores = any("uar" in row for row in table["rows"])
    return pipes(_columns(table, PAGE, any_published, None if any_scores else WITHOUT_SCORES), 3 if any_scores else 2)


def text_table(table: Json, any_published: bool = False) -> str:
    """Lay out the columns that fit a terminal."""
    rows = _columns(table, TERMINAL, any_published)
    place = rows[0].index("UAR")  # the reason why a row is not run takes the empty cells to its right
    scored = [row for row in rows if not row[place].startswith("not run")]
    widths = [max(len(row[i]) for row in (rows if i < place else scored)) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def text(record: Json) -> str:
    """Write what stage 6 prints."""
    if record["environment"] is None:
        return f"{record['title']}: not run, needs {record['needs']}\n"
    if record.get("matrices"):
        return "".join(f"{stamp}\n" for stamp in record["stamps"]) + "\n".join(map(_matrix_text, record["matrices"]))
    tables = [
        f"{record['title']}: {condition_of(table)}\n{text_table(table, bool(record['source']))}\n"
        for table in record["tables"]
    ]
    return "".join(f"{stamp}\n" for stamp in record["stamps"]) + "\n".join(tables)


def _matrix_text(matrix: Json) -> str:
    """Write what stage 6 prints of a matrix: the means, without intervals of gains."""
    parts = [matrix["task"], *filter(None, [matrix_page.headline(matrix)])]
    for kind, words in matrix_page.KINDS.items():
        rows = matrix_page.means(matrix, kind)
        if len(rows) > 1 + len(matrix["holes"]):
            widths = [
                max(len(row[i]) for row in rows if not row[4].startswith("not run")) for i in range(len(rows[0]))
            ]
            parts += [
                words,
                *("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows),
            ]
    return "\n".join(parts) + "\n"


def overview(tables: Sequence[Json], any_published: bool = False) -> str:
    """Lay out UAR and interval of several conditions, one line per row, with the paper's UARs behind them.

    Corpora have a mean column, the plain mean of their UARs. Left out are chance and majority, rows without scores
    that the paper does not have, and systems that it cites.
    """
    are_corpora = not _is_of_shots(tables)
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
    return f"{percent(row['uar'])} [{interval_of(row)}]"


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
        texts.append(_details(f"{row['label']}, {row['feature']}", text))
    alone = {row["published_as"]: row for row in of_paper if "published_confusion" in row}
    for name, row in alone.items():
        if name not in {row["published_as"] for row in ours if "published_confusion" in row}:
            text = confusion_text(row["published_confusion"], table["classes"])
            texts.append(_details(f"{name}, published ({confusion_source})", text))
    return texts


def confusion_text(matrix: Sequence[Sequence[float]], classes: Sequence[str]) -> str:
    """Print a confusion matrix, (C, C) in per cent of each true class, as Yue 2023 does (Figs. 3 and 4)."""
    rows = [["true \\ predicted", *classes]]
    rows += [[name, *map(number, of_class)] for name, of_class in zip(classes, matrix, strict=True)]
    return pipes(rows, 1)


def _details(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text}\n</details>"


# ---- Fits and probes ------------------------------------------------------------------------------------------


def fit_table(fits: Json) -> list[list[str]]:
    """Print the cells of a table of R2, names first; columns that no row fills are left out."""
    columns = columns_of(measures.FIT_MEASURES, PAGE)
    names = [*NAMES, *(f"{rating}: {name}" for rating in fits["ratings"] for name in columns)]
    rows = []
    for row in fits["rows"]:
        stamped = " ".join([row["label"], *(f"[{stamp}]" for stamp in row.get("stamps", ()))])
        seen = ", ".join(row.get("target_data", ())) or ("none" if row["is_run"] else "")
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
    return "\n".join(textwrap.wrap(text, 118))
