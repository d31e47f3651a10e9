"""Named draws: the same everywhere, independent of each other and of their order."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import ser
from ser.randomness import drawing, rng, seed_of


def test_seed_is_the_first_63_bits_of_the_names_hash():
    bits = hashlib.blake2b(b"support\x1f1\x1femodb", digest_size=8).hexdigest()
    assert seed_of("support", 1, "emodb") == int(bits, 16) // 2 == 518775543214500067


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text("abc 1", max_size=3), max_size=3), st.lists(st.text("abc 1", max_size=3), max_size=3))
def test_other_names_give_other_seeds(one, other):
    if one in ([], [""]):  # no name and an empty name are one
        one = [""]
    if other in ([], [""]):
        other = [""]
    assert (seed_of(*one) == seed_of(*other)) == (one == other)
    assert 0 <= seed_of(*one) < 2**63


def test_a_draw_does_not_depend_on_those_before_it():
    alone = rng("b", 2).normal(size=3).tolist()
    rng("a", 1).normal(size=100)
    assert rng("b", 2).normal(size=3).tolist() == alone
    assert rng("b", 3).normal(size=3).tolist() != alone


def test_seed_does_not_depend_on_the_process():
    code = "from ser.randomness import seed_of; print(seed_of('é', 0.1, None, ('a', 1)))"
    seeds = {
        int(subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": h}, capture_output=True).stdout)
        for h in ("1", "2")
    }
    assert seeds == {seed_of("é", 0.1, None, ("a", 1))}


def test_torch_draws_from_the_seed_and_goes_on_as_if_it_had_not(monkeypatch):
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(7)
    undisturbed = torch.rand(3)
    seeds_of_gpus = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds_of_gpus.append)
    torch.manual_seed(7)
    with drawing(5):
        assert torch.equal(torch.rand(3), expected)
    with drawing(5, torch.device("cpu")):
        assert torch.equal(torch.rand(3), expected)
    assert seeds_of_gpus == [7]
    assert torch.equal(torch.rand(3), undisturbed)


def test_nothing_seeds_torch_for_good():
    package = Path(ser.__file__).parent
    assert not [path for path in package.rglob("*.py") if "torch.manual_seed(" in path.read_text()]
