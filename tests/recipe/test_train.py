"""Training of a part of the list: what is trained by one call, and one run that spoils the others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ser.errors import ConfigError, DataError
from ser.recipe import train

TOGETHER, ALONE = SimpleNamespace(train_together=None), SimpleNamespace()


def row(name: str, method: object = TOGETHER, reads: str = "four egemaps") -> SimpleNamespace:
    about = SimpleNamespace(needs_torch=False)
    return SimpleNamespace(name=name, reads=reads, method=method, values={"method": str(id(method))}, about=about)


def test_runs_of_such_a_method_on_the_same_data_are_trained_together():
    a, b, other, alone = row("a"), row("b"), row("c", reads="three egemaps"), row("d", ALONE)
    runs = [(a, 1), (alone, 1), (other, 1), (b, 1), (a, 2), (alone, 2)]
    assert train._together(runs) == [[(a, 1), (b, 1), (a, 2)], [(alone, 1)], [(other, 1)], [(alone, 2)]]


def test_one_that_fails_does_not_stop_those_it_is_trained_beside(tmp_path, monkeypatch, capsys):
    rows = {name: row(name) for name in ("good", "bad", "fine")}
    done: list[list[str]] = []

    def one_call(recipe, runs, device, data):
        names = [row.name for row, _ in runs]
        if "bad" in names:
            raise DataError("it has no ratings")
        done.append(names)

    monkeypatch.setattr(train, "_train", one_call)
    jobs = tmp_path / "jobs.tsv"
    jobs.write_text("good:1\nbad:1\nfine:2\n")
    with pytest.raises(DataError, match="it has no ratings"):
        train.train_part(SimpleNamespace(row=rows.__getitem__), jobs, "1/1", "cpu")
    assert done == [["good"], ["fine"]]
    assert capsys.readouterr().out == "bad seed 1: failed: it has no ratings\n"


@pytest.mark.parametrize("failure", [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
])  # fmt: skip
def test_too_little_memory_ends_one_family_and_names_the_setting(tmp_path, monkeypatch, capsys, failure):
    rows = {name: row(name, ALONE) for name in ("large", "of_large", "other")}
    for one in rows.values():
        one.about.memory, one.config = "batch_size", SimpleNamespace(batch_size=128)
    done: list[str] = []

    def one_call(recipe, runs, device, data):
        [(one, _)] = runs
        if one.name == "large":
            raise failure
        if one.name == "of_large":
            raise ConfigError("row large, which it starts from, is not trained")
        done.append(one.name)

    monkeypatch.setattr(train, "_train", one_call)
    (jobs := tmp_path / "jobs.tsv").write_text("large:1\tof_large:1\nother:1\n")
    with pytest.raises(ConfigError, match="was not enough; lower batch_size, now 128"):
        train.train_part(SimpleNamespace(row=rows.__getitem__), jobs, "1/1", "cuda")
    assert done == ["other"]
    assert "large seed 1: failed: the memory of this machine or its GPU was not enough" in capsys.readouterr().out


def test_any_other_runtime_error_is_a_fault_of_the_code(tmp_path, monkeypatch):
    def one_call(recipe, runs, device, data):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(train, "_train", one_call)
    (jobs := tmp_path / "jobs.tsv").write_text("a:1\n")
    with pytest.raises(RuntimeError, match="shapes differ"):
        train.train_part(SimpleNamespace(row=lambda name: row(name, ALONE)), jobs, "1/1", "cpu")


@pytest.mark.parametrize("needs_torch, value, kind", [
    (True, np.ones(2), "torch's tensors; train gave 'w' as numpy.ndarray"),
    (False, torch.ones(2), "numpy's arrays; train gave 'w' as torch.Tensor"),
    (True, [1.0], "torch's tensors; train gave 'w' as builtins.list"),
    (False, [1.0], "numpy's arrays; train gave 'w' as builtins.list"),
])  # fmt: skip
def test_weights_of_another_kind_than_declared_are_one_sentence(needs_torch, value, kind):
    about = SimpleNamespace(needs_torch=needs_torch)
    named = SimpleNamespace(about=about, values={"method": "linear_svc"})
    said = f"^ser/methods/linear_svc.py: ABOUT: needs_torch={needs_torch} says that weights are {kind}"
    with pytest.raises(ConfigError, match=said):
        train._check_weights(named, {"w": value})
    train._check_weights(named, {"w": torch.ones(2) if needs_torch else np.ones(2)})
