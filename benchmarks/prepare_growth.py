"""Stage 1 on growing IEMOCAP releases: time and memory against the number of turns.

usage: python -m benchmarks.prepare_growth        from the root of the repository

Makes trees in the release's grammar (short WAVs), prepares each in a process of its own and prints a table; `ratio`
is the time per turn against that of the smallest tree, about 1 where time grows linearly.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fakes import iemocap

SIZES = (1000, 2500, 5000, 10039)

CHILD = """
import resource, sys, time
from ser.bin import prepare_corpus
started = time.perf_counter()
prepare_corpus.main(["iemocap", *sys.argv[1:], "--allow_partial", "true"])
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    turns = iemocap.full_release()
    print("| turns | seconds | ratio | peak MB |\n|---:|---:|---:|---:|")
    first = None
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            release = iemocap.write_release(Path(folder) / "IEMOCAP", turns[:: len(turns) // size][:size])
            command = [sys.executable, "-c", CHILD, str(release), str(Path(folder) / "iemocap")]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds, peak_mb = map(float, out.splitlines()[-1].split())
        first = first or seconds / size
        print(f"| {size} | {seconds:.2f} | {seconds / size / first:.2f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main()
