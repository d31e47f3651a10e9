"""From the layers of one utterance to one vector, or to the frames of one layer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ser.errors import ConfigError, DataError
from ser.features.config import WEIGHTED, Layers, Pooling


def pool(layers: Tensor, layer: int | Literal["last"], pooling: Pooling) -> Tensor:
    """Choose a layer and pool its frames, all of which are valid.

    Args:
        layers: hidden states of one utterance, (L, T, D), T >= 1.
        layer: index from 0, or `last`.
        pooling: `mean`, `mean+std` with the population standard deviation, or `none`.

    Returns:
        (D,) or (2 D,); with `none` (T, D).

    Raises:
        ConfigError: for a layer that the upstream does not have.

    Example:
        >>> pool(torch.tensor([[[1.0], [3.0]]]), "last", "mean+std").tolist()
        [2.0, 1.0]
    """
    if layer != "last":
        _check(layers, layer)
    frames = layers[-1 if layer == "last" else layer]  # (T, D)
    if pooling == "none":
        return frames
    mean = frames.mean(0)
    return mean if pooling == "mean" else torch.cat([mean, frames.std(0, correction=0)])


def pool_layers(layers: Tensor, chosen: Layers) -> Tensor:
    """Average several layers over their frames, all of which are valid.

    Args:
        layers: hidden states of one utterance, (L, T, D), T >= 1.
        chosen: `weighted` for all of them, or their indices.

    Returns:
        (L, D), or a row for each index.

    Raises:
        ConfigError: for a layer that the upstream does not have.

    Example:
        >>> pool_layers(torch.tensor([[[1.0], [3.0]], [[5.0], [9.0]]]), "weighted").tolist()
        [[2.0], [7.0]]
    """
    if chosen == WEIGHTED:
        return layers.mean(1)
    for layer in chosen:
        _check(layers, layer)
    return layers[list(chosen)].mean(1)


def in_half(layers: Tensor) -> Tensor:
    """Round to numbers that half precision has, as float32.

    Raises:
        DataError: for one that it does not have.
    """
    rounded = layers.half().float()
    if layers.isfinite().all() and not rounded.isfinite().all():
        raise DataError("its layers have numbers above 65,504, too large for 'storage: fp16'; take fp32")
    return rounded


def _check(layers: Tensor, layer: int) -> None:
    if not 0 <= layer < len(layers):
        raise ConfigError(f"layer: {layer} is not one of this upstream's 0 to {len(layers) - 1}, or 'last'")
