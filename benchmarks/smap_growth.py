"""SMAP on growing targets: time and memory against the number of utterances, of 100 for each speaker.

usage: python -m benchmarks.smap_growth [UTTERANCES ...]      from the root of the repository

Random vectors of 600 dimensions (BYOL-S and eGeMAPS side by side have as many), a source of 2,000 utterances, one
split that tests half of the target's speakers, 15 shots. `smap` is conf/methods/smap.yaml, `taught` smap_taught.yaml.
Each size runs in a process of its own; peak MB is that of the process, which holds the vectors too.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ser.config import load
from ser.methods import smap
from ser.methods.base import Job
from ser.splits.lists import Split
from ser.training.run_data import RunData

CONF = Path(__file__).parents[1] / "conf" / "methods"
CLASSES = ("angry", "happy", "neutral", "sad")
SIZES = (1_000, 10_000, 100_000)
DIM, N_SOURCE, PER_SPEAKER, SHOTS = 600, 2_000, 100, 15


def make_data(n: int) -> RunData:
    """Make a source and a target whose classes and speakers shift the vectors."""
    rng = np.random.default_rng(0)
    names = [("src", i) for i in range(N_SOURCE)] + [("tgt", i) for i in range(n)]
    speakers = [f"{corpus}-{i // PER_SPEAKER:04}" for corpus, i in names]
    utts = [f"{speaker}-{i:06}" for speaker, (_, i) in zip(speakers, names, strict=True)]
    y = np.array([i % len(CLASSES) for _, i in names])
    numbers = np.unique(speakers, return_inverse=True)[1]
    x = rng.normal(size=(len(utts), DIM)).astype(np.float32)
    x += rng.normal(size=(len(CLASSES), DIM)).astype(np.float32)[y] / 4
    x += rng.normal(size=(numbers.max() + 1, DIM)).astype(np.float32)[numbers]
    label = {utt: CLASSES[c] for utt, c in zip(utts, y, strict=True)}
    target = utts[N_SOURCE:]
    pool, test = target[: n // 2], target[n // 2 :]
    support = {u: label[u] for c in CLASSES for u in [u for u in pool if label[u] == c][:SHOTS]}
    split = Split(
        "fold1",
        {u: label[u] for u in utts[:N_SOURCE]},
        {},
        pool,
        {u: label[u] for u in test},
        {(SHOTS, 1): support},
    )
    return RunData(utts, x, speakers, [split], CLASSES, dims={"byol_s": DIM - 88, "egemaps": 88})


def measure(name: str, n: int) -> str:
    """Train and predict once; a row of the table."""
    config, data = load(CONF / f"{name}.yaml", smap.Config), make_data(n)
    started = time.perf_counter()
    blind = replace(data, splits=[replace(data.splits[0], test={})])
    state, _ = smap.train(config, blind, 1, None, Job("cpu", Path("never written")))
    trained = time.perf_counter()
    smap.predict(config, data, state, "cpu")
    seconds = trained - started, time.perf_counter() - trained
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {name} | {n} | {n // PER_SPEAKER} | {seconds[0]:.1f} | {seconds[1]:.1f} | {peak_mb:.0f} |"


def main(sizes: list[int]) -> None:
    print("| row | utterances | speakers | s to train | s to predict | peak MB |\n|---|---:|---:|---:|---:|---:|")
    for name in ("smap", "smap_taught"):
        for n in sizes:
            subprocess.run([sys.executable, "-m", "benchmarks.smap_growth", name, str(n)], check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3 and not sys.argv[1].isdigit():
        print(measure(sys.argv[1], int(sys.argv[2])), flush=True)
    else:
        main([int(arg) for arg in sys.argv[1:]] or list(SIZES))
