"""Costs of methods that train with `Trainer`: one micro-batch is timed, with a gradient and without."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ser.cost.base import BACKWARD, Measured, Timed, Work, counted, n_bytes, timed
from ser.features.micro_batches import micro_batches
from ser.training.schedule import Schedule
from ser.training.trainer import Trainer, trainable

# ---- Counted ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """One call of `Trainer.fit`, not made.

    Attributes:
        utts: that it trains on.
        epochs: as in its schedule.
        batch_size: of a step; None takes all utterances.
        n_batches: of an epoch.
        dev: utterances that it scores after each epoch.
        tests: utterances that are scored, or encoded, once.
    """

    utts: Sequence[str]
    epochs: int
    batch_size: int | None
    n_batches: int
    dev: Sequence[str] = ()
    tests: Sequence[str] = ()


@dataclass(frozen=True)
class Lengths:
    """How long utterances are.

    Attributes:
        seconds: utterance -> its length.
        units: the same in what bounds a micro-batch: seconds, or frames.
        trained: seconds that training takes of an utterance at most; None takes all.
        tested: seconds that dev and tests take.
        micro_batch: padded units that a device takes at once.
    """

    seconds: Mapping[str, float]
    units: Mapping[str, float]
    trained: float | None
    tested: float | None
    micro_batch: float


class Parts(NamedTuple):
    """How a step goes through a device.

    Attributes:
        padded: units of a typical batch.
        again: share of them that is computed twice: all its micro-batches but the last.
        seconds: of audio in it.
    """

    padded: float
    again: float
    seconds: float


def parts_of(utts: Sequence[str], batch_size: int | None, lengths: Lengths) -> Parts:
    """Part a typical batch into micro-batches.

    Example:
        >>> of = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
        >>> parts_of(list(of), 4, Lengths(of, of, None, None, 8.0))  # padded to 4 and 4, 2 and 2
        Parts(padded=12.0, again=0.5, seconds=10.0)
    """
    capped = [_capped(utt, lengths.trained, lengths) for utt in utts]
    chosen = typical([units for units, _ in capped], batch_size)
    units = [capped[i][0] for i in chosen]
    parts = micro_batches(units, lengths.micro_batch)
    padded = sum(units[part[0]] * len(part) for part in parts)
    return Parts(padded, 1 - 1 / len(parts), sum(capped[i][1] for i in chosen))


def _capped(utt: str, limit: float | None, lengths: Lengths) -> tuple[float, float]:
    """Give units and seconds of an utterance as far as it is heard."""
    seconds, units = lengths.seconds[utt], lengths.units[utt]
    return (units, seconds) if limit is None or seconds <= limit else (units * limit / seconds, limit)


def typical(lengths: Sequence[float], batch_size: int | None) -> list[int]:
    """Choose places of utterances of all lengths, as a batch of them has on average.

    Example:
        >>> typical([5.0, 1.0, 4.0, 2.0, 3.0, 6.0], 2)  # of lengths 2 and 5
        [3, 0]
    """
    by_length = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    n = min(batch_size or len(lengths), len(lengths))
    return [by_length[math.floor((i + 0.5) * len(lengths) / n)] for i in range(n)]


def work_of(
    what: str, fits: Sequence[Fit], lengths: Lengths, size: Hashable, models: int, measure: Callable[[], Measured]
) -> Work:
    """Add up calls of `Trainer.fit`; arguments as in `Work`. Scored utterances count without their padding."""
    steps, audio, taught, encoded, heard = 0, 0.0, 0.0, 0.0, 0.0
    for fit in fits:
        n = fit.epochs * fit.n_batches
        parts = parts_of(fit.utts, fit.batch_size, lengths) if n else Parts(0.0, 0.0, 0.0)
        steps += n
        audio += n * parts.seconds
        taught += n * parts.padded
        encoded += n * parts.padded * parts.again
        for utts, times in ((fit.dev, fit.epochs), (fit.tests, 1)):
            for units, seconds in (_capped(utt, lengths.tested, lengths) for utt in utts):
                encoded += times * units
                heard += times * seconds
    return Work(what, steps, audio, taught, size, measure, encoded, heard, models)


# ---- Timed ------------------------------------------------------------------------------------------------------


def measure(
    trainer: Trainer,
    utts: Sequence[str],
    batch_size: int | None,
    max_seconds: float | None = None,
    counts: bool = True,
) -> Measured:
    """Time a micro-batch of a typical batch, by its padded unit; the trainer's model is changed.

    It is computed once before it is timed, which reads audio.

    Args:
        trainer: as the method makes it.
        utts: that it trains on.
        batch_size: of a step; None takes all.
        max_seconds: utterances are cut to so much.
        counts: whether operations are counted, which a CPU can do for all of them.
    """
    limit, frames = max_seconds or math.inf, trainer.frames
    chosen = [utts[i] for i in typical([min(frames.seconds(utt), limit) for utt in utts], batch_size)]
    units = [min(frames.seconds(utt), limit) for utt in chosen]
    parts = micro_batches(units, trainer.micro_batch_seconds)
    part = parts[len(parts) // 2]
    members, padded = [chosen[i] for i in part], units[part[0]] * len(part)
    counts = counts and trainer.fabric.device.type == "cpu"

    def loss(rows: Tensor, *outputs: Tensor) -> Tensor:  # any: the network takes nearly all of the time
        return torch.stack([output.square().mean() for output in outputs]).sum()

    def with_gradient() -> None:
        trainer.fit(members, loss, Schedule(lr=1e-5, epochs=1, batch_size=None), seed=1, max_seconds=max_seconds)

    def without() -> None:
        trainer.outputs(members, max_seconds)

    with_gradient()  # which computes what the front end gives and what is kept of it
    taught = timed(with_gradient) / padded
    flop = counted(without) / padded if counts else 0.0 * timed(without)
    encoded = timed(without) / padded

    weights = n_bytes(trainable(trainer.model))
    return Measured(Timed(taught, (1 + BACKWARD) * flop), Timed(encoded, flop), weights)
