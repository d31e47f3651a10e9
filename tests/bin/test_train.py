"""Training of a part of the list: what is trained by one call, and one run that spoils the others."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ser.bin import train
from ser.errors import DataError

TOGETHER, ALONE = SimpleNamespace(train_together=None), SimpleNamespace()


def row(name: str, method: object = TOGETHER, reads: str = "four egemaps") -> SimpleNamespace:
    return SimpleNamespace(name=name, reads=reads, method=method, values={"method": str(id(method))})


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
        train.run(SimpleNamespace(row=rows.__getitem__), jobs, "1/1", "cpu")
    assert done == [["good"], ["fine"]]
    assert capsys.readouterr().out == "bad seed 1: failed: it has no ratings\n"
