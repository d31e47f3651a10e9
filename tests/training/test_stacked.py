"""Stacked training against one model after another with torch's own loop."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, stack_module_state, vmap

from ser.losses import EmotionDistanceLoss, SiameseContrastiveLoss
from ser.system.devices import make_fabric
from ser.training import stacked
from ser.training.stacked import repeat, train_in_lockstep, train_stacked

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
        loss, params, batch, **{"epochs": 7, "lr": 0.03, "lr_decay": 0.8, "fabric": FABRIC} | settings
    )


def one_by_one(params, batch, loss=loss, epochs=7, batch_size=B, lr=0.03, lr_decay=0.8, decay_per="epoch", seed=0):
    """Train every model alone, in eager mode."""
    trained, losses = [], []
    for e in range(len(params["w"])):
        own = {name: value[e].clone().requires_grad_() for name, value in params.items()}
        optimizer = torch.optim.Adam(own.values(), lr=lr, foreach=False)
        order = torch.Generator().manual_seed(seed)
        losses.append([])
        for _ in range(epochs):
            rows = torch.randperm(B, generator=order).tolist()
            total = 0.0
            while rows:
                taken, rows = rows[:batch_size], rows[batch_size:]
                optimizer.zero_grad()
                value = loss(own, *(b[e][taken] for b in batch))
                value.backward()
                optimizer.step()
                total += value.item() * len(taken)
                if decay_per == "step" or not rows:
                    optimizer.param_groups[0]["lr"] *= lr_decay
            losses[-1].append(total / B)
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


@pytest.mark.parametrize("decay_per", ["epoch", "step"])
@pytest.mark.parametrize("batch_size", [1, 3, 4, 7, B, 100])
def test_mini_batches_equal_one_model_after_another(batch_size, decay_per):
    params, batch = problem()
    settings = {"batch_size": batch_size, "decay_per": decay_per, "lr_decay": 0.95, "seed": 3}
    trained, losses = train(params, batch, **settings)
    expected, expected_losses = one_by_one(params, batch, **settings)
    for name in params:
        torch.testing.assert_close(trained[name], expected[name], rtol=0, atol=1e-12)
    torch.testing.assert_close(losses.double(), expected_losses.double(), rtol=0, atol=1e-6)


def pair_loss(params, x, y):
    """A loss of pairs, of which mini-batches lose some and single rows all."""
    z = x @ params["w"].T + params["b"]
    return EmotionDistanceLoss()(z, y + 1) + SiameseContrastiveLoss()(F.normalize(z @ params["v"].T, dim=-1), y)


@pytest.mark.parametrize("batch_size", [None, 3, 7])
def test_losses_of_pairs_equal_one_model_after_another(batch_size):
    params, batch = problem()
    trained, losses = train(params, batch, pair_loss, batch_size=batch_size)
    expected, expected_losses = one_by_one(params, batch, pair_loss, batch_size=batch_size or B)
    for name in params:
        torch.testing.assert_close(trained[name], expected[name], rtol=0, atol=1e-10)
    torch.testing.assert_close(losses.double(), expected_losses.double(), rtol=1e-6, atol=1e-6)


def test_orders_of_rows_follow_from_the_seed():
    params, batch = problem()
    first, again, other = (train(params, batch, batch_size=3, seed=seed)[0] for seed in (1, 1, 2))
    whole, whole_again = (train(params, batch, seed=seed)[0] for seed in (1, 2))
    for name in params:
        assert torch.equal(first[name], again[name])
        assert not torch.allclose(first[name], other[name], atol=1e-6)
        assert torch.equal(whole[name], whole_again[name])


@pytest.mark.parametrize("n_at_once", [0, 1, 2, 3, 100])
@pytest.mark.parametrize("limit", ["CHUNK_BYTES", "CHUNK_MODELS"])
def test_chunks_do_not_matter(monkeypatch, limit, n_at_once):
    params, batch = problem()
    whole, whole_losses = train(params, batch, batch_size=3)
    monkeypatch.setattr(stacked, limit, n_at_once * (8 * (H * D + H + C * H) if limit == "CHUNK_BYTES" else 1))
    parts, part_losses = train(params, batch, batch_size=3)
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


def test_no_epochs_give_back_the_initial_weights():
    params, batch = problem()
    trained, losses = train(params, batch, epochs=0)
    assert losses.shape == (0, E)
    for name in params:
        assert torch.equal(trained[name], params[name])


@pytest.mark.parametrize("decay_per", ["epoch", "step"])
def test_learning_rate_decays_after_each_step_over_all_rows(decay_per):
    """Under a constant gradient every Adam step has exactly the length of its learning rate."""
    slope = torch.tensor([[3.0, -0.5], [-2.0, 40.0]], dtype=torch.float64)
    start = {"w": torch.zeros(2, 2, dtype=torch.float64)}

    def linear(params, slope):
        return (params["w"] * slope).sum()

    walked = 0.0
    for epochs in (1, 2, 3, 4):
        walked += 0.1 * 0.5 ** (epochs - 1)
        trained, losses = train(start, (slope,), linear, epochs=epochs, lr=0.1, lr_decay=0.5, decay_per=decay_per)
        torch.testing.assert_close(trained["w"], -walked * slope.sign(), rtol=1e-6, atol=0)
    assert losses[:2, 0].tolist() == pytest.approx([0, -0.1 * 3.5])


def test_repeat_takes_models_out_of_a_stack():
    params = {"w": torch.arange(6.0).view(3, 2)}
    assert repeat(params, [2, 0, 2])["w"].tolist() == [[4, 5], [0, 1], [4, 5]]


# ---- In lockstep ----------------------------------------------------------------------------------------------

STEPS, RATES = [7, 5, 5, 2], [1e-2, 3e-2, 1e-2, 1e-1]


def lockstep_models() -> list[torch.nn.Sequential]:
    def one(seed: int) -> torch.nn.Sequential:
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()

    with torch.random.fork_rng():
        return [one(seed) for seed in range(4)]


def lockstep_batches() -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (step, model, row, 3) and targets (step, model, row, 1)."""
    generator = torch.Generator().manual_seed(9)
    return (
        torch.randn(7, 4, 6, 3, generator=generator, dtype=torch.float64),
        torch.randn(7, 4, 6, 1, generator=generator, dtype=torch.float64),
    )


