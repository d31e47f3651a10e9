"""What a row of Das et al. 2022 costs: an autoencoder for each fold, which rows and seeds train together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import ceil

from ser.cost.base import Measured, Timed, Work, n_bytes, timed_again
from ser.methods import continuous_metric
from ser.methods.continuous_metric import Config, splits_of, trained_on
from ser.nn.denoising_autoencoder import DenoisingAutoencoder
from ser.system.devices import Device
from ser.training.run_data import RunData

STACKED = 64
"""Models that a step is timed for. All folds, rows and seeds of a recipe are trained as one computation, hundreds of
models; from some tens on each adds as much as the one before, a tenth of what a model takes by itself. Of ten models
each takes twice that: a run of one row and seed is estimated too low, and takes seconds."""


def works(config: Config, data: RunData, seconds: Mapping[str, float], device: Device) -> list[Work]:
    """Count the steps of one training, see `Cost`: of each fold's model by itself, timed as a part of a stack.

    As in training, splits that show the same features have one model: in a matrix, a source has one for all targets.
    """
    c, known = config.optimizer, {}
    trained = {
        id(fold): (ceil(len(fold.x) / c.batch_size), trained_on(config, split))
        for split in splits_of(config, data)
        for fold in [continuous_metric._fold(config, data, split, known)]
    }
    steps = c.epochs * sum(n_batches for n_batches, _ in trained.values())
    audio = c.epochs * sum(seconds[utt] for _, utts in trained.values() for utt in utts)
    size = (data.x.shape[1], config.model.model_dump_json(), c.batch_size, config.loss.model_dump_json())
    return [Work("training", steps, audio, steps, size, partial(_measure, config, data, device), models=len(trained))]


def _measure(config: Config, data: RunData, device: Device) -> Measured:
    """Time one epoch of a stack of models of the first fold, and give each its part."""
    c = config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"epochs": 1})})
    fold = continuous_metric._fold(c, data, splits_of(c, data)[0], {})
    models = [continuous_metric._Model(c, seed, fold) for seed in range(1, STACKED + 1)]
    took = timed_again(lambda: continuous_metric._train_stack(models, device))
    shape = DenoisingAutoencoder(data.x.shape[1], config.model.hidden, config.model.latent, seed=1)
    weights = n_bytes(shape.state_dict())
    return Measured(Timed(took / STACKED / max(1, models[0].n_steps)), weights=weights)
