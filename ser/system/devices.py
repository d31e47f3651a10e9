"""Where and in what precision tensors are computed, and by how many processes, through Lightning Fabric."""

from __future__ import annotations

import ctypes
import math
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ser import errors
from ser.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["fp32", "bf16"]

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of mallopt(3)."""


def n_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def make_fabric(device: Device = "auto", precision: Precision = "fp32", devices: int = 1) -> Fabric:
    """Make a Fabric for one device, or several; `auto` takes a GPU where there is one.

    Several are of this machine, or those that torchrun has started processes for, on one machine or more.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment

    device = device_of(device)
    if device == "cuda":
        forbid_tf32()
    settings: dict[str, Any] = {"accelerator": device, "devices": devices}
    if devices > 1 and _in_torchrun():
        here, machines = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"))
        settings |= {
            "devices": here,
            "num_nodes": machines,
            "strategy": "ddp",
            "plugins": [TorchElasticEnvironment()],
        }
    else:
        # processes of our own making, even inside a batch system's job, whose tasks Fabric would take for its own
        settings |= {"plugins": [LightningEnvironment()]} | ({"strategy": "ddp_spawn"} if devices > 1 else {})
    names = {"fp32": "32-true", "bf16": "bf16-mixed"}
    return Fabric(**settings, precision=names[precision])


def forbid_tf32() -> None:
    """Let GPUs convolve `fp32` in 32 bit; cuDNN's default is TF32, which has 10 bits of mantissa."""
    import torch

    torch.backends.cudnn.allow_tf32 = False


def is_out_of_memory(error: BaseException) -> bool:
    """Check whether an error says that a GPU, or this machine, has too little memory."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"  # PyTorch's, a RuntimeError
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))  # PyTorch's on a CPU
    )


def fast_precision(device: Literal["cpu", "cuda"]) -> Precision:
    """Tell in which precision a device multiplies matrices fastest: bf16 if it has instructions for that."""
    if device == "cuda":
        import torch

        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return "fp32"
    return "bf16" if re.search(r"\b(avx512_bf16|amx_bf16)\b", flags) else "fp32"


def available_memory() -> float:
    """Bytes that this machine can still give to processes; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("MemAvailable:"))) * 1024
    except (OSError, StopIteration):
        return math.inf


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, where malloc is glibc's.

    By default large tensors are given back to the kernel, and each layer waits for pages that are made anew.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def count_devices(device: Device) -> int:
    """Count the devices that one training may use: torchrun's processes, or all visible GPUs, or the CPU."""
    import torch

    if _in_torchrun():
        return int(os.environ["WORLD_SIZE"])

    return torch.cuda.device_count() if device_of(device) == "cuda" else 1


def _in_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_leader() -> bool:
    """Tell whether this process is to write results: all are, but torchrun's other processes."""
    return not _in_torchrun() or os.environ["RANK"] == "0"


def wait_for_all() -> None:
    """Wait for torchrun's other processes, if there are any."""
    if _in_torchrun():
        import torch.distributed

        if torch.distributed.is_initialized():
            torch.distributed.barrier()


def device_of(device: Device) -> Literal["cpu", "cuda"]:
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: 'cuda' was asked for and PyTorch sees no GPU here; use auto or cpu")
    return device


def launch(fabric: Fabric, function: Callable[..., None], *args: object) -> None:
    """Call `function(fabric, *args)` in one process per device, in this one if there is one device.

    Args:
        fabric: from `make_fabric`.
        function: of a module, that leaves its results in files.
        args: what can be pickled; large tensors go through files, too.

    Raises:
        SerError: that any of the processes raised; the others are ended.
    """
    if fabric.world_size == 1:
        function(fabric, *args)
        return
    from torch.multiprocessing.spawn import ProcessRaisedException

    try:
        fabric.launch(partial(_in_process, function, args))  # as one object: Fabric looks into what it is handed
    except ProcessRaisedException as failure:  # which holds the process' traceback as text
        last = re.search(rf"^{errors.__name__}\.(\w+): (.*)\Z", str(failure).rstrip(), re.M | re.S)
        if last is None:
            raise
        raise getattr(errors, last[1])(last[2]) from None


def _in_process(function: Callable[..., None], args: tuple[object, ...], fabric: Fabric) -> None:
    os.environ.pop("SER_PROGRESS_FD", None)  # here that number is another file
    function(fabric, *args)
    fabric.barrier()  # what it leaves in files is there for everybody
