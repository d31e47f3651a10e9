"""RESULTS.json: all that any page prints of a recipe, as values; every page is rendered from it.

Shares are in [0, 1]; what a paper printed is as it printed it, in per cent. Rows have the measures of
`ser.results.measures`; those of a paper, references and shortcuts also `sample` (UAR by seed and draw, and without
each speaker: what a test against a row of another recipe needs) and `groups` (UAR by speaker, gender and language).
The record's own `hash` shows an edit. Not here: how values look (`ser.results.measures`, `ser.results.render`), and
where they are gathered (`ser.results.page`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.errors import DataError
from ser.results import measures
from ser.results.measures import values_of
from ser.system.files import SEAL, is_sealed, sealed
from ser.types import Condition

if TYPE_CHECKING:
    from ser.metrics.uncertainty import Sample
    from ser.results.fits import FitLine, ScoredRatings
    from ser.results.lines import Line
    from ser.results.published import Published
    from ser.results.scores import Comparison, Scored

FORMAT = 2
"""Version of the file's layout."""

DIGITS = 6
"""After the point; tables print one of per cents and two of other numbers."""

Json = dict[str, Any]


def text_of(record: Json) -> str:
    """Lay a record out with its hash, a line for each entry of a list: a row that changes is a line that changes."""
    return _laid_out(sealed(_with_cells(record, as_columns)), 0) + "\n"


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


