"""Few-shot learning guided by emotion distance (Yue, Wu, Qu, Zheng, Zhao, Li: APSIPA ASC 2023).

A model of the source corpus is adapted to the target corpus with k labelled utterances per emotion:

    L_BTL = CE        L_FSTL = CE + w M_FSTL (Eq. 1)        L_EMOFSL = CE + w M_EMOFSL (Eq. 2)

and tested by the nearest class mean of the support set (Fig. 2). This is the frozen variant: x is a cached
embedding of a frozen upstream, F(x) = relu(FC(x)). All support sets of all folds are adapted as one batched
computation; the methods share source weights, support sets and seeds. `emofsl_finetune` trains the encoder too.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.func import functional_call, stack_module_state

from ser.adaptation.base import Normalization, moves_source, sees
from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.losses.emotion_distance import CLASSES, EmotionDistanceLoss
from ser.losses.siamese_contrastive import SiameseContrastiveLoss
from ser.methods.base import About, History, Job, Prediction, State
from ser.metrics.classification import uar
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.randomness import seed_of
from ser.splits.lists import Split
from ser.system.devices import Device, make_fabric
from ser.training.checkpoint import below
from ser.training.run_data import RunData, class_weight, same_models
from ser.training.stacked import Params, repeat, train_stacked

ABOUT = About(
    paper="Yue et al. 2023",
    needs_torch=True,
    starts_from=["emofsl"],
    few_shot=True,
    adaptation="normalization",
    takes_statistics=True,
    unused={
        "source": [{"objective": ["btl", "fstl", "emofsl"]}],  # it decides the weights that a row starts from
        "adapt": [{"objective": ["source_only"]}],
        "model.normalize": [
            {"objective": ["source_only"], "source.objective": ["btl"]},
            {"objective": ["btl"], "predictor": ["classifier"]},
        ],
        "loss.weight": [{"objective": ["btl"]}, {"objective": ["source_only"], "source.objective": ["btl"]}],
        "loss.reduction": [{"objective": ["btl"]}, {"objective": ["source_only"], "source.objective": ["btl"]}],
        "loss.kappa": [
            {"objective": ["btl", "emofsl"]},
            {"objective": ["source_only"], "source.objective": ["btl", "emofsl"]},
        ],
        "loss.alpha": [
            {"objective": ["btl", "fstl"]},
            {"objective": ["source_only"], "source.objective": ["btl", "fstl"]},
        ],
        "loss.beta": [
            {"objective": ["btl", "fstl"]},
            {"objective": ["source_only"], "source.objective": ["btl", "fstl"]},
        ],
        "loss.kappa1": [
            {"objective": ["btl", "fstl"]},
            {"objective": ["source_only"], "source.objective": ["btl", "fstl"]},
        ],
        "loss.kappa2": [
            {"objective": ["btl", "fstl"]},
            {"objective": ["source_only"], "source.objective": ["btl", "fstl"]},
        ],
        "predictor": [{"objective": ["source_only"]}],
        "similarity": [{"objective": ["source_only"]}, {"predictor": ["classifier"]}],
    },  # fmt: skip
    untrained={"predictor": [{}], "similarity": [{}], "model.normalize": [{"objective": ["btl"]}]},
)

Objective = Literal["btl", "fstl", "emofsl"]


class ModelConfig(ConfigModel):
    """F: `hidden` is its size; `normalize` puts F(x) on the unit sphere before distances are taken."""

    hidden: int = Field(gt=0)
    normalize: bool


class SourceConfig(ConfigModel):
    """Supervised training on the source corpus: Adam, class-balanced cross-entropy (`btl`; the others add their
    metric loss on each batch), best epoch on dev UAR."""

    objective: Objective
    lr: float = Field(gt=0)
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)


class AdaptConfig(ConfigModel):
    """Adaptation: epochs over the support set, in batches of `batch_size` or, if null, the whole set at once."""

    lr: float = Field(gt=0)
    lr_decay: float = Field(gt=0, le=1)
    decay_per: Literal["epoch", "step"]
    epochs: int = Field(ge=0)
    batch_size: int | None = Field(default=None, ge=2)


class LossConfig(ConfigModel):
    """Symbols of Eqs. 1 and 2; `weight` is the w between cross-entropy and metric loss."""

    alpha: float
    beta: float
    kappa: float
    kappa1: float
    kappa2: float
    weight: float
    reduction: Literal["mean", "sum"]


class Config(ConfigModel):
    """A row of the paper's Table II, or its source model."""

    method: Literal["emofsl"]
    objective: Literal["source_only"] | Objective
    normalization: Normalization
    model: ModelConfig
    source: SourceConfig
    adapt: AdaptConfig
    loss: LossConfig
    predictor: Literal["nearest_mean", "classifier"]
    similarity: Literal["euclidean", "cosine"]


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees; the tested corpus is never a source."""
    shots = frozenset() if config.objective == "source_only" else frozenset({"k-shot"})
    return shots | sees(config.normalization)


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from: the source's, and the support sets that it adapts to."""
    adapted = [] if config.objective == "source_only" else split.support.values()
    return {**split.train, **{utt: name for support in adapted for utt, name in support.items()}}


