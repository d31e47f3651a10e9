"""Write a recipe's table and figures from its scores, and print the table.

usage: python -m ser.bin.results RECIPE_OPTIONS --out RESULTS.md

Beside RESULTS.md stands RESULTS.json, the same as numbers, for the report over all recipes (`ser.bin.report`).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.config import find, load
from ser.errors import DataError, run_cli
from ser.recipe.code import code_hash
from ser.recipe.recipe import SIMILARITY, Recipe
from ser.recipe.rows import Row
from ser.results.keep import page_of
from ser.results.page import Page, by_task, corpus_of, is_drawn, listed, probed, record, target_data
from ser.results.published import Condition, Published, check_sizes, read_published
from ser.splits.labels import LabelMap
from ser.system.environment import Environment
from ser.system.files import fingerprint, holding, is_generated, read_json, write_text

SEED = 1
"""Of bootstrap and permutations."""

ONE_CLASS = "one_class_speakers"
"""Key of what stage 2 counted: corpus -> speakers who have one class alone, and all speakers."""


PAGE_CODE = ("results", "splits/protocols", "recipe/provenance.py", "bin/results.py", "metrics")
"""Code that decides a page."""

DECIDED_BY_SPLITS = ("releases", "stamps", "corpus_stamps", ONE_CLASS)
"""Keys of what stage 2 recorded that a page prints."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_recipe_arguments(parser)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    recipe = recipe_of(args)
    page = _page(recipe)
    made_from = fingerprint(
        {
            "scores": {name: [run["made_from"] for run in of_row] for name, of_row in page.runs.items()},
            "rows": [
                [row.name, row.label, row.feature, row.init, row.versus, row.published, _hole(recipe, page, row)]
                for row in recipe.rows
            ],
            "published": page.published and page.published.model_dump(),
            "code": code_hash(PAGE_CODE),
            "title": page.title,
            "corpora": page.missing
            or [recipe.splits_of(t).about.get(k) for t in recipe.tasks for k in DECIDED_BY_SPLITS],
            "protocol": page.protocol.model_dump(),
            "features": [list(recipe.features), recipe.strict],
            "overrides": list(recipe.overrides),
        }
    )
    printed = recipe.exp / "results.txt"
    for out in (args.out, recipe.exp / args.out.name):  # a page that lacks rows of the former one lies below exp/
        if printed.exists() and all(_is_of(path, made_from) for path in (out, out.with_suffix(".json"))):
            print(f"results: up to date in {out}")
            return
    _refuse_without_scores(recipe, page, args.out)
    text, out, why_there = _write(recipe, page, made_from, args.out)
    write_text(printed, text)
    print(text, end="")
    print(f"wrote {out} and {recipe.exp / 'figures'}" if any(page.runs.values()) else f"wrote {out}")
    if why_there:
        print(why_there)


def _is_of(path: Path, made_from: str) -> bool:
    """Tell whether a page or its numbers were made from the same."""
    if not path.exists():
        return False
    with open(path, encoding="utf-8") as file:
        return made_from in file.read(200)


def _page(recipe: Recipe) -> Page:
    """Gather what the page is about: from the splits, or without the corpora from the protocol's settings."""
    path, protocol = recipe.folder / "conf" / "recipe.yaml", recipe.settings.protocol
    missing: list[str] = []
    if not recipe.mini and not (recipe.splits / recipe.tasks[0] / "protocol.json").exists():
        missing = sorted(name for name in protocol.corpora if not (recipe.data / name).exists())
    runs = {row.name: [] if missing else _runs(recipe, row) for row in recipe.rows}
    names = {row.label: row.published for row in recipe.rows}
    published = read_published(path.with_name("published.yaml"), names)
    classes_of: dict[Condition, Sequence[str]] = {}
    for task in recipe.tasks:
        if missing:
            classes = load(find("labels", protocol.label_maps[task], path.parent), LabelMap).classes
        else:
            classes = recipe.splits_of(task).classes
        if task:
            tested = {
                c for row in recipe.rows if row.task == task for run in runs[row.name] for c in run["conditions"]
            }
            conditions = [f"{task}: {c}" for c in sorted(tested, key=lambda c: (c.endswith("rotation"), c))]
            corpora_alone = published and task in published.tasks
            printed = [f"{task}: {c}" if corpora_alone else str(c) for c in _printed(published)]
            conditions = conditions or [c for c in printed if c.startswith(f"{task}: ")]
        else:
            conditions = sorted(protocol.shots)
            if missing:
                conditions = [shots for shots in conditions if shots in _printed(published)]
        classes_of |= dict.fromkeys(conditions, classes)
    if published:
        check_sizes(path.with_name("published.yaml"), published, {c: len(names) for c, names in classes_of.items()})
    return Page(recipe.settings.title, classes_of, published, runs, missing, protocol)


