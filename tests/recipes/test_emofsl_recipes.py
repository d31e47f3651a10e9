"""The nine few-shot recipes on miniature corpora, and one for a corpus of the user's own."""

from __future__ import annotations

import csv
import re

import pytest
import yaml

from ser.bin import prepare_corpus
from ser.data.maps import read_map
from ser.docs import papers
from ser.system.files import read_json
from tests.recipes.conftest import RECIPE, ROOT, Checkout, copy_tree, keep_rows, tables
from tests.recipes.test_continuous_metric_recipes import CLASSIC, ITALIAN
from tests.recipes.test_continuous_metric_recipes import RECIPES as CONTINUOUS_METRIC
from tests.recipes.test_difl_recipes import RECIPES as DIFL
from tests.recipes.test_supcon_recipes import TASKS as SUPCON

OTHERS = ["iemocap2ravdess", "iemocap2msp", "ravdess2msp", "ravdess2iemocap", "msp2iemocap", "msp2ravdess",
          "emodb2ravdess", "ravdess2urdu"]  # fmt: skip
WITH_ALL_ROWS = "iemocap2msp"
"""Like `RECIPE`. The rows are the same for all: the others differ in corpora, splits and published values."""
FINETUNED = ("source_only_finetune", "btl_finetune")


@pytest.mark.parametrize("name", OTHERS)
def test_runs_end_to_end_on_miniatures(shared, name):
    if name != WITH_ALL_ROWS:
        keep_rows(shared.root / "egs" / name, "source_only", "btl", "emofsl", "support_only", "in_domain", *FINETUNED,
                  *(["source_only_speaker"] if name == "ravdess2urdu" else []))  # fmt: skip
    page = shared.page(name)
    rows = tables(page)["5 shots"]
    # the miniatures are easy: with labels one gets far above chance, and the ceiling is the ceiling
    assert float(rows["in_domain"]["UAR"]) > 60
    assert float(rows["emofsl"]["UAR"]) > 35
    assert float(rows["in_domain"]["UAR"]) > float(rows["support_only"]["UAR"]) - 5
    not_run = "_finetune` on wav2vec2_base: fine-tunes wav2vec2_base, hours on a GPU"
    assert not_run in page.replace("\n", " ")
    assert "MINIATURE CORPORA" in page
    assert ("speaker ~ emotion" in page) == (name == "ravdess2urdu")
    if name == WITH_ALL_ROWS:
        check_papers_page(shared, name)
    is_published = (ROOT / "egs" / name / "conf" / "published.yaml").exists()
    assert ("published" in page.split("## 5 shots")[1]) == is_published


def check_papers_page(shared: Checkout, name: str) -> None:
    """Hold what docs/papers.md shows of miniatures against this run; processors may round differently."""
    printed = papers.in_miniature(name, read_json(shared.root / "egs" / name / "exp_mini" / "RESULTS.json"))
    shown = {key: own["mini"] for key, own in papers._measured()[name].items() if "mini" in own}
    tuned = {key for key in shown if key.endswith(" wav2vec2_base")}
    assert len(tuned) == 11 and shown.keys() - tuned == printed.keys()
    assert {key: shown[key] for key in printed} == pytest.approx(printed, abs=2), "benchmarks/paper_miniatures.py"


def test_every_recipe_with_a_run_sh_is_known_to_the_tests():
    """A recipe that no test runs would rot."""
    assert {path.parent.name for path in (ROOT / "egs").glob("*/run.sh")} == {
        *OTHERS,
        RECIPE,
        "transfer",
        *DIFL,
        *CONTINUOUS_METRIC,
        CLASSIC,
        ITALIAN,
        *SUPCON,
    }


# ---- Without the corpora ----------------------------------------------------------------------------------------


def test_without_its_corpora_a_recipe_shows_the_published_values(tmp_path):
    checkout = copy_tree(tmp_path / "bare")
    folder = checkout.root / "egs" / "iemocap2msp"
    (folder / "RESULTS.md").unlink(missing_ok=True)
    result = checkout.run("--stage", "results", script=folder / "run.sh", mini=False)
    assert result.returncode == 0, result.stderr
    page = (folder / "RESULTS.md").read_text()
    assert "Not run here: it needs IEMOCAP and MSP_IMPROV" in page
    assert re.search(r"\| emofsl .*48\.48", page)
    committed = (ROOT / "egs" / "iemocap2msp" / "RESULTS.md").read_text()
    pages = [text.split("\n", 1)[1] for text in (page, committed)]  # the first line is about the code, too
    assert pages[0] == pages[1], "renew it: egs/iemocap2msp/run.sh --stage results"


