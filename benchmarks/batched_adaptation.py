"""Adapting all support sets as one batched computation, against one after another in the same process.

usage: python benchmarks/batched_adaptation.py [N_MODELS]

Both sides start from the same weights on the same random embeddings (L_EMOFSL, k = 5, 50 steps, one thread) and end
in the same predictions. Prints a table; `ratio` is sequential time by batched time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from ser.config import load
from ser.devices import make_fabric
from ser.methods import emofsl
from ser.nn import EmbeddingClassifier
from ser.training.stacked import repeat, train_stacked

DIMS = {"eGeMAPS (88)": 88, "fbank_no_cmvn (480)": 480, "byol_s (512)": 512, "base model, mean+std (1536)": 1536}


def main(n_models: int) -> None:
    torch.set_num_threads(1)
    config = load(Path(__file__).parents[1] / "conf" / "methods" / "emofsl.yaml", emofsl.Config)
    print("| input | batched s | sequential s | ratio | predictions that differ |\n|---|---:|---:|---:|---:|")
    for name, dim in DIMS.items():
        generator = torch.Generator().manual_seed(1)
        model = EmbeddingClassifier(dim, config.model.hidden, 4, seed=1)
        params = repeat({k: v.detach().unsqueeze(0) for k, v in model.named_parameters()}, [0] * n_models)
        x = torch.randn(n_models, 20, dim, generator=generator)
        y = torch.arange(4).repeat_interleave(5).expand(n_models, 20)
        both = [_timed(config, model, params, x, y, size) for size in (n_models, 1)]
        query = torch.randn(50, dim, generator=generator)
        differ = sum(
            not torch.equal(*(_predict(config, side, i, query, x[i], y[i]) for _, side in both))
            for i in range(n_models)
        )
        (batched, _), (alone, _) = both
        print(
            f"| {name} | {batched:.2f} | {alone:.2f} | {alone / batched:.1f} | {differ} of {n_models} |", flush=True
        )


def _timed(config, model, params, x, y, size):  # type: ignore[no-untyped-def]
    """Train in groups of `size`, returning seconds and weights."""
    fabric = make_fabric("cpu")
    started = time.perf_counter()
    parts = []
    for start in range(0, len(x), size):
        part = slice(start, start + size)
        trained, _ = train_stacked(
            lambda p, x, y: emofsl.objective(config, model, p, x, y),
            {name: value[part] for name, value in params.items()},
            (x[part], y[part]),
            steps=config.adapt.steps,
            lr=config.adapt.lr,
            lr_decay=config.adapt.lr_decay,
            fabric=fabric,
        )
        parts.append(trained)
    return time.perf_counter() - started, {name: torch.cat([p[name] for p in parts]) for name in params}


@torch.no_grad()
def _predict(config, params, i, query, support, y):  # type: ignore[no-untyped-def]
    own = {name: value[i] for name, value in params.items()}
    return emofsl._scores(config, own, query, support, y).argmax(1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
