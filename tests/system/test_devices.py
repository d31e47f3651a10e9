"""Devices: one by default, several as processes whose errors arrive as they were raised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ser.errors import ConfigError, DataError
from ser.system.devices import count_devices, fast_precision, launch, make_fabric


def test_one_device_is_the_default():
    fabric = make_fabric("cpu")
    assert (fabric.world_size, fabric.device.type) == (1, "cpu")
    assert count_devices("cpu") == 1


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("fma avx512f avx512_bf16 ibpb", "bf16"), ("amx_bf16 amx_int8", "bf16"), ("fma avx2 avx512f", "fp32")],
)
def test_the_fastest_precision_is_that_of_the_processors_instructions(flags, precision, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path: f"model name : x\nflags : {flags}\n" * 2)
    assert fast_precision("cpu") == precision


def test_where_no_instructions_are_told_it_is_fp32(monkeypatch):
    def no_such_file(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", no_such_file)
    assert fast_precision("cpu") == "fp32"


def test_without_a_gpu_cuda_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for ask in (make_fabric, count_devices):
        with pytest.raises(ConfigError, match="'cuda' was asked for and PyTorch sees no GPU here"):
            ask("cuda")
    assert make_fabric("auto").device.type == "cpu"


def test_every_visible_gpu_counts(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [count_devices(device) for device in ("auto", "cuda", "cpu")] == [3, 3, 1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("devices", [1, 2])
def test_in_a_task_of_slurm_nobody_waits_for_other_tasks(devices, monkeypatch):
    """Fabric itself would take this process for one of the job's tasks, and refuse or wait for the others."""
    marks = {"JOB_ID": "7", "JOB_NAME": "ser-train", "NTASKS": "4", "PROCID": "3", "LOCALID": "3", "NODEID": "0"}
    for name, value in marks.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    fabric = make_fabric("cpu", devices=devices)
    assert (fabric.world_size, fabric.global_rank, fabric.device.type) == (devices, 0, "cpu")


def note(fabric, folder: Path) -> None:
    (folder / str(fabric.global_rank)).write_text(f"{os.getpid()} {fabric.world_size}")


def test_one_device_needs_no_other_process(tmp_path):
    launch(make_fabric("cpu"), note, tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("0", f"{os.getpid()} 1")]


def add_up_and_fail(fabric, folder: Path) -> None:
    note(fabric, folder)
    total = fabric.all_reduce(torch.tensor(fabric.global_rank + 1.0), reduce_op="sum")
    (folder / f"total{fabric.global_rank}").write_text(f"{total.item()} {'SER_PROGRESS_FD' in os.environ}")
    fabric.barrier()
    if fabric.global_rank == 1:
        raise DataError("utterance 'x': too short;\nfound 0 s")
    fabric.barrier()  # would wait for ever


def test_two_devices_are_two_processes_and_an_error_of_one_ends_both(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_PROGRESS_FD", "7")
    with pytest.raises(DataError) as error:
        launch(make_fabric("cpu", devices=2), add_up_and_fail, tmp_path)
    assert str(error.value) == "utterance 'x': too short;\nfound 0 s"
    pids, sizes = zip(*((tmp_path / rank).read_text().split() for rank in "01"), strict=True)
    assert len({*pids, str(os.getpid())}) == 3
    assert sizes == ("2", "2")
    assert [(tmp_path / f"total{rank}").read_text() for rank in "01"] == ["3.0 False"] * 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for page faults")
def test_freed_memory_is_kept():
    """64 MB in pages of 4 kB: 16,384 faults whenever the kernel has to give them."""
    code = """
import resource
from ser.system.devices import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**26
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
print(faults())
keep_freed_memory()
faults()
print(faults())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    given_back, kept = map(int, out.stdout.split())
    if given_back < 1000:
        pytest.skip("this machine's pages or malloc are other ones")
    assert kept < given_back / 10
