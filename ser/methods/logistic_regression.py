"""Logistic regression on the support set alone: what k labelled utterances give without any source corpus.

A few-shot method has to beat it. On the features `shortcut` it is the shortcut baseline.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ser.config import ConfigModel
from ser.devices import Device
from ser.methods.base import History, Prediction, State
from ser.training.data import MIN_DEVIATION, RunData


class Config(ConfigModel):
    """`inverse_penalty` is scikit-learn's C, on features standardized by the support set."""

    method: Literal["logistic_regression"]
    inverse_penalty: float = Field(gt=0)


def target_data(config: Config) -> frozenset[str]:
    """Tell what target data a row sees."""
    return frozenset({"k-shot"})


def train(config: Config, data: RunData, seed: int, init: State | None, device: Device) -> tuple[State, History]:
    """Fit one model per support set; nothing is random."""
    state: dict[str, Tensor] = {}
    history = []
    for k in data.shots():
        fits = []
        for episode in data.episodes(k):
            support = data.splits[episode.split].support[episode.k, episode.draw]
            fits.append(_fit(data.x[data.rows(support)].numpy(), data.targets(support).numpy(), config))
        state |= {f"k{k}.{name}": torch.stack([fit[name] for fit in fits]) for name in fits[0]}
        history.append({"k": k, "models": len(fits)})
    return state, history


def _fit(x: np.ndarray, y: np.ndarray, config: Config) -> dict[str, Tensor]:
    from sklearn.linear_model import LogisticRegression

    mean, deviation = x.mean(0), np.maximum(x.std(0), MIN_DEVIATION)
    model = LogisticRegression(C=config.inverse_penalty, max_iter=1000).fit((x - mean) / deviation, y)
    coef, intercept = model.coef_, model.intercept_
    if len(coef) == 1:  # two classes have one logit, that of the second against the first
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    weight = coef / deviation  # standardizing folded into the weights
    return {
        "weight": torch.from_numpy(weight.astype(np.float32)),
        "bias": torch.from_numpy((intercept - weight @ mean).astype(np.float32)),
    }


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score test utterances by class probabilities."""
    predictions = []
    for k in data.shots():
        for i, episode in enumerate(data.episodes(k)):
            split = data.splits[episode.split]
            logits = data.x[data.rows(split.test)] @ state[f"k{k}.weight"][i].T + state[f"k{k}.bias"][i]
            predictions.append(Prediction(split.name, k, episode.draw, list(split.test), logits.softmax(-1)))
    return predictions
