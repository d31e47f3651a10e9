"""What a row of adversarial training on vectors costs: one network for each list that it trains on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ser.cost.base import Measured, Timed, Work, n_bytes, timed_again
from ser.methods import dann
from ser.methods.dann import Config, Dann
from ser.system.devices import Device
from ser.training.domain_batches import DomainBatches
from ser.training.run_data import RunData


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`."""
    splits = [data.splits[number] for number in sorted(set(dann._owners(data)))]
    steps = config.epochs * sum(_n_batches(config, split.train, split.adapt) for split in splits)
    audio = 2 * config.epochs * sum(seconds[utt] for split in splits for utt in split.train)  # half is the target's
    size = (data.x.shape[1], config.hidden, config.batch_size, len(config.domains))
    return [Work("training", steps, audio, steps, size, partial(_measure, config, data, device), models=len(splits))]


def _n_batches(config: Config, train: Mapping[str, str], adapt: object) -> int:
    return DomainBatches([list(train)], [list(adapt)], config.batch_size, 1).n_batches


def _measure(config: Config, data: RunData, device: Device) -> Measured:
    """Time one epoch of the first model."""
    split, c = data.splits[0], config.model_copy(update={"epochs": 1})
    took = timed_again(lambda: dann._train_model(c, data, split, 1, device))
    network = Dann(data.x.shape[1], config.hidden, len(data.classes), {}, 1).classifier
    weights = n_bytes(network.state_dict())
    return Measured(Timed(took / _n_batches(config, split.train, split.adapt)), weights=weights)
