"""Mistakes made on purpose, on miniature corpora: the classic baseline with all four, and a few-shot recipe."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from ser.bin import features, make_splits, prepare_corpus, score, simulate_mistake, train
from ser.errors import ConfigError, DataError
from ser.mistakes.simulate import MISTAKES, STAMPS, simulated
from ser.recipe.recipe import Recipe
from ser.scoring import compare
from ser.system.files import read_json
from tests.recipes.conftest import ROOT

FEW_ROWS = """row	conf	feature	seeds	init	versus	published	set
source_only	emofsl.yaml	*	1	-	-	-	objective=source_only predictor=classifier
btl	emofsl.yaml	*	1	source_only	-	btl	objective=btl
support_only	support_only.yaml	*	1	-	-	-	-
in_domain	in_domain.yaml	*	1	-	-	-	-
"""


def options(root, recipe: str) -> list[str]:
    folder = root / "egs" / recipe
    return ["--recipe", str(folder), "--data", str(root / "data_mini"), "--dump", str(root / "dump_mini"),
            "--splits", str(folder / "exp_mini" / "splits"), "--exp", str(folder / "exp_mini"),
            "--features", "fbank_no_cmvn", "--mini", "true"]  # fmt: skip


def make(root, recipe: str, mistake: str, arms=("honest", "mistaken")) -> dict:
    """Run stages 2 to 5 of both arms and the report, as run.sh does; give the report's numbers."""
    plain = options(root, recipe)
    exp = root / "egs" / recipe / "exp_mini"
    for arm in arms:
        own = [*plain, "--simulate_mistake", mistake, "--arm", arm]
        simulate_mistake.main(["splits", *own])
        train.main(["plan", *own])
        folder = exp / "mistakes" / ("honest" if arm == "honest" or mistake == "best_seed" else mistake)
        if (folder / "jobs_train.tsv").exists():
            train.main(["run", *own, "--jobs", str(folder / "jobs_train.tsv"), "--device", "cpu"])
            (folder / "jobs_train.tsv").unlink()
        score.main([*own, "--device", "cpu"])
    out = exp / "MISTAKES.md"
    simulate_mistake.main(["report", *own, "--out", str(out)])
    return read_json(exp / "mistakes" / f"{mistake}.json")


@pytest.fixture(scope="module")
def classic(tmp_path_factory, nine, one_thread):
    """The classic baseline with all four mistakes: the root, and mistake -> numbers."""
    root = tmp_path_factory.mktemp("classic")
    for name in ("egs/emodb", "conf"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("exp*", "splits"))
    data = root / "data_mini"
    shutil.copytree(nine / "EMO-DB", data / "corpora" / "EMO-DB", copy_function=os.link)
    prepare_corpus.main(["emodb", str(data / "emodb"), "--db_root", str(data / "corpora")])
    config = root / "egs" / "emodb" / "conf" / "recipe.yaml"
    config.write_text(config.read_text().replace("  seven_class: seven_class", "  #"))  # one task is enough
    splits = root / "egs" / "emodb" / "exp_mini" / "splits"
    make_splits.main(["--config", str(config), "--data", str(data), "--mini", "true", str(splits)])
    features.main(["plan", *options(root, "emodb")])
    jobs = root / "egs" / "emodb" / "exp_mini" / "jobs_features.tsv"
    features.main(["run", *options(root, "emodb"), "--jobs", str(jobs), "--nj", "1", "--device", "cpu"])
    jobs.unlink()
    return root, {mistake: make(root, "emodb", mistake) for mistake in MISTAKES}


def run_dir(root, folder: str, row: str):
    return root / "egs/emodb/exp_mini/mistakes" / folder / f"four_class/{row}-fbank_no_cmvn/seed1"


def table_of(root, folder: str, row: str) -> pd.DataFrame:
    return pd.read_csv(run_dir(root, folder, row) / "predictions.tsv", sep="\t")


def test_all_four_stand_on_one_page_each_with_its_stamp(classic):
    root, numbers = classic
    page = (root / "egs/emodb/exp_mini/MISTAKES.md").read_text()
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == list(MISTAKES)
    assert "MINIATURE CORPORA" in page
    for mistake, of_mistake in numbers.items():
        rows = [line for line in page.splitlines() if f"[{STAMPS[mistake]}]" in line]
        assert len(rows) == len(of_mistake["rows"]) == (1 if mistake == "best_seed" else 3)
        for row in of_mistake["rows"]:
            assert row["inflation"] == pytest.approx(row["mistaken"] - row["honest"])
            assert row["inflation_interval"][0] <= row["inflation"] <= row["inflation_interval"][1]


