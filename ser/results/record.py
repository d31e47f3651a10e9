"""RESULTS.json: what a recipe's RESULTS.md tells, as numbers, for the report over all recipes and for other tools.

Made of the same objects as the page, so that the two cannot differ. Shares are in [0, 1]; what a paper printed is as
it printed it, in per cent. Not here: any score that the page does not have, and how numbers look (`ser.report`).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ser.results.fits import Scored as ScoredFit
from ser.results.fits import ScoredRatings
from ser.results.lines import (
    Comparison,
    Line,
    Scored,
    confusion_shares,
    heading,
    is_worse,
)
from ser.results.published import Condition, Published

FORMAT = 1
"""Version of the file's layout."""

DIGITS = 6
"""Of shares; tables print three, and round as RESULTS.md does only from more."""

MAX_POINTS = 400
"""Of one plane."""

MAX_EPOCHS = 60
"""Of one learning curve, evenly spaced."""

Json = dict[str, Any]


def text_of(record: Json) -> str:
    """Lay a record out with a line for each entry of a list: a row that changes is a line that changes."""
    return _laid_out(record, 0) + "\n"


def _laid_out(value: Any, depth: int) -> str:
    indent = " " * (depth + 1)
    if isinstance(value, dict) and any(_is_long(own) for own in value.values()):
        items = (
            f"{indent}{json.dumps(key, ensure_ascii=False)}: {_laid_out(own, depth + 1)}"
            for key, own in value.items()
        )
        return "{\n" + ",\n".join(items) + "\n" + " " * depth + "}"
    if _is_long(value):
        return "[\n" + ",\n".join(indent + _laid_out(own, depth + 1) for own in value) + "\n" + " " * depth + "]"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _is_long(value: Any) -> bool:
    """Tell whether something holds a list of entries."""
    if isinstance(value, dict):
        return any(_is_long(own) for own in value.values())
    return isinstance(value, list) and any(isinstance(own, dict) for own in value)


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """Round a number; None for none and for NaN, which JSON does not know."""
    return None if value is None or math.isnan(value) else round(float(value), digits)


def _bounds(interval: Sequence[float] | None) -> list[float | None] | None:
    return None if interval is None else [rounded(bound) for bound in interval]


# ---- Tables ---------------------------------------------------------------------------------------------------


def table_record(
    condition: Condition,
    entries: Sequence[Scored | Line],
    classes: Sequence[str],
    published: Published | None,
    about_rows: Mapping[tuple[str, str], Json],
    **about: Any,
) -> Json:
    """Write down one table.

    Args:
        condition: what it is about.
        entries: its lines, scored or not.
        classes: names in the order of their indices.
        published: what the paper printed.
        about_rows: label and feature -> what else is told of a row.
        about: what else is told of the table.
    """
    tested = next((entry.line for entry in entries if isinstance(entry, Scored)), None)
    record: Json = {"condition": condition, "heading": heading(condition), **about, "classes": list(classes)}
    if tested is not None:
        n_true = tested.counts[0].sum((0, 2))
        record |= {
            "n_utterances": round(float(n_true.sum())),  # chance has shares of utterances
            "n_speakers": len(tested.speakers),
            "n_true": {name: round(float(n)) for name, n in zip(classes, n_true, strict=True)},
        }
    rows = [row_record(entry, condition, classes, published, about_rows) for entry in entries]
    if published:
        claimed = {entry.line.published if isinstance(entry, Scored) else entry.published for entry in entries}
        matrices = {
            name: published.confusion_of(name, condition) for name in published.confusion if name not in claimed
        }
        rows += [
            {"kind": "cited", "label": name, "feature": "-", "published_confusion": _matrix(theirs)}
            for name, theirs in matrices.items()
            if theirs is not None
        ]  # fmt: skip
    return record | {"rows": rows}


