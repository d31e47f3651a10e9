"""Files of tensors and a JSON value, whole or not at all: weights, and what lets killed training go on.

Networks have torch's tensors. What is made of numpy's arrays is written and read without importing torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open

from ser.errors import DataError
from ser.system.files import replacing

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Tensor] | Mapping[str, np.ndarray], about: object = None) -> None:
    """Write tensors and a JSON value as one safetensors file, whole or not at all."""
    with replacing(path) as part:
        save(part, tensors, None if about is None else {"about": json.dumps(about)})


def save(
    path: Path, tensors: Mapping[str, Tensor] | Mapping[str, np.ndarray], metadata: dict[str, str] | None
) -> None:
    """Write tensors and texts as a safetensors file that those may read who may read other new files."""
    path.touch()
    mode = path.stat().st_mode  # by the umask; safetensors renames a file of its own that is private (0600)
    if all(isinstance(value, np.ndarray) for value in tensors.values()):
        from safetensors import numpy as safetensors

        safetensors.save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, metadata)
    else:
        from safetensors import torch as safetensors

        safetensors.save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, path, metadata)
    path.chmod(mode)


def read_tensors(path: Path, framework: Literal["pt", "numpy"] = "pt") -> tuple[dict[str, Any], Any]:
    """Read what `write_tensors` wrote, onto the CPU: torch's tensors or numpy's arrays.

    Raises:
        DataError: if it is not what was written.
    """
    try:
        with safe_open(path, framework=framework) as file:
            about = (file.metadata() or {}).get("about", "null")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(about)  # noqa: SIM118
    except SafetensorError as error:
        raise DataError(f"{path}: damaged ({error}); delete it and run the stage that writes it again") from None


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


# ---- Unfinished training: weights now and of the best epoch, an optimizer's averages, and what is done -------------


def save_unfinished(
    path: Path,
    weights: Mapping[str, Tensor],
    best: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    done: object,
) -> None:
    """Write the state from which a killed training continues; `done` is a JSON value."""
    tensors = prefixed(weights, "now.") | prefixed(best, "best.")
    write_tensors(path, tensors | prefixed(optimizer_tensors(optimizer), "optimizer."), done)


def load_unfinished(path: Path, optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Tensor], Any]:
    """Read weights, those of the best epoch and `done` of `save_unfinished`, and set the optimizer's averages."""
    tensors, done = read_tensors(path)
    set_optimizer_tensors(optimizer, below(tensors, "optimizer."))
    return below(tensors, "now."), below(tensors, "best."), done
