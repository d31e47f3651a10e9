"""A recipe is data: a file of settings, a table of rows, and a run.sh that names nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ser.corpora import CORPORA
from ser.errors import ConfigError
from ser.recipe.rows import Table
from ser.recipe.settings import _Own, read_settings
from ser.splits.protocols import RECIPE_KEYS
from tests.recipes.conftest import copy_tree

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.parent for path in ROOT.glob("egs/*/run.sh"))


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
def test_a_recipe_s_run_sh_is_three_lines_that_name_nothing(folder):
    lines = (folder / "run.sh").read_text().splitlines()
    assert lines == (RECIPES[0] / "run.sh").read_text().splitlines() and len(lines) == 3
    assert {path.name for path in (folder / "conf").glob("r*")} == {"recipe.yaml", "runs.tsv"}
    first = (folder / "conf" / "recipe.yaml").read_text().splitlines()[0]
    assert first.startswith("# ")  # one sentence that says what it is


@pytest.mark.parametrize("script", [ROOT / "run.sh", *(folder / "run.sh" for folder in RECIPES)], ids=str)
def test_no_run_sh_names_a_corpus(script):
    words = set(script.read_text().lower().replace('"', " ").split())
    assert not words & {*CORPORA, *(name.upper() for name in CORPORA)}


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
def test_a_recipe_says_its_features_once_for_real_and_once_for_miniature_corpora(folder):
    real, mini = (read_settings(folder / "conf" / "recipe.yaml", small) for small in (False, True))
    assert real.title == mini.title and {*mini.protocol.corpora} <= {*real.protocol.corpora}
    assert real.protocol.is_matrix or len(mini.protocol.corpora) == len(real.protocol.corpora)
    for name in (*real.features, *mini.features):
        assert all((ROOT / "conf" / "features" / f"{part}.yaml").exists() for part in name.split("+"))


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
def test_systems_that_are_compared_have_equal_seeds(folder):
    settings = read_settings(folder / "conf" / "recipe.yaml")
    tasks = list(settings.protocol.label_maps)
    rows = Table(folder / "conf" / "runs.tsv", folder / "conf", tasks, settings.features, False, (), False).rows()
    random = [row for row in rows if row.about.is_random]
    is_matrix = settings.protocol.is_matrix  # whose sources and folds make hundreds of networks of a system
    costly = {id(row): is_matrix or row.finetunes or row.feature == "spectrogram" for row in random}  # hours a seed
    n_seeds = {(row.label, costly[id(row)]): len(row.seeds) for row in random}
    assert [row.label for row in random if len(row.seeds) < 3 and not costly[id(row)]] == []
    for row in random:
        own = costly[id(row)]
        assert len(row.seeds) == n_seeds[row.label, own], row.label  # whatever its feature is
        assert len(row.seeds) == n_seeds.get((row.versus, own), len(row.seeds)), row.label


def test_stage_2_passes_over_what_is_not_the_protocol_s():
    assert set(RECIPE_KEYS) == set(_Own.model_fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: A", "features: is required and missing"),
        ("features: [a]", "title: is required and missing"),
        ("title: A\nfeatures: a", "features: Input should be a valid list, found 'a'"),
        ("title: A\nfeatures: [a]\nsede: 2", "sede: unknown key 'sede'; did you mean 'seed'"),
    ],
)
def test_a_wrong_setting_is_named(text, message, tmp_path):
    base = tmp_path / "base.yaml"
    base.write_text(f"base: {ROOT / 'conf' / 'protocols' / 'few_shot.yaml'}\nsource: ravdess\ntarget: emodb\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(f"base: base.yaml\n{text}\n")
    with pytest.raises(ConfigError, match=f"^{path}: {message}"):
        read_settings(path)


def test_two_files_and_three_lines_are_a_recipe_and_target_decides_its_corpora(tmp_path):
    """Of a recipe that exists, only `target:` is changed: its corpora are prepared and split by their own folds."""
    checkout = copy_tree(tmp_path / "checkout")
    source, own = checkout.root / "egs" / "emodb2ravdess", checkout.root / "egs" / "mine"
    (own / "conf").mkdir(parents=True)
    for name in ("run.sh", "conf/recipe.yaml", "conf/runs.tsv"):
        shutil.copy2(source / name, own / name)
    path = own / "conf" / "recipe.yaml"
    path.write_text(path.read_text().replace("target: ravdess", "target: savee\nshots: [1]\ndraws: 1"))
    result = checkout.run("--stop_stage", "splits", script=own / "run.sh")
    assert result.returncode == 0, result.stdout + result.stderr
    found = {path.name for path in (checkout.root / "data_mini").iterdir()}
    assert {name for name in found if name in CORPORA} == {"emodb", "savee"}
    tested = [(own / "exp_mini" / "splits" / f"fold{n}" / "test.lst").read_text().split() for n in (1, 2, 3, 4)]
    assert [{utt.split("-")[1] for utt in utts} for utts in tested] == [{"DC"}, {"JE"}, {"JK"}, {"KL"}]
