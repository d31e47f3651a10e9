"""From the layers of one utterance to one vector, or to the frames of one layer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ser.errors import ConfigError
from ser.features.config import Pooling


def pool(layers: Tensor, layer: int | Literal["last", "all"], pooling: Pooling) -> Tensor:
    """Choose a layer and pool its frames, all of which are valid.

    Args:
        layers: hidden states of one utterance, (L, T, D), T >= 1.
        layer: index from 0, or `last`; with `all`, the means of all layers stand one behind the other.
        pooling: `mean`, `mean+std` with the population standard deviation, or `none`.

    Returns:
        (D,) or (2 D,); (L D,) of all layers; with `none` (T, D).

    Raises:
        ConfigError: for a layer that the upstream does not have.

    Example:
        >>> pool(torch.tensor([[[1.0], [3.0]]]), "last", "mean+std").tolist()
        [2.0, 1.0]
    """
    if layer == "all":
        return layers.mean(1).flatten()
    if layer != "last" and not 0 <= layer < len(layers):
        raise ConfigError(f"layer: {layer} is not one of this upstream's 0 to {len(layers) - 1}, or 'last'")
    frames = layers[-1 if layer == "last" else layer]  # (T, D)
    if pooling == "none":
        return frames
    mean = frames.mean(0)
    return mean if pooling == "mean" else torch.cat([mean, frames.std(0, correction=0)])
