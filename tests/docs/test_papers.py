"""docs/papers.md: every system of every paper's recipe, commands that exist, and numbers in the right cells."""

from __future__ import annotations

import re

import pytest

from ser.docs import papers
from ser.docs.papers import recipes_of, rows_of, system_table
from tests.test_house import ROOT

PAPERS = ("Yue et al. 2023", "Gao et al. 2022", "Das et al. 2022", "Xiang")


def test_every_recipe_with_printed_values_belongs_to_one_paper():
    found = [name for paper in PAPERS for name in recipes_of(paper)]
    assert sorted(found) == sorted(path.parents[1].name for path in ROOT.glob("egs/*/conf/published.yaml"))
    assert list(papers._shown()) == list(PAPERS)


@pytest.mark.parametrize("recipe", [name for paper in PAPERS for name in recipes_of(paper)])
def test_measured_numbers_are_of_systems_that_there_are(recipe):
    systems = {f"{row.label} {row.feature}" for row in rows_of(recipe)}
    assert set(papers._measured().get(recipe, {})) <= systems


def test_all_systems_of_a_recipe_are_lines_and_printed_ones_are_on_the_printed_feature():
    header, *lines = system_table(["iemocap2msp"])
    assert len(lines) == len(rows_of("iemocap2msp")) == len({(line[0], line[1]) for line in lines})
    printed = {(line[0], line[3]) for line in lines if line[3]}
    finetuned = {f"{name}{step}_finetune" for name in ("btl", "fstl", "emofsl")
                 for step in ("", "_contrastive", "_pretrained")}  # fmt: skip
    assert {label for label, _ in printed} == finetuned
    assert all(label.startswith(name) for label, name in printed)


def test_hours_of_several_recipes_are_a_range(monkeypatch):
    btl = "btl byol_s"
    measured = {"iemocap2msp": {btl: {"here": 0.5, "mini": 61.25}}, "msp2ravdess": {btl: {"here": 30}}}
    monkeypatch.setattr(papers, "_measured", lambda: measured)
    of = {(line[0], line[1]): line[4:] for line in system_table(["iemocap2msp", "msp2ravdess"])[1:]}
    assert of["btl", "byol_s"] == ["", "30 min to 30 h", "61.2"]
    assert of["fstl", "byol_s"] == ["", "", ""]
    assert {line[5] for line in system_table(["iemocap2msp"])[1:]} == {"", "30 min"}


def test_commands_name_recipes_modules_and_figures_that_there_are():
    for _, command, where in (entry for paper in PAPERS for entry in papers._shown()[paper]):
        for recipe in re.findall(r"egs/(\w+)/run.sh", command):
            assert (ROOT / "egs" / recipe / "run.sh").exists()
        for module in re.findall(r"-m ([\w.]+)", command):
            assert (ROOT / f"{module.replace('.', '/')}.py").exists()
        for path in re.findall(r"`((?:conf|ser)/[\w./]+)`", where):
            assert (ROOT / path).exists(), path
