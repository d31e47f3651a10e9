"""The lock of a run: refused while it lives, waited for where only its children do, gone with the last of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAKE = f". '{ROOT}/utils/stages.sh'; take_lock \"$1\"; echo taken $$; "


def shell(folder: Path, then: str = "") -> subprocess.Popen[str]:
    """Start a shell that takes the lock of a folder, says so and does something."""
    return subprocess.Popen(
        ["bash", "-c", f"set -euo pipefail; {TAKE}{then}", "run.sh", str(folder)], text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_second_run_is_refused_in_a_sentence_and_a_third_finds_it_free(tmp_path):
    first = shell(tmp_path / "exp", "read -r _ || true")
    assert first.stdout.readline() == f"taken {first.pid}\n"
    out, err = (second := shell(tmp_path / "exp")).communicate()
    assert (second.returncode, out) == (2, "")
    assert err.startswith(f"error: {tmp_path / 'exp' / '.lock'}: another run works here, process {first.pid} on ")
    assert err.endswith("; wait until it has ended, or end it\n")
    first.communicate()
    out, err = (third := shell(tmp_path / "exp")).communicate()
    assert (third.returncode, out, err) == (0, f"taken {third.pid}\n", "")


def test_what_a_killed_run_has_left_running_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    first = shell(tmp_path, f"(cat > /dev/null; echo child >> '{tmp_path}/order') < '{tmp_path}/pipe' & wait")
    with open(tmp_path / "pipe", "w"):
        assert first.stdout.readline().startswith("taken")
        first.kill()
        first.wait()
        second = shell(tmp_path, f"echo second >> '{tmp_path}/order'")
        assert (
            second.stderr.readline()
            == f"waiting for the end of all processes that the killed run {first.pid} started\n"
        )
    assert second.wait() == 0
    assert (tmp_path / "order").read_text() == "child\nsecond\n"
    second.communicate()
    first.communicate()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_no_reason_to_refuse(tmp_path):
    (tmp_path / ".lock").symlink_to("/dev/full")
    process = shell(tmp_path)
    assert process.communicate()[1] == ""
    assert process.returncode == 0
