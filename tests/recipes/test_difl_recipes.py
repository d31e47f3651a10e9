"""The four recipes of Gao et al. and their twins on miniature corpora, from raw audio to the table."""

from __future__ import annotations

import re

import pytest

from ser.bin import score, train
from ser.config import read
from ser.system.files import hash_file, read_json
from tests.faults import disturb
from tests.recipes.conftest import keep_rows, warm_env

RECIPES = {  # tested corpora
    "iemocap2msp_savee_emodb": ["msp_improv", "savee", "emodb"],
    "iemocap_msp_savee_emodb": ["iemocap", "msp_improv", "savee", "emodb"],
    "ravdess2emodb_urdu": ["emodb", "urdu"],
    "ravdess_emodb_urdu": ["ravdess", "emodb", "urdu"],
}


IN_FULL = "ravdess2emodb_urdu"
"""Those with several sources have the same rows but for `..._source`: what a row changes is shown here, and what
another protocol changes by a few rows of the others."""
PUBLISHED = ("baseline", "dann_1", "dann_2", "dann_2_center")
FEW = ("baseline", "dann_2_center")
READINGS = ("baseline_segments", "baseline_no_dev")


SMALLER = {"conv_maps": "[2, 4]", "segment_dim": 8, "blstm_units": 4, "fc1_dim": 8, "fc2_dim": 4, "epochs": 2}


@pytest.fixture(scope="module")
def short(shared):
    """A smaller network, short utterances and two epochs: what is learned does not matter here."""
    for name in ("difl_small.yaml", "difl_spectrogram.yaml", "difl.yaml"):  # two hide what they repeat of the last
        conf = shared.root / "conf" / "methods" / name
        text, mini, small = conf.read_text().partition("\nmini:")
        for key, value in SMALLER.items():
            small = re.sub(rf"^( +{key}): .*$", rf"\1: {value}", small, flags=re.MULTILINE)
        text = re.sub(r"^max_segments: \d+", "max_segments: 8", text, flags=re.MULTILINE)
        conf.write_text(text + mini + small)
    for path in (conf, conf.with_name("difl_spectrogram.yaml"), *shared.root.glob("egs/*/conf/difl.yaml")):
        values, _ = read(path, mini=True)
        found = values | values["model"]
        assert {key: str(found[key]) for key in SMALLER} == {key: str(value) for key, value in SMALLER.items()}
        assert values["max_segments"] == 8


@pytest.mark.parametrize("name", RECIPES)
def test_runs_end_to_end_on_miniatures(shared, short, name):
    published = PUBLISHED if name == IN_FULL else FEW
    if "2" in name:  # with and without audio of the target
        published = (*published, *(f"{row}_source" for row in published if row.startswith("dann")))
    if name != IN_FULL:
        readings = () if name == "iemocap_msp_savee_emodb" else READINGS
        keep_rows(shared.root / "egs" / name, *published, "shortcut", own_labels=readings)
    page = shared.page(name)
    headings = [line[3:] for line in page.splitlines() if line.startswith("## ")]
    for task in ("arousal", "valence"):
        assert [f"{task}: {corpus}" in headings for corpus in RECIPES[name]] == [True] * len(RECIPES[name])
        assert task in headings  # corpora side by side, with their mean
        assert (f"{task}, rotation over held-out speakers" in headings) == ("2" not in name)
    rows = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")}
    assert {*published, "shortcut"} <= rows and (set(READINGS) <= rows) == (name != "iemocap_msp_savee_emodb")
    assert ("dann_2_center_source" in rows) == ("2" in name)
    assert ("arousal_consensus: msp_improv" in headings) == ("msp" in name)
    seen = {line.split("|")[3].strip() for line in page.splitlines() if line.startswith("| dann_2")}
    assert ("test audio" in seen) == ("2" in name)
    assert ("### Domains, arousal" in page, "proxy A-distance |" in page) == (True, "2" in name)
    heads = "No head for corpus (ravdess alone) in dann_1_source, dann_2_source, dann_2_center_source."
    assert (heads in page.replace("\n", " ")) == (name == "ravdess2emodb_urdu")
    figures = shared.root / "egs" / name / "exp_mini" / "figures"
    planes = sorted(path.name for path in figures.glob("plane-*-spectrogram_coarse-valence.png"))
    assert planes == sorted(f"plane-{row}-spectrogram_coarse-valence.png" for row in published)


def test_what_another_task_has_trained_is_what_it_would_have_trained_itself(shared, short, tmp_path):
    """To the byte: `arousal_consensus` tests other labels of MSP-IMPROV and trains on the same of IEMOCAP."""
    name, run = "iemocap2msp_savee_emodb", "baseline-spectrogram_coarse/seed1"
    shared.page(name)
    exp = shared.root / "egs" / name / "exp_mini"
    first, taken = exp / "arousal" / run, exp / "arousal_consensus" / run
    told = read_json(taken / "taken_over.json")
    assert (told["row"], told["seed"]) == ("arousal/baseline-spectrogram_coarse", 1)
    assert told["weights"] == hash_file(first / "model.safetensors") and not (first / "taken_over.json").exists()
    assert (taken / "model.safetensors").samefile(first / "model.safetensors")
    folders = ("--recipe", exp.parent, "--data", shared.root / "data_mini", "--dump", shared.root / "dump_mini",
               "--splits", exp / "splits", "--exp", tmp_path)  # fmt: skip
    asked = ("--features", "", "--mini", "true", "--finetune", "false", "--rows", "baseline", "--tasks",
             "arousal_consensus", "--seeds", "1", "--keep_weights", "")  # fmt: skip
    options = [*map(str, folders), *asked]
    train.main(["plan", *options])
    train.main(["run", *options, "--device", "cpu", "--jobs", str(tmp_path / "jobs_gpu.tsv"), "--part", "1/1"])
    score.main([*options, "--device", "cpu", "--nj", "1"])
    alone = tmp_path / "arousal_consensus" / run
    assert not (alone / "taken_over.json").exists()
    for file in ("model.safetensors", "history.tsv", "conf.yaml", "predictions.tsv", ".done"):
        assert (alone / file).read_bytes() == (taken / file).read_bytes(), file
    assert (first / "predictions.tsv").read_bytes() != (taken / "predictions.tsv").read_bytes()  # other tests


def test_hit_by_faults_it_ends_in_the_same_files(shared, short, tmp_path):
    shared.page("ravdess2emodb_urdu")
    disturb(
        shared.root,
        "ravdess2emodb_urdu",
        "dann_1",  # on one feature only
        ["baseline", "dann_1", "shortcut"],
        [(4, "kill", "model.safetensors"), (5, "full", ".metrics.json.ser-part")],
        tmp_path,
        warm_env(),
    )
