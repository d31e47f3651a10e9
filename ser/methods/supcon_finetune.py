"""Two-stage supervised contrastive fine-tuning (Xiang): the transformer of HuBERT, WavLM or another s3prl model.

Losses, pooling, classifiers and test are those of `supcon`; here the encoder is trained, on audio. Its convolutions
and its feature projection are frozen throughout (Sec. 3.2), and in stage two all of it is. `ft` is the paper's
baseline, and with several `encoder_lrs` its tuned form; adapters (LoRA) may move instead of its own weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from ser.config import ConfigModel
from ser.features.encoders import load_trainable
from ser.features.encoders.transformer import TransformerEncoder
from ser.features.micro_batches import micro_batches
from ser.methods import supcon
from ser.methods.base import About, History, Job, Prediction, State
from ser.methods.supcon import by_corpus, check, collect, mean_cosines, predict_all, train_all, units
from ser.nn.lora import add_lora
from ser.randomness import seed_of
from ser.splits.lists import Split
from ser.system.devices import Device, Precision, count_devices, launch, make_fabric
from ser.training.emotion_batches import EmotionBatches
from ser.training.frames import FrontEndFrames
from ser.training.run_data import RunData
from ser.training.trainer import Crop

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ABOUT = About(
    paper="Xiang",
    needs_torch=True,
    finetunes=True,
    memory="micro_batch_seconds",
    starts_from=["supcon_finetune"],
    by_corpus=True,
    unused={
        "encoder.lora": [{"encoder.tuning": ["full"]}],
        "loss": [{"objective": ["ft"]}],
        "stage_one": [{"objective": ["ft"]}],
        "stage_two": [{"objective": ["ft"]}],
        "ft": [{"objective": ["supcon"]}],
        "similarity_batches": [{"objective": ["ft"]}, {"classifier": ["other"]}],
    },
    untrained={"similarity_batches": [{}], "test_seconds": [{"dev": ["train"]}]},
)


class LoraSettings(ConfigModel):
    """See `add_lora`."""

    rank: int = Field(gt=0)
    alpha: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    targets: list[str] = Field(min_length=1)


class EncoderConfig(ConfigModel):
    """The transformer while it is trained.

    Attributes:
        tuning: its own weights (`full`) or adapters (`lora`).
        dropout: wherever it has one; null keeps its checkpoint's.
        layerdrop: chance that a layer is left out.
        checkpointing: activations are computed again instead of kept, see `TransformerEncoder`.
    """

    tuning: Literal["full", "lora"]
    lora: LoraSettings
    dropout: float | None = Field(default=None, ge=0, lt=1)
    layerdrop: float = Field(ge=0, lt=1)
    checkpointing: bool


class Config(supcon.HeadConfig):
    """A row of the paper's Tables 1 and 2 with a trained encoder.

    Attributes:
        encoder_lrs: of `ft`: rates of the encoder to try, of which the best by dev UAR is kept; null has the one of
            `ft`.
        max_seconds: training takes a part of that length, drawn for every step.
        test_seconds: tests take so much from the beginning. Stage two trains on frames of whole encoded utterances.
        micro_batch_seconds: padded audio that a device takes at once, see `Trainer`.
        similarity_batches: of Fig. 4.
    """

    method: Literal["supcon_finetune"]
    objective: Literal["supcon", "ft"]
    encoder: EncoderConfig
    encoder_lrs: list[float] | None = None
    max_seconds: float = Field(ge=0.1)
    test_seconds: float = Field(ge=0.1)
    precision: Precision
    micro_batch_seconds: float = Field(gt=0)
    similarity_batches: int = Field(gt=0)

    @model_validator(mode="after")
    def _rates_are_chosen_by_dev(self) -> Config:
        if self.encoder_lrs is not None and (self.objective != "ft" or self.dev == "train"):
            raise ValueError(
                "encoder_lrs is for objective 'ft' with dev 'choose' or 'refit', which choose one of them"
            )
        return self


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees."""
    return supcon.target_data(config, is_source)


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels a row learns from."""
    return supcon.trained_on(config, split)


def chooses_on_dev(config: Config) -> bool:
    """Whether a row keeps the epoch with the best dev UAR."""
    return supcon.chooses_on_dev(config)


# ---- 1. Training ----------------------------------------------------------------------------------------------


@dataclass
class AudioBase:
    """An upstream whose transformer is trained, and the audio of all utterances."""

    fabric: Fabric
    config: Config
    data: RunData
    seed: int
    shared: bool = True
    crop: Crop = "random"
    _frames: FrontEndFrames | None = field(default=None)

    @property
    def micro_batch_seconds(self) -> float:
        """As the configuration says."""
        return self.config.micro_batch_seconds

    @property
    def max_seconds(self) -> float:
        """What training takes of an utterance."""
        return self.config.max_seconds

    @property
    def test_seconds(self) -> float:
        """What tests take of one."""
        return self.config.test_seconds

    def encoder(self, labelled: Mapping[str, str]) -> TransformerEncoder:
        """Load the pretrained upstream; the front end's frames are kept for all encoders, as none changes it."""
        c, upstream = self.config.encoder, self.data.encoder
        encoder = load_trainable(upstream.encoder, upstream.ckpt_file(), c.dropout, c.layerdrop)
        encoder.checkpointing = c.checkpointing
        if c.tuning == "lora":
            add_lora(encoder.encoder, **c.lora.model_dump(), seed=seed_of("lora", self.seed))
        encoder = self.fabric.to_device(encoder)
        self._frames = self._frames or FrontEndFrames(encoder, self.data.audio)
        return encoder

    def frames(self) -> FrontEndFrames:
        """Give the front end's frames."""
        if self._frames is None:
            self.encoder({})
        return self._frames


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Train the encoders and classifiers of a row, on all GPUs there are."""
    check(config, init)
    if init is not None:
        return init, [{"model": "those of the row that it starts from"}]
    fabric = make_fabric(job.device, config.precision, count_devices(job.device))
    launch(fabric, _train, config, data, seed, job.scratch)
    return collect(config, data, job.scratch)


def _train(fabric: Fabric, config: Config, data: RunData, seed: int, scratch: Path) -> None:
    train_all(config, data, seed, scratch, lambda: AudioBase(fabric, config, data, seed))


def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score every test utterance by its posteriors."""
    base = AudioBase(make_fabric(device, config.precision), config, data, 0, shared=False)
    return predict_all(config, data, state, base)


