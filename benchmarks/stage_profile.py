"""Where the time of recipes goes: every stage alone, in seconds of the clock and of the processor.

usage: python -m benchmarks.stage_profile RECIPE ... [-- OPTIONS OF run.sh]      from the root of the repository

    python -m benchmarks.stage_profile emodb emodb2urdu -- --mini true
    python -m benchmarks.stage_profile emodb -- --db_root /corpora

Each recipe runs in a clone of this checkout, from nothing; the last column is the whole recipe again when there is
nothing to do.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGES = ("data_prep", "splits", "features", "train", "score", "results")


def measured(*command: str) -> str:
    """Run a command: seconds of the clock, and of the processor in brackets."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{time.perf_counter() - started:.1f} ({cpu:.1f})"


def main(recipes: list[str], options: list[str]) -> None:
    print(f"| recipe | {' | '.join(STAGES)} | again |\n|---|{'---:|' * (len(STAGES) + 1)}")
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "clone", "-q", str(ROOT), folder], check=True)
            run = (f"{folder}/egs/{recipe}/run.sh", *options)
            cells = [measured(*run, "--stage", stage, "--stop_stage", stage) for stage in STAGES]
            print(f"| {recipe} | {' | '.join(cells)} | {measured(*run)} |", flush=True)


if __name__ == "__main__":
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    if at < 2:
        sys.exit(__doc__)
    main(sys.argv[1:at], sys.argv[at + 1 :])
