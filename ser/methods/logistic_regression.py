"""Logistic regression, on target utterances without any source corpus or on the source alone.

On the support set it is what a few-shot method has to beat (on the features `shortcut`: the shortcut baseline); on
all labelled utterances outside the tested fold it is the ceiling. On the source it adapts to nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from ser.adaptation.base import Normalization, mean_and_deviation, sees
from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.methods.base import About, History, Job, Prediction, State
from ser.metrics.calibration import probabilities
from ser.splits.lists import Split
from ser.system.devices import Device
from ser.training.nested import NESTED, chosen_cost
from ser.training.run_data import Episode, RunData

ABOUT = About(
    paper=None,
    needs_torch=False,
    is_random=False,
    cost="inverse_penalty",
    adaptation="normalization",
    takes_statistics=True,
)


class Config(ConfigModel):
    """`inverse_penalty` is scikit-learn's C, or `nested`: chosen by training speakers who are left out in turn, of a
    single one by utterances.
    Without an adaptation (`normalization`) features are standardized by the utterances that a model is trained on. Of
    features side by side, `fusion: early` fits one model to all, and `late` one model to each, whose log posteriors
    are averaged. With `targets: distributions` the loss is the cross entropy with the shares of the votes, of label
    maps that go by distribution; a nested C is chosen with classes."""

    method: Literal["logistic_regression"]
    train_on: Literal["support", "labelled", "source"]
    normalization: Normalization | None = None
    inverse_penalty: Annotated[float, Field(gt=0)] | Literal["nested"]
    fusion: Literal["early", "late"] = "early"
    targets: Literal["classes", "distributions"] = "classes"

    @model_validator(mode="after")
    def _speakers_to_leave_out(self) -> Config:
        if self.train_on == "support" and self.inverse_penalty == NESTED:
            raise ValueError("inverse_penalty: found 'nested', which needs the speakers of a corpus; a support set "
                             "needs a number, as in inverse_penalty=1.0")  # fmt: skip
        return self


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees."""
    of_source = {"labelled"} if is_source else set()
    labels = {"support": {"k-shot"}, "labelled": {"labelled"}, "source": of_source}[config.train_on]
    return labels | sees(config.normalization)


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from."""
    if config.train_on == "support":
        return {utt: name for support in split.support.values() for utt, name in support.items()}
    return split.labelled if config.train_on == "labelled" else split.train


def _models(config: Config, data: RunData, k: int) -> list[tuple[Episode, Mapping[str, str]]]:
    """List the training sets: every support set of size k, or each split's labelled or source data, as k = 0.

    Splits that have no such data are passed over.
    """
    if config.train_on != "support":
        of_split = [trained_on(config, split) for split in data.splits]
        return [(Episode(i, 0, 0), labelled) for i, labelled in enumerate(of_split) if labelled]
    return [(e, data.splits[e.split].support[e.k, e.draw]) for e in data.episodes(k)]


def _sizes(config: Config, data: RunData) -> list[int]:
    return data.shots() if config.train_on == "support" else [0]


def _adapted(config: Config, data: RunData, split: Split, utts: Sequence[str] | Mapping[str, str]) -> np.ndarray:
    return data.normalized(split, config.normalization or "none", utts=utts)


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Fit one model per training set, and one for all splits that show the same features; nothing is random."""
    if config.targets == "distributions" and not any(split.shares for split in data.splits):
        raise ConfigError(
            "targets: distributions needs a label map with 'by: distribution', such as four_class_distribution, and "
            "corpora that have utt2votes"
        )
    parts = list(data.blocks.values()) if config.fusion == "late" else [slice(None)]
    state = {"sizes": np.array([part.stop - part.start for part in parts])} if config.fusion == "late" else {}
    history = []
    for k in _sizes(config, data):
        fits, known = [], {}
        for episode, labelled in _models(config, data, k):
            split = data.splits[episode.split]
            x, moments = _adapted(config, data, split, labelled), None
            if config.normalization is None:
                moments = data.moments(split, list(labelled))
            shown = x if moments is None else moments
            shares = tuple(tuple(split.shares.get(utt, {}).items()) for utt in labelled)
            key = (tuple(labelled.items()), shares, hashlib.blake2b(np.ascontiguousarray(shown)).digest())
            if key not in known:
                costs = [_cost(config, data, labelled, x[:, part]) for part in parts]
                y = data.targets(labelled) if config.targets == "classes" else data.distributions(split, labelled)
                known[key] = _fit_parts(x, y, moments, config, parts, costs)
            fits.append(known[key])
        state |= {f"k{k}.{name}": np.stack([fit[name] for fit in fits]) for name in fits[0]}
        history.append({"k": k, "models": len(fits)})
    return state, history


