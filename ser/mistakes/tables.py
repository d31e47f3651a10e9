"""The effect of a mistake: honest and mistaken runs of a recipe side by side. `ser.mistakes.render` has the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import DataError
from ser.metrics.classification import uar
from ser.metrics.uncertainty import Estimate, corrected
from ser.mistakes.simulate import DEV, MISTAKES, STAMPS, Simulated, costs_of, is_searched
from ser.recipe.rows import Row
from ser.scoring.compare import Counted, Paired, counts_of, paired
from ser.scoring.runs import read_scores
from ser.scoring.score import by_condition
from ser.splits.lists import Split
from ser.system.files import Done, fingerprint, read_json, write_json
from ser.training.nested import INNER_FOLDS, inner_parts
from ser.types import Condition


@dataclasses.dataclass(frozen=True)
class Inflation:
    """The effect of the mistake on one row.

    Attributes:
        condition: what was tested.
        label, feature: of the row.
        result: a is honest, b has the mistake.
        found: UAR with the mistake minus the honest one, corrected for the number of rows.
        n_seeds: of the honest row; None where nothing is random.
        note: what was chosen, "" where nothing was.
    """

    condition: Condition
    label: str
    feature: str
    result: Paired
    found: Estimate
    n_seeds: int | None
    note: str


Counts = Mapping[str, tuple[Counted, Counted, str]]
"""Key of a condition -> counts of the honest row and of the mistaken one, and the choice."""


def inflations(honest: Simulated, mistaken: Simulated) -> tuple[list[Inflation], dict[str, str]]:
    """Hold every row that makes the mistake against itself without it.

    Returns:
        What is worth telling, by condition, and reason -> labels of rows without a number.

    Raises:
        DataError: for a row that is not trained and scored, or if no row tests the same utterances in both.
    """
    left_out = mistaken.left_out_rows()
    found: dict[Condition, list[Inflation]] = {}
    for row in mistaken.compared:
        counts = _counts(honest, mistaken, row)
        if not counts:
            reason = "mixing speakers changes nothing here, or would change the tested utterances"
            left_out[reason] = ", ".join(dict.fromkeys([*left_out.get(reason, "").split(", "), row.label])).strip(
                ", "
            )
        task = row.task.removesuffix(DEV)
        for name, (a, b, note) in counts.items():
            condition = Condition.parse(name, task)
            result = paired(a, b)
            if mistaken.mistake == "best_seed":  # chosen by its score, so that no test can be made of it
                one = result.found._replace(p=None, one_training=True)
                result = dataclasses.replace(result, found=one)
            n_seeds = len(a.seeds) if a.is_random else None
            found.setdefault(condition, []).append(
                Inflation(condition, row.label, row.feature, result, result.found, n_seeds, note)
            )
    if not found:
        reasons = "; ".join(f"{labels}: {reason}" for reason, labels in left_out.items())
        raise DataError(f"{mistaken.folder.name}: {mistaken.mistake}: nothing to compare ({reasons})")
    lines_of = []
    for condition in sorted(found, key=lambda condition: condition.shots or 0):
        lines = found[condition]
        differences = corrected([line.found for line in lines])
        lines_of += [dataclasses.replace(line, found=one) for line, one in zip(lines, differences, strict=True)]
    return lines_of, left_out


def _counts(honest: Simulated, mistaken: Simulated, row: Row) -> Counts:
    if mistaken.mistake == "best_seed":
        return _best_seed(mistaken, row)
    if mistaken.mistake == "test_selection" and is_searched(row):
        return _searched(mistaken, row)
    runs = _scores(honest, row), _scores(mistaken, row)
    counts = {}
    for name, first in runs[0][0]["conditions"].items():
        if name not in runs[1][0]["conditions"]:
            continue
        a, b = (np.array([run["conditions"][name]["counts"] for run in of_arm]) for of_arm in runs)
        same_speakers = first["speakers"] == runs[1][0]["conditions"][name]["speakers"]
        dependent = [name in of_arm[0]["speaker_dependent"] for of_arm in runs]
        leaks = mistaken.mistake != "speaker_leak" or dependent == [False, True]
        if leaks and same_speakers and np.array_equal(a[0, 0].sum(-1), b[0, 0].sum(-1)):
            counts[name] = (*(Counted(of, row.seeds, row.about.is_random) for of in (a, b)), "")
    return counts


def _scores(recipe: Simulated, row: Row) -> list[dict[str, Any]]:
    """Read `metrics.json` of all seeds of a row."""
    paths = [recipe.run_dir(row, seed) / "metrics.json" for seed in row.seeds]
    runs = [read_scores(path.parent) for path in paths if path.exists()]
    current = [recipe.score_inputs(row, seed) for seed in row.seeds]
    if [run["made_from"] for run in runs] != current:
        raise DataError(f"{recipe.exp}: row '{row.label}' is not trained and scored for all its seeds; see the logs "
                        "of stages 4 and 5, and run them again")  # fmt: skip
    return runs


def _best_seed(recipe: Simulated, row: Row) -> Counts:
    runs = _scores(recipe, row)
    counts = {}
    for name in runs[0]["conditions"]:
        scores = [run["conditions"][name]["uar"] for run in runs]
        best = int(np.argmax(scores))
        every = np.array([run["conditions"][name]["counts"] for run in runs])
        note = f"seed {row.seeds[best]} of {len(runs)}, {100 * min(scores):.1f} to {100 * max(scores):.1f}"
        honest = Counted(every, row.seeds, True)  # the chosen training is one thing for all of them
        counts[name] = (honest, Counted(every[[best]], [row.seeds[best]], False), note)
    return counts


# ---- The search for a cost ------------------------------------------------------------------------------------


def _searched(recipe: Simulated, row: Row) -> Counts:
    """Choose a cost for each split by training speakers, and by the tested ones; the models are the same."""
    tables = {}
    for of_cost in costs_of(row):
        _scores(recipe, of_cost)
        path = recipe.run_dir(of_cost, row.seeds[0]) / "predictions.tsv"
        tables[of_cost.name] = pd.read_csv(path, sep="\t", keep_default_na=False)
    first = next(iter(tables.values()))
    by_test = {
        split: max(tables, key=lambda name: _uar_of(tables[name][tables[name]["split"] == split]))
        for split in first["split"].unique()
    }
    by_speakers = _chosen_by_training_speakers(recipe, row)
    arms = [
        by_condition(
            pd.concat([tables[name][tables[name]["split"] == split] for split, name in chosen.items()]),
            recipe.settings.protocol.condition,
        )
        for chosen in (by_speakers, by_test)
    ]
    classes = recipe.splits_of(row.task).classes
    key = row.about.cost
    costs = [[name.rpartition(key)[2] for name in chosen.values()] for chosen in (by_speakers, by_test)]
    note = " / ".join(", ".join(f"{cost} in {of.count(cost)}" for cost in sorted(set(of), key=float)) for of in costs)
    return {
        c.key: (*(counts_of(of[c], classes, row.about.is_random) for of in arms), f"costs of folds: {note}")
        for c in arms[0]
    }


def _uar_of(table: pd.DataFrame) -> float:
    return uar(table["true"], table["pred"])


def _chosen_by_training_speakers(recipe: Simulated, row: Row) -> dict[str, str]:
    """Find for each split the cost that is best on training speakers who are left out in turn: split -> row name."""
    from ser.methods.base import Job

    costs = costs_of(row)
    folder = recipe.exp / f"{row.name}-search"
    done = Done(folder, {"rows": fingerprint([recipe.train_inputs(of_cost, 1) for of_cost in costs]),
                         "folds": INNER_FOLDS})  # fmt: skip
    if done.holds():
        return read_json(folder / "chosen.json")
    data = recipe.run_data(row, scoring=False)
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    inner = [
        split
        for outer in data.splits
        for split in _inner_splits(outer, row.method.trained_on(row.config, outer), speaker_of)
    ]
    data = dataclasses.replace(data, splits=inner)
    scores: dict[str, dict[str, float]] = {}
    for of_cost in costs:
        state, _ = row.method.train(of_cost.config, data, 1, None, Job("cpu", folder))
        hits: dict[str, tuple[list[str], list[str]]] = {}
        tested = {split.name: split.test for split in inner}
        for p in row.method.predict(of_cost.config, data, state, "cpu"):
            true, pred = hits.setdefault(p.split.rpartition(".")[0], ([], []))
            true += tested[p.split].values()
            pred += [data.classes[i] for i in p.scores.argmax(1).tolist()]
        for split, (true, pred) in hits.items():
            scores.setdefault(split, {})[of_cost.name] = uar(true, pred)
    chosen = {split: max(of_split, key=of_split.__getitem__) for split, of_split in scores.items()}
    write_json(folder / "chosen.json", chosen)
    done.mark()
    return chosen


def _inner_splits(outer: Split, labelled: Mapping[str, str], speaker_of: Mapping[str, str]) -> list[Split]:
    """Part what a split trains on by its speakers, each part tested once; nothing of the outer test list is in it.

    Args:
        outer: the split.
        labelled: what the row learns from there, its list `train` or `labelled`.
        speaker_of: utterance -> speaker.
    """
    part = "train" if labelled == outer.train else "labelled"
    splits = []
    for number, out in enumerate(inner_parts([speaker_of[utt] for utt in labelled])):
        rest = {utt: label for utt, label in labelled.items() if speaker_of[utt] not in out}
        test = {utt: label for utt, label in labelled.items() if speaker_of[utt] in out}
        fresh = Split(f"{outer.name}.{number + 1}", {}, {}, outer.adapt, test)
        splits.append(dataclasses.replace(fresh, **{part: rest}))
    return splits


def _bounds(found: Estimate) -> list[float] | None:
    return None if found.interval is None else list(found.interval)


def as_json(mistake: str, lines: Sequence[Inflation], left_out: Mapping[str, str]) -> dict[str, Any]:
    """Write down all that the page prints of a mistake, scores in [0, 1]."""
    return {
        "mistake": mistake,
        "stamp": STAMPS[mistake],
        "what": " ".join(MISTAKES[mistake].split()),
        "left_out": dict(left_out),
        "rows": [
            {
                "tested": str(line.condition),
                "row": line.label,
                "feature": line.feature,
                "honest": float(line.result.a["uar"]),
                "honest_interval": _bounds(line.result.a_estimate),
                "mistaken": float(line.result.b["uar"]),
                "mistaken_interval": _bounds(line.result.b_estimate),
                "inflation": line.found.value,
                "inflation_interval": _bounds(line.found),
                "p": line.found.p,
                "seeds": line.n_seeds,
                "note": line.note,
            }
            for line in lines
        ],
    }
