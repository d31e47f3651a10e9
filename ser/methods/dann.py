"""Domain-adversarial training on cached vectors: Gao et al. (ICASSP 2022) above a frozen upstream.

h = relu(FC(x)) is learned from labelled sources, while adversaries read domain factors k from it behind a gradient
reversal (Ganin et al. 2016); the target's unlabelled audio takes part in L_D:

    L = L_E + gamma L_D (Eq. 1)        L_D = sum of CE_k (Eq. 2)        L_E = S, or lambda S + (1 - lambda) C (Eq. 6)

The losses are those of `difl`, which trains the paper's own network on spectrograms or frames. Here a matrix of
sources and targets takes minutes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from ser.adaptation.base import Normalization, sees
from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.losses.center import CenterLoss
from ser.methods.base import About, History, Job, Prediction, State
from ser.methods.difl import Factor, LossConfig, domain_losses, objective, reversal_scale
from ser.metrics.classification import uar
from ser.nn.domain_heads import DomainHeads
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.randomness import drawing, seed_of
from ser.splits.lists import Split
from ser.system.devices import Device, make_fabric
from ser.training.checkpoint import below, prefixed
from ser.training.domain_batches import DomainBatches, DomainLabels, pools_of
from ser.training.run_data import RunData, class_weight, same_models

ABOUT = About(paper="Gao et al. 2022", needs_torch=True, adaptation="normalization", takes_statistics=True)


class Config(ConfigModel):
    """`domains` are factors with a head (DANN_1: speaker and corpus; DANN_2: gender, language and corpus), `hidden`
    the size of h; Adam, and the epoch that is best on dev. Half of a batch is of the target."""

    method: Literal["dann"]
    domains: list[Factor] = Field(min_length=1)
    normalization: Normalization
    hidden: int = Field(gt=0)
    loss: LossConfig
    lr: float = Field(gt=0)
    batch_size: int = Field(ge=2)
    epochs: int = Field(gt=0)

    @field_validator("domains")
    @classmethod
    def _each_once(cls, domains: list[Factor]) -> list[Factor]:
        if len(set(domains)) < len(domains):
            raise ValueError(f"a factor appears twice in {', '.join(domains)}")
        return domains


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Name what a row sees of a tested corpus."""
    return sees(config.normalization) | {"unlabelled-train", *["labelled"] * is_source}


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from."""
    return split.train


def chooses_on_dev(config: Config) -> bool:
    """Say that the epoch with the best dev UAR is kept."""
    return True


class Dann(nn.Module):
    """F(x) = h with its classifier, and the domain heads on h."""

    def __init__(self, dim: int, hidden: int, n_classes: int, domains: Mapping[str, int], seed: int):
        super().__init__()
        self.classifier = EmbeddingClassifier(dim, hidden, n_classes, seed_of("init", seed))
        with drawing(seed_of("domain heads", seed)):
            self.domain_heads = DomainHeads(hidden, domains)

    def forward(self, x: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Map (B, D) to h (B, H), class scores (B, C) and scores of domains; `scale` is of the reversed gradient."""
        h, logits = self.classifier(x)
        return h, logits, self.domain_heads(h, scale)


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Train one model for each list of labelled and of unlabelled utterances."""
    owners = _owners(data)
    state: dict[str, Tensor] = {}
    history = []
    for number in sorted(set(owners)):
        split = data.splits[number]
        weights, epochs = _train_model(config, data, split, seed, job.device)
        state |= prefixed(weights, f"{number}.")
        history += [{"split": split.name, **epoch} for epoch in epochs]
    return state, history


def _owners(data: RunData) -> list[int]:
    """Number each split's model by the first split with the same lists."""
    numbers = same_models((*split.train.items(), "", *split.dev, "", *split.adapt) for split in data.splits)
    return [numbers.index(number) for number in numbers]


def _train_model(
    config: Config, data: RunData, split: Split, seed: int, device: Device
) -> tuple[State, list[dict[str, object]]]:
    if not split.adapt:
        raise ConfigError(
            "dann: its domains need unlabelled audio of the target, and the protocol lists none; set adapt in "
            "conf/recipe.yaml, or leave out the system"
        )
    fabric, corpus_of = make_fabric(device), data.factors["corpus"]
    utts = [*split.train, *split.adapt]
    labels = DomainLabels.of_data(data.factors, config.domains, utts)
    batches = DomainBatches(
        [list(split.train)], list(pools_of(split.adapt, corpus_of).values()), config.batch_size, seed
    )
    place = {utt: i for i, utt in enumerate(utts)}
    x, x_dev = (
        fabric.to_device(torch.from_numpy(data.normalized(split, config.normalization, utts=some)))
        for some in (utts, split.dev)
    )
    y, y_dev = (data.targets(labelled) for labelled in (split.train, split.dev))
    weight = fabric.to_device(torch.from_numpy(class_weight(y, len(data.classes))))
    y, domains = fabric.to_device(torch.from_numpy(y)), {k: fabric.to_device(d) for k, d in labels.of(utts).items()}
    model = Dann(x.shape[1], config.hidden, len(data.classes), labels.sizes(), seed)
    center = CenterLoss(len(data.classes), config.hidden, config.loss.center_lr) if config.loss.center else None
    center = center and fabric.to_device(center)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    model, optimizer = fabric.setup(model, optimizer)
    best, best_uar, history = {}, -1.0, []
    left_out = "; ".join(f"{factor}: {reason}" for factor, reason in labels.left_out.items())
    for epoch in range(config.epochs):
        total = 0.0
        for number in range(batches.n_batches):
            source, target = batches.of(epoch, number)
            rows = torch.tensor([place[utt] for utt in (*source, *target)], device=x.device)
            own = y[rows[: len(source)]]
            scale = reversal_scale(config.loss, (epoch + number / batches.n_batches) / config.epochs)
            h, logits, of_domains = model(x[rows], scale)
            emotion = {"softmax": nn.functional.cross_entropy(logits[: len(own)], own, weight=weight)}
            if center is not None:
                emotion["center"] = center(h[: len(own)], own)
            loss = objective(
                config.loss, emotion, domain_losses(of_domains, {k: d[rows] for k, d in domains.items()})
            )
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
            if center is not None:
                center.update(h[: len(own)].detach(), own)
            total += loss.item() * len(own)
        with torch.no_grad():
            dev_uar = uar(y_dev, model(x_dev)[1].argmax(1).cpu().numpy())
        history.append({"epoch": epoch + 1, "loss": total / len(y), "dev_uar": dev_uar, "left_out": left_out})
        if dev_uar > best_uar:
            best_uar, best = dev_uar, copy.deepcopy(model.module.classifier.state_dict())
    return {name: value.cpu() for name, value in best.items()}, history


@torch.no_grad()
def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score test utterances by posteriors; the domain heads have no part in it."""
    predictions = []
    for split, number in zip(data.splits, _owners(data), strict=True):
        if not split.test:
            continue
        weights = below(state, f"{number}.")
        hidden, dim = weights["embed.weight"].shape
        model = EmbeddingClassifier(dim, hidden, len(data.classes), seed=0)
        model.load_state_dict(weights)
        x = torch.from_numpy(np.ascontiguousarray(data.normalized(split, config.normalization, utts=split.test)))
        predictions.append(Prediction(split.name, 0, 0, list(split.test), model(x)[1].softmax(1).numpy()))
    return predictions
