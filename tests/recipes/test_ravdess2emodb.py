"""The recipe end to end on miniature corpora, run as a user would, and broken with bad input."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ser.bin import features, make_splits, prepare_corpus, score, train
from ser.bin.recipe_args import add_recipe_arguments, recipe_of
from ser.corpora.mini import maker as synthetic
from ser.errors import ConfigError, SerError
from ser.inference.model import Model
from ser.recipe.recipe import Recipe
from ser.recipe.rows import COLUMNS
from ser.system.files import hash_file
from tests.recipes.conftest import RECIPE, keep_rows, tables

ROOT = Path(__file__).parents[2]
HEADINGS = ["# RAVDESS to EMO-DB, k labelled utterances per emotion", "## UAR against shots", "## 5 shots"]


def recipe(checkout, *overrides: str) -> Recipe:
    return Recipe(
        folder=checkout.recipe, data=checkout.root / "data_mini", dump=checkout.root / "dump_mini",
        splits=checkout.exp / "splits", exp=checkout.exp, features=["fbank_no_cmvn"], strict=True,
        overrides=overrides, mini=True,
    )  # fmt: skip


# ---- What a run leaves ----------------------------------------------------------------------------------------


def test_ends_in_a_table_of_all_rows(finished):
    page = (finished.exp / "RESULTS.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("#")][:3] == HEADINGS
    rows = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")}
    assert {
        "chance",
        "majority (neutral)",
        "source_only",
        "btl",
        "fstl",
        "emofsl",
        "support_only",
        "shortcut",
    } <= rows
    assert "MINIATURE CORPORA" in page
    drawn = {path.stem for path in (finished.exp / "figures").glob("*.png")}
    assert {f"{m}-fbank_no_cmvn-{k}" for m in ("btl", "fstl", "emofsl") for k in (5, 10)} <= drawn


def test_numbers_of_the_table_are_those_of_the_predictions(finished):
    from sklearn.metrics import balanced_accuracy_score

    table = pd.read_csv(finished.exp / "emofsl-fbank_no_cmvn" / "seed1" / "predictions.tsv", sep="\t")
    table = table[table["shots"] == 5]
    uars = [100 * balanced_accuracy_score(d["true"], d["pred"]) for _, d in table.groupby("draw")]
    row = tables((finished.exp / "RESULTS.md").read_text())["5 shots"]["emofsl"]
    assert row["UAR"] == f"{sum(uars) / len(uars):.1f}"
    assert (table[["angry", "happy", "neutral", "sad"]].idxmax(axis=1) == table["pred"]).all()
    assert table.groupby(["draw"])["utt_id"].nunique().eq(160).all()


def test_methods_share_source_weights_support_sets_and_seeds(finished):
    inputs = [recipe(finished).train_inputs(recipe(finished).row(f"{m}-fbank_no_cmvn"), 1) for m in ("btl", "emofsl")]
    for key in ("init", "splits", "features", "seed"):
        assert inputs[0][key] == inputs[1][key] != None  # noqa: E711


def test_logs_hold_command_and_exit_code(finished):
    for log in (finished.exp / "log").glob("*.log"):
        lines = log.read_text().splitlines()
        assert lines[0].startswith("# python3 -m ser.bin."), log
        assert re.match(r"# Ended \(code 0\) at .*, elapsed time \d+ s$", lines[-1]), log


def test_nothing_of_the_path_was_executed(finished):
    assert not [p for p in finished.root.parent.rglob("executed")] + [p for p in finished.recipe.rglob("executed")]


def test_real_folders_are_not_touched(finished):
    for path in ("data", "dump", "egs/ravdess2emodb/exp", "egs/ravdess2emodb/splits"):
        assert not (finished.root / path).exists()


def test_data_directories_pass_the_validator(finished):
    for corpus in ("ravdess", "emodb"):
        script = finished.root / "utils" / "validate_data_dir.sh"
        result = finished.run(str(finished.root / "data_mini" / corpus), script=script, mini=False)
        assert result.returncode == 0, result.stdout


# ---- Running again --------------------------------------------------------------------------------------------


def test_second_run_does_nothing(finished):
    before = finished.files(finished.root)
    result = finished.run()
    assert result.returncode == 0
    assert finished.files(finished.root) == before
    assert len(re.findall("up to date", result.stdout)) == 8


def test_same_digits_every_time(own, finished):
    """In another process, by one in place of several. That tables are the same, too, is tested with Slurm."""
    rows = ("emofsl", "support_only", "source_only", "btl")
    keep_rows(own.recipe, *rows)
    for row in rows:
        shutil.rmtree(own.exp / f"{row}-fbank_no_cmvn")
    own.page(RECIPE)
    for row in rows:
        for name in ("predictions.tsv", "model.safetensors", "history.tsv"):
            path = f"{row}-fbank_no_cmvn/seed1/{name}"
            assert (own.exp / path).read_bytes() == (finished.exp / path).read_bytes(), path


SETTINGS = [
    "normalization=corpus", "model.hidden=128", "model.normalize=false", "source.lr=1e-2", "source.batch_size=32",
    "source.epochs=3", "adapt.lr=1e-2", "adapt.lr_decay=0.5", "adapt.epochs=7", "loss.alpha=0.9", "loss.beta=0.5",
    "loss.kappa1=0.5", "loss.kappa2=0.5", "loss.weight=0.5", "loss.reduction=sum",
    "predictor=classifier",
]  # fmt: skip


@pytest.fixture(scope="module")
def plain(finished) -> Recipe:
    return recipe(finished)


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_reuses_what_was_made_with_another(finished, plain, setting):
    row = plain.row("emofsl-fbank_no_cmvn")
    done = plain.train_done(row, 1)
    assert done.holds()
    changed = recipe(finished, setting)
    (variant,) = (other for other in changed.rows if other.variant_of == row.name)
    assert (changed.train_inputs(variant, 1) == done.inputs) == (setting == "predictor=classifier")
    assert changed.score_inputs(variant, 1) != plain.score_inputs(row, 1)


def test_another_seed_or_another_parent_reuses_nothing(finished):
    own_recipe = recipe(finished)
    row = own_recipe.row("emofsl-fbank_no_cmvn")
    assert not own_recipe.train_done(row, 2).holds()
    changed = recipe(finished, "source.epochs=3")
    (variant,) = (other for other in changed.rows if other.variant_of == row.name)
    assert changed.train_inputs(variant, 1)["init"] != own_recipe.train_inputs(row, 1)["init"]


@pytest.mark.parametrize("line", ["seed: 2", "draws: 4", "dev_speakers: 0.2", "shots: [4]",
                                  "folds: {emodb: {rule: consecutive_speakers, size: 2}}"])  # fmt: skip
def test_another_split_reuses_nothing(own, line):
    config = own.recipe / "conf" / "recipe.yaml"
    text = config.read_text()
    config.write_text(text.replace("mini: {", "mini: {draws: 4, ") if line == "draws: 4" else f"{text}{line}\n")
    data = own.root / "data_mini"
    make_splits.main(["--config", str(config), "--data", str(data), "--mini", "true", str(own.exp / "splits")])
    rows = [row for row in recipe(own).rows if row.needs is None]
    assert not any(recipe(own).train_done(row, 1).holds() for row in rows)


def trained(result) -> set[str]:
    return set(re.findall(r"^(\S+) seed 1: trained in", result.stdout, re.M))


def test_a_variant_leaves_the_default_as_it_is_and_an_edit_says_what_it_replaces(own):
    keep_rows(own.recipe, "source_only", "btl", "emofsl", "support_only", "in_domain", "shortcut")
    before = {
        path: hash_file(path) for path in own.exp.rglob("*") if path.is_file() and path.suffix not in ("", ".log")
    }
    result = own.run("--stage", "train", "--nj", "1", "--rows", "emofsl", "--set", "adapt.epochs=2")
    assert result.returncode == 0, result.stderr
    assert trained(result) == {"variants/adapt.epochs=2/emofsl-fbank_no_cmvn"}
    assert {path: hash_file(path) for path in before} == before
    folder = own.exp / "variants" / "adapt.epochs=2"
    page = (folder / "RESULTS.md").read_text()
    assert "VARIANTS: adapt.epochs=2" in page and "not asked for: btl, support_only" in page
    lines = [x for x in page.splitlines() if x.startswith("| emofsl adapt.epochs=2 ")]
    assert any(re.search(r"\| [+-]\d+\.\d \[.*\] \(emofsl\)", x) for x in lines)  # the difference to the default
    conf = (folder / "emofsl-fbank_no_cmvn" / "seed1" / "conf.yaml").read_text()
    assert "epochs: 2\n" in conf
    (own.recipe / "conf" / "emofsl.yaml").write_text(
        "base: ../../../conf/methods/emofsl.yaml\nmini: {adapt: {epochs: 7}}\n"
    )
    result = own.run("--stage", "train", "--stop_stage", "train", "--nj", "1")
    assert trained(result) == {"btl-fbank_no_cmvn", "emofsl-fbank_no_cmvn"}  # not those that never adapt
    assert "emofsl-fbank_no_cmvn: trained again (adapt.epochs from 20 to 7)" in result.stdout
    assert "2 finished trainings are replaced, each when its new one has finished" in result.stdout


def test_lost_files_are_made_again_and_dropped_ones_are_not(own):
    keep_rows(own.recipe, "source_only", "btl", "support_only")
    btl, source, support = (
        own.exp / f"{row}-fbank_no_cmvn" / "seed1" for row in ("btl", "source_only", "support_only")
    )
    (support / "model.safetensors").unlink()
    (btl / "predictions.tsv").unlink()
    result = own.run("--stage", "train", "--nj", "1", "--keep_weights", "none")
    assert result.returncode == 0, result.stderr
    assert trained(result) == {"support_only-fbank_no_cmvn"}
    assert "support_only-fbank_no_cmvn seed 1: model.safetensors missing or cut short; trained again" in result.stdout
    assert "btl-fbank_no_cmvn seed 1: predictions.tsv missing or cut short; scored again" in result.stdout
    assert "of weights, as --keep_weights none" in result.stdout
    assert not [path for folder in (btl, source, support) for path in folder.glob("*.safetensors")]
    idle = own.run("--stage", "train", "--nj", "1")
    assert trained(idle) == set() and "rows: up to date" in idle.stdout
    with pytest.raises(ConfigError, match="conf.yaml, model.safetensors, predict.safetensors missing") as caught:
        (btl / "conf.yaml").unlink()
        Model.open(btl)
    assert "--keep_weights all" in str(caught.value)
    again = own.run("--stage", "train", "--nj", "1", "--keep_weights", "all", "--rows", "btl")
    assert trained(again) == {"btl-fbank_no_cmvn", "source_only-fbank_no_cmvn"}
    assert (source / "model.safetensors").exists() and not (support / "model.safetensors").exists()


def test_a_row_keeps_what_it_sets_itself(finished):
    changed = recipe(finished, "adapt.epochs=100")
    steps = {row.label: row.values["adapt"]["epochs"] for row in changed.all_rows if "adapt" in row.values}
    assert (steps["btl adapt.epochs=100"], steps["btl"], steps["btl_ten_steps"]) == (100, 20, 10)
    assert "btl_ten_steps adapt.epochs=100" not in steps


def test_rows_may_be_for_some_tasks_alone(tmp_path):
    """The ninth column; a protocol without tasks has none to name."""
    folder = tmp_path / "egs" / "x"
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copytree(ROOT / "egs" / "ravdess_emodb" / "conf", folder / "conf")
    lines = ["\t".join([*COLUMNS, "tasks"])]
    for label, tasks in (("everywhere", "-"), ("somewhere", "text speaker")):
        lines.append(f"{label}\tsupcon.yaml\tshortcut\t1\t-\t-\t-\t-\t{tasks}")
    (folder / "conf" / "runs.tsv").write_text("\n".join(lines) + "\n")

    def rows() -> list[str]:
        return [row.name for row in Recipe(folder, *[tmp_path / n for n in "abcd"], ["shortcut"], True).rows]

    assert rows() == [
        "random/everywhere-shortcut", "text/everywhere-shortcut", "speaker/everywhere-shortcut",
        "text/somewhere-shortcut", "speaker/somewhere-shortcut",
    ]  # fmt: skip
    (folder / "conf" / "runs.tsv").write_text("\n".join(lines).replace("text speaker", "txt") + "\n")
    with pytest.raises(ConfigError, match="runs.tsv line 3: tasks: unknown 'txt'; did you mean 'text'"):
        rows()


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ("supcon.yaml", "init: 'source' is a row of supcon, whose weights emofsl cannot take; name a row of emofsl"),
        ("emofsl.yaml", None),
    ],
)
def test_a_row_starts_from_one_of_its_own_method(conf, message, tmp_path):
    check_rows(tmp_path, [("source", conf, "-"), ("row", "emofsl.yaml", "source")], message)


@pytest.mark.parametrize("conf", ["difl.yaml", "linear_svc.yaml", "source_linear.yaml", "continuous_metric.yaml"])
def test_a_row_of_a_method_that_starts_anew_names_no_other(conf, tmp_path):
    """It would not be looked at."""
    check_rows(
        tmp_path, [("source", conf, "-"), ("row", conf, "source")], "init: .* starts from no other row; write '-'"
    )


def check_rows(tmp_path: Path, rows: list[tuple[str, str, str]], message: str | None) -> None:
    """Read a table of rows, configurations and rows to start from."""
    folder = tmp_path / "egs" / "x"
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shutil.copytree(ROOT / "egs" / "ravdess2emodb" / "conf", folder / "conf")
    lines = ["\t".join(COLUMNS), *(f"{name}\t{conf}\tshortcut\t1\t{init}\t-\t-\t-" for name, conf, init in rows)]
    (folder / "conf" / "runs.tsv").write_text("\n".join(lines) + "\n")
    recipe = Recipe(folder, *[tmp_path / n for n in "abcd"], ["shortcut"], True)
    if message is None:
        assert [row.init for row in recipe.rows] == [None, "source-shortcut"]
        return
    with pytest.raises(ConfigError, match=f"runs.tsv: row 'row': {message}"):
        _ = recipe.rows


def test_a_failed_run_leaves_a_hole_and_a_code(own):
    """A row that cannot be trained: siblings go on, the table tells, the code is not zero."""
    table = own.recipe / "conf" / "runs.tsv"
    bad = "broken\temofsl.yaml\t*\t1\t-\t-\t-\tobjective=emofsl"  # without the weights that it starts from
    keep_rows(own.recipe, "source_only", "btl", "emofsl", "support_only")
    table.write_text(table.read_text() + "\t".join(COLUMNS) + f"\n{bad}\n")
    (own.recipe / "conf" / "emofsl.yaml").write_text("base: ../../../conf/methods/emofsl.yaml\nadapt: {epochs: 2}\n")
    (own.exp / "support_only-fbank_no_cmvn" / "seed1" / ".done").unlink()
    result = own.run("--stage", "train", "--nj", "1")
    assert result.returncode != 0
    page = (own.exp / "RESULTS.md").read_text()
    assert "Not run: `broken` on fbank_no_cmvn: " in page
    assert re.search(r"\| emofsl \| fbank_no_cmvn \| k labels per class \| \d", page)


# ---- Shift ----------------------------------------------------------------------------------------------------


def uars(exp: Path) -> dict[str, float]:
    """Give the UAR of four rows, adapted ones with the fewest shots."""
    return {
        row: next(iter(json.loads((exp / f"{row}-fbank_no_cmvn" / "seed1" / "metrics.json").read_text())[
            "conditions"].values()))["uar"]
        for row in ("source_only", "btl", "fstl", "emofsl")
    }  # fmt: skip


def without_shift(tmp_path: Path) -> dict[str, float]:
    """Run four rows on miniature corpora that are not apart, through the stages in this process."""
    data, out = tmp_path / "data", tmp_path / "egs" / "x"
    releases = synthetic.make(tmp_path / "corpora", ["ravdess", "emodb"], shift=0.0)
    for name, release in releases.items():
        prepare_corpus.main([name, str(release), str(data / name)])
    conf = Path(__file__).parents[2] / "egs" / "ravdess2emodb" / "conf"
    shutil.copytree(conf.parents[2] / "conf", tmp_path / "conf")
    shutil.copytree(conf, out / "conf")
    keep_rows(out, "source_only", "btl", "fstl", "emofsl")
    splits = str(out / "splits")
    make_splits.main(["--config", str(out / "conf" / "recipe.yaml"), "--data", str(data), "--mini", "true", splits])
    options = ["--recipe", str(out), "--data", str(data), "--dump", str(tmp_path / "dump"), "--splits", splits,
               "--exp", str(out / "exp"), "--features", "fbank_no_cmvn", "--mini", "true"]  # fmt: skip
    features.main(["plan", *options])
    features.main(["run", *options, "--jobs", str(out / "exp" / "jobs_features.tsv"), "--nj", "1"])
    train.main(["plan", *options])
    train.main(["run", *options, "--jobs", str(out / "exp" / "jobs_train.tsv")])
    score.main(options)
    return uars(out / "exp")


def test_with_corpus_shift_adaptation_helps(finished):
    uar = uars(finished.exp)
    assert min(uar["btl"], uar["fstl"], uar["emofsl"]) > uar["source_only"] + 0.15


def test_without_corpus_shift_the_methods_tie(tmp_path):
    uar = without_shift(tmp_path)
    adapted = [uar["btl"], uar["fstl"], uar["emofsl"]]
    assert max(adapted) - min(adapted) < 0.08
    assert max(adapted) < uar["source_only"] + 0.05  # there is nothing to adapt to


# ---- Bad input: one sentence, exit code 2, nothing half-written -----------------------------------------------


def fails(result, *fragments: str) -> None:
    """Assert exit code 2 and that the error is told in one line with all fragments."""
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    lines = [line for line in result.stderr.splitlines() if all(f in line for f in fragments)]
    assert lines, result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--stagee", "3"], ["unknown option '--stagee'", "known: --stage --stop_stage"]),
        (["--stage", "9"], ["option '--stage': found '9'", "data_prep"]),
        (["--stage", "feature"], ["found 'feature'", "features"]),
        (["--stage=3"], ["write '--stage 3'"]),
        (["--stage"], ["option '--stage' needs a value"]),
        (["--allow-partial", "yes"], ["found 'yes'", "true and false"]),
        (["--nj", "0"], ["'--nj'", "at least 1"]),
        (["more"], ["unexpected 'more'"]),
        (["--device", "tpu"], ["found 'tpu'", "auto, cpu and cuda"]),
        (["--stage", "5", "--stop_stage", "2"], ["'--stop_stage'", "before --stage"]),
        (["--stage", "train", "--set", "loss.alfa=1"], ["loss.alfa", "did you mean 'loss.alpha'"]),
        (["--stage", "train", "--set", "loss.alpha"], ["key=value"]),
        (["--stage", "train", "--set", "loss.alpha=high"], ["loss.alpha", "number", "high"]),
        (["--stage", "features", "--features", "fbank"], ["unknown 'fbank'", "did you mean 'fbank_no_cmvn'"]),
        (["--stage", "features", "--features", "byol_s"], ["BYOL_S", "conf/db.sh"]),
    ],
)
def test_bad_options(finished, options, fragments):
    before = finished.files(finished.root)
    fails(finished.run(*options), *fragments)
    assert finished.files(finished.root) == before


def test_help_prints_the_header(finished):
    result = finished.run("--help", mini=False)
    assert result.returncode == 0
    assert "--stop_stage N|NAME" in result.stdout and "set -euo" not in result.stdout


def test_dashes_equal_underscores_and_names_equal_numbers(finished):
    result = finished.run("--stage", "splits", "--stop-stage", "2")
    assert result.returncode == 0
    assert "stage 2: splits" in result.stdout and "stage 3" not in result.stdout


def test_unknown_yaml_key(own):
    (own.recipe / "conf" / "emofsl.yaml").write_text("base: ../../../conf/methods/emofsl.yaml\nadapt: {epoch: 3}\n")
    fails(
        own.run("--stage", "train"), "conf/emofsl.yaml: adapt.epoch: unknown key", "did you mean 'epochs'", "lr_decay"
    )


def test_support_size_larger_than_a_class(own):
    config = own.recipe / "conf" / "recipe.yaml"
    config.write_text(config.read_text() + "shots: [5, 500]\n")
    before = own.files(own.exp / "splits")
    fails(own.run("--stage", "splits"), "500 support utterances", "class 'angry'", "has 32", "smaller k")
    assert own.files(own.exp / "splits") == before


def test_misspelt_label_never_drops_a_class(own):
    path = own.root / "conf" / "labels" / "four_class.yaml"
    path.write_text(path.read_text().replace("[happy], neutral: [neutral, calm]", "[hapy], neutral: [neutral, calm]"))
    fails(own.run("--stage", "splits"), "four_class.yaml: corpora.ravdess", "'hapy'", "did you mean 'happy'")


def test_missing_corpus_names_variable_and_page(own):
    result = own.run(mini=False)
    fails(result, "ravdess: no release folder was given", "set RAVDESS in conf/db.sh", "zenodo.org/record/1188976")
    result = own.run("--db_root", str(own.root / "utils"), mini=False)
    fails(result, "holds no folder RAVDESS", "set RAVDESS")
    assert not (own.root / "data").exists()


def damage(checkout, kind: str) -> str:
    wav = checkout.root / "data_mini" / "corpora" / "EMO-DB" / "wav" / "03a01Wa.wav"
    wav = wav if wav.exists() else sorted(wav.parent.glob("03*.wav"))[0]
    content = wav.read_bytes()
    wav.unlink()  # other checkouts have it, too
    if kind != "missing":
        wav.write_bytes({"truncated": content[:1000], "empty": b"", "extension": b"fLaC" + content}[kind])
    return wav.name


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated", "truncated: header promises"),
        ("empty", "empty file (0 bytes)"),
        ("extension", "damaged: libsndfile cannot open this FLAC"),
        ("missing", "counts that differ"),
    ],
)
def test_bad_audio_stops_stage_1_or_stamps_the_table(own, kind, reason):
    name = damage(own, kind)
    options = ("--db_root", str(own.root / "data_mini" / "corpora"), "--features", "fbank_no_cmvn")
    result = own.run(*options, "--stop_stage", "1", mini=False)
    fails(result, "emodb", "--allow_partial true")
    assert reason in result.stdout + result.stderr
    assert kind == "missing" or name in result.stdout
    assert not (own.root / "data" / "emodb").exists()
    result = own.run(*options, "--allow_partial", "true", "--stop_stage", "2", mini=False)
    assert result.returncode == 0, result.stderr
    assert json.loads((own.root / "data" / "emodb" / "corpus.json").read_text())["release"] == "subset"
    about = json.loads((own.recipe / "splits" / "protocol.json").read_text())
    assert about["releases"]["emodb"] == "subset"


def test_a_later_stage_names_the_one_that_is_missing(own):
    shutil.rmtree(own.exp / "splits")
    fails(own.run("--stage", "features"), "no splits; run stage 2")


def test_partial_corpora_stamp_the_table(own):
    """The stamp stands above the table and in what is printed."""
    about = own.exp / "splits" / "protocol.json"
    content = json.loads(about.read_text())
    content["releases"]["emodb"] = "subset"
    about.write_text(json.dumps(content))
    result = own.run("--stage", "results")
    assert "PARTIAL CORPUS: emodb" in result.stdout
    assert "PARTIAL CORPUS: emodb" in (own.exp / "RESULTS.md").read_text()


def test_a_vanished_file_is_told_by_stage_3(own):
    name = damage(own, "missing")
    scp = own.root / "data_mini" / "emodb" / "wav.scp"
    scp.write_text(re.sub(r" .*/data_mini/", f" {own.root}/data_mini/", scp.read_text()))
    shutil.rmtree(own.root / "dump_mini")
    result = own.run("--stage", "features", "--stop_stage", "features")
    assert result.returncode == 2
    assert name in result.stderr and "run stage 1 again" in result.stderr
    assert not list((own.root / "dump_mini").rglob("emodb/feats.json"))


def test_recipe_arguments_round_trip():
    import argparse

    parser = argparse.ArgumentParser()
    add_recipe_arguments(parser)
    folders = [x for n in ("recipe", "data", "dump", "splits", "exp") for x in (f"--{n}", f"/{n}")]
    built = recipe_of(parser.parse_args([*folders, "--features", "a b", "--set", "x=1", "--set", "y=2"]))
    assert built.features == ["a", "b"] and built.overrides == ["x=1", "y=2"] and built.strict and not built.mini


def test_scores_of_untrained_rows_are_an_error(own):
    shutil.rmtree(own.exp / "emofsl-fbank_no_cmvn")
    folders = {"recipe": own.recipe, "data": own.root / "data_mini", "dump": own.root / "dump_mini",
               "splits": own.exp / "splits", "exp": own.exp}  # fmt: skip
    options = [x for name, folder in folders.items() for x in (f"--{name}", folder)]
    options += ["--features", "fbank_no_cmvn", "--mini", "true"]
    with pytest.raises(SerError, match=r"1 runs are not trained \(emofsl-fbank_no_cmvn\); run stage 4"):
        score.main([str(o) for o in options])


def test_a_page_keeps_what_a_run_lacks(finished, tmp_path):
    """A run without openSMILE replaced the committed page of EMO-DB by one of holes."""
    numbers = json.loads((finished.exp / "RESULTS.json").read_text())
    rows = numbers["tables"][0]["rows"]
    rows.append(next(row for row in rows if row["kind"] == "paper") | {"label": "of_a_gpu"})
    (tmp_path / "RESULTS.json").write_text(json.dumps(numbers))
    (tmp_path / "RESULTS.md").write_text("the page with all rows")
    exp = shutil.copytree(finished.exp, tmp_path / "exp")
    for name in ("RESULTS.md", "RESULTS.json"):
        (exp / name).unlink()
    options = {"recipe": finished.recipe, "data": finished.root / "data_mini", "dump": finished.root / "dump_mini",
               "splits": exp / "splits", "exp": exp, "mini": "true", "out": tmp_path / "RESULTS.md"}  # fmt: skip
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    for said in ("RESULTS.md stays: it has scores that this run lacks (of_a_gpu, fbank_no_cmvn);", "up to date"):
        ran = finished.python("results", *arguments)
        assert ran.returncode == 0, ran.stderr
        assert said in ran.stdout and str(exp / "RESULTS.md") in ran.stdout
        assert json.loads((tmp_path / "RESULTS.json").read_text()) == numbers
        assert (tmp_path / "RESULTS.md").read_text() == "the page with all rows"
        assert (exp / "RESULTS.md").exists()


def test_tested_speakers_as_they_are_score_as_stage_5_did_and_skewed_ones_can_be_held_against_them(own, capsys):
    from ser.bin import test_speakers

    args = ["--recipe", own.recipe, "--data", own.root / "data_mini", "--dump", own.root / "dump_mini",
            "--splits", own.exp / "splits", "--exp", own.exp, "--mini", "true", "--systems", "fstl_speaker",
            "--versus", "emofsl_speaker", "--draws", "2", "--test_speakers", "as they are", "skewed 8"]  # fmt: skip
    test_speakers.main([str(arg) for arg in args])
    records = json.loads((own.exp / "test_speakers.json").read_text())["rows"]
    assert len(records) == len(capsys.readouterr().out.splitlines()) == 2 * 2 * 2  # rows, conditions, shots
    for record in records:
        scored = json.loads((own.exp / f"{record['row']}-fbank_no_cmvn" / "seed1" / "metrics.json").read_text())
        expected = scored["conditions"][str(record["shots"])]["uar"]
        assert (record["uar"] == pytest.approx(expected, abs=1e-9)) == (record["test_speakers"] == "as they are")
        assert ("difference" in record) == (record["row"] == "fstl_speaker")
    with pytest.raises(ConfigError, match="--systems: unknown 'fslt'; did you mean 'fstl'"):
        test_speakers.main([str(arg) for arg in [*args, "--systems", "fslt"]])
