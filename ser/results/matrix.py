"""A matrix of sources and targets, from the counts of every direction: RESULTS.json's `matrices`, one a task.

Each row of a matrix is a system with a number of shots; its cells are directions. Every comparison is of the same
utterances, and of the same seeds and support sets where both systems have them. Not here: how it looks
(`ser.results.matrix_page`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser.errors import ConfigError, unknown
from ser.metrics.uncertainty import Cell, Estimate, mean_estimate, uar_difference, uar_estimate
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.results.balance import kind_of, read_records
from ser.results.matrix_page import SHORTCUT
from ser.results.page import Page, hole, sources_of, stamps_of, target_data
from ser.results.record import rounded
from ser.results.scores import is_worse
from ser.types import Condition

Json = dict[str, Any]
Direction = tuple[str, str]
"""Source and target."""

AGAINST = ("gain", "support", "shortcut")
"""What a system is held against: the one that has seen nothing of the target, its shots alone, and the shortcut."""


@dataclass(frozen=True)
class System:
    """A row of a recipe with one number of shots.

    Attributes:
        row: of the recipe.
        shots: 0 for those without.
        counts: direction -> (K, D, S, C, C), over seeds, draws and speakers.
        sources: corpora whose labels it is trained on, in the first direction.
        target_data: what it has seen of the targets.
    """

    row: Row
    shots: int
    counts: Mapping[Direction, np.ndarray]
    sources: Sequence[str]
    target_data: Sequence[str]


def matrices(recipe: Recipe, page: Page) -> list[Json]:
    """Score the matrix of every task.

    Raises:
        ConfigError: for a headline that is no system of the recipe.
    """
    return [_matrix(recipe, page, condition.task, classes) for condition, classes in page.classes_of.items()]


def _matrix(recipe: Recipe, page: Page, task: str, classes: Sequence[str]) -> Json:
    systems = _systems(recipe, page, task)
    stamps = stamps_of(recipe, page)
    headline = _headline(recipe, task, systems)
    rows = []
    for system in systems:
        row = _row(system, systems, stamps[system.row.name])
        for one in read_records(recipe, system.row):  # nothing is drawn anew of a row that sees no test audio
            if one["shots"] == system.shots and one["kind"] in row["means"]:
                drawn = row["means"][one["kind"]].setdefault("test_speakers", {})
                drawn[one["test_speakers"]] = {key: rounded(one[key]) for key in ("uar", "interval")}
        rows.append(row | ({"headline": True} if system is headline else {}))
    holes = [
        {"label": row.label, "feature": row.feature, "hole": hole(recipe, page, row)}
        for row in recipe.rows
        if row.task == task and not page.runs[row.name]
    ]
    tested = {target: counts for system in systems for (_, target), counts in system.counts.items()}
    one_class = recipe.splits_of(task).about.get("one_class_speakers", {})
    targets = {
        target: {
            "n_utterances": int(counts[0, 0].sum()),
            "n_speakers": counts.shape[2],
            "one_class_speakers": one_class.get(target, [0, counts.shape[2]])[0],
        }
        for target, counts in sorted(tested.items())
    }
    sources = list(dict.fromkeys(source for system in systems for source, _ in system.counts))
    sources.sort(key=page.protocol.train.index)
    return {
        "task": task,
        "classes": list(classes),
        "sources": sources,
        "targets": targets,
        "rows": rows,
        "holes": holes,
    }


def _systems(recipe: Recipe, page: Page, task: str) -> list[System]:
    """Read the counts of every scored row, in the order of features."""
    systems = []
    order = list(dict.fromkeys(row.feature for row in recipe.rows))
    for row in sorted(recipe.rows, key=lambda row: order.index(row.feature)):
        if row.task != task or not (runs := page.runs[row.name]):
            continue
        of_shots: dict[int, dict[Direction, np.ndarray]] = {}
        for key in runs[0]["conditions"]:
            tested = Condition.parse(key)
            counts = np.array([run["conditions"][key]["counts"] for run in runs])
            of_shots.setdefault(tested.shots, {})[tested.source, tested.corpus] = counts
        target = page.protocol.test[0]
        about = sources_of(page, row, target), target_data(page, row, target)
        systems += [System(row, shots, counts, *about) for shots, counts in sorted(of_shots.items())]
    return systems


def _headline(recipe: Recipe, task: str, systems: Sequence[System]) -> System | None:
    """Find the system that was named in advance; a task, or a part of the rows, may have none of that name."""
    named = recipe.settings.headline
    if named is None:
        return None
    if named.row not in (labels := {row.label for row in recipe.all_rows}):
        raise ConfigError(f"{recipe.folder}/conf/recipe.yaml: headline: row {unknown(named.row, labels)}")
    features = [named.feature] if named.feature in recipe.features else recipe.features
    own = [s for s in systems if s.row.label == named.row and s.row.feature == features[0]]
    return next((s for s in own if s.shots == named.shots), own[0] if own else None)


# ---- Rows -----------------------------------------------------------------------------------------------------


def _row(system: System, systems: Sequence[System], stamps: Sequence[str]) -> Json:
    row = system.row
    others = {key: found for key in AGAINST if (found := _other(key, system, systems)) is not None}
    cells = []
    for direction, counts in system.counts.items():
        cell = {"source": direction[0], "target": direction[1]} | _estimate(uar_estimate(counts, row.about.is_random))
        for key, other in others.items():
            if direction in other.counts:
                a, b = _alike(counts, other.counts[direction])
                found = uar_difference(a, b, row.about.is_random, paired=True)
                cell[key] = {"difference": cell_value(found), "interval": rounded(found.interval)}
        cells.append(cell)
    kinds = dict.fromkeys(kind_of(source) for source, _ in system.counts)
    return {
        "label": row.label,
        "feature": row.feature,
        "shots": system.shots,
        "method": row.values["method"],
        "target_data": list(system.target_data),
        "stamps": list(stamps),
        "seeds": len(row.seeds),
        "against": {key: other.row.label for key, other in others.items()},
        "means": {kind: _means(system, others, kind, cells) for kind in kinds},
        "cells": cells,
    }


def _means(system: System, others: Mapping[str, System], kind: str, cells: Sequence[Json]) -> Json:
    """Average over the directions of one kind."""
    own = [direction for direction in system.counts if kind_of(direction[0]) == kind]
    is_random = system.row.about.is_random
    found = mean_estimate([Cell(target, system.counts[source, target]) for source, target in own], is_random)
    record = {"n": len(own)} | _estimate(found)
    for key, other in others.items():
        both = [direction for direction in own if direction in other.counts]
        if not both:
            continue
        pairs = [
            Cell(target, *_alike(system.counts[source, target], other.counts[source, target]))
            for source, target in both
        ]
        mean = mean_estimate(pairs, is_random)
        held = [cell[key] for cell in cells if kind_of(cell["source"]) == kind and key in cell]
        record[key] = {
            "difference": cell_value(mean),
            "interval": rounded(mean.interval),
            "n": len(held),
            "below": sum(is_worse(one["difference"]) for one in held),
            "surely_below": sum(bool(one["interval"]) and one["interval"][1] < 0 for one in held),
        }
    return record


def _estimate(found: Estimate) -> Json:
    return {"uar": cell_value(found), "interval": rounded(found.interval)}


def cell_value(found: Estimate) -> float:
    """Give a value as RESULTS.json holds it."""
    return rounded(float(found.value))


def _alike(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Repeat results over seeds and draws that their system does not have, so that cells of both are pairs."""
    shape = (*np.broadcast_shapes(a.shape[:2], b.shape[:2]), *a.shape[2:])
    return np.broadcast_to(a, shape), np.broadcast_to(b, shape)


def _other(key: str, system: System, systems: Sequence[System]) -> System | None:
    """Find what a system is held against, with as many shots or without any."""
    row, with_shots = system.row, "k-shot" in system.target_data
    feature, found = row.feature, []
    if key == "gain":
        found = [s for s in systems if s.row.label == row.versus]
    elif key == "support" and with_shots and system.sources:  # what has no source cannot have gained from one
        found = [s for s in systems if not s.sources and "k-shot" in s.target_data]
    elif key == "shortcut" and row.feature != SHORTCUT:
        feature = SHORTCUT
        found = [s for s in systems if ("k-shot" in s.target_data) == with_shots and "labelled" not in s.target_data]
    found = [s for s in found if s.row.feature == feature and s.shots in (0, system.shots) and s.row is not row]
    return max(found, key=lambda s: s.shots, default=None)
