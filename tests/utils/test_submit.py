"""Lists of jobs on this machine: codes, logs, and no part that outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def submit(
    folder: Path, script: str, kind: str = "train", options: Sequence[str] = (), **env: str
) -> subprocess.Popen[str]:
    """Start a script as three jobs in two parts, below a process that stands for run.sh."""
    (folder / "jobs.tsv").write_text("a\nb\nc\n")
    (folder / "work.sh").write_text(script)
    command = [str(ROOT / "utils" / "submit.sh"), kind, "2", str(folder / "log"), str(folder / "jobs.tsv")]
    return subprocess.Popen(
        ["bash", "-c", '"$@"; exit $?', "run.sh", *command, "bash", str(folder / "work.sh"), str(folder), *options],
        env=os.environ | {"cmd_backend": "local"} | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def test_a_failed_part_gives_its_code_and_its_sibling_goes_on(tmp_path):
    process = submit(tmp_path, 'echo "${@:2}"; case $5 in 1/2) exit 3 ;; esac\n')
    out, err = process.communicate()
    assert process.returncode == 3
    jobs = tmp_path / "jobs.tsv"
    assert sorted(out.splitlines()) == [f"--jobs {jobs} --part {i}/2" for i in (1, 2)]
    assert "failed with code 3" in err
    assert "# Ended (code 0)" in (tmp_path / "log.2.log").read_text()


def test_the_shell_says_nothing_of_its_own(tmp_path):
    """It told of a third of the processes that watch the caller that they were terminated."""
    assert {submit(tmp_path, "true\n").communicate() for _ in range(12)} == {("", "")}


def test_a_sentence_behind_half_a_line_is_shown(tmp_path):
    """What is printed reaches the log through tee, what is told does so at once."""
    script = 'printf half; sleep 0.3; echo "error: told" >&2; echo " a line"; exit 2\n'
    process = submit(tmp_path, script, kind="features")
    _, err = process.communicate()
    assert process.returncode == 2
    assert "halferror: told" in (tmp_path / "log.1.log").read_text()
    assert err.splitlines()[-1] == "error: told"


def test_features_are_one_part_with_workers(tmp_path):
    out, _ = submit(tmp_path, 'echo "${@:2}"\n', kind="features").communicate()
    assert out == f"--nj 2 --jobs {tmp_path / 'jobs.tsv'} --part 1/1\n"


@pytest.mark.parametrize(("kind", "gpus", "options", "seen"), [
    ("gpu", "GPU-a,GPU-b", (), ["1/2 GPU-a", "2/2 GPU-b"]),
    ("finetune", "3", (), ["1/1 3"]),  # two parts on one GPU would run out of its memory
    ("finetune", "0,1,2", (), ["1/2 0,2", "2/2 1"]),  # --nj 2: the first trains on two
    ("train", "0,1", (), ["1/2 ", "2/2 "]),  # rows that need none leave the GPUs alone
    ("train", "0,1", ("--device", "cuda"), ["1/2 0", "2/2 1"]),
    ("gpu", "0", ("--device", "cpu"), ["1/2 0", "2/2 0"]),
    ("gpu", "", (), ["1/2 ", "2/2 "]),
    ("gpu", "-1", (), ["1/2 -1", "2/2 -1"]),
])  # fmt: skip
def test_each_part_sees_its_own_gpus(tmp_path, kind, gpus, options, seen):
    script = 'while [ "$1" != --part ]; do shift; done; echo "$2 $CUDA_VISIBLE_DEVICES"\n'
    process = submit(tmp_path, script, kind, options, CUDA_VISIBLE_DEVICES=gpus)
    out, err = process.communicate()
    assert (process.returncode, err, sorted(out.splitlines())) == (0, "", seen)


def test_without_a_gpu_both_lists_are_dealt_out_together(tmp_path):
    (tmp_path / "jobs_gpu.tsv").write_text("d\n")
    jobs = tmp_path / "jobs_train.tsv"
    jobs.write_text("a\n")
    command = [str(ROOT / "utils" / "submit.sh"), "train", "4", str(tmp_path / "log"), str(jobs), "true"]
    subprocess.run(command, check=True, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
    assert jobs.read_text() == "a\nd\n" and not (tmp_path / "jobs_gpu.tsv").exists()
    assert sorted(path.name for path in tmp_path.glob("log.*")) == ["log.1.log", "log.2.log"]


def test_an_unknown_backend_is_refused(tmp_path):
    process = submit(tmp_path, "", cmd_backend="sge")
    _, err = process.communicate()
    assert (process.returncode, err) == (
        2,
        "submit.sh: cmd_backend: found 'sge', known: local, slurm (utils/cmd.sh)\n",
    )


@pytest.mark.parametrize(
    "kill",
    [
        lambda process: process.send_signal(signal.SIGTERM),
        lambda process: process.send_signal(signal.SIGKILL),
        lambda process: os.killpg(process.pid, signal.SIGKILL),
    ],
    ids=["term", "kill", "kill the group"],
)
def test_parts_end_with_who_started_them(kill, tmp_path):
    """A part has a child; both hold the pipe that a reader sees closed when the last of them is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = submit(tmp_path, f"exec 9> '{pipe}'\necho started >&9\nsleep 600 & wait\n")
    with open(pipe) as reader:
        assert reader.readline() == "started\n"
        assert reader.readline() == "started\n"
        kill(process)
        assert reader.read() == ""
    process.communicate()
    assert process.returncode in (-signal.SIGTERM, -signal.SIGKILL)
