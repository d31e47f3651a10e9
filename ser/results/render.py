"""From RESULTS.json to RESULTS.md with its figure, and to the table in the terminal. Needs neither corpora nor numpy.

A page begins with three sentences, a table of at most ten rows and a figure (`ser.results.answers`); all else is
below them, folded (`ser.results.sections`). Terms are defined in docs/reading-tables.md. Not here: the pages of all
recipes (`ser.report`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.results import answers, drawn_page, matrix_page, measures, panels, similarity, training_figure
from ser.results.answers import Headline
from ser.results.gains import gain_rows
from ser.results.groups import group_rows
from ser.results.measures import BEST, PAGE, TIE, cells_of, p_value, percent, span
from ser.results.record import condition_of, read_record
from ser.results.sections import (
    aligned,
    confusions,
    details,
    fit_overview,
    fit_table,
    name_cells,
    overview,
    pipes,
    probe_table,
    score_tables,
    text_table,
    wrapped,
)
from ser.system import files

Json = Mapping[str, Any]

ENVIRONMENT = "## Environment"

TRAINING = "TRAINING.svg"
"""Figure of learning curves, next to a page."""


def holds_scores(page: str) -> bool:
    """Check whether a RESULTS.md has scores, or only published values."""
    return ENVIRONMENT in page.splitlines()


def write_page(numbers: Path) -> bool:
    """Render RESULTS.md and its figures next to RESULTS.json; return whether one of them changed.

    Args:
        numbers: RESULTS.json.

    Raises:
        DataError: as for `ser.results.record.read_record`.
    """
    record = read_record(numbers)
    figures = {
        numbers.with_suffix(".svg"): panels.figure(record),
        numbers.with_name(TRAINING): training_figure.of_record(record),
    }
    changed = [files.write_page(path, figure) for path, figure in figures.items() if figure is not None]
    return files.write_page(numbers.with_suffix(".md"), markdown(record)) or any(changed)


# ---- The page -------------------------------------------------------------------------------------------------


def markdown(record: Json) -> str:
    """Write a recipe's RESULTS.md.

    Args:
        record: RESULTS.json, see `ser.results.record`.
    """
    parts = [
        f"<!-- Written by `python -m ser.bin.results` from {record['made_from']}; do not edit. -->",
        f"# {record['title']}",
        *(f"**{stamp}**" for stamp in record["stamps"]),
    ]
    if record["environment"] is None:
        return _joined([*parts, *_published(record)])
    for matrix in record.get("matrices", []):
        parts += _matrix(matrix)
    if (found := answers.headline(record)) is not None:
        parts += [wrapped(" ".join(answers.sentences(record))), headline_table(record, found)]
        title = record["title"].replace("[", "(").replace("]", ")")
        parts += [f"![UAR and interval of the systems above: {title}](RESULTS.svg)"]
    parts += [_reading(record), *_below(record)]
    return _joined(parts)


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def headline_table(record: Json, found: Headline) -> str:
    """Lay out the headline table: who, what it sees, and how well, with the paper's value where there is one."""
    columns = ["system", "sees", "seeds", "UAR [95 %]", "difference [95 %]", "p", "published"]
    rows = []
    for row in found.rows:
        cells = cells_of(measures.MEASURES, PAGE, row, found.table["classes"])
        other = "" if row["feature"] in (found.feature, "-", row["label"]) else f", {row['feature']}"
        name = name_cells(row)
        label = name["system"].replace(row["label"], row["label"] + other, 1)
        mark = f" {cells['notes'][0]}" if cells["notes"][:1] in (BEST, TIE) else ""
        is_own = panels.kind(row, found) == "own"
        label = f"**{row['label']}**{label.removeprefix(row['label'])}" if is_own else label
        bounds = f" [{span(row['interval'])}]" if row.get("interval") else ""
        seeds = cells["seeds"] if row["kind"] != "reference" else ""
        seen = answers.sees(row, found.condition.shots) if row["kind"] != "reference" else ""
        rows.append([label + mark, seen, seeds, percent(row["uar"]) + bounds,
                     cells["difference"], p_value(row.get("p")), row.get("published_text", "")])  # fmt: skip
    filled = [i for i, name in enumerate(columns) if i < 5 or any(row[i] for row in rows)]
    return pipes([[row[i] for i in filled] for row in (columns, *rows)], 2)


