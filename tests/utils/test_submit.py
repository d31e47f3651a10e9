"""Lists of jobs on this machine: codes, logs, and no part that outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def submit(folder: Path, script: str, kind: str = "train", **env: str) -> subprocess.Popen[str]:
    """Start a script as three jobs in two parts, below a process that stands for run.sh."""
    (folder / "jobs.tsv").write_text("a\nb\nc\n")
    (folder / "work.sh").write_text(script)
    command = [str(ROOT / "utils" / "submit.sh"), kind, "2", str(folder / "log"), str(folder / "jobs.tsv")]
    return subprocess.Popen(
        ["bash", "-c", '"$@"; exit $?', "run.sh", *command, "bash", str(folder / "work.sh"), str(folder)],
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
