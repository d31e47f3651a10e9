from __future__ import annotations

import numpy as np
import pytest
import torch

from ser.errors import ConfigError, DataError
from ser.features.pool import in_half, pool, pool_layers

LAYERS = np.random.default_rng(0).normal(3, 2, (3, 7, 5)).astype(np.float32)  # (L, T, D)


@pytest.mark.parametrize(("layer", "index"), [(0, 0), (1, 1), (2, 2), ("last", 2)])
def test_pooling_is_numpys(layer, index):
    mean, std = LAYERS[index].mean(0), LAYERS[index].std(0)  # numpy's default is the population's
    np.testing.assert_allclose(pool(torch.tensor(LAYERS), layer, "mean"), mean, rtol=1e-6)
    both = pool(torch.tensor(LAYERS), layer, "mean+std")
    np.testing.assert_allclose(both, np.concatenate([mean, std]), rtol=1e-5)


@pytest.mark.parametrize(("layer", "index"), [(0, 0), (1, 1), ("last", 2)])
def test_without_pooling_all_frames_of_a_layer_stay(layer, index):
    np.testing.assert_array_equal(pool(torch.tensor(LAYERS), layer, "none"), LAYERS[index])


def test_one_frame_deviates_by_nothing():
    assert pool(torch.tensor([[[2.0, -1.0]]]), 0, "mean+std").tolist() == [2, -1, 0, 0]


@pytest.mark.parametrize("layer", [3, -1])
def test_a_layer_that_is_not_there_is_named(layer):
    with pytest.raises(ConfigError, match=f"layer: {layer} is not one of this upstream's 0 to 2, or 'last'"):
        pool(torch.tensor(LAYERS), layer, "mean")


def test_layers_are_averaged_by_hand():
    layers = torch.tensor([[[1.0, 10.0], [3.0, 30.0]], [[5.0, 50.0], [7.0, 70.0]], [[0.0, 0.0], [8.0, 4.0]]])
    assert pool_layers(layers, "weighted").tolist() == [[2.0, 20.0], [6.0, 60.0], [4.0, 2.0]]
    assert pool_layers(layers, (0, 2)).tolist() == [[2.0, 20.0], [4.0, 2.0]]
    with pytest.raises(ConfigError, match="layer: 3 is not one of this upstream's 0 to 2"):
        pool_layers(layers, (0, 3))


def test_half_precision_rounds_and_refuses_what_it_does_not_have():
    assert in_half(torch.tensor([1 / 3, 65504.0])).tolist() == [np.float16(1 / 3), 65504.0]
    with pytest.raises(DataError, match="numbers above 65,504"):
        in_half(torch.tensor([7e4]))