def row_record(
    entry: Scored | Line,
    condition: Condition,
    classes: Sequence[str],
    published: Published | None,
    about_rows: Mapping[tuple[str, str], Json],
) -> Json:
    """Write down one line of a table; what it has nothing of is left out."""
    line = entry.line if isinstance(entry, Scored) else entry
    about = about_rows.get((line.label, line.feature))
    kind = about["kind"] if about else "reference" if isinstance(entry, Scored) else "cited"
    record: Json = {"kind": kind, "label": line.label, "feature": line.feature, **(about or {})}
    if line.hole:
        record["hole"] = line.hole
    if line.condition == 0:
        record["any_condition"] = True  # the same row in every table
    if isinstance(entry, Scored):
        record |= _scores(entry, classes)
    value = published and published.uar_of(line.published, condition)
    if value is not None:
        record["published"] = value
        record["published_sd"] = published.uar_sd_of(line.published, condition)
        record["published_text"] = published.uar_text(line.published, condition)
        if isinstance(entry, Scored):
            record["minus_published"] = rounded(100 * entry.uar_as_printed - value, 3)
    if published and (theirs := published.confusion_of(line.published, condition)) is not None:
        record["published_confusion"] = _matrix(theirs)
    if kind == "variant":
        record.pop("confusion", None)  # there are many of them
    return {key: value for key, value in record.items() if value not in (None, [], "")}


def _scores(entry: Scored, classes: Sequence[str]) -> Json:
    line, scores = entry.line, entry.scores
    record = {
        "target_data": list(line.target_data),
        "stamps": list(line.stamps),
        "uar": rounded(scores["uar"]),
        "interval": _bounds(entry.interval) if line.cells else None,
        "few_speakers": bool(line.cells and entry.too_narrow) or None,
        "sd": rounded(scores["uar_sd"]),
        "folds": rounded(line.folds),
        "folds_sd": rounded(line.folds_sd),
        "episodic": rounded(line.episodic),
        "wa": rounded(scores["wa"]),
        "macro_f1": rounded(scores["macro_f1"]),
        "recall": {name: rounded(recall) for name, recall in zip(classes, scores["recall"], strict=True)},
        "one_class": line.one_class or None,
        "cells": line.cells or None,
        "versus": line.versus if entry.difference is not None else None,
        "difference": rounded(entry.difference),
        "difference_interval": _bounds(entry.difference_interval),
        "p": rounded(entry.p, 5),
        "worse": (entry.difference is not None and is_worse(entry.difference)) or None,
        "confusion": _matrix(confusion_shares(line)) if line.cells else None,
    }
    if line.cells:
        standing = entry.standing
        record |= {
            "marks": standing.marks,
            "is_best": standing.is_best or None,
            "is_best_of_all": standing.is_best_of_all or None,
            "best": _comparison(standing.best),
            "best_of_all": _comparison(standing.best_of_all),
            "source_only": _comparison(standing.source_only),
        }
    return record


def _comparison(found: Comparison | None) -> Json | None:
    if found is None:
        return None
    record = {
        "label": found.label,
        "feature": found.feature,
        "difference": rounded(found.difference),
        "interval": _bounds(found.interval),
        "p": rounded(found.p, 5),
    }
    flags = {"is_tie": found.is_tie, "can_tell": found.can_tell, "worse": is_worse(found.difference)}
    return record | {name: True for name, holds in flags.items() if holds}


def _matrix(shares: np.ndarray) -> list[list[float]]:
    return np.round(shares, 4).tolist()


# ---- What stands beside tables ---------------------------------------------------------------------------------


def fit_records(scored_of: Mapping[Condition, ScoredRatings], published: Mapping[tuple[str, str], str | None],
                printed: Published | None) -> list[Json]:  # fmt: skip
    """Write down R2 of ratings on latent spaces.

    Args:
        scored_of: table -> its scores.
        published: label and feature of a row -> its name in the paper's numbers.
        printed: what the paper printed.
    """
    records = []
    for condition, ratings in scored_of.items():
        for rating, scored in ratings.items():
            for (label, feature), fit in scored.items():
                name = published.get((label, feature))
                record = {"condition": condition, "rating": rating, "label": label, "feature": feature, **_fit(fit)}
                if printed and (text := printed.r2_of(name, condition, rating)):
                    record["published_text"] = text
                records.append({key: value for key, value in record.items() if value is not None})
    return records


def _fit(fit: ScoredFit) -> Json:
    return {
        "n": rounded(fit.n, 1),
        "r2": rounded(fit.r2, 4),
        "sd": rounded(fit.sd, 4),
        "interval": None if math.isnan(fit.interval.low) else _bounds(fit.interval),
        "is_significant": fit.is_significant,
        "difference": rounded(fit.difference, 4),
        "difference_interval": _bounds(fit.difference_interval),
    }


