"""The stages of a recipe in this process, with run.sh's command lines: a process of its own begins with imports.

`tests/recipes/test_stages.py` holds these command lines against the logs of run.sh.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

from matplotlib.figure import Figure

from ser.results import figures
from ser.results.figures import write_figure

Command = tuple[str, list[str], Path | None]
"""Module, arguments, and the list of jobs without which it is not called."""


def commands(folder: Path, finetune: str = "false") -> Iterator[Command]:
    """List what run.sh calls for a recipe on miniature corpora, jobs in one part.

    Args:
        folder: of the recipe.
        finetune: run.sh's option.
    """
    root, exp = folder.parents[1], folder / "exp_mini"
    data, splits = f"{root}/data_mini", f"{exp}/splits"
    own = ["--recipe", str(folder), "--data", data]
    shared = [*own, "--dump", f"{root}/dump_mini", "--splits", splits, "--exp", str(exp), "--features", "", "--mini",
              "true", "--finetune", finetune, "--rows", "", "--tasks", "", "--seeds", "",
              "--keep_weights", ""]  # fmt: skip

    def jobs(kind: str, *workers: str) -> Command:
        of_kind = exp / f"jobs_{kind}.tsv"
        parts = [*workers, "--jobs", str(of_kind), "--part", "1/1"]
        return "features" if workers else "train", ["run", *shared, "--device", "auto", *parts], of_kind

    yield "data_prep", [*own, "--db_root", f"{data}/corpora", "--mini", "true", "--features", "",
                        "--allow_partial", "false"], None  # fmt: skip
    yield "make_splits", ["--config", f"{folder}/conf/recipe.yaml", "--data", data, "--mini", "true", splits], None
    yield "features", ["plan", *shared], None
    yield jobs("features", "--nj", "1")
    yield "train", ["plan", *shared, "--device", "auto", "--nj", "1", "--costs", "new"], None
    yield jobs("train")
    yield jobs("gpu")
    yield jobs("finetune")
    yield "score", [*shared, "--device", "auto", "--nj", "1"], None
    yield "results", [*shared, "--out", f"{exp}/RESULTS.md"], None


class Sketches:
    """Draw the first figure of each kind, and build the others without drawing them: that takes half of stage 6.

    A recipe that is run by its script draws all.
    """

    def __init__(self):
        self.drawn = set()

    def __call__(self, figure: Figure, path: Path) -> None:
        kind = sys._getframe(1).f_code.co_name
        write_figure(Figure(figsize=(0.1, 0.1)) if kind in self.drawn else figure, path)
        self.drawn.add(kind)


def run(folder: Path, finetune: str) -> None:
    """Run all stages; arguments as for `commands`."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # A copy of the repository is no git checkout, but this process' is.
        with mock.patch.dict(os.environ, GIT_DIR=os.devnull), mock.patch.object(figures, "write_figure", Sketches()):
            for module, arguments, jobs in commands(folder, finetune):
                if jobs is None or jobs.exists():
                    import_module(f"ser.bin.{module}").main(arguments)
                    if jobs is not None:
                        jobs.unlink()
    finally:
        torch.set_num_threads(n_threads)
