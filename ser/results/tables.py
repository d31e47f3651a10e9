"""From a recipe's scores to the parts of RESULTS.json: tables, fits, probes, and what training left behind."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ser.recipe.recipe import SIMILARITY, Recipe
from ser.recipe.rows import Row
from ser.results import fits as fit_scores
from ser.results import training, training_figure
from ser.results.gains import gain_records
from ser.results.lines import Line, line_of, published_lines, reference_lines
from ser.results.page import Page, head, hole, is_drawn, sources_of, stamps_of, target_data
from ser.results.record import FORMAT, fit_record, probe_records, table_record
from ser.results.scores import score_lines
from ser.results.standings import with_standings
from ser.results.words import SPEAKER_DEPENDENT, costs_note, definitions, notes_of
from ser.system.files import write_page
from ser.types import Condition

Json = dict[str, Any]


def record(recipe: Recipe, page: Page, made_from: str) -> Json:
    """Gather RESULTS.json.

    Args:
        recipe, page: of what.
        made_from: fingerprint, see `ser.results.page.made_from`.
    """
    about = {"format": FORMAT, "made_from": made_from, **head(recipe, page), "definitions": definitions()}
    if page.protocol.is_matrix:
        from ser.results.matrix import matrices

        nothing = ("tables", "fits", "probes", "learning", "planes", "similarity", "latent")
        return about | {"matrices": matrices(recipe, page)} | {name: [] for name in nothing}
    from ser.results.balance import page_record

    tables, drawn = _tables(recipe, page), page_record(recipe)
    gains = gain_records(page.published, tables)
    return {
        **about,
        "tables": tables,
        **({"gains": gains} if gains else {}),
        **({"test_speakers": drawn} if drawn else {}),
        "fits": _fits(recipe, page),
        "probes": probe_records(_probed(recipe, page)),
        **_training(recipe, page),
        "latent": _latent(recipe, page),
    }


# ---- Tables ---------------------------------------------------------------------------------------------------


def _tables(recipe: Recipe, page: Page) -> list[Json]:
    """Score every row and write down every table: by feature, rows without scores last."""
    lines, holes = _lines(recipe, page)
    majority = {
        task: Counter(sorted(recipe.splits_of(task).for_training()[0].train.values())).most_common(1)[0][0]
        for task in lines
    }
    records = []
    for condition, classes in page.classes_of.items():
        task = condition.task
        of_table = [line for line in lines[task] if line.is_everywhere or line.condition == condition]
        references = reference_lines(of_table[0], classes, majority[task]) if of_table else []
        cited = published_lines(
            page.published, {row.published for row in recipe.all_rows if page.is_printed(row)}, condition
        )
        lines_of = [*references, *of_table, *holes[task], *cited]
        entries = with_standings(score_lines(lines_of, classes))
        about_rows = _about_rows(recipe, page, condition)
        scored = [row for row in recipe.rows if row.task == task and page.runs[row.name]]
        scores = [(row.label, page.runs[row.name]) for row in scored]
        costs = [(row.label, row.values[row.about.cost]) for row in scored if row.about.cost]
        notes = " ".join(filter(None, [notes_of(scores), costs_note(costs)]))
        records.append(
            table_record(
                condition, entries, classes, page.published, about_rows,
                split_rule=_split_rule(page, condition), notes=notes,
            )
        )  # fmt: skip
    return records


def _lines(recipe: Recipe, page: Page) -> tuple[dict[str, list[Line]], dict[str, list[Line]]]:
    """Make the lines of every row, and those of rows without scores, by task."""
    order = list(dict.fromkeys(row.feature for row in recipe.rows))
    stamps = stamps_of(recipe, page)
    lines: dict[str, list[Line]] = defaultdict(list)
    holes: dict[str, list[Line]] = defaultdict(list)
    for row in sorted(recipe.rows, key=lambda row: order.index(row.feature)):
        if page.runs[row.name]:
            of_corpus = recipe.splits_of(row.task).about.get("corpus_stamps", {})
            of_row = (row.label, row.feature, row.versus, page.runs[row.name], row.published, stamps[row.name])
            for line in line_of(*of_row, row.task, page.target, seeds=row.seeds, is_random=row.about.is_random):
                corpus = line.condition.corpus
                own = list(dict.fromkeys((*line.stamps, *of_corpus.get(corpus, ()))))
                seen = target_data(page, row, corpus)
                lines[row.task].append(dataclasses.replace(line, target_data=seen, stamps=own))
        elif page.is_printed(row) or not page.missing:  # without corpora, only what the paper printed is worth a line
            why = hole(recipe, page, row)
            condition = Condition(row.task)  # of any table
            holes[row.task].append(Line(row.label, row.feature, condition, published=row.published, hole=why))
    return lines, holes


def _split_rule(page: Page, condition: Condition, is_labelled: bool = False) -> str:
    return page.protocol.split_rule(condition.task, condition.corpus, condition.rotation, is_labelled=is_labelled)


def _about_rows(recipe: Recipe, page: Page, condition: Condition) -> dict[tuple[str, str], Json]:
    """Write down what a table's scores do not say of its rows: what they are, and what they have labels of."""
    any_of_paper = any(row.published for row in recipe.rows)
    rule, own_rule = _split_rule(page, condition), _split_rule(page, condition, is_labelled=True)
    found = {}
    for row in (row for row in recipe.rows if row.task == condition.task):
        about = _row_about(recipe, page, row, condition.corpus, any_of_paper)
        if about["sources"] == [condition.corpus] and own_rule != rule:
            about["split_rule"] = own_rule
        found[row.label, row.feature] = about
    return found


