"""Faults that hit a chosen process at a chosen moment: when it opens a file for writing, or renames one.

`sitecustomize.py`, which Python imports at its start, does it; this module says which process, when and what.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.recipes.conftest import keep_rows

FOLDER = Path(__file__).parent
STAGES = ("data_prep", "splits", "features", "train", "score", "results")
MODULE = ("data_prep", "make_splits", "features run", "train run", "score", "results")
"""Command line that writes what the stage is for."""

FAULTS = ("kill", "term", "killed", "full")
"""SIGKILL or SIGTERM to the whole run, SIGKILL to the one process, and a disk without space from here on."""


def fault(root: Path, stage: int, what: str, at: int | str, log: Path) -> dict[str, str]:
    """Give the variables of a run that is to be hit.

    Args:
        root: only files below it count.
        stage: 1 to 6.
        what: one of `FAULTS`, or `none` to count only.
        at: before which opening or renaming of the stage, from 1; or the name of the file that it is about.
        log: file that gets a line for each; to be deleted before the next run.
    """
    values = {"ROOT": root, "MODULE": f"ser.bin.{MODULE[stage - 1]}", "WHAT": what, "AT": at, "LOG": log}
    return {"PYTHONPATH": str(FOLDER), **{f"FAULT_{key}": str(value) for key, value in values.items()}}


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a recipe in a session of its own, so that a signal to all of it reaches nobody else."""
    kept = {k: v for k, v in os.environ.items() if k not in ("BYOL_S", "OMP_NUM_THREADS", "RAVDESS", "EMODB", "URDU")}
    return subprocess.run(
        command, cwd=Path(command[0]).parent, env={**kept, **(env or {})}, capture_output=True, text=True,
        start_new_session=True,
    )  # fmt: skip


def errors(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Give the sentences in which a run told why it ended; a traceback is none."""
    said = (result.stdout + result.stderr).splitlines()
    assert not any("Traceback" in line for line in said), result.stderr
    return list(dict.fromkeys(line.removeprefix("error: ") for line in said if line.startswith("error: ")))


def content(*folders: Path) -> dict[str, bytes]:
    """Read every file but the logs and locks: what an undisturbed run and a disturbed one have to agree in."""
    return {
        str(path.relative_to(folder.parent)): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "log" not in path.parts and not path.name.endswith(".lock")
    }


def hit(
    script: Path, first: int, stage: int, what: str, at: int | str, log: Path, env: Mapping[str, str] | None = None
) -> None:
    """Run a recipe on miniature corpora from one stage to another, in which the fault has to hit it."""
    log.unlink(missing_ok=True)
    stages = ("--stage", str(first), "--stop_stage", str(stage))
    result = run(
        [str(script), "--mini", "true", *stages], {**(env or {}), **fault(script.parents[2], stage, what, at, log)}
    )
    assert result.returncode != 0 and log.exists(), result.stdout + result.stderr
    if what == "full":
        assert (said := errors(result))  # by each part of a stage that has several
        for sentence in said:
            assert "No space left on device (the disk of /" in sentence
            assert sentence.endswith("free some space there and run again")


def disturb(
    finished: Path,
    recipe: str,
    row: str,
    kept: Sequence[str],
    faults: Sequence[tuple[int, str, str]],
    folder: Path,
    env: Mapping[str, str] | None = None,
) -> None:
    """Hit the last stages in a copy of a finished checkout, and assert that the recipe ends in the same files.

    Args:
        finished: its root; stays as it is.
        recipe: that has run there.
        row: label of the row that is trained once more.
        kept: labels of the rows that the copy has, this one and what it needs.
        faults: stage, one of `FAULTS` and name of a file, in the order of stages.
        folder: for the copy.
        env: variables of all runs.
    """
    shutil.copytree(finished, folder / "hit", copy_function=os.link, ignore=shutil.ignore_patterns("log", ".lock"))
    script = folder / "hit" / "egs" / recipe / "run.sh"
    exp = script.parent / "exp_mini"
    keep_rows(script.parent, *kept, own_labels=())
    few = run([str(script), "--mini", "true", "--stage", "results"], env)
    assert few.returncode == 0, few.stdout + few.stderr
    expected = content(exp)
    for run_dir in list(exp.rglob(f"{row}-*")):
        if run_dir.is_dir():
            shutil.rmtree(run_dir)
    (exp / "RESULTS.md").unlink()
    begin = 4
    for stage, what, at in faults:
        hit(script, begin, stage, what, at, folder / "faults.log", env)
        assert not (exp / "RESULTS.md").exists()
        begin = stage
    last = run([str(script), "--mini", "true", "--stage", str(begin)], env)
    assert last.returncode == 0, last.stdout + last.stderr
    found = content(exp)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
