"""What a feature is: an upstream, a layer and a pooling; and the key under which it is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ser.config import ConfigModel
from ser.data.audio import RESAMPLER
from ser.errors import ConfigError, DataError
from ser.features import hub
from ser.features.facts import Facts
from ser.system.environment import pip_install, version
from ser.system.files import fingerprint, hash_file

FRONT_END = 1
"""Raise it when the same settings would give other numbers."""

ROUNDING = 2
"""Raise it when they would in bf16 alone."""

Pooling = Literal["mean", "mean+std", "none"]

JOINED = "+"
"""Between the names of features that are put side by side, as in a table's `byol_s+egemaps`."""

SPECTROGRAM = "spectrogram_segments"
"""Name of the upstream that `Segments` are for."""


SIDE_BY_SIDE = "side_by_side"
"""Name of the upstream of a feature that puts the vectors of others side by side."""

EGEMAPS = "egemaps"
"""Name of the upstream that is openSMILE's."""

SHORTCUT = "shortcut"
"""Name of the upstream of duration, level and silence."""

OWN = "own"
"""Name of the upstream of features that were computed elsewhere."""

TRANSFORMERS = ("wav2vec2", "hubert", "wavlm", "data2vec", "xlsr", "xls_r", hub.PREFIX)
"""Beginnings of the names of upstreams that are mostly matrix products."""


WEIGHTED = "weighted"
"""All hidden states of an encoder, for a method that weighs them."""

Layers = Literal["weighted"] | tuple[int, ...]
"""Several hidden states of an encoder: all of them, or some, from 0 upwards."""


def layer_text(layer: int | str, layers: str | Sequence[int] | None) -> str:
    """Say in words which hidden states a feature has.

    Example:
        >>> layer_text(9, None), layer_text("last", (4, 8)), layer_text("last", WEIGHTED)
        ('layer 9', 'layers 4 and 8', 'all layers')
    """
    if layers is None:
        return f"layer {layer}"
    if layers == WEIGHTED:
        return "all layers"
    *first, last = map(str, layers)
    return f"layers {', '.join(first)} and {last}"


def framing_problem(segment_samples: int, window_samples: int, n_fft: int, n_bins: int) -> str | None:
    """Tell what of a framing does not fit together; None if all does."""
    if not 1 <= window_samples <= min(n_fft, segment_samples):
        return (
            f"window_samples: {window_samples} is not in 1 to {min(n_fft, segment_samples)}, the smaller of n_fft "
            "and segment_samples"
        )
    if not 1 <= n_bins <= n_fft // 2 + 1:
        return f"n_bins: {n_bins} is not in 1 to {n_fft // 2 + 1}, the range of n_fft {n_fft}"
    return None


