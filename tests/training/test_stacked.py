"""Stacked training against one model after another with torch's own loop."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ser.devices import make_fabric
from ser.training import stacked
from ser.training.stacked import repeat, train_stacked

E, B, D, H, C = 5, 8, 4, 6, 3
FABRIC = make_fabric("cpu")


def loss(params, x, y):
    hidden = torch.tanh(x @ params["w"].T + params["b"])
    return F.cross_entropy(hidden @ params["v"].T, y)


def problem(dtype=torch.float64):
    g = torch.Generator().manual_seed(0)
    shapes = {"w": (E, H, D), "b": (E, H), "v": (E, C, H)}
    params = {name: torch.randn(shape, generator=g, dtype=dtype) for name, shape in shapes.items()}
    return params, (torch.randn(E, B, D, generator=g, dtype=dtype), torch.randint(C, (E, B), generator=g))


def train(params, batch, loss=loss, **settings):
    return train_stacked(
        loss, params, batch, **{"steps": 7, "lr": 0.03, "lr_decay": 0.8, "fabric": FABRIC} | settings
    )


def one_by_one(params, batch, steps=7, lr=0.03, lr_decay=0.8):
    """Train every model alone, in eager mode."""
    trained, losses = [], []
    for e in range(len(params["w"])):
        own = {name: value[e].clone().requires_grad_() for name, value in params.items()}
        optimizer = torch.optim.Adam(own.values(), lr=lr, foreach=False)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, lr_decay)
        losses.append([])
        for _ in range(steps):
            optimizer.zero_grad()
            value = loss(own, *(b[e] for b in batch))
            value.backward()
            optimizer.step()
            schedule.step()
            losses[-1].append(value.item())
        trained.append(own)
    return {name: torch.stack([own[name].detach() for own in trained]) for name in params}, torch.tensor(losses).T


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_equals_one_model_after_another(dtype, tolerance):
    params, batch = problem(dtype)
    trained, losses = train(params, batch)
    expected, expected_losses = one_by_one(params, batch)
    for name in params:
        assert trained[name].dtype == dtype
        assert not torch.allclose(trained[name], params[name], atol=0.05)
        torch.testing.assert_close(trained[name], expected[name], rtol=0, atol=tolerance)
    torch.testing.assert_close(losses.double(), expected_losses.double(), rtol=0, atol=1e-6)
    assert losses.shape == (7, E)


@pytest.mark.parametrize("n_at_once", [0, 1, 2, 3, 100])
def test_chunks_do_not_matter(monkeypatch, n_at_once):
    params, batch = problem()
    whole, whole_losses = train(params, batch)
    monkeypatch.setattr(stacked, "CHUNK_BYTES", n_at_once * 8 * (H * D + H + C * H))
    parts, part_losses = train(params, batch)
    for name in params:
        torch.testing.assert_close(parts[name], whole[name], rtol=0, atol=1e-12)
    torch.testing.assert_close(part_losses, whole_losses, rtol=0, atol=1e-12)


def test_models_do_not_touch_each_other():
    params, (x, y) = problem()
    other_x = x.clone()
    other_x[1] += 1
    first, second = train(params, (x, y))[0], train(params, (other_x, y))[0]
    for name in params:
        changed = (first[name] - second[name]).abs().flatten(1).amax(1) > 1e-9
        assert changed.tolist() == [False, True, False, False, False]


def test_initial_weights_are_not_changed():
    params, batch = problem()
    before = {name: value.clone() for name, value in params.items()}
    train(params, batch)
    for name in params:
        assert torch.equal(params[name], before[name])
        assert not params[name].requires_grad


def test_initial_weights_may_come_straight_from_a_trained_module():
    """Such weights require gradients, and taken out of a stack they are no leaves."""
    params, batch = problem()
    grown = repeat({name: value.clone().requires_grad_() for name, value in params.items()}, range(E))
    trained = train(grown, batch)[0]
    for name, value in train(params, batch)[0].items():
        assert torch.equal(trained[name], value)
        assert not trained[name].requires_grad


def test_no_steps_give_back_the_initial_weights():
    params, batch = problem()
    trained, losses = train(params, batch, steps=0)
    assert losses.shape == (0, E)
    for name in params:
        assert torch.equal(trained[name], params[name])


def test_learning_rate_decays_after_each_step():
    """Under a constant gradient every Adam step has exactly the length of its learning rate."""
    slope = torch.tensor([[3.0, -0.5], [-2.0, 40.0]], dtype=torch.float64)
    start = {"w": torch.zeros(2, 2, dtype=torch.float64)}

    def linear(params, slope):
        return (params["w"] * slope).sum()

    walked = 0.0
    for steps in (1, 2, 3, 4):
        walked += 0.1 * 0.5 ** (steps - 1)
        trained, losses = train(start, (slope,), linear, steps=steps, lr=0.1, lr_decay=0.5)
        torch.testing.assert_close(trained["w"], -walked * slope.sign(), rtol=1e-6, atol=0)
    assert losses[:2, 0].tolist() == pytest.approx([0, -0.1 * 3.5])


def test_repeat_takes_models_out_of_a_stack():
    params = {"w": torch.arange(6.0).view(3, 2)}
    assert repeat(params, [2, 0, 2])["w"].tolist() == [[4, 5], [0, 1], [4, 5]]
