"""A list of jobs as a job array of Slurm's, waited for as if it ran here.

A part leaves its exit code in a file when it ends, so Slurm's accounting is not needed; what Slurm ended, and what
was lost with its machine, the queue shows. All machines have to see the repository, the Python environment and the
corpora under the same paths. Not here: what a part does (`utils/slurm_job.sh`).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.system import folders
from ser.system.files import write_text

Kind = Literal["features", "train", "gpu", "finetune"]


def _time(value: str) -> str:
    if not re.fullmatch(r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}", value):
        raise ValueError(f"'{value}' is not a Slurm time; write minutes, '8:00:00' or '1-12' (days-hours), in quotes")
    return value


def _text(value: object) -> object:
    """Take a number of megabytes without quotes, which YAML reads as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Resources(ConfigModel):
    """Options of sbatch, under its own names; the cluster decides those that are not set."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time: Annotated[str, AfterValidator(_time)] | None = None  # without quotes YAML reads 8:00:00 as 28800
    mem: Annotated[str, BeforeValidator(_text), Field(pattern=r"^\d+[KMGT]?$")] | None = None
    cpus_per_task: Annotated[int, Field(ge=1)] | None = None
    gres: str | None = None

    def options(self) -> list[str]:
        """Give the options of sbatch.

        Example:
            >>> Resources(mem="4G", cpus_per_task=2).options()
            ['--mem=4G', '--cpus-per-task=2']
        """
        return [f"--{key.replace('_', '-')}={value}" for key, value in self.model_dump(exclude_none=True).items()]


class FinetuneResources(Resources):
    """With several nodes, one training runs on all of them."""

    nodes: Annotated[int, Field(ge=1)] | None = None


class SlurmConfig(ConfigModel):
    """`conf/slurm.yaml`: resources of one part of each list of jobs; a key with nothing below it asks for nothing."""

    features: Resources = Resources()
    train: Resources = Resources()
    gpu: Resources = Resources()
    finetune: FinetuneResources = FinetuneResources()

    @field_validator("features", "train", "finetune", mode="before")
    @classmethod
    def _nothing(cls, value: object) -> object:
        return {} if value is None else value


ENDED = {"BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"}
"""States of a part that will not go on; in all others but COMPLETED it waits or runs."""

MISSING_S = 15.0
"""A part may be out of the queue this long before its exit code is seen: shared file systems are slow."""

CANCEL_S = 10.0
"""How long the end of a canceled array is waited for."""

PAUSE_S = (0.3, 10.0)
"""First and longest time between two looks at the queue."""


DIGIT = "[0-9]"
PART_FILES = [name for n in range(1, 6) for name in (f"{n * DIGIT}.txt", f"{n * DIGIT}.code", f".{n * DIGIT}.code")]
ARRAY = folders.Kind(
    name="folder of a job array",
    mark="",
    is_ours=lambda _: True,
    holds=lambda _: ["job", "jobs.tsv", ".job.ser-part", ".jobs.tsv.ser-part", *PART_FILES],
)


def run_array(kind: Kind, config: SlurmConfig, jobs: Path, nj: int, log: Path, command: Sequence[str]) -> int:
    """Submit a list of jobs as an array and wait until all parts have ended.

    A part that fails does not stop the others. When this process gets a signal to end, or its parent has ended, the
    array is canceled.

    Args:
        kind: whose resources are asked for.
        config: all resources.
        jobs: a job per line.
        nj: parts at most.
        log: part i logs to `<log>.<i>.log`; `<log>.slurm/` is for the array's own files.
        command: program and arguments; part i of n is called with `--jobs` and `--part i/n`, i = 1 to n.

    Returns:
        0 if all parts ended well, else the exit code of one that failed.

    Raises:
        ConfigError: if Slurm is not there or refuses, or an earlier array of this log is still in the queue.
    """
    if shutil.which("sbatch") is None:
        raise ConfigError("cmd_backend 'slurm': there is no sbatch in PATH; run on a machine that submits to Slurm, "
                          "or with cmd_backend=local")  # fmt: skip
    folder = log.with_name(f"{log.name}.slurm")
    job_file = folder / "job"
    if job_file.exists() and (live := _live(_states(job_file.read_text()))):
        job = job_file.read_text()
        cancel = " ".join(["scancel", *_where(job)])
        raise ConfigError(f"{folder}: {sum(live.values())} parts of an earlier call, job {job}, are still in Slurm's "
                          f"queue; wait for them, or end them with: {cancel}")  # fmt: skip
    folders.remove_folder(folder, ARRAY)
    own_jobs = folder / "jobs.tsv"  # which no later plan changes
    write_text(own_jobs, jobs.read_text(encoding="utf-8"))
    n_parts = min(nj, len(own_jobs.read_text(encoding="utf-8").splitlines()))
    with _Watch() as watch:  # from here on, so that every array is watched
        job = _submit(kind, config, n_parts, log, folder, [*command, "--jobs", str(own_jobs)])
        all_ended = False
        try:
            write_text(job_file, job)
            print(f"{kind}: Slurm job {job}, {n_parts} part{'s' if n_parts > 1 else ''}", flush=True)
            failed = _wait(job, kind, n_parts, log, folder, watch)
            all_ended = not watch.signal and None not in failed.values()
        finally:
            if not all_ended:
                _cancel(job)
        job_file.unlink()
    if watch.signal:  # ended by the signal itself: on an exit code the caller would go on
        signal.signal(watch.signal, signal.SIG_DFL)
        os.kill(os.getpid(), watch.signal)
    return next((code or 1 for code in failed.values()), 0)


class _Watch:
    """Remembers that this process got a signal to end, or that its parent has ended."""

    def __init__(self) -> None:
        self.signal = 0
        self._parent = os.getppid()

    def __enter__(self) -> _Watch:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self._before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}  # nohup
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        self.signal = self.signal or number

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the end is due."""
        end = time.monotonic() + seconds
        while not self.signal and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
            if os.getppid() != self._parent:
                self.signal = signal.SIGTERM


