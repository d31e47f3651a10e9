"""The recipe of Das et al., its twin and the classic baseline on miniature corpora, from raw audio to the table."""

from __future__ import annotations

import json
import re

import pytest

from ser.training import nested
from tests.faults import disturb
from tests.recipes.conftest import keep_rows, tables, warm_env

RECIPES = {  # tested corpora, rated ones first
    "iemocap2emodb_cafe_urdu_aesdd": ["iemocap", "emodb", "cafe", "urdu", "aesdd", "savee"],
    "emodb2urdu": ["emodb", "urdu"],
}
ROWS = ("unsupervised", "metric_act", "metric_val", "metric_act_supervised", "metric_val_supervised",
        "svc_supervised", "svc_source", "shortcut")  # fmt: skip
CLASSIC = "emodb"
ITALIAN = "emovo"
"""The same baseline on another corpus."""


@pytest.fixture(scope="module")
def few(shared):
    """The recipe of the paper, which has six tested corpora, with few of the rows that its twin has, too."""
    keep_rows(shared.root / "egs" / "iemocap2emodb_cafe_urdu_aesdd", *ROWS)


@pytest.mark.parametrize("name", RECIPES)
def test_runs_end_to_end_on_miniatures(shared, few, capsys, name):
    page = shared.page(name)
    # all folds, seeds and rows of a task are trained by one call
    trained = re.findall("^.*-fbank_no_cmvn seed 1,.* more: trained in", capsys.readouterr().out, re.MULTILINE)
    assert len(trained) == 2
    found = tables(page)
    exp = shared.root / "egs" / name / "exp_mini"
    source, *others = RECIPES[name]
    for task in ("four_class", "three_class"):
        for corpus in RECIPES[name]:
            rows = found[f"{task}: {corpus}"]
            own = corpus == source
            stamped = {row for row, cells in rows.items() if cells["system"].endswith(" [SPEAKER-DEPENDENT]")}
            trained_on_source = {"unsupervised", "metric_act", "metric_val", "svc_source"}
            assert trained_on_source <= rows.keys()
            assert trained_on_source & stamped == (trained_on_source if own else set())
            assert ("svc_supervised" in stamped) != own
            assert rows["svc_source"]["sees"] == ("labels" if own else "test audio")
            assert rows["unsupervised"]["sees"] == ("labels" if own else "test audio")
            if corpus != "savee":  # which has no ratings
                fits = found[f"Ratings on the latent space, {task}: {corpus}"]
                assert -1 < float(fits["metric_act"]["activation: R2"].split(" ")[0]) <= 1
                assert ("metric_act_supervised" in fits) != own
            else:
                assert f"### Ratings on the latent space, {task}: savee" not in page
        assert (exp / "figures" / f"latent-{task}.png").exists()
        # with labels of the corpus itself, the miniatures are easy
        assert float(found[f"{task}: {others[0]}"]["svc_supervised"]["UAR"]) > 60
    assert (exp / "figures" / "latent-four_class.png").stat().st_size > 5000  # of its kind the one that is drawn
    assert "SPEAKER-DEPENDENT: in four_class" in page
    assert "MINIATURE CORPORA" in page
    assert ("published" in page) == (name != "emodb2urdu")


@pytest.fixture
def two_costs(shared, monkeypatch):
    """Let both linear classifiers choose between two costs; what is chosen of five stands in `tests/training`."""
    monkeypatch.setattr(nested, "COSTS", nested.COSTS[1:4:2])
    for name in (CLASSIC, ITALIAN):
        table = shared.root / "egs" / name / "conf" / "runs.tsv"
        plain = "\nlogistic_regression\tsource_linear.yaml\t*\t1\t-\tlinear_svc\t-\t"
        text = table.read_text()
        assert plain in text
        table.write_text(text.replace(f"{plain}-\n", f"{plain}inverse_penalty=nested\n"))


def test_the_classic_baseline_leaves_every_speaker_out_once(shared, two_costs):
    page = shared.page(CLASSIC)
    found = tables(page)
    for task, chance in (("seven_class", 14.3), ("four_class", 25.0)):
        rows = found[f"{task}: emodb"]
        assert float(rows["chance"]["UAR"]) == chance
        for row in ("linear_svc", "logistic_regression"):
            assert float(rows[row]["UAR"]) > 2 * chance
            assert rows[row]["sees"] == "labels"
        assert rows["linear_svc_speaker"]["sees"] == "labels, test audio"
    assert "SPEAKER-DEPENDENT" not in page
    splits = shared.root / "egs" / CLASSIC / "exp_mini" / "splits" / "seven_class"
    held_out = [json.loads(path.read_text())["test_speakers"] for path in sorted(splits.glob("*/split.json"))]
    assert sorted(speakers[0] for speakers in held_out) == sorted({s for speakers in held_out for s in speakers})
    assert len(held_out) == 10


def test_the_same_baseline_leaves_every_italian_actor_out_once(shared, two_costs):
    folder = shared.root / "egs" / ITALIAN
    found = tables(shared.page(ITALIAN))
    for task, chance in (("seven", 14.3), ("four_class", 25.0)):
        rows = found[f"{task}: emovo"]
        assert float(rows["chance"]["UAR"]) == chance
        assert float(rows["linear_svc"]["UAR"]) > 2 * chance
    held_out = [
        json.loads(path.read_text())["test_speakers"]
        for path in (folder / "exp_mini" / "splits" / "seven").glob("*/split.json")
    ]
    assert sorted(held_out) == [[f"emovo-{actor}"] for actor in ("f1", "f2", "f3", "m1", "m2", "m3")]


def test_the_classic_baseline_gives_the_same_digits_every_run(shared, two_costs):
    exp = shared.root / "egs" / CLASSIC / "exp_mini"
    shared.page(CLASSIC)
    before = {path: path.read_bytes() for path in exp.glob("four_class/*/seed1/predictions.tsv")}
    assert len(before) == 4
    for path in before:
        (path.parent / ".done").unlink()
        path.unlink()
        (path.parent / "metrics.json").unlink()
    shared.page(CLASSIC)
    assert {path: path.read_bytes() for path in before} == before


def test_hit_by_faults_it_ends_in_the_same_files(shared, tmp_path):
    shared.page("emodb2urdu")
    disturb(
        shared.root,
        "emodb2urdu",
        "metric_act_s12",  # no other row trains the same
        ["unsupervised_s12", "metric_act_s12", "shortcut"],
        [(4, "killed", ".done"), (5, "kill", "predictions.tsv")],
        tmp_path,
        warm_env(),
    )
