"""Adapting all support sets as one batched computation, against one after another in the same process.

usage: python benchmarks/batched_adaptation.py [N_MODELS]

All sides start from the same weights on the same random embeddings and take conf/methods/emofsl.yaml (50 steps of
L_EMOFSL) on one thread; seconds are the processor's, the best of two runs. `sequential` gives the batched code one
model at a time, `plain` is a loop over modules, each with its own torch.optim.Adam; ratios are their time by the
batched one. A prediction differs if another class wins by more than a tie within 1e-5. The second table is the grid
of a recipe: 3 methods (rows) x 6 folds x 3 shots x 20 draws, in two processes of one thread.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from torch.func import functional_call

from ser.config import load
from ser.methods import emofsl
from ser.nn import EmbeddingClassifier
from ser.system.devices import make_fabric
from ser.training.stacked import repeat, train_stacked

CONFIG = load(Path(__file__).parents[1] / "conf" / "methods" / "emofsl.yaml", emofsl.Config)
FABRIC = make_fabric("cpu")
DIMS = {"eGeMAPS (88)": 88, "fbank_no_cmvn (480)": 480, "byol_s (512)": 512, "large model (1024)": 1024}
CLASSES = 4
TIE = 1e-5


def main(n_models: int) -> None:
    torch.set_num_threads(1)
    adapt("emofsl", *make_task(8, 5, 2))  # warm up
    print("| input | k | batched s | sequential s | ratio | plain s | ratio | predictions that differ |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, dim in DIMS.items():
        for k in (5, 15):
            print(f"| {name} | {k} | {compare(dim, k, n_models)} |", flush=True)
    print("\n| input | seconds | of the processor, both processes |\n|---|---:|---:|")
    for name, dim in DIMS.items():
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
            rows = processes.map(adapt_row, [(kind, dim) for kind in ("btl", "fstl", "emofsl")])
            starts, ends, busy = zip(*rows, strict=True)
        print(f"| {name} | {max(ends) - min(starts):.0f} | {sum(busy):.0f} |", flush=True)


def make_task(dim, k, n_models):  # type: ignore[no-untyped-def]
    """Make initial weights, (E, ...) each, support sets (E, 4k, D) and classes (E, 4k)."""
    params = EmbeddingClassifier(dim, CONFIG.model.hidden, CLASSES, seed=1).state_dict()
    x = torch.randn(n_models, CLASSES * k, dim, generator=torch.Generator().manual_seed(1))
    y = torch.arange(CLASSES).repeat_interleave(k).repeat(n_models, 1)
    return repeat({name: value[None] for name, value in params.items()}, [0] * n_models), x, y


def compare(dim, k, n_models):  # type: ignore[no-untyped-def]
    params, x, y = make_task(dim, k, n_models)
    single = [
        ({name: v[i : i + 1] for name, v in params.items()}, x[i : i + 1], y[i : i + 1]) for i in range(n_models)
    ]
    sides = (
        lambda: adapt("emofsl", params, x, y),
        lambda: joined([adapt("emofsl", *task) for task in single]),
        lambda: joined([adapt_plainly(*task) for task in single]),
    )
    (batched, first), (sequential, second), (plain, third) = map(timed, sides)
    query = torch.randn(50, dim, generator=torch.Generator().manual_seed(2))
    scores, *others = (scores_of(trained, x, y, query) for trained in (first, second, third))
    differ = sum(n_different(scores, other) for other in others)
    return (
        f"{batched:.2f} | {sequential:.2f} | {sequential / batched:.1f} | {plain:.2f} | {plain / batched:.1f} "
        f"| {differ} of {2 * n_models * len(query)}"
    )


def timed(side):  # type: ignore[no-untyped-def]
    """Run twice, returning the fewer seconds and the trained weights."""
    seconds = []
    for _ in range(2):
        started = time.process_time()
        trained = side()
        seconds.append(time.process_time() - started)
    return min(seconds), trained


def joined(stacks):  # type: ignore[no-untyped-def]
    return {name: torch.cat([stack[name] for stack in stacks]) for name in stacks[0]}


def adapt(kind, params, x, y):  # type: ignore[no-untyped-def]
    model = emofsl._skeleton(params)
    return train_stacked(
        lambda params, x, y: emofsl.objective(CONFIG, kind, *functional_call(model, params, (x,)), y),
        params,
        (x, y),
        **CONFIG.adapt.model_dump(),
        fabric=FABRIC,
    )[0]


def adapt_plainly(params, x, y):  # type: ignore[no-untyped-def]
    model = EmbeddingClassifier(x.shape[2], CONFIG.model.hidden, CLASSES, seed=1)
    model.load_state_dict({name: value[0] for name, value in params.items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=CONFIG.adapt.lr)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, CONFIG.adapt.lr_decay)
    for _ in range(CONFIG.adapt.epochs):
        optimizer.zero_grad()
        emofsl.objective(CONFIG, "emofsl", *model(x[0]), y[0]).backward()
        optimizer.step()
        decay.step()
    return {name: value[None] for name, value in model.state_dict().items()}


def adapt_row(row):  # type: ignore[no-untyped-def]
    """Adapt one method to all support sets, as a row of a recipe does; return start, end and the processor's time."""
    torch.set_num_threads(1)
    started, busy = time.time(), time.process_time()
    kind, dim = row
    for k in (5, 10, 15):
        adapt(kind, *make_task(dim, k, n_models=6 * 20))
    return started, time.time(), time.process_time() - busy


@torch.no_grad()
def scores_of(params, x, y, query):  # type: ignore[no-untyped-def]
    """Score queries (n, D) under every model, (E, n, C)."""
    models = [{name: value[i] for name, value in params.items()} for i in range(len(x))]
    return torch.stack([emofsl._scores(CONFIG, *own) for own in zip(models, [query] * len(x), x, y, strict=True)])


def n_different(a, b):  # type: ignore[no-untyped-def]
    """Count predictions that differ by more than a tie, by either side's scores."""
    i, j = a.argmax(-1, keepdim=True), b.argmax(-1, keepdim=True)
    lead = torch.maximum(a.gather(-1, i) - a.gather(-1, j), b.gather(-1, j) - b.gather(-1, i))
    return int((lead > TIE).sum())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
