"""A recipe's page, whether or not anything was run, and what its RESULTS.json tells beside the scores.

Gathered from the recipe's folders: corpora, splits, commands, what training told. Not here: how scores become numbers
(`ser.results.record`), and RESULTS.md (`ser.bin.results`, `ser.results.lines`).
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.recipe import provenance
from ser.recipe.recipe import SIMILARITY, Recipe
from ser.recipe.rows import Row
from ser.results.published import Condition, Published
from ser.splits.protocols.base import Protocol
from ser.system.files import read_json

BESIDE_THE_PAPER = ("support_only", "in_domain")
"""Rows that stand in the figures of UAR against shots, beside those of the paper and what they start from."""


@dataclasses.dataclass(frozen=True)
class Page:
    """What a page is about, whether or not anything was run.

    Attributes:
        title: of the recipe.
        classes_of: table -> names in the order of their indices.
        published: what the paper printed.
        runs: name of a row -> `metrics.json` of its seeds, or nothing.
        missing: corpora without which nothing can be run.
        protocol: settings of the splits.
    """

    title: str
    classes_of: Mapping[Condition, Sequence[str]]
    published: Published | None
    runs: dict[str, list[dict]]
    missing: Sequence[str]
    protocol: Protocol


def listed(corpora: Sequence[str]) -> str:
    """Name corpora as conf/db.sh does."""
    *others, last = (name.upper() for name in corpora)
    return f"{', '.join(others)} and {last}" if others else last


def by_task(recipe: Recipe, page: Page) -> dict[str, list[tuple[str, list[dict]]]]:
    """Gather labels and scores of each task's rows."""
    return {
        task: [(row.label, page.runs[row.name]) for row in recipe.rows if row.task == task and page.runs[row.name]]
        for task in recipe.tasks
    }


def probed(recipe: Recipe, page: Page) -> list[tuple[str, str, str, list[dict]]]:
    """List task, label, feature and domain measures of each row that was probed."""
    return [
        (row.task, row.label, row.feature, [run["domains"] for run in runs])
        for row in recipe.rows
        if (runs := page.runs[row.name]) and "domains" in runs[0]
    ]


def corpus_of(condition: Condition) -> str:
    """Name the corpus that a table is about, "" for a number of shots."""
    return str(condition).partition(": ")[2].partition(",")[0]


def is_drawn(recipe: Recipe, row: Row) -> bool:
    """Tell whether a row stands in figures of UAR against shots: the paper's, what they start from, references."""
    started_from = {other.init for other in recipe.rows if other.published and other.feature == row.feature}
    return bool(row.published) or row.name in started_from or row.label in BESIDE_THE_PAPER


