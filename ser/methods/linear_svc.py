"""A linear support vector classifier on pooled features: the classic of SER, and a reference of Das 2022.

Features are standardized by the utterances that are trained on; other corpora also by their own statistics.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ser.adaptation.base import Normalization, sees
from ser.config import ConfigModel
from ser.methods.base import About, History, Job, Prediction, State
from ser.splits.lists import Split
from ser.system.devices import Device
from ser.training.linear_svc import fit_linear_svc, votes
from ser.training.nested import NESTED, chosen_cost
from ser.training.run_data import RunData

ABOUT = About(
    paper=None, needs_torch=False, is_random=False, cost="cost", adaptation="normalization", takes_statistics=True
)


class Config(ConfigModel):
    """`train_on` chooses the splits that have such data; `cost` is scikit-learn's C, or `nested`: chosen by training
    speakers who are left out in turn, of a single one by utterances."""

    method: Literal["linear_svc"]
    train_on: Literal["source", "labelled"]
    normalization: Normalization
    cost: Annotated[float, Field(gt=0)] | Literal["nested"]


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Name what a row sees of a tested corpus."""
    labels = {"labelled"} if config.train_on == "labelled" or is_source else set()
    unlabelled = sees(config.normalization) - ({"unlabelled-train"} if labels else set())  # its own training fold
    return frozenset(labels | unlabelled)


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from."""
    return split.train if config.train_on == "source" else split.labelled


def _models(config: Config, data: RunData) -> list[tuple[Split, Mapping[str, str]]]:
    both = [(split, trained_on(config, split)) for split in data.splits]
    return [(split, labelled) for split, labelled in both if labelled]


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Fit one classifier per split, and one for all splits that show the same features; nothing is random."""
    fits, history = [], []
    known: dict[object, tuple[np.ndarray, np.ndarray]] = {}
    for split, labelled in _models(config, data):
        x, y = data.normalized(split, config.normalization, utts=labelled), data.targets(labelled)
        key = (tuple(labelled.items()), hashlib.blake2b(x).digest())
        if key not in known:
            known[key] = fit_linear_svc(x, y, len(data.classes), _cost(config, data, labelled, x))
        fits.append(known[key])
        history.append({"split": split.name, "utterances": len(x)})
    weights, biases = zip(*fits, strict=True)
    return {"weight": np.stack(weights), "bias": np.stack(biases)}, history


def _cost(config: Config, data: RunData, labelled: Mapping[str, str], x: np.ndarray) -> float:
    """Give C, chosen by training speakers where that is asked for."""
    if config.cost != NESTED:
        return config.cost
    n_classes = len(data.classes)

    def predict(x: np.ndarray, y: np.ndarray, other: np.ndarray, cost: float) -> np.ndarray:
        return votes(other, *fit_linear_svc(x, y, n_classes, cost), n_classes).argmax(1)

    speakers = [data.speakers[row] for row in data.rows(labelled)]
    return chosen_cost(x, data.targets(labelled), speakers, predict)


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score test utterances by the pairs of classes that each class wins."""
    predictions = []
    for i, (split, _) in enumerate(_models(config, data)):
        x = data.normalized(split, config.normalization, utts=split.test)
        scores = votes(x, state["weight"][i], state["bias"][i], len(data.classes))
        predictions.append(Prediction(split.name, 0, 0, list(split.test), scores, are_posteriors=False))
    return predictions
