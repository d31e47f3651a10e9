"""`egs/report.html`: one file with everything in it, that opens from disk, sorts, filters and prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from markupsafe import Markup, escape

from ser.report import charts, words
from ser.report.cards import Card, cards
from ser.report.charts import N_LEVELS, Series
from ser.report.collect import REGIMES, Found, System, anchor, title_of
from ser.report.compare import Matrix, choices, groups, in_order, marks, matrices
from ser.report.risks import risk_charts
from ser.report.transfer import heat_maps, tables_of
from ser.results import answers, measures, panels
from ser.results.groups import DEFINITION, group_rows
from ser.results.measures import REPORT, cells_of, columns_of, number, percent, signed, span
from ser.results.record import condition_of
from ser.results.render import corpus_text

PANELS = (("before.raw", "before"), ("after.raw", "after stage one"),
          ("before.centered", "before, centered"), ("after.centered", "after stage one, centered"))  # fmt: skip


def page(found: Sequence[Found], systems: Sequence[System]) -> str:
    """Write the page.

    Args:
        found: all recipes.
        systems: of those that have numbers.
    """
    ranks: dict[int, str] = {}
    for group in groups([system for system in systems if system.is_shown_first]):
        ranks |= marks(group)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("ser.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.loopcontrols"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "number": number,
        "signed": lambda points: words.typographic(signed(points)),
        "bounds": lambda interval: words.typographic(span(interval)),
        "notes": measures.notes,
        "typographic": words.typographic,
        "heat": heat,
        "breakable": words.breakable,
        "rank": lambda system: words.rank(ranks.get(id(system), "")),
    }
    environment.globals |= {"words": words, "interval": _interval, "anchor": anchor, "title_of": title_of,
                            "condition_of": condition_of, "corpus_text": corpus_text}  # fmt: skip
    records = [recipe.record for recipe in found if recipe.record]
    found_best = matrices([system for system in systems if system.uar is not None])
    left_out = _left_out(records, systems, found_best)
    shown = in_order([system for system in systems if id(system.row) not in left_out])
    return environment.get_template("report.html.j2").render(
        style=Markup(_asset(environment, "style.css")),
        script=Markup(_asset(environment, "script.js")),
        found=found,
        records=records,
        systems=shown,
        shown_first=sum(system.is_shown_first for system in shown),
        cards=[(card, _differences(card)) for card in cards(records)],
        recipes=[(record, _recipe(record, left_out)) for record in records],
        regimes=REGIMES,
        features=sorted({system.feature for system in systems} - {"-"}),
        heat_maps=heat_maps(records),
        matrices=found_best,
        choices=choices(systems),
        definitions=[
            ("Tables", _plain(words.definitions(records, "tables"))),
            ("Ratings on latent spaces", _plain(words.definitions(records, "fits"))),
            ("Domains in embeddings", _plain(words.definitions(records, "probes"))),
            ("By speaker, gender, language, and emotion", [("", " ".join(DEFINITION.split()))]),
        ],
    )


def _left_out(
    records: Sequence[Mapping[str, Any]], systems: Sequence[System], found_best: Sequence[Matrix]
) -> set[int]:
    """List variants, by the identity of their rows, that only the page of their recipe shows.

    Here are those of its first table, the best of a table or of a matrix, and those that stand for a printed value.
    """
    heads = {id(record): answers.headline(record) for record in records}
    first = {id(found.table) for found in heads.values() if found}
    linked = {id(cell.best.row) for matrix in found_best for cell in matrix.cells.values() if cell.best}
    return {
        id(system.row)
        for system in systems
        if not (
            system.is_shown_first
            or "published" in system.row
            or id(system.table) in first
            or heads[id(system.recipe)] is None
            or id(system.row) in linked
        )
    }


def _asset(environment: jinja2.Environment, name: str) -> str:
    """Read a file of the package that goes into the page as it is."""
    return environment.loader.get_source(environment, name)[0]


def _differences(card: Card) -> Markup | None:
    """Draw what open corpora say of a paper's claim."""
    if not card.results:
        return None
    rows = [
        (result.where, 100 * one.difference, one.interval and [100 * bound for bound in one.interval])
        for result in card.results
        for one in [result.compared]
    ]
    proposed, other = card.systems
    said = "; ".join(f"{name}: {points:+.1f} points" for name, points, _ in rows)
    return charts.differences(rows, f"{proposed} minus {other}, UAR in points with 95 % intervals. {said}")