class Segments(ConfigModel):
    """The settings of `ser.features.spectrogram.spectrogram_segments`, told there, with its defaults."""

    segment_samples: int = Field(default=4240, gt=0)
    segment_hop_samples: int = Field(default=4240, gt=0)
    min_fill: float = Field(default=0.5, ge=0, le=1)
    window_samples: int = Field(default=256, gt=0)
    hop_samples: int = Field(default=128, gt=0)
    n_fft: int = Field(default=256, gt=0)
    n_bins: int = Field(default=129, gt=0)
    window: Literal["hamming", "hann"] = "hamming"
    scale: Literal["log", "magnitude"] = "log"
    floor: float = Field(default=1e-6, gt=0)

    @model_validator(mode="after")
    def _framing_fits(self) -> Segments:
        if problem := framing_problem(self.segment_samples, self.window_samples, self.n_fft, self.n_bins):
            raise ValueError(problem)
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Frames and bins of one segment."""
        return 1 + (self.segment_samples - self.window_samples) // self.hop_samples, self.n_bins


class FeatureConfig(ConfigModel):
    """A feature vector per utterance, or a sequence of frames (`conf/features/*.yaml`).

    Attributes:
        upstream: s3prl's name, `hf:` and a name on the Hugging Face hub or a folder in its layout, `byol_s` (512
            dimensions, from a file), `shortcut`, `egemaps`, `spectrogram_segments`, or `own`, computed elsewhere.
        revision: commit, tag or branch of a name on the hub; `main` where missing, as it was when it was downloaded.
        ckpt: checkpoint file; `$NAME` stands for a line of `conf/db.sh`.
        layer: which hidden state, 0 the front end's output, or `last`.
        layers: several hidden states in place of one, pooled and kept apart: `weighted`, all of them, for a method
            that learns their weights, or a list such as [4, 8, 12], which other methods take side by side.
        pooling: over the valid frames; `none` keeps them all.
        precision: of the upstream. `auto`, for transformers, is bf16 where hardware
            multiplies bf16 matrices, else fp32; `feats.json` records the choice.
        storage: of the numbers of several layers in the archive; `fp16` takes half the space. Others are float32.
        hop_ms: hop between windows, for `byol_s`.
        segments: for `spectrogram_segments`; its defaults where missing.
        parts: for `side_by_side`, name -> feature, in the order of their vectors; `ckpt` is then that of the part
            that has one.
        path: for `own`, a folder with one for each corpus, see `ser.features.own`.
        about: facts of the encoder (paper, trained_on, download, license, contamination), which decide no number.
    """

    upstream: str
    revision: str | None = Field(default=None, min_length=1)
    ckpt: str | None = Field(default=None, min_length=1)
    layer: int | Literal["last"] = "last"
    layers: Layers | None = None
    pooling: Pooling = "mean"
    precision: Literal["auto", "fp32", "bf16"] = "fp32"
    storage: Literal["fp32", "fp16"] = "fp32"
    hop_ms: int | None = Field(default=None, gt=0)
    segments: Segments | None = None
    parts: dict[str, FeatureConfig] | None = None
    path: str | None = Field(default=None, min_length=1)
    about: Facts | None = Field(default=None, exclude=True)  # of no key, and of no trained model's settings

    @field_validator("layer", mode="before")
    @classmethod
    def _layer_is_one(cls, value: object) -> object:
        if value == "all":
            raise ValueError("'all' is written as 'layers: weighted'")
        return value

    @field_validator("layers", mode="before")
    @classmethod
    def _layers_are_several(cls, value: object) -> object:
        if value in (None, WEIGHTED):
            return value
        numbers = list(value) if isinstance(value, list | tuple) else []
        if len(numbers) < 2 or any(type(n) is not int or n < 0 for n in numbers) or numbers != sorted({*numbers}):
            raise ValueError(f"found {value}; allowed are 'weighted' and a rising list such as [4, 8, 12]")
        return tuple(numbers)

    @model_validator(mode="after")
    def _settings_belong_to_the_upstream(self) -> FeatureConfig:
        if (self.parts is None) == (self.upstream == SIDE_BY_SIDE):
            raise ValueError(f"parts is for {SIDE_BY_SIDE}, which needs it, not for {self.upstream}")
        if self.hop_ms is not None and self.upstream != "byol_s":
            raise ValueError("hop_ms is only for byol_s; other upstreams have their own hop")
        if self.segments is not None and self.upstream != SPECTROGRAM:
            raise ValueError(f"segments is only for {SPECTROGRAM}, not for {self.upstream}")
        if self.precision == "auto" and not self.upstream.startswith(TRANSFORMERS):
            raise ValueError(f"precision: 'auto' is for transformers ({', '.join(TRANSFORMERS)}); {self.upstream} "
                             "takes fp32 or bf16")  # fmt: skip
        if self.is_sequence and self.upstream in (SHORTCUT, EGEMAPS):
            raise ValueError(f"pooling: 'none' is not for {self.upstream}, which is one vector")
        if not self.is_sequence and self.upstream == SPECTROGRAM:
            raise ValueError(f"pooling: found '{self.pooling}'; {SPECTROGRAM} takes only 'none'")
        return self

    @model_validator(mode="after")
    def _layers_are_of_an_encoder(self) -> FeatureConfig:
        if self.layers is None:
            if self.storage != "fp32":
                raise ValueError(f"storage: '{self.storage}' is for several 'layers'; other features are float32")
            return self
        if self.layer != "last":
            raise ValueError(f"layer: found {self.layer} beside 'layers'; 'layer: null' takes that of a base away")
        if self.upstream in (SHORTCUT, EGEMAPS, OWN, SPECTROGRAM, SIDE_BY_SIDE):
            raise ValueError(f"layers is for encoders, not for {self.upstream}")
        if self.pooling != "mean":
            raise ValueError(f"pooling: found '{self.pooling}'; layers take only 'mean'")
        return self

    @model_validator(mode="after")
    def _files_belong_to_the_upstream(self) -> FeatureConfig:
        if (self.path is None) == (self.upstream == OWN):
            raise ValueError(f"path is for upstream '{OWN}', which needs it, not for {self.upstream}")
        if self.upstream == OWN and (self.layer, self.precision) != ("last", "fp32"):
            raise ValueError(f"layer and precision are not for {OWN}, whose numbers are there already")
        if (self.is_hub or "emotion2vec" in self.upstream) and (problem := hub.problem(self.upstream, self.revision)):
            raise ValueError(problem)
        if self.is_hub and self.ckpt:
            raise ValueError(f"ckpt is not for {self.upstream}; a folder is named as hf:FOLDER")
        if self.revision and not self.is_hub:
            raise ValueError(f"revision is only for hf:NAME, not for {self.upstream}")
        return self

    @property
    def is_sequence(self) -> bool:
        """Whether an utterance has frames, and not one vector."""
        return self.pooling == "none"

    @property
    def up_to(self) -> int | None:
        """The last hidden state that is needed, from 0; None needs all."""
        if self.layers is not None:
            return None if self.layers == WEIGHTED else self.layers[-1]
        return self.layer if isinstance(self.layer, int) else None

    @property
    def n_dims(self) -> int:
        """Dimensions of what is stored of an utterance: a vector, or frames or layers of vectors."""
        return 2 if self.is_sequence or self.layers is not None else 1

    @property
    def is_network(self) -> bool:
        """Whether it computes tensors; the others need no GPU, and do not wait for torch."""
        if self.parts is not None:
            return any(part.is_network for part in self.parts.values())
        return self.upstream not in (SHORTCUT, EGEMAPS, OWN)

    @property
    def is_hub(self) -> bool:
        """Whether it is a model of the Hugging Face hub or in its layout."""
        return hub.is_hub(self.upstream)

    @property
    def encoder(self) -> str:
        """Name by which `ser.features.encoders` loads it."""
        return hub.joined(self.upstream, self.revision)

    @property
    def segment_settings(self) -> Segments | None:
        """Settings of the segments with defaults filled in; None for other upstreams."""
        return (self.segments or Segments()) if self.upstream == SPECTROGRAM else None

    def ckpt_file(self) -> str | None:
        """Find the checkpoint file.

        Raises:
            ConfigError: if its variable is not set, or there is no such file.
        """
        if self.ckpt is None:
            return None
        path = os.path.expandvars(self.ckpt) if os.environ.get(self.ckpt[1:]) or self.ckpt[0] != "$" else ""
        if not path:
            raise ConfigError(f"feature needs the checkpoint {self.ckpt}; set {self.ckpt[1:]} in conf/db.sh")
        if not Path(path).is_file():
            name = f"set {self.ckpt[1:]} to" if self.ckpt[0] == "$" else "name"
            folder = "; a folder of the hub's layout is 'upstream: hf:FOLDER'" if Path(path).is_dir() else ""
            raise ConfigError(f"ckpt: no file '{path}'; {name} a checkpoint file{folder}")
        return path

    def own_folder(self) -> Path:
        """Find the folder of features that were computed elsewhere.

        Raises:
            ConfigError: if there is none.
        """
        folder = Path(os.path.expandvars(self.path or "")).expanduser()
        if not folder.is_dir():
            variable = (self.path or "").lstrip("$").partition("/")[0]
            todo = f"set {variable} in conf/db.sh" if "$" in str(folder) else "name one with a folder for each corpus"
            raise ConfigError(f"path: no folder '{folder}'; {todo}")
        return folder

    def check_usable(self) -> None:
        """Raise ConfigError for what this machine lacks: a checkpoint file, a model's folder, or openSMILE."""
        self.ckpt_file()
        if self.upstream == EGEMAPS:
            opensmile_version()
        if self.upstream == OWN:
            self.own_folder()
        if self.is_hub:
            hub.check_usable(self.upstream, self.revision)
        for part in self.in_parts().values():
            part.check_usable()

    def with_precision(self, known: Mapping[str, str]) -> FeatureConfig:
        """Fill in the precisions that were chosen: by name where several stand side by side, else of it alone."""
        if self.parts is None:
            return self.model_copy(update={"precision": next(iter(known.values()), self.precision)})
        parts = {name: part.with_precision({n: p for n, p in known.items() if n == name})
                 for name, part in self.parts.items()}  # fmt: skip
        return self.model_copy(update={"parts": parts})

    def in_parts(self) -> dict[str, FeatureConfig]:
        """Give the features that are put side by side, with the checkpoint of the whole; none if it is only one."""
        return {
            name: part if part.ckpt is None else part.model_copy(update={"ckpt": self.ckpt})
            for name, part in (self.parts or {}).items()
        }

    def identity(self) -> dict[str, object]:
        """Tell everything that decides the numbers, as JSON."""
        ckpt = self.ckpt_file()
        if self.parts is not None:
            identities = {name: part.identity() for name, part in self.in_parts().items()}
            parts = {name: {k: v for k, v in of.items() if k != "ckpt_hash"} for name, of in identities.items()}
            return {"upstream": self.upstream, "parts": parts, "ckpt_hash": ckpt and hash_file(Path(ckpt))}
        segments = self.segment_settings
        return {
            **self.model_dump(exclude={"ckpt", "segments", "parts", "revision", "path", "layers", "storage"}),
            # left out where there are none, so that archives from before there were these keep their keys
            **({} if segments is None else {"segments": segments.model_dump()}),
            **({} if self.precision == "fp32" else {"rounding": ROUNDING}),
            **({"opensmile": opensmile_version()} if self.upstream == EGEMAPS else {}),
            **({"path": self.path} if self.upstream == OWN else {}),
            **({} if self.layers is None else {"layers": self.layers if self.layers == WEIGHTED else [*self.layers]}),
            **({} if self.storage == "fp32" else {"storage": self.storage}),
            **(hub.identity(self.upstream, self.revision) if self.is_hub else {}),
            "ckpt_hash": ckpt and hash_file(Path(ckpt)),
            "front_end": FRONT_END,
            "resampler": RESAMPLER,
            "s3prl": version("s3prl"),
        }

    def folder(self, name: str) -> str:
        """Name the folder of this feature below `dump/`: two configurations never share one."""
        return f"{name}-{fingerprint(self.identity())[:10]}"


