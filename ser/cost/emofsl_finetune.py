"""What a row of Yue et al. 2023 costs with its encoder trained: the source model, or one adaptation for each support
set, which scores all that its fold may test."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import ceil

from ser.cost.base import Measured, Work
from ser.cost.trainers import Fit, Lengths, measure, work_of
from ser.methods import emofsl, emofsl_finetune
from ser.methods.emofsl_finetune import Config, tested
from ser.system.devices import Device, make_fabric
from ser.training.run_data import RunData


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`."""
    what, fits = "adaptation", _adaptations(config, data)
    if config.objective == "source_only":
        what, fits = "source training", _sources(config, data)
        if config.first_step != "supervised":
            what, fits = "pretraining", _pretrainings(config, data)
    limit = config.pretraining.max_seconds if what == "pretraining" else config.max_seconds
    lengths = Lengths(seconds, seconds, limit, None, config.micro_batch_seconds)
    size = (config.micro_batch_seconds, config.precision, config.max_seconds)
    keeps = config.objective == "source_only" and config.first_step != "none"  # adapted rows keep scores only
    models = len(fits) if keeps else 0
    return [work_of(what, fits, lengths, size, models, partial(_measure, config, data, device))]


def _sources(config: Config, data: RunData) -> list[Fit]:
    sources, c = emofsl.source_of(data), config.source
    found = []
    for number in sorted(set(sources)):
        own = [split for split, source in zip(data.splits, sources, strict=True) if source == number]
        scored = [utt for split in own for utt in tested(data, split)]
        n_batches = ceil(len(own[0].train) / c.batch_size)
        found.append(Fit(list(own[0].train), c.epochs, c.batch_size, n_batches, list(own[0].dev), scored))
    return found


def _pretrainings(config: Config, data: RunData) -> list[Fit]:
    """Count the pretraining that goes on for each source; what is tested is encoded once for all support sets."""
    sources, c, found = emofsl.source_of(data), config.pretraining, []
    for number in sorted(set(sources)):
        own = [split for split, source in zip(data.splits, sources, strict=True) if source == number]
        members = [{utt for support in split.support.values() for utt in support} for split in own]
        scored = [utt for split, of in zip(own, members, strict=True) for utt in (*tested(data, split), *of)]
        goes_on = config.first_step == "contrastive"
        n_batches = ceil(len(own[0].train) / c.batch_size)
        found.append(Fit(list(own[0].train), c.epochs * goes_on, c.batch_size, n_batches, (), scored))
    return found


def _adaptations(config: Config, data: RunData) -> list[Fit]:
    c, found = config.adapt, []
    for split in data.splits:
        queries = tested(data, split)
        for support in split.support.values():
            scored = [*queries, *(support if emofsl.needs_support(config) else ())]
            n_batches = ceil(len(support) / (c.batch_size or len(support)))
            found.append(Fit(list(support), c.epochs, c.batch_size, n_batches, (), scored))
    return found


def _measure(config: Config, data: RunData, device: Device) -> Measured:
    trainer = emofsl_finetune._trainer(make_fabric(device, config.precision), config, data, 1, shared=False)
    return measure(trainer, list(data.splits[0].train), config.source.batch_size, config.max_seconds)
