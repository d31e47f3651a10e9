"""Two-stage supervised contrastive fine-tuning (Xiang), on cached frames: a small adapter stands for the encoder.

Stage one moves the encoder and its pooling so that utterances of one emotion, whatever their corpus, come together:
batches around an emotion e (Sec. 3.1), C = softmax(W_c H^T) H (Eq. 1), L = L_c + L_m (Eqs. 2 to 5). Stage two keeps
the encoder as it is and trains pooling and classifier of one corpus by cross-entropy. Beside it stand `frozen`, stage
two alone, and `ft`, the paper's baseline: everything by cross-entropy, without stage one.

A test utterance is classified by its own corpus' classifier, which knows that corpus' classes alone, or (`other`) by
the other corpus', which has never seen a labelled utterance of its kind: zero-shot as far as stage one allows.

The encoder itself is trained by `supcon_finetune`, which has what is said here of everything above it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from ser.adaptation.base import mean_and_deviation
from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.losses.cosine_margin import CosineMarginLoss, Pairs
from ser.losses.positive_pair_infonce import Form, PositivePairInfoNCELoss
from ser.methods.base import About, History, Job, Prediction, State
from ser.metrics.classification import uar
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.nn.self_attention_pooling import SelfAttentionPooling
from ser.randomness import drawing, seed_of
from ser.splits.lists import Split
from ser.system.devices import Device, make_fabric
from ser.training.checkpoint import below, read_tensors, write_tensors
from ser.training.emotion_batches import EmotionBatches, EmotionPool
from ser.training.frames import COMPUTED_BYTES, FrameStore, KeptFrames
from ser.training.run_data import RunData, class_weight
from ser.training.schedule import Schedule
from ser.training.trainer import Crop, Trainer, copy_weights, set_weights

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ABOUT = About(
    paper="Xiang",
    needs_torch=True,
    needs_gpu=True,
    starts_from=["supcon"],
    by_corpus=True,
    unused={
        "adapter_hidden": [{"objective": ["frozen"]}],
        "loss": [{"objective": ["frozen", "ft"]}],
        "stage_one": [{"objective": ["frozen", "ft"]}],
        "stage_two": [{"objective": ["ft"]}],
        "ft": [{"objective": ["supcon", "frozen"]}],
    },
)

MICRO_BATCH_FRAMES = 1 << 16
"""Padded cached frames that a device takes at once."""


class LossConfig(ConfigModel):
    """Symbols of Eqs. 2 to 5.

    Attributes:
        weight_c, weight_m: of L_c and L_m; 1 in Eq. 5.
        margin_split: the halves of L_m's first term: `chunk` pairs the corpora, which stand one after the other in a
            batch, `random` pairs whatever comes.
    """

    weight_c: float = Field(ge=0)
    weight_m: float = Field(ge=0)
    temperature: float = Field(gt=0)
    form: Form
    alpha: float = Field(ge=0)
    margin: float = Field(ge=-1, le=1)
    margin_pairs: Pairs
    margin_split: Literal["chunk", "random"]


class ScheduleConfig(ConfigModel):
    """Epochs, batches and rate of one training with Adam, see `Schedule`; `encoder_factor` is that of the encoder's
    own rate, `clip` the length of a gradient at most (null: any)."""

    lr: float = Field(gt=0)
    encoder_factor: float = Field(default=1.0, gt=0)
    lr_decay: float = Field(gt=0, le=1)
    decay_from: int = Field(ge=2)
    decay_every: int | None = Field(default=None, gt=0)
    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    clip: float | None = Field(default=None, gt=0)

    def schedule(self, encoder_lr: float | None = None) -> Schedule:
        """Give the schedule, with another rate of the encoder if there is one."""
        factor = self.encoder_factor if encoder_lr is None else encoder_lr / self.lr
        return Schedule(
            lr=self.lr,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr_decay=self.lr_decay,
            decay_from=self.decay_from,
            decay_every=self.decay_every,
            factors={"encoder.": factor},
            clip=self.clip,
        )


class StageOneConfig(ScheduleConfig):
    """Stage one.

    Attributes:
        corpora: `both` trains on all corpora, `own` on that of the classifier alone.
        emotion_pool: whether e may be an emotion that one corpus alone has.
        train_pooling: whether W_c is trained here, or in stage two alone.
        steps_per_epoch: null takes as many as hold all utterances once.
    """

    corpora: Literal["both", "own"]
    emotion_pool: EmotionPool
    train_pooling: bool
    steps_per_epoch: int | None = Field(default=None, gt=0)


class HeadConfig(ConfigModel):
    """What rows have in common, whatever their encoder.

    Attributes:
        objective: `supcon` both stages; `frozen` stage two alone; `ft` the baseline.
        classifier: whose classifier a test utterance meets; `other` takes over a trained row as it is.
        dev: `train` trains on the dev speakers too and keeps the last epoch, as nothing is chosen; `choose` leaves
            them out and keeps the epoch with their best UAR; `refit`, of `ft`, chooses so and then trains anew on all
            utterances for as many epochs: it has seen no fewer than rows that choose nothing.
        hidden: of the classifier.
    """

    objective: Literal["supcon", "frozen", "ft"]
    classifier: Literal["own", "other"]
    dev: Literal["train", "choose", "refit"]
    hidden: int = Field(gt=0)
    class_weights: Literal["none", "balanced"]
    loss: LossConfig
    stage_one: StageOneConfig
    stage_two: ScheduleConfig
    ft: ScheduleConfig

    @model_validator(mode="after")
    def _only_the_baseline_is_refitted(self) -> HeadConfig:
        if self.dev == "refit" and self.objective != "ft":
            raise ValueError("dev 'refit' is for objective 'ft'; allowed for others are 'train' and 'choose'")
        return self


class Config(HeadConfig):
    """A row with cached frames.

    Attributes:
        average_frames: frames in a row that are replaced by their mean, for features with a hundred a second.
        normalization: `source` takes off mean and deviation of what the model is trained on.
        adapter_hidden: size of the adapter between its two layers.
    """

    method: Literal["supcon"]
    average_frames: int = Field(gt=0)
    normalization: Literal["none", "source"]
    adapter_hidden: int = Field(gt=0)


def target_data(config: HeadConfig, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees: its own corpus' classifier, and stage one on both corpora, see its labels."""
    return frozenset({"labelled"} if config.classifier == "own" or _sees_all(config) or is_source else ())


