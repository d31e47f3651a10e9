"""Choosing settings for a target by other corpora: leave one target out, and everything that it said.

For a target, each setting is trained and scored on every direction of a matrix in which the target is neither source
nor tested. The best mean UAR is what one would choose. No utterance of the target, labelled or not, is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ser.config import build, overridden, split_override
from ser.errors import ConfigError
from ser.methods.base import Job
from ser.scoring.score import by_condition, confusion_counts, predictions_table
from ser.splits.lists import Split
from ser.training.run_data import RunData
from ser.types import Condition

JOB = Job("cpu", Path("never written"))


class Trial(NamedTuple):
    """Settings, as overrides, and their mean UAR over directions and numbers of shots."""

    settings: tuple[str, ...]
    uar: float


def grid_of(axes: Sequence[str]) -> list[tuple[str, ...]]:
    """List all combinations of some settings; the first is to change nothing.

    Args:
        axes: `em.tau_s=4|16`, values divided by bars.

    Raises:
        ConfigError: for a setting that is not of that form.

    Example:
        >>> grid_of(["a=1|2", "b.c=3"])
        [(), ('a=1', 'b.c=3'), ('a=2', 'b.c=3')]
    """
    parts = [split_override(axis) for axis in axes]
    options = [[f"{'.'.join(keys)}={value}" for value in text.split("|")] for keys, text in parts]
    return [(), *itertools.product(*options)] if options else [()]


def without(data: RunData, target: str) -> RunData:
    """Leave out a corpus: its utterances, and every split that it has a part in.

    Raises:
        ConfigError: if nothing is left.
    """
    kept = [split for split in data.splits if target not in _corpora(split)]
    if not kept:
        raise ConfigError(f"--targets: without '{target}', no direction is left; the matrix needs a third corpus")
    rows = [i for i, utt in enumerate(data.utts) if utt.split("-")[0] != target]
    return replace(
        data,
        utts=[data.utts[i] for i in rows],
        x=data.x[rows],
        speakers=[data.speakers[i] for i in rows],
        splits=kept,
        factors={
            factor: {utt: value for utt, value in known.items() if utt.split("-")[0] != target}
            for factor, known in data.factors.items()
        },
    )


def _corpora(split: Split) -> set[str]:
    utts = (*split.train, *split.dev, *split.adapt, *split.test, *split.labelled)
    return {utt.split("-")[0] for utt in utts}


def trials(
    method: ModuleType,
    values: Mapping[str, Any],
    grid: Sequence[Sequence[str]],
    data: RunData,
    condition: Callable[[str, str, int], Condition],
) -> list[Trial]:
    """Train and score every setting, the best first; of equal ones the earlier.

    Args:
        method: of the row; nothing of it may be random.
        values: its configuration.
        grid: overrides of each setting.
        data: without the target.
        condition: of the protocol, see `ser.scoring.score.by_condition`.

    Raises:
        ConfigError: for a setting that the method refuses.
    """
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    blind = replace(data, splits=[replace(split, test={}) for split in data.splits])
    found = []
    for settings in grid:
        config = build(method.Config, overridden(values, settings), f"--grid {' '.join(settings)}")
        state, _ = method.train(config, blind, 1, None, JOB)
        table = predictions_table(method.predict(config, data, state, "cpu"), data)
        uars = [
            _uar(confusion_counts(part, data.classes, speaker_of)[0].sum((0, 2)))
            for part in by_condition(table, condition).values()
        ]
        found.append(Trial(tuple(settings), float(np.mean(uars))))
    return sorted(found, key=lambda trial: -trial.uar)


def _uar(counts: np.ndarray) -> float:
    """Average recall over support draws, of counts (R, C, C) over folds and speakers."""
    n = counts.sum(2)
    return float(np.mean([np.mean((np.diagonal(own) / of)[of > 0]) for own, of in zip(counts, n, strict=True)]))
