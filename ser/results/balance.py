"""How much of a system's UAR rests on the class sizes of tested speakers: exp/test_speakers.json.

Rows that stage 4 has trained predict tested utterances that are drawn anew (`ser.scoring.test_speakers`). Counts of
all draws are pooled: in one of them a class may have no utterance without a certain speaker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser.metrics.uncertainty import Cell, mean_estimate
from ser.recipe.recipe import Recipe
from ser.recipe.rows import Row
from ser.results.page import TEST_SPEAKERS
from ser.results.record import rounded
from ser.scoring.score import by_condition, confusion_counts, predictions_table
from ser.scoring.test_speakers import AS_THEY_ARE, TestSpeakers, predict_drawn
from ser.system.files import read_json
from ser.training.run_data import RunData
from ser.types import Condition

SEED = 1
"""Of the rows: others would take as long again."""

Json = dict[str, Any]

Counts = Mapping[Condition, np.ndarray]
"""Condition -> (1, support sets, speakers, C, C)."""


def counts_of(recipe: Recipe, row: Row, data: RunData, how: TestSpeakers, draws: int, device: str) -> Counts:
    """Count how often each class was taken for each, added up over draws."""
    state, tables = recipe.weights(row, SEED), []
    for draw in range(1, 1 + (1 if how.how == AS_THEY_ARE else draws)):
        seed = recipe.settings.protocol.seed
        predictions, shown = predict_drawn(row.method, row.config, data, state, device, how, draw, seed)
        tables.append(predictions_table(predictions, shown))
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    found = by_condition(pd.concat(tables, ignore_index=True), recipe.settings.protocol.condition)
    return {c: confusion_counts(part, data.classes, speaker_of)[0].sum(0)[None] for c, part in found.items()}


def kind_of(source: str) -> str:
    """Name the kind of a source: one corpus of a pair, several, or all but the target."""
    return "others" if source == "others" else "joint" if "+" in source else "pairs"


def records(
    recipe: Recipe, row: Row, how: TestSpeakers, counts: Counts, versus: Counts | None
) -> list[dict[str, Any]]:
    """Give UAR with interval by number of shots, in a matrix the mean over directions of each kind.

    Args:
        recipe, row, how: of what.
        counts: of the row.
        versus: of another row on the same utterances; one without shots is held against every number of them.
    """
    groups: dict[tuple[int | None, str], list[Condition]] = {}
    for condition in counts:
        kind = kind_of(condition.source) if condition.source else ""
        groups.setdefault((condition.shots, kind), []).append(condition)
    found = []
    for (shots, kind), conditions in groups.items():
        cells = [Cell(c.corpus, counts[c]) for c in conditions]
        mean = mean_estimate(cells, is_random=False)
        one = {"row": row.label, "feature": row.feature, "task": row.task, "test_speakers": str(how), "shots": shots,
               "kind": kind, "directions": len(conditions), "uar": mean.value, "interval": mean.interval,
               "utterances": sum(int(counts[c][0, 0].sum()) for c in conditions),
               "made_from": recipe.score_inputs(row, SEED)}  # fmt: skip
        others = [versus.get(c, versus.get(_without_shots(c))) for c in conditions] if versus is not None else [None]
        if all(other is not None for other in others):
            pairs = [Cell(c.corpus, *_alike(counts[c], other)) for c, other in zip(conditions, others, strict=True)]
            difference = mean_estimate(pairs, is_random=False)
            one |= {
                "difference": difference.value,
                "difference_interval": difference.interval,
                "p": difference.p,
            }
        found.append(one)
    return found


def _without_shots(condition: Condition) -> Condition:
    return Condition(condition.task, condition.corpus, 0, condition.rotation, condition.source)


def _alike(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Repeat the results of a system without support sets, so that cells of both are pairs."""
    shape = (*np.broadcast_shapes(a.shape[:2], b.shape[:2]), *a.shape[2:])
    return np.broadcast_to(a, shape), np.broadcast_to(b, shape)


def read_records(recipe: Recipe, row: Row) -> list[dict[str, Any]]:
    """Read what was recorded of a row; nothing if it was trained or is scored in another way since."""
    path = recipe.exp / TEST_SPEAKERS
    found = read_json(path)["rows"] if path.exists() else []
    own = [one for one in found if (one["row"], one["feature"], one["task"]) == (row.label, row.feature, row.task)]
    return [one for one in own if one["made_from"] == recipe.score_inputs(row, SEED)]


def page_record(recipe: Recipe) -> Json | None:
    """Give what RESULTS.json holds of rows that are not of a matrix; None if nothing was recorded."""
    rows = [one for row in recipe.rows for one in read_records(recipe, row)]
    kept = ("row", "feature", "task", "test_speakers", "shots", "uar", "interval")
    kept += ("difference", "difference_interval")
    found = [{key: rounded(one[key]) for key in kept if key in one} for one in rows]
    return {"versus": read_json(recipe.exp / TEST_SPEAKERS)["versus"], "rows": found} if found else None


def line(record: Mapping[str, Any]) -> str:
    """Print a record."""

    def bounds(interval: Sequence[float] | None) -> str:
        return "" if interval is None else f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"

    name = f"{record['task']}/{record['row']}" if record["task"] else record["row"]
    text = f"{name:26} {record['feature']:16} {record['test_speakers']:12} {record['shots']:2} shots "
    text += f"{record['kind']} " if record["kind"] else ""
    text += f"{100 * record['uar']:5.1f}{bounds(record['interval'])}"
    if "difference" in record:
        text += f", difference {100 * record['difference']:+.1f}{bounds(record['difference_interval'])}"
    return text
