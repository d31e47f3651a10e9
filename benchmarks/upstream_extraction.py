"""Extraction with a transformer of base size against s3prl's own way: one utterance at a time in fp32.

usage: python -m benchmarks.upstream_extraction [ROUNDS]

On a GPU if there is one, else on two cores. Models are s3prl's HuBERT base and WavLM base with random weights, audio
is noise of the length of speech at 48 kHz. Each side runs in a process of its own, all sides one after the other in
every round; loading of packages and models is not counted, reading and resampling of audio is. `of the rate` is the
share of the processor's or the card's rate of multiplying matrices in bf16, measured in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from benchmarks.base_models import hubert_base, wavlm_base
from ser.data.audio import load
from ser.data.data_dir import AudioPart
from ser.features import encoders
from ser.features.compute import workers
from ser.features.config import FeatureConfig
from ser.features.encoders import base, s3prl

MODELS = {"hubert_local": hubert_base, "wavlm_local": wavlm_base}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
N_UTTS, N_WARM = {"cpu": (100, 20), "cuda": (2000, 256)}[DEVICE]
CORES = {"cpu": 2, "cuda": os.cpu_count()}[DEVICE]
NATIVE_HZ = 48_000
GFLOP_PER_SECOND = 14.2
"""Of a base model, for a second of audio."""

Pooled = Iterator[np.ndarray]
"""A vector of the last hidden state's means for every utterance."""

Frames = Callable[[Tensor], Tensor]


def one_at_a_time(frames: Frames, paths: Sequence[Path]) -> Pooled:
    """Extract in this process, on a CPU with two threads."""
    torch.set_num_threads(CORES)
    return (frames(load(path))[-1].mean(0).cpu().numpy() for path in paths)


def ours(upstream: str, ckpt: str, precision: str, paths: Sequence[Path]) -> Pooled:
    """Extract as stage 3 does."""
    config = FeatureConfig(upstream=upstream, ckpt=ckpt, precision=precision)
    items = [(path.stem, AudioPart(str(path))) for path in paths]
    with workers(CORES, DEVICE) as mapped:
        yield from mapped(config, items[:N_WARM])
        yield from mapped(config, items[N_WARM:])


def s3prls_own(upstream: str, ckpt: str) -> Frames:
    """Load a model as s3prl computes it."""
    device = torch.device(DEVICE)
    return s3prl._frames(s3prl._expert(upstream, ckpt).eval().to(device), device)


def autocast(upstream: str, ckpt: str) -> Frames:
    """Compute s3prl's own way under autocast."""
    return base.autocast(s3prls_own(upstream, ckpt), torch.device(DEVICE))


def rounded(upstream: str, ckpt: str) -> Frames:
    """Compute with s3prl's modules, and weights in bf16."""
    encoder = encoders.load_trainable(upstream, ckpt).eval().bfloat16().requires_grad_(False)

    @torch.no_grad()
    def frames(wav: Tensor) -> Tensor:
        x = encoder.front_end(wav).unsqueeze(0)
        return encoder(x, torch.tensor([x.shape[1]])).float()

    return frames


