"""Continuous metric learning for transferable SER (Das et al., NLDL 2022).

A denoising autoencoder of utterance features whose latent space is to follow a rating, activation or valence:

    L = L_rec + L_met,   L_rec = E ||x - g(f(x~))||^2,   L_met = L_res + L_sl     (`ser.losses.continuous_metric`)

x~ = x + n with n ~ N(0, noise^2 I). Without L_met it is the paper's Unsupervised, with it Metric-act and Metric-val.
Each fold of one corpus has a model of its own, which then encodes other corpora as they are; a linear classifier on
the latent space of the training fold names the emotion. All folds, seeds and rows are trained as one computation; in
a matrix, each source once for all targets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from ser.adaptation.base import Normalization, sees
from ser.config import ConfigModel
from ser.errors import DataError
from ser.losses.continuous_metric import ContinuousMetricLoss, Distance, Pairs
from ser.methods.base import About, History, Job, Prediction, State
from ser.nn.denoising_autoencoder import DenoisingAutoencoder
from ser.randomness import seed_of
from ser.splits.lists import Split, pair_of
from ser.system.devices import Device, make_fabric
from ser.training.linear_svc import fit_linear_svc, votes
from ser.training.run_data import RunData
from ser.training.stacked import Params, train_in_lockstep

ABOUT = About(
    paper="Das et al. 2022",
    needs_torch=True,
    adaptation="normalization",
    takes_statistics=True,
    unused={
        "loss.distance": [{"loss.metric": ["none"]}],
        "loss.pairs": [{"loss.metric": ["none"]}],
        "loss.divide_by_dim": [{"loss.metric": ["none"]}],
        "loss.weight": [{"loss.metric": ["none"]}],
        "outliers.deviations": [{"outliers.what": ["keep"]}],
    },
    untrained={"noisy_test": [{}]},
)


class OutlierConfig(ConfigModel):
    """What becomes of utterances with a value further than `deviations` from its mean.

    `drop` leaves them out of training, statistics and what is held against ratings; the classifier decides about
    every utterance, and sees them clipped. `clip` clips them everywhere, `keep` does nothing.
    """

    what: Literal["drop", "clip", "keep"]
    deviations: float = Field(gt=0)


class ModelConfig(ConfigModel):
    """f and g: sizes between input and z, size of z, and the deviation of the noise n."""

    hidden: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    latent: int = Field(gt=0)
    noise: float = Field(ge=0)


class LossConfig(ConfigModel):
    """`metric` is the rating l; `weight` stands before L_met; `reconstruction` averages over features or sums."""

    metric: Literal["none", "activation", "valence"]
    distance: Distance
    pairs: Pairs
    divide_by_dim: bool
    weight: float = Field(ge=0)
    reconstruction: Literal["mean", "sum"]
    log_total: bool


class OptimizerConfig(ConfigModel):
    """Adam; the last partial batch of an epoch is kept, and the weights are those after the last epoch."""

    lr: float = Field(gt=0)
    epochs: int = Field(ge=0)
    batch_size: int = Field(ge=2)


class Config(ConfigModel):
    """A row of the paper's tables.

    Attributes:
        train_on: `source`, the training folds of one corpus, or `labelled`, those of the target itself (its
            "supervised" rows).
        normalization: an adaptation; `corpus` standardizes other corpora by their own statistics, `source` by the
            training fold's.
        noisy_test: whether the noise is added when utterances are encoded, too.
        svc_cost: scikit-learn's C of the classifier on z.
    """

    method: Literal["continuous_metric"]
    train_on: Literal["source", "labelled"]
    normalization: Normalization
    outliers: OutlierConfig
    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    noisy_test: bool
    svc_cost: float = Field(gt=0)


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees; the source's own tests have the statistics of the training fold."""
    labels = {"labelled"} if config.train_on == "labelled" or is_source else set()
    unlabelled = sees(config.normalization) - ({"unlabelled-train"} if labels else set())  # its own training fold
    return frozenset(labels | unlabelled)


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from."""
    return split.train if config.train_on == "source" else split.labelled


def rating(config: Config) -> str | None:
    """Name the rating that the latent space follows."""
    return None if config.loss.metric == "none" else config.loss.metric


def refuses_new_audio(config: Config) -> str | None:
    """Tell why a row cannot score other audio than its test lists; None if it can."""
    return (
        "its tests add noise, drawn for a place in the test list; use a row without noisy_test"
        if config.noisy_test
        else None
    )


# ---- 1. Features of a fold -------------------------------------------------------------------------------------


def splits_of(config: Config, data: RunData) -> list[Split]:
    """List the splits that a row has models for: those with its kind of data, rated if its loss needs ratings."""
    splits = [split for split in data.splits if trained_on(config, split)]
    if config.loss.metric == "none":
        return splits
    rating = data.ratings.get(config.loss.metric, {})
    rated = [split for split in splits if any(utt in rating for utt in trained_on(config, split))]
    if not rated:
        corpora = ", ".join(sorted({utt.split("-")[0] for split in splits for utt in trained_on(config, split)}))
        raise DataError(
            f"{config.loss.metric}: {corpora or 'no corpus here'} has no ratings; get them with "
            "utils/download_corpus.sh das2022 DIR, set DAS2022 in conf/db.sh and run from stage 1"
        )
    return rated


def standardized(config: Config, data: RunData, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Standardize all features as one split allows it.

    Returns:
        Features (N, dim), and which utterances are left out as outliers, (N,) bool.
    """
    x, limit = data.normalized(split, config.normalization), config.outliers.deviations
    left_out = np.zeros(len(x), dtype=bool)
    if config.outliers.what == "drop":
        left_out = (np.abs(x) > limit).any(1)
        x = data.normalized(split, config.normalization, without=left_out)
        x = np.where(left_out[:, None], x.clip(-limit, limit), x)
    return (x.clip(-limit, limit) if config.outliers.what == "clip" else x), left_out


