"""Files that let killed training go on: tensors and a JSON value, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ser.files import replacing


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: object = None) -> None:
    """Write tensors and a JSON value as one safetensors file, whole or not at all."""
    with replacing(path) as part:
        save_file(
            {name: value.cpu().contiguous() for name, value in tensors.items()}, part, {"about": json.dumps(about)}
        )


def read_tensors(path: Path) -> tuple[dict[str, Tensor], object]:
    """Read what `write_tensors` wrote, onto the CPU."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["about"])  # noqa: SIM118


def prefixed(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Put a prefix before the names of tensors."""
    return {prefix + name: value for name, value in tensors.items()}


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose name begins with a prefix, without it: the inverse of `prefixed`."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Name an optimizer's averages: parameter number, dot, name of the average."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, averages in state.items() for name, value in averages.items()}


def set_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Set an optimizer's averages to what `optimizer_tensors` gave; its rates and further settings stay."""
    averages: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        averages.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({"state": averages, "param_groups": optimizer.state_dict()["param_groups"]})
