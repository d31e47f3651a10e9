"""A matrix of sources and targets on 4, 8 and 16 miniature corpora: time and memory of its stages.

usage: python -m benchmarks.matrix_growth [CORPORA ...]      from the root of the repository

Synthetic corpora of noise, 0.1 s each, 8 speakers with 6 utterances of each of four classes, prepared as a user's own
tables. The recipe is what `utils/new_recipe.sh` writes, every corpus and `others` to every corpus: logistic
regression with every adaptation and its references, linear SVC, SMAP, and BTL, FSTL and EMOFSL with three kinds of
statistics for one seed, on one feature. `directions` counts sources and targets.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.pipeline_growth import CLASSES, RATE_HZ, ROOT, SECONDS, STAGES, measured

SIZES = (4, 8, 16)
SPEAKERS, PER_CLASS = 8, 6
METHODS = "logistic_regression,linear_svc,smap,emofsl"


def write_corpus(folder: Path, number: int) -> Path:
    """Write the WAVs of a corpus and its table."""
    rng, lines = np.random.default_rng(number), ["path,speaker,emotion"]
    for i in range(SPEAKERS * len(CLASSES) * PER_CLASS):
        path = folder / f"c{number}" / f"{i:04}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.normal(size=int(RATE_HZ * SECONDS)) * 0.05 * (1 + i % len(CLASSES))
        soundfile.write(path, noise, RATE_HZ)
        lines.append(f"{path},s{i // (len(CLASSES) * PER_CLASS)},{CLASSES[i % len(CLASSES)]}")
    table = folder / f"c{number}.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def run(n: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Prepare n corpora and run the stages of their matrix: stage -> seconds and MB."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("run.sh", "utils", "conf", "ser"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(ROOT / name, checkout / name)
    (checkout / "egs").mkdir()
    names = [f"c{i}" for i in range(n)]
    for i in range(n):
        table = write_corpus(folder, i)
        measured(
            sys.executable, "-m", "ser.bin.prepare_corpus", "table", str(table), f"data/{table.stem}", cwd=checkout
        )
    every = ",".join(names)
    options = ("--train", f"{every},others", "--test", every, "--methods", METHODS, "--features", "fbank_no_cmvn")
    measured("utils/new_recipe.sh", "matrix", *options, cwd=checkout)
    table = checkout / "egs" / "matrix" / "conf" / "runs.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    for cells in rows:
        if len(cells) > 3 and cells[3] == "5":
            cells[3] = "1"
    table.write_text("".join("\t".join(cells) + "\n" for cells in rows))
    stages = STAGES[1:]
    return {
        stage: measured("egs/matrix/run.sh", "--stage", stage, "--stop_stage", stage, "--nj", "1", cwd=checkout)
        for stage in stages
    }


def main(sizes: list[int]) -> None:
    print("| corpora | directions | stage | seconds | peak MB |\n|---:|---:|---|---:|---:|")
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for stage, (seconds, peak_mb) in run(n, Path(folder)).items():
                print(f"| {n} | {n * n} | {stage} | {seconds:.1f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main([int(arg) for arg in sys.argv[1:]] or list(SIZES))