def read_record(path: Path, expected: int = FORMAT) -> Json:
    """Read a RESULTS.json, or another file with a `format`.

    Raises:
        DataError: for a file that is no JSON, of another format, or edited after it was written.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: no JSON ({error}); run stage 6 of the recipe again") from None
    version = record.get("format") if isinstance(record, dict) else None
    if version != expected:
        raise DataError(f"{path}: format '{version}', this version reads {expected}; run stage 6 of the recipe again")
    if any(isinstance(row["cells"], list) for matrix in record.get("matrices", []) for row in matrix["rows"]):
        raise DataError(f"{path}: cells of a matrix one by one, not as columns; run stage 6 of the recipe "
                        "again")  # fmt: skip
    if SEAL in record and not is_sealed(record):
        raise DataError(f"{path}: was changed after it was written, as its hash shows; restore it, or run stage 6 of "
                        "the recipe again")  # fmt: skip
    return _with_cells({key: own for key, own in record.items() if key != SEAL}, as_entries)


def _with_cells(record: Json, change: Callable[[Any], Any]) -> Json:
    """Change the cells of every row of every matrix: hundreds of entries alike, which a file holds by column."""
    if "matrices" not in record:
        return record
    matrices = [
        matrix | {"rows": [row | {"cells": change(row["cells"])} for row in matrix["rows"]]}
        for matrix in record["matrices"]
    ]
    return record | {"matrices": matrices}


def as_columns(found: Sequence[Json]) -> Json:
    """Turn entries with the same keys into a list for each key, a third of the bytes.

    Args:
        found: entries; mappings in them are turned too, and stay out of entries that lack them.

    Example:
        >>> as_columns([{"uar": 0.5, "gain": {"difference": 0.1}}, {"uar": 0.25}])
        {'uar': [0.5, 0.25], 'gain': {'difference': [0.1, None]}}
    """
    keys = dict.fromkeys(key for entry in found for key in entry)
    lists = {key: [entry.get(key) for entry in found] for key in keys}
    return {
        key: as_columns([own or {} for own in values]) if any(isinstance(own, dict) for own in values) else values
        for key, values in lists.items()
    }


def as_entries(found: Json) -> list[Json]:
    """Undo `as_columns`.

    Example:
        >>> as_entries({'uar': [0.5, 0.25], 'gain': {'difference': [0.1, None]}})
        [{'uar': 0.5, 'gain': {'difference': 0.1}}, {'uar': 0.25}]
    """
    lists = {key: as_entries(own) if isinstance(own, dict) else own for key, own in found.items()}
    rows = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    nested = {key for key, own in found.items() if isinstance(own, dict)}
    return [
        {key: own for key, own in row.items() if key not in nested or any(v is not None for v in own.values())}
        for row in rows
    ]


def condition_of(table: Mapping[str, Any]) -> Condition:
    """Read what a table, or another part of a record, is about."""
    return Condition(**table["condition"])


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """Round a number, or the numbers of a list or mapping; None for none and for NaN, which JSON does not know."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Mapping):
        return {key: rounded(own, digits) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        numbers = [rounded(own, digits) for own in value]
        return None if None in numbers else numbers
    return None if math.isnan(value) else round(float(value), digits)


def _without_nothing(record: Json) -> Json:
    """Leave out what a row has nothing of."""
    return {key: value for key, value in record.items() if value not in (None, [], "", {})}


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
        about_rows: label and feature -> what else is known of a row.
        about: what else is known of the table.
    """
    record: Json = {"condition": condition.json, **about, "classes": list(classes)}
    tested = next((entry.line for entry in entries if _is_scored(entry)), None)
    if tested is not None:
        n_true = tested.counts[0, 0].sum((0, 2))
        record |= {
            "n_utterances": round(float(n_true.sum())),  # chance has shares of utterances
            "n_speakers": len(tested.speakers),
            "n_true": {name: round(float(n)) for name, n in zip(classes, n_true, strict=True)},
        }
    rows = [row_record(entry, condition, published, about_rows) for entry in entries]
    claimed = {row.get("published_as") for row in rows if published and published.has_settings(row["feature"])}
    for name in published.confusion if published else ():  # of systems that stand in no row
        theirs = published.confusion_of(name, condition)
        if theirs is not None and name not in claimed:
            rows.append({"kind": "cited", "label": name, "feature": "-", "published_as": name,
                         "published_confusion": theirs})  # fmt: skip
    return record | {"rows": rows}


def _is_scored(entry: Scored | Line) -> bool:
    return hasattr(entry, "line")


def row_record(
    entry: Scored | Line,
    condition: Condition,
    published: Published | None,
    about_rows: Mapping[tuple[str, str], Json],
) -> Json:
    """Write down one line of a table; what it has nothing of is left out."""
    line = entry.line if _is_scored(entry) else entry
    published = published if published and published.has_settings(line.feature) else None
    about = about_rows.get((line.label, line.feature))
    kind = about["kind"] if about else "reference" if _is_scored(entry) else "cited"
    record: Json = {"kind": kind, "label": line.label, "feature": line.feature, **(about or {})}
    record |= {"published_as": line.published, "hole": line.hole, "any_condition": line.is_everywhere or None}
    if _is_scored(entry):
        record |= _facts(entry, kind) | {
            key: rounded(own) for key, own in values_of(measures.MEASURES, entry).items()
        }
    value = published and published.uar_of(line.published, condition)
    if value is not None:
        record["published"] = value
        record["published_sd"] = published.uar_sd_of(line.published, condition)
        record["published_text"] = published.uar_text(line.published, condition)
        if _is_scored(entry):
            record["minus_published"] = rounded(100 * entry.uar_as_printed - value)
    if published:
        record["published_confusion"] = published.confusion_of(line.published, condition)
    return _without_nothing(record)


def _facts(entry: Scored, kind: str) -> Json:
    """Write down what is no measure of a scored line."""
    from ser.results.lines import confusion_shares
    from ser.results.scores import is_surely_worse

    against = entry.against
    line, standing = entry.line, entry.standing
    has_confusion = line.cells and (kind != "variant" or line.published)  # there are many variants
    return {
        "target_data": list(line.target_data),
        "stamps": list(line.stamps),
        "one_training": (entry.sample.one_training and bool(line.cells)) or None,
        "one_class": line.one_class or None,
        "cells": line.cells or None,
        "is_random": line.is_random if line.cells else None,
        "versus": line.versus if against is not None else None,
        "difference_seeds": list(against.seeds) if against and set(against.seeds) < set(line.seeds) else None,
        "difference_of_one_training": (against is not None and against.one_training) or None,
        "worse": (against is not None and is_surely_worse(against)) or None,
        "sample": _sample(entry.sample) if line.cells and kind in SAMPLED else None,
        "groups": _groups(line) if line.cells and kind in SAMPLED else None,
        "confusion": rounded(confusion_shares(line).tolist()) if has_confusion else None,
        "is_best": standing.is_best or None,
        "is_best_of_all": standing.is_best_of_all or None,
        "best": _comparison(standing.best),
        "best_of_all": _comparison(standing.best_of_all),
        "source_only": _comparison(standing.source_only),
    }


def _comparison(found: Comparison | None) -> Json | None:
    from ser.results.scores import is_surely_worse

    if found is None:
        return None
    one = found.found
    record = {"label": found.label, "feature": found.feature, "difference": one.value, "interval": one.interval,
              "p": one.p}  # fmt: skip
    flags = {"is_tie": found.is_tie, "worse": is_surely_worse(one)}
    return rounded(record) | {name: True for name, holds in flags.items() if holds}


def _groups(line: Line) -> Json:
    from ser.results.groups import group_uars

    return rounded(group_uars(line.repetitions, line.speakers, line.factors))


SAMPLED = ("paper", "beside", "shortcut")
"""Kinds of rows that are compared across recipes, for which a record holds what tests need, and scores by group."""


def _sample(sample: Sample) -> Json:
    """Write down what tests need; `sample_of_record` reads it."""
    left_out = None if sample.left_out is None else sample.left_out.tolist()
    return {"seeds": list(sample.seeds), "uars": rounded(sample.uars.tolist()), "left_out": rounded(left_out)}


def sample_of_record(row: Mapping[str, Any], n: int) -> Sample:
    """Read what tests need of a row that has `sample`.

    Args:
        row: of a table.
        n: utterances of the table.
    """
    import numpy as np

    from ser.metrics.uncertainty import Sample

    own = row["sample"]
    left_out = None if own["left_out"] is None else np.array(own["left_out"])
    return Sample(np.array(own["uars"]), left_out, n, tuple(own["seeds"]), row.get("is_random", True))


# ---- Fits and probes ------------------------------------------------------------------------------------------


def fit_record(
    condition: Condition, lines: Sequence[FitLine], scored: ScoredRatings, published: Published | None
) -> Json | None:
    """Write down the R2 of ratings on latent spaces, None without any number.

    Args:
        condition: of the table.
        lines: of the table.
        scored: rating -> label and feature -> scores.
        published: what the paper printed.
    """
    ratings = list(scored) or (published.ratings_of(condition) if published else [])
    rows = []
    for line in lines:
        of_ratings = {}
        for rating in ratings:
            found = scored.get(rating, {}).get((line.label, line.feature))
            own = {} if found is None else {k: rounded(v) for k, v in values_of(measures.FIT_MEASURES, found).items()}
            if published and published.has_settings(line.feature):
                own["published_text"] = published.r2_of(line.published, condition, rating)
                own["published_distances"] = published.distances_of(line.published, condition, rating)
            if own := _without_nothing(own):
                of_ratings[rating] = own | ({"versus": line.versus} if "difference" in own else {})
        if of_ratings:
            row = {"label": line.label, "feature": line.feature, "stamps": list(line.stamps),
                   "target_data": list(line.target_data), "is_run": bool(line.fits)}  # fmt: skip
            rows.append(_without_nothing(row) | {"ratings": of_ratings})
    return {"condition": condition.json, "ratings": ratings, "rows": rows} if rows else None


def probe_records(rows: Iterable[tuple[str, str, str, Sequence[Mapping[str, Any]]]]) -> list[Json]:
    """Write down how well domains can be read from embeddings.

    Args:
        rows: task, label, feature and `domains` of each seed's `metrics.json`, see
            `ser.scoring.probing.domain_measures`.
    """
    records = []
    for task, label, feature, seeds in rows:
        probes = {
            name: _mean_and_sd([seed["probes"][name]["uar"] for seed in seeds]) | {"chance": rounded(first["chance"])}
            for name, first in seeds[0]["probes"].items()
        }
        distances = [seed["proxy_a_distance"] for seed in seeds]
        distance = None if distances[0] is None else rounded(sum(distances) / len(distances))
        records.append(
            {"task": task, "label": label, "feature": feature, "probes": probes, "proxy_a_distance": distance}
        )
    return records


def _mean_and_sd(values: Sequence[float]) -> Json:
    import numpy as np

    sd = rounded(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"uar": rounded(np.mean(values)), "sd": sd}
