"""Where and in what precision tensors are computed, through Lightning Fabric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ser.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["fp32", "bf16"]


def make_fabric(device: Device = "auto", precision: Precision = "fp32") -> Fabric:
    """Make a Fabric for one device; `auto` takes a GPU where there is one."""
    import torch
    from lightning_fabric import Fabric

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: 'cuda' was asked for and PyTorch sees no GPU here; use auto or cpu")
    names = {"fp32": "32-true", "bf16": "bf16-mixed"}
    return Fabric(accelerator=device, devices=1, precision=names[precision])
