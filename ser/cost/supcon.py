"""What a row of Xiang costs: stage one of each encoder, and the classifier of each corpus above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil

from ser.cost.base import Measured, Work
from ser.cost.trainers import Fit, Lengths, measure, work_of
from ser.methods import supcon
from ser.methods.supcon import (
    Base,
    CachedBase,
    Config,
    Encoded,
    HeadConfig,
    Network,
    Unit,
    by_corpus,
    classes_of,
    training_list,
)
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.nn.self_attention_pooling import SelfAttentionPooling
from ser.splits.lists import Split
from ser.system.devices import Device, make_fabric
from ser.training.frames import FrameStore
from ser.training.run_data import RunData
from ser.training.trainer import Trainer


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`."""
    base = CachedBase(make_fabric(device), config, FrameStore(data.frames), 1)
    units = {utt: float(base.seconds(utt)) for utt in seconds if utt in data.frames.lengths}
    lengths = Lengths(seconds, units, None, None, base.micro_batch_seconds)
    return of_units(config, data, lengths, (config.adapter_hidden, config.average_frames), lambda: base)


def of_units(
    config: HeadConfig, data: RunData, lengths: Lengths, size: tuple[object, ...], base_of: Callable[[], Base]
) -> list[Work]:
    """Count the steps of all classifiers of a row, and of the encoders below them.

    Args:
        config: of the row.
        data: its lists.
        lengths: of utterances.
        size: decides, with the encoder, how long a unit takes.
        base_of: gives what stands below pooling and classifier.
    """
    if config.classifier == "other":  # takes over a trained row as it is
        return []
    units = list(dict.fromkeys(supcon.units(config, data).values()))
    found = []
    if config.objective == "ft":
        fits = [fit for unit in units for fit in _baselines(config, data, unit)]
        found.append(("baseline", fits, len(units), (units[0], True, True)))
    if config.objective == "supcon":
        encoders = list({unit.encoder_name: unit for unit in units}.values())
        fits = [_stage_one(config, data, unit) for unit in encoders]
        found.append(("stage one", fits, len(encoders), (units[0], True, False)))
    if config.objective != "ft":
        fits = [_classifier(config, data, unit, config.stage_two) for unit in units]
        found.append(("stage two", fits, len(units), (units[0], False, True)))
        if config.objective == "supcon":
            encoded = [Fit((), 0, None, 0, tests=[*fit.utts, *fit.dev]) for fit in fits]
            found.append(("encoding for stage two", encoded, 0, (units[0], True, False)))
    return [
        work_of(
            what, fits, lengths, (*network[1:], *size), models, partial(_measure, config, data, base_of, *network)
        )
        for what, fits, models, network in found
    ]


def _split(data: RunData, unit: Unit) -> Split:
    return next(split for split in data.splits if split.name == unit.split)


def _stage_one(config: HeadConfig, data: RunData, unit: Unit) -> Fit:
    utts, c = list(training_list(config, _split(data, unit), unit.seen)), config.stage_one
    return Fit(utts, c.epochs, c.batch_size, c.steps_per_epoch or ceil(len(utts) / c.batch_size))


def _classifier(config: HeadConfig, data: RunData, unit: Unit, schedule: supcon.ScheduleConfig) -> Fit:
    split = _split(data, unit)
    utts = list(training_list(config, split, [unit.corpus]))
    dev = [] if config.dev == "train" else list(by_corpus(split.dev).get(unit.corpus, {}))
    return Fit(utts, schedule.epochs, schedule.batch_size, ceil(len(utts) / schedule.batch_size), dev)


def _baselines(config: HeadConfig, data: RunData, unit: Unit) -> list[Fit]:
    """Count each rate that is tried, and training again at the best one for as many epochs as it may take."""
    rates = getattr(config, "encoder_lrs", None) or [None]
    found = [_classifier(config, data, unit, config.ft) for _ in rates]
    if config.dev == "refit":
        found.append(_classifier(config.model_copy(update={"dev": "train"}), data, unit, config.ft))
    return found


def _measure(
    config: HeadConfig, data: RunData, base_of: Callable[[], Base], unit: Unit, trains_encoder: bool, has_head: bool
) -> Measured:
    base, split = base_of(), _split(data, unit)
    utts = list(training_list(config, split, unit.seen))
    n_classes = len(classes_of(data, by_corpus(split.labelled)[unit.corpus]))
    encoder = base.fabric.to_device(base.encoder({}))
    frames = base.frames() if trains_encoder else Encoded(encoder, base.frames(), base.fabric)
    head = EmbeddingClassifier(encoder.dim, config.hidden, n_classes, 1) if has_head else None
    network = Network(encoder if trains_encoder else None, SelfAttentionPooling(encoder.dim, 1), head)
    trainer = Trainer(base.fabric, base.fabric.to_device(network), frames, base.micro_batch_seconds, False)
    counts = trains_encoder and not isinstance(base, CachedBase)  # a GPU waits for what is small, not for products
    return measure(trainer, utts, config.stage_one.batch_size, base.max_seconds, counts)