class DynamicInt8(nn.Module):
    """A linear layer whose products are of int8, with a scale per output and one per call."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        from torch.ao.nn.quantized.dynamic import Linear

        torch.backends.quantized.engine = "onednn"
        linear.qconfig = torch.ao.quantization.per_channel_dynamic_qconfig
        self.linear = Linear.from_float(linear.float())

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.float()).to(x.dtype)


def with_int8(upstream: str, ckpt: str) -> Frames:
    """Round to bf16, and the feed-forward layers to int8."""
    own = encoders.load(upstream, ckpt, None, torch.device("cpu"), "bf16")
    for layer in own._encoder.encoder.layers:
        layer.fc1, layer.fc2 = DynamicInt8(layer.fc1), DynamicInt8(layer.fc2)
    return own


def bf16(upstream: str, ckpt: str) -> Frames:
    return encoders.load(upstream, ckpt, None, torch.device(DEVICE), "bf16")


SIDES: dict[str, Callable[[str, str, Sequence[Path]], Pooled]] = {
    "cpu": {
        "s3prl, fp32, 2 threads": lambda u, c, p: one_at_a_time(s3prls_own(u, c), p),
        "s3prl, bf16 autocast, 2 threads": lambda u, c, p: one_at_a_time(autocast(u, c), p),
        "s3prl, bf16 weights, 2 threads": lambda u, c, p: one_at_a_time(rounded(u, c), p),
        "fp32, 2 processes": lambda u, c, p: ours(u, c, "fp32", p),
        "bf16, 2 threads": lambda u, c, p: one_at_a_time(bf16(u, c), p),
        "bf16 and int8 feed-forward, 2 threads": lambda u, c, p: one_at_a_time(with_int8(u, c), p),
        "bf16, 2 processes": lambda u, c, p: ours(u, c, "bf16", p),
    },
    "cuda": {
        "s3prl, fp32, one at a time": lambda u, c, p: one_at_a_time(s3prls_own(u, c), p),
        "s3prl, bf16 autocast, one at a time": lambda u, c, p: one_at_a_time(autocast(u, c), p),
        "bf16, one at a time": lambda u, c, p: one_at_a_time(bf16(u, c), p),
        "fp32, batches": lambda u, c, p: ours(u, c, "fp32", p),
        "bf16, batches": lambda u, c, p: ours(u, c, "bf16", p),
    },
}[DEVICE]
"""The first is the baseline, the last what `precision: auto` chooses where there are bf16 instructions."""


def run_side(name: str, upstream: str, folder: Path) -> None:
    """Extract all utterances; leave vectors and seconds."""
    paths = sorted(folder.glob("*.wav"))
    vectors = SIDES[name](upstream, str(folder / f"{upstream}.pt"), paths[:N_WARM] + paths)
    for _ in range(N_WARM):
        next(vectors)
    started = time.perf_counter()
    found = np.stack(list(vectors))
    np.savez(folder / "found.npz", vectors=found, seconds=time.perf_counter() - started)


def matrix_rate() -> float:
    """Measure the GFLOP/s of bf16 products of the shape of a base model's, in as many processes as extraction has."""
    code = (
        "import sys, time, torch\n"
        "torch.set_num_threads(1)\n"
        "n = 16_384 if sys.argv[1] == 'cuda' else 512\n"
        "x, w = (torch.ones(rows, 3072, device=sys.argv[1], dtype=torch.bfloat16) for rows in (n, 768))\n"
        "(x @ w.T).cpu()\n"
        "started = time.perf_counter()\n"
        "for _ in range(n_products := 300):\n"
        "    y = x @ w.T\n"
        "y.cpu()\n"
        "print(2e-9 * n_products * n * 3072 * 768 / (time.perf_counter() - started))\n"
    )
    command = [sys.executable, "-c", code, DEVICE]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2 if DEVICE == "cpu" else 1)]
    return sum(float(process.communicate()[0]) for process in processes)


def write_audio(folder: Path) -> float:
    """Write utterances of 1 to 6 s; tell how long they are together."""
    rng = np.random.default_rng(0)
    total = 0
    for i in range(N_UTTS):
        n = int(NATIVE_HZ * np.clip(rng.lognormal(1.0, 0.35), 1, 6))
        soundfile.write(folder / f"u{i:04}.wav", 0.1 * rng.standard_normal(n), NATIVE_HZ)
        total += n
    return total / NATIVE_HZ


def main(n_rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = write_audio(folder)
        print(
            "| model | way | audio s per s | ratio | of the rate | smallest cosine |\n|---|---|---:|---:|---:|---:|"
        )
        for upstream, write in MODELS.items():
            write(folder / f"{upstream}.pt")
            rates: dict[str, list[float]] = {side: [] for side in SIDES}
            limits: list[float] = []
            vectors = {}
            for _ in range(n_rounds):
                limits.append(matrix_rate() / GFLOP_PER_SECOND)
                for side in SIDES:
                    command = [sys.executable, "-m", "benchmarks.upstream_extraction", side, upstream, name]
                    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                    with np.load(folder / "found.npz") as found:
                        rates[side].append(seconds / float(found["seconds"]))
                        vectors[side] = torch.from_numpy(found["vectors"])
            print(f"| | {median(limits) * GFLOP_PER_SECOND:.0f} GFLOP/s in bf16 | {median(limits):.0f} | | 100% | |")
            exact = vectors[next(iter(SIDES))]
            for side in SIDES:
                ratio = median(own / first for own, first in zip(rates[side], rates[next(iter(SIDES))], strict=True))
                cosine = torch.nn.functional.cosine_similarity(vectors[side], exact).min()
                row = (
                    upstream.removesuffix("_local"),
                    side,
                    f"{median(rates[side]):.1f}",
                    f"{ratio:.2f}",
                    f"{median(rates[side]) / median(limits):.0%}",
                    f"{cosine:.5f}",
                )
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        run_side(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
