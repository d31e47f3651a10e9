"""A matrix of sources and targets on 4, 8 and 16 miniature corpora: time and memory of its stages.

usage: python -m benchmarks.matrix_growth [CORPORA ...]      from the root of the repository

Synthetic corpora of noise, 0.1 s each, 4 speakers with 6 utterances of each of four classes, prepared as a user's own
tables. The recipe is what `utils/new_recipe.sh` writes, every corpus and `others` to every corpus, cut down to
logistic regression with statistics of source and corpus, its references, and the shortcut, on filter banks.
`directions` counts pairs of source and target; each has four folds with ten support sets.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.pipeline_growth import CLASSES, STAGES, make_checkout, measured, write_corpus

SIZES = (4, 8, 16)
SPEAKERS, PER_CLASS = 4, 6
ROWS = ("row", "lr_source", "lr_corpus", "support_only", "in_domain", "shortcut_source", "shortcut")


def run(n: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Prepare n corpora and run the stages of their matrix: stage -> seconds and MB."""
    names, per_speaker = [f"c{i:02}" for i in range(n)], len(CLASSES) * PER_CLASS
    tables = [write_corpus(folder, name, SPEAKERS * per_speaker, per_speaker) for name in names]
    checkout, prepared = make_checkout(folder, tables)
    every = ",".join(names)
    options = ("--train", f"{every},others", "--test", every, "--methods", "logistic_regression")
    options += ("--features", "fbank_no_cmvn")
    measured("utils/new_recipe.sh", "matrix", *options, cwd=checkout)
    table = checkout / "egs" / "matrix" / "conf" / "runs.tsv"
    rows = [line for line in table.read_text().splitlines() if line.split("\t")[0] in ROWS]
    table.write_text("".join(f"{row}\n" for row in rows))
    return {"data_prep": prepared} | {
        stage: measured("egs/matrix/run.sh", "--stage", stage, "--stop_stage", stage, "--nj", "1", cwd=checkout)
        for stage in STAGES[1:]
    }


def main(sizes: list[int]) -> None:
    print("| corpora | directions | stage | seconds | peak MB |\n|---:|---:|---|---:|---:|")
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for stage, (seconds, peak_mb) in run(n, Path(folder)).items():
                print(f"| {n} | {n * n} | {stage} | {seconds:.1f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main([int(arg) for arg in sys.argv[1:]] or list(SIZES))