def _fit_parts(
    x: np.ndarray,
    y: np.ndarray,
    moments: np.ndarray | None,
    config: Config,
    parts: Sequence[slice],
    costs: Sequence[float],
) -> dict[str, np.ndarray]:
    """Fit a model to each part of the dimensions: weights (C, D), and biases (C,), or (P, C) of late fusion."""
    fits = [
        _fit(x[:, part], y, None if moments is None else moments[:, part], cost)
        for part, cost in zip(parts, costs, strict=True)
    ]
    if config.fusion == "early":
        return fits[0]
    return {
        "weight": np.concatenate([fit["weight"] for fit in fits], axis=1),
        "bias": np.stack([fit["bias"] for fit in fits]),
    }


def _cost(config: Config, data: RunData, labelled: Mapping[str, str], x: np.ndarray) -> float:
    """Give C, chosen by training speakers where that is asked for."""
    if config.inverse_penalty != NESTED:
        return config.inverse_penalty

    def predict(x: np.ndarray, y: np.ndarray, other: np.ndarray, cost: float) -> np.ndarray:
        moments = None
        if config.normalization is None:
            moments = mean_and_deviation([x])
        fit = _fit(x, y, moments, cost)
        present = np.unique(y)
        return present[(other @ fit["weight"].T + fit["bias"]).argmax(1)]

    speakers = [data.speakers[row] for row in data.rows(labelled)]
    return chosen_cost(x, data.targets(labelled), speakers, predict)


def _fit(x: np.ndarray, y: np.ndarray, moments: np.ndarray | None, cost: float) -> dict[str, np.ndarray]:
    """Fit weights (C, D) and biases (C,) to classes (n,), or to shares of classes (n, C).

    The cross entropy with shares is that of an utterance for each of its classes, weighted by the share.
    """
    from sklearn.linear_model import LogisticRegression

    weights = None
    if y.ndim == 2:
        shares = y
        rows, y = np.nonzero(shares)
        x, weights = x[rows], shares[rows, y]
    mean, deviation = (np.zeros(x.shape[1]), np.ones(x.shape[1])) if moments is None else moments
    model = LogisticRegression(C=cost, max_iter=1000).fit((x - mean) / deviation, y, weights)
    coef, intercept = model.coef_, model.intercept_
    if len(coef) == 1:  # two classes have one logit, that of the second against the first
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    weight = coef / deviation  # standardizing folded into the weights
    return {"weight": weight.astype(np.float32), "bias": (intercept - weight @ mean).astype(np.float32)}


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score test utterances by class probabilities."""
    predictions = []
    x_of = lru_cache(maxsize=1)(lambda split: _adapted(config, data, data.splits[split], data.splits[split].test))
    for k in _sizes(config, data):
        for i, (episode, _) in enumerate(_models(config, data, k)):
            split = data.splits[episode.split]
            x, weight, bias = x_of(episode.split), state[f"k{k}.weight"][i], state[f"k{k}.bias"][i]
            if config.fusion == "early":
                scores = probabilities(x @ weight.T + bias)
            else:
                scores = _fused(x, weight, bias, state["sizes"])
            predictions.append(Prediction(split.name, k, episode.draw, list(split.test), scores.astype(np.float32)))
    return predictions


def _fused(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Average the log posteriors of several models, each of its own dimensions, and normalize: (n, C)."""
    from scipy.special import log_softmax

    ends = np.cumsum(sizes)[:-1]
    parts = zip(np.split(x, ends, axis=1), np.split(weight, ends, axis=1), bias, strict=True)
    return probabilities(np.mean([log_softmax(own_x @ own.T + b, axis=1) for own_x, own, b in parts], axis=0))