def _up(record: Json) -> str:
    """Lead from a page to the root of the repository; pages of miniatures and variants are one folder deeper."""
    return "../../.." if record["mini"] or record["variant"] else "../.."


def _reading(record: Json) -> str:
    found = answers.headline(record)
    text = f"[How to read these tables]({_up(record)}/docs/reading-tables.md) defines every term."
    if found is not None:
        where = answers.where(record, found.condition)
        text = (f"UAR in per cent, {where}, `{found.feature}`; in brackets 95 % intervals. Bold: "
                f"{'the systems of ' + record['paper'] if record['paper'] else 'the systems of the recipe'}. "
                f"{BEST}: the best of all systems. {text}")  # fmt: skip
    return wrapped(f"{text} Made by `{record['command']}`.")


def _below(record: Json) -> list[str]:
    """Fold all else: every system by table, tasks as a whole, and where it was computed."""
    parts = []
    groups = groups_of(record["tables"])
    for name, tables in groups.items():
        inside = _of_task(record, name)
        if len(tables) > 1:
            inside = ["UAR [95 %].", overview(tables, bool(record["source"])), *inside]
        if inside:
            parts.append(details(f"<b>{name}</b>: all tables side by side", _joined([f"## {name}", *inside])))
    for table in record["tables"]:
        n = sum("uar" in row and row["kind"] != "reference" for row in table["rows"])
        heading = str(condition_of(table))
        parts.append(details(f"<b>{heading}</b>: all {n} systems", _joined(_table(record, table, heading))))
    if gains := record.get("gains"):
        parts.append(
            details("<b>Gains that the paper's text claims</b>", "Points of UAR.\n\n" + pipes(gain_rows(gains), 2))
        )
    if record.get("learning"):
        text = f"![Training loss and UAR on dev utterances by epoch, mean over seeds]({TRAINING})"
        note = "Mean over seeds and folds. `exp/figures/history.svg` has every system and seed that was trained here."
        parts.append(details("<b>Training</b>: loss and UAR on dev utterances by epoch", f"{text}\n\n{note}"))
    if drawn := record.get("test_speakers"):
        inside = [part for title, table in drawn_page.tables(drawn).items() for part in (title, pipes(table, 2))]
        text = wrapped(" ".join(drawn_page.TEXT.split()))
        parts.append(details("<b>Tested speakers, balanced and skewed</b>", _joined([text, *inside])))
    if cosines := similarity.rows(record.get("similarity", [])):
        told = "Mean cosine of all positive and all negative pairs, raw vectors; in brackets 95 % over batches."
        parts.append(details("<b>Cosine of pairs by layer</b>", f"{told}\n\n{pipes(cosines, 4)}"))
    where = [ENVIRONMENT, environment(record["environment"]), "\n".join(_inputs(record))]
    if record["source"]:
        where += [wrapped(f"Published values: {record['source']}. {record['note'] or ''}")]
    return [*parts, details("Where and from what this was computed", _joined(where))]


def _table(record: Json, table: Json, heading: str) -> list[str]:
    """Lay out all that is known of one table."""
    parts = [f"## {heading}", *score_tables(table, record.get("questions", {}), bool(record["source"]))]
    parts += [wrapped(table["notes"])] if table["notes"] else []
    if rows := group_rows(table):
        parts += [f"### By speaker, gender, language, and emotion, {heading}", pipes(rows, 3)]
    if matrices := confusions(table, record["confusion_source"]):
        parts += [f"### Confusion matrices, {heading}", "Per cent of each true class.", *matrices]
    for fits in record["fits"]:
        if fits["condition"] == table["condition"] and (rows := fit_table(fits)):
            parts += [f"### Ratings on the latent space, {heading}", pipes(rows, 3)]
    return parts