def chooses_on_dev(config: Config) -> bool:
    """Whether a row keeps the epoch with the best dev UAR: source models do."""
    return config.objective == "source_only"


def needs_support(config: Config) -> bool:
    """Whether prediction takes the class means of the support sets."""
    return config.predictor == "nearest_mean" and config.objective != "source_only"


def needs_classes(config: Config) -> Sequence[str] | None:
    """List the classes of Eq. 2, where it is used."""
    return CLASSES if "emofsl" in (config.objective, config.source.objective) else None


# ---- 1. Source training (Sec. III; the paper names no settings) ----------------------------------------------


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Train the source model (`source_only`), or adapt a trained one to every support set."""
    check(config, data, init)
    if config.objective == "source_only":
        return _train_sources(config, data, seed, job.device)
    return _adapt_all(config, data, init, seed, job.device)


def check(config: Config, data: RunData, init: State | None) -> None:
    """Raise ConfigError for classes that Eq. 2 does not know, or a row that lacks its source model."""
    if needs_classes(config) and list(data.classes) != list(CLASSES):
        raise ConfigError(f"emofsl: Eq. 2 is about {', '.join(CLASSES)}, found {', '.join(data.classes)}")
    if config.objective != "source_only" and init is None:
        raise ConfigError(f"emofsl: objective '{config.objective}' starts from a source model; set 'init'")


def source_of(data: RunData, how: str = "none") -> list[int]:
    """Number each split's source model: splits with the same training lists share one.

    Args:
        data: with all splits.
        how: adaptation of the features; where it moves the source to a target, models are of one target.
    """
    moves = moves_source(how)
    return same_models((*split.train, "", *split.dev, "", *(split.adapt if moves else ())) for split in data.splits)


def _train_sources(config: Config, data: RunData, seed: int, device: Device) -> tuple[State, History]:
    sources = source_of(data, config.normalization)
    models, history = [], []
    for number in sorted(set(sources)):
        model, epochs = _train_source(config, data, data.splits[sources.index(number)], seed, device)
        models.append(model)
        history += [{"source": number, **epoch} for epoch in epochs]
    return {name: value.detach() for name, value in stack_module_state(models)[0].items()}, history


def _train_source(
    config: Config, data: RunData, split: Split, seed: int, device: Device
) -> tuple[EmbeddingClassifier, History]:
    """Minimize class-balanced cross-entropy on the source and keep the epoch with the best dev UAR."""
    fabric = make_fabric(device)
    x, of_dev = (data.normalized(split, config.normalization, utts=utts) for utts in (split.train, split.dev))
    y, y_dev = data.targets(split.train), data.targets(split.dev)
    weight, x_train, y_train, x_dev = (
        fabric.to_device(torch.from_numpy(values)) for values in (class_weight(y, len(data.classes)), x, y, of_dev)
    )
    model = EmbeddingClassifier(x.shape[1], config.model.hidden, len(data.classes), seed_of("init", seed))
    optimizer = torch.optim.Adam(model.parameters(), lr=config.source.lr)
    model, optimizer = fabric.setup(model, optimizer)
    order = torch.Generator().manual_seed(seed_of("source order", seed))
    best, best_uar, history = None, -1.0, []
    for epoch in range(1, config.source.epochs + 1):
        total = 0.0
        for rows in torch.randperm(len(x_train), generator=order).split(config.source.batch_size):
            loss = objective(config, config.source.objective, *model(x_train[rows]), y_train[rows], weight)
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
            total += loss.item() * len(rows)
        with torch.no_grad():
            dev_uar = uar(y_dev, model(x_dev)[1].argmax(1).cpu().numpy())
        history.append({"epoch": epoch, "loss": total / len(x_train), "dev_uar": dev_uar})
        if dev_uar > best_uar:
            best_uar, best = dev_uar, copy.deepcopy(model.module).cpu()
    return best, history


# ---- 2. Adaptation to the support set (Sec. III, Eqs. 1 and 2, Table I) ---------------------------------------


def objective(
    config: Config, kind: Objective, z: Tensor, logits: Tensor, y: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Compute L_BTL, L_FSTL or L_EMOFSL of one batch.

    Args:
        kind: which of the three.
        z: F(x), (B, H); B = 4k for a support set.
        logits: W F(x), (B, C).
        y: class indices, (B,).
        weight: of the classes in the cross-entropy, (C,).

    Returns:
        Scalar.
    """
    ce = F.cross_entropy(logits, y, weight=weight)
    if kind == "btl":
        return ce
    return ce + config.loss.weight * _metric_loss(kind, config.loss, z.device)(embedding(config, z), y)


