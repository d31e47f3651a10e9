"""What the systems of the four papers print on miniature corpora: the column `mini` of docs/papers.yaml.

usage: python -m benchmarks.paper_miniatures FOLDER [RECIPE ...]      from the root of the repository

Of each table of rows one recipe is run as by `egs/<recipe>/run.sh --mini true --finetune true`, in a copy of this
checkout in FOLDER, with tiny encoders of random weights (tests/fakes/checkpoints.py) under the names of the papers'.
A system's value is its UAR in the first table that has it. It shows that the path runs to its end: the voices are
synthetic, and the encoders have learned nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ser.docs.papers import ROOT, in_miniature, recipes_by_rows, record
from ser.system.files import read_json
from tests.fakes import checkpoints

ENCODERS = {
    "wav2vec2_base": ("wav2vec2_local", ""),
    "hubert_base_frames": ("hubert_local", "pooling: none\n"),
    "wavlm_base_plus_frames": ("wavlm_local", "pooling: none\n"),
}
"""Feature of systems that train their encoder -> upstream of the tiny one, and what its configuration needs."""


def checkout(folder: Path) -> Path:
    """Copy this checkout, once, and give each recipe the tiny encoders."""
    if folder.exists():
        return folder
    folder.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "exp", "exp_mini")
    for name in ("run.sh", "utils", "conf", "egs", "ser"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, folder / name)
    for feature, (upstream, more) in ENCODERS.items():
        path = checkpoints.WRITERS[upstream](folder / f"{feature}.pt")
        for conf in folder.glob("egs/*/conf"):
            (conf / "features").mkdir(exist_ok=True)
            (conf / "features" / f"{feature}.yaml").write_text(f"upstream: {upstream}\nckpt: '{path}'\n{more}")
    return folder


def run(root: Path, recipe: str) -> dict[str, float]:
    """Run a recipe, and read what it printed: system and feature of the real table -> UAR in per cent."""
    folder = root / "egs" / recipe
    options = ("--mini", "true", "--finetune", "true", "--nj", "1")
    env = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([folder / "run.sh", *options], env=env, check=True, stdout=subprocess.DEVNULL)
    return in_miniature(recipe, read_json(folder / "exp_mini" / "RESULTS.json"))


def main(folder: Path, names: list[str]) -> None:
    root = checkout(folder)
    for recipe in names or [recipes[0] for recipes in recipes_by_rows()]:
        found = run(root, recipe)
        record(recipe, found)
        print(f"{recipe}: {len(found)} systems", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