def _printed(published: Published | None) -> list[Condition]:
    """List what a paper printed numbers of."""
    return list(dict.fromkeys(c for of_row in published.uar.values() for c in of_row)) if published else []


def _refuse_without_scores(recipe: Recipe, page: Page, out: Path) -> None:
    """Let a page without scores pass only to show what a paper printed, and never over one that has scores.

    Raises:
        DataError: naming the stages that are missing.
    """
    from ser.results.lines import holds_scores

    if any(page.runs.values()):
        return
    if not page.missing:
        raise DataError(f"{recipe.exp}: no row has scores; run stages 4 and 5")
    if page.published is None or (out.exists() and holds_scores(out.read_text(encoding="utf-8"))):
        raise DataError(f"{recipe.exp}: no row has scores; run stages 1 to 5, which need {listed(page.missing)}")


def _hole(recipe: Recipe, page: Page, row: Row) -> str:
    """Tell why a row has no scores, if it has none."""
    if page.missing:
        return f"needs {listed(page.missing)}"
    return recipe.left_out(row) or "not every seed was trained and scored; see the logs of stages 4 and 5"


def _runs(recipe: Recipe, row: Row) -> list[dict]:
    """Read a row's scores, for all its seeds or for none."""
    paths = [recipe.run_dir(row, seed) / "metrics.json" for seed in row.seeds]
    if row.needs is not None or not all(path.exists() for path in paths):
        return []
    runs = [read_json(path) for path in paths]
    fresh = [run["made_from"] == recipe.score_inputs(row, seed) for run, seed in zip(runs, row.seeds, strict=True)]
    return runs if all(fresh) else []


def _write(recipe: Recipe, page: Page, made_from: str, out: Path) -> tuple[str, Path, str | None]:
    """Write RESULTS.md and the figures; return the text for the terminal, and what `page_of` chose."""
    from ser.results import lines as results
    from ser.results import record as results_json

    one_class_speakers = {} if page.missing else recipe.splits_about.get(ONE_CLASS, {})
    stamps_of = {row.name: results.row_stamps(row.adaptation, one_class_speakers) for row in recipe.rows}
    tables = _tables(recipe, page, stamps_of)
    scored = [row for row in recipe.rows if page.runs[row.name]]
    stamps = [] if page.missing else _stamps(recipe)
    if any(stamps_of[row.name] for row in scored):
        stamps += results.page_stamps(one_class_speakers)
    fits, beside = _fits(recipe, page)
    for task, told in _probes(recipe, page).items():
        beside[task] = [*beside.get(task, ()), *told]
    if scored:
        _draw(recipe, page, tables)
    planes = _latent_planes(recipe, page) if scored else {}
    _draw_latent(recipe, page, planes)
    environment = _environment(recipe, scored) if scored else None
    features = {row.feature: _feature(recipe, row) for row in scored}
    text = results.markdown(
        title=page.title,
        made_from=made_from,
        stamps=stamps,
        environment=environment,
        features=sorted({_feature(recipe, row) for row in scored}),
        corpora=[_corpus(recipe, name) for name in recipe.corpora] if scored else [],
        tables=tables,
        classes_of=page.classes_of,
        published=page.published,
        notes={task: results.notes_of(rows) for task, rows in by_task(recipe, page).items()},
        beside=beside,
    )
    about = {"stamps": stamps, "environment": environment and dataclasses.asdict(environment), "features": features}
    numbers = record(recipe, page, made_from, about, tables, fits, planes)
    out, why_there = page_of(out, numbers, recipe.exp)
    write_text(out, text, is_generated)
    write_text(out.with_suffix(".json"), results_json.text_of(numbers), holding('"made_from": "'))
    if not scored:
        return f"{page.title}: not run, needs {listed(page.missing)}\n", out, why_there
    parts = [
        f"{page.title}: {results.heading(c)}\n{results.text_table(entries, page.classes_of[c], page.published)}\n"
        for c, entries in tables.items()
    ]
    return "".join(f"{stamp}\n" for stamp in stamps) + "\n".join(parts), out, why_there


