"""Files of unfinished training: prefixes, and an optimizer that goes on as if it had never stopped."""

import torch
from torch import nn

from ser.training.tensor_files import (
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
