"""docs/papers.md: every system of every paper's recipe, commands that exist, and numbers in the right cells."""

from __future__ import annotations

import re
from math import ceil
from types import SimpleNamespace

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
    costs = papers._costs()[recipe]
    assert set(costs) <= systems and all({"runs", "steps", "audio", "here"} <= of.keys() for of in costs.values())


def test_steps_of_gao_s_systems_without_dev_are_those_by_hand():
    """5,531 turns of IEMOCAP for 30 epochs, three seeds, arousal and valence; half a batch may be the target's.

    The tasks with MSP-IMPROV's consensus train on the same lists, unless they hear its audio: 8,438 or 7,798 turns.
    """
    costs = papers._costs()["iemocap2msp_savee_emodb"]
    assert costs["baseline_no_dev spectrogram"]["steps"] == 30 * ceil(5531 / 128) * 3 * 2
    assert costs["dann_2_center_no_dev spectrogram"]["steps"] == 30 * ceil(5531 / 64) * 3 * 2
    assert costs["baseline_no_dev spectrogram"]["audio"] == pytest.approx(30 * 3 * 2 * 12 * 5531 / 10039, rel=0.02)
    assert (costs["baseline spectrogram"]["runs"], costs["dann_1 spectrogram"]["runs"]) == (3 * 2, 3 * 4)
    assert "at_most" in costs["baseline spectrogram"] and "at_most" not in costs["baseline_no_dev spectrogram"]


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
    costs = {"iemocap2msp": {btl: {"runs": 3, "steps": 1200, "here": 0.5}},
             "msp2ravdess": {btl: {"runs": 3, "steps": 60, "here": 30, "at_most": True}}}  # fmt: skip
    monkeypatch.setattr(papers, "_costs", lambda: costs)
    monkeypatch.setattr(papers, "_measured", lambda: {"iemocap2msp": {btl: {"mini": 61.25}}})
    of = {(line[0], line[1]): line[4:] for line in system_table(["iemocap2msp", "msp2ravdess"])[1:]}
    assert of["btl", "byol_s"] == ["3", "at most 60 to 1,200", "", "", "at most 30 min to 30 h", "61.2"]
    assert of["fstl", "byol_s"] == [""] * 6
    assert {line[8] for line in system_table(["iemocap2msp"])[1:]} == {"", "30 min"}


def test_a_miniature_stands_for_the_feature_that_it_replaces(monkeypatch):
    rows = [SimpleNamespace(label=label, feature=feature) for label, feature in (("a", "x"), ("a", "y"), ("b", "y"))]
    monkeypatch.setattr(papers, "rows_of", lambda recipe: rows)
    tables = [
        [{"label": "chance", "uar": 0.25}, {"label": "b", "feature": "y", "uar": 0.5}, {"label": "b", "hole": "-"}],
        [{"label": "a", "feature": "coarse", "uar": 0.61249}, {"label": "b", "feature": "y", "uar": 0.75}],
    ]
    results = {"tables": [{"rows": rows} for rows in tables]}
    assert papers.in_miniature("r", results) == {"a x": 61.2, "b y": 50.0}
    tables[1][0]["feature"] = "y"
    assert papers.in_miniature("r", results) == {"a y": 61.2, "b y": 50.0}


def test_what_a_recipe_printed_replaces_what_stood_there_for_it(monkeypatch, tmp_path):
    path = tmp_path / "papers.yaml"
    btl, shortcut = "btl fbank_no_cmvn", "shortcut shortcut"
    head = "# about\nshown: {Yue et al. 2023: []}\nmeasured:\n"
    path.write_text(f"{head}  msp2iemocap:\n    {btl}: {{mini: 25}}\n")
    monkeypatch.setattr(papers, "MEASURED", path)
    monkeypatch.setattr(papers, "_shown", lambda: {"Yue et al. 2023": []})
    papers.record("iemocap2msp", {btl: 62.0})
    papers.record("msp2iemocap", {shortcut: 72.5})
    papers.record("iemocap2msp", {shortcut: 70.0, btl: 61.3})
    assert path.read_text() == (
        f"{head}  iemocap2msp:\n    {btl}: {{mini: 61.3}}\n    {shortcut}: {{mini: 70}}\n"
        f"  msp2iemocap:\n    {shortcut}: {{mini: 72.5}}\n"
    )


def test_commands_name_recipes_modules_and_figures_that_there_are():
    for _, command, where in (entry for paper in PAPERS for entry in papers._shown()[paper]):
        for recipe in re.findall(r"egs/(\w+)/run.sh", command):
            assert (ROOT / "egs" / recipe / "run.sh").exists()
        for module in re.findall(r"-m ([\w.]+)", command):
            assert (ROOT / f"{module.replace('.', '/')}.py").exists()
        for path in re.findall(r"`((?:conf|ser)/[\w./]+)`", where):
            assert (ROOT / path).exists(), path
