"""Recipes of a matrix for corpora of one's own: classes, folds, shots and rows that fit them, and what does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from ser.bin import new_recipe
from ser.errors import ConfigError, DataError, ProtocolError, SerError
from ser.recipe import new_matrix
from ser.recipe.rows import Table
from ser.recipe.settings import read_settings
from ser.splits.labels import LabelMap
from tests.splits.people import CLASSES, corpus

ROOT = Path(__file__).parents[2]
SIX = (*CLASSES, "excited", "bored")


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A checkout with three corpora, of which only `emodb` is one of the nine."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    corpora = {
        "emodb": corpus("emodb", 10, 4, ("angry", "happy", "sad", "neutral", "bored", "disgusted", "fearful")),
        "mine": corpus("mine", 6, 4, SIX),
        "yours": corpus("yours", 4, 2, ("angry", "sad", "bored")),
        "tiny": corpus("tiny", 2, 3, ("angry", "sad", "bored")),
        "pair": corpus("pair", 2, 8, ("angry", "sad", "bored")),
        "other": corpus("other", 4, 3, ("angry", "calm")),
    }
    for name in corpora:
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "corpus.json").write_text(json.dumps({"release": "subset"}))
    for module in (new_matrix, new_recipe):
        monkeypatch.setattr(module, "read_data_dir", lambda folder: corpora[folder.name])
    return tmp_path


def write(root: Path, *args: str) -> dict:
    new_recipe.main(["fresh", *args, "--root", str(root)])
    return yaml.safe_load((root / "egs" / "fresh" / "conf" / "recipe.yaml").read_text())


def test_a_matrix_for_own_corpora_is_read_back(root):
    recipe = write(root, "--train", "emodb,others", "--test", "mine,emodb", "--tasks", "four_class,arousal")
    assert recipe["folds"] == {"mine": {"rule": "stratified_speakers", "folds": 5}}  # emodb has its own
    assert recipe["headline"] == {"row": "emofsl_corpus"}
    assert recipe["tasks"] == {"four_class": "four_class", "arousal": "binary_arousal"}
    conf = root / "egs" / "fresh" / "conf"
    maps = {path.stem: yaml.safe_load(path.read_text()) for path in (conf / "labels").iterdir()}
    own = {name: content["corpora"]["mine"] for name, content in maps.items()}
    assert own["four_class"]["map"] == {"angry": ["angry"], "happy": ["excited", "happy"], "neutral": ["neutral"],
                                        "sad": ["sad"]}  # fmt: skip
    assert own["four_class"]["drop"] == ["bored"]
    assert own["binary_arousal"]["map"] == {"high": ["angry", "excited", "happy"], "low": ["bored", "neutral", "sad"]}
    assert own["binary_arousal"]["expected"] == {"high": 72, "low": 72}
    settings = read_settings(conf / "recipe.yaml")
    assert settings.protocol.corpora == ("emodb", "mine")
    assert settings.headline.row == "emofsl_corpus"
    table = Table(conf / "runs.tsv", conf, list(recipe["tasks"]), recipe["features"], False, (), False)
    rows = {(row.task, row.label) for row in table.rows()}
    assert ("four_class", "emofsl") in rows and ("arousal", "btl") in rows
    assert ("arousal", "emofsl") not in rows  # its loss is about four classes


def test_shots_are_those_that_every_fold_can_give(root):
    """A fold of `yours` leaves three speakers with two utterances of a class each, one of `tiny` one with three."""
    assert write(root, "--train", "emodb", "--test", "yours", "--tasks", "common")["shots"] == [5]
    with pytest.raises(ProtocolError, match="5 support utterances asked for, class 'angry' of 'tiny' has 3 outside"):
        new_recipe.main(["other", "--train", "emodb", "--test", "tiny", "--tasks", "common", "--root", str(root)])
    new_recipe.main(["large", "--train", "emodb", "--test", "mine", "--root", str(root)])
    assert "shots" not in yaml.safe_load((root / "egs" / "large" / "conf" / "recipe.yaml").read_text())


def test_common_classes_are_those_of_all_corpora(root):
    recipe = write(
        root, "--train", "yours", "--test", "emodb,mine", "--tasks", "common", "--features", "egemaps,byol_s"
    )
    assert recipe["tasks"] == {"four_class": None, "common": "common"}
    assert recipe["features"] == ["egemaps", "byol_s"]
    labels = LabelMap(**yaml.safe_load((root / "egs" / "fresh" / "conf" / "labels" / "common.yaml").read_text()))
    assert labels.classes == ["angry", "bored", "sad"]
    assert labels.corpora["mine"].drop == ["excited", "happy", "neutral"]
    assert list(read_settings(root / "egs" / "fresh" / "conf" / "recipe.yaml").protocol.label_maps) == ["common"]
    assert recipe["headline"] == {"row": "lr_corpus"}


def test_rows_that_follow_ratings_need_sources_that_have_them(root, capsys):
    args = ["--train", "emodb,others", "--test", "mine", "--methods", "continuous_metric"]
    write(root, *args)
    conf = root / "egs" / "fresh" / "conf"
    labels = {line.split("\t")[0] for line in (conf / "runs.tsv").read_text().splitlines()[1:]}
    assert labels == {*new_matrix.REFERENCES, "unsupervised"}
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["metric_act is left out: no source has ratings of activation",
                        "metric_val is left out: no source has ratings of valence"]  # fmt: skip
    shutil.rmtree(root / "egs" / "fresh")
    (root / "data" / "emodb" / "utt2aro").touch()
    write(root, *args)
    labels = {line.split("\t")[0] for line in (conf / "runs.tsv").read_text().splitlines()[1:]}
    assert labels == {*new_matrix.REFERENCES, "unsupervised", "metric_act"}
    assert capsys.readouterr().out.splitlines()[0] == "metric_val is left out: no source has ratings of valence"


def test_some_methods_keep_the_references(root):
    write(root, "--train", "emodb", "--test", "mine", "--methods", "linear_svc")
    lines = (root / "egs" / "fresh" / "conf" / "runs.tsv").read_text().splitlines()
    labels = [line.split("\t")[0] for line in lines[1:]]
    assert set(labels) == {*new_matrix.REFERENCES, *(f"svc_{how}" for how in
                           ("source", "none", "corpus", "speaker", "coral", "subspace"))}  # fmt: skip
    conf = root / "egs" / "fresh" / "conf"
    assert len(Table(conf / "runs.tsv", conf, ["four_class"], ["byol_s"], False, (), False).rows()) == len(labels)


@pytest.mark.parametrize(("target", "n_folds", "shots"), [("yours", 4, [5]), ("pair", 2, [5])])
def test_a_few_shot_recipe_of_three_classes_and_of_two_speakers(root, target, n_folds, shots):
    """Classes are those that both corpora have; rows of the loss about four classes are left out."""
    new_recipe.main(["fresh", "emodb", target, "--root", str(root)])
    conf = root / "egs" / "fresh" / "conf"
    recipe = yaml.safe_load((conf / "recipe.yaml").read_text())
    assert recipe["labels"] == "common" and recipe["shots"] == shots
    assert recipe["folds"] == {target: {"rule": "stratified_speakers", "folds": n_folds}}
    labels = LabelMap(**yaml.safe_load((conf / "labels" / "common.yaml").read_text()))
    assert labels.classes == ["angry", "bored", "sad"]
    assert labels.corpora["emodb"].drop == ["disgusted", "fearful", "happy", "neutral"]
    settings = read_settings(conf / "recipe.yaml")
    rows = Table(conf / "runs.tsv", conf, list(settings.protocol.label_maps), ["byol_s"], False, (), False).rows()
    assert {"btl", "fstl", "support_only"} <= {row.label for row in rows}
    assert not [row.label for row in rows if row.values.get("objective") == "emofsl"]


def test_corpora_with_one_emotion_in_common_are_told_why(root):
    said = "fewer than two emotions in common .yours has angry, bored, sad; other has angry, calm.; .*--map joy=happy"
    with pytest.raises(ProtocolError, match=said):
        new_recipe.main(["fresh", "yours", "other", "--root", str(root)])


def test_the_reason_is_that_of_the_last_rule(root):
    with pytest.raises(ProtocolError, match="5 support utterances asked for, class 'angry' of 'tiny' has 3 outside"):
        new_recipe.main(["fresh", "emodb", "tiny", "--root", str(root)])


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        (["--train", "emodb"], ConfigError, "needs both --train and --test"),
        (
            ["mine", "--train", "emodb", "--test", "mine"],
            ConfigError,
            "'mine': a matrix has --train and --test instead",
        ),
        (["--train", "emodb", "--test", "theirs"], DataError, "data/theirs: no data directory"),
        (["--train", "emodb", "--test", "emodb"], ConfigError, "no source is left for 'emodb'"),
        (["--train", "emodb", "--test", "mine", "--tasks", "arousa"], ConfigError, "unknown 'arousa'; did you mean"),
        (["--train", "emodb", "--test", "mine", "--methods", "emofs"], ConfigError, "unknown 'emofs'; did you mean"),
        (
            ["--train", "emodb", "--test", "mine", "--methods", "supcon"],
            ConfigError,
            "'supcon' has no rows in .* alone",
        ),
        (["--train", "emodb", "--test", "mine", "--features", "byol"], ConfigError, "unknown 'byol'; did you mean"),
        (["--train", "emodb", "--test", "yours"], ProtocolError, "data/yours: no utterance is 'happy'"),
        (["--train", "../x", "--test", "mine"], ConfigError, "has only letters, digits and '_'"),
        (["mine"], ConfigError, "name SOURCE and TARGET, or --train and --test"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(root, args, error, said):
    with pytest.raises(error, match=said) as caught:
        write(root, *args)
    assert isinstance(caught.value, SerError)
    assert not (root / "egs" / "fresh").exists()
