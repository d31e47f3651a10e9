"""SUPERB's emotion head (Yang et al. 2021), trained here: it learns which layers of a frozen encoder to use.

Loss, optimizer, and batches are those of SUPERB's code (`s3prl/downstream/emotion`): cross-entropy, Adam, 30,000
steps of 32 utterances. Every 1,000 steps the head is tested on dev, and the most accurate one is kept. Without dev
utterances it is the last one. Features are means of an encoder's layers, `layers:` in `conf/features/`. Not here: the
head that SUPERB trained itself (`superb.py`).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ser.adaptation.base import Normalization, sees
from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.methods.base import About, History, Job, Prediction, State
from ser.nn.weighted_layers import WeightedLayers
from ser.randomness import seed_of
from ser.splits.lists import Split
from ser.system.devices import Device, make_fabric
from ser.training.run_data import RunData

ABOUT = About(paper=None, needs_torch=True, adaptation="normalization", weighs_layers=True)


class Config(ConfigModel):
    """`train_on` chooses the splits that have such data; `normalization` is of each layer's dimensions."""

    method: Literal["superb_trained"]
    train_on: Literal["source", "labelled"]
    normalization: Normalization
    hidden: int = Field(gt=0)
    lr: float = Field(gt=0)
    batch_size: int = Field(gt=0)
    clip: float = Field(gt=0)
    steps: int = Field(gt=0)
    eval_every: int = Field(gt=0)


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees."""
    labels = {"labelled"} if config.train_on == "labelled" or is_source else set()
    return frozenset(labels) | sees(config.normalization)


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from."""
    return split.train if config.train_on == "source" else split.labelled


def chooses_on_dev(config: Config) -> bool:
    """Whether a row keeps the state that is best on dev."""
    return True


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Train a head for each split, and one for all splits that show the same features.

    Raises:
        ConfigError: for features that are not several layers of one encoder.
    """
    if len(data.layers) != 1 or len(data.dims) != 1:
        raise ConfigError(
            f"superb_trained: found the feature {'+'.join(data.dims)}; name one with 'layers: weighted' or a list "
            "such as 'layers: [4, 8, 12]' in its YAML"
        )
    heads, history, known = [], [], {}
    for split in data.splits:
        if not (labelled := trained_on(config, split)):
            continue
        x = data.normalized(split, config.normalization, utts=labelled)
        dev = {utt: name for utt, name in split.dev.items() if utt not in labelled}
        key = (tuple(labelled.items()), tuple(dev), hashlib.blake2b(np.ascontiguousarray(x)).digest())
        if key not in known:
            x_dev = data.normalized(split, config.normalization, utts=dev)
            pairs = (x, data.targets(labelled)), (x_dev, data.targets(dev))
            known[key] = _train_head(config, *pairs, next(iter(data.layers.values())), len(data.classes), seed, job)
            history += [{"split": split.name, **row} for row in known[key][1]]
        heads.append(known[key][0])
    return {name: torch.stack([head[name] for head in heads]) for name in heads[0]}, history


Labelled = tuple[np.ndarray, np.ndarray]
"""(n, L D) features, and (n,) classes."""


def _train_head(
    config: Config, train: Labelled, dev: Labelled, n_layers: int, n_classes: int, seed: int, job: Job
) -> tuple[State, History]:
    fabric = make_fabric(job.device)
    x, y, x_dev, y_dev = (fabric.to_device(torch.from_numpy(values)) for values in (*train, *dev))
    head = WeightedLayers(n_layers, x.shape[1] // n_layers, config.hidden, n_classes, seed_of("init", seed))
    head, optimizer = fabric.setup(head, torch.optim.Adam(head.parameters(), lr=config.lr))
    best, best_accuracy, total, history = None, -1.0, 0.0, []
    order = torch.Generator().manual_seed(seed_of("order", seed))
    for step, rows in enumerate(islice(_batches(len(x), config.batch_size, order), config.steps), start=1):
        loss = F.cross_entropy(head(x[rows]), y[rows])
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(head, optimizer, max_norm=config.clip)
        optimizer.step()
        total += loss.item()
        if step % config.eval_every and step != config.steps:
            continue
        accuracy = _accuracy(head, x_dev, y_dev)
        weights = " ".join(f"{weight:.4f}" for weight in head.layer_weights.detach().softmax(0).tolist())
        n = (step - 1) % config.eval_every + 1
        history.append({"step": step, "loss": total / n, "dev_accuracy": accuracy, "layer_weights": weights})
        total = 0.0
        if accuracy is None or accuracy > best_accuracy:
            best, best_accuracy = copy.deepcopy(head.module).cpu(), accuracy or 0.0
    return {name: value.detach() for name, value in best.named_parameters()}, history


def _batches(n: int, size: int, order: torch.Generator) -> Iterator[Tensor]:
    while True:
        yield from torch.randperm(n, generator=order).split(size)


@torch.no_grad()
def _accuracy(head: torch.nn.Module, x: Tensor, y: Tensor) -> float | None:
    """Compute the accuracy on dev; None if there is no dev."""
    return (head(x).argmax(1) == y).float().mean().item() if len(y) else None


@torch.no_grad()
def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score test utterances by class probabilities."""
    n_layers, dim = state["layer_weights"].shape[1], state["projector.weight"].shape[2]
    head = WeightedLayers(n_layers, dim, config.hidden, len(data.classes), seed=0)
    predictions = []
    for i, split in enumerate(split for split in data.splits if trained_on(config, split)):
        head.load_state_dict({name: values[i] for name, values in state.items()})
        x = torch.from_numpy(data.normalized(split, config.normalization, utts=split.test))
        predictions.append(Prediction(split.name, 0, 0, list(split.test), head(x).softmax(-1).numpy()))
    return predictions
