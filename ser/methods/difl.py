"""Domain-invariant feature learning (Gao, Okada, Wang, Liu, Dang: ICASSP 2022).

A network learns emotions from labelled utterances, of one corpus or several, while adversaries D_k try to read domain
factors k from its shared feature h = G(x); through a gradient reversal layer, one backward pass serves both sides:

    L = L_E + gamma L_D (Eq. 1): the heads minimize gamma L_D, all the rest L_E - gamma L_D
    L_D = sum of CE_k (Eq. 2)        L_E = S, or lambda S + (1 - lambda) C with center loss (Eq. 6)

Baseline has no heads, DANN_1 speaker and corpus, DANN_2 gender, language and corpus. Where one corpus alone is
labelled, unlabelled audio of the target corpora may take part in L_D (`target_audio: unlabelled`): the paper does not
say whether it did. The input is spectrogram segments, or frames of an upstream, which skip the CNN.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ser.adaptation.base import Normalization, Seen, find, sees
from ser.adaptation.base import State as Adapted
from ser.config import ConfigModel
from ser.errors import ConfigError, DataError
from ser.features.micro_batches import micro_batches
from ser.losses.center import CenterLoss
from ser.methods.base import About, History, Job, Prediction, State
from ser.metrics.classification import uar
from ser.nn.cnn_blstm import CnnBlstm, CnnBlstmOutput
from ser.randomness import seed_of
from ser.splits.lists import Split
from ser.system.devices import Device, Precision, make_fabric
from ser.system.files import remove
from ser.system.progress import progress
from ser.training.checkpoint import (
    below,
    load_unfinished,
    prefixed,
    read_tensors,
    save_unfinished,
    write_tensors,
)
from ser.training.domain_batches import UNKNOWN, DomainBatches, DomainLabels, pools_of
from ser.training.frames import FrameStore, prefetched
from ser.training.run_data import RunData, class_weight

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ABOUT = About(
    paper="Gao et al. 2022",
    needs_torch=True,
    needs_gpu=True,
    memory="batch_size",
    adaptation="normalization",
    unused={
        "target_audio": [{"domains": [[]], "normalization": ["none", "source", "speaker"]}],
        "loss.gamma": [{"domains": [[]]}],
        "loss.gamma_schedule": [{"domains": [[]]}],
        "loss.lambda_": [{"loss.center": [False]}],
        "loss.center_lr": [{"loss.center": [False]}],
        "loss.center_on": [{"loss.center": [False]}],
        "patience": [{"dev": ["train"]}],
    },
)

SAVE_EVERY_S = 60
"""Seconds of work that a killed training may lose, and the epoch that it was in."""

APPLY_BYTES = 1 << 26
"""Padded input that the trained network takes at once."""

Factor = Literal["speaker", "corpus", "gender", "language"]

Unit = Literal["utterances", "segments"]


class ModelConfig(ConfigModel):
    """Layer sizes of `CnnBlstm`; frames of an upstream skip those of the CNN."""

    conv_maps: list[int] = Field(min_length=1)
    kernel: int = Field(gt=0)
    pool: int = Field(gt=0)
    segment_dim: int = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    blstm_units: int = Field(gt=0)
    fc1_dim: int = Field(gt=0)
    fc2_dim: int = Field(gt=0)


class LossConfig(ConfigModel):
    """Symbols of Eqs. 1 and 6; lambda is a word of Python, so it has an underscore.

    Attributes:
        gamma_schedule: `ramp` lets the reversal grow from 0 to 1 as in Ganin et al. 2016.
        center: whether L_E holds the center loss; without it there is no lambda either.
        center_on: FC2's output z, or the logits.
        sum_softmax: S as a sum over the batch, as Eq. 3 prints it, beside C as a mean, as Eq. 4 does.
    """

    lambda_: float = Field(ge=0, le=1)
    gamma: float = Field(ge=0)
    gamma_schedule: Literal["constant", "ramp"]
    center: bool
    center_lr: float = Field(gt=0, le=1)
    center_on: Literal["fc2", "logits"]
    sum_softmax: bool


class OptimizerConfig(ConfigModel):
    """Adadelta."""

    lr: float = Field(gt=0)
    rho: float = Field(ge=0, lt=1)
    eps: float = Field(gt=0)


class Config(ConfigModel):
    """A row of the paper's Tables 2 to 4.

    Attributes:
        domains: factors with a head; none for Baseline.
        target_audio: whether the audio of `adapt` takes part in L_D, without labels of emotion.
        normalization: whose statistics are taken off each frequency bin (of segments) or dimension (of frames):
            `source`: of all labelled training utterances; `corpus`: of the corpus' own training audio, labelled or
            not, and for a corpus without any, as `source`; `speaker`: of all the speaker's own utterances.
        unit: what `batch_size` counts, what S and C are taken over, and what is classified. `utterances`: the BLSTM
            goes over the segments (or frames) of one. `segments`: each has its utterance's labels and is classified
            by itself, the BLSTM goes over the frames that the CNN leaves of it, and the posteriors of an utterance
            are the means of those of its segments.
        batch_size: with target audio half source, half target, drawn equally from the target corpora.
        sampler: `corpus_balanced` draws the labelled utterances equally from their corpora, too.
        steps_per_epoch: null goes over all labelled utterances (or segments) once.
        dev: `choose` leaves the dev speakers out of training, and keeps the epoch with their best UAR; `train` trains
            on them too and keeps the last epoch, as nothing is chosen.
        patience: epochs without a better dev UAR after which training ends; null goes through all.
        class_weights: of S, by inverse frequency or none.
        max_segments: of an utterance in training; frames of an upstream are never cut, nor is anything in tests.
    """

    method: Literal["difl"]
    domains: list[Factor]
    target_audio: Literal["unlabelled", "none"]
    normalization: Normalization
    model: ModelConfig
    loss: LossConfig
    optimizer: OptimizerConfig
    unit: Unit
    batch_size: int = Field(ge=2)
    sampler: Literal["shuffle", "corpus_balanced"]
    steps_per_epoch: int | None = Field(default=None, gt=0)
    epochs: int = Field(gt=0)
    dev: Literal["choose", "train"]
    patience: int | None = Field(default=None, gt=0)
    class_weights: Literal["none", "balanced"]
    max_segments: int | None = Field(default=None, gt=0)
    precision: Precision

    @field_validator("domains")
    @classmethod
    def _each_once(cls, domains: list[Factor]) -> list[Factor]:
        if len(set(domains)) < len(domains):
            raise ValueError(f"a factor appears twice in {', '.join(domains)}")
        return domains


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees: `adapt` may hold the audio of test utterances."""
    hears_tests = _uses_target(config) or "unlabelled-test" in sees(config.normalization)
    audio = {"unlabelled-test"} if hears_tests else set()
    return frozenset(audio | ({"labelled"} if is_source else set()))


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from."""
    return {**split.train, **split.dev} if config.dev == "train" else split.train


def chooses_on_dev(config: Config) -> bool:
    """Whether a row keeps the epoch with the best dev UAR."""
    return config.dev == "choose"


def _uses_target(config: Config) -> bool:
    return config.target_audio == "unlabelled" and bool(
        config.domains or find(config.normalization).GROUP == "corpus"
    )


# ---- 1. Network and input (Fig. 1) ----------------------------------------------------------------------------


class Difl(nn.Module):
    """The network, and the class centers that are kept beside its weights."""

    def __init__(
        self, config: Config, n_classes: int, domains: Mapping[str, int], input_shape: Sequence[int], seed: int
    ):
        super().__init__()
        c = config.model.model_dump() | {"input_shape": input_shape}
        steps = "frames" if config.unit == "segments" else "segments"
        self.network = CnnBlstm(n_classes, domains, seed_of("init", seed), blstm_over=steps, **c)
        dim = config.model.fc2_dim if config.loss.center_on == "fc2" else n_classes
        self.center = CenterLoss(n_classes, dim, config.loss.center_lr) if config.loss.center else None

    def forward(
        self, x: Tensor, lengths: Tensor, scale: float = 1.0, generator: torch.Generator | None = None
    ) -> CnnBlstmOutput:
        """As `CnnBlstm.forward`."""
        return self.network(x, lengths, scale, generator)

    def copy(self) -> dict[str, Tensor]:
        """Copy weights and centers to the CPU."""
        return {name: value.to("cpu", copy=True) for name, value in self.state_dict().items()}


class Segment(NamedTuple):
    """A segment of an utterance, by its place there."""

    utt: str
    number: int


@dataclass(frozen=True)
class Input:
    """Adapted frames or segments of utterances.

    Attributes:
        store: frames as they are stored.
        how: name of the adaptation.
        state: what was fitted.
        group_of: utterance -> the name that the adaptation chooses by.
    """

    store: FrameStore
    how: str
    state: Adapted
    group_of: Mapping[str, str]

    def of(self, utts: Sequence[str], max_segments: int | None = None) -> tuple[Tensor, Tensor]:
        """Give a padded batch (B, T, ...) and the valid lengths (B,); segments after the `max_segments`-th go."""
        frames = []
        for utt in utts:
            stored = self.store.of(utt)
            is_cut = max_segments is not None and stored.ndim > 2
            frames.append(self._adapted(utt, stored[:max_segments] if is_cut else stored))
        return pad_sequence(frames, batch_first=True), torch.tensor([len(f) for f in frames])

    def of_segments(self, segments: Sequence[Segment]) -> tuple[Tensor, Tensor]:
        """Give segments as if each were an utterance: (B, 1, time, frequency), and ones (B,)."""
        parts = [self._adapted(utt, self.store.of(utt)[number : number + 1]) for utt, number in segments]
        return torch.stack(parts), torch.ones(len(parts), dtype=torch.long)

    def _adapted(self, utt: str, stored: Tensor) -> Tensor:
        return torch.from_numpy(find(self.how).apply(self.state, stored.numpy(), self.group_of.get(utt, "")))


def _seen(config: Config, data: RunData, store: FrameStore, split: Split) -> Seen:
    """Give what the row's adaptation may look at: what it trains on, and all utterances of the speakers in it."""
    adapt, labelled = split.adapt if _uses_target(config) else (), trained_on(config, split)
    corpus_of = data.factors["corpus"]
    return Seen(
        source=list(labelled),
        corpora=pools_of([*labelled, *adapt], corpus_of),
        target=pools_of(adapt, corpus_of),
        speakers=_own_utterances(data, {data.factors["speaker"][utt] for utt in (*split.train, *adapt, *split.dev)}),
        blocks=_blocks(store),
    )


