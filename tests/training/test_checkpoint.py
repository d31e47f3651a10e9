"""Files of tensors: prefixes, round trips, damage, and an optimizer that goes on as if it had never stopped."""

import os
import re
import stat

import numpy as np
import pytest
import torch
from torch import nn

from ser.errors import DataError
from ser.training.checkpoint import (
    below,
    optimizer_tensors,
    prefixed,
    read_tensors,
    set_optimizer_tensors,
    write_tensors,
)


def test_tensors_below_a_prefix_are_those_that_were_put_there():
    weights = {"a.w": torch.ones(2), "b": torch.zeros(1)}
    both = prefixed(weights, "now.") | prefixed({"a.w": torch.full((2,), 5.0)}, "nowhere.")
    assert list(prefixed(weights, "now.")) == ["now.a.w", "now.b"]
    assert {name: value.tolist() for name, value in below(both, "now.").items()} == {"a.w": [1, 1], "b": [0]}
    assert below(both, "never.") == {}


@pytest.mark.parametrize("value", [np.ones(2), torch.ones(2)], ids=["array", "tensor"])
def test_who_may_read_other_new_files_may_read_these(tmp_path, value):
    """safetensors makes files that only their owner may read, whatever the umask."""
    former = os.umask(0o027)
    try:
        for _ in range(2):  # the second replaces the first
            write_tensors(tmp_path / "file", {"a": value})
            assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    finally:
        os.umask(former)


@pytest.mark.parametrize("about", [None, {"epoch": 3}])
def test_arrays_come_back_as_they_were(tmp_path, about):
    arrays = {
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "every second": np.linspace(0, 1, 7)[::2],
        "rows": np.array([3, -1], np.int64),
        "empty": np.empty((0, 4), np.float32),
    }
    write_tensors(tmp_path / "file", arrays, about)
    for framework, kind in (("numpy", np.ndarray), ("pt", torch.Tensor)):
        found, told = read_tensors(tmp_path / "file", framework)
        assert (found.keys(), told) == (arrays.keys(), about)
        for name, value in arrays.items():
            assert isinstance(found[name], kind)
            assert np.asarray(found[name]).dtype == value.dtype
            assert np.array_equal(found[name], value)


@pytest.mark.parametrize("framework", ["numpy", "pt"])
@pytest.mark.parametrize("damage", [
    lambda whole: b"", lambda whole: whole[:5], lambda whole: whole[:30], lambda whole: whole[:-1],
    lambda whole: whole + b"0", lambda whole: whole.replace(b"F32", b"F\xff2"),
], ids=["empty", "5 bytes", "within the header", "without the last byte", "with another byte", "header"])  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, damage, framework):
    path = tmp_path / "model.safetensors"
    write_tensors(path, {"weight": np.ones((2, 3), np.float32)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        DataError, match=rf"^{re.escape(str(path))}: damaged \(.*\); delete it and run the stage that"
    ):
        read_tensors(path, framework)


def test_an_optimizer_goes_on_from_a_file_as_if_it_had_not_stopped(tmp_path):
    def steps(layer, optimizer, numbers):
        for number in numbers:
            optimizer.zero_grad()
            layer(torch.full((1, 3), float(number))).square().sum().backward()
            optimizer.step()

    for make in (torch.optim.Adam, torch.optim.Adadelta):
        torch.manual_seed(0)
        whole = nn.Linear(3, 2)
        first = nn.Linear(3, 2)
        first.load_state_dict(whole.state_dict())
        steps(whole, make(whole.parameters(), lr=0.1), range(5))
        optimizer = make(first.parameters(), lr=0.1)
        steps(first, optimizer, range(3))
        write_tensors(tmp_path / "file", prefixed(optimizer_tensors(optimizer), "o."), {"step": 3})
        tensors, about = read_tensors(tmp_path / "file")
        again = make(first.parameters(), lr=0.1)
        set_optimizer_tensors(again, below(tensors, "o."))
        steps(first, again, range(about["step"], 5))
        assert torch.equal(first.weight, whole.weight)
        assert torch.equal(first.bias, whole.bias)
