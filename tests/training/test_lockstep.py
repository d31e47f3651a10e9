"""Training in lockstep: every model as alone, with PyTorch's Adam, whatever it is trained beside."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from ser.training.lockstep import train_in_lockstep

STEPS, RATES = [7, 5, 5, 2], [1e-2, 3e-2, 1e-2, 1e-1]


def models() -> list[torch.nn.Sequential]:
    def one(seed: int) -> torch.nn.Sequential:
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()

    with torch.random.fork_rng():
        return [one(seed) for seed in range(4)]


def batches() -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (step, model, row, 3) and targets (step, model, row, 1)."""
    generator = torch.Generator().manual_seed(9)
    return (
        torch.randn(7, 4, 6, 3, generator=generator, dtype=torch.float64),
        torch.randn(7, 4, 6, 1, generator=generator, dtype=torch.float64),
    )


def test_each_model_moves_as_with_torch_s_adam_alone():
    x, y = batches()
    stack = stack_module_state(models())[0]
    before = {name: value.clone() for name, value in stack.items()}
    skeleton = models()[0]

    def losses_of(params, step):
        n = len(params["0.bias"])
        out = vmap(lambda own, x: functional_call(skeleton, own, (x,)))(params, x[step, :n])
        return (out - y[step, :n]).square().mean((1, 2))

    trained = train_in_lockstep(losses_of, stack, STEPS, RATES)
    assert all(torch.equal(stack[name], before[name]) for name in stack)
    for i, model in enumerate(models()):
        optimizer = torch.optim.Adam(model.parameters(), lr=RATES[i])
        for step in range(STEPS[i]):
            optimizer.zero_grad()
            (model(x[step, i]) - y[step, i]).square().mean().backward()
            optimizer.step()
        for name, value in model.state_dict().items():
            torch.testing.assert_close(trained[name][i], value, rtol=1e-9, atol=1e-12)


def test_models_have_to_be_sorted():
    with pytest.raises(ValueError, match=r"the longest first, got \[1, 2\]"):
        train_in_lockstep(lambda params, step: params["w"], {"w": torch.zeros(2)}, [1, 2], [1.0, 1.0])


def test_no_steps_change_nothing():
    weights = {"w": torch.ones(2, 3), "scalar": torch.ones(2)}
    trained = train_in_lockstep(lambda params, step: params["w"].sum(1), weights, [0, 0], [1.0, 1.0])
    assert {name: value.tolist() for name, value in trained.items()} == {"w": [[1.0] * 3] * 2, "scalar": [1.0, 1.0]}