def _submit(kind: Kind, config: SlurmConfig, n_parts: int, log: Path, folder: Path, command: Sequence[str]) -> str:
    """Hand the array to sbatch; returns the number of the job, and behind `;` the cluster, if sbatch names one.

    Raises:
        ConfigError: if it refuses, or prints anything else.
    """
    script = Path(__file__).parents[2] / "utils" / "slurm_job.sh"
    own = ["--parsable", f"--array=1-{n_parts}", f"--job-name=ser-{kind}", "--export=ALL", "--output=/dev/null"]
    resources = getattr(config, kind).options()
    result = _slurm(["sbatch", *own, *resources, str(script), str(script.parent), kind, str(n_parts), str(log),
                     str(folder), *command])  # fmt: skip
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        asked = " ".join(resources) or "no options"
        raise ConfigError(f"sbatch refused the jobs of '{kind}' with {asked}: {said[0]}; see conf/slurm.yaml")
    printed = result.stdout.strip().splitlines()[-1:] or [""]  # sites print news before it
    if not JOB.fullmatch(printed[0]):
        raise ConfigError(
            f"sbatch printed {result.stdout.strip()!r}, expected the number of a job, or 'number;cluster'; look for "
            f"jobs named ser-{kind} with squeue, and at what sbatch is here"
        )
    return printed[0]


JOB = re.compile(r"[0-9]+(;[A-Za-z0-9_.-]+)?")
"""What sbatch prints of a job with --parsable."""


def _where(job: str) -> list[str]:
    """Give the arguments that name a job to squeue and scancel, on the cluster that has it."""
    number, _, cluster = job.partition(";")
    return [*([f"--clusters={cluster}"] if cluster else []), number]


