"""Stage one of Xiang on a model of the size of HuBERT base, random weights: seconds a step, and memory at its peak.

usage: python -m benchmarks.supcon_stage_one [STEPS [MICRO_BATCH_SECONDS [LONGEST_SECONDS]]]  on a GPU if there is one

N = 32 utterances of a third of the longest to the longest (noise; what they hold changes neither). Steps are whole:
two passes over micro-batches, loss over all 32, clipping, Adam with both rates. Memory is the
process' (CPU) or the device's.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.base_models import hubert_base
from ser.config import load
from ser.data.audio import RATE_HZ
from ser.data.data_dir import AudioPart
from ser.features.config import FeatureConfig
from ser.methods.supcon import Network, stage_one
from ser.methods.supcon_finetune import AudioBase, Config
from ser.nn import SelfAttentionPooling
from ser.system.devices import make_fabric
from ser.training.run_data import RunData
from ser.training.trainer import Trainer, trainable

CONF = Path(__file__).parents[1] / "conf" / "methods" / "supcon_finetune.yaml"
CLASSES = ("angry", "happy", "neutral", "sad")


COLUMNS = ("device", "precision", "tuning", "checkpointing", "steps", "seconds a step", "peak GB")
ON_GPU = [("fp32", "full", "false"), ("bf16", "full", "false"), ("bf16", "full", "true"), ("bf16", "lora", "false")]


def main(n_steps: int, micro_batch_seconds: float, longest: float) -> None:
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        torch.set_num_threads(2)
    device = torch.cuda.get_device_name() if on_gpu else "CPU, 2 threads"
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder), longest)
        for precision, tuning, checkpointing in ON_GPU if on_gpu else ON_GPU[1::-1]:
            settings = [
                f"precision={precision}",
                f"encoder.tuning={tuning}",
                f"encoder.checkpointing={checkpointing}",
            ]
            settings += [f"micro_batch_seconds={micro_batch_seconds}", f"stage_one.steps_per_epoch={n_steps}"]
            seconds, peak = measure(load(CONF, Config, [*settings, "stage_one.epochs=1"]), data, n_steps)
            row = (device, precision, tuning, checkpointing, str(n_steps), f"{seconds:.2f}", f"{peak:.1f}")
            print(f"| {' | '.join(row)} |", flush=True)


def make_data(folder: Path, longest: float) -> RunData:
    """Write a checkpoint in s3prl's format, and 64 utterances of two corpora."""
    hubert_base(folder / "base.pt")
    rng, audio = np.random.default_rng(0), {}
    for corpus in ("one", "two"):
        for i in range(32):
            utt = f"{corpus}-{i % 4}-{CLASSES[i % 4]}{i}"
            soundfile.write(
                folder / f"{utt}.wav",
                0.1 * rng.normal(size=int(rng.uniform(longest / 3, longest) * RATE_HZ)),
                RATE_HZ,
            )
            audio[utt] = AudioPart(str(folder / f"{utt}.wav"))
    encoder = FeatureConfig(upstream="hubert_local", ckpt=str(folder / "base.pt"), pooling="none")
    return RunData(list(audio), np.empty((len(audio), 0), np.float32), [], [], CLASSES, audio=audio, encoder=encoder)


def measure(config: Config, data: RunData, n_steps: int) -> tuple[float, float]:
    """Train some steps; seconds of one without loading and front end, and peak memory in GB."""
    base = AudioBase(make_fabric("auto", config.precision), config, data, 1, shared=False)
    encoder = base.encoder({})
    network = base.fabric.to_device(Network(encoder, SelfAttentionPooling(encoder.dim)))
    trainer = Trainer(base.fabric, network, base.frames(), config.micro_batch_seconds, False)
    for utt in data.audio:
        base.frames().of(utt, None)
    n = sum(p.numel() for p in trainable(network).values())
    print(f"<!-- {n / 1e6:.1f} M of {sum(p.numel() for p in network.parameters()) / 1e6:.1f} M parameters move -->")
    labelled = {utt: CLASSES[int(utt.split("-")[1])] for utt in data.audio}
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    started = time.monotonic()
    stage_one(trainer, config, base, labelled, 1, None)
    seconds = (time.monotonic() - started) / n_steps
    if torch.cuda.is_available():
        return seconds, torch.cuda.max_memory_allocated() / 1e9
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    given = [float(arg) for arg in sys.argv[1:]]
    n_steps, micro_batch_seconds, longest = given + [20, 20.0, 3.0][len(given) :]
    main(int(n_steps), micro_batch_seconds, longest)