def _probes(recipe: Recipe, page: Page) -> dict[str, list[str]]:
    """Lay out what the embeddings of each task's rows tell of domains."""
    from ser.results import lines as results

    rows_of = defaultdict(list)
    for task, *told in probed(recipe, page):
        rows_of[task].append(told)
    return {
        task: [f"### Domains, {task}", results.probe_table(rows), results.wrapped(results.PROBE_DEFINITIONS)]
        for task, rows in rows_of.items()
    }


def _tables(recipe: Recipe, page: Page, stamps_of: Mapping[str, Sequence[str]]) -> dict[Condition, list]:
    """Score every row: lines of each table, by feature, those without scores last."""
    from ser.results import lines as results
    from ser.results.standings import with_standings

    order = list(dict.fromkeys(row.feature for row in recipe.rows))
    lines, holes = defaultdict(list), defaultdict(list)
    for row in sorted(recipe.rows, key=lambda row: order.index(row.feature)):
        if page.runs[row.name]:
            of_row = (row.label, row.feature, row.versus, page.runs[row.name], row.published, stamps_of[row.name])
            of_corpus = recipe.splits_of(row.task).about.get("corpus_stamps", {})
            lines[row.task] += [
                dataclasses.replace(
                    line,
                    target_data=target_data(page, row, corpus_of(line.condition) or page.protocol.target),
                    stamps=list(dict.fromkeys((*line.stamps, *of_corpus.get(corpus_of(line.condition), ())))),
                )
                for line in results.line_of(*of_row, row.task)
            ]
        elif row.published or not page.missing:  # without corpora, only what the paper printed is worth a line
            hole = _hole(recipe, page, row)
            holes[row.task].append(results.Line(row.label, row.feature, 0, published=row.published, hole=hole))
    majority = {
        task: Counter(sorted(recipe.splits_of(task).for_training()[0].train.values())).most_common(1)[0][0]
        for task in lines
    }
    tables = {}
    for condition, classes in page.classes_of.items():
        task = condition.partition(": ")[0] if isinstance(condition, str) else ""
        of_table = [line for line in lines[task] if line.condition in (0, condition)]
        references = results.reference_lines(of_table[0], classes, majority[task]) if of_table else []
        own_holes = (dataclasses.replace(hole, condition=condition) for hole in holes[task])
        cited = results.published_lines(page.published, {row.published for row in recipe.rows}, condition)
        lines_of = [*references, *of_table, *own_holes, *cited]
        tables[condition] = with_standings(results.score_lines(lines_of, SEED), SEED)
    return tables


