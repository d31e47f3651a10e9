"""Extraction with a transformer of base size against s3prl's own way: one utterance at a time, fp32, two threads.

usage: python -m benchmarks.upstream_extraction [ROUNDS]

Models are s3prl's HuBERT base and WavLM base with random weights, audio is noise of the length of speech at 48 kHz.
Each side runs in a process of its own, all sides one after the other in every round; loading of packages and models
is not counted, reading and resampling of audio is.
"""

from __future__ import annotations

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
from ser import upstreams
from ser.audio import load
from ser.features.config import FeatureConfig
from ser.features.extract import _workers
from ser.kaldi_io import AudioPart

MODELS = {"hubert_local": hubert_base, "wavlm_local": wavlm_base}
NATIVE_HZ = 48_000
N_UTTS = 40
N_WARM = 4
THREADS = 2
CPU = torch.device("cpu")

Pooled = Iterator[np.ndarray]
"""A vector of the last hidden state's means for every utterance."""


def one_at_a_time(frames: Callable[[Tensor], Tensor], paths: Sequence[Path]) -> Pooled:
    """Extract in this process with two threads."""
    torch.set_num_threads(THREADS)
    return (frames(load(path))[-1].mean(0).numpy() for path in paths)


def ours(upstream: str, ckpt: str, precision: str, paths: Sequence[Path]) -> Pooled:
    """Extract as stage 3 does, in two processes of one thread."""
    config = FeatureConfig(upstream=upstream, ckpt=ckpt, precision=precision)
    items = [(path.stem, AudioPart(str(path))) for path in paths]
    with _workers(THREADS, "cpu") as mapped:
        yield from mapped(config, items[:N_WARM])
        yield from mapped(config, items[N_WARM:])


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


def with_int8(upstream: str, ckpt: str) -> Callable[[Tensor], Tensor]:
    """Round to bf16, and the feed-forward layers to int8."""
    encoder = upstreams.load_trainable(upstream, ckpt).eval().bfloat16().requires_grad_(False)
    for layer in encoder.encoder.layers:
        layer.fc1, layer.fc2 = DynamicInt8(layer.fc1), DynamicInt8(layer.fc2)

    @torch.no_grad()
    def frames(wav: Tensor) -> Tensor:
        x = encoder.front_end(wav).unsqueeze(0)
        return encoder(x, torch.tensor([x.shape[1]])).float()

    return frames


def autocast(upstream: str, ckpt: str) -> Callable[[Tensor], Tensor]:
    """Compute s3prl's own way under autocast."""
    return upstreams._autocast(upstreams.load(upstream, ckpt, None, CPU), CPU)


SIDES: dict[str, Callable[[str, str, Sequence[Path]], Pooled]] = {
    "s3prl, fp32, 2 threads": lambda u, c, p: one_at_a_time(upstreams.load(u, c, None, CPU), p),
    "s3prl, bf16 autocast, 2 threads": lambda u, c, p: one_at_a_time(autocast(u, c), p),
    "fp32, 2 processes": lambda u, c, p: ours(u, c, "fp32", p),
    "bf16 weights, 2 threads": lambda u, c, p: one_at_a_time(upstreams.load(u, c, None, CPU, "bf16"), p),
    "bf16 weights and int8 feed-forward, 2 threads": lambda u, c, p: one_at_a_time(with_int8(u, c), p),
    "bf16 weights, 2 processes": lambda u, c, p: ours(u, c, "bf16", p),
}
"""The first is the baseline, the last what `precision: auto` chooses on processors with bf16 instructions."""


def run_side(name: str, upstream: str, folder: Path) -> None:
    """Extract all utterances; leave vectors and seconds."""
    paths = sorted(folder.glob("*.wav"))
    vectors = SIDES[name](upstream, str(folder / f"{upstream}.pt"), paths[:N_WARM] + paths)
    for _ in range(N_WARM):
        next(vectors)
    started = time.perf_counter()
    found = np.stack(list(vectors))
    np.savez(folder / "found.npz", vectors=found, seconds=time.perf_counter() - started)


def write_audio(folder: Path) -> float:
    """Write utterances of 1 to 6 s; tell how long they are together."""
    rng = np.random.default_rng(0)
    total = 0
    for i in range(N_UTTS):
        n = int(NATIVE_HZ * np.clip(rng.lognormal(1.0, 0.35), 1, 6))
        soundfile.write(folder / f"u{i:02}.wav", 0.1 * rng.standard_normal(n), NATIVE_HZ)
        total += n
    return total / NATIVE_HZ


def main(n_rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = write_audio(folder)
        print("| model | way | audio s per s | ratio | smallest cosine |\n|---|---|---:|---:|---:|")
        for upstream, write in MODELS.items():
            write(folder / f"{upstream}.pt")
            rates: dict[str, list[float]] = {side: [] for side in SIDES}
            vectors = {}
            for _ in range(n_rounds):
                for side in SIDES:
                    command = [sys.executable, "-m", "benchmarks.upstream_extraction", side, upstream, name]
                    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                    with np.load(folder / "found.npz") as found:
                        rates[side].append(seconds / float(found["seconds"]))
                        vectors[side] = torch.from_numpy(found["vectors"])
            exact = vectors[next(iter(SIDES))]
            for side in SIDES:
                ratio = median(own / first for own, first in zip(rates[side], rates[next(iter(SIDES))], strict=True))
                cosine = torch.nn.functional.cosine_similarity(vectors[side], exact).min()
                row = (
                    upstream.removesuffix("_local"),
                    side,
                    f"{median(rates[side]):.1f}",
                    f"{ratio:.2f}",
                    f"{cosine:.5f}",
                )
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        run_side(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
