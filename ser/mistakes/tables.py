"""What a mistake is worth: honest and mistaken runs of a recipe side by side, as Markdown and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import DataError
from ser.metrics.classification import uar
from ser.metrics.statistics import holm
from ser.mistakes.simulate import DEV, INNER_FOLDS, MISTAKES, STAMPS, Simulated, costs_of, is_searched
from ser.recipe.rows import Row
from ser.results.lines import pipes, wrapped
from ser.scoring.compare import Paired, counts_of, paired, told
from ser.scoring.score import by_corpus, by_shots
from ser.splits.lists import Split
from ser.system.files import Done, fingerprint, read_json, write_json

DEFINITIONS = """
UAR: mean of the per-class recalls, all folds of one support draw and seed scored together, then averaged over draws
and seeds, with its 95 % percentile bootstrap over test speakers (10,000 times). Inflation: UAR with the mistake minus
the honest one, on the same test utterances, with its interval from the same resamples, and the p of a two-sided
paired permutation test that swaps the two speaker by speaker, Holm-corrected over the rows of one table; before
correction p cannot be below 2 / 2^S with S speakers.
""".strip()


@dataclasses.dataclass(frozen=True)
class Inflation:
    """What the mistake is worth in one row.

    Attributes:
        condition: what was tested: a number of shots, or `<task>: <corpus>`.
        label, feature: of the row.
        result: a is honest, b has the mistake; `p` as it was before correction.
        p: after correction.
        note: what was chosen, "" where nothing was.
    """

    condition: str
    label: str
    feature: str
    result: Paired
    p: float
    note: str


Counts = Mapping[str, tuple[np.ndarray, np.ndarray, str]]
"""Condition -> confusion counts of the honest row and of the mistaken one, (R, S, C, C), and what was chosen."""


def inflations(honest: Simulated, mistaken: Simulated) -> tuple[list[Inflation], dict[str, str]]:
    """Hold every row that makes the mistake against itself without it.

    Returns:
        What is worth telling, by condition, and reason -> labels of rows without a number.

    Raises:
        DataError: for a row that is not trained and scored, or if no row tests the same utterances in both.
    """
    left_out = mistaken.left_out_rows()
    found: dict[str, list[Inflation]] = {}
    for row in mistaken.compared:
        counts = _counts(honest, mistaken, row)
        if not counts:
            reason = "mixing speakers changes nothing here, or not the same utterances would be tested"
            left_out[reason] = ", ".join(dict.fromkeys([*left_out.get(reason, "").split(", "), row.label])).strip(
                ", "
            )
        task = row.task.removesuffix(DEV)
        for name, (a, b, note) in counts.items():
            condition = f"{task}: {name}" if task else told(name)
            result = paired(a, b, mistaken.mistake, row.name, name)
            found.setdefault(condition, []).append(
                Inflation(condition, row.label, row.feature, result, result.p, note)
            )
    if not found:
        reasons = "; ".join(f"{labels}: {reason}" for reason, labels in left_out.items())
        raise DataError(f"{mistaken.folder.name}: {mistaken.mistake}: nothing to compare ({reasons})")
    corrected = []
    for condition in sorted(found, key=_n_shots):
        lines = found[condition]
        p_values = holm(np.array([line.p for line in lines]))
        corrected += [dataclasses.replace(line, p=float(p)) for line, p in zip(lines, p_values, strict=True)]
    return corrected, left_out


def _n_shots(condition: str) -> int:
    number, _, _ = condition.partition(" ")
    return int(number) if number.isdigit() else 0


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
        a, b = (np.concatenate([run["conditions"][name]["counts"] for run in of_arm]) for of_arm in runs)
        same_speakers = first["speakers"] == runs[1][0]["conditions"][name]["speakers"]
        dependent = [name in of_arm[0]["speaker_dependent"] for of_arm in runs]
        leaks = mistaken.mistake != "speaker_leak" or dependent == [False, True]
        if leaks and same_speakers and np.array_equal(a[0].sum(-1), b[0].sum(-1)):
            counts[name] = (a, b, "")
    return counts


def _scores(recipe: Simulated, row: Row) -> list[dict[str, Any]]:
    """Read `metrics.json` of all seeds of a row."""
    paths = [recipe.run_dir(row, seed) / "metrics.json" for seed in row.seeds]
    runs = [read_json(path) for path in paths if path.exists()]
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
        every = np.concatenate([run["conditions"][name]["counts"] for run in runs])
        note = f"seed {row.seeds[best]} of {len(runs)}, {100 * min(scores):.1f} to {100 * max(scores):.1f}"
        counts[name] = (every, np.asarray(runs[best]["conditions"][name]["counts"]), note)
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
        (by_corpus if row.task else by_shots)(
            pd.concat([tables[name][tables[name]["split"] == split] for split, name in chosen.items()])
        )
        for chosen in (by_speakers, by_test)
    ]
    classes = recipe.splits_of(row.task).classes
    key = row.about.cost
    costs = [[name.rpartition(key)[2] for name in chosen.values()] for chosen in (by_speakers, by_test)]
    note = " / ".join(", ".join(f"{cost} in {of.count(cost)}" for cost in sorted(set(of), key=float)) for of in costs)
    return {name: (*(counts_of(of[name], classes) for of in arms), f"costs of folds: {note}") for name in arms[0]}


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
    speakers = sorted({speaker_of[utt] for utt in labelled})
    splits = []
    for number in range(min(INNER_FOLDS, len(speakers))):
        out = set(speakers[number::INNER_FOLDS])
        rest = {utt: label for utt, label in labelled.items() if speaker_of[utt] not in out}
        test = {utt: label for utt, label in labelled.items() if speaker_of[utt] in out}
        fresh = Split(f"{outer.name}.{number + 1}", {}, {}, outer.adapt, test)
        splits.append(dataclasses.replace(fresh, **{part: rest}))
    return splits


# ---- Rendering ------------------------------------------------------------------------------------------------


def markdown(mistake: str, lines: Sequence[Inflation], left_out: Mapping[str, str]) -> str:
    """Lay out one mistake: what it is, its stamp, a table, and who could not make it."""
    header = ["tested", "row", "feature", "honest UAR", "95 %", "with the mistake", "95 %", "inflation", "p"]
    rows = [[line.condition, f"{line.label} [{STAMPS[mistake]}]", line.feature, *_numbers(line)] for line in lines]
    notes = [f"- {line.condition}, {line.label}: {line.note}" for line in lines if line.note]
    parts = [f"## {mistake}", wrapped(MISTAKES[mistake].strip()), pipes([header, *rows], 3).rstrip()]
    if notes:
        heading = "Chosen honestly / with the mistake:" if mistake == "test_selection" else "Chosen:"
        parts += [heading, "\n".join(notes)]
    if left_out:
        parts.append("\n".join(f"- left out: {labels}: {reason}" for reason, labels in left_out.items()))
    return "\n\n".join(parts) + "\n"


def _numbers(line: Inflation) -> list[str]:
    result = line.result
    low, high = (100 * bound for bound in result.interval)
    return [
        f"{100 * result.a['uar']:.1f}",
        f"{100 * result.a_interval.low:.1f}-{100 * result.a_interval.high:.1f}",
        f"{100 * result.b['uar']:.1f}",
        f"{100 * result.b_interval.low:.1f}-{100 * result.b_interval.high:.1f}",
        f"{100 * result.difference:+.1f} [{low:+.1f}, {high:+.1f}]",
        f"{line.p:.3f}" if line.p >= 0.001 else "<0.001",
    ]


def text_table(mistake: str, lines: Sequence[Inflation]) -> str:
    """Lay out the numbers for a terminal."""
    rows = [["tested", "row", "honest", "95 %", "mistaken", "95 %", "inflation", "p"]]
    rows += [[line.condition, line.label, *_numbers(line)] for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    body = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{mistake} [{STAMPS[mistake]}]", *body]) + "\n"


def as_json(mistake: str, lines: Sequence[Inflation], left_out: Mapping[str, str]) -> dict[str, Any]:
    """Give the numbers for other programs, scores in [0, 1]."""
    return {
        "mistake": mistake,
        "stamp": STAMPS[mistake],
        "left_out": dict(left_out),
        "rows": [
            {
                "tested": line.condition,
                "row": line.label,
                "feature": line.feature,
                "honest": float(line.result.a["uar"]),
                "honest_interval": list(line.result.a_interval),
                "mistaken": float(line.result.b["uar"]),
                "mistaken_interval": list(line.result.b_interval),
                "inflation": line.result.difference,
                "inflation_interval": list(line.result.interval),
                "p": line.p,
                "note": line.note,
            }
            for line in lines
        ],
    }