def trained_on(config: HeadConfig, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels the classifiers of the tested corpora learn from, and stage one below them."""
    lists = by_corpus(split.labelled)
    tested = by_corpus(split.test) or lists
    own = {c for c in lists if any((c == corpus) == (config.classifier == "own") for corpus in tested)}
    corpora, labelled = lists if _sees_all(config) else own, split.train if config.dev == "choose" else split.labelled
    return {utt: name for utt, name in labelled.items() if utt.split("-")[0] in corpora}


def chooses_on_dev(config: HeadConfig) -> bool:
    """Whether a row keeps the epoch with the best dev UAR."""
    return config.dev == "choose"


def _sees_all(config: HeadConfig) -> bool:
    return config.objective == "supcon" and config.stage_one.corpora == "both"


# ---- 1. The network (Sec. 3, Eq. 1) ---------------------------------------------------------------------------


class Adapter(nn.Module):
    """Standardized frames x, and with an adapter x + W_2 relu(W_1 x), which is x at first.

    Args:
        dim: size of a frame, D.
        hidden: size between the two layers; None has none, and nothing to train.
        seed: of the initial weights.
    """

    def __init__(self, dim: int, hidden: int | None, seed: int):
        super().__init__()
        self.register_buffer("norm", torch.tensor([[0.0], [1.0]]).repeat(1, dim))  # mean and deviation
        self.down = self.up = None
        if hidden is not None:
            with drawing(seed):
                self.down, self.up = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    @property
    def dim(self) -> int:
        """Size of a frame, D."""
        return self.norm.shape[1]

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Map frames (B, T, D), of which `lengths` (B,) are valid, to (B, T, D)."""
        x = (frames - self.norm[0]) / self.norm[1]
        return x if self.down is None else x + self.up(self.down(x).relu())


class Network(nn.Module):
    """Encoder and pooling, which give C (Eq. 1), or class scores where there is a classifier above them.

    Args:
        encoder: (frames (B, T, D), lengths (B,)) to frames; None takes them as they are, as stage two does with
            those of the encoder that it keeps.
        pool: W_c.
        head: Linear, ReLU, Linear.
    """

    def __init__(
        self, encoder: nn.Module | None, pool: SelfAttentionPooling, head: EmbeddingClassifier | None = None
    ):
        super().__init__()
        self.encoder, self.pool, self.head = encoder, pool, head
        self.sizes = (pool.weight.in_features if head is None else head.classify.out_features,)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor]:
        """Map frames (B, T, D) and their numbers (B,) to C (B, D) or class scores (B, classes)."""
        hidden = frames if self.encoder is None else self.encoder(frames, lengths)
        with torch.autocast(hidden.device.type, enabled=False):  # cosines need their digits
            c = self.pool(hidden.float(), lengths)
            return (c if self.head is None else self.head(c)[1],)


