"""The four recipes of Gao et al. and their twins on miniature corpora, from raw audio to the table."""

from __future__ import annotations

import re

import pytest

from tests.faults import disturb
from tests.recipes.conftest import keep_rows, warm_env

RECIPES = {  # tested corpora
    "iemocap2msp_savee_emodb": ["msp_improv", "savee", "emodb"],
    "iemocap_msp_savee_emodb": ["iemocap", "msp_improv", "savee", "emodb"],
    "ravdess2emodb_urdu": ["emodb", "urdu"],
    "ravdess_emodb_urdu": ["ravdess", "emodb", "urdu"],
}


IN_FULL = ("ravdess2emodb_urdu", "ravdess_emodb_urdu")
"""Those with one source corpus and those with several have the same rows; the others have four tasks for each."""
PUBLISHED = ("baseline", "dann_1", "dann_2", "dann_2_center")
FEW = ("baseline", "dann_2_center")


SMALLER = {"conv_maps": "[2, 4]", "segment_dim": 8, "blstm_units": 4, "fc1_dim": 8, "fc2_dim": 4, "epochs": 2}


@pytest.fixture(scope="module")
def short(shared):
    """A smaller network and two epochs: what is learned does not matter here."""
    conf = shared.root / "conf" / "methods" / "difl.yaml"
    text, mini, small = conf.read_text().partition("\nmini:\n")
    for key, value in SMALLER.items():
        small, n = re.subn(rf"^( +{key}): .*$", rf"\1: {value}", small, flags=re.MULTILINE)
        assert n == 1, key
    text, n = re.subn(r"^max_segments: \d+", "max_segments: 8", text, flags=re.MULTILINE)
    assert n == 1
    conf.write_text(text + mini + small)


@pytest.mark.parametrize("name", RECIPES)
def test_runs_end_to_end_on_miniatures(shared, short, name):
    published = PUBLISHED if name in IN_FULL else FEW
    if "2" in name:  # with and without audio of the target
        published = (*published, *(f"{row}_source" for row in published if row.startswith("dann")))
    if name not in IN_FULL:
        keep_rows(shared.root / "egs" / name, *published, "shortcut")
    page = shared.page(name)
    headings = [line[3:] for line in page.splitlines() if line.startswith("## ")]
    for task in ("arousal", "valence"):
        assert [f"{task}: {corpus}" in headings for corpus in RECIPES[name]] == [True] * len(RECIPES[name])
        assert task in headings  # corpora side by side, with their mean
        assert (f"{task}, rotation over held-out speakers" in headings) == ("2" not in name)
    rows = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")}
    assert {*published, "shortcut"} <= rows
    assert ("dann_2_center_source" in rows) == ("2" in name)
    assert ("arousal_consensus: msp_improv" in headings) == ("msp" in name)
    seen = {line.split("|")[3].strip() for line in page.splitlines() if line.startswith("| dann_2")}
    assert ("test audio" in seen) == ("2" in name)
    assert ("### Domains, arousal" in page, "proxy A-distance |" in page) == (True, "2" in name)
    heads = "No head for corpus (ravdess alone) in dann_1_source, dann_2_source, dann_2_center_source."
    assert (heads in page.replace("\n", " ")) == (name == "ravdess2emodb_urdu")
    figures = shared.root / "egs" / name / "exp_mini" / "figures"
    planes = sorted(path.name for path in figures.glob("plane-*-valence.png"))
    assert planes == sorted(f"plane-{row}-spectrogram_coarse-valence.png" for row in published)


def test_hit_by_faults_it_ends_in_the_same_files(shared, short, tmp_path):
    shared.page("ravdess2emodb_urdu")
    disturb(
        shared.root,
        "ravdess2emodb_urdu",
        "baseline",
        [(4, "kill", "model.safetensors"), (5, "full", ".metrics.json.ser-part")],
        tmp_path,
        warm_env(),
    )
