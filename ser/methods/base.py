"""What a method is to the rest of the house: a configuration, a way to train and a way to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ser.config import ConfigModel
from ser.system.devices import Device
from ser.training.run_data import RunData

if TYPE_CHECKING:
    from torch import Tensor

State = Mapping[str, "Tensor"] | Mapping[str, np.ndarray]
"""Weights by name, as in `model.safetensors`: tensors, or arrays of the methods in `ser.recipe.recipe.CLASSIC`."""

History = Sequence[Mapping[str, object]]
"""Rows of `history.tsv`."""


@dataclass(frozen=True)
class Prediction:
    """Class scores of one split's test utterances under one support set.

    Attributes:
        split: name of the split.
        k, draw: support set; 0 and 0 where none was used.
        utts: test utterances.
        scores: (n, C), larger is likelier.
        latent: (n, D), where the method maps utterances into a space that is held against their ratings; NaN for
            utterances that are left out there.
        are_posteriors: whether scores are probabilities; else they are distances, similarities or votes.
    """

    split: str
    k: int
    draw: int
    utts: Sequence[str]
    scores: np.ndarray
    latent: np.ndarray | None = None
    are_posteriors: bool = True


@dataclass(frozen=True)
class Job:
    """Where one row is trained for one seed.

    Attributes:
        device: `auto`, `cpu` or `cuda`.
        scratch: a folder of its own that outlives a killed process: what lets long training go on.
    """

    device: Device
    scratch: Path


class Method(Protocol):
    """A module of this package.

    One whose embeddings are to be probed for domains and drawn also has `embeddings(config, data, state, split, utts,
    device)`, which gives (n, D) under the model of a split. One may also have `train_together(runs, data, device)`,
    which takes several (config, seed) and returns what `train` would for each: rows and seeds on the same data are
    then trained by one call. One with `refuses_new_audio(config)` tells so why a row cannot score other audio than
    its test lists, or None; the others all can.
    """

    Config: type[ConfigModel]

    def target_data(self, config: ConfigModel, is_source: bool = False) -> frozenset[str]:
        """Tell what a row with this configuration sees of a tested corpus, words of `ser.types.TARGET_DATA`.

        `is_source`: that corpus is one that the recipe trains the row on, in other folds.
        """

    def train(
        self, config: ConfigModel, data: RunData, seed: int, init: State | None, job: Job
    ) -> tuple[State, History]:
        """Train one row for one seed; `init` holds the weights of the row that it starts from."""

    def predict(self, config: ConfigModel, data: RunData, state: State, device: Device) -> list[Prediction]:
        """Score every test utterance of every split, never looking at its label."""
