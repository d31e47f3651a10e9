"""The classic path, from a folder of WAVs to the table of egs/emodb, against openSMILE alone on the same files.

usage: python -m benchmarks.classic_path EMO_DB_RELEASE [ROUNDS]      from the root of the repository

`floor` is openSMILE's own `process_files` over all WAVs in two processes. `cold` is `egs/emodb/run.sh` in a clone of
this checkout, `warm` the same again with data, lists and features kept and everything after them removed. The least
of all rounds, sides in turn. `peak MB` is the most that all processes of a side hold at one time, memory that
several share counted once (PSS), looked at 20 times a second.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PROCESSES = 2

FLOOR = """
import sys
from pathlib import Path
import opensmile
smile = opensmile.Smile(feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals,
                        multiprocessing=True, num_workers=int(sys.argv[2]))
print(smile.process_files(sorted(map(str, Path(sys.argv[1]).rglob('*.wav')))).shape)
"""


class Cost(NamedTuple):
    """Seconds of the clock and of the processor, and MB."""

    wall: float
    cpu: float
    peak_mb: float


def _memory_mb(root: int) -> float:
    """Sum what the processes below one hold."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
    below = {root}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    total = 0
    for pid in below:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def measured(*command: str) -> Cost:
    """Run a command to its end."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], _memory_mb(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode:
        sys.exit(errors.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - started, cpu, peak[0])


def main(release: Path, rounds: int) -> None:
    costs: dict[str, list[Cost]] = {"floor": [], "cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "-q", str(ROOT), folder], check=True)
        recipe = Path(folder) / "egs" / "emodb"
        run = (str(recipe / "run.sh"), "--nj", str(PROCESSES), "--db_root", str(release.parent))
        for _ in range(rounds):
            costs["floor"].append(measured(sys.executable, "-c", FLOOR, str(release), str(PROCESSES)))
            for name in ("data", "dump", "egs/emodb/splits", "egs/emodb/exp"):
                shutil.rmtree(Path(folder) / name, ignore_errors=True)
            costs["cold"].append(measured(*run))
            shutil.rmtree(recipe / "exp")
            costs["warm"].append(measured(*run))
    floor = min(cost.wall for cost in costs["floor"])
    print("| side | seconds | ratio to the floor | of the processor | peak MB |\n|---|---:|---:|---:|---:|")
    for side, of_side in costs.items():
        wall, cpu, peak = (min(values) for values in zip(*of_side, strict=True))
        print(f"| {side} | {wall:.1f} | {wall / floor:.2f} | {cpu:.1f} | {peak:.0f} |")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
