"""The recipe of Das et al., its twin and the classic baseline on miniature corpora, from raw audio to the table."""

from __future__ import annotations

import json
import re

import pytest

from tests.faults import disturb
from tests.recipes.conftest import Checkout, copy_tree

RECIPES = {  # tested corpora, rated ones first
    "iemocap2emodb_cafe_urdu_aesdd": ["iemocap", "emodb", "cafe", "urdu", "aesdd", "savee"],
    "emodb2urdu": ["emodb", "urdu"],
}
CLASSIC = "emodb"


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Checkout:
    """A checkout in which several recipes run one after another."""
    return copy_tree(tmp_path_factory.mktemp("shared") / "checkout")


def page_of(checkout: Checkout, name: str) -> str:
    script = checkout.root / "egs" / name / "run.sh"
    result = checkout.run(script=script)
    assert result.returncode == 0, result.stdout + result.stderr
    return (script.parent / "exp_mini" / "RESULTS.md").read_text()


def tables(page: str) -> dict[str, dict[str, dict[str, str]]]:
    """Read a RESULTS.md: heading -> row name -> column -> cell of the first table beneath it."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    heading, names = "", None
    for line in page.splitlines():
        if line.startswith("#"):
            heading, names = line.lstrip("# "), None
        elif line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            names = names or cells
            found.setdefault(heading, {}).setdefault(
                re.sub(" †.*?(?= \\[|$)", "", cells[0]), dict(zip(names, cells, strict=False))
            )
    return found


@pytest.mark.parametrize("name", RECIPES)
def test_runs_end_to_end_on_miniatures(shared, name):
    page = page_of(shared, name)
    found = tables(page)
    exp = shared.root / "egs" / name / "exp_mini"
    source, *others = RECIPES[name]
    for task in ("four_class", "three_class"):
        for corpus in RECIPES[name]:
            rows = found[f"{task}: {corpus}"]
            own = corpus == source
            stamp = " [SPEAKER-DEPENDENT]"
            assert {f"{row}{stamp if own else ''}" for row in ("unsupervised", "metric_act", "metric_val")} <= set(
                rows
            )
            assert (f"svc_supervised{stamp}" in rows) != own
            assert rows[f"svc_source{stamp if own else ''}"]["target data"] == "unlabelled-test"
            if corpus != "savee":  # which has no ratings
                fits = found[f"Ratings on the latent space, {task}: {corpus}"]
                assert -1 < float(fits[f"metric_act{stamp if own else ''}"]["activation: R2"].strip("*")) <= 1
                assert (f"metric_act_supervised{stamp}" in fits) != own
            else:
                assert f"### Ratings on the latent space, {task}: savee" not in page
        assert (exp / "figures" / f"latent-{task}.png").stat().st_size > 5000
        # with labels of the corpus itself, the miniatures are easy
        assert float(found[f"{task}: {others[0]}"][f"svc_supervised{stamp}"]["UAR"]) > 60
    assert "SPEAKER-DEPENDENT: in four_class" in page
    assert "MINIATURE CORPORA" in page
    assert ("published" in page) == (name != "emodb2urdu")


def test_all_folds_seeds_and_rows_are_trained_by_one_call(shared):
    page_of(shared, "emodb2urdu")
    logs = (shared.root / "egs" / "emodb2urdu" / "exp_mini" / "log").glob("train.*.log")
    trained = [line for log in logs for line in log.read_text().splitlines() if "-fbank_no_cmvn seed 1, " in line]
    assert len(trained) <= 4  # two tasks, two processes at most
    assert any(" more: trained in" in line for line in trained)


def test_the_classic_baseline_leaves_every_speaker_out_once(shared):
    page = page_of(shared, CLASSIC)
    found = tables(page)
    for task, chance in (("seven_class", 14.3), ("four_class", 25.0)):
        rows = found[f"{task}: emodb"]
        assert float(rows["chance"]["UAR"]) == chance
        for row in ("linear_svc", "logistic_regression"):
            assert float(rows[row]["UAR"]) > 2 * chance
            assert rows[row]["target data"] == "none"
        assert rows["linear_svc_speaker"]["target data"] == "unlabelled-test"
    assert "SPEAKER-DEPENDENT" not in page
    splits = shared.root / "egs" / CLASSIC / "exp_mini" / "splits" / "seven_class"
    held_out = [json.loads(path.read_text())["test_speakers"] for path in sorted(splits.glob("*/split.json"))]
    assert sorted(speakers[0] for speakers in held_out) == sorted({s for speakers in held_out for s in speakers})
    assert len(held_out) == 10


def test_the_classic_baseline_gives_the_same_digits_every_run(shared):
    exp = shared.root / "egs" / CLASSIC / "exp_mini"
    page_of(shared, CLASSIC)
    before = {path: path.read_bytes() for path in exp.glob("*_class/*/seed1/predictions.tsv")}
    assert len(before) == 8
    for path in before:
        (path.parent / ".done").unlink()
        path.unlink()
        (path.parent / "metrics.json").unlink()
    page_of(shared, CLASSIC)
    assert {path: path.read_bytes() for path in before} == before


def test_hit_by_faults_it_ends_in_the_same_files(shared, tmp_path):
    result = shared.run(script=shared.root / "egs" / "emodb2urdu" / "run.sh")
    assert result.returncode == 0, result.stdout + result.stderr
    disturb(
        shared.root, "emodb2urdu", "metric_act", [(4, "killed", ".done"), (5, "kill", "predictions.tsv")], tmp_path
    )