def record(
    recipe: Recipe,
    page: Page,
    made_from: str,
    about: Mapping[str, Any],
    tables: Mapping[Condition, list],
    fits: Mapping[Condition, Any],
    planes: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> dict[str, Any]:
    """Gather RESULTS.json.

    Args:
        recipe, page: of what.
        made_from: fingerprint, as in RESULTS.md.
        about: what stands at the head of the page: `stamps`, `environment`, `features`.
        tables: scored lines.
        fits: table -> scored ratings on latent spaces.
        planes: latent planes by task, model and corpus.
    """
    from ser.results import record as results_json

    names = {(row.label, row.feature): row.published for row in recipe.rows}
    return {
        "format": results_json.FORMAT,
        "made_from": made_from,
        **_about(recipe, page),
        **about,
        "tables": _table_records(recipe, page, tables),
        "fits": results_json.fit_records(fits, names, page.published),
        "probes": results_json.probe_records(probed(recipe, page)),
        **_training_records(recipe, page, planes),
    }


def _about(recipe: Recipe, page: Page) -> dict[str, Any]:
    """Tell what the page is about."""
    from ser.corpora import CORPORA

    papers = [row.about.paper for row in recipe.rows if row.about.paper is not None]
    kind = "replication" if page.published else "open twin" if papers else "baseline"
    corpora: dict[str, dict[str, Any]] = {}
    for name in page.protocol.corpora:
        corpora[name] = {"title": CORPORA[name].title if name in CORPORA else name}
        if (path := recipe.data / name / "corpus.json").exists() and not page.missing:
            info = read_json(path)
            corpora[name] |= {key: info[key] for key in ("title", "release", "n_utterances", "n_speakers", "formats")}
        elif name in page.missing:
            corpora[name]["missing"] = name.upper()
    return {
        "recipe": recipe.folder.name,
        "title": page.title,
        "paper": papers[0] if papers else None,
        "kind": kind,
        "mini": recipe.mini,
        "variant": _options(recipe, ("features", "set")) or None,
        "needs": listed(page.missing) if page.missing else None,
        "command": f"cd egs/{recipe.folder.name} && ./run.sh{_options(recipe)}",
        "corpora": corpora,
        "protocol": page.protocol.protocol,
        "source": page.published and page.published.source,
        "note": page.published and page.published.note,
        "confusion_source": page.published and page.published.confusion_source,
    }


def _options(recipe: Recipe, named: Sequence[str] = ("mini", "db_root", "features", "set")) -> str:
    """Write the options that make the page again."""
    options = {
        "mini": " --mini true" if recipe.mini else "",
        "db_root": "" if recipe.mini else " --db_root DIR",
        "features": f' --features "{" ".join(recipe.features)}"' if recipe.strict else "",
        "set": "".join(f" --set {override}" for override in recipe.overrides),
    }
    return "".join(options[name] for name in named)


def _table_records(recipe: Recipe, page: Page, tables: Mapping[Condition, list]) -> list[dict[str, Any]]:
    """Write down every table, with what is known of its rows beside their scores."""
    from ser.results import lines as results
    from ser.results import record as results_json

    any_of_paper = any(row.published for row in recipe.rows)
    records = []
    for condition, entries in tables.items():
        task, _, tested = str(condition).rpartition(": ")
        corpus = corpus_of(condition) or page.protocol.target
        about_rows = {
            (row.label, row.feature): _row_about(recipe, page, row, corpus, any_of_paper)
            for row in recipe.rows
            if row.task == task
        }
        rule = page.protocol.split_rule(task, corpus, tested.endswith("rotation"))
        own_rule = page.protocol.split_rule(task, corpus, tested.endswith("rotation"), is_labelled=True)
        for about in about_rows.values():
            if about["sources"] == [corpus] and own_rule != rule:
                about["split_rule"] = own_rule
        records.append(
            results_json.table_record(
                condition, entries, page.classes_of[condition], page.published, about_rows,
                task=task, corpus=corpus, shots=condition if isinstance(condition, int) else None,
                split_rule=rule,
                notes=results.notes_of(by_task(recipe, page).get(task, ())),
            )
        )  # fmt: skip
    return records


def target_data(page: Page, row: Row, corpus: str) -> list[str]:
    """Tell what a row has seen of a tested corpus, words of `ser.types.TARGET_DATA`."""
    return provenance.target_data(row.method, row.config, page.protocol.sketch(row.task, corpus))


def _row_about(recipe: Recipe, page: Page, row: Row, corpus: str, any_of_paper: bool) -> dict[str, Any]:
    """Tell of a row what its scores do not: what it is, and what it has labels of."""
    of_paper = bool(row.published) or not any_of_paper
    kind = "shortcut" if row.feature == "shortcut" else "paper" if of_paper else "variant"
    is_beside = kind == "variant" and is_drawn(recipe, row)
    is_hole = not page.runs[row.name]  # the lines of others tell it
    return {
        "kind": "beside" if is_beside else kind,
        "method": row.values["method"],
        "sources": provenance.sources(row.method, row.config, page.protocol.sketch(row.task, corpus)),
        "seeds": len(row.seeds),
        "target_data": target_data(page, row, corpus) if is_hole else [],
        "options": " --finetune true" if row.finetunes else "",
    }


def _training_records(
    recipe: Recipe, page: Page, latent: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Write down learning curves, embeddings and similarity by layer of the paper's rows."""
    from ser.results import figures
    from ser.results import record as results_json

    learning, planes, similarity = [], [], []
    any_of_paper = any(row.published for row in recipe.rows)
    for row in (row for row in recipe.rows if page.runs[row.name]):
        about = {"task": row.task, "label": row.label, "feature": row.feature}
        folder = recipe.run_dir(row, row.seeds[0])
        if row.published or not any_of_paper or is_drawn(recipe, row):
            histories = [_lines(recipe.run_dir(row, seed) / "history.tsv") for seed in row.seeds]
            learning += [{**about, **curve} for curve in results_json.learning_curves(histories)]
        if row.published and (folder / "plane.tsv").exists():
            planes.append({**about, **results_json.plane_record(_lines(folder / "plane.tsv"))})
        if (folder / SIMILARITY).exists():
            curves = {
                name: figures.band(batches)
                for name, batches in figures.read_curves(folder / SIMILARITY).items()
                if (batches == batches).all(0).any()  # not NaN in every batch
            }
            similarity.append({**about, "curves": results_json.similarity_record(curves)})
    own = [
        {"task": task, "label": model, "corpora": results_json.latent_record(of_model)}
        for task, panels in latent.items()
        for model, of_model in panels.items()
    ]
    return {"learning": learning, "planes": planes, "latent": own, "similarity": similarity}


def _lines(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))
