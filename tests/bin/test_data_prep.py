"""Stage 1: what a recipe's features lack here is said before anything is prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ser.bin.data_prep import check_features
from ser.errors import ConfigError

ROOT = Path(__file__).parents[2]


def test_each_feature_that_cannot_be_computed_is_named(monkeypatch, capsys):
    monkeypatch.delenv("BYOL_S", raising=False)
    check_features(ROOT / "egs/emodb", ["fbank_no_cmvn", "byol_s"], strict=False)
    assert capsys.readouterr().out == (
        "byol_s: feature needs the checkpoint $BYOL_S; set BYOL_S in conf/db.sh; until then its systems are not run\n"
    )
    with pytest.raises(ConfigError, match="needs the checkpoint"):  # of features that were asked for
        check_features(ROOT / "egs/emodb", ["fbank_no_cmvn", "byol_s"], strict=True)


def test_joined_features_are_known_by_their_parts(monkeypatch, capsys):
    monkeypatch.delenv("BYOL_S", raising=False)
    check_features(ROOT / "egs/emodb", ["fbank_no_cmvn+shortcut"], strict=True)
    assert capsys.readouterr().out == ""
    with pytest.raises(ConfigError, match="needs the checkpoint"):
        check_features(ROOT / "egs/emodb", ["byol_s+shortcut"], strict=True)


def test_a_recipe_names_its_extra_before_it_prepares_anything(tmp_path):
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
    assert ran.returncode == 2, ran.stderr  # there is no EMO-DB
    logs, stage, said = ran.stdout.splitlines()
    assert said.startswith("egemaps: feature needs openSMILE (audEERING's license allows research, no products): ")
    assert f"pip install --constraint {tmp_path}/constraints.txt opensmile; until then" in said
    assert logs.endswith("emodb: logs in egs/emodb/exp/log") and stage.endswith("emodb stage 1: data_prep")