def heat(share: float) -> str:
    """Choose one of eleven colors for a share in [0, 1]."""
    return f"h{round(10 * min(max(share, 0.0), 1.0))}"


def _plain(terms: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(term, text.replace("`", "")) for term, text in terms]


def _interval(system: System) -> Markup:
    """Draw a system's UAR."""
    chance = 1 / max(1, len([n for n in system.table["n_true"].values() if n]))
    return charts.interval(system.uar, system.row.get("interval"), chance)


# ---- One recipe -----------------------------------------------------------------------------------------------


def _recipe(record: Mapping[str, Any], left_out: set[int]) -> dict[str, Any]:
    """Gather what a recipe's section shows."""
    return {
        "tables": [_table(record, table, left_out) for table in record["tables"]],
        "matrices": tables_of(record),
        "commands": _commands(record) or {record["command"]: []},
        "sentences": [Markup(_strong(text)) for text in answers.sentences(record)],
        "figure": _figure(record),
        "shots": [] if answers.headline(record) else _shots(record),  # the figure has them all
        "planes": _planes(record),
        "latent": _latent(record),
        "similarity": _similarity(record),
        "fits": [_fits(fits) for fits in record["fits"]],
        "probes": _probes(record),
        "features": [told.replace("`", "") for told in record["features"].values()],
    }


def _strong(text: str) -> str:
    """Set what Markdown has in bold, and numbers as a printed page does."""
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(words.typographic(text)))


def _figure(record: Mapping[str, Any]) -> Markup | None:
    """Draw the figure of a recipe's page, in the colors of this one."""
    found = answers.headline(record)
    if found is None:
        return None
    drawing, height = panels.drawn(record, found)
    title = escape(f"{record['title']}: UAR in per cent with 95 % intervals")
    return Markup(
        f'<svg class="panels" viewBox="0 0 {panels.WIDTH} {height}" role="img" aria-label="{title}">{drawing}</svg>'
    )


def _commands(record: Mapping[str, Any]) -> dict[str, list[str]]:
    """List the commands that make the recipe's rows, each with the rows that need more than the recipe's own."""
    found: dict[str, list[str]] = {}
    for table in record["tables"]:
        for row in table["rows"]:
            if "method" in row:
                labels = found.setdefault(record["command"] + row.get("options", ""), [])
                if row["label"] not in labels:
                    labels.append(row["label"])
    return found


def _table(record: Mapping[str, Any], table: Mapping[str, Any], left_out: set[int]) -> dict[str, Any]:
    rows = [row for row in table["rows"] if ("uar" in row or "published" in row) and id(row) not in left_out]
    systems = [System(record, table, row) for row in rows]
    matrices, printed = [], []
    found = answers.headline(record)
    for row in table["rows"]:  # of many tables, the matrices of the first one are enough to look at
        is_elsewhere = found is not None and (table is not found.table or row["feature"] not in (found.feature, "-"))
        if is_elsewhere and "published_confusion" not in row:
            continue
        name = f"{row['label']}, {row['feature']}".removesuffix(", -")
        if row["kind"] == "paper" and "confusion" in row:
            matrices.append((name, _confusion(record, table, row, "confusion")))
        theirs = row.get("published_confusion")
        if theirs is not None and ("confusion" in row or theirs not in printed):  # holes of a row share one
            matrices.append((name, _confusion(record, table, row, "published_confusion")))
            printed.append(theirs)
    cells = [cells_of(measures.MEASURES, REPORT, system.row, table["classes"]) for system in systems]
    columns = [name for name in columns_of(measures.MEASURES, REPORT, table["classes"])
               if name in ("UAR", "95 %") or any(of_row[name] for of_row in cells)]  # fmt: skip
    return {
        "table": table,
        "heading": str(condition_of(table)),
        "corpus": condition_of(table).corpus,
        "anchor": anchor(record["recipe"], str(condition_of(table))),
        "columns": columns,
        "rows": [
            (system, words.seen(system) if system.regime else "", [of_row[name] for name in columns])
            for system, of_row in zip(systems, cells, strict=True)
        ],
        "best": max(
            (s.uar for s in systems if s.uar is not None and s.regime in ("none", "unlabelled")), default=None
        ),
        "confusions": matrices,
        "groups": group_rows(table),
        "risks": [_panel(feature, chart) for feature, chart in risk_charts(record, table)],
    }


