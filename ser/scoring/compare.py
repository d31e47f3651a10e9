"""Two runs side by side on the same test utterances: scores, a paired test, and the utterances that changed.

Everything comes from the `predictions.tsv` and `metrics.json` that stage 5 wrote, so that runs of two recipes, or of
two machines, can be held against each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ser.errors import DataError
from ser.metrics.statistics import mean_scores
from ser.metrics.uncertainty import Estimate, difference, estimate, sample_of
from ser.scoring.runs import read_scores
from ser.scoring.score import by_corpus, by_pair, by_shots, metrics
from ser.types import Condition

ALL = Condition()
"""Predictions that are counted together."""

CHANGES = ("right only in B", "right only in A", "wrong in both, differently")
"""How a prediction may change, in words."""


@dataclasses.dataclass(frozen=True)
class Counted:
    """Counts of one system on one condition.

    Attributes:
        counts: confusion counts by seed, draw and speaker, (K, D, S, C, C).
        seeds: names of the seeds, (K,).
        is_random: whether another seed would give another model.
    """

    counts: np.ndarray
    seeds: Sequence[int]
    is_random: bool


@dataclasses.dataclass(frozen=True)
class Paired:
    """Two systems on the same utterances; scores in [0, 1].

    Attributes:
        a, b: `mean_scores` of the two.
        a_estimate, b_estimate: of their UARs.
        found: UAR of b minus that of a, not corrected; of unequal seeds, on those that both have.
    """

    a: Mapping[str, np.ndarray]
    b: Mapping[str, np.ndarray]
    a_estimate: Estimate
    b_estimate: Estimate
    found: Estimate


def paired(a: Counted, b: Counted) -> Paired:
    """Compare two systems on the same utterances.

    Raises:
        DataError: for two random systems without a seed in common.
    """
    samples = [sample_of(side.counts, side.is_random, side.seeds) for side in (a, b)]
    found = difference(samples[1], samples[0])
    if found is None:
        raise DataError(f"A has the seeds {_listed(a.seeds)}, B has {_listed(b.seeds)}: none is in both, so that "
                        "nothing can be compared seed by seed; train both with the same seeds")  # fmt: skip
    scores = [mean_scores(side.counts.reshape(-1, *side.counts.shape[2:])) for side in (a, b)]
    return Paired(*scores, *map(estimate, samples), found)


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


@dataclasses.dataclass(frozen=True)
class Run:
    """Predictions of one row, of one seed or of all.

    Attributes:
        name: the folder as it was given.
        classes: in the order of their indices.
        tables: condition -> predictions, the column `seed` naming their seed.
        is_random: whether another seed would give another model.
    """

    name: str
    classes: Sequence[str]
    tables: Mapping[Condition, pd.DataFrame]
    is_random: bool = True


def read_run(folder: Path) -> Run:
    """Read `exp/<row>/seed<k>`, or all seeds of `exp/<row>`.

    Raises:
        DataError: for a folder that holds no scored run.
    """
    seeds = [folder] if (folder / "predictions.tsv").exists() else sorted(folder.glob("seed*"))
    seeds = [seed for seed in seeds if (seed / "predictions.tsv").exists() and (seed / "metrics.json").exists()]
    if not seeds:
        raise DataError(f"{folder}: no predictions.tsv and metrics.json, here or in seed1, seed2, ...; name a folder "
                        "exp/<row> or exp/<row>/seed<k> that stage 5 has scored")  # fmt: skip
    scores = [read_scores(seed) for seed in seeds][0]
    parts = [pd.read_csv(seed / "predictions.tsv", sep="\t", keep_default_na=False) for seed in seeds]
    table = pd.concat([part.assign(seed=_number(seed)) for seed, part in zip(seeds, parts, strict=True)])
    tested = [Condition.parse(key) for key in scores["conditions"]]
    has_shots = all(condition.shots is not None for condition in tested)
    parts_of = by_pair if any(condition.source for condition in tested) else by_shots if has_shots else by_corpus
    tables = [parts_of(of_seed) for _, of_seed in table.groupby("seed")]
    joined = {c: pd.concat([of[c] for of in tables]) for c in tables[0]}
    return Run(str(folder), scores["classes"], joined, scores.get("is_random", True))


def _number(folder: Path) -> int:
    """Read the number of a seed from the name of its folder; 1 where there is none."""
    digits = folder.name.removeprefix("seed")
    return int(digits) if digits.isdigit() else 1


def counts_of(table: pd.DataFrame, classes: Sequence[str], is_random: bool = True) -> Counted:
    """Count the confusions of one condition, by seed, draw and, sorted by name, speaker."""
    speaker_of = {utt: speaker_of_id(utt) for utt in table["utt_id"].unique()}
    seeds = {1: table} if "seed" not in table else dict(list(table.groupby("seed")))
    scored = [
        metrics({ALL: of_seed}, classes, speaker_of, episodic=False)[ALL.key]["counts"] for of_seed in seeds.values()
    ]
    return Counted(np.array(scored), tuple(seeds), is_random)


def speaker_of_id(utt: str) -> str:
    """Tell the speaker of an utterance from its id, of which it is the first two parts.

    Example:
        >>> speaker_of_id("ravdess-07-03-01-05-01-02-01-07")
        'ravdess-07'
    """
    return "-".join(utt.split("-")[:2])


def conditions_of(a: Run, b: Run, common: bool = False) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Find what both runs were tested on.

    Numbers of shots meet their like. A row without support sets, or a row of a recipe without shots, meets every
    number of shots of the other.

    Args:
        a, b: the runs.
        common: whether to keep the utterances that both have, where their lists differ.

    Returns:
        Condition, in words -> predictions of a and of b.

    Raises:
        DataError: for other classes, or where no two lists are the same: how they differ.
    """
    if set(a.classes) != set(b.classes):
        raise DataError(f"{a.name} and {b.name}: different classes: {_differ(a.classes, b.classes)}; compare runs of "
                        "one label map")  # fmt: skip
    found, apart = {}, []
    for name_a, name_b in ((x, y) for x in a.tables for y in b.tables if _may_meet(x, y)):
        both = a.tables[name_a], b.tables[name_b]
        lists = [set(table["utt_id"]) for table in both]
        name = str(name_a) if name_a == name_b else f"{name_a} and {name_b}"
        if lists[0] == lists[1] or (common and lists[0] & lists[1]):
            kept = [table[table["utt_id"].isin(lists[0] & lists[1])] for table in both]
            _same_labels(a, b, *kept)
            found[name] = (kept[0], kept[1])
        else:
            apart.append((len(lists[0] & lists[1]), f"different test utterances: {_differ(*lists)}"))
    if not found:
        n_shared, why = max(apart, default=(0, f"A has {', '.join(map(str, a.tables))}, "
                                               f"B has {', '.join(map(str, b.tables))}"))  # fmt: skip
        advice = f"--common true compares the {n_shared} that both have" if n_shared else "no utterance is in both"
        raise DataError(f"{a.name} and {b.name}: {why}; {advice}")
    return found