def test_nothing_enters_the_recipe_s_own_folders(classic):
    exp = classic[0] / "egs" / "emodb" / "exp_mini"
    assert {path.name for path in exp.iterdir()} == {"splits", "mistakes", "MISTAKES.md", "MISTAKES.json"}
    assert {path.name for path in (exp / "splits").iterdir()} == {"four_class"}


def test_leaked_splits_test_the_same_and_say_what_they_are(classic):
    root, _ = classic
    honest, leaked = (table_of(root, folder, "linear_svc") for folder in ("honest", "speaker_leak"))
    assert sorted(honest["utt_id"]) == sorted(leaked["utt_id"])
    sizes = [table.groupby(["split", "true"]).size().to_dict() for table in (honest, leaked)]
    assert sizes[0] == sizes[1]
    assert honest.groupby("split")["utt_id"].apply(lambda u: u.str[:8].nunique()).eq(1).all()
    assert leaked.groupby("split")["utt_id"].apply(lambda u: u.str[:8].nunique()).gt(1).all()
    about = read_json(root / "egs/emodb/exp_mini/mistakes/speaker_leak/splits/four_class/protocol.json")
    assert (about["mistake"], about["waived"]) == ("speaker_leak", ["speaker", "recording session"])
    assert [stamp.split(":")[0] for stamp in about["stamps"]] == ["TEXT-SHARED", "SPEAKER-DEPENDENT"]


def test_the_epoch_is_the_best_on_test(classic):
    """Of what training told about each epoch, the best is what stage 5 finds on the test list."""
    from sklearn.metrics import recall_score

    root, numbers = classic
    table = table_of(root, "test_selection", "mlp")
    history = pd.read_csv(run_dir(root, "test_selection", "mlp") / "history.tsv", sep="\t")
    found = [
        recall_score(part["true"], part["pred"], labels=part["true"].unique(), average="macro")
        for _, part in sorted(table.groupby("split"), key=lambda item: int(item[0][4:]))
    ]
    assert found == pytest.approx(history.groupby("source")["dev_uar"].max().tolist())


def test_the_cost_is_the_best_on_test_and_honestly_that_of_training_speakers(classic):
    root, numbers = classic
    folder = root / "egs/emodb/exp_mini/mistakes/test_selection/four_class"
    paths = folder.glob("linear_svc*cost*/seed1/predictions.tsv")
    tables = {path.parts[-3]: pd.read_csv(path, sep="\t") for path in paths}
    assert len(tables) == 5
    chosen = read_json(folder / "linear_svc-fbank_no_cmvn-search" / "chosen.json")
    row = next(r for r in numbers["test_selection"]["rows"] if r["row"] == "linear_svc")

    def score_of(choose) -> float:
        parts = []
        for split in next(iter(tables.values()))["split"].unique():
            of_cost = {name: table[table["split"] == split] for name, table in tables.items()}
            parts.append(of_cost[choose(split, of_cost)])
        whole = pd.concat(parts)
        return (whole["pred"] == whole["true"]).groupby(whole["true"]).mean().mean()

    def uar(part) -> float:
        return (part["pred"] == part["true"]).groupby(part["true"]).mean().mean()

    def on_test(split, of_cost) -> str:
        return max(
            sorted(of_cost, key=lambda name: float(name.split("cost")[1])), key=lambda name: uar(of_cost[name])
        )

    assert row["honest"] == pytest.approx(score_of(lambda split, of_cost: chosen[split].split("/")[1]))
    assert row["mistaken"] == pytest.approx(score_of(on_test))


def test_the_best_of_the_seeds_is_reported_against_their_mean(classic):
    root, numbers = classic
    paths = run_dir(root, "honest", "mlp").parent.glob("seed*/metrics.json")
    uars = [read_json(path)["conditions"]["emodb"]["uar"] for path in paths]
    (row,) = numbers["best_seed"]["rows"]
    assert len(uars) == 3
    assert (row["honest"], row["mistaken"]) == pytest.approx((np.mean(uars), max(uars)))
    assert numbers["best_seed"]["left_out"] == {
        "draws nothing at random, so that all seeds give the same": "linear_svc, logistic_regression"
    }


def test_a_second_run_trains_nothing(classic, capsys):
    root, numbers = classic
    assert make(root, "emodb", "speaker_leak") == numbers["speaker_leak"]
    out = capsys.readouterr().out
    assert (out.count("rows: up to date"), out.count("scores: up to date"), out.count("trained in")) == (2, 2, 0)


