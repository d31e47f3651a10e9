"""What a feature is: an upstream, a layer and a pooling; and the key under which it is kept."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ser.audio import RESAMPLER
from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.files import fingerprint, hash_file

FRONT_END = 1
"""Raise it when the same settings would give other numbers."""


class FeatureConfig(ConfigModel):
    """A feature vector per utterance (`conf/features/*.yaml`).

    Attributes:
        upstream: s3prl's name, `byol_s` (512 dimensions, from a file) or `shortcut`.
        ckpt: checkpoint file; `$NAME` stands for a line of `conf/db.sh`.
        layer: which hidden state, 0 the front end's output, or `last`.
        pooling: over the valid frames.
        precision: of the upstream; vectors are stored as float32.
        hop_ms: hop between windows, for `byol_s`.
    """

    upstream: str
    ckpt: str | None = Field(default=None, min_length=1)
    layer: int | Literal["last"] = "last"
    pooling: Literal["mean", "mean+std"] = "mean"
    precision: Literal["fp32", "bf16"] = "fp32"
    hop_ms: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _hop_belongs_to_byol_s(self) -> FeatureConfig:
        if self.hop_ms is not None and self.upstream != "byol_s":
            raise ValueError("hop_ms is for byol_s alone; other upstreams have their own hop")
        return self

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
            raise ConfigError(f"ckpt: no file '{path}'; set {self.ckpt.lstrip('$')} to a checkpoint file")
        return path

    def identity(self) -> dict[str, object]:
        """Tell everything that decides the numbers, as JSON."""
        ckpt = self.ckpt_file()
        return {
            **self.model_dump(exclude={"ckpt"}),
            "ckpt_hash": ckpt and hash_file(Path(ckpt)),
            "front_end": FRONT_END,
            "resampler": RESAMPLER,
            "s3prl": version("s3prl"),
        }

    def folder(self, name: str) -> str:
        """Name the folder of this feature below `dump/`: two configurations never share one."""
        return f"{name}-{fingerprint(self.identity())[:10]}"