def _may_meet(a: Condition, b: Condition) -> bool:
    """Tell whether two conditions ask for the same: unlike numbers of shots and unlike corpora do not."""
    if (a.shots and b.shots) or (a.shots is None and b.shots is None):
        return a == b
    return True


def _differ(a: Sequence[str] | set[str], b: Sequence[str] | set[str]) -> str:
    """Say in half a sentence how two lists differ."""
    alone = {"A": sorted(set(a) - set(b)), "B": sorted(set(b) - set(a))}
    parts = [
        f"{len(names)} are only in {run} (first: {', '.join(names[:3])})" for run, names in alone.items() if names
    ]
    return f"A has {len(a)}, B has {len(b)}, {' and '.join(parts)}"


def _same_labels(a: Run, b: Run, table_a: pd.DataFrame, table_b: pd.DataFrame) -> None:
    labels = [dict(zip(table["utt_id"], table["true"], strict=True)) for table in (table_a, table_b)]
    if other := sorted(utt for utt in labels[0] if labels[0][utt] != labels[1][utt]):
        first = other[0]
        raise DataError(
            f"{a.name} and {b.name}: different labels for {len(other)} utterances (first: {first}, "
            f"'{labels[0][first]}' "
            f"and '{labels[1][first]}'); compare runs of one label map"
        )


def changed(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """List the utterances that two runs predict otherwise.

    Where a run has several predictions of an utterance, from its draws, seeds and fold models, the most frequent one
    stands for it, of equally frequent ones the first in the alphabet.

    Returns:
        Columns change (of `CHANGES`), utt_id, true, a, b, and a_right and b_right, the shares of each run's
        predictions that are right; sorted by change and utterance.
    """
    columns = {"a": _summary(a).add_prefix("a_"), "b": _summary(b).add_prefix("b_")}
    joined = (
        columns["a"].join(columns["b"]).reset_index().rename(columns={"a_true": "true", "a_pred": "a", "b_pred": "b"})
    )
    joined = joined[joined["a"] != joined["b"]]
    kind = np.where(joined["b"] == joined["true"], 0, np.where(joined["a"] == joined["true"], 1, 2))
    joined.insert(0, "change", np.array(CHANGES)[kind] if len(joined) else [])
    joined = joined.assign(kind=kind).sort_values(["kind", "utt_id"]).drop(columns="kind")
    return joined[["change", "utt_id", "true", "a", "b", "a_right", "b_right"]].reset_index(drop=True)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up the predictions of each utterance: true, the most frequent prediction, the share that is right."""
    by_utt = table.assign(right=table["pred"] == table["true"]).groupby("utt_id")
    votes = table.groupby(["utt_id", "pred"]).size().rename("n").reset_index()
    votes = votes.sort_values(["utt_id", "n", "pred"], ascending=[True, False, True]).drop_duplicates("utt_id")
    summary = by_utt["true"].first().to_frame().join(votes.set_index("utt_id")["pred"])
    return summary.join(by_utt["right"].mean())