# ---- 2. Similarity by layer (Fig. 4) --------------------------------------------------------------------------


@torch.no_grad()
def similarity(config: Config, data: RunData, state: State, device: Device) -> dict[str, np.ndarray]:
    """Compare utterances layer by layer, before and after stage one, on the tested fold of the first split.

    Vectors are means over time of what the transformer takes and what each of its layers gives; batches are those of
    stage one, drawn from the test utterances. `centered` vectors lack their mean over all test utterances: those of a
    pretrained model share most of their length.

    Returns:
        `<before|after>.<raw|centered>.<kind>` -> mean cosine of each layer and batch, (L, batches), NaN for batches
        without such pairs; kinds are those of `mean_cosines`. Nothing for a row without stage one.
    """
    if config.objective != "supcon" or config.classifier == "other":
        return {}
    split = data.splits[0]
    utts = list(split.test)
    corpora = [utt.split("-")[0] for utt in utts]
    pools: dict[str, dict[str, list[str]]] = {}
    for utt, corpus in zip(utts, corpora, strict=True):
        pools.setdefault(corpus, {}).setdefault(split.test[utt], []).append(utt)
    if len(pools) < 2:
        return {}
    batches = EmotionBatches(pools, config.stage_one.batch_size, config.stage_one.emotion_pool, seed_of("Fig. 4"))
    row = {utt: i for i, utt in enumerate(utts)}
    drawn = [batches.of(0, number) for number in range(config.similarity_batches)]
    rows = torch.tensor([[row[utt] for utt in (*batch.positives, *batch.negatives)] for batch in drawn])
    corpus_of = torch.tensor([list(pools).index(corpus) for corpus in corpora])
    base = AudioBase(make_fabric(device, config.precision), config, data, 0, shared=False)
    unit = units(config, data)[split.name, next(iter(by_corpus(split.labelled)))]
    found: dict[str, np.ndarray] = {}
    for when in ("before", "after"):
        encoder = base.encoder({})
        if when == "after":
            supcon.set_encoder(encoder, state, unit)
        vectors = _layer_means(base, encoder.eval(), utts)  # (L, n, D)
        for name, of_layers in (("raw", vectors), ("centered", vectors - vectors.mean(1, keepdim=True))):
            found |= {f"{when}.{name}.{kind}": v for kind, v in _curves(of_layers, rows, corpus_of).items()}
    return found


def _layer_means(base: AudioBase, encoder: TransformerEncoder, utts: list[str]) -> Tensor:
    """Average the hidden states of utterances over time, (L, n, D) on the CPU."""
    frames, parts = base.frames(), []
    seconds = [min(frames.seconds(utt), base.test_seconds) for utt in utts]
    groups = micro_batches(seconds, base.micro_batch_seconds)
    for group in groups:
        members = [frames.of(utts[i], base.test_seconds) for i in group]
        lengths = torch.tensor([len(f) for f in members])
        padded = base.fabric.to_device(torch.nn.utils.rnn.pad_sequence(members, batch_first=True))
        is_pad = torch.arange(padded.shape[1]) >= lengths.unsqueeze(1)
        with base.fabric.autocast():
            states = encoder.hidden_states(padded, base.fabric.to_device(lengths))
            means = [
                h.float().cpu().masked_fill(is_pad.unsqueeze(-1), 0).sum(1) / lengths.unsqueeze(1) for h in states
            ]
        parts.append(torch.stack(means))
    order = torch.tensor([i for group in groups for i in group]).argsort()
    return torch.cat(parts, 1)[:, order]


def _curves(vectors: Tensor, rows: Tensor, corpus_of: Tensor) -> dict[str, np.ndarray]:
    """Average the cosines of each layer's vectors (L, n, D) in each batch, kind -> (L, batches)."""
    kinds = [f"{side}{where}" for side in ("positive", "negative") for where in ("", "_same", "_cross")]
    curves = {kind: np.full((len(vectors), len(rows)), np.nan, np.float32) for kind in kinds}
    for layer, of_layer in enumerate(vectors):
        for number, batch in enumerate(rows):
            for kind, value in mean_cosines(of_layer[batch], corpus_of[batch]).items():
                curves[kind][layer, number] = value
    return curves