def _fits(recipe: Recipe, page: Page) -> tuple[dict[Condition, Any], dict[Condition | str, list[str]]]:
    """Score how well latent spaces tell ratings, and lay it out by tested corpus and, side by side, by task."""
    from ser.results import fits as fit_tables
    from ser.results import lines as results

    lines_of: dict[Condition, list[fit_tables.FitLine]] = {}
    for condition in page.classes_of:
        task, _, corpus = str(condition).partition(": ")
        for row in (row for row in recipe.rows if row.task == task):
            runs = page.runs[row.name]
            stamped = runs and corpus in runs[0]["speaker_dependent"]
            line = fit_tables.FitLine(
                row.label, row.feature, target_data(page, row, corpus) if runs else (), row.versus, row.published,
                [results.SPEAKER_DEPENDENT] if stamped else [], fit_tables.fit_of(runs, corpus),
            )  # fmt: skip
            lines_of.setdefault(condition, []).append(line)
    scored_of = {condition: fit_tables.score(lines, SEED) for condition, lines in lines_of.items()}
    beside: dict[Condition | str, list[str]] = {}
    for condition, lines in lines_of.items():
        if rows := fit_tables.table(lines, scored_of[condition], condition, page.published):
            heading = f"### Ratings on the latent space, {results.heading(condition)}"
            beside[condition] = [heading, results.pipes(rows, 3), results.wrapped(fit_tables.DEFINITIONS)]
    for task in recipe.tasks:
        of_task = {c: scored for c, scored in scored_of.items() if str(c).partition(": ")[0] == task}
        if rows := fit_tables.overview(of_task):
            beside[task] = ["Adjusted R2 [95 %] of ratings on the latent space.", results.pipes(rows, 2)]
    return scored_of, beside


def _latent_planes(recipe: Recipe, page: Page) -> dict[str, dict[str, dict[str, Any]]]:
    """Read the latent plane of the paper's models, of one fold and seed: task -> model -> corpus -> plane."""
    import pandas as pd

    from ser.data.data_dir import read_map
    from ser.results import figures

    rated = {name: recipe.data / name / "utt2aro" for name in recipe.corpora}
    activation = {u: float(v) for path in rated.values() if path.exists() for u, v in read_map(path).items()}
    planes: dict[str, dict[str, dict[str, Any]]] = {}
    for row in (row for row in recipe.rows if row.published and page.runs[row.name]):
        path = recipe.run_dir(row, row.seeds[0]) / "predictions.tsv"
        table = pd.read_csv(path, sep="\t").query("split == 'fold1'")
        if "z2" not in table or "z3" in table or table.empty:
            continue
        table = table.assign(activation=table["utt_id"].map(activation)).dropna(subset=["z1", "activation"])
        for corpus, part in table.groupby(table["utt_id"].str.split("-").str[0]):
            plane = figures.Plane(part[["z1", "z2"]].to_numpy(), part["activation"].to_numpy())
            planes.setdefault(row.task, {}).setdefault(f"{row.label}, {row.feature}", {})[corpus] = plane
    return planes


