"""Runs that would train the same, under several tasks: which these are, and that one is listed for all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ser.recipe import jobs, sharing
from ser.recipe.sharing import taken_from_other_tasks, trainers
from ser.splits.lists import Split, Splits, write_splits
from ser.system.files import read_json, write_json

SPLIT = Split("all", {"s-1-a": "high", "s-1-b": "low"}, {"s-2-a": "low"}, ["t-1-a", "t-1-b"], {"t-1-a": "low"})


class Recipe(SimpleNamespace):
    """As much of a recipe as sharing needs: tasks with splits on disk, and rows that are trained or not."""

    def row(self, name: str) -> SimpleNamespace:
        return next(row for row in self.rows if row.name == name)

    def splits_of(self, task: str) -> Splits:
        return Splits.open(self.folder / task)

    def train_inputs(self, row: SimpleNamespace, seed: int) -> dict:
        init = row.init and [row.init, seed]
        return {"config": row.config, "seed": seed, "init": init, "splits": self.splits_of(row.task).fingerprint}

    def is_trained(self, row: SimpleNamespace, seed: int) -> bool:
        return (row.name, seed) in self.trained

    def has_weights(self, row: SimpleNamespace, seed: int) -> bool:
        return self.is_trained(row, seed) and (row.name, seed) not in self.dropped

    def left_out(self, row: SimpleNamespace) -> None:
        return None


def row(task: str, label: str, sees: str | None = None, init: str | None = None) -> SimpleNamespace:
    method = SimpleNamespace(target_data=lambda config: frozenset({sees} if sees else ()))
    about = SimpleNamespace(needs_gpu=False)
    return SimpleNamespace(task=task, name=f"{task}/{label}", label=label, feature="f", seeds=(1, 2), method=method,
                           config={"row": label}, init=init and f"{task}/{init}", values={"method": "m"}, about=about,
                           finetunes=False, needs=None, variant_of=None)  # fmt: skip


def recipe(folder: Path, splits: dict[str, Split], *rows, trained=(), dropped=(), classes=None) -> Recipe:
    classes = classes or {}
    for task, split in splits.items():
        about = {"made_from": {"task": task}, "labels": {"classes": classes.get(task, ["high", "low"])}}
        write_splits(folder / task, [split], about)
    return Recipe(folder=folder, exp=folder, tasks=list(splits), rows=rows, trained=trained, dropped=dropped)


def asked(*rows: SimpleNamespace) -> list[tuple[str, int]]:
    return [(row.name, seed) for row in rows for seed in row.seeds]


def test_tasks_that_differ_in_what_they_test_share_a_training(tmp_path):
    a, b = row("a", "x"), row("b", "x")
    other = replace(SPLIT, test={"t-1-a": "high"})
    found = trainers(recipe(tmp_path, {"a": SPLIT, "b": other}, a, b), asked(b, a))
    assert found == {("a/x", 1): ("a/x", 1), ("a/x", 2): ("a/x", 2), ("b/x", 1): ("a/x", 1), ("b/x", 2): ("a/x", 2)}


@pytest.mark.parametrize(
    "changes",
    [
        {"train": {"s-1-a": "high", "s-1-b": "high"}},
        {"train": {"s-1-b": "low", "s-1-a": "high"}},  # the order decides batches
        {"dev": {}},
        {"labelled": {"t-2-a": "low"}},
        {"support": {(5, 1): {"t-2-a": "low"}}},
        {"shares": {"s-1-a": {"high": 0.6}}},
        {"name": "other"},  # weights are named by it
    ],
)
def test_any_other_list_is_another_training(tmp_path, changes):
    a, b = row("a", "x"), row("b", "x")
    found = trainers(recipe(tmp_path, {"a": SPLIT, "b": replace(SPLIT, **changes)}, a, b), asked(a, b))
    assert all(run == trainer for run, trainer in found.items())


def test_unlabelled_audio_counts_for_rows_that_hear_it(tmp_path):
    rows = [row(task, label, sees) for task in "ab" for label, sees in (("deaf", None), ("hears", "unlabelled-test"))]
    both = {"a": SPLIT, "b": replace(SPLIT, adapt=["t-1-a"])}
    found = trainers(recipe(tmp_path, both, *rows), asked(*rows))
    assert found["b/deaf", 1] == ("a/deaf", 1) and found["b/hears", 1] == ("b/hears", 1)


def test_another_order_of_classes_or_an_older_stage_2_is_another_training(tmp_path):
    rows = [row(task, "x") for task in "abc"]
    classes = {"b": ["low", "high"]}
    of = recipe(tmp_path, dict.fromkeys("abc", SPLIT), *rows, classes=classes)
    old = tmp_path / "c" / "all" / "split.json"
    write_json(old, {key: value for key, value in read_json(old).items() if key != "files"})
    assert all(run == trainer for run, trainer in trainers(of, asked(*rows)).items())


def test_a_child_shares_where_its_parent_does(tmp_path):
    rows = [row(task, *of) for task in "ab" for of in (("parent",), ("child", None, "parent"))]
    found = trainers(recipe(tmp_path, {"a": SPLIT, "b": SPLIT}, *rows), asked(*rows))
    assert found["b/child", 2] == ("a/child", 2)
    apart = {"a": SPLIT, "b": replace(SPLIT, adapt=[])}
    rows = [row(task, *of) for task in "ab" for of in (("parent", "unlabelled-train"), ("child", None, "parent"))]
    found = trainers(recipe(tmp_path / "apart", apart, *rows), asked(*rows))
    assert found["b/child", 2] == ("b/child", 2)


def test_one_is_listed_and_a_child_of_any_of_them_is_of_its_family(tmp_path, monkeypatch, capsys):
    """`hears` of task b starts from the shared parent, but is trained by itself: behind it, in one process."""
    families = (("parent", None, None), ("hears", "unlabelled-test", "parent"))
    rows = [row(task, *of) for task in "ab" for of in families]
    of = recipe(tmp_path, {"a": SPLIT, "b": replace(SPLIT, adapt=[])}, *rows)
    monkeypatch.setattr(jobs, "_unfinished", lambda _: (set(asked(*rows)), 8))
    monkeypatch.setattr(jobs, "_expected", lambda *_: "")
    jobs.plan_training(of)
    listed = sorted((tmp_path / "jobs_train.tsv").read_text().splitlines())
    assert listed == [f"a/parent:{seed}\ta/hears:{seed}\tb/hears:{seed}" for seed in (1, 2)]
    said = "6 runs to do, 2 more with the same training under another task, 0 done before\n"
    assert capsys.readouterr().out == said


def test_what_another_task_has_trained_before_is_taken_over_while_its_weights_are_there(tmp_path):
    a, b = row("a", "x"), row("b", "x")
    of = recipe(tmp_path, {"a": SPLIT, "b": SPLIT}, a, b, trained=asked(a), dropped=[("a/x", 2)])
    assert list(taken_from_other_tasks(of)) == [(a, 1, b)]


def test_a_row_that_cannot_run_here_is_not_looked_at(tmp_path):
    """Where its checkpoint is not, it has no fingerprint of its features either."""

    class Bare(Recipe):
        def is_trained(self, row: SimpleNamespace, seed: int) -> bool:
            assert not row.needs
            return super().is_trained(row, seed)

        def left_out(self, row: SimpleNamespace) -> str | None:
            return row.needs

    a, b, needy = row("a", "x"), row("b", "x"), row("a", "y")
    needy.needs = "feature needs the checkpoint $BYOL_S"
    of = recipe(tmp_path, {"a": SPLIT, "b": SPLIT}, a, b, needy, trained=asked(a))
    assert list(taken_from_other_tasks(Bare(**vars(of)))) == [(a, 1, b), (a, 2, b)]


def test_a_recipe_with_one_task_reads_no_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "training_key", None)
    of = Recipe(tasks=[""], rows=[row("", "x")], trained=())
    assert trainers(of, [("/x", 1)]) == {("/x", 1): ("/x", 1)} and not list(taken_from_other_tasks(of))
