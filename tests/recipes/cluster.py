"""A Slurm cluster of two nodes on this machine, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "srun")
SBIN = f"{os.environ['PATH']}:/usr/sbin:/sbin"

CONF = """\
ClusterName=mini
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SlurmdParameters=config_overrides
KillWait=2
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=4000
NodeName=two NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=4000
PartitionName=mini Nodes=ALL Default=YES State=UP
"""


def free_ports(n: int) -> list[int]:
    """Find ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start a cluster; give the variables that its commands need. Skip the test where there can be none."""
    if missing := [name for name in PROGRAMS if shutil.which(name, path=SBIN) is None]:
        pytest.skip(f"Slurm is not installed: no {', '.join(missing)} (apt-get install slurm-wlm munge)")
    if os.geteuid() != 0:
        pytest.skip("a Slurm cluster is started by root alone")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    (folder / "state").mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=socket.gethostname().split(".")[0], folder=folder, ports=free_ports(3)))
    env = {"SLURM_CONF": str(conf)}
    munge = [f"--{name}-file={folder / f'munge.{name}'}" for name in ("key", "pid", "log", "seed")]
    daemons = [
        ["munged", "--foreground", "--force", f"--socket={folder / 'munge.socket'}", *munge],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", "one"],
        ["slurmd", "-D", "-N", "two"],
    ]
    running = []
    try:
        for command in daemons:
            with open(folder / f"{command[0]}-{len(running)}.out", "w") as out:
                running.append(
                    subprocess.Popen(command, env=os.environ | env | {"PATH": SBIN}, stdout=out, stderr=out)
                )
            if command[0] == "munged":
                wait_until((folder / "munge.socket").exists, 10)
        wait_until(lambda: idle_nodes(env) == ["one", "two"], 30)
    except TimeoutError:
        said = [path.read_text()[-300:] for path in sorted(folder.glob("*.out"))]
        stop(running, env)
        pytest.skip(f"Slurm does not start here: {said}")
    try:
        yield env
    finally:
        stop(running, env)


def idle_nodes(env: dict[str, str]) -> list[str]:
    command = ["sinfo", "--Node", "--noheader", "--states=idle", "--format=%N"]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True).stdout.split()


def stop(running: list[subprocess.Popen[bytes]], env: dict[str, str]) -> None:
    subprocess.run(["scancel", "--user=root"], env=os.environ | env, capture_output=True, timeout=30)
    for process in reversed(running):
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(holds, limit_s: float = 30) -> None:
    """Look every 50 ms whether something holds."""
    end = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s} s")
        time.sleep(0.05)
