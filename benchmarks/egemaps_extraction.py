"""eGeMAPS of real corpora in two processes: seconds of the clock and of the processor.

usage: python -m benchmarks.egemaps_extraction DATA_DIR [DATA_DIR ...]

DATA_DIR: as `python -m ser.bin.prepare_corpus` writes them. Archives go to a folder that is removed again.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from ser.config import load
from ser.data.maps import read_map
from ser.features.config import FeatureConfig
from ser.features.extract import extract_stale

CONF = Path(__file__).parents[1] / "conf" / "features" / "egemaps.yaml"
PROCESSES = 2


def main(data_dirs: list[Path]) -> None:
    feature = ("egemaps", load(CONF, FeatureConfig))
    hours = sum(float(d) for folder in data_dirs for d in read_map(folder / "utt2dur").values()) / 3600
    n = sum(len(read_map(folder / "utt2dur")) for folder in data_dirs)
    with tempfile.TemporaryDirectory() as dump:
        started = time.time()
        extract_stale([feature], data_dirs, Path(dump), PROCESSES, "cpu")
        seconds = time.time() - started
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = children.ru_utime + children.ru_stime
    print("| files | hours | seconds | of the processor | processes busy |\n|---:|---:|---:|---:|---:|")
    print(f"| {n} | {hours:.2f} | {seconds:.0f} | {busy:.0f} | {busy / seconds:.2f} of {PROCESSES} |")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main([Path(arg) for arg in sys.argv[1:]])