def _draw_latent(recipe: Recipe, page: Page, planes: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Draw the latent planes, colored by activation (Das 2022, Fig. 3)."""
    for task, panels in planes.items():
        from ser.results import figures

        title = f"{page.title}\n{task}: latent plane of fold 1, one seed"
        figures.latent_figure(recipe.exp / "figures" / f"latent-{task or 'plane'}.png", panels, title)


def _draw(recipe: Recipe, page: Page, tables: Mapping[Condition, list]) -> None:
    """Draw confusion matrices of the paper's methods, embeddings, similarity by layer, UAR against several shots.

    Rows with a latent plane have that as their figure.
    """
    from ser.results import figures
    from ser.results import lines as results

    folder = recipe.exp / "figures"
    with_plane = {row.label for row in recipe.rows if any(run["fits"] for run in page.runs[row.name])}
    for condition, entries in tables.items():
        for entry in results.paper_rows(entries):
            label, feature = entry.line.label, entry.line.feature
            if label in with_plane:
                continue
            figures.confusion_figure(
                folder / f"{label}-{feature}-{str(condition).replace(': ', '-').replace(', ', '-')}.png",
                results.confusion_shares(entry.line),
                page.classes_of[condition],
                f"{label}, {feature}, {results.heading(condition)}\nUAR {100 * float(entry.scores['uar']):.1f} %",
            )
    for row in recipe.rows:
        plane = recipe.run_dir(row, row.seeds[0]) / "plane.tsv"
        if row.published and page.runs[row.name] and plane.exists():
            name = f"{row.label}-{row.feature}-{row.task}" if row.task else f"{row.label}-{row.feature}"
            figures.plane_figure(folder / f"plane-{name}.png", plane, f"{row.label}, {row.feature}, {row.task}")
        path = recipe.run_dir(row, row.seeds[0]) / SIMILARITY
        if page.runs[row.name] and path.exists():
            name = row.name.replace("/", "-")
            figures.similarity_figure(
                folder / f"similarity-{name}.png", figures.read_curves(path), f"{page.title}\n{name}"
            )
    if not all(isinstance(condition, int) for condition in tables):
        return
    for feature in dict.fromkeys(row.feature for row in recipe.rows if row.published) if len(tables) > 1 else ():
        labels = [row.label for row in recipe.rows if row.feature == feature and is_drawn(recipe, row)]
        if curves := results.curves(tables, feature, labels, page.published):
            figures.uar_by_shots_figure(folder / f"uar-by-shots-{feature}.png", curves, f"{page.title}\n{feature}")


def _environment(recipe: Recipe, trained: Sequence[Row]) -> Environment:
    """Describe where the rows were trained; several places are named together."""
    found = [read_json(recipe.run_dir(row, seed) / "env.json") for row in trained for seed in row.seeds]
    joined = {key: " and ".join(sorted({str(env[key]) for env in found})) for key in found[0] if key != "packages"}
    names = found[0]["packages"]
    packages = {name: " and ".join(sorted({env["packages"][name] for env in found})) for name in names}
    return Environment(**joined, packages=packages)


def _stamps(recipe: Recipe) -> list[str]:
    """Tell what has to stand above every table of the recipe."""
    about = recipe.splits_about
    releases = about["releases"]
    stamps = list(dict.fromkeys(s for task in recipe.tasks for s in recipe.splits_of(task).about.get("stamps", [])))
    if partial := sorted(name for name, release in releases.items() if release == "subset"):
        stamps.append(f"PARTIAL CORPUS: {', '.join(partial)} (see corpus.json); not comparable")
    if "mini" in releases.values():
        stamps.append("MINIATURE CORPORA: synthetic audio; the numbers say nothing about real speech")
    if recipe.overrides:
        stamps.append(f"OVERRIDDEN: {', '.join(recipe.overrides)}, in rows that do not set these themselves")
    return stamps


def _feature(recipe: Recipe, row: Row) -> str:
    """Describe what a row is trained on."""
    config = recipe.feature_config(row.feature)
    if row.finetunes:
        ckpt = config.identity()["ckpt_hash"]
        return f"encoder `{row.feature}`: upstream {config.upstream}{_checkpoint(ckpt)}, fine-tuned"
    info = read_json(recipe.dump_dir(row.feature, recipe.corpora[0]) / "feats.json")
    ckpt = info["made_from"]["feature"]["ckpt_hash"]
    return (f"feature `{row.feature}`: upstream {config.upstream}{_checkpoint(ckpt)}, layer {config.layer}, "
            f"{config.pooling} pooling, {config.precision}, {info['dim']} dimensions")  # fmt: skip


def _checkpoint(ckpt_hash: str | None) -> str:
    return f", checkpoint BLAKE2b {ckpt_hash[:12]}" if ckpt_hash else ""


def _corpus(recipe: Recipe, name: str) -> str:
    info = read_json(recipe.data / name / "corpus.json")
    return (f"corpus `{name}`: {info['title']}, {info['release']} release, {info['n_utterances']} utterances, "
            f"{info['n_speakers']} speakers, {', '.join(info['formats'])}")  # fmt: skip


if __name__ == "__main__":
    run_cli(main)
