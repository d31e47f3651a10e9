"""What a row of Gao et al. 2022 costs: one network for each list that it trains on, all epochs of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from ser.cost.base import BACKWARD, Measured, Timed, Work, counted, n_bytes, timed, timed_again
from ser.cost.trainers import typical
from ser.methods import difl
from ser.methods.difl import Config
from ser.system.devices import Device, make_fabric
from ser.training.domain_batches import DomainBatches
from ser.training.frames import FrameStore

if TYPE_CHECKING:
    from ser.splits.lists import Split
    from ser.training.run_data import RunData

FULL_BATCHES = 4
"""Batches' worth of utterances that a trial takes from each list, so that all lengths and domains occur."""


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`: of all epochs, as if dev stopped none of them early."""
    owners, store = difl._owners(config, data), FrameStore(data.frames)
    splits = [split for split in data.splits if owners[split.name] == split.name]
    steps, audio, heard = 0, 0.0, 0.0
    for split in splits:
        batches, n_items = _batches(config, store, split)
        n_seen = batches.n_batches * batches.n_source if config.steps_per_epoch else n_items
        labelled = sum(seconds[utt] for utt in difl.trained_on(config, split))
        steps += config.epochs * batches.n_batches
        audio += config.epochs * labelled * n_seen / n_items * (2 if batches.target else 1)  # half is the target's
        heard += config.epochs * sum(seconds[utt] for utt in split.dev) * difl.chooses_on_dev(config)
    model, draws = config.model.model_dump_json(), (config.batch_size, config.max_segments, bool(batches.target))
    size = (model, config.unit, config.precision, *draws)  # heads are one linear layer each: they add a thousandth
    measure = partial(_measure, config, data, seconds, device)
    may_stop = config.patience is not None and difl.chooses_on_dev(config)
    return [Work("training", steps, audio, steps, size, measure, heard, heard, len(splits), may_stop)]


def _batches(config: Config, store: FrameStore, split: Split) -> tuple[DomainBatches, int]:
    """Make the batches of a training, which need no frames, and count what they are drawn from.

    Pools are as long as they would be; what is in them does not count, and millions of segments are slow to list.
    """
    n_items = _n_items(config, store, difl.trained_on(config, split))
    adapt = list(split.adapt) if difl._uses_target(config) and config.domains else []
    target = [range(_n_items(config, store, adapt))] if adapt else []
    return DomainBatches([range(n_items)], target, config.batch_size, 1, config.steps_per_epoch), n_items


def _n_items(config: Config, store: FrameStore, utts: Collection[str]) -> int:
    """Count what a batch may hold of some utterances, as `ser.methods.difl` lists it."""
    if config.unit == "utterances":
        return len(utts)
    return sum(min(store.length(utt), config.max_segments or store.length(utt)) for utt in utts)


def _measure(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> Measured:
    """Time one step, and one pass over as many utterances, of a training on a part of its lists.

    Operations are counted of networks with convolutions only. A GPU that goes over frames waits for the BLSTM, one
    frame after the other, and not for products.
    """
    split, n = data.splits[0], FULL_BATCHES * config.batch_size
    labelled = {utt: split.train[utt] for utt in _some(list(split.train), seconds, n)}
    small = replace(split, train=labelled, dev={}, adapt=_some(list(split.adapt), seconds, n))
    fabric, store = make_fabric(device, config.precision), FrameStore(data.frames)
    with contextlib.redirect_stdout(None):  # stage 4 says which heads are left out
        training = difl._Training.of_split(fabric, config, data, store, small, 1)
    model, scored = training.model, _some(list(labelled), seconds, config.batch_size)
    heard = sum(seconds[utt] for utt in scored)
    model.train()
    step = timed_again(lambda: training._step(training._batch(0, 0), 0, 0))

    def score() -> None:
        difl.apply(fabric, model, training.input, scored, config.unit)

    def forward() -> None:
        batch = training._batch(0, 0)
        model.eval()
        with torch.no_grad():
            model(batch.x, batch.lengths)

    dev = timed(score)
    counts = model.module.network.cnn is not None and fabric.device.type == "cpu"
    of_step, of_dev = (counted(forward), counted(score)) if counts else (0.0, 0.0)
    weights = n_bytes(model.module.state_dict())
    return Measured(Timed(step, (1 + BACKWARD) * of_step), Timed(dev / heard, of_dev / heard), weights)


def _some(utts: Sequence[str], seconds: Mapping[str, float], n: int) -> list[str]:
    """Choose some utterances, of all lengths."""
    return [utts[i] for i in typical([seconds[utt] for utt in utts], n)] if utts else []