# ---- 2. Training: all folds, seeds and rows at once ------------------------------------------------------------


@dataclass(frozen=True)
class _Fold:
    """Training utterances of splits that show the same features, as rows that treat features alike see them.

    Attributes:
        name: of what decides draws: the split, in a matrix the source, or the target with its fold.
        x: standardized features, (n, dim).
        ratings: activation and valence, (n, 2); NaN where there is none.
        y: class indices, (n,).
    """

    name: str
    x: Tensor
    ratings: Tensor
    y: np.ndarray


RATINGS = ("activation", "valence")


@dataclass(frozen=True)
class _Model:
    """One autoencoder: a row, a seed and a fold."""

    config: Config
    seed: int
    fold: _Fold

    @property
    def n_steps(self) -> int:
        return self.config.optimizer.epochs * ceil(len(self.fold.x) / self.config.optimizer.batch_size)


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Train the models of all folds of one row and seed."""
    return train_together([(config, seed)], data, job.device)[0]


def train_together(runs: Sequence[tuple[Config, int]], data: RunData, device: Device) -> list[tuple[State, History]]:
    """Train the models of all folds of several rows and seeds; those of one shape as one batched computation.

    Each becomes what it would become alone: weights, order of utterances and noise depend on seed and split.
    """
    folds: dict[str, _Fold] = {}
    splits = {number: splits_of(c, data) for number, (c, _) in enumerate(runs)}
    of_split = [[_Model(c, seed, _fold(c, data, split, folds)) for split in splits[number]]
                for number, (c, seed) in enumerate(runs)]  # fmt: skip
    models = [list({id(m.fold): m for m in own}.values()) for own in of_split]
    every = [model for of_run in models for model in of_run]
    by_shape: dict[str, list[int]] = {}
    for number, model in enumerate(every):
        by_shape.setdefault(model.config.model.model_dump_json(exclude={"noise"}), []).append(number)
    trained: dict[int, tuple[State, list[float]]] = {}
    for numbers in by_shape.values():
        longest_first = sorted(numbers, key=lambda number: -every[number].n_steps)
        trained |= zip(longest_first, _train_stack([every[n] for n in longest_first], device), strict=True)
    done = iter(sorted(trained.items()))
    finished = []
    for number, ((config, _), of_run) in enumerate(zip(runs, models, strict=True)):
        own = {id(model.fold): _with_classifier(config, model, next(done)[1], data) for model in of_run}
        names = [split.name for split in splits[number]]
        finished.append(_laid_out(names, [own[id(model.fold)] for model in of_split[number]]))
    return finished


def _fold(config: Config, data: RunData, split: Split, known: dict[str, _Fold]) -> _Fold:
    """Prepare the training utterances of a split, once for all splits and rows that see them alike."""
    key = f"{split.name} {config.train_on} {config.normalization} {config.outliers}"
    if key not in known:
        x, left_out = standardized(config, data, split)
        labelled = trained_on(config, split)
        rows, y = data.rows(labelled), data.targets(labelled)
        kept = ~left_out[rows]
        x, source, target = x[rows[kept]], *pair_of(split.name)
        name = source if config.train_on == "source" else target
        shown = hashlib.blake2b(np.ascontiguousarray(x)).hexdigest()
        seen = f"{name} {shown} {list(labelled.items())}"
        if seen not in known:
            ratings = torch.tensor([[data.ratings[r].get(utt, torch.nan) for r in RATINGS] for utt in labelled])
            known[seen] = _Fold(name, torch.from_numpy(x), ratings[torch.from_numpy(kept)], y[kept])
        known[key] = known[seen]
    return known[key]


def _train_stack(models: Sequence[_Model], device: Device) -> list[tuple[State, list[float]]]:
    """Train models of one shape, the longest first; give the weights of each and its mean loss by epoch."""
    fabric = make_fabric(device)
    shape, dim = models[0].config.model, models[0].fold.x.shape[1]
    networks = [
        DenoisingAutoencoder(dim, shape.hidden, shape.latent, seed=seed_of("init", m.seed, m.fold.name))
        for m in models
    ]
    weights = {name: fabric.to_device(value) for name, value in stack_module_state(networks)[0].items()}
    stack = _Stack(models, networks[0], fabric.device)
    rates = [m.config.optimizer.lr for m in models]
    weights = train_in_lockstep(stack.losses, weights, [m.n_steps for m in models], rates)
    return [({name: value[i].cpu() for name, value in weights.items()}, stack.history(i)) for i in range(len(models))]


class _Stack:
    """Models that are trained as one: their batches and losses.

    Args:
        models: of one shape, the longest first.
        network: of that shape.
        device: where they are trained.
    """

    def __init__(self, models: Sequence[_Model], network: DenoisingAutoencoder, device: torch.device):
        self.models, self.network = models, network
        folds = list({id(m.fold): m.fold for m in models}.values())
        first_row = dict(zip(map(id, folds), accumulate((len(f.x) for f in folds), initial=0), strict=False))
        self.x = torch.cat([f.x for f in folds]).to(device)
        unrated = torch.full((len(self.x), 1), torch.nan)
        self.ratings = torch.cat([torch.cat([f.ratings for f in folds]), unrated], dim=1).to(device)

        def per_model(values: Iterable[object]) -> Tensor:
            return torch.tensor(list(values), device=device)

        self.start = per_model(first_row[id(m.fold)] for m in models)
        self.rating = per_model((*RATINGS, "none").index(m.config.loss.metric) for m in models)
        self.noise = per_model(m.config.model.noise for m in models)
        self.scale = per_model(1 / self.x.shape[1] if m.config.loss.reconstruction == "mean" else 1.0 for m in models)
        self.weight = per_model(m.config.loss.weight for m in models)
        self.takes_log = per_model(m.config.loss.log_total for m in models)
        # Models of a seed and fold see the same utterances in the same order, those of a seed the same noise: so
        # rows differ in their losses alone, and nothing is drawn twice.
        size = max(m.config.optimizer.batch_size for m in models)
        self.orders = _Shared(
            [(m.seed, m.fold.name, len(m.fold.x), m.config.optimizer.batch_size) for m in models],
            lambda seed, name, n, batch_size: _order(n, batch_size, size, seed_of("order", seed, name)),
            device,
        )
        self.noises = _Shared(
            [(m.seed, m.config.optimizer.batch_size) for m in models],
            lambda seed, batch_size: _noise((batch_size, self.x.shape[1]), size, seed_of("noise", seed)),
            device,
        )
        self.kinds = {
            kind: per_model(i for i, m in enumerate(models) if _kind(m.config.loss) == kind)
            for kind in dict.fromkeys(_kind(m.config.loss) for m in models)
            if kind is not None
        }
        self.seen: list[Tensor] = []

    def losses(self, params: Params, step: int) -> Tensor:
        """Compute L of the first A models on their next batches, (A,)."""
        n = len(params["encoder.0.bias"])
        rows = self.orders.next(n)  # (A, B), -1 behind the end of a partial batch
        is_there = rows >= 0
        places = rows.clamp(min=0) + self.start[:n, None]
        x = self.x[places]  # (A, B, dim)
        noisy = x + self.noise[:n, None, None] * self.noises.next(n)
        z, decoded = vmap(lambda own, x: functional_call(self.network, own, (x,)))(params, noisy)
        l_rec = ((decoded - x).square().sum(-1) * is_there).sum(1) / is_there.sum(1) * self.scale[:n]
        labels = self.ratings[places, self.rating[:n, None]].where(is_there, torch.nan)
        total = l_rec
        for kind, members in self.kinds.items():
            members = members[members < n]
            l_met = ContinuousMetricLoss(*kind)(z[members], labels[members])
            total = total.index_add(0, members, self.weight[members] * l_met)
        total = torch.where(self.takes_log[:n], total.log(), total)
        self.seen.append(total.detach().cpu())
        return total

    def history(self, number: int) -> list[float]:
        """Average a model's losses over the steps of each epoch."""
        model = self.models[number]
        own = (
            torch.stack([losses[number] for losses in self.seen[: model.n_steps]])
            if model.n_steps
            else torch.empty(0)
        )
        return own.unflatten(0, (model.config.optimizer.epochs, -1)).mean(1).tolist() if len(own) else []


