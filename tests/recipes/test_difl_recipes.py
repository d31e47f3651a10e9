"""The four recipes of Gao et al. and their twins on miniature corpora, from raw audio to the table."""

from __future__ import annotations

import pytest

from tests.recipes.conftest import Checkout, copy_tree

RECIPES = {  # tested corpora
    "iemocap2msp_savee_emodb": ["msp_improv", "savee", "emodb"],
    "iemocap_msp_savee_emodb": ["iemocap", "msp_improv", "savee", "emodb"],
    "ravdess2emodb_urdu": ["emodb", "urdu"],
    "ravdess_emodb_urdu": ["ravdess", "emodb", "urdu"],
}


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Checkout:
    """A checkout in which several recipes run one after another."""
    return copy_tree(tmp_path_factory.mktemp("shared") / "checkout")


@pytest.mark.parametrize("name", RECIPES)
def test_runs_end_to_end_on_miniatures(shared, name):
    script = shared.root / "egs" / name / "run.sh"
    result = shared.run(script=script)
    assert result.returncode == 0, result.stdout + result.stderr
    page = (script.parent / "exp_mini" / "RESULTS.md").read_text()
    headings = [line[3:] for line in page.splitlines() if line.startswith("## ")]
    for task in ("arousal", "valence"):
        assert [f"{task}: {corpus}" in headings for corpus in RECIPES[name]] == [True] * len(RECIPES[name])
        assert task in headings  # corpora side by side, with their mean
        assert (f"{task}, rotation over held-out speakers" in headings) == ("2" not in name)
    rows = {line.split("|")[1].split("†")[0].strip() for line in page.splitlines() if line.startswith("| ")}
    assert {"baseline", "baseline_center", "dann_1", "dann_2", "dann_2_center", "shortcut"} <= rows
    assert ("dann_2_center_source" in rows) == ("2" in name)
    assert ("arousal_consensus: msp_improv" in headings) == ("msp" in name)
    seen = {line.split("|")[3].strip() for line in page.splitlines() if line.startswith("| dann_2")}
    assert ("unlabelled-test" in seen) == ("2" in name)
    assert ("### Domains, arousal" in page, "proxy A-distance |" in page) == (True, "2" in name)
    heads = "No head for corpus (ravdess alone) in dann_1_source, dann_2_source, dann_2_center_source."
    assert (heads in page.replace("\n", " ")) == (name == "ravdess2emodb_urdu")
    planes = sorted(path.name for path in (script.parent / "exp_mini" / "figures").glob("plane-*-valence.png"))
    rows = ("baseline", "dann_1", "dann_2", "dann_2_center")
    assert planes == sorted(f"plane-{row}-spectrogram_coarse-valence.png" for row in rows)
