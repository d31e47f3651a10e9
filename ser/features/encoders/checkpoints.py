"""Checkpoint files of encoders, read without running what is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ser.errors import ConfigError


def read_checkpoint(ckpt: str | Path) -> dict[str, Any]:
    """Read a checkpoint without running what is in it: nested mappings of settings and tensors.

    Args:
        ckpt: a `.safetensors` file of `flat_checkpoint`, or one that `torch.load` reads with `weights_only`.
    """
    if Path(ckpt).suffix != ".safetensors":
        return torch.load(ckpt, map_location="cpu", weights_only=True)
    with safe_open(ckpt, framework="pt") as file:
        state = json.loads(file.metadata()["settings"])
        for name in file.keys():  # noqa: SIM118
            *path, last = json.loads(name)
            inner = state
            for key in path:
                inner = inner[key]
            inner[last] = file.get_tensor(name)
    return state


def flat_checkpoint(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Part a checkpoint into tensors, named by their path, and what else it holds, for a safetensors file.

    Example:
        >>> flat_checkpoint({"cfg": {"layers": 2}, "model": {"bias": torch.zeros(1)}})
        ({'["model", "bias"]': tensor([0.])}, {'settings': '{"cfg": {"layers": 2}, "model": {}}'})
    """
    tensors: dict[str, Tensor] = {}

    def without_tensors(part: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        rest = {}
        for key, value in part.items():
            if isinstance(value, Tensor):
                tensors[json.dumps([*path, key])] = value.clone().contiguous()
            else:
                rest[key] = without_tensors(value, (*path, key)) if isinstance(value, Mapping) else value
        return rest

    settings = without_tensors(state, ())
    return tensors, {"settings": json.dumps(settings)}


def existing(ckpt: str | None, name: str) -> str:
    """Raise ConfigError unless the checkpoint of an upstream is there."""
    if not ckpt:
        raise ConfigError(f"upstream '{name}' needs 'ckpt', a checkpoint file")
    if not Path(ckpt).is_file():
        raise ConfigError(f"upstream '{name}': ckpt: no file '{ckpt}'; name a checkpoint file")
    return ckpt