def _kind(loss: LossConfig) -> tuple[Distance, Pairs, bool] | None:
    return None if loss.metric == "none" else (loss.distance, loss.pairs, loss.divide_by_dim)


class _Shared:
    """Draws that several models share, made once for each step.

    Args:
        keys: what decides each model's draws.
        make: from a key to its draws, one a step.
        device: where they are used.
    """

    def __init__(self, keys: Sequence[tuple[Any, ...]], make: Callable[..., Iterator[Tensor]], device: torch.device):
        distinct = list(dict.fromkeys(keys))
        self.draws = [make(*key) for key in distinct]
        self.place = [distinct.index(key) for key in keys]
        self.device = device

    def next(self, n: int) -> Tensor:
        """Draw for the first n models, (n, ...)."""
        used = dict.fromkeys(self.place[:n])  # in the order of first use
        drawn = torch.stack([next(self.draws[place]) for place in used])
        places = {place: i for i, place in enumerate(used)}
        return drawn.to(self.device)[[places[place] for place in self.place[:n]]]


def _order(n: int, batch_size: int, padded: int, seed: int) -> Iterator[Tensor]:
    """Go through n rows in a new order each epoch, in batches that are filled up with -1, (padded,)."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for rows in torch.randperm(n, generator=generator).split(batch_size):
            yield F.pad(rows, (0, padded - len(rows)), value=-1)


def _noise(shape: tuple[int, int], padded: int, seed: int) -> Iterator[Tensor]:
    """Draw standard normal numbers for the rows of a batch, filled up with zeros, (padded, dim)."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield F.pad(torch.randn(shape, generator=generator), (0, 0, 0, padded - shape[0]))


