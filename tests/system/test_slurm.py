"""Job arrays without a cluster: what is asked for, and what a queue may say. On a real one: tests/recipes."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from ser.config import load
from ser.errors import ConfigError
from ser.system import slurm
from ser.system.slurm import SlurmConfig, run_array

ROOT = Path(__file__).parents[2]


# ---- conf/slurm.yaml --------------------------------------------------------------------------------------------


def test_the_shipped_file_is_valid():
    config = load(ROOT / "conf" / "slurm.yaml", SlurmConfig)
    assert config.features.options() == ["--mem=8G", "--cpus-per-task=4"]
    assert config.finetune.options() == ["--mem=32G", "--gres=gpu:1"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train: {patition: gpu}", "train.patition: unknown key 'patition'; did you mean 'partition'?"),
        ("trian: {mem: 1G}", "trian: unknown key 'trian'; did you mean 'train'?"),
        ("train: {nodes: 2}", "train.nodes: unknown key 'nodes'"),
        ("train: {time: 8:00:00}", "train.time: Input should be a valid string, found 28800"),
        ("train: {time: soon}", "train.time: 'soon' is not a Slurm time"),
        ("train: {mem: true}", "train.mem: Input should be a valid string, found True"),
        ("train: {mem: 8 GB}", "train.mem: String should match pattern"),
        ("finetune: {nodes: 0}", "finetune.nodes: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_told_with_its_key(line, said, tmp_path):
    (tmp_path / "slurm.yaml").write_text(line)
    with pytest.raises(ConfigError, match=re.escape(f"slurm.yaml: {said}")):
        load(tmp_path / "slurm.yaml", SlurmConfig)


def test_megabytes_without_quotes_and_sections_without_lines(tmp_path):
    (tmp_path / "slurm.yaml").write_text("features: {mem: 8000}\ntrain:\n  # mem: 8G\nfinetune:\n")
    config = load(tmp_path / "slurm.yaml", SlurmConfig)
    assert config.features.options() == ["--mem=8000"]
    assert config.train.options() == config.finetune.options() == []


@pytest.mark.parametrize("time", ["90", "8:00", "8:00:00", "1-12", "1-12:30:00"])
def test_times_of_slurm(time):
    assert slurm.Resources(time=time).options() == [f"--time={time}"]


# ---- Submitting and waiting -------------------------------------------------------------------------------------


FAKE = """#!/usr/bin/env bash
# The n-th call prints FOLDER/squeue.<n>, the last of them from then on; a first word FAIL goes to stderr with code 1.
folder=$(dirname "$0")
name=$(basename "$0")
printf '%s\\0' "$@" >> "$folder/$name.args"
n=$(($(cat "$folder/$name.n" 2> /dev/null || echo 0) + 1))
echo "$n" > "$folder/$name.n"
while [ "$n" -gt 1 ] && ! [ -e "$folder/$name.$n" ]; do n=$((n - 1)); done
if [ "$(head -c 4 "$folder/$name.$n")" = FAIL ]; then
  tail -c +6 "$folder/$name.$n" >&2
  exit 1
fi
cat "$folder/$name.$n"
"""


class Fake:
    """Commands of Slurm's that answer what a test has written down."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.log = folder.parent / "log dir" / "train"
        for name in ("sbatch", "squeue", "scancel"):
            (folder / name).write_text(FAKE)
            (folder / name).chmod(0o755)
        self.answers("sbatch", "12\n")
        self.answers("scancel", "")

    def answers(self, name: str, *texts: str) -> None:
        for n, text in enumerate(texts, start=1):
            (self.folder / f"{name}.{n}").write_text(text)

    def args(self, name: str) -> list[str]:
        path = self.folder / f"{name}.args"
        return path.read_text().split("\0")[:-1] if path.exists() else []

    def run(self, *command: str, n: int = 2, **resources: object) -> int:
        jobs = self.folder / "jobs.tsv"
        jobs.write_text("a:1\n" * n)
        config = SlurmConfig.model_validate({"train": resources})
        return run_array("train", config, jobs, 64, self.log, command or ("true",))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "PAUSE_S", (0.0, 0.0))
    return Fake(tmp_path / "bin")


def test_arguments_reach_sbatch_as_they_are(fake):
    fake.answers("squeue", "1|COMPLETED|None\n2|COMPLETED|None\n")
    odd = ("python3", "a b", "$(touch x)", "'", "", "new\nline")
    assert fake.run(*odd, mem="2G") == 0
    folder = fake.log.with_name("train.slurm")
    utils = ROOT / "utils"
    assert fake.args("sbatch") == [
        "--parsable", "--array=1-2", "--job-name=ser-train", "--export=ALL", "--output=/dev/null", "--mem=2G",
        str(utils / "slurm_job.sh"), str(utils), "train", "2", str(fake.log), str(folder),
        *odd, "--jobs", str(folder / "jobs.tsv"),
    ]  # fmt: skip
    assert (folder / "jobs.tsv").read_text() == "a:1\na:1\n"


def test_there_are_no_more_parts_than_jobs_and_no_more_than_nj(fake):
    fake.answers("squeue", "".join(f"{n}|COMPLETED|None\n" for n in range(1, 65)))
    for n, parts in ((1, 1), (100, 64)):
        assert fake.run(n=n) == 0
        assert [arg for arg in fake.args("sbatch") if arg.startswith("--array")][-1] == f"--array=1-{parts}"


