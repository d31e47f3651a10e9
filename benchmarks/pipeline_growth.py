"""All six stages of a few-shot recipe on growing corpora: time and memory against the number of utterances.

usage: python -m benchmarks.pipeline_growth [UTTERANCES ...]      from the root of the repository

Two synthetic corpora of noise, 0.1 s each, half of the utterances in either, 25 of a speaker, prepared as a user's
own table; the recipe is what `utils/new_recipe.sh` writes, with three rows, one feature and one seed. Every stage
runs alone, as `run.sh --stage N --stop_stage N` in a copy of this checkout; `ratio` is the time per utterance against
that of the smallest corpora, and peak MB that of its largest process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
SIZES = (1_000, 10_000, 100_000)
STAGES = ("data_prep", "splits", "features", "train", "score", "results")
CLASSES = ("angry", "happy", "neutral", "sad")
RATE_HZ = 16_000
SECONDS = 0.1
PER_SPEAKER = 25

ROWS = (
    "source_only\temofsl.yaml\t*\t1\t-\t-\t-\tobjective=source_only predictor=classifier source.epochs=2",
    "emofsl\temofsl.yaml\t*\t1\tsource_only\t-\t-\tobjective=emofsl source.epochs=2",
    "in_domain\tin_domain.yaml\t*\t1\t-\t-\t-\t-",
)

MEASURE = """
import resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)
"""


def measured(*command: str, cwd: Path) -> tuple[float, float]:
    """Run a command; seconds, and the MB of the largest process below it."""
    env = {**os.environ, "PYTHONPATH": str(cwd)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], cwd=cwd, env=env, check=True, stdout=subprocess.PIPE, text=True
    )
    seconds, peak_mb = map(float, done.stdout.split()[-2:])
    return seconds, peak_mb


def write_corpus(folder: Path, name: str, n: int, per_speaker: int = PER_SPEAKER) -> Path:
    """Write WAVs, a thousand a folder, and their table."""
    rng = np.random.default_rng([*name.encode()])
    lines = ["path,speaker,emotion"]
    for i in range(n):
        path = folder / name / f"{i // 1000:03}" / f"{i:06}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.normal(size=int(RATE_HZ * SECONDS)) * 0.05 * (1 + i % len(CLASSES))
        soundfile.write(path, noise, RATE_HZ)
        lines.append(f"{path},s{i // per_speaker:04},{CLASSES[i % len(CLASSES)]}")
    table = folder / f"{name}.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def make_checkout(folder: Path, tables: Sequence[Path]) -> tuple[Path, tuple[float, float]]:
    """Copy this checkout without its recipes and prepare corpora there: where, and the seconds and MB of stage 1."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("run.sh", "utils", "conf", "ser"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, checkout / name)
    (checkout / "egs").mkdir()
    prepared = [
        measured(sys.executable, "-m", "ser.bin.prepare_corpus", "table", str(t), f"data/{t.stem}", cwd=checkout)
        for t in tables
    ]
    return checkout, (sum(seconds for seconds, _ in prepared), max(mb for _, mb in prepared))


def run(n: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Prepare corpora of n utterances together and run all stages: stage -> seconds and MB."""
    checkout, prepared = make_checkout(folder, [write_corpus(folder, name, n // 2) for name in ("one", "two")])
    measured("utils/new_recipe.sh", "one2two", "one", "two", cwd=checkout)
    header = (ROOT / "conf" / "rows" / "emofsl.tsv").read_text().splitlines()[0]
    (checkout / "egs" / "one2two" / "conf" / "runs.tsv").write_text("\n".join([header, *ROWS]) + "\n")
    found = {"data_prep": prepared}
    for stage in STAGES[1:]:
        options = ("--stage", stage, "--stop_stage", stage, "--features", "fbank_no_cmvn")
        found[stage] = measured("egs/one2two/run.sh", *options, cwd=checkout)
    return found


def main(sizes: list[int]) -> None:
    print("| stage | utterances | seconds | ratio | peak MB |\n|---|---:|---:|---:|---:|")
    first: dict[str, float] = {}
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for stage, (seconds, peak_mb) in run(n, Path(folder)).items():
                ratio = seconds / n / first.setdefault(stage, seconds / n)
                print(f"| {stage} | {n} | {seconds:.1f} | {ratio:.2f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main([int(arg) for arg in sys.argv[1:]] or list(SIZES))
