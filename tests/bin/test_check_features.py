"""What a recipe's features lack here, said before anything is computed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ser.bin import check_features
from ser.errors import ConfigError

ROOT = Path(__file__).parents[2]


def options(features: str, strict: str) -> list[str]:
    folders = [part for name in ("data", "dump", "splits", "exp") for part in (f"--{name}", f"/nowhere/{name}")]
    return ["--recipe", str(ROOT / "egs/emodb"), *folders, "--features", features, "--strict", strict]


def test_each_feature_that_cannot_be_computed_is_named(monkeypatch, capsys):
    monkeypatch.delenv("BYOL_S", raising=False)
    check_features.main(options("fbank_no_cmvn byol_s", "false"))
    assert capsys.readouterr().out == (
        "byol_s: feature needs the checkpoint $BYOL_S; set BYOL_S in conf/db.sh; until then its systems are not run\n"
    )
    with pytest.raises(ConfigError, match="needs the checkpoint"):  # of features that were asked for
        check_features.main(options("fbank_no_cmvn byol_s", "true"))


def test_a_recipe_names_its_extra_before_stage_1(tmp_path):
    for name in ("utils", "conf", "ser", "egs/emodb"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("exp", "exp_mini", "__pycache__"))
    shutil.copy(ROOT / "run.sh", tmp_path)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.metadata as m\nfound = m.version\n"
        "def version(name):\n"
        "    if name == 'opensmile':\n        raise m.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "m.version = version\n"
    )
    env = os.environ | {"PYTHONPATH": str(hidden), "SER_READY": "1", "EMODB": str(tmp_path / "none")}
    ran = subprocess.run([str(tmp_path / "egs/emodb/run.sh")], env=env, capture_output=True, text=True)
    assert ran.returncode == 2  # there is no EMO-DB
    said, stage = ran.stdout.splitlines()
    assert said.startswith("egemaps: feature needs openSMILE (audEERING's licence allows research, no products): ")
    assert f"pip install --constraint {tmp_path}/constraints.txt opensmile; until then" in said
    assert stage.endswith("emodb stage 1: data_prep")


def test_what_was_computed_once_is_not_asked_for_again(tmp_path):
    def computed(features: str) -> int:
        script = f". {ROOT}/utils/stages.sh; computed {tmp_path} '{features}'"
        return subprocess.run(["bash", "-euc", script]).returncode

    (tmp_path / "egemaps-0a1b2c3d4e").mkdir()
    assert [computed("egemaps"), computed("egemaps byol_s"), computed("egemap")] == [0, 1, 1]