def probe_records(rows: Iterable[tuple[str, str, str, Sequence[Mapping[str, Any]]]]) -> list[Json]:
    """Write down what embeddings tell of domains.

    Args:
        rows: task, label, feature and `domains` of each seed's `metrics.json`.
    """
    records = []
    for task, label, feature, seeds in rows:
        shares = {name: [seed["probes"][name]["uar"] for seed in seeds] for name in seeds[0]["probes"]}
        distances = [seed["proxy_a_distance"] for seed in seeds]
        records.append(
            {
                "task": task,
                "label": label,
                "feature": feature,
                "probes": {
                    name: {
                        "uar": rounded(np.mean(own), 4),
                        "sd": rounded(np.std(own, ddof=1), 4) if len(own) > 1 else None,
                        "chance": rounded(seeds[0]["probes"][name]["chance"], 4),
                    }
                    for name, own in shares.items()
                },
                "proxy_a_distance": None if distances[0] is None else rounded(np.mean(distances), 4),
            }
        )
    return records


LEARNED = ("loss", "dev_uar", "dev")
"""Columns of `history.tsv` that a learning curve shows."""

APART = ("k", "stage")
"""Columns of `history.tsv` whose values have curves of their own; others (fold, model) are averaged over."""


def learning_curves(histories: Sequence[Sequence[Mapping[str, str]]]) -> list[Json]:
    """Average what training told over seeds and folds, for each epoch.

    Args:
        histories: the lines of `history.tsv` of each seed.

    Returns:
        For each number of shots or stage: its `name`, `epochs`, and the mean of each column that has numbers.

    Example:
        >>> learning_curves([[{"epoch": "1", "loss": "2"}], [{"epoch": "1", "loss": "4"}]])
        [{'name': '', 'epochs': [1], 'loss': [3.0]}]
    """
    found: dict[str, dict[int, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for line in (line for history in histories for line in history if line.get("epoch")):
        name = ", ".join(f"{key} {line[key]}" for key in APART if line.get(key))
        for column in LEARNED:
            if line.get(column):
                found[name][int(line["epoch"])][column].append(float(line[column]))
    curves = []
    for name, by_epoch in found.items():
        epochs = [epoch for epoch in sorted(by_epoch) if by_epoch[epoch]]
        kept = [epochs[i] for i in _spaced(len(epochs), MAX_EPOCHS)]
        columns = [column for column in LEARNED if any(column in by_epoch[epoch] for epoch in kept)]
        curves.append({"name": name, "epochs": kept} | {
            column: [_short(np.mean(by_epoch[epoch][column])) if by_epoch[epoch][column] else None for epoch in kept]
            for column in columns
        })  # fmt: skip
    return curves


def _spaced(n: int, at_most: int) -> list[int]:
    """Choose places evenly spaced among n, the first and the last among them."""
    return np.linspace(0, n - 1, min(n, at_most)).round().astype(int).tolist() if n else []


def _short(value: float) -> float | None:
    """Keep four significant digits."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def plane_record(lines: Sequence[Mapping[str, str]]) -> Json:
    """Write down where embeddings lie, from the lines of `plane.tsv`: places of corpus and class, x and y."""
    corpora = sorted({line["corpus"] for line in lines})
    classes = sorted({line["class"] for line in lines})
    kept = [lines[i] for i in _spaced(len(lines), MAX_POINTS)]
    points = [
        [corpora.index(line["corpus"]), classes.index(line["class"]), *(_short(float(line[axis])) for axis in "xy")]
        for line in kept
    ]
    return {"corpora": corpora, "classes": classes, "points": points}


def latent_record(planes: Mapping[str, Any]) -> Json:
    """Write down latent planes: corpus -> z1, z2 and activation of its utterances (`ser.results.figures.Plane`)."""
    return {
        corpus: [
            [_short(plane.z[i, 0]), _short(plane.z[i, 1]), round(float(plane.activation[i]), 2)]
            for i in _spaced(len(plane.z), MAX_POINTS // 2)
        ]
        for corpus, plane in planes.items()
    }


def similarity_record(curves: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Json:
    """Write down cosines by layer: name -> mean, lower and upper bound."""
    return {name: [[_short(v) for v in part] for part in both] for name, both in curves.items()}
