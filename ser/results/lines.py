"""What one line of a table is: a system, what it has seen, and the counts of its predictions.

Not here: how counts become scores (`ser.results.scores`), and how they look (`ser.results.render`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ser.adaptation.base import find
from ser.results.published import NO_FEATURE, Published
from ser.results.words import SPEAKER_DEPENDENT, SPEAKER_IS_EMOTION
from ser.types import Condition

EVERY_SHOTS = Condition(shots=0)
"""Of lines that are in all tables."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a table; scores are None where the row was not run.

    Attributes:
        label, feature: what was run.
        condition: what was tested; its `shots` are 0 for rows without support sets.
        target_data: what of the target it has seen.
        counts: confusion counts by seed, draw and speaker, (K, D, S, C, C), or None; where each fold tests all
            utterances, folds are draws, too.
        seeds: names of the seeds, (K,).
        is_random: whether another seed would give another model.
        speakers: (S,) names.
        measured: what else stage 5 measured, by its key in metrics.json, means over seeds; `uar_mean_of_folds` only
            where every fold has all classes, `episodic` the UAR of the paper's sampling.
        risks: share of errors among the most confident utterances, at each of `ser.scoring.score.COVERAGES`.
        one_class, cells: in how many (fold, draw, seed) cells only one class was predicted, of how many.
        versus: label of the row that it is tested against.
        factors: gender and language -> speaker -> its own, where it is known.
        published: its name in the paper's numbers; only such lines have confusion matrices and figures.
        stamps: the flags of its label.
        hole: why there are no scores; None for a system that stands here as its paper printed it.
    """

    label: str
    feature: str
    condition: Condition = EVERY_SHOTS
    target_data: Sequence[str] = ()
    counts: np.ndarray | None = None
    seeds: Sequence[int] = ()
    is_random: bool = False
    speakers: Sequence[str] = ()
    measured: Mapping[str, float] = dataclasses.field(default_factory=dict)
    risks: Sequence[float] = ()
    one_class: int = 0
    cells: int = 0
    versus: str | None = None
    factors: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    published: str | None = None
    stamps: Sequence[str] = ()
    hole: str | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it is in the tables of all numbers of shots."""
        return self.condition.shots == 0

    @property
    def repetitions(self) -> np.ndarray:
        """Counts of all seeds and draws in one row, (K D, S, C, C)."""
        return self.counts.reshape(-1, *self.counts.shape[2:])


def line_of(
    label: str,
    feature: str,
    versus: str | None,
    runs: Sequence[Mapping[str, Any]],
    published: str | None = None,
    stamps: Sequence[str] = (),
    task: str = "",
    target: str = "",
    *,
    seeds: Sequence[int],
    is_random: bool,
) -> list[Line]:
    """Join the seeds of a row, for each condition.

    Args:
        label, feature, versus, published, stamps, task: of the row.
        runs: `metrics.json` of each seed.
        target: the tested corpus of a recipe with shots.
        seeds: of the runs.
        is_random: whether another seed would give another model.
    """
    lines = []
    for key in runs[0]["conditions"]:
        of_seeds = [run["conditions"][key] for run in runs]
        is_dependent = key in runs[0].get("speaker_dependent", ())
        line = Line(
            label=label,
            feature=feature,
            condition=Condition.parse(key, task, target),
            target_data=runs[0]["target_data"],
            counts=np.array([scores["counts"] for scores in of_seeds]),
            seeds=tuple(seeds),
            is_random=is_random,
            speakers=of_seeds[0]["speakers"],
            measured=_over_seeds(of_seeds),
            risks=_risks(of_seeds),
            one_class=sum(scores["one_class_cells"] for scores in of_seeds),
            cells=sum(scores["cells"] for scores in of_seeds),
            versus=versus,
            factors=runs[0].get("speaker_factors", {}),
            published=published,
            stamps=[*stamps, *([SPEAKER_DEPENDENT] if is_dependent else [])],
        )
        lines.append(line)
    return lines


def _over_seeds(of_seeds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Average every number that the test utterances have; those that they have not are None for all seeds."""
    flat = [{**scores, "episodic": (scores.get("episodic") or {}).get("uar")} for scores in of_seeds]
    return {
        key: float(np.mean([scores[key] for scores in flat]))
        for key in flat[0]
        if all(isinstance(scores.get(key), float) for scores in flat)
    }


def _risks(of_seeds: Sequence[Mapping[str, Any]]) -> list[float]:
    """Average the share of errors at each coverage over seeds; nothing where a seed has none."""
    if not all("risk_coverage" in scores for scores in of_seeds):
        return []
    return np.mean([scores["risk_coverage"] for scores in of_seeds], axis=0).tolist()


def published_lines(published: Published | None, claimed: Collection[str | None], condition: Condition) -> list[Line]:
    """List the systems that a paper cites, as lines without scores.

    Args:
        published: what the paper printed.
        claimed: names that rows of the recipe have.
        condition: the table.
    """
    names = published.uar if published else ()
    return [
        Line(name, NO_FEATURE, condition, published=name)
        for name in names
        if name not in claimed and published.uar_of(name, condition) is not None
    ]


def reference_lines(line: Line, classes: Sequence[str], majority: str) -> list[Line]:
    """Make the lines for chance and for the majority class, from the test utterances of any other line."""
    n_true = line.counts[0, 0].sum(-1, keepdims=True)  # (S, C, 1)
    occurs = n_true.any((0, 2))  # (C,); a corpus may lack classes of another
    always = np.zeros(len(classes))
    always[list(classes).index(majority)] = 1
    of_guesses = {"chance": occurs / occurs.sum(), f"majority ({majority})": always}
    return [
        Line(label, "-", counts=(n_true * shares)[None, None], seeds=(1,), speakers=line.speakers)
        for label, shares in of_guesses.items()
    ]


def confusion_shares(line: Line) -> np.ndarray:
    """Average confusion over draws and seeds, as shares of each true class (zeros if absent), (C, C), rows true."""
    total = line.counts.sum((0, 1, 2)).astype(float)
    return total / np.maximum(total.sum(-1, keepdims=True), 1)


def row_stamps(adaptation: str, one_class_speakers: Mapping[str, Sequence[int]]) -> list[str]:
    """List the flags of a system, whatever its score.

    Statistics of a speaker with one class are statistics of that class: where most speakers of a corpus are such, a
    system that uses them sees the emotion through the speaker.

    Args:
        adaptation: what brings corpora together before the row's method sees them, a file of `ser.adaptation`.
        one_class_speakers: corpus -> number of its speakers with one class, and of all its speakers.
    """
    return [SPEAKER_IS_EMOTION] if find(adaptation).GROUP == "speaker" and _mostly(one_class_speakers) else []


def page_stamps(one_class_speakers: Mapping[str, Sequence[int]]) -> list[str]:
    """Explain the stamps of systems, for the head of a page."""
    return [
        f"{SPEAKER_IS_EMOTION}: {n} of {n_all} speakers of {corpus} have one class only; systems with this flag use "
        "statistics of speakers, which give the emotion away there"
        for corpus, (n, n_all) in _mostly(one_class_speakers).items()
    ]


def _mostly(one_class_speakers: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    return {corpus: both for corpus, both in one_class_speakers.items() if 2 * both[0] > both[1]}