def test_a_job_of_another_cluster_is_asked_for_and_canceled_there(fake, monkeypatch):
    fake.answers("sbatch", "Welcome to the cluster!\n4242;gpu\n")
    fake.answers("squeue", "CLUSTER: gpu\n1|COMPLETED|None\n2|COMPLETED|None\n")
    assert fake.run() == 0
    assert fake.args("squeue")[-2:] == ["--jobs=4242", "--clusters=gpu"]
    slurm._cancel("4242;gpu")
    assert fake.args("scancel") == ["--clusters=gpu", "4242"]
    (fake.log.with_name("train.slurm") / "job").write_text("4242;gpu")
    fake.answers("squeue", "CLUSTER: gpu\n1|RUNNING|None\n")
    with pytest.raises(ConfigError, match="or end them with: scancel --clusters=gpu 4242"):
        fake.run()


@pytest.mark.parametrize("printed", ["", "Submitted batch job 12\n", "12;\n", "12 --all\n", "12;a b\n"])
def test_what_sbatch_prints_has_to_be_the_number_of_a_job(fake, printed):
    fake.answers("sbatch", printed)
    with pytest.raises(ConfigError, match=r"^sbatch printed '.*', expected the number of a job, or 'number;cluster'"):
        fake.run()
    assert fake.args("squeue") == []


def test_what_slurm_ended_is_told_and_the_others_are_waited_for(fake, capfd):
    fake.answers(
        "squeue",
        "1|PENDING|Priority\n2|PENDING|Priority\n",
        "1|OUT_OF_MEMORY|OutOfMemory\n2|RUNNING|None\n",
        "1|OUT_OF_MEMORY|OutOfMemory\n2|COMPLETING|None\n",
        "1|OUT_OF_MEMORY|OutOfMemory\n2|COMPLETED|None\n",
    )
    assert fake.run() == 1
    out, err = capfd.readouterr()
    assert err == (
        "train: part 1 of 2 was ended without an exit code, Slurm says OUT_OF_MEMORY (OutOfMemory); "
        f"run again for the rest; its log: {fake.log}.1.log\n"
    )
    assert out.splitlines() == [
        "train: Slurm job 12, 2 parts",
        "train: 0 of 2 parts have ended, 2 pending (Priority)",
        "train: 1 of 2 parts have ended, 1 running",
        "train: 1 of 2 parts have ended, 1 completing",
    ]


def test_a_part_that_vanished_has_failed(fake, capfd, monkeypatch):
    monkeypatch.setattr(slurm, "MISSING_S", 0.0)
    fake.answers("squeue", "1|COMPLETED|None\n", "FAIL slurm_load_jobs error: Invalid job id specified\n")
    assert fake.run() == 1
    assert "train: part 2 of 2 left the queue without an exit code, killed or lost" in capfd.readouterr().err
    assert fake.args("scancel") == ["12"]  # in case it comes back


def test_a_queue_that_does_not_answer_is_asked_on(fake, capfd):
    silent = "FAIL slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"
    fake.answers("squeue", silent, silent, silent, silent, "1|COMPLETED|None\n2|COMPLETED|None\n")
    assert fake.run() == 0
    assert capfd.readouterr().out.count("Slurm's queue does not answer; asking again") == 1


def test_exit_codes_in_files_count_before_the_queue(fake, monkeypatch, capfd):
    """A job that slurmctld has forgotten, or that it has not yet seen ending."""
    submit_array = slurm._submit

    def submit_and_end(kind, config, n_parts, log, folder, command) -> str:
        (folder / "1.code").write_text("0\n")
        (folder / "2.code").write_text("7\n")
        (folder / "1.txt").write_text("one says this\n")
        return submit_array(kind, config, n_parts, log, folder, command)

    monkeypatch.setattr(slurm, "_submit", submit_and_end)
    fake.answers("squeue", "2|RUNNING|None\n")
    assert fake.run() == 7
    out, err = capfd.readouterr()
    assert "one says this\n" in out
    assert err == f"train: part 2 of 2 ended with code 7; its log: {fake.log}.2.log\n"


def test_an_array_of_an_earlier_call_is_not_doubled(fake):
    folder = fake.log.with_name("train.slurm")
    folder.mkdir(parents=True)
    (folder / "job").write_text("11")
    fake.answers("squeue", "1|COMPLETED|None\n2|RUNNING|None\n3|PENDING|Resources\n", "1|COMPLETED|None\n")
    with pytest.raises(ConfigError, match="2 parts of an earlier call, job 11, .* or end them with: scancel 11"):
        fake.run()
    assert not fake.args("sbatch")
    assert fake.run(n=1) == 0
    assert not (folder / "job").exists()


def test_what_was_ignored_before_is_ignored_on():
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with slurm._Watch() as watch:
            os.kill(os.getpid(), signal.SIGHUP)
            assert watch.signal == 0
            os.kill(os.getpid(), signal.SIGTERM)
            assert watch.signal == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_array_is_canceled_if_nobody_can_wait_for_it(fake, monkeypatch):
    def disk_full(*_):
        raise OSError(28, "No space left on device")

    fake.answers("squeue", "1|RUNNING|None\n", "1|CANCELLED|None\n")
    monkeypatch.setattr(slurm, "_wait", disk_full)
    with pytest.raises(OSError, match="No space left"):
        fake.run()
    assert fake.args("scancel") == ["12"]


def test_what_sbatch_refuses_is_told(fake):
    fake.answers("sbatch", "FAIL sbatch: error: invalid partition specified: big\n")
    with pytest.raises(ConfigError, match=r"jobs of 'train' with --partition=big: .*invalid partition .*slurm\.yaml"):
        fake.run(partition="big")


def test_without_slurm_the_other_backend_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="no sbatch in PATH; .* or with cmd_backend=local"):
        run_array("train", SlurmConfig(), tmp_path / "jobs.tsv", 1, tmp_path / "log", ["true"])
