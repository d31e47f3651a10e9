"""Which list a family of runs goes into, so that it meets the machine that it needs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ser import methods
from ser.recipe import jobs


class Recipe(SimpleNamespace):
    """As much of a recipe as planning needs, without any corpus."""

    def row(self, name: str) -> SimpleNamespace:
        return next(row for row in self.rows if row.name == name)


def row(name: str, method: str, init: str | None = None) -> SimpleNamespace:
    about = methods.about(method)
    return SimpleNamespace(name=name, about=about, finetunes=about.finetunes, init=init, seeds=(1, 2), config=None,
                           feature="f", label=name, needs=None, variant_of=None)  # fmt: skip


@pytest.mark.parametrize("methods_of, expected", [
    ({"a": "emofsl", "b": "linear_svc"}, {"train": "a:1 a:2 b:1 b:2"}),
    ({"a": "difl", "b": "logistic_regression"}, {"train": "b:1 b:2", "gpu": "a:1 a:2"}),
    ({"a": "supcon", "b": "supcon_finetune"}, {"gpu": "a:1 a:2", "finetune": "b:1 b:2"}),
])  # fmt: skip
def test_families_are_listed_by_machine(tmp_path: Path, monkeypatch, methods_of, expected):
    rows = [row(name, method) for name, method in methods_of.items()]
    todo = {(one.name, seed) for one in rows for seed in one.seeds}
    monkeypatch.setattr(jobs, "_unfinished", lambda _: (todo, len(todo)))
    monkeypatch.setattr(jobs, "_expected", lambda *_: "")
    jobs.plan_training(Recipe(rows=rows, exp=tmp_path, tasks=[""], left_out=lambda _: None))
    found = {
        path.stem.removeprefix("jobs_"): " ".join(sorted(path.read_text().split())) for path in tmp_path.iterdir()
    }
    assert found == expected


def test_a_family_goes_where_its_most_demanding_run_has_to(tmp_path: Path, monkeypatch):
    rows = [row("parent", "emofsl"), row("child", "emofsl_finetune", init="parent")]
    monkeypatch.setattr(jobs, "_unfinished", lambda _: ({(one.name, 1) for one in rows}, 2))
    monkeypatch.setattr(jobs, "_expected", lambda *_: "")
    jobs.plan_training(Recipe(rows=rows, exp=tmp_path, tasks=[""], left_out=lambda _: None))
    assert (tmp_path / "jobs_finetune.tsv").read_text() == "parent:1\tchild:1\n"