def _fits(fits: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out the R2 of one table's ratings, a line for each row and rating."""
    rows = [
        (rating, row, cells_of(measures.FIT_MEASURES, REPORT, row["ratings"][rating]))
        for rating in fits["ratings"]
        for row in fits["rows"]
        if rating in row["ratings"]
    ]
    columns = [name for name in columns_of(measures.FIT_MEASURES, REPORT) if any(cells[name] for _, _, cells in rows)]
    return {
        "heading": str(condition_of(fits)),
        "columns": columns,
        "rows": [(rating, row, [cells[name] for name in columns]) for rating, row, cells in rows],
    }


def _confusion(
    record: Mapping[str, Any], table: Mapping[str, Any], row: Mapping[str, Any], key: str
) -> dict[str, Any]:
    is_ours = key == "confusion"
    return {
        "shares": row[key] if is_ours else [[value / 100 for value in of_class] for of_class in row[key]],
        "classes": table["classes"],
        "source": "ours" if is_ours else f"published, {record['confusion_source']}",
    }


def _shots(record: Mapping[str, Any]) -> list[Markup]:
    """Draw UAR against the number of shots, a chart for each feature that the paper's rows have."""
    tables = {condition_of(table).shots: table for table in record["tables"]}
    tables.pop(None, None)
    if len(tables) < 2:
        return []
    rows: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    for shots, table in tables.items():
        for row in table["rows"]:
            if row["kind"] in ("paper", "beside") and ("uar" in row or "published" in row):
                rows.setdefault(row["feature"], {}).setdefault(row["label"], {})[shots] = row
    drawn, any_hollow = [], False
    for feature, labels in rows.items():
        series = [_by_shots(label, of_row) for label, of_row in labels.items()]
        is_paper = any(row["kind"] == "paper" for of_row in labels.values() for row in of_row.values())
        is_hollow = all(y is None for s in series for y in s.y)
        if is_paper and not (is_hollow and any_hollow):  # what is printed alone is the same for all features
            any_hollow = any_hollow or is_hollow
            title = f"{record['title']}: UAR against shots, {feature}"
            chart = charts.lines(series, "support utterances per class", "UAR (%)", title, list(tables))
            hollow = "published values alone" if is_hollow else f"{feature} (hollow: published)"
            drawn.append(_panel(hollow if any(s.hollow for s in series) else feature, chart))
    return drawn


def _panel(caption: str, chart: Markup) -> Markup:
    return Markup('<figure class="panel"><figcaption>{}</figcaption>{}</figure>').format(caption, chart)


def _by_shots(label: str, of_row: Mapping[int, Mapping[str, Any]]) -> Series:
    scored = {k: row for k, row in of_row.items() if "uar" in row}
    return Series(
        label,
        list(of_row) if not scored else list(scored),
        [100 * row["uar"] for row in scored.values()] or [None] * len(of_row),
        [100 * row.get("interval", [row["uar"]])[0] for row in scored.values()],
        [100 * row.get("interval", [row["uar"]])[-1] for row in scored.values()],
        [(k, row["published"]) for k, row in of_row.items() if "published" in row],
        is_level=bool(scored) and all(row.get("any_condition") for row in scored.values()),
    )


MAX_DOTS = 80
"""Points of a plane that are drawn."""


def _thinned(points: Sequence[Any]) -> Sequence[Any]:
    """Leave out points of a plane, evenly, so that at most `MAX_DOTS` are left.

    Example:
        >>> _thinned(range(800))[:3], _thinned([1, 2])
        (range(0, 30, 10), [1, 2])
    """
    return points[:: max(1, -(-len(points) // MAX_DOTS))]


def _name(about: Mapping[str, Any]) -> str:
    return ", ".join(part for part in (about.get("task"), about["label"], about.get("feature")) if part)


def _planes(record: Mapping[str, Any]) -> list[tuple[str, list[Markup]]]:
    """Draw embeddings twice, by emotion and by corpus."""
    drawn = []
    for plane in record["planes"]:
        panels = []
        for what, column, names in (("emotion", 1, plane["classes"]), ("corpus", 0, plane["corpora"])):
            points = {
                title_of(record, name): [(p[2], p[3]) for p in _thinned(plane["points"]) if p[column] == i]
                for i, name in enumerate(names)
            }
            title = f"{record['title']}, {_name(plane)}: t-SNE of embeddings, one seed, colored by {what}"
            panels.append(_panel(f"by {what}", charts.scatter(points, title)))
        drawn.append((_name(plane), panels))
    return drawn


def _latent(record: Mapping[str, Any]) -> list[tuple[str, list[Markup]]]:
    """Draw latent planes, colored by rated activation from 1 to 5."""
    drawn = []
    for model in record["latent"]:
        panels = []
        for corpus, points in model["corpora"].items():
            levels: dict[str, list[tuple[float, float]]] = {}
            for i in range(N_LEVELS):
                low, high = 1 + 4 * i / N_LEVELS, 1 + 4 * (i + 1) / N_LEVELS
                inside = [
                    (x, y) for x, y, activation in points if _level(activation) == i and None not in (x, y)
                ]  # fmt: skip
                levels[f"{low:.1f}–{high:.1f}"] = inside
            if any(levels.values()):
                name = title_of(record, corpus)
                title = f"{record['title']}, {_name(model)}: latent plane of {name}, colored by rated activation"
                panels.append(_panel(name, charts.scatter(levels, title, kind="v")))
        drawn.append((_name(model), panels))
    return drawn


def _level(activation: float) -> int:
    """Place a rating from 1 to 5 among the levels.

    Example:
        >>> _level(1.0), _level(5.0)
        (0, 5)
    """
    return min(N_LEVELS - 1, max(0, int((activation - 1) / 4 * N_LEVELS)))


def _similarity(record: Mapping[str, Any]) -> list[tuple[str, list[Markup]]]:
    """Draw the cosine of pairs by layer, before and after stage one."""
    drawn = []
    for row in record["similarity"]:
        panels = []
        for key, told in PANELS:
            series = [
                Series(f"{kind}, {pairs}", list(range(len(curve[0]))), *curve, is_band=True)
                for pairs, end in (("all pairs", ""), ("same corpus", "_same"), ("cross corpus", "_cross"))
                for kind in ("positive", "negative")
                if (curve := row["curves"].get(f"{key}.{kind}{end}"))
            ]
            if series:
                title = f"{record['title']}, {_name(row)}: cosine of pairs by layer, {told}"
                panels.append(charts.lines(series, "layer", f"cosine, {told}", title))
        drawn.append((_name(row), panels))
    return drawn


def _probes(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Gather domain probes by task: the factors, and the rows."""
    found: dict[str, dict[str, Any]] = {}
    for row in record["probes"]:
        of_task = found.setdefault(row["task"], {"factors": [], "rows": []})
        of_task["rows"].append(row)
        of_task["factors"] += [name for name in row["probes"] if name not in of_task["factors"]]
    return found
