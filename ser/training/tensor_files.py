"""Files that let killed training go on: tensors and a JSON value, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

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
