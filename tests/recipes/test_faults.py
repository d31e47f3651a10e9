"""A few-shot recipe hit in every stage, run twice at once, and given other input between its stages.

The other papers' recipes are hit in their own modules, single commands in `tests/features`, `tests/splits` and
others; `benchmarks/faults.py` goes through all stages and faults.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket

import pytest

from tests.faults import content, errors, hit
from tests.recipes.conftest import warm_env

ROW = "btl-fbank_no_cmvn"


def test_hit_in_every_stage_it_ends_in_the_same_files(finished, own, tmp_path):
    shutil.rmtree(own.root / "data_mini" / "emodb")
    shutil.rmtree(own.root / "dump_mini")
    shutil.rmtree(own.exp / "splits")
    shutil.rmtree(own.exp / ROW)
    (own.exp / "RESULTS.md").unlink()
    faults = [
        (1, "full", ".utt2spk.ser-part"),
        (2, "term", "split.json"),
        (3, "full", "feats.ark.part"),
        (4, "killed", ".done"),
        (5, "full", ".predictions.tsv.ser-part"),
        (6, "kill", "RESULTS.md"),
    ]
    begin = 1
    for stage, what, at in faults:
        hit(own.recipe / "run.sh", begin, stage, what, at, tmp_path / "faults.log", warm_env())
        begin = stage
    assert not (own.exp / "RESULTS.md").exists()
    result = own.run()
    assert result.returncode == 0, result.stdout + result.stderr
    found, expected = content(own.exp), content(finished.exp)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    arks = [content(c.root / "dump_mini") for c in (own, finished)]
    assert arks[0].keys() == arks[1].keys()
    assert [name for name in arks[0] if name.endswith(".ark") and arks[0][name] != arks[1][name]] == []


def test_a_second_run_is_refused(own):
    """This process holds the lock as a run does; what `take_lock` makes of it stands in `tests/bin`."""
    lock = own.exp / ".lock"
    with open(lock, "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lock.write_text(f"{os.getpid()} on {socket.gethostname()} since now\n")
        before = own.files(own.root)
        result = own.run()
    assert result.returncode == 2
    assert f"error: {lock}: another run works here, process {os.getpid()} on " in result.stderr
    assert result.stdout == "" and own.files(own.root) == before


@pytest.mark.parametrize(
    ("stage", "name", "reason"),
    [
        ("splits", "data_mini/emodb/utt2emo", "is not what stage 1 wrote; to undo the change, delete"),
        ("train", "egs/ravdess2emodb/exp_mini/splits/fold2/support.5.1.lst", "run stage 2 again, which restores it"),
        ("results", f"egs/ravdess2emodb/exp_mini/{ROW}/seed1/metrics.json", "damaged, not JSON"),
    ],
)
def test_input_that_changed_between_stages_is_told(own, stage, name, reason):
    """The last tenth of a file goes; nothing is made of it."""
    path = own.root / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    if stage == "train":
        shutil.rmtree(own.exp / ROW)
    before = content(own.exp)
    result = own.run("--stage", stage, "--stop_stage", stage)
    assert result.returncode == 2, result.stdout
    (said,) = errors(result)
    assert said.startswith(str(path)) and reason in said
    assert {name: value for name, value in content(own.exp).items() if "jobs_train" not in name} == before
