"""Stages 3 and 4 as job arrays of a real Slurm cluster."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ser.recipe.rows import COLUMNS
from tests.recipes.cluster import cluster, wait_until
from tests.recipes.conftest import AWKWARD, ROOT, Checkout

CONF = """\
features: {cpus_per_task: 2, mem: 1G}
train: {time: "10:00", mem: 1G}
finetune: {nodes: 2}
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Variables of a running cluster."""
    with cluster(tmp_path_factory.mktemp("cluster")) as env:
        yield env | {"cmd_backend": "slurm"}


@pytest.fixture(scope="module")
def submitted(slurm, finished, tmp_path_factory) -> tuple[Checkout, str]:
    """A copy whose features, two families of rows and table were made again by Slurm, and what it said."""
    checkout = finished.copy(tmp_path_factory.mktemp("submitted") / f"{AWKWARD} %a")
    (checkout.root / "conf" / "slurm.yaml").write_text(CONF)
    shutil.rmtree(checkout.root / "dump_mini")
    shutil.rmtree(checkout.exp / "log")
    for row in ("source_only", "btl", "in_domain"):
        shutil.rmtree(checkout.exp / f"{row}-fbank_no_cmvn")
    (checkout.exp / "RESULTS.md").unlink()
    result = checkout.run("--stage", "features", "--nj", "2", **slurm)
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout, result.stdout


def queue(env: dict[str, str]) -> str:
    return subprocess.run(["squeue", "--noheader"], env=os.environ | env, capture_output=True, text=True).stdout


def submit(folder: Path, env: dict[str, str], kind: str, script: str, n: int) -> list[str]:
    """A command line that runs a script as n jobs, as run.sh does."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(ROOT / "utils", folder / "utils")
    shutil.copytree(ROOT / "ser", folder / "ser", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "conf").mkdir()
    (folder / "conf" / "slurm.yaml").write_text(CONF)
    (folder / "jobs.tsv").write_text("".join(f"job {i}\n" for i in range(1, n + 1)))
    (folder / "work.sh").write_text(script)
    paths = [str(folder / name) for name in ("log", "jobs.tsv", "work.sh")]
    return [str(folder / "utils" / "submit.sh"), kind, str(n), *paths[:2], "bash", paths[2], str(folder)]


def call(command: list[str], env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=os.environ | env | {"PYTHONPATH": str(folder)}, capture_output=True, text=True)


def test_a_recipe_ends_in_the_table_of_a_local_run(submitted, finished):
    checkout, said = submitted
    assert len(re.findall(r"^(features|train): Slurm job \d+, 2 parts$", said, re.M)) == 2
    pages = [(c.exp / "RESULTS.md").read_text().split("## 5 shots")[1] for c in (checkout, finished)]
    assert pages[0].split("## Environment")[0] == pages[1].split("## Environment")[0]
    assert "btl-fbank_no_cmvn seed 1: trained in" in said
    for name in ("features.1.log", "features.2.log", "train.1.log", "train.2.log"):
        lines = (checkout.exp / "log" / name).read_text().splitlines()
        assert lines[0].startswith("# python3 -m ser.bin.")
        assert lines[-1].startswith("# Ended (code 0) at ")
    assert not list(checkout.root.parent.rglob("executed"))


def test_a_failing_part_gives_a_code_its_siblings_go_on_and_it_alone_runs_again(submitted, slurm):
    checkout, _ = submitted
    table = checkout.recipe / "conf" / "runs.tsv"
    bad = "broken\temofsl.yaml\t*\t1\t-\t-\t-\tobjective=emofsl"  # without the weights that it starts from
    table.write_text(table.read_text() + "\t".join(COLUMNS) + f"\n{bad}\n")
    (checkout.exp / "in_domain-fbank_no_cmvn" / "seed1" / ".done").unlink()
    only = ("--stage", "train", "--stop_stage", "train", "--nj", "2")
    result = checkout.run(*only, **slurm)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "in_domain-fbank_no_cmvn seed 1: trained in" in result.stdout
    assert re.search(r"train: part \d of 2 ended with code 2; its log: .*/train\.\d\.log", result.stderr)
    again = checkout.run(*only, **slurm)
    assert again.returncode == 2
    assert "1 runs to do" in again.stdout and re.search(r"train: Slurm job \d+, 1 part\n", again.stdout)


def test_a_killed_part_is_told_by_the_queue(slurm, tmp_path):
    """The second is killed with the script that would have left its exit code."""
    script = 'case $5 in 2/2) kill -KILL "$SLURM_TASK_PID" ;; esac\n'
    result = call(submit(tmp_path, slurm, "train", script, 2), slurm, tmp_path)
    assert result.returncode == 1, result.stdout
    pattern = (
        r"train: part 2 of 2 was ended without an exit code, Slurm says FAILED \(.*\); run again .*/log\.2\.log\n"
    )
    assert re.fullmatch(pattern, result.stderr)
    assert not queue(slurm)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_an_array_ends_with_the_process_that_waits_for_it(number, slurm, tmp_path):
    script = 'touch "$1/started-${5%/*}"; exec sleep 600\n'
    command = submit(tmp_path, slurm, "train", script, 2)
    env = os.environ | slurm | {"PYTHONPATH": str(tmp_path)}
    parent = subprocess.Popen(["bash", "-c", '"$@"; true', "run.sh", *command], env=env)
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 2)
    parent.send_signal(number)
    parent.wait()
    wait_until(lambda: not queue(slurm))


TWO_NODES = """
import sys
from pathlib import Path
import torch
from ser.system.devices import count_devices, is_leader, launch, make_fabric, wait_for_all

def note(fabric, folder):
    total = fabric.all_reduce(torch.tensor(fabric.global_rank + 1.0), reduce_op="sum")
    (folder / f"rank{fabric.global_rank}").write_text(f"{fabric.world_size} {total.item()} {is_leader()}")

if __name__ == "__main__":
    launch(make_fabric("cpu", devices=count_devices("cpu")), note, Path(sys.argv[1]))
    wait_for_all()
"""


def test_one_training_runs_on_two_nodes(slurm, tmp_path):
    (tmp_path / "two_nodes.py").write_text(TWO_NODES)
    command = submit(tmp_path, slurm, "finetune", "", 1)
    command[5:7] = ["python3", "-m", "two_nodes"]
    result = call(command, slurm, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [(tmp_path / f"rank{n}").read_text() for n in (0, 1)] == ["2 3.0 True", "2 3.0 False"]