def _of_task(record: Json, name: str) -> list[str]:
    """Lay out the results of a whole task: R2 of its corpora side by side, and probes."""
    parts = []
    fits = [fits for fits in record["fits"] if condition_of(fits).task == name]
    if rows := fit_overview(fits):
        parts += ["Adjusted R2 [95 %] of ratings on the latent space.", pipes(rows, 2)]
    if probes := [probe for probe in record["probes"] if probe["task"] == name]:
        parts += [f"### Domains, {name}", probe_table(probes)]
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


def _matrix(matrix: Json) -> list[str]:
    """Lay out one matrix; its wide tables by direction are folded."""
    parts = [f"## {matrix['task']}"]
    for title, content, is_folded in matrix_page.sections(matrix):
        if isinstance(content, str):
            parts.append(wrapped(content))
            continue
        table = pipes(content, 4 if title.startswith("Means") else 3 if title.startswith("Chosen") else 1)
        parts += [details(title, table)] if is_folded else [f"### {title}", table]
    return parts


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


# ---- A recipe without its corpora -----------------------------------------------------------------------------


def _published(record: Json) -> list[str]:
    """Lay out what a paper printed, for a recipe that was not run."""
    text = f"Not run here: it needs {record['needs']} (`{record['command']}`)"
    if not record["source"]:
        return [wrapped(f"{text}.")]
    parts = [wrapped(f"{text}; these are the UARs of {record['source']}, in per cent."), pipes(published(record), 1)]
    if gains := record.get("gains"):
        parts.append(details("Gains that the paper's text claims", pipes(gain_rows(gains), 2)))
    if record["note"]:
        parts.append(details("Notes on the published values", wrapped(record["note"])))
    for table in record["tables"]:
        parts += confusions(table, record["confusion_source"])
    for fits in record["fits"]:
        if rows := fit_table(fits):
            parts.append(details(f"Ratings on the latent space, {condition_of(fits)}", pipes(rows, 3)))
    return parts


def published(record: Json) -> list[list[str]]:
    """Lay out published UARs, systems by tables; those with the same values are one column, named by corpus."""
    names = dict.fromkeys(
        row["published_as"] for table in record["tables"] for row in table["rows"] if "published" in row
    )
    columns: dict[tuple[str, ...], list[Json]] = {}
    for table in record["tables"]:
        texts = {row["published_as"]: row["published_text"] for row in table["rows"] if "published" in row}
        columns.setdefault(tuple(texts.get(name, "") for name in names), []).append(table)
    heads = [
        str(condition_of(tables[0])) if len(tables) == 1 else condition_of(tables[0]).corpus
        for tables in columns.values()
    ]
    return [["system", *heads], *([name, *cells] for name, *cells in zip(names, *columns, strict=True))]


# ---- The terminal ---------------------------------------------------------------------------------------------


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
    if cosines := similarity.rows(record.get("similarity", [])):
        tables.append(f"{record['title']}: cosine of pairs by layer\n{aligned(cosines)}\n")
    return "".join(f"{stamp}\n" for stamp in record["stamps"]) + "\n".join(tables)


BOLD, BRIGHT, PLAIN = "\x1b[1m", "\x1b[33m", "\x1b[0m"
"""Codes of a terminal: the systems in question, the best of all, and the end of both."""


def headline_text(record: Json) -> str:
    """Write the headline for a terminal, in color; "" for a recipe without one.

    Args:
        record: RESULTS.json.
    """
    found = answers.headline(record)
    if found is None:
        return ""
    lines = []
    width = max(len(row["label"]) for row in found.rows)
    for row in found.rows:
        cells = cells_of(measures.MEASURES, PAGE, row, found.table["classes"])
        bounds = f"[{span(row['interval'])}]" if row.get("interval") else ""
        text = f"  {row['label']:{width}}  {percent(row['uar']):>5}  {bounds:13}  {cells['difference']}".rstrip()
        code = {"own": BOLD, "best": BRIGHT}.get(panels.kind(row, found), "")
        lines.append(f"{code}{text}{PLAIN}" if code else text)
    return "\n".join([f"{answers.where(record, found.condition)}, {found.feature}: UAR in per cent", *lines]) + "\n"


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