def test_results_are_never_replaced_by_holes(tmp_path):
    checkout = copy_tree(tmp_path / "bare")
    before = (checkout.recipe / "RESULTS.md").read_text()
    result = checkout.run("--stage", "results", mini=False)
    assert result.returncode == 2
    assert "run stage" in result.stderr
    assert (checkout.recipe / "RESULTS.md").read_text() == before


# ---- A recipe of one's own --------------------------------------------------------------------------------------


def own_table(checkout: Checkout, emotions: dict[str, str]) -> None:
    """Write data/mylab from a CSV that names the miniature EMO-DB's files, and data/ravdess."""
    source = checkout.root / "data_mini" / "emodb"
    emotion, speaker = read_map(source / "utt2emo"), read_map(source / "utt2spk")
    with open(checkout.root / "my.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "emotion"])
        for utt, wav in read_map(source / "wav.scp").items():
            wav = str(checkout.root) + wav[wav.index("/data_mini/") :]
            writer.writerow([wav, speaker[utt].split("-")[1], emotions.get(emotion[utt], emotion[utt])])
    data = checkout.root / "data"
    prepare_corpus.main(["table", str(checkout.root / "my.csv"), str(data / "mylab")])
    release = next((checkout.root / "data_mini" / "corpora").glob("RAVDESS*"))
    prepare_corpus.main(["ravdess", str(release), str(data / "ravdess")])


def new_recipe(checkout: Checkout, *args: str):
    return checkout.run(*args, script=checkout.root / "utils" / "new_recipe.sh", mini=False)


def test_new_recipe_for_a_table_of_one_s_own_runs(own):
    own_table(own, {})
    result = new_recipe(own, "ravdess2mylab", "ravdess", "mylab")
    assert result.returncode == 0, result.stderr
    folder = own.root / "egs" / "ravdess2mylab"
    bases = [f"base\t../../../conf/rows/{method}.tsv\n" for method in ("emofsl", "smap")]
    assert (folder / "conf" / "runs.tsv").read_text() == "".join(bases)
    recipe = yaml.safe_load((folder / "conf" / "recipe.yaml").read_text())
    assert recipe["folds"] == {"mylab": {"rule": "stratified_speakers", "folds": 5}}
    labels = yaml.safe_load((folder / "conf" / "labels" / "four_class.yaml").read_text())["corpora"]["mylab"]
    assert labels["map"] == {c: [c] for c in ("angry", "happy", "neutral", "sad")}
    assert labels["drop"] == ["bored", "disgusted", "fearful"]
    # few rows and draws, so that the test is short
    keep_rows(folder, "source_only", "btl", "emofsl", "in_domain")
    table = folder / "conf" / "few.tsv"
    table.write_text(table.read_text().replace("\t3\t", "\t1\t"))
    (folder / "conf" / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"draws": 2, "shots": [5]}))
    result = own.run("--features", "fbank_no_cmvn", "--nj", "1", script=folder / "run.sh", mini=False)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = tables((folder / "exp" / "RESULTS.md").read_text())["5 shots"]
    assert float(rows["in_domain"]["UAR"]) > 60


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["x", "ravdess", "nolab"], "data/nolab: no data directory"),
        (["x", "ravdess", "ravdess"], "needs two corpora"),
        (["a/b", "ravdess", "mylab"], "'a/b': a name of a recipe or corpus has only"),
        ([RECIPE, "ravdess", "mylab"], "exists already"),
        (["x", "ravdess", "mylab", "emofs"], "METHOD: unknown 'emofs'; did you mean 'emofsl'"),
        (["x", "ravdess", "mylab", "difl_cross"], "METHOD: unknown 'difl_cross'"),  # of another protocol
    ],
)
def test_new_recipe_tells_what_is_wrong(own, args, said):
    own_table(own, {"sad": "other"})
    result = new_recipe(own, *args)
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (own.root / "egs" / "x").exists()