def side_by_side(parts: Mapping[str, FeatureConfig]) -> FeatureConfig:
    """Put features side by side: the vector of each, one after another.

    Raises:
        ConfigError: for sequences, or two features with checkpoint files.
    """
    name = JOINED.join(parts)
    if sequences := [part for part, config in parts.items() if config.is_sequence]:
        raise ConfigError(f"feature {name}: {sequences[0]} is a sequence of frames; only vectors stand side by side")
    if theirs := [part for part, config in parts.items() if config.upstream == OWN]:
        raise ConfigError(f"feature {name}: {theirs[0]} is not computed here; join vectors in its files")
    files = {config.ckpt for config in parts.values()} - {None}
    if len(files) > 1:
        raise ConfigError(
            f"feature {name}: takes the checkpoint files {' and '.join(sorted(files))}; one of the features may have "
            "a file of its own, others an upstream that is found by its name"
        )
    return FeatureConfig(upstream=SIDE_BY_SIDE, ckpt=next(iter(files), None), parts=dict(parts))


def opensmile_version() -> str:
    """Tell which openSMILE there is.

    Raises:
        ConfigError: if there is none.
    """
    try:
        return version("opensmile")
    except PackageNotFoundError:
        raise ConfigError(
            f"feature needs openSMILE (audEERING's license allows research, no products): {pip_install('opensmile')}"
        ) from None


def made_from_audio(data_dir: Path) -> str:
    """Hash the audio of a corpus, wherever it lies.

    Raises:
        DataError: if stage 1 has not prepared it.
    """
    try:
        return hash_file(data_dir / "utt2hash")
    except FileNotFoundError:
        raise DataError(f"{data_dir}: no data directory; run stage 1") from None