@cache
def _metric_loss(kind: Objective, c: LossConfig, device: torch.device) -> torch.nn.Module:
    if kind == "fstl":
        return SiameseContrastiveLoss(c.kappa, c.reduction).to(device)  # Eq. 1
    return EmotionDistanceLoss(c.alpha, c.beta, c.kappa1, c.kappa2, c.reduction).to(device)  # Eq. 2


def embedding(config: Config, z: Tensor) -> Tensor:
    """Give F(x) as distances see it."""
    return F.normalize(z, dim=-1) if config.model.normalize else z


def _skeleton(params: Params) -> EmbeddingClassifier:
    """Make the network of some weights, (..., H, D) and so on, for `functional_call`; its own take no memory."""
    hidden, dim = params["embed.weight"].shape[-2:]
    return _skeleton_of(dim, hidden, params["classify.weight"].shape[-2])


@cache
def _skeleton_of(dim: int, hidden: int, n_classes: int) -> EmbeddingClassifier:
    with torch.device("meta"):
        return EmbeddingClassifier(dim, hidden, n_classes, seed=0)


def _adapt_all(config: Config, data: RunData, init: State, seed: int, device: Device) -> tuple[State, History]:
    fabric = make_fabric(device)
    model = _skeleton(init)
    sources = source_of(data, config.normalization)
    state: dict[str, Tensor] = {}
    history = []
    for k in data.shots():
        episodes = data.episodes(k)
        supports = [data.splits[e.split].support[e.k, e.draw] for e in episodes]
        if len(set(map(len, supports))) > 1:
            raise ConfigError("emofsl: targets have different classes; leave out those that lack one")
        x = np.concatenate(
            [
                data.normalized(split, config.normalization, utts=[utt for support in own for utt in support])
                for number, split in enumerate(data.splits)
                if (own := [s for e, s in zip(episodes, supports, strict=True) if e.split == number])
            ]
        ).reshape(len(episodes), len(supports[0]), -1)  # (E, 4k, D); episodes are in the order of their splits
        y = np.stack([data.targets(support) for support in supports])  # (E, 4k)
        params, losses = train_stacked(
            lambda params, x, y: objective(config, config.objective, *functional_call(model, params, (x,)), y),
            repeat(init, [sources[e.split] for e in episodes]),
            (torch.from_numpy(x), torch.from_numpy(y)),
            **config.adapt.model_dump(),
            seed=seed_of("support order", seed, k),
            fabric=fabric,
        )
        state |= {f"k{k}.{name}": value for name, value in params.items()}
        history += [
            {"k": k, "epoch": epoch, "loss": row.mean().item(), "loss_sd": row.std(correction=0).item()}
            for epoch, row in enumerate(losses, start=1)
        ]
    return state, history


