"""A checkout under an awkward path in which a recipe has run once on miniature corpora."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from ser.system.files import alone
from ser.system.warm_python import warm_python
from tests.fakes.once import once
from tests.recipes import stages

ROOT = Path(__file__).parents[2]
TREE = ("run.sh", "utils", "conf", "egs", "ser")
AWKWARD = "Räume mit 'Leer' $(touch executed); x"
RECIPE = "ravdess2emodb"

SHARED = (".ark", ".safetensors", ".wav", ".py", ".pyc", ".png", ".svg")
"""Endings of files that nobody changes in place: copies of a checkout share them."""


_started = ExitStack()


HIT_OR_WARM = """#!/bin/sh
case "$*" in "-m $FAULT_MODULE "*) exec {python} "$@" ;; esac
exec {warm} "$@"
"""
"""A `python3`: faults (`tests.faults`) hit a command line as its interpreter starts, so it needs one of its own."""


@cache
def warm_env() -> dict[str, str]:
    """Start the interpreter that scripts share, at the first of them; nothing where there can be none."""
    folder = Path(_started.enter_context(tempfile.TemporaryDirectory()))
    env = _started.enter_context(warm_python(folder / "warm"))
    if not env:
        return {}
    python, warm = folder / "hit" / "python3", folder / "warm" / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(HIT_OR_WARM.format(python=shlex.quote(sys.executable), warm=shlex.quote(str(warm))))
    python.chmod(0o755)
    return {"PATH": f"{python.parent}:{env['PATH']}"}


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[None]:
    """End it with the session."""
    with _started:
        yield


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

    def run(
        self, *options: str, script: Path | None = None, mini: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the recipe as a user would, from its own folder, with a Python that has imported the libraries already.

        Args:
            options: of the script.
            script: by default the recipe's run.sh.
            mini: whether the miniature corpora are asked for.
            env: more variables.
        """
        env = warm_env() | env
        return subprocess.run(
            [str(script or self.recipe / "run.sh"), *(("--mini", "true") if mini else ()), *options],
            cwd=(script or self.recipe / "run.sh").parent,
            capture_output=True,
            text=True,
            env={k: v for k, v in os.environ.items() if k not in ("BYOL_S", "RAVDESS", "EMODB")} | env,
        )

    def python(self, module: str, *arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Call a command line of this checkout, in a process of its own whose libraries are imported already."""
        command = ["python3", "-m", f"ser.bin.{module}", *map(str, arguments)]
        env = os.environ | warm_env() | {"PYTHONPATH": str(self.root)}
        return subprocess.run(command, cwd=folder or self.root, env=env, capture_output=True, text=True)

    def page(self, recipe: str, finetune: str = "false") -> str:
        """Run a recipe on miniature corpora, one run at a time, and read its table.

        In this process: a process of its own for each stage would spend most of its time on imports.
        """
        folder = self.root / "egs" / recipe
        with alone(self.root / recipe):
            stages.run(folder, finetune)
        return (folder / "exp_mini" / "RESULTS.md").read_text()

    def files(self, *folders: Path) -> dict[str, tuple[int, int]]:
        """Size and time of change of every file but the logs and the lock."""
        return {
            str(path): (path.stat().st_size, path.stat().st_mtime_ns)
            for folder in folders
            for path in folder.rglob("*")
            if path.is_file() and "log" not in path.parts and path.name != ".lock"
        }

    def copy(self, root: Path) -> Checkout:
        """Copy it; files that nobody changes in place are hard links."""

        def copy_or_link(source: str, target: str) -> None:
            (os.link if source.endswith(SHARED) else shutil.copy2)(source, target)

        shutil.copytree(self.root, root, copy_function=copy_or_link)
        return Checkout(root)


def tables(page: str) -> dict[str, dict[str, dict[str, str]]]:
    """Read the tables under each heading of a RESULTS.md: row, without flags -> column -> cell.

    Of rows that share a name, for several features, the first is taken. Under the title stands the headline.
    """
    found = {}
    for section in re.split(r"^#+ ", page, flags=re.MULTILINE)[1:]:
        own = found.setdefault(section.partition("\n")[0], {})
        for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
            names, _, *rows = [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()]
            of_table: dict[str, dict[str, str]] = {}
            for cells in rows:
                of_table.setdefault(re.split(r" \[", cells[0])[0], dict(zip(names, cells, strict=True)))
            for label, cells in of_table.items():
                own[label] = own.get(label, {}) | cells
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


def keep_rows(recipe: Path, *labels: str, own_labels: tuple[str, ...] | None = None) -> None:
    """Cut down the table that a recipe's own rows are added to, and these to some of them if need be."""
    conf = recipe / "conf"
    base, *own = (conf / "runs.tsv").read_text().splitlines()
    own = [line for line in own if not line.startswith("base\t")]  # of other methods
    if own_labels is not None:
        own = [line for line in own if own_labels and line.split("\t")[0] in ("row", *own_labels)]
    lines = (conf / base.split("\t")[1]).read_text().splitlines()
    kept = [line for line in lines if line.split("\t")[0] in ("row", *labels)]
    assert len(kept) == 1 + len(labels)
    (conf / "few.tsv").write_text("\n".join(kept) + "\n")
    (conf / "runs.tsv").write_text("\n".join(["base\tfew.tsv", *own]) + "\n")


@pytest.fixture(scope="session")
def shared(tmp_path_factory, nine) -> Checkout:
    """A checkout in which several recipes run, also side by side."""

    def build(folder: Path) -> None:
        shutil.copytree(nine, copy_tree(folder).root / "data_mini" / "corpora", copy_function=os.link)

    return Checkout(once(tmp_path_factory, "shared", build))


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """The recipe has run once, with all its rows and on all cores; tests leave it as it is."""

    def build(folder: Path) -> None:
        result = copy_tree(folder / AWKWARD).run()
        assert result.returncode == 0, result.stdout + result.stderr

    return Checkout(once(tmp_path_factory, "finished", build) / AWKWARD)


@pytest.fixture
def own(finished, tmp_path) -> Checkout:
    """A copy of the finished checkout that a test may change; it unlinks a shared file before it writes another."""
    return finished.copy(tmp_path / "own")
