"""Few-shot learning guided by emotion distance, fine-tuned (Yue et al. 2023): `emofsl` with its encoder trained.

x is the mean over time of the last hidden state of a speech encoder whose transformer is trained with F; its
convolutions and its feature projection are frozen. Losses, test and class weights are those of `emofsl`.

The paper's first step trains a feature extractor on a large source corpus with a contrastive objective, its second
tunes a classifier on the few examples. `first_step` has three readings: supervised training on the source, wav2vec
2.0's own pretraining that goes on there without labels, and the pretrained model as it is.

A transformer per support set would not fit a disk, so an adapted row keeps scores: while it is trained, it scores the
speakers that a fold keeps for testing, without their labels, and prediction looks up those of the test list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ser.config import ConfigModel
from ser.errors import ConfigError, DataError
from ser.features.encoders import load_pretraining, load_trainable
from ser.features.encoders.transformer import TransformerEncoder
from ser.methods import emofsl
from ser.methods.base import SCORES, About, History, Job, Prediction, State
from ser.methods.emofsl import AdaptConfig, LossConfig, Objective, SourceConfig
from ser.metrics.classification import uar
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.randomness import seed_of
from ser.splits.lists import Split
from ser.system.devices import Device, Precision, count_devices, launch, make_fabric
from ser.system.progress import progress
from ser.training.checkpoint import below, prefixed, read_tensors, write_tensors
from ser.training.frames import FrontEndFrames
from ser.training.pretraining import PretrainingConfig, go_on
from ser.training.run_data import RunData, class_weight
from ser.training.schedule import Schedule
from ser.training.trainer import MaskConfig, Trainer, copy_weights, set_weights

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ABOUT = About(
    paper="Yue et al. 2023",
    needs_torch=True,
    finetunes=True,
    memory="micro_batch_seconds",
    starts_from=["emofsl_finetune"],
    few_shot=True,
    unused={
        "source": [{"objective": ["btl", "fstl", "emofsl"]}, {"first_step": ["contrastive", "none"]}],
        "pretraining": [{"objective": ["btl", "fstl", "emofsl"]}, {"first_step": ["supervised", "none"]}],
        "model.normalize": [
            {"objective": ["source_only"], "source.objective": ["btl"], "first_step": ["supervised"]},
            {"objective": ["btl"], "predictor": ["classifier"]},
        ],
        "similarity": [
            {"objective": ["source_only"], "first_step": ["supervised"]},
            {"objective": ["btl", "fstl", "emofsl"], "predictor": ["classifier"]},
        ],
    },
    unused_as="emofsl",
)


class ModelConfig(emofsl.ModelConfig):
    """F; `relu` sets negative values of the last hidden state to zero before the mean."""

    relu: bool


class EncoderConfig(ConfigModel):
    """The transformer while it is trained: `dropout` wherever it has one (null: its checkpoint's), and the chance
    that a layer is left out."""

    dropout: float | None = Field(default=None, ge=0, lt=1)
    layerdrop: float = Field(ge=0, lt=1)


class Config(ConfigModel):
    """A row of the paper's Table II, or its source model.

    Attributes:
        first_step: what a row's encoder has gone through before it meets the target: `supervised` training on the
            source's labels; `contrastive`, the pretraining of wav2vec 2.0 on the source's audio, for
            `pretraining.epochs`; or `none`, the checkpoint as it is. Alone (`source_only`), the last two are tested
            by the class means of the support sets, in the space of an F that nobody has trained.
        max_seconds: training takes so much from the beginning of an utterance; tests take all of it.
        mask: spans hidden while training; null hides none.
        micro_batch_seconds: padded audio that a device takes at once, see `Trainer`.
    """

    method: Literal["emofsl_finetune"]
    objective: Literal["source_only"] | Objective
    first_step: Literal["supervised", "contrastive", "none"]
    model: ModelConfig
    encoder: EncoderConfig
    max_seconds: float | None = Field(default=None, ge=0.1)
    mask: MaskConfig | None = None
    pretraining: PretrainingConfig
    source: SourceConfig
    adapt: AdaptConfig
    loss: LossConfig
    predictor: Literal["nearest_mean", "classifier"]
    similarity: Literal["euclidean", "cosine"]
    precision: Precision
    micro_batch_seconds: float = Field(gt=0)


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees; the tested corpus is never a source."""
    return frozenset({"k-shot"}) if _uses_support(config) else frozenset()


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from: the source's, and the support sets that it adapts to."""
    supports = split.support.values() if _uses_support(config) else ()
    source = split.train if config.first_step == "supervised" else {}
    return {**source, **{utt: name for support in supports for utt, name in support.items()}}


def _uses_support(config: Config) -> bool:
    return config.objective != "source_only" or config.first_step != "supervised"


def chooses_on_dev(config: Config) -> bool:
    """Whether a row keeps the epoch with the best dev UAR: supervised source models do."""
    return not _uses_support(config)


def needs_classes(config: Config) -> Sequence[str] | None:
    """List the classes of Eq. 2, where it is used."""
    return emofsl.needs_classes(config)


def refuses_new_audio(config: Config) -> str | None:
    """Tell why a row cannot score other audio than its test lists; None if it can."""
    if not _uses_support(config):
        return None
    return (
        "only the scores of its adapted encoders are kept, not their weights; use the system that it starts from, "
        "or one with frozen features"
    )


# ---- 1. The network (Fig. 2) ----------------------------------------------------------------------------------


class Network(nn.Module):
    """F(x) and class scores of utterances, from the frames of the encoder's front end.

    Args:
        encoder: its transformer is trained.
        config: of F.
        n_classes: C.
        seed: of the head's initial weights.
    """

    def __init__(self, encoder: TransformerEncoder, config: ModelConfig, n_classes: int, seed: int):
        super().__init__()
        self.relu = config.relu
        self.sizes = config.hidden, n_classes
        self.encoder = encoder
        self.head = EmbeddingClassifier(encoder.dim, config.hidden, n_classes, seed)

    def forward(
        self, frames: Tensor, lengths: Tensor, time_mask: Tensor | None = None, feature_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Map frames (B, T', D), their numbers (B,) and masks to F(x) (B, H) and class scores (B, C)."""
        hidden = self.encoder(frames, lengths, time_mask, feature_mask)
        with torch.autocast(hidden.device.type, enabled=False):  # distances need their digits
            hidden = hidden.float()
            if self.relu:
                hidden = hidden.relu()
            valid = torch.arange(hidden.shape[1], device=hidden.device) < lengths.unsqueeze(1)  # (B, T')
            x = hidden.masked_fill(~valid.unsqueeze(-1), 0).sum(1) / lengths.unsqueeze(1)
            return self.head(x)


def _trainer(fabric: Fabric, config: Config, data: RunData, seed: int, shared: bool) -> Trainer:
    encoder = load_trainable(
        data.encoder.encoder, data.encoder.ckpt_file(), config.encoder.dropout, config.encoder.layerdrop
    )
    model = fabric.to_device(Network(encoder, config.model, len(data.classes), seed_of("init", seed)))
    return Trainer(fabric, model, FrontEndFrames(encoder, data.audio), config.micro_batch_seconds, shared)


# ---- 2. Training and adaptation (Sec. III, Eqs. 1 and 2, Table I) ---------------------------------------------


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Take the first step (`source_only`), or adapt to every support set; on all GPUs there are."""
    _check(config, data, init)
    fabric = make_fabric(job.device, config.precision, count_devices(job.device))
    if config.objective != "source_only":
        write_tensors(job.scratch / "init.safetensors", init or {})
        launch(fabric, _adapt_all, config, data, seed, job.scratch)
        return _collect_episodes(data, job.scratch)
    launch(
        fabric, _train_sources if config.first_step == "supervised" else _pretrain, config, data, seed, job.scratch
    )
    return _collect_sources(data, job.scratch)


def _check(config: Config, data: RunData, init: State | None) -> None:
    """Raise ConfigError for classes that Eq. 2 does not know, or a row that starts from another first step."""
    needs_init = config.objective != "source_only" and config.first_step != "none"
    emofsl.check(config, data, init if needs_init else {})
    if needs_init != (init is not None):
        raise ConfigError(f"first_step: '{config.first_step}' starts from the checkpoint; write '-' in column init")
    is_supervised = any(name.startswith(f"{SCORES}k0.") for name in init or ())
    if needs_init and is_supervised != (config.first_step == "supervised"):
        raise ConfigError(f"first_step: '{config.first_step}', but the row in column init took another first step")


def _train_sources(fabric: Fabric, config: Config, data: RunData, seed: int, scratch: Path) -> None:
    """Train every source model and let it score the tested speakers of its splits."""
    trainer = _trainer(fabric, config, data, seed, shared=True)
    start, sources = copy_weights(trainer.model), emofsl.source_of(data)
    for number in sorted(set(sources)):
        path = _source_path(scratch, number)
        if not path.exists():
            set_weights(trainer.model, start)
            split = data.splits[sources.index(number)]
            unfinished = scratch / f"source{number}.unfinished"
            epochs = _train_source(trainer, config, data, split, seed, unfinished)
            scores = {
                f"{SCORES}k0.{split.name}": trainer.outputs(tested(data, split))[1].softmax(-1).unsqueeze(0)
                for split, source in zip(data.splits, sources, strict=True)
                if source == number
            }
            if fabric.is_global_zero:
                write_tensors(path, prefixed(copy_weights(trainer.model), f"source{number}.") | scores, epochs)
                unfinished.unlink()


def _pretrain(fabric: Fabric, config: Config, data: RunData, seed: int, scratch: Path) -> None:
    """Let the pretraining go on for every source, and compare the tested speakers of its splits with support sets."""
    trainer, sources = _trainer(fabric, config, data, seed, shared=True), emofsl.source_of(data)
    for number in sorted(set(sources)):
        path, unfinished = _source_path(scratch, number), scratch / f"source{number}.unfinished"
        if path.exists():
            continue
        epochs: list[dict[str, float]] = []
        splits = [split for split, source in zip(data.splits, sources, strict=True) if source == number]
        if config.first_step == "contrastive":
            encoder, head = load_pretraining(
                data.encoder.encoder, data.encoder.ckpt_file(), config.encoder.dropout, config.encoder.layerdrop
            )
            epochs = go_on(
                fabric, encoder, head, data.audio, list(splits[0].train), config.pretraining,
                config.micro_batch_seconds, seed_of("pretraining", seed), unfinished,
            )  # fmt: skip
            set_weights(trainer.model.encoder, copy_weights(encoder))
        kept = copy_weights(trainer.model) if config.first_step == "contrastive" else {}
        scores = {name: value for split in splits for name, value in _unadapted(trainer, config, data, split).items()}
        if fabric.is_global_zero:
            write_tensors(path, prefixed(kept, f"source{number}.") | scores, epochs)
            unfinished.unlink(missing_ok=True)


def _unadapted(trainer: Trainer, config: Config, data: RunData, split: Split) -> dict[str, Tensor]:
    """Score what a split may test under each of its support sets, by a model that was adapted to none."""
    queries, members = tested(data, split), sorted({utt for own in split.support.values() for utt in own})
    row = {utt: i for i, utt in enumerate(members)}
    z, z_members = trainer.outputs(queries)[0], trainer.outputs(members)[0]
    found: dict[str, list[Tensor]] = {}
    for (k, _), support in split.support.items():
        own, y = z_members[[row[utt] for utt in support]], torch.from_numpy(data.targets(support))
        scores = emofsl.class_mean_scores(config, z, own, y, len(data.classes))
        found.setdefault(f"{SCORES}k{k}.{split.name}", []).append(scores)
    return {name: torch.stack(scores) for name, scores in found.items()}


def _train_source(
    trainer: Trainer, config: Config, data: RunData, split: Split, seed: int, checkpoint: Path
) -> list[dict[str, float]]:
    """Minimize class-balanced cross-entropy on the source and keep the epoch with the best dev UAR."""
    targets, y_dev = data.targets(split.train), data.targets(split.dev)
    y, weight = (
        trainer.fabric.to_device(torch.from_numpy(values))
        for values in (targets, class_weight(targets, len(data.classes)))
    )
    dev = list(split.dev)
    return trainer.fit(
        list(split.train),
        lambda rows, z, logits: emofsl.objective(config, config.source.objective, z, logits, y[rows], weight),
        Schedule(config.source.lr, config.source.epochs, config.source.batch_size),
        seed=seed_of("source", seed),
        max_seconds=config.max_seconds,
        mask=config.mask,
        dev=lambda: uar(y_dev, trainer.outputs(dev)[1].argmax(1).numpy()),
        checkpoint=checkpoint,
        what="source training",
    )


def _adapt_all(fabric: Fabric, config: Config, data: RunData, seed: int, scratch: Path) -> None:
    """Adapt the source model to this process' share of the support sets, and score each fold's tested speakers."""
    trainer = _trainer(fabric, config, data, seed, shared=False)
    init, fresh = read_tensors(scratch / "init.safetensors")[0], copy_weights(trainer.model)
    source_of_split = dict(zip((split.name for split in data.splits), emofsl.source_of(data), strict=True))
    episodes = [(split, k, draw) for split in data.splits for k, draw in split.support]
    share = episodes[fabric.global_rank :: fabric.world_size]
    todo = [episode for episode in share if not _episode_path(scratch, *episode).exists()]
    if fabric.is_global_zero:
        todo = progress(todo, "adaptation", len(share), len(share) - len(todo))
    fold = None
    for split, k, draw in todo:
        if split.name != fold:  # frames of the last fold make room
            fold, trainer = split.name, replace(trainer, frames=FrontEndFrames(trainer.model.encoder, data.audio))
        set_weights(trainer.model, below(init, f"source{source_of_split[fold]}.") if init else fresh)
        support = split.support[k, draw]
        losses = _adapt(trainer, config, data, support, seed_of("adapt", seed, fold, k, draw))
        scores = _scores(trainer, config, data, support, tested(data, split))
        write_tensors(_episode_path(scratch, split, k, draw), {"scores": scores}, losses)


def _adapt(trainer: Trainer, config: Config, data: RunData, support: Mapping[str, str], seed: int) -> list[float]:
    y = trainer.fabric.to_device(torch.from_numpy(data.targets(support)))
    c = config.adapt
    epochs = trainer.fit(
        list(support),
        lambda rows, z, logits: emofsl.objective(config, config.objective, z, logits, y[rows]),
        Schedule(c.lr, c.epochs, c.batch_size, c.lr_decay, c.decay_per),
        seed=seed,
        max_seconds=config.max_seconds,
        mask=config.mask,
    )
    return [epoch["loss"] for epoch in epochs]


def _scores(
    trainer: Trainer, config: Config, data: RunData, support: Mapping[str, str], queries: Sequence[str]
) -> Tensor:
    """Score whole queries under an adapted model and its whole support set, (n, C)."""
    z, logits = trainer.outputs(queries)
    if config.predictor == "classifier":
        return logits.softmax(-1)
    z_support, _ = trainer.outputs(list(support))
    return emofsl.class_mean_scores(config, z, z_support, torch.from_numpy(data.targets(support)), len(data.classes))


def tested(data: RunData, split: Split) -> list[str]:
    """List the utterances that a split may test, told without its test list.

    They are those of all target speakers that the split does not train on or adapt to. Where another split adapts to
    such a speaker, only what it takes counts: the rest of a corpus has other emotions.
    """
    corpora = {utt.split("-")[0] for utt in split.adapt}
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    seen = {speaker_of[utt] for utt in (*split.train, *split.dev, *split.adapt)}
    known = {utt for other in data.splits for utt in other.adapt}
    known_speakers = {speaker_of[utt] for utt in known}
    return [
        utt
        for utt, speaker in speaker_of.items()
        if utt.split("-")[0] in corpora and speaker not in seen and (utt in known or speaker not in known_speakers)
    ]


# ---- 3. What is kept ------------------------------------------------------------------------------------------
#
# source<n>.<name>: trained weights of source model n, without the frozen front end
# scores.k<k>.<split>: (draws, utterances, C) float32, utterances in the order of `tested`; k0 of a supervised source


def _source_path(scratch: Path, number: int) -> Path:
    return scratch / f"source{number}.safetensors"


def _episode_path(scratch: Path, split: Split, k: int, draw: int) -> Path:
    return scratch / f"k{k}.{split.name}.{draw}.safetensors"


def _collect_sources(data: RunData, scratch: Path) -> tuple[State, History]:
    state: dict[str, Tensor] = {}
    history = []
    for number in sorted(set(emofsl.source_of(data))):
        tensors, epochs = read_tensors(_source_path(scratch, number))
        state |= tensors
        history += [
            {"source": number} | {"dev_uar" if k == "dev" else k: v for k, v in row.items()} for row in epochs
        ]
    return state, history


def _collect_episodes(data: RunData, scratch: Path) -> tuple[State, History]:
    state, history = {}, []
    for k in data.shots():
        losses = []
        for number, split in enumerate(data.splits):
            parts = [
                read_tensors(_episode_path(scratch, split, k, e.draw)) for e in data.episodes(k) if e.split == number
            ]
            state[f"{SCORES}k{k}.{split.name}"] = torch.stack([tensors["scores"] for tensors, _ in parts])
            losses += [about for _, about in parts]
        history += [
            {"k": k, "epoch": epoch, "loss": row.mean().item(), "loss_sd": row.std(correction=0).item()}
            for epoch, row in enumerate(torch.tensor(losses).T, start=1)
        ]
    return state, history


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Look up the scores of the test utterances; without any, a source model scores them now.

    Raises:
        DataError: if one was not scored in training, and the weights of its model were not kept.
    """
    if not any(name.startswith(SCORES) for name in state):
        return _predict_sources(config, data, state, device)
    is_source, predictions = not _uses_support(config), []
    are_posteriors = is_source or (config.predictor == "classifier" and config.objective != "source_only")
    for split in (split for split in data.splits if split.test):
        row = {utt: i for i, utt in enumerate(tested(data, split))}
        queries = list(split.test)
        if unknown := [utt for utt in queries if utt not in row]:
            raise DataError(f"split {split.name}: {unknown[0]} was not scored in training; run stages 2 and 4 again")
        rows = [row[utt] for utt in queries]
        draws = [(0, 0)] if is_source else list(split.support)
        for k, draw in draws:
            number = [d for size, d in draws if size == k].index(draw)
            scores = state[f"{SCORES}k{k}.{split.name}"][number, rows].numpy()
            predictions.append(Prediction(split.name, k, draw, queries, scores, are_posteriors=are_posteriors))
    return predictions


def _predict_sources(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score every test utterance by its source model's classifier."""
    if refused := refuses_new_audio(config):
        raise DataError(f"emofsl_finetune: {refused}")
    trainer = _trainer(make_fabric(device, config.precision), config, data, 0, shared=False)
    predictions = []
    for split, source in zip(data.splits, emofsl.source_of(data), strict=True):
        if split.test:
            set_weights(trainer.model, below(state, f"source{source}."))
            scores = trainer.outputs(list(split.test))[1].softmax(-1).numpy()
            predictions.append(Prediction(split.name, 0, 0, list(split.test), scores))
    return predictions