def _row_about(recipe: Recipe, page: Page, row: Row, corpus: str, any_of_paper: bool) -> Json:
    of_paper = bool(row.published) or not any_of_paper
    kind = "shortcut" if row.feature == "shortcut" else "paper" if of_paper else "variant"
    is_beside = kind == "variant" and is_drawn(recipe, row)
    is_hole = not page.runs[row.name]  # other rows have it in their lines
    return {
        "kind": "beside" if is_beside else kind,
        "method": row.values["method"],
        "sources": sources_of(page, row, corpus),
        "seeds": len(row.seeds),
        "target_data": target_data(page, row, corpus) if is_hole else [],
        "options": " --finetune true" if row.finetunes else "",
    }


# ---- Fits and probes ------------------------------------------------------------------------------------------


def _fits(recipe: Recipe, page: Page) -> list[Json]:
    """Score how well latent spaces predict ratings, by table."""
    records = []
    for condition in page.classes_of:
        lines = []
        for row in (row for row in recipe.rows if row.task == condition.task):
            runs = page.runs[row.name]
            is_dependent = runs and dataclasses.replace(condition, task="").key in runs[0]["speaker_dependent"]
            line = fit_scores.FitLine(
                row.label, row.feature, target_data(page, row, condition.corpus) if runs else (), row.versus,
                row.published, [SPEAKER_DEPENDENT] if is_dependent else [],
                fit_scores.fit_of(runs, condition, row.seeds) if runs else {}, row.about.is_random,
            )  # fmt: skip
            lines.append(line)
        records.append(fit_record(condition, lines, fit_scores.score(lines), page.published))
    return [found for found in records if found is not None]


def _probed(recipe: Recipe, page: Page) -> list[tuple[str, str, str, list[dict]]]:
    """List task, label, feature and domain measures of each row that was probed."""
    return [
        (row.task, row.label, row.feature, [run["domains"] for run in runs])
        for row in recipe.rows
        if (runs := page.runs[row.name]) and "domains" in runs[0]
    ]


# ---- Training -------------------------------------------------------------------------------------------------


def _training(recipe: Recipe, page: Page) -> dict[str, list[Json]]:
    """Write down learning curves, embeddings and similarity by layer of the paper's rows."""
    learning, planes, similarity = [], [], []
    any_of_paper = any(row.published for row in recipe.rows)
    for row in (row for row in recipe.rows if page.runs[row.name]):
        about = {"task": row.task, "label": row.label, "feature": row.feature}
        folder = recipe.run_dir(row, row.seeds[0])
        if row.published or not any_of_paper or is_drawn(recipe, row):
            histories = [_read(recipe.run_dir(row, seed) / "history.tsv") for seed in row.seeds]
            learning += [{**about, **curve} for curve in training.learning_curves(histories)]
        if row.published and (folder / "plane.tsv").exists():
            planes.append({**about, **training.plane_record(_read(folder / "plane.tsv"))})
        if (folder / SIMILARITY).exists():
            curves = {"curves": training.similarity_record(folder / SIMILARITY)}
            similarity.append({**about, **curves, **_printed_similarity(page, row)})
    return {"learning": learning, "planes": planes, "similarity": similarity}


def write_histories(recipe: Recipe, page: Page, path: Path) -> None:
    """Draw what every training of every system and seed recorded, in one figure.

    Args:
        recipe, page: whose runs.
        path: SVG file; not written where no training has epochs.
    """
    rows = [row for row in recipe.rows if page.runs[row.name]]
    charts = []
    for row, title in zip(rows, training_figure.titles([(r.task, r.label, r.feature) for r in rows]), strict=True):
        histories = [_read(recipe.run_dir(row, seed) / "history.tsv") for seed in row.seeds]
        curves = [curve for history in histories for curve in training.learning_curves([history])]
        charts.append(training_figure.Chart(title, curves))
    figure = training_figure.figure(charts, page.title)
    if figure is not None:
        write_page(path, figure)


def _printed_similarity(page: Page, row: Row) -> Json:
    """Write down the checkpoints that the paper has of a row, if it has any with its settings."""
    published = page.published
    if published is None or not published.has_settings(row.feature):
        return {}
    found = published.similarity.get(row.published or "", {})
    return {"published": {when: own.model_dump(exclude_unset=True) for when, own in found.items()}} if found else {}


def _latent(recipe: Recipe, page: Page) -> list[Json]:
    """Write down the latent plane of the paper's models, of one fold and seed, with the activation of utterances."""
    import pandas as pd

    from ser.data.maps import read_map

    found = []
    activation: Mapping[str, float] = {}
    for row in (row for row in recipe.rows if row.published and page.runs[row.name]):
        path = recipe.run_dir(row, row.seeds[0]) / "predictions.tsv"
        with open(path, encoding="utf-8") as file:
            columns = file.readline().rstrip("\n").split("\t")
        if "z2" not in columns or "z3" in columns:
            continue
        if not activation:
            rated = [recipe.data / name / "utt2aro" for name in recipe.corpora]
            activation = {u: float(v) for rates in rated if rates.exists() for u, v in read_map(rates).items()}
        table = pd.read_csv(path, sep="\t").query("split == 'fold1'")
        table = table.assign(activation=table["utt_id"].map(activation)).dropna(subset=["z1", "activation"])
        planes = {
            corpus: (part[["z1", "z2"]].to_numpy(), part["activation"].to_numpy())
            for corpus, part in table.groupby(table["utt_id"].str.split("-").str[0])
        }
        if planes:
            label = f"{row.label}, {row.feature}"
            found.append({"task": row.task, "label": label, "corpora": training.latent_record(planes)})
    return found


def _read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