def _with_classifier(
    config: Config, model: _Model, trained: tuple[State, list[float]], data: RunData
) -> tuple[State, list[float]]:
    """Add the classifier to a model's weights, fitted on z of the training utterances without noise."""
    weights, losses = trained
    with torch.no_grad():
        z = _network(weights).encode(model.fold.x)
    fitted = fit_linear_svc(z.numpy(), model.fold.y, len(data.classes), config.svc_cost)
    weight, bias = map(torch.from_numpy, fitted)
    return {**weights, "svc.weight": weight, "svc.bias": bias}, losses


def _laid_out(names: Sequence[str], models: Sequence[tuple[State, list[float]]]) -> tuple[State, History]:
    """Stack the models of some splits, and list their losses."""
    history = [
        {"split": name, "epoch": epoch, "loss": loss}
        for name, (_, losses) in zip(names, models, strict=True)
        for epoch, loss in enumerate(losses, start=1)
    ]
    return {name: torch.stack([state[name] for state, _ in models]) for name in models[0][0]}, history


def _network(weights: State) -> DenoisingAutoencoder:
    """Make the autoencoder of some weights."""
    hidden = [weights[name].shape[0] for name in weights if name.startswith("encoder") and name.endswith("weight")]
    network = DenoisingAutoencoder(weights["encoder.0.weight"].shape[1], hidden[:-1], hidden[-1], seed=0)
    network.load_state_dict({name: value for name, value in weights.items() if not name.startswith("svc")})
    return network


# ---- 3. Test: embeddings of the fold and of other corpora -------------------------------------------------------


@torch.no_grad()
def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Encode every test utterance, z = f(x), and score it by the pairs of classes that each class wins."""
    predictions = []
    for i, split in enumerate(splits_of(config, data)):
        weights = {name: value[i] for name, value in state.items()}
        x, left_out = standardized(config, data, split)
        rows = data.rows(split.test)
        x = torch.from_numpy(x[rows])
        if config.noisy_test:
            generator = torch.Generator().manual_seed(seed_of("test noise", split.name))
            x = x + config.model.noise * torch.randn(x.shape, generator=generator)
        z = _network(weights).encode(x).numpy()
        scores = votes(z, weights["svc.weight"].numpy(), weights["svc.bias"].numpy(), len(data.classes))
        latent = np.where(left_out[rows, None], np.nan, z)
        predictions.append(Prediction(split.name, 0, 0, list(split.test), scores, latent, are_posteriors=False))
    return predictions