def _slurm(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Call a command of Slurm's: out of reach of Ctrl-C, and without the marks of a job that this runs in itself."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_") or k in ("SLURM_CONF", "SLURM_CLUSTERS")}
    return subprocess.run(command, env=env, start_new_session=True, capture_output=True, text=True)


def _states(job: str) -> dict[int, tuple[str, str]] | None:
    """Ask the queue for the state of every part that it remembers, and the reason; None if it does not answer."""
    *cluster, number = _where(job)
    asked = ["--noheader", "--array", "--states=all", "--format=%K|%T|%r", f"--jobs={number}", *cluster]
    result = _slurm(["squeue", *asked])
    if result.returncode != 0:
        return {} if "Invalid job id" in result.stderr else None
    lines = [cells for line in result.stdout.splitlines() if len(cells := line.split("|")) == 3]  # CLUSTER: gpu
    return {int(part): (state, reason) for part, state, reason in lines if part.isdigit()}


def _live(states: Mapping[int, tuple[str, str]] | None) -> Counter[str]:
    """Count the parts that wait or run, by state; waiting ones with the reason."""
    found: Counter[str] = Counter()
    for state, reason in (states or {}).values():
        if state not in ENDED | {"COMPLETED"}:
            found[f"{state.lower()} ({reason})" if state == "PENDING" else state.lower()] += 1
    return found


def _cancel(job: str) -> None:
    """End an array, and wait a while for its last part, so that the next call finds the place empty."""
    _slurm(["scancel", *_where(job)])
    end = time.monotonic() + CANCEL_S
    while _live(_states(job)) and time.monotonic() < end:
        time.sleep(0.2)


def _wait(job: str, kind: Kind, n_parts: int, log: Path, folder: Path, watch: _Watch) -> dict[int, int | None]:
    """Wait for all parts, or until the watch says stop.

    Returns:
        Parts that failed, with their exit code; None for those that left none.
    """
    failed: dict[int, int | None] = {}
    left, missing_since = list(range(1, n_parts + 1)), {}
    pause, said, n_silent = PAUSE_S[0], "", 0
    while left and not watch.signal:
        states = _states(job)  # before the exit codes, which a part leaves before it leaves the queue
        n_silent = 0 if states is not None else n_silent + 1
        if n_silent == 3:
            print(f"{kind}: Slurm's queue does not answer; asking again", flush=True)
        for part in list(left):
            how = _ending(folder, part, states, missing_since)
            if how is None:
                continue
            left.remove(part)
            _tell(folder / f"{part}.txt")
            if how != 0:
                failed[part] = how if isinstance(how, int) else None
                reason = f"ended with code {how}" if isinstance(how, int) else how
                sys.stderr.write(f"{kind}: part {part} of {n_parts} {reason}; its log: {log}.{part}.log\n")
        waiting = ", ".join(f"{n} {state}" for state, n in sorted(_live(states).items()))
        if left and waiting not in ("", said) and "(None)" not in waiting:  # Slurm has looked at all of them
            print(f"{kind}: {n_parts - len(left)} of {n_parts} parts have ended, {waiting}", flush=True)
            said = waiting
        if left:
            watch.pause(pause)
            pause = min(pause * 1.3, PAUSE_S[1])
    return failed


def _ending(
    folder: Path, part: int, states: Mapping[int, tuple[str, str]] | None, missing_since: dict[int, float]
) -> int | str | None:
    """Tell how a part has ended: by its exit code, or by the words of who ended it; None if it has not."""
    try:
        return int((folder / f"{part}.code").read_text())
    except (FileNotFoundError, ValueError):
        pass
    if states is None:
        return None
    state, reason = states.get(part, ("", ""))
    if state == "COMPLETED":
        return 0
    if state in ENDED:
        return f"was ended without an exit code, Slurm says {state} ({reason}); run again for the rest"
    if state:
        missing_since.pop(part, None)
        return None
    if time.monotonic() - missing_since.setdefault(part, time.monotonic()) < MISSING_S:
        return None
    return "left the queue without an exit code, killed or lost with its machine; run again for the rest"


def _tell(printed: Path) -> None:
    """Print what a part has printed."""
    if printed.exists():
        sys.stdout.write(printed.read_text(errors="replace"))
        sys.stdout.flush()