def test_in_lockstep_each_model_moves_as_with_torch_s_adam_alone():
    x, y = lockstep_batches()
    stack = stack_module_state(lockstep_models())[0]
    before = {name: value.clone() for name, value in stack.items()}
    skeleton = lockstep_models()[0]

    def losses_of(params, step):
        n = len(params["0.bias"])
        out = vmap(lambda own, x: functional_call(skeleton, own, (x,)))(params, x[step, :n])
        return (out - y[step, :n]).square().mean((1, 2))

    trained = train_in_lockstep(losses_of, stack, STEPS, RATES)
    assert all(torch.equal(stack[name], before[name]) for name in stack)
    for i, model in enumerate(lockstep_models()):
        optimizer = torch.optim.Adam(model.parameters(), lr=RATES[i])
        for step in range(STEPS[i]):
            optimizer.zero_grad()
            (model(x[step, i]) - y[step, i]).square().mean().backward()
            optimizer.step()
        for name, value in model.state_dict().items():
            torch.testing.assert_close(trained[name][i], value, rtol=1e-9, atol=1e-12)


def test_models_in_lockstep_have_to_be_sorted():
    with pytest.raises(ValueError, match=r"the longest first, got \[1, 2\]"):
        train_in_lockstep(lambda params, step: params["w"], {"w": torch.zeros(2)}, [1, 2], [1.0, 1.0])


def test_no_steps_in_lockstep_change_nothing():
    weights = {"w": torch.ones(2, 3), "scalar": torch.ones(2)}
    trained = train_in_lockstep(lambda params, step: params["w"].sum(1), weights, [0, 0], [1.0, 1.0])
    assert {name: value.tolist() for name, value in trained.items()} == {"w": [[1.0] * 3] * 2, "scalar": [1.0, 1.0]}