# ---- 2. Losses (Sec. 3, Eqs. 2 to 5) --------------------------------------------------------------------------


def objective(config: LossConfig, c: Tensor, corpus: Tensor, split_seed: int = 0) -> dict[str, Tensor]:
    """Compute L (Eq. 5) of a batch, and what else is to be seen of it.

    Args:
        c: positives, then negatives, (N, D).
        corpus: of each, (N,) int64.
        split_seed: of random halves.

    Returns:
        `loss`; L_c; the terms of L_m; mean cosine of positive and negative pairs, all and by whether they cross
        corpora; and L by whether the positives come from several corpora or one.
    """
    positives, negatives = c.chunk(2)
    l_c = PositivePairInfoNCELoss(config.temperature, config.form)(positives, negatives)
    margin = CosineMarginLoss(config.alpha, config.margin, config.margin_pairs)
    order = torch.arange(len(positives), device=c.device)
    if config.margin_split == "random":
        order = torch.randperm(len(order), generator=torch.Generator().manual_seed(split_seed)).to(c.device)
    attraction, repulsion = margin.terms(positives[order], negatives)
    loss = config.weight_c * l_c + config.weight_m * (config.alpha * attraction + repulsion)
    told = {"loss": loss, "l_c": l_c, "l_m_positive": attraction, "l_m_negative": repulsion}
    told |= mean_cosines(c.detach(), corpus)
    several = (corpus[: len(positives)] != corpus[0]).any()
    return told | {"loss_shared" if several else "loss_single": loss.detach()}


def mean_cosines(c: Tensor, corpus: Tensor) -> dict[str, Tensor]:
    """Average the cosines of all positive pairs i < j and of all positive-negative pairs of a batch.

    Args:
        c, corpus: as in `objective`.

    Returns:
        `positive` and `negative`, each also as `..._same` and `..._cross` corpus where there are such pairs.
    """
    x, n = F.normalize(c, dim=1), len(c) // 2
    cosines, crosses = x @ x.T, corpus.unsqueeze(1) != corpus
    i, j = torch.triu_indices(n, n, offset=1, device=c.device)
    kinds = {"positive": (cosines[i, j], crosses[i, j]), "negative": (cosines[:n, n:], crosses[:n, n:])}
    told = {}
    for kind, (values, cross) in kinds.items():
        told[kind] = values.mean()
        told |= {
            f"{kind}_{where}": values[chosen].mean()
            for where, chosen in (("same", ~cross), ("cross", cross))
            if chosen.any()
        }
    return told


# ---- 3. Which models a row has --------------------------------------------------------------------------------


class Unit(NamedTuple):
    """A classifier, and what the encoder below it has seen.

    Attributes:
        split: on whose lists they are trained.
        seen: corpora of the encoder.
        corpus: of the classifier.
    """

    split: str
    seen: tuple[str, ...]
    corpus: str

    @property
    def encoder_name(self) -> str:
        """Name of the encoder, which other classifiers may share."""
        return f"{self.split}.{'+'.join(self.seen)}"

    @property
    def name(self) -> str:
        """Name of the classifier."""
        return f"{self.encoder_name}.{self.corpus}"


def units(config: HeadConfig, data: RunData) -> dict[tuple[str, str], Unit]:
    """Tell which classifier belongs to a split and a corpus: those trained on the same lists are one.

    Raises:
        ConfigError: for `other` with more than two corpora.
    """
    owner: dict[object, Unit] = {}
    found = {}
    for split in data.splits:
        lists = by_corpus(split.labelled)
        if config.classifier == "other" and len(lists) != 2:
            raise ConfigError(f"classifier: 'other' needs two corpora, the protocol has {', '.join(lists)}")
        for corpus in lists:
            seen = tuple(lists) if _sees_all(config) else (corpus,)
            key = corpus, tuple(utt for name in seen for utt in lists[name])
            found[split.name, corpus] = owner.setdefault(key, Unit(split.name, seen, corpus))
    return found