# ---- A few-shot recipe whose own runs serve as honest ones ----------------------------------------------------


@pytest.fixture
def few(own):
    (own.recipe / "conf" / "mistakes.tsv").write_text(FEW_ROWS)
    return own


def test_finished_runs_serve_as_honest_ones_and_stay_as_they_are(few, one_thread):
    before = few.files(few.exp)
    numbers = make(few.root, "ravdess2emodb", "speaker_leak")
    after = few.files(few.exp)
    assert {path: after[path] for path in before} == before
    assert not list((few.exp / "mistakes" / "honest").glob("*-fbank_no_cmvn"))
    assert {(row["tested"], row["row"]) for row in numbers["rows"]} == {
        ("no shots", "in_domain"), *((f"{k} shots", row) for k in (5, 10) for row in ("btl", "support_only"))
    }  # fmt: skip
    assert numbers["left_out"] == {"trained on no labelled utterance of the tested corpora": "source_only"}
    fold = few.exp / "mistakes" / "speaker_leak" / "splits" / "fold1"
    speakers = [
        {line[:8] for line in (fold / name).read_text().splitlines()} for name in ("support.5.1.lst", "test.lst")
    ]
    assert speakers[0] & speakers[1]


def test_run_sh_makes_a_mistake_and_names_what_it_knows(few):
    result = few.run("--simulate_mistake", "speaker_leek")
    assert result.returncode == 2
    assert (
        "option '--simulate_mistake': found 'speaker_leek', allowed are speaker_leak, test_selection" in result.stderr
    )
    page = (few.exp / "RESULTS.md").read_bytes()
    result = few.run("--simulate_mistake", "global_norm", "--stage", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "global_norm [NORMALIZED WITH TEST DATA]" in result.stdout
    assert (few.exp / "RESULTS.md").read_bytes() == page
    assert "## global_norm" in (few.exp / "MISTAKES.md").read_text()


def test_a_recipe_without_room_for_a_mistake_refuses_it(few):
    table = FEW_ROWS.splitlines()
    (few.recipe / "conf" / "mistakes.tsv").write_text("\n".join([table[0], table[3]]) + "\n")
    message = (
        "no row can make the mistake test_selection \\(support_only: its support sets are too small for a search\\)"
    )
    with pytest.raises(ConfigError, match=message):
        make(few.root, "ravdess2emodb", "test_selection")
    with pytest.raises(ConfigError, match="--simulate_mistake: unknown 'leak'; did you mean 'speaker_leak'"):
        simulate_mistake.main(
            ["splits", *options(few.root, "ravdess2emodb"), "--simulate_mistake", "leak", "--arm", "honest"]
        )


def test_a_mistake_has_its_own_fingerprints(few):
    folder = few.recipe
    plain = Recipe(folder=folder, data=few.root / "data_mini", dump=few.root / "dump_mini", splits=few.exp / "splits",
                   exp=few.exp, features=["fbank_no_cmvn"], strict=True, mini=True)  # fmt: skip
    row = simulated(plain, "global_norm", "honest").compared[0]
    inputs = [simulated(plain, "global_norm", arm).train_inputs(row, 1) for arm in ("honest", "mistaken")]
    assert inputs[0] == plain.train_inputs(plain.row(row.name), 1) != inputs[1]


def test_untrained_rows_are_refused_in_the_report(few):
    own = [*options(few.root, "ravdess2emodb"), "--simulate_mistake", "speaker_leak", "--arm", "mistaken"]
    simulate_mistake.main(["splits", *own])
    with pytest.raises(DataError, match="row 'btl' is not trained and scored for all its seeds; see the logs"):
        simulate_mistake.main(["report", *own, "--out", str(few.exp / "MISTAKES.md")])


# ---- Compare, on a recipe's own predictions -------------------------------------------------------------------


def test_counts_are_those_of_stage_5(finished):
    """With several draws and folds, on real predictions of a recipe."""
    row = finished.exp / "emofsl-fbank_no_cmvn"
    scores, run = json.loads((row / "seed1" / "metrics.json").read_text()), compare.read_run(row)
    assert {condition.shots for condition in run.tables} == {5, 10}
    assert {condition.key for condition in run.tables} == set(scores["conditions"])
    for condition, table in run.tables.items():
        counts = scores["conditions"][condition.key]["counts"]
        assert compare.counts_of(table, run.classes).counts.tolist() == [counts]
