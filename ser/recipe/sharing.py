"""Trainings that several runs share: the same lists, classes, settings, inputs and code make the same weights.

Tasks may differ in what they test only. Of Gao et al.'s, `arousal` and `arousal_consensus` train on the same labels
of IEMOCAP. One of such runs is trained, and the others take its files over. Not here: copying them
(`ser.recipe.train`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.system.files import fingerprint

Name = tuple[str, int]
"""A run: full name of its row, and a seed."""


def training_key(recipe: Recipe, row: Row, seed: int) -> str:
    """Hash all that decides a run's weights, whatever its task tests.

    It is `Recipe.train_inputs` with the lists that training reads instead of all that decided the task's splits.
    Lists of unlabelled target audio count where the row declares that it sees such audio.
    """
    seen = row.method.target_data(row.config)
    lists = recipe.splits_of(row.task).trained_lists(any(word.startswith("unlabelled") for word in seen))
    inputs: dict[str, Any] = recipe.train_inputs(row, seed)
    if lists is not None:
        inputs["splits"] = lists
    if row.init is not None:
        inputs["init"] = training_key(recipe, recipe.row(row.init), seed)
    return fingerprint(inputs)


def trainers(recipe: Recipe, runs: Iterable[Name]) -> dict[Name, Name]:
    """Name for each of some runs the one that is trained for it: the first of those that would train the same.

    Args:
        recipe: with one task, every run is trained by itself.
        runs: in any order; first is who comes first in the recipe's table.
    """
    asked = set(runs)
    if len(recipe.tasks) < 2:
        return {run: run for run in asked}
    first: dict[str, Name] = {}
    found = {}
    for row in recipe.rows:
        for seed in (seed for seed in row.seeds if (row.name, seed) in asked):
            found[row.name, seed] = first.setdefault(training_key(recipe, row, seed), (row.name, seed))
    return found


def sharers(recipe: Recipe, row: Row, seed: int) -> list[Row]:
    """List the rows whose training for a seed is that of a row that was just trained, and which still lack it."""
    if len(recipe.tasks) < 2:
        return []
    waiting = [
        other
        for other, number in _waiting(recipe)
        if number == seed and other.values["method"] == row.values["method"]
    ]
    key = training_key(recipe, row, seed) if waiting else None
    return [other for other in waiting if training_key(recipe, other, seed) == key]


def taken_from_other_tasks(recipe: Recipe) -> Iterator[tuple[Row, int, Row]]:
    """Find for rows that still lack a training one that has it: (row that was trained, seed, row that lacks it)."""
    waiting = _waiting(recipe) if len(recipe.tasks) > 1 else []
    if not waiting:
        return
    methods = {row.values["method"] for row, _ in waiting}
    trained = {
        training_key(recipe, row, seed): row
        for row in recipe.rows
        if not row.needs and row.values["method"] in methods
        for seed in row.seeds
        if recipe.is_trained(row, seed) and recipe.has_weights(row, seed)
    }
    for other, seed in waiting:
        if (row := trained.get(training_key(recipe, other, seed))) is not None:
            yield row, seed, other


def _waiting(recipe: Recipe) -> list[tuple[Row, int]]:
    """List the runs that are to be trained and are not."""
    return [
        (row, seed)
        for row in recipe.rows
        if not recipe.left_out(row)
        for seed in row.seeds
        if not recipe.is_trained(row, seed)
    ]