def _blocks(store: FrameStore) -> Callable[[Sequence[str]], Iterator[np.ndarray]]:
    return lambda utts: (store.of(utt).numpy() for utt in utts)


def _groups(config: Config, data: RunData) -> Mapping[str, str]:
    return data.factors.get(find(config.normalization).GROUP, {})


def _own_utterances(data: RunData, speakers: set[str]) -> dict[str, list[str]]:
    """List all utterances of some speakers, whatever their lists and classes."""
    speaker_of = data.factors["speaker"]
    return pools_of((utt for utt in data.frames.lengths if speaker_of.get(utt) in speakers), speaker_of)


# ---- 2. Losses (Eqs. 1 to 6) ----------------------------------------------------------------------------------


def domain_losses(logits: Mapping[str, Tensor], domains: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute the terms of L_D (Eq. 2).

    Args:
        logits: factor -> scores behind gradient reversal, (B, number of domains).
        domains: factor -> domains, (B,); utterances of unknown domain do not count.

    Returns:
        Factor -> mean cross-entropy; zero, with a gradient, where all are unknown.
    """
    return {
        factor: F.cross_entropy(scores, domains[factor], ignore_index=UNKNOWN, reduction="sum")
        / (domains[factor] != UNKNOWN).sum().clamp(min=1)
        for factor, scores in logits.items()
    }


def emotion_losses(
    config: LossConfig, output: CnnBlstmOutput, y: Tensor, center: CenterLoss | None, weight: Tensor | None = None
) -> dict[str, Tensor]:
    """Compute the terms of L_E.

    Eq. 3 prints no logarithm: S is the usual cross-entropy. Eqs. 4 and 5 are read as `CenterLoss` describes.

    Args:
        output: of the labelled utterances, and maybe unlabelled ones behind them.
        y: classes, (M,).
        center: where L_E has it.
        weight: of the classes in S, (C,).

    Returns:
        `softmax` S and maybe `center` C, unweighted.
    """
    reduction = "sum" if config.sum_softmax else "mean"
    losses = {"softmax": F.cross_entropy(output.logits[: len(y)], y, weight=weight, reduction=reduction)}
    if center is not None:
        losses["center"] = center(centered(config, output, len(y)), y)
    return losses


def centered(config: LossConfig, output: CnnBlstmOutput, n: int) -> Tensor:
    """Give what the center loss acts on, of the first n utterances."""
    return (output.z if config.center_on == "fc2" else output.logits)[:n].float()


def objective(config: LossConfig, emotion: Mapping[str, Tensor], domain: Mapping[str, Tensor]) -> Tensor:
    """Add the losses up: L = L_E + gamma L_D (Eq. 1), L_E by Eq. 6."""
    l_e = emotion["softmax"]
    if "center" in emotion:
        l_e = config.lambda_ * l_e + (1 - config.lambda_) * emotion["center"]
    return l_e + config.gamma * sum(domain.values())


def reversal_scale(config: LossConfig, progress: float) -> float:
    """Scale the reversed gradient: 1, or 2 / (1 + exp(-10 p)) - 1 (Ganin et al. 2016), p from 0 to 1 over all epochs.

    The heads' own gradient has the factor gamma from the beginning either way.
    """
    return 1.0 if config.gamma_schedule == "constant" else 2 / (1 + math.exp(-10 * progress)) - 1


# ---- 3. Training ----------------------------------------------------------------------------------------------


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Train one model per training set; a killed run goes on after the last saved epoch."""
    fabric = make_fabric(job.device, config.precision)
    store = FrameStore(data.frames)
    state: dict[str, Tensor] = {}
    history: list[Mapping[str, object]] = []
    owners = _owners(config, data)
    for split in (split for split in data.splits if owners[split.name] == split.name):
        path = job.scratch / f"{split.name}.safetensors"
        if not path.exists():
            unfinished = job.scratch / f"{split.name}.unfinished"
            tensors, epochs = _Training.of_split(fabric, config, data, store, split, seed).run(unfinished)
            write_tensors(path, tensors, epochs)
            remove(unfinished)
        tensors, epochs = read_tensors(path)
        state |= prefixed(tensors, f"{split.name}.")
        history += [{"split": split.name, **epoch} for epoch in epochs]
    return state, history


def _owners(config: Config, data: RunData) -> dict[str, str]:
    """Tell which split's model each split uses: splits that train on the same lists share that of the first."""
    owner: dict[object, str] = {}
    uses_target = _uses_target(config)
    return {
        split.name: owner.setdefault(
            (tuple(split.train.items()), tuple(split.dev.items()), tuple(split.adapt) if uses_target else ()),
            split.name,
        )
        for split in data.splits
    }


class Batch(NamedTuple):
    """A mini-batch of utterances (or segments), its M labelled ones first.

    Attributes:
        x: (B, T, ...), padded.
        lengths: (B,), on the CPU.
        y: classes, (M,).
        domains: factor -> domains, (B,).
    """

    x: Tensor
    lengths: Tensor
    y: Tensor
    domains: dict[str, Tensor]


@dataclass
class _Done:
    """What of a training is done, and the weights of its best epoch (of the last one, where none is chosen)."""

    epoch: int = 0
    best_epoch: int = 0
    best_uar: float = -1.0
    history: list[dict[str, object]] = field(default_factory=list)
    best: State = field(default_factory=dict)


@dataclass
class _Training:
    """The training of one model."""

    fabric: Fabric
    config: Config
    seed: int
    split: Split
    targets: Mapping[str, int]
    dev_y: np.ndarray
    weight: Tensor | None
    input: Input
    batches: DomainBatches
    labels: DomainLabels
    model: nn.Module
    optimizer: torch.optim.Optimizer

    @classmethod
    def of_split(
        cls, fabric: Fabric, config: Config, data: RunData, store: FrameStore, split: Split, seed: int
    ) -> _Training:
        """Make everything that is trained with.

        Raises:
            ConfigError: if target audio is asked for and the split has none, or segments of a feature of frames.
        """
        adapt, labelled = list(split.adapt) if _uses_target(config) else [], trained_on(config, split)
        if _uses_target(config) and not adapt:
            raise ConfigError(f"target_audio: 'unlabelled', but split {split.name} has none; set it to none")
        corpus_of = data.factors["corpus"]
        shape = store.of(next(iter(labelled))).shape[1:]
        if config.unit == "segments" and len(shape) == 1:
            raise ConfigError(
                f"unit: 'segments' needs spectrogram segments, and this feature has frames of {shape[0]} dimensions; "
                "name a feature such as spectrogram, or set unit to utterances"
            )
        is_balanced = config.sampler == "corpus_balanced"
        labels = DomainLabels.of_data(data.factors, config.domains, [*labelled, *adapt])
        for factor, reason in labels.left_out.items():
            print(f"{split.name}: no head for {factor}: {reason}")
        target_pools = list(pools_of(adapt, corpus_of).values()) if labels.domains else []
        source_pools = list(pools_of(labelled, corpus_of).values()) if is_balanced else [list(labelled)]
        targets = dict(zip(labelled, data.targets(labelled).tolist(), strict=True))
        source_pools, target_pools = (
            [_items(config, store, pool) for pool in pools] for pools in (source_pools, target_pools)
        )
        y = np.array([targets[utt] for pool in source_pools for utt in _utts(config, pool)])
        weight = class_weight(y, len(data.classes))
        model = Difl(config, len(data.classes), labels.sizes(), shape, seed)
        optimizer = torch.optim.Adadelta(model.parameters(), **config.optimizer.model_dump())
        model, optimizer = fabric.setup(model, optimizer)
        return cls(
            fabric=fabric,
            config=config,
            seed=seed,
            split=split,
            targets=targets,
            dev_y=data.targets(split.dev),
            weight=fabric.to_device(torch.from_numpy(weight)) if config.class_weights == "balanced" else None,
            input=Input(
                store,
                config.normalization,
                find(config.normalization).fit(_seen(config, data, store, split)),
                _groups(config, data),
            ),
            batches=DomainBatches(source_pools, target_pools, config.batch_size, seed, config.steps_per_epoch),
            labels=labels,
            model=model,
            optimizer=optimizer,
        )

    def run(self, unfinished: Path) -> tuple[dict[str, Tensor], list[dict[str, object]]]:
        """Train, and give the weights of the best or the last epoch with the statistics of the input.

        With `dev: choose`, training ends where dev UAR stops rising.

        Args:
            unfinished: file that the training is saved to, and goes on from if it is there.
        """
        done = self._load(unfinished) if unfinished.exists() else _Done()
        saved = time.monotonic()
        epochs = range(done.epoch, self.config.epochs)
        with _deterministic():
            for epoch in progress(epochs, f"training {self.split.name}", self.config.epochs, done.epoch):
                if self._chooses and self.config.patience and epoch - done.best_epoch >= self.config.patience:
                    break
                row: dict[str, object] = {"epoch": epoch + 1, **self._epoch(epoch)}
                if self._chooses:
                    dev = apply(self.fabric, self.model, self.input, list(self.split.dev), self.config.unit)
                    row["dev_uar"] = dev_uar = uar(self.dev_y, dev.posteriors.argmax(1).numpy())
                    if dev_uar > done.best_uar:
                        done.best_uar, done.best_epoch, done.best = dev_uar, epoch + 1, self.model.module.copy()
                left_out = "; ".join(f"{factor}: {reason}" for factor, reason in self.labels.left_out.items())
                done.epoch = epoch + 1
                done.history.append({**row, "left_out": left_out})
                if time.monotonic() - saved > SAVE_EVERY_S:
                    self._save(unfinished, done)
                    saved = time.monotonic()
        adapted = {f"norm.{name}".rstrip("."): torch.from_numpy(v) for name, v in self.input.state.items()}
        return {**(done.best if self._chooses else self.model.module.copy()), **adapted}, done.history

    @property
    def _chooses(self) -> bool:
        return chooses_on_dev(self.config)

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Go over all batches once and return the mean of each loss."""
        self.model.train()
        total, n_total = 0.0, 0
        names: list[str] = []
        for number, batch in enumerate(prefetched(lambda n: self._batch(epoch, n), range(self.batches.n_batches))):
            losses = self._step(batch, epoch, number)
            names, n = list(losses), len(batch.y)
            values = torch.stack(list(losses.values())).double().cpu()
            if not values.isfinite().all():
                raise DataError(f"training diverged: a loss of epoch {epoch + 1} is not finite; lower optimizer.lr")
            total, n_total = total + values * n, n_total + n
        return dict(zip(names, (total / n_total).tolist(), strict=True))

    def _batch(self, epoch: int, number: int) -> Batch:
        source, target = self.batches.of(epoch, number)
        items, is_cut = source + target, self.config.unit == "segments"
        utts = _utts(self.config, items)
        y = torch.tensor([self.targets[utt] for utt in utts[: len(source)]])
        x, lengths = self.input.of_segments(items) if is_cut else self.input.of(items, self.config.max_segments)
        return Batch(x, lengths, y, self.labels.of(utts))

    def _step(self, batch: Batch, epoch: int, number: int) -> dict[str, Tensor]:
        """Take one step of Adadelta, then one of the centers; give the losses before them."""
        c, n_batches = self.config, self.batches.n_batches
        generator = torch.Generator().manual_seed(seed_of("dropout", self.seed, epoch, number))
        x, y, domains = (self.fabric.to_device(part) for part in (batch.x, batch.y, batch.domains))
        scale = reversal_scale(c.loss, (epoch * n_batches + number) / (c.epochs * n_batches))
        output = self.model(x, batch.lengths, scale, generator)
        center = self.model.module.center
        emotion = emotion_losses(c.loss, output, y, center, self.weight)
        domain = domain_losses(output.domains, domains)
        loss = objective(c.loss, emotion, domain)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        if center is not None:
            center.update(centered(c.loss, output, len(y)).detach(), y)
        parts = {"loss": loss, **{f"loss_{name}": value for name, value in (emotion | domain).items()}}
        return {name: value.detach() for name, value in parts.items()}

    def _save(self, path: Path, done: _Done) -> None:
        about = {name: value for name, value in vars(done).items() if name != "best"}
        save_unfinished(path, self.model.module.state_dict(), done.best, self.optimizer, about)

    def _load(self, path: Path) -> _Done:
        now, best, about = load_unfinished(path, self.optimizer)
        self.model.module.load_state_dict(now)
        return _Done(**about, best=best)


def _items(config: Config, store: FrameStore, utts: Sequence[str]) -> Sequence[str] | Sequence[Segment]:
    """List what a batch may hold of some utterances: themselves, or their segments up to the `max_segments`-th."""
    if config.unit == "utterances":
        return utts
    lengths = {utt: min(store.length(utt), config.max_segments or store.length(utt)) for utt in utts}
    return [Segment(utt, number) for utt in utts for number in range(lengths[utt])]


def _utts(config: Config, items: Sequence[str] | Sequence[Segment]) -> list[str]:
    """Name the utterance of each."""
    return list(items) if config.unit == "utterances" else [segment.utt for segment in items]


def _deterministic() -> AbstractContextManager[None]:
    """Let a GPU compute the same digits every time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


# ---- 4. Test, on whole utterances -----------------------------------------------------------------------------


class Outputs(NamedTuple):
    """h (n, H) and posteriors of the emotion classes (n, C) of some utterances, on the CPU."""

    h: Tensor
    posteriors: Tensor


@torch.no_grad()
def apply(fabric: Fabric, model: nn.Module, inputs: Input, utts: Sequence[str], unit: Unit) -> Outputs:
    """Apply a network to whole utterances, or to all segments of each, of which it takes the mean.

    Raises:
        DataError: if an output is not finite.
    """
    model.eval()
    lengths = [inputs.store.length(utt) for utt in utts]
    step_bytes = 4 * math.prod(inputs.store.of(utts[0]).shape[1:])
    parts = micro_batches(lengths, max(1, APPLY_BYTES // step_bytes))
    rows = torch.tensor([row for part in parts for row in part])
    outputs = []
    for x, n in prefetched(lambda number: inputs.of([utts[r] for r in parts[number]]), range(len(parts))):
        if unit == "segments":
            is_own = torch.arange(x.shape[1]) < n[:, None]  # the rest is padding
            output = model(fabric.to_device(x[is_own].unsqueeze(1)), torch.ones(int(n.sum()), dtype=torch.long))
        else:
            output = model(fabric.to_device(x), n)
        of_items = output.h.float().cpu(), output.logits.float().cpu().softmax(1)
        if unit == "segments":
            of_items = tuple(torch.stack([own.mean(0) for own in v.split(n.tolist())]) for v in of_items)
        outputs.append(of_items)
    order = rows.argsort()
    h, posteriors = (torch.cat(values)[order] for values in zip(*outputs, strict=True))
    if not posteriors.isfinite().all():
        bad = utts[int((~posteriors.isfinite()).any(1).nonzero()[0])]
        raise DataError(f"training diverged: the scores of {bad} are not finite")
    return Outputs(h, posteriors)


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score every test utterance by its posteriors."""
    fabric, store = make_fabric(device, config.precision), FrameStore(data.frames)
    predictions = []
    for split in (split for split in data.splits if split.test):
        utts = list(split.test)
        scores = _apply_trained(fabric, store, config, data, state, split, utts).posteriors.numpy()
        predictions.append(Prediction(split.name, 0, 0, utts, scores))
    return predictions


def embeddings(
    config: Config, data: RunData, state: State, split: Split, utts: Sequence[str], device: Device = "auto"
) -> Tensor:
    """Give h of some utterances under the model of a split, (n, fc1_dim), for domain probes."""
    fabric, store = make_fabric(device, config.precision), FrameStore(data.frames)
    return _apply_trained(fabric, store, config, data, state, split, utts).h


def _apply_trained(
    fabric: Fabric,
    store: FrameStore,
    config: Config,
    data: RunData,
    state: State,
    split: Split,
    utts: Sequence[str],
) -> Outputs:
    own = below(state, f"{_owners(config, data)[split.name]}.")
    adapted = {name[5:]: value.numpy() for name, value in own.items() if name.startswith("norm")}
    if find(config.normalization).GROUP == "speaker":  # those of test speakers are not known from training
        new = {data.factors["speaker"][utt] for utt in utts} - adapted.keys()
        seen = Seen((), {}, {}, _own_utterances(data, new), _blocks(store))
        adapted |= find(config.normalization).fit(seen)
    weights = {name: value for name, value in own.items() if not name.startswith("norm")}
    heads = below(weights, "network.domain_heads.heads.")
    sizes = {name.removesuffix(".bias"): len(value) for name, value in heads.items() if name.endswith(".bias")}
    model = Difl(config, len(data.classes), sizes, store.of(utts[0]).shape[1:], seed=0)
    model.load_state_dict(weights)
    inputs = Input(store, config.normalization, adapted, _groups(config, data))
    return apply(fabric, fabric.setup(model), inputs, utts, config.unit)