def by_corpus(labelled: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Part labelled utterances by corpus."""
    parts: dict[str, dict[str, str]] = {}
    for utt, name in labelled.items():
        parts.setdefault(utt.split("-")[0], {})[utt] = name
    return parts


def training_list(config: HeadConfig, split: Split, corpora: Collection[str]) -> dict[str, str]:
    """List what a model is trained on, without what it chooses by: utterance -> class."""
    labelled = split.labelled if config.dev == "train" else split.train
    return {
        utt: name for corpus, part in by_corpus(labelled).items() if corpus in corpora for utt, name in part.items()
    }


def classes_of(data: RunData, labelled: Mapping[str, str]) -> list[int]:
    """List the indices of the classes that a corpus has."""
    present = set(labelled.values())
    return [i for i, name in enumerate(data.classes) if name in present]


# ---- 4. Training (Sec. 4) -------------------------------------------------------------------------------------


class FrameSource(Protocol):
    """Frames of utterances, as `Trainer` asks for them; `seconds` may count anything that grows with the length."""

    def seconds(self, utt: str) -> float: ...

    def of(self, utt: str, max_seconds: float | None) -> Tensor: ...


class Base(Protocol):
    """What stands below pooling and classifier, and how it is trained and applied.

    Attributes:
        fabric: device, precision and processes.
        micro_batch_seconds, shared: of `Trainer`.
        max_seconds, crop: what training takes of an utterance.
        test_seconds: what tests take of one.
    """

    fabric: Fabric
    micro_batch_seconds: float
    shared: bool
    max_seconds: float | None
    crop: Crop
    test_seconds: float | None

    def encoder(self, labelled: Mapping[str, str]) -> nn.Module:
        """Make the encoder as it is before any training, for a model that is trained on some utterances."""

    def frames(self) -> FrameSource:
        """Give what the encoder takes."""


class Encoded:
    """Frames behind an encoder that is no longer trained: kept while there is room, else computed anew.

    Args:
        encoder: already on its device.
        frames: that it takes.
        fabric: device and precision.
        max_bytes: what is kept at most.
    """

    def __init__(self, encoder: nn.Module, frames: FrameSource, fabric: Fabric, max_bytes: int = COMPUTED_BYTES):
        self.encoder, self.frames, self.fabric = encoder.eval(), frames, fabric
        self._kept = KeptFrames(max_bytes)

    def seconds(self, utt: str) -> float:
        """As the frames'."""
        return self.frames.seconds(utt)

    def of(self, utt: str, max_seconds: float | None) -> Tensor:
        """Give the frames of a whole utterance, or as many as its beginning has, (T, D) float32 on the CPU."""
        frames = self._kept.get(utt, lambda: self._encoded(utt))
        if max_seconds is None or self.seconds(utt) <= max_seconds:
            return frames
        return frames[: max(1, round(len(frames) * max_seconds / self.seconds(utt)))]

    @torch.no_grad()
    def _encoded(self, utt: str) -> Tensor:
        frames = self.fabric.to_device(self.frames.of(utt, None).unsqueeze(0))
        with self.fabric.autocast():
            out = self.encoder(frames, self.fabric.to_device(torch.tensor([frames.shape[1]])))
        return out.squeeze(0).float().cpu()


@dataclass(frozen=True)
class EmotionRows:
    """Batches around an emotion, as rows of a list of utterances."""

    batches: EmotionBatches
    n_batches: int
    row_of: Mapping[str, int]

    def rows(self, epoch: int, number: int) -> Tensor:
        """List the positives, then the negatives."""
        _, positives, negatives = self.batches.of(epoch, number)
        return torch.tensor([self.row_of[utt] for utt in (*positives, *negatives)])


def stage_one(
    trainer: Trainer, config: HeadConfig, base: Base, labelled: Mapping[str, str], seed: int, checkpoint: Path | None
) -> list[dict[str, float]]:
    """Train encoder and pooling on batches around an emotion; give the history."""
    c, utts = config.stage_one, list(labelled)
    corpora = [utt.split("-")[0] for utt in utts]
    names = list(dict.fromkeys(corpora))
    pools: dict[str, dict[str, list[str]]] = {name: {} for name in names}
    for utt, corpus in zip(utts, corpora, strict=True):
        pools[corpus].setdefault(labelled[utt], []).append(utt)
    batches = EmotionBatches(pools, c.batch_size, c.emotion_pool, seed_of("stage one", seed))
    corpus_of = trainer.fabric.to_device(torch.tensor([names.index(corpus) for corpus in corpora]))
    return trainer.fit(
        utts,
        lambda rows, c: objective(config.loss, c, corpus_of[rows], seed_of("margin split", seed, *rows.tolist())),
        c.schedule(),
        seed=seed_of("stage one", seed),
        max_seconds=base.max_seconds,
        crop=base.crop,
        batches=EmotionRows(batches, c.steps_per_epoch or batches.n_batches, {utt: i for i, utt in enumerate(utts)}),
        checkpoint=checkpoint,
        what="stage one",
    )


def classify(
    trainer: Trainer,
    config: HeadConfig,
    base: Base,
    data: RunData,
    split: Split,
    corpus: str,
    schedule: Schedule,
    seed: int,
    checkpoint: Path | None,
) -> list[dict[str, float]]:
    """Train whatever the model has to train by cross-entropy on one corpus: stage two, or the baseline."""
    labelled, dev = training_list(config, split, [corpus]), by_corpus(split.dev).get(corpus, {})
    own = classes_of(data, by_corpus(split.labelled)[corpus])
    targets = np.array([own.index(i) for i in data.targets(labelled).tolist()])
    y, balanced = (
        trainer.fabric.to_device(torch.from_numpy(values)) for values in (targets, class_weight(targets, len(own)))
    )
    weight = balanced if config.class_weights == "balanced" else None

    def dev_uar() -> float:
        predicted = trainer.outputs(list(dev), base.test_seconds)[0].argmax(1)
        return uar(data.targets(dev), torch.tensor(own)[predicted].numpy())

    return trainer.fit(
        list(labelled),
        lambda rows, logits: F.cross_entropy(logits, y[rows], weight=weight),
        schedule,
        seed=seed_of("classifier", seed, corpus),
        max_seconds=base.max_seconds,
        crop=base.crop,
        dev=None if config.dev == "train" else dev_uar,
        checkpoint=checkpoint,
        what=f"classifier of {corpus}",
    )


def train_unit(
    config: HeadConfig, base: Base, data: RunData, unit: Unit, seed: int, scratch: Path
) -> tuple[dict[str, Tensor], list[dict[str, object]]]:
    """Train a classifier, and the encoder below it unless it is done; their weights by name, and their histories."""
    split = next(split for split in data.splits if split.name == unit.split)
    own = classes_of(data, by_corpus(split.labelled)[unit.corpus])
    encoder = base.fabric.to_device(base.encoder(training_list(config, split, unit.seen)))
    pool = SelfAttentionPooling(encoder.dim, seed_of("pooling", seed))
    head = EmbeddingClassifier(encoder.dim, config.hidden, len(own), seed_of("classifier", seed, unit.corpus))

    def trainer(model: Network, frames: FrameSource) -> Trainer:
        model = base.fabric.to_device(model)
        return Trainer(base.fabric, model, frames, base.micro_batch_seconds, base.shared)

    def labelled(history: Sequence[Mapping[str, object]], stage: str) -> list[dict[str, object]]:
        return [{"model": unit.name if stage != "one" else unit.encoder_name, "stage": stage, **h} for h in history]

    if config.objective == "ft":
        model = Network(encoder, pool, head)
        history = _ft(trainer(model, base.frames()), config, base, data, split, unit, seed, scratch)
        return _named(unit, model), labelled(history, "ft")
    histories: list[dict[str, object]] = []
    if config.objective == "supcon":
        path = scratch / f"{unit.encoder_name}.safetensors"
        model = Network(encoder, pool)
        pool.requires_grad_(config.stage_one.train_pooling)
        if path.exists():
            weights, history = read_tensors(path)
            set_kept(model, weights)
        else:
            history = stage_one(
                trainer(model, base.frames()), config, base, training_list(config, split, unit.seen), seed,
                scratch / f"{unit.encoder_name}.unfinished",
            )  # fmt: skip
            if base.fabric.is_global_zero:
                write_tensors(path, kept(model), history)
                (scratch / f"{unit.encoder_name}.unfinished").unlink(missing_ok=True)
        histories += labelled(history, "one")
        pool.requires_grad_(True)
    frames = Encoded(encoder, base.frames(), base.fabric)
    history = classify(
        trainer(Network(None, pool, head), frames), config, base, data, split, unit.corpus,
        config.stage_two.schedule(), seed, None,
    )  # fmt: skip
    return _named(unit, Network(encoder, pool, head)), histories + labelled(history, "two")


def _ft(
    trainer: Trainer,
    config: HeadConfig,
    base: Base,
    data: RunData,
    split: Split,
    unit: Unit,
    seed: int,
    scratch: Path,
) -> list[dict[str, float]]:
    """Train the baseline; with several rates of the encoder each of them, and keep the one with the best dev UAR."""
    start, best, best_weights, chosen, histories = copy_weights(trainer.model), -1.0, None, (None, 0), []

    def trained(config: HeadConfig, encoder_lr: float | None, name: str) -> list[dict[str, float]]:
        set_weights(trainer.model, start)
        schedule, checkpoint = config.ft.schedule(encoder_lr), scratch / f"{unit.name}.{name}.unfinished"
        history = classify(trainer, config, base, data, split, unit.corpus, schedule, seed, checkpoint)
        told = {} if encoder_lr is None else {"encoder_lr": encoder_lr}
        histories.extend({**told, **epoch} for epoch in history)
        return history

    for encoder_lr in getattr(config, "encoder_lrs", None) or [None]:
        scores = [epoch.get("dev", 0.0) for epoch in trained(config, encoder_lr, str(encoder_lr))]
        if max(scores) > best:
            best, best_weights, chosen = (
                max(scores),
                copy_weights(trainer.model),
                (encoder_lr, scores.index(max(scores)) + 1),
            )
    set_weights(trainer.model, best_weights)
    if config.dev == "refit":
        encoder_lr, epochs = chosen
        ft = config.ft.model_copy(update={"epochs": epochs})
        trained(config.model_copy(update={"dev": "train", "ft": ft}), encoder_lr, "refit")
    return histories


def kept(model: nn.Module) -> dict[str, Tensor]:
    """Copy what training decides of a model: trainable weights and buffers."""
    return copy_weights(model) | {name: value.cpu().clone() for name, value in model.named_buffers()}


def set_kept(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Set what `kept` copied."""
    buffers = dict(model.named_buffers())
    set_weights(model, {name: value for name, value in weights.items() if name not in buffers})
    for name, value in buffers.items():
        value.copy_(weights[name])


def _named(unit: Unit, model: Network) -> dict[str, Tensor]:
    """Name weights by model: encoders are shared."""
    return {
        f"{unit.encoder_name if name.startswith('encoder.') else unit.name}.{name}": value
        for name, value in kept(model).items()
    }


def train_all(
    config: HeadConfig, data: RunData, seed: int, scratch: Path, base_of: Callable[[], Base]
) -> tuple[State, History]:
    """Train every classifier of a row; a killed run goes on with the one that it was at."""
    base = None
    for unit in dict.fromkeys(units(config, data).values()):
        path = scratch / f"{unit.name}.classifier.safetensors"
        if not path.exists():
            base = base or base_of()
            weights, history = train_unit(config, base, data, unit, seed, scratch)
            if base.fabric.is_global_zero:
                write_tensors(path, weights, history)
    return collect(config, data, scratch) if base is None or base.fabric.is_global_zero else ({}, [])


def collect(config: HeadConfig, data: RunData, scratch: Path) -> tuple[State, History]:
    """Gather the trained classifiers of a row."""
    state: dict[str, Tensor] = {}
    history: list[Mapping[str, object]] = []
    told: set[str] = set()
    for unit in dict.fromkeys(units(config, data).values()):
        tensors, epochs = read_tensors(scratch / f"{unit.name}.classifier.safetensors")
        state |= tensors
        history += [epoch for epoch in epochs if epoch["model"] not in told]  # classifiers share stage one
        told.add(unit.encoder_name)
    return state, history


# ---- 5. Test --------------------------------------------------------------------------------------------------


def predict_all(config: HeadConfig, data: RunData, state: State, base: Base) -> list[Prediction]:
    """Score every test utterance by the posteriors of its own or the other corpus' classifier.

    Classes that a classifier does not know have the score 0.
    """
    unit_of, predictions = units(config, data), []
    for split in (split for split in data.splits if split.test):
        scores = torch.zeros(len(split.test), len(data.classes))
        rows = {utt: i for i, utt in enumerate(split.test)}
        for corpus, tested in by_corpus(split.test).items():
            (other,) = (c for c in by_corpus(split.labelled) if c != corpus) if config.classifier == "other" else [""]
            unit = unit_of[split.name, other or corpus]
            own, trainer = load_unit(config, base, data, state, unit)
            (logits,) = trainer.outputs(list(tested), base.test_seconds)
            places = torch.tensor([rows[utt] for utt in tested])
            scores[places.unsqueeze(1), torch.tensor(own)] = logits.softmax(1)
        predictions.append(Prediction(split.name, 0, 0, list(split.test), scores.numpy()))
    return predictions


def load_unit(config: HeadConfig, base: Base, data: RunData, state: State, unit: Unit) -> tuple[list[int], Trainer]:
    """Build a trained model: the indices of its classes, and what applies it."""
    split = next(split for split in data.splits if split.name == unit.split)
    own = classes_of(data, by_corpus(split.labelled)[unit.corpus])
    encoder = base.encoder({})
    model = Network(
        encoder, SelfAttentionPooling(encoder.dim), EmbeddingClassifier(encoder.dim, config.hidden, len(own), 0)
    )
    parts = {"encoder.": unit.encoder_name, "pool.": unit.name, "head.": unit.name}
    set_kept(
        model, {part + k: v for part, owner in parts.items() for k, v in below(state, f"{owner}.{part}").items()}
    )
    return own, Trainer(base.fabric, base.fabric.to_device(model), base.frames(), base.micro_batch_seconds, False)


def set_encoder(encoder: nn.Module, state: State, unit: Unit) -> None:
    """Set the weights of a trained encoder."""
    set_kept(encoder, below(state, f"{unit.encoder_name}.encoder."))


# ---- 6. On cached frames --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CachedBase:
    """Cached frames of a frozen upstream, and an adapter where the objective trains one."""

    fabric: Fabric
    config: Config
    store: FrameStore
    seed: int
    micro_batch_seconds: float = MICRO_BATCH_FRAMES
    shared: bool = False
    max_seconds: float | None = None
    crop: Crop = "start"
    test_seconds: float | None = None
    _averaged: dict[str, Tensor] = field(default_factory=dict)

    def encoder(self, labelled: Mapping[str, str]) -> Adapter:
        """Make the adapter; without utterances, without their statistics."""
        hidden = None if self.config.objective == "frozen" else self.config.adapter_hidden
        adapter = Adapter(self.store.frames.frame_shape[-1], hidden, seed_of("adapter", self.seed))
        if self.config.normalization == "source" and labelled:
            adapter.norm.copy_(torch.from_numpy(mean_and_deviation(self.of(utt).numpy() for utt in labelled)))
        return adapter

    def frames(self) -> CachedBase:
        """Give itself: cached frames need nothing else."""
        return self

    def seconds(self, utt: str) -> float:
        """Count the frames of an utterance, without reading them."""
        return -(-self.store.length(utt) // self.config.average_frames)

    def of(self, utt: str, max_seconds: float | None = None) -> Tensor:
        """Give the frames of an utterance, (T, D) float32."""
        if self.config.average_frames == 1:
            return self.store.of(utt)
        if utt not in self._averaged:
            frames = self.store.of(utt).T  # (D, T)
            self._averaged[utt] = F.avg_pool1d(frames, self.config.average_frames, ceil_mode=True).T.contiguous()
        return self._averaged[utt]


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Train the classifiers of a row, and the adapters below them."""
    check(config, init)
    if init is not None:
        return init, [{"model": "those of the row that it starts from"}]
    fabric = make_fabric(job.device)
    return train_all(
        config, data, seed, job.scratch, lambda: CachedBase(fabric, config, FrameStore(data.frames), seed)
    )


def check(config: HeadConfig, init: State | None) -> None:
    """Raise ConfigError unless a row takes over a trained one if, and only if, it tests the other classifiers."""
    if (config.classifier == "other") != (init is not None):
        raise ConfigError(
            f"classifier: '{config.classifier}' found in a row {'without' if init is None else 'with'} 'init'; "
            "'other' needs a trained row in the column init of runs.tsv, 'own' takes none"
        )


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score every test utterance by its posteriors."""
    return predict_all(config, data, state, CachedBase(make_fabric(device), config, FrameStore(data.frames), 0))
