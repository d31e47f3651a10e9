"""The contract of a cost, and the arithmetic that turns counts and one timed step into hours."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import ser.cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ser.config import ConfigModel
    from ser.system.devices import Device
    from ser.training.run_data import RunData

SUSTAINED_TFLOPS: Mapping[str, float] = {"fp32": 12.0, "bf16": 60.0}
"""What one A100 is assumed to sustain by precision, in 10^12 floating-point operations a second: about 60 % of its
peak of 19.5 without TF32, and 20 % of 312, as micro-batches of 40 s are small for it. Nobody measured it."""

BACKWARD = 2
"""Operations of a gradient, in those of what it is the gradient of: one product for weights, one for inputs."""

clock: Callable[[], float] = time.perf_counter
"""What a step is timed with: real time, as a run will take. On a machine that others use, a benchmark sets
`time.process_time`, which is that of one thread where stage 4 has one."""

A_LONG_TIME_S = 3600
"""Trainings that take longer are announced."""


class Timed(NamedTuple):
    """One unit of work, as it was measured.

    Attributes:
        seconds: that it took.
        flop: floating-point operations; 0 where they were not counted.
    """

    seconds: float
    flop: float = 0.0


class Measured(NamedTuple):
    """What was measured of a kind of work.

    Attributes:
        taught: a unit with its gradient.
        encoded: a unit without.
        weights: bytes of a trained network.
    """

    taught: Timed
    encoded: Timed = Timed(0.0)
    weights: int = 0


@dataclass(frozen=True)
class Work:
    """One kind of steps in a training.

    Attributes:
        what: it is, in a word or two.
        steps: of the optimizer.
        audio: seconds of audio that take part in them, an utterance as often as it does.
        taught: units with a gradient: steps, or seconds of padded audio.
        encoded: units without: second passes of micro-batches, dev, and tests.
        heard: seconds of audio that are only encoded.
        models: networks whose weights remain.
        may_stop: whether dev may end the training before these steps.
        size: decides how long a unit takes, with the method and its feature.
        measure: times a unit.
    """

    what: str
    steps: int
    audio: float
    taught: float
    size: Hashable
    measure: Callable[[], Measured]
    encoded: float = 0.0
    heard: float = 0.0
    models: int = 0
    may_stop: bool = False

    def seconds(self, of: Measured) -> float:
        """Say how long all of it takes in one process.

        Example:
            >>> Work("stage one", 10, 50.0, 60.0, "", None, encoded=4.0).seconds(Measured(Timed(2.0), Timed(0.5)))
            122.0
        """
        return self.taught * of.taught.seconds + self.encoded * of.encoded.seconds

    def flop(self, of: Measured) -> float:
        """Count the operations of all of it; 0 where they were not counted."""
        return self.taught * of.taught.flop + self.encoded * of.encoded.flop


class Cost(Protocol):
    """A file of this package, with the name of a method."""

    def works(
        self, config: ConfigModel, data: RunData, seconds: Mapping[str, float], device: Device
    ) -> Sequence[Work]:
        """Count the steps of one training, and say how one is timed.

        Args:
            config: of a row.
            data: as stage 4 reads it.
            seconds: utterance -> its length.
            device: as in `Job`.
        """


def find(method: str) -> Cost | None:
    """Import a method's cost; None if it has no steps to count."""
    if not (Path(ser.cost.__path__[0]) / f"{method}.py").is_file():
        return None
    return importlib.import_module(f"ser.cost.{method}")


def n_bytes(weights: Mapping[str, Tensor]) -> int:
    """Count the bytes that weights take."""
    return sum(value.numel() * value.element_size() for value in weights.values())


def timed(step: Callable[[], object]) -> float:
    """Say how many seconds a call took, on a GPU until it has finished."""
    import torch

    def wait() -> None:
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.synchronize()

    wait()
    started = clock()
    step()
    wait()
    return clock() - started


def timed_again(step: Callable[[], object]) -> float:
    """Say how many seconds a call took after one that warmed up: a first one imports, compiles, and fills caches."""
    step()
    return timed(step)


def counted(step: Callable[[], object]) -> float:
    """Count the floating-point operations of a call that are products: of matrices, convolutions, and attention."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # of fused attention and recurrent layers on a CPU the counter knows nothing
    known = {torch.ops.aten.mkldnn_rnn_layer: _lstm_layer}
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=known) as counter:
        step()
    return float(counter.get_total_flops())


def _lstm_layer(x: Sequence[int], of_input: Sequence[int], of_state: Sequence[int], *_: object, **__: object) -> int:
    """Count those of one direction: x has (T, B, D), its weights (4U, D) and (4U, U)."""
    return 2 * x[0] * x[1] * of_input[0] * (of_input[1] + of_state[1])


def a100_hours(flop: float, precision: str) -> float:
    """Estimate hours on one A100 from operations and what it is assumed to sustain.

    Example:
        >>> a100_hours(12e12 * 3600, "fp32")
        1.0
    """
    return flop / (SUSTAINED_TFLOPS[precision] * 1e12) / 3600
