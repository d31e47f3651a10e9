"""The contract of an adaptation, and the statistics that adaptations share.

An adaptation is a file of this package. Its name is the word after `normalization:` in a method's YAML. It serves
vectors and frames alike, in training and in `predict`, and its state is saved with the model.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, cast

import numpy as np
from pydantic import AfterValidator

import ser.adaptation
from ser.errors import ConfigError, unknown

State = Mapping[str, np.ndarray]
"""The fitted state, by name: `ALL`, names of corpora or speakers, and further arrays whose names have a space."""

ALL = ""
"""Name of what holds for every group that has none of its own."""

MIN_DEVIATION = 1e-5
"""A dimension that varies less where its statistics are taken says nothing there, and could be anything elsewhere:
units of BYOL-S that are silent in all of RAVDESS were a million deviations away in EMO-DB. Its deviation counts as
infinite, so that normalized it is 0 everywhere."""


@dataclass(frozen=True)
class Seen:
    """The data that an adaptation may look at.

    Attributes:
        source: labelled utterances that a model is trained on.
        corpora: corpus -> its training utterances, for those that may have statistics of their own.
        target: corpus -> utterances of a tested corpus that may be used without their labels.
        speakers: speaker -> all of their utterances.
        blocks: from utterances to their features, one array (n, D) or (T, ..., D) after another.
    """

    source: Sequence[str]
    corpora: Mapping[str, Sequence[str]]
    target: Mapping[str, Sequence[str]]
    speakers: Mapping[str, Sequence[str]]
    blocks: Callable[[Sequence[str]], Iterable[np.ndarray]]


class Adaptation(Protocol):
    """A file of this package.

    Attributes:
        SEES: target data that it uses, words of `ser.types.TARGET_DATA`.
        GROUP: by which name of an utterance `apply` chooses; None if it treats all alike.
        MOVES_SOURCE: whether features of the source depend on the target, so that each target needs a source model of
            its own; taken for granted of a file that does not say.
    """

    SEES: frozenset[str]
    GROUP: Literal["corpus", "speaker"] | None
    MOVES_SOURCE: bool

    def fit(self, seen: Seen) -> State:
        """Fit it, in float64, to arrays of float32."""

    def apply(self, state: State, x: np.ndarray, group: str) -> np.ndarray:
        """Adapt features of one group, (..., D) float32 to (..., D) float32."""


def names() -> list[str]:
    """List the adaptations."""
    return sorted(module.name for module in pkgutil.iter_modules(ser.adaptation.__path__) if module.name != "base")


def find(name: str) -> Adaptation:
    """Find an adaptation by its name."""
    return cast(Adaptation, importlib.import_module(f"ser.adaptation.{name}"))


def sees(name: str | None) -> frozenset[str]:
    """Name the target data that an adaptation uses; None uses none."""
    return frozenset() if name is None else find(name).SEES


def moves_source(name: str) -> bool:
    """Tell whether features of the source depend on the target under an adaptation."""
    return getattr(find(name), "MOVES_SOURCE", True)


def _known(name: str) -> str:
    if name not in names():
        raise ValueError(unknown(name, names()))
    return name


Normalization = Annotated[str, AfterValidator(_known)]
"""Name of an adaptation, as a setting of a method."""


# ---- Statistics ------------------------------------------------------------------------------------------------


def mean_and_deviation(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Compute mean and deviation of each dimension over blocks (..., D), one block at a time.

    Returns:
        (2, D) float32: means, and deviations (of the population), infinite where a dimension does not vary.

    Example:
        >>> mean_and_deviation([np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])]).tolist()
        [[1.0, 3.0], [inf, 1.0]]
    """
    n, mean, squares = 0, 0.0, 0.0  # `squares` are sums of squared differences from the mean
    for block in blocks:
        x = block.reshape(-1, block.shape[-1])
        own_n, own_mean = len(x), x.mean(0, dtype=np.float64)  # numpy adds rows up one by one: not in float32
        move, n = own_mean - mean, n + own_n
        squares = squares + np.square(x - own_mean).sum(0) + np.square(move) * ((n - own_n) * own_n / n)
        mean = mean + move * (own_n / n)
    deviation = np.sqrt(squares / n)
    return np.stack([mean, np.where(deviation < MIN_DEVIATION, np.inf, deviation)]).astype(np.float32)


def standardized(state: State, x: np.ndarray, group: str) -> np.ndarray:
    """Take off the mean of a group, or else of all, and divide by its deviation; (..., D)."""
    mean, deviation = state[group] if group in state else state[ALL]
    return (x - mean) / deviation


def covariances(seen: Seen) -> tuple[State, np.ndarray, np.ndarray]:
    """Standardize source and target, each corpus of the target by itself, and compute the covariances that remain.

    Returns:
        Statistics of the source (`ALL`) and of each target corpus, and the covariances of source and target after
        they were standardized, (D, D) float64 each.

    Raises:
        ConfigError: if there are no utterances of a target.
    """
    if not seen.target:
        raise ConfigError(
            "normalization: it aligns the source with unlabelled audio of the target, and the protocol lists none; "
            "set adapt in conf/recipe.yaml, or choose normalization: source"
        )
    state = {ALL: mean_and_deviation(seen.blocks(seen.source))}
    state |= {name: mean_and_deviation(seen.blocks(utts)) for name, utts in seen.target.items()}
    return state, _covariance(state, {ALL: seen.source}, seen), _covariance(state, seen.target, seen)


def _covariance(state: State, groups: Mapping[str, Sequence[str]], seen: Seen) -> np.ndarray:
    """Average products of standardized dimensions, whose means are 0, over groups."""
    n, products = 0, 0.0
    for name, utts in groups.items():
        for block in seen.blocks(utts):
            z = standardized(state, block, name).reshape(-1, block.shape[-1]).astype(np.float64)
            n, products = n + len(z), products + z.T @ z
    return products / n