# ---- 3. Test: the nearest class mean of the support set (Fig. 2) ----------------------------------------------


@torch.no_grad()
def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score test utterances by the classifier, or by the negative distance to the support set's class means."""
    if config.objective == "source_only":
        return _predict_sources(config, data, state)
    predictions, are_posteriors = [], config.predictor == "classifier"
    for number, split in enumerate(data.splits):
        if not split.test:
            continue
        queries = list(split.test)
        x_query = torch.from_numpy(data.normalized(split, config.normalization, utts=queries))
        for k in data.shots():
            episodes = data.episodes(k)
            for i in (i for i, e in enumerate(episodes) if e.split == number):
                params = {name: of_episode[i] for name, of_episode in below(state, f"k{k}.").items()}
                support = split.support[k, episodes[i].draw]
                x_support = torch.from_numpy(data.normalized(split, config.normalization, utts=support))
                y_support = torch.from_numpy(data.targets(support))
                scores = _scores(config, params, x_query, x_support, y_support).numpy()
                predictions.append(
                    Prediction(split.name, k, episodes[i].draw, queries, scores, are_posteriors=are_posteriors)
                )
    return predictions


def _scores(config: Config, params: Params, query: Tensor, support: Tensor, y: Tensor) -> Tensor:
    """Score queries (n, D) under one model and its support set (4k, D), (n, C)."""
    model = _skeleton(params)
    z, logits = functional_call(model, params, (query,))
    if config.predictor == "classifier":
        return logits.softmax(-1)
    return class_mean_scores(config, z, functional_call(model, params, (support,))[0], y, logits.shape[1])


def class_mean_scores(config: Config, query: Tensor, support: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Score queries by their similarity to the class means of a support set.

    Args:
        query: F(x) of the queries, (n, H).
        support: F(x) of the support set, (4k, H).
        y: classes of the support set, (4k,).
        n_classes: C.

    Returns:
        (n, C): negative Euclidean distances, or cosines.
    """
    query, support = embedding(config, query), embedding(config, support)
    centers = torch.stack([support[y == c].mean(0) for c in range(n_classes)])  # cen_c of Fig. 2
    if config.similarity == "cosine":
        return F.normalize(query, dim=-1) @ F.normalize(centers, dim=-1).T
    # from differences, since products lose the digits of near embeddings
    return -torch.cdist(query, centers, compute_mode="donot_use_mm_for_euclid_dist")


def _predict_sources(config: Config, data: RunData, state: State) -> list[Prediction]:
    """Score every test utterance by the source model's classifier."""
    predictions = []
    for split, source in zip(data.splits, source_of(data, config.normalization), strict=True):
        x = torch.from_numpy(data.normalized(split, config.normalization, utts=split.test))
        params = {name: value[source] for name, value in state.items()}
        scores = functional_call(_skeleton(params), params, (x,))[1].softmax(-1).numpy()
        predictions.append(Prediction(split.name, 0, 0, list(split.test), scores))
    return predictions
