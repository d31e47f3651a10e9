"""Recipes side by side: output in their order, codes of those that fail, and no process that outlives the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def recipes(tmp_path):
    """A function that makes recipes of one script each."""

    def make(**scripts: str) -> list[str]:
        for name, script in scripts.items():
            path = tmp_path / name / "run.sh"
            path.parent.mkdir()
            path.write_text(f"#!/usr/bin/env bash\n{script}\n")
            path.chmod(0o755)
            os.mkfifo(path.with_name("pid"))
            os.mkfifo(path.with_name("gate"))
        return list(scripts)

    return make


def start(folder: Path, names: list[str], cores: int = 2) -> subprocess.Popen[str]:
    """Run recipes as with so many cores, with the interpreter itself as their Python."""
    code = (
        "from contextlib import nullcontext\n"
        "import signal\n"
        "from ser.bin import run_recipes\n"
        "from ser.errors import run_cli\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # which tests in the background ignore
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        f"run_recipes.n_cores = lambda: {cores}\n"
        "run_recipes.warm_python = lambda folder: nullcontext({'WARM': 'yes'})\n"
        "run_cli(run_recipes.main)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *names], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_output_comes_in_one_piece_each_and_in_their_order(recipes, tmp_path):
    names = recipes(
        a="echo $WARM $*; read -r _ < a/gate; echo a >&2", b="echo b1; echo b2 >&2; echo open > a/gate", c="echo c"
    )
    out, err = (process := start(tmp_path, names)).communicate()
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == ["yes --mini true --nj 1", "a", "b1", "b2", "c"]


@pytest.mark.parametrize(("cores", "nj"), [(1, 1), (3, 1), (7, 3)])
def test_they_share_the_cores(recipes, tmp_path, cores, nj):
    out, _ = start(tmp_path, recipes(a="echo $4", b="echo $4"), cores).communicate()
    assert out.split() == [str(nj)] * 2


def test_the_first_is_seen_while_it_runs(recipes, tmp_path):
    process = start(tmp_path, recipes(a="echo begins; read -r _ < a/gate; echo ends", b="echo b"))
    assert process.stdout.readline() == "begins\n"
    (tmp_path / "a" / "gate").write_text("go\n")
    assert process.communicate()[0] == "ends\nb\n"


def test_others_go_on_when_one_fails(recipes, tmp_path):
    names = recipes(a="echo a; exit 3", b="kill -KILL $$", c="echo c")
    out, err = (process := start(tmp_path, names)).communicate()
    assert (process.returncode, out) == (3, "a\nc\n")
    assert err == "error: a, b: failed, see above\n"


WAITS = 'cd "$(dirname "$0")"; echo $$ > pid; read -r _ < gate'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ended_by_a_signal_it_ends_all(recipes, tmp_path, number):
    process = start(tmp_path, recipes(a=WAITS, b=WAITS))
    pids = [int((tmp_path / name / "pid").read_text()) for name in ("a", "b")]
    process.send_signal(number)
    assert process.communicate()[1] == ""
    assert process.returncode == 128 + number
    assert not any(is_alive(pid) for pid in pids)


def test_it_ends_if_nobody_reads(recipes, tmp_path):
    process = start(tmp_path, recipes(a="while echo line; do :; done", b=WAITS))
    pid = int((tmp_path / "b" / "pid").read_text())
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 128 + signal.SIGPIPE
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
