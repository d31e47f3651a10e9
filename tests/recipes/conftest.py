"""A checkout under an awkward path in which a recipe has run once on miniature corpora."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREE = ("run.sh", "utils", "conf", "egs", "ser")
AWKWARD = "Räume mit 'Leer' $(touch executed); x"
RECIPE = "ravdess2emodb"


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository."""

    root: Path

    @property
    def recipe(self) -> Path:
        return self.root / "egs" / RECIPE

    @property
    def exp(self) -> Path:
        return self.recipe / "exp_mini"

    def run(self, *options: str, script: Path | None = None, mini: bool = True, **env: str):
        """Run the recipe as a user would, from its own folder."""
        return subprocess.run(
            [str(script or self.recipe / "run.sh"), *(("--mini", "true") if mini else ()), *options],
            cwd=(script or self.recipe / "run.sh").parent,
            capture_output=True,
            text=True,
            env={k: v for k, v in os.environ.items() if k not in ("BYOL_S", "RAVDESS", "EMODB")} | env,
        )

    def page(self, recipe: str, *options: str) -> str:
        """Run a recipe on miniature corpora, and read its table."""
        script = self.root / "egs" / recipe / "run.sh"
        result = self.run(*options, script=script)
        assert result.returncode == 0, result.stdout + result.stderr
        return (script.parent / "exp_mini" / "RESULTS.md").read_text()

    def files(self, *folders: Path) -> dict[str, tuple[int, int]]:
        """Size and time of change of every file but the logs and the lock."""
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for folder in folders
            for path in folder.rglob("*")
            if path.is_file() and "log" not in path.parts and path.name != ".lock"
        }


def tables(page: str) -> dict[str, dict[str, dict[str, str]]]:
    """Read the first table under each heading of a RESULTS.md: row, without marks and stamps -> column -> cell.

    Of rows that share a name, for several features, the first is taken.
    """
    found = {}
    for section in re.split(r"^#+ ", page, flags=re.MULTILINE)[1:]:
        if table := re.search(r"^\|(?:.*\n\|)*", section, re.MULTILINE):
            lines = section[table.start() :].split("\n\n")[0].splitlines()
            names, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            found[section.partition("\n")[0]] = {
                re.split(r" [†\[]", cells[0])[0]: dict(zip(names, cells, strict=True)) for cells in reversed(rows)
            }
    return found


def copy_tree(root: Path) -> Checkout:
    root.mkdir(parents=True)
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "exp", "exp_mini", "splits", "*.egg-info")
            if name == "ser":  # its package `splits` is no generated folder
                ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy2(source, root / name)
    return Checkout(root)


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Checkout:
    """A checkout in which several recipes run one after another."""
    return copy_tree(tmp_path_factory.mktemp("shared") / "checkout")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """The recipe has run once; tests leave it as it is."""
    checkout = copy_tree(tmp_path_factory.mktemp("checkout") / AWKWARD)
    result = checkout.run()
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout


@pytest.fixture
def own(finished, tmp_path) -> Checkout:
    """A copy of the finished checkout that a test may change."""
    shutil.copytree(finished.root, tmp_path / "own", copy_function=shutil.copy2)
    return Checkout(tmp_path / "own")
