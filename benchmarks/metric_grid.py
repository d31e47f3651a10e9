"""The training grid of a table of Das et al. as one batched computation, against one model after another.

usage: python -m benchmarks.metric_grid [N_UTTERANCES]

Three models (Unsupervised, Metric-act, Metric-val) x 5 folds x 5 seeds with the settings of
conf/methods/continuous_metric.yaml on as many random utterances as IEMOCAP has in four classes (4,490), in two
processes of one thread, as a recipe shares its rows out. `one after another` is PyTorch's own loop, a module and an
optimizer each, of one fold and seed of the three models, times 25. Seconds of the processor say what it costs,
seconds of the clock are those of this machine with what else runs on it.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from ser.config import load
from ser.losses import ContinuousMetricLoss
from ser.methods.continuous_metric import Config, train_together
from ser.nn import DenoisingAutoencoder
from ser.splits.lists import Split
from ser.training.run_data import RunData

CONF = Path(__file__).parents[1] / "conf" / "methods" / "continuous_metric.yaml"
METRICS = ("none", "activation", "valence")
CLASSES = ["angry", "happy", "neutral", "sad"]
FOLDS, SEEDS = 5, 5


def main(n: int) -> None:
    print("| side | seconds of the processor | of the clock |\n|---|---:|---:|")
    runs = [(metric, seed) for seed in range(1, SEEDS + 1) for metric in METRICS]
    started = time.time()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        parts = [(n, runs[i::2]) for i in range(2)]
        busy, starts, ends = zip(*processes.map(batched, parts), strict=True)
    together = sum(busy)
    print(f"| batched, {len(runs) * FOLDS} models, two processes | {together:.0f} | {max(ends) - min(starts):.0f} |")
    started, busy_before = time.time(), time.process_time()
    torch.set_num_threads(1)
    for metric in METRICS:
        train_plainly(run_data(n), config(metric))
    alone = FOLDS * SEEDS * (time.process_time() - busy_before)
    print(f"| one after another, 3 models times 25 | {alone:.0f} | {FOLDS * SEEDS * (time.time() - started):.0f} |")
    print(f"\nratio of the processor's seconds: {alone / together:.1f}")


def config(metric: str) -> Config:
    values = load(CONF, Config).model_dump()
    return Config(**values | {"loss": values["loss"] | {"metric": metric}})


def run_data(n: int) -> RunData:
    """Random features of IEMOCAP's size in five folds."""
    generator = torch.Generator().manual_seed(1)
    utts = [f"corpus-{i % 10}-{i}" for i in range(n)]
    label = {utt: CLASSES[i % 4] for i, utt in enumerate(utts)}
    folds = [{utt: label[utt] for i, utt in enumerate(utts) if i % FOLDS != fold} for fold in range(FOLDS)]
    ratings = {
        rating: dict(zip(utts, (torch.randint(2, 11, (n,), generator=generator) / 2).tolist(), strict=True))
        for rating in METRICS[1:]
    }
    x = torch.randn(n, 88, generator=generator).numpy()
    splits = [Split(f"fold{i}", fold, {}, [], {}) for i, fold in enumerate(folds, start=1)]
    return RunData(utts, x, ["corpus-0"] * n, splits, CLASSES, ratings=ratings)


def batched(part):  # type: ignore[no-untyped-def]
    """Train some rows and seeds; return the processor's time, start and end. Classifiers are not counted."""
    n, runs = part
    torch.set_num_threads(1)
    from ser.methods import continuous_metric

    continuous_metric._finished = lambda config, models, trained, data: (trained, [])
    data = run_data(n)
    started, busy = time.time(), time.process_time()
    train_together([(config(metric), seed) for metric, seed in runs], data, "cpu")
    return time.process_time() - busy, started, time.time()


def train_plainly(data: RunData, c: Config) -> None:
    """Train one model on the first fold, as one would without batching."""
    split = data.splits[0]
    x = torch.from_numpy(data.normalized(split, "source")[data.rows(split.train)])
    labels = (
        torch.tensor([data.ratings[c.loss.metric][utt] for utt in split.train]) if c.loss.metric != "none" else None
    )
    model = DenoisingAutoencoder(seed=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=c.optimizer.lr)
    metric = ContinuousMetricLoss(c.loss.distance, c.loss.pairs, c.loss.divide_by_dim)
    for _ in range(c.optimizer.epochs):
        for rows in torch.randperm(len(x)).split(c.optimizer.batch_size):
            clean = x[rows]
            z, decoded = model(clean + c.model.noise * torch.randn_like(clean))
            loss = (decoded - clean).square().mean()
            if labels is not None:
                loss = loss + metric(z, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4490)
