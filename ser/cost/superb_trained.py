"""What a row costs that learns the weights of an encoder's layers: one head for each split."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ser.cost.base import Measured, Timed, Work, n_bytes, timed_again
from ser.methods import superb_trained
from ser.methods.base import Job
from ser.methods.superb_trained import Config, trained_on
from ser.system.devices import Device
from ser.training.run_data import RunData

TIMED_STEPS = 3
"""One takes less than what stands around it."""


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`."""
    lists = [labelled for split in data.splits if (labelled := trained_on(config, split))]
    steps = config.steps * len(lists)
    audio = config.steps * sum(
        config.batch_size * sum(seconds[utt] for utt in labelled) / len(labelled) for labelled in lists
    )
    size = (data.x.shape[1], config.hidden, config.batch_size)
    return [Work("training", steps, audio, steps, size, partial(_measure, config, data, device), models=len(lists))]


def _measure(config: Config, data: RunData, device: Device) -> Measured:
    """Time some steps of the first head."""
    split = next(split for split in data.splits if trained_on(config, split))
    labelled, n_layers = trained_on(config, split), next(iter(data.layers.values()))
    pair = data.normalized(split, config.normalization, utts=labelled), data.targets(labelled)
    none = pair[0][:0], pair[1][:0]
    c = config.model_copy(update={"steps": TIMED_STEPS})
    head: list[object] = []

    def steps() -> None:
        head[:] = superb_trained._train_head(c, pair, none, n_layers, len(data.classes), 1, Job(device, None))

    took = timed_again(steps)
    weights = n_bytes(head[0])
    return Measured(Timed(took / TIMED_STEPS), weights=weights)
