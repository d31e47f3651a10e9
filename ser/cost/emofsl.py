"""What a row of Yue et al. 2023 costs on cached embeddings: source models, or all support sets in stacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import ceil

from torch.func import stack_module_state

from ser.cost.base import Measured, Timed, Work, n_bytes, timed_again
from ser.methods import emofsl
from ser.methods.emofsl import Config
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.system.devices import Device
from ser.training.run_data import RunData
from ser.training.stacked import CHUNK_MODELS

TIMED_EPOCHS = 5
"""Of a stack of models: one step takes less than what stands around it."""


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`."""
    size = (data.x.shape[1], config.model.hidden, config.objective)
    if config.objective == "source_only":
        sources, c = emofsl.source_of(data, config.normalization), config.source
        splits = [data.splits[sources.index(number)] for number in sorted(set(sources))]
        steps = sum(c.epochs * ceil(len(split.train) / c.batch_size) for split in splits)
        audio = c.epochs * sum(seconds[utt] for split in splits for utt in split.train)
        measure = partial(_time_source, config, data, device)
        return [Work("source training", steps, audio, steps, (*size, c.batch_size), measure, models=len(splits))]
    found = []
    for k in data.shots():
        supports = [support for split in data.splits for (n, _), support in split.support.items() if n == k]
        batches = ceil(len(supports[0]) / (config.adapt.batch_size or len(supports[0])))
        steps = config.adapt.epochs * batches * len(supports)
        audio = config.adapt.epochs * sum(seconds[utt] for support in supports for utt in support)
        measure = partial(_time_adaptation, config, data, k, device)
        found.append(Work(f"adaptation, {k} shots", steps, audio, steps, (*size, k), measure, models=len(supports)))
    return found


def _model(config: Config, data: RunData) -> dict[str, object]:
    network = EmbeddingClassifier(data.x.shape[1], config.model.hidden, len(data.classes), 1)
    return {name: value.detach() for name, value in stack_module_state([network])[0].items()}


def _time_source(config: Config, data: RunData, device: Device) -> Measured:
    """Time an epoch of the first source model, with its dev part."""
    c = config.model_copy(update={"source": config.source.model_copy(update={"epochs": 1})})
    split = data.splits[0]
    n = ceil(len(split.train) / c.source.batch_size)
    took = timed_again(lambda: emofsl._train_source(c, data, split, 1, device))
    return Measured(Timed(took / n), weights=n_bytes(_model(c, data)))


def _time_adaptation(config: Config, data: RunData, k: int, device: Device) -> Measured:
    """Time some epochs of one stack of models, and give each its part."""
    c = config.model_copy(update={"adapt": config.adapt.model_copy(update={"epochs": TIMED_EPOCHS})})
    split = data.splits[0]
    supports = dict([(key, own) for key, own in split.support.items() if key[0] == k][:CHUNK_MODELS])
    one, n = replace(data, splits=[replace(split, support=supports)]), len(next(iter(supports.values())))
    steps = TIMED_EPOCHS * ceil(n / (config.adapt.batch_size or n)) * len(supports)
    took = timed_again(lambda: emofsl._adapt_all(c, one, _model(config, data), 1, device))
    return Measured(Timed(took / steps), weights=n_bytes(_model(config, data)))
