"""The recipe of Xiang and its twin on miniature corpora, from raw audio to the table, also with fine-tuning."""

from __future__ import annotations

import os
import re
import shutil

import pytest

from tests.fakes.checkpoints import hubert
from tests.faults import disturb
from tests.recipes.conftest import ROOT, copy_tree, tables, warm_env

TASKS = {
    "ravdess_emodb": ("random", "text", "speaker"),
    "iemocap_casia": ("paper5", "sess5_rand5", "sess5_text5", "sess5_spk4", "shared4"),
}


@pytest.fixture(scope="module")
def short(shared):
    """One epoch of stage one instead of four, of four steps instead of eight: what it learns does not matter."""
    conf = shared.root / "conf" / "methods" / "supcon.yaml"
    text = conf.read_text()
    short, n = re.subn(r"(stage_one|ft): {epochs: 4, decay_from: 4", r"\1: {epochs: 1, decay_from: 2", text)
    assert n == 2 and short.count("steps_per_epoch: 8") == 1
    conf.write_text(short.replace("steps_per_epoch: 8", "steps_per_epoch: 4"))


@pytest.mark.parametrize("name", TASKS)
def test_runs_end_to_end_on_miniatures(shared, short, name, capsys):
    page = shared.page(name)
    found = tables(page)
    one, two = name.split("_")
    assert {f"{task}: {corpus}" for task in TASKS[name] for corpus in (one, two)} <= found.keys()
    for heading in (f"{task}: {corpus}" for task in TASKS[name] for corpus in (one, two)):
        rows = found[heading]
        assert {"chance", "frozen", "supcon_lite", "ft_lite", "shortcut"} <= rows.keys()
        assert rows["frozen"]["sees"] == "labels"
        stamped = heading.startswith(("random", "text", "paper5")) or heading in (
            "sess5_rand5: casia",
            "sess5_text5: casia",
        )
        assert rows["frozen"]["system"].count("[SPEAKER-DEPENDENT]") == int(stamped), heading
        zero_shot = name == "ravdess_emodb" or heading.startswith("shared4")
        assert ("frozen_zero_shot" in rows) == zero_shot
        if zero_shot:
            assert rows["frozen_zero_shot"]["sees"] == "nothing"
            assert rows["supcon_lite_zero_shot"]["sees"] == "labels"
        if name == "ravdess_emodb":
            assert float(rows["frozen"]["UAR"]) > 25 + 10
    if name == "iemocap_casia":
        assert found["paper5: iemocap"]["chance"]["UAR"] == "25.0"  # of its own four classes
        assert found["paper5: casia"]["chance"]["UAR"] == "16.7"
        assert "fearful" in found["paper5: casia"]["frozen"] and "fearful" not in found["paper5: iemocap"]["frozen"]
        for task in TASKS[name][:4]:
            assert found[f"{task}: iemocap"]["supcon"]["published"] == "76.92"
            assert found[f"{task}: casia"]["TIM-Net"]["published"] == "94.67"
            assert "HuBERT ACP" in found[f"{task}: iemocap"] and "HuBERT ACP" not in found[f"{task}: casia"]
        assert "supcon" not in found["shared4: iemocap"]
    capsys.readouterr()
    shared.page(name)
    assert "scores: up to date" in capsys.readouterr().out


FINETUNE = """row\tconf\tfeature\tseeds\tinit\tversus\tpublished\tset
ft_paper\tsupcon_finetune.yaml\ttiny\t1\t-\t-\t-\tobjective=ft
supcon\tsupcon_finetune.yaml\ttiny\t1\t-\tft_paper\t-\t-
supcon_lora\tsupcon_finetune.yaml\ttiny\t1\t-\tsupcon\t-\tencoder.tuning=lora
supcon_zero_shot\tsupcon_finetune.yaml\ttiny\t1\tsupcon\t-\t-\tclassifier=other
"""


def test_a_tiny_checkpoint_is_fine_tuned_in_both_stages(tmp_path, nine):
    """Stage one, stage two, adapters, the baseline and Figure 4, through the driver."""
    checkout = copy_tree(tmp_path / "tuned")
    shutil.copytree(nine, checkout.root / "data_mini" / "corpora", copy_function=os.link)
    folder = checkout.root / "egs" / "ravdess_emodb"
    conf = folder / "conf"
    hubert(checkout.root / "tiny.pt")
    (conf / "features").mkdir()
    (conf / "features" / "tiny.yaml").write_text(f"upstream: hubert_local\nckpt: '{checkout.root / 'tiny.pt'}'\n")
    (conf / "runs.tsv").write_text(FINETUNE)
    (conf / "supcon_finetune.yaml").write_text(
        "base: ../../../conf/methods/supcon_finetune.yaml\n"
        "mini: {similarity_batches: 5, stage_one: {epochs: 1, decay_from: 2, steps_per_epoch: 4}, "
        "stage_two: {epochs: 1}, ft: {epochs: 1, decay_from: 2}}\n"
    )
    lines = (conf / "recipe.yaml").read_text().replace("random: four_class, text: four_class, ", "")
    (conf / "recipe.yaml").write_text(lines)
    page = checkout.page("ravdess_emodb", finetune="true")
    rows = tables(page)["speaker: emodb"]
    assert {"ft_paper", "supcon", "supcon_lora", "supcon_zero_shot"} <= rows.keys() and "not run" not in page
    run = folder / "exp_mini" / "speaker" / "supcon-tiny" / "seed1"
    assert (run / "similarity.npz").exists() and "positive_cross" in (run / "history.tsv").read_text()
    assert (folder / "exp_mini" / "figures" / "similarity-speaker-supcon-tiny.png").exists()
    assert "fine-tuned" in page


def test_without_the_corpora_the_published_values_stand_alone(tmp_path):
    checkout = copy_tree(tmp_path / "bare")
    folder = checkout.root / "egs" / "iemocap_casia"
    (folder / "RESULTS.md").unlink(missing_ok=True)
    result = checkout.run("--stage", "results", script=folder / "run.sh", mini=False)
    assert result.returncode == 0, result.stderr
    page = (folder / "RESULTS.md").read_text()
    [rows] = tables(page).values()
    assert rows["supcon_hubert"]["iemocap"] == "76.92" and rows["HuBERT ECAPA-TDNN"]["iemocap"] == "76.78"
    assert "it needs CASIA and IEMOCAP" in page
    committed = (ROOT / "egs" / "iemocap_casia" / "RESULTS.md").read_text()
    pages = [text.split("\n", 1)[1] for text in (page, committed)]  # the first line is about the code, too
    assert pages[0] == pages[1], "renew it: egs/iemocap_casia/run.sh --stage results"


def test_hit_by_faults_it_ends_in_the_same_files(shared, short, tmp_path):
    shared.page("ravdess_emodb")
    disturb(
        shared.root,
        "ravdess_emodb",
        "supcon_lite",
        ["frozen", "supcon_lite"],
        [(4, "full", ".history.tsv.ser-part"), (5, "term", "metrics.json")],
        tmp_path,
        warm_env(),
    )
