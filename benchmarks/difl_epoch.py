"""Where an epoch of domain-adversarial training on spectrograms goes, and how its memory grows with utterances.

usage: python -m benchmarks.difl_epoch        from the root of the repository

Noise in the shape of spectrogram segments, 12 an utterance (3 s). First one batch of the default network (DANN_2 with
center loss) is parted into its work; then trainings on more and more utterances run in processes of their own, with a
small network over all of them and two batches of the default one.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import kaldiio
import numpy as np
import torch

from ser.config import load
from ser.data.maps import write_map
from ser.features.frames import Frames
from ser.methods import difl
from ser.methods.base import Job
from ser.nn.cnn_blstm import SegmentCnn
from ser.splits.lists import Split
from ser.system.files import write_json
from ser.training.frames import FrameStore
from ser.training.run_data import RunData

YAML = Path(__file__).parents[1] / "conf" / "methods" / "difl.yaml"
DANN_2 = ["domains=[gender,language,corpus]", "target_audio=unlabelled", "loss.center=true"]
SEGMENTS = 12
BATCH = 32
SIZES = (1000, 2500, 5000, 10_000)

CHILD = """
import resource, sys, time
from pathlib import Path
from benchmarks import difl_epoch
started = time.perf_counter()
difl_epoch.train_on(Path(sys.argv[1]), int(sys.argv[2]))
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def write_noise(folder: Path, n: int) -> None:
    """Write an archive of n utterances of two corpora."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(SEGMENTS + 16, 32 * 129)).astype(np.float32)
    lengths = {}
    with kaldiio.WriteHelper(f"ark,scp:{folder}/feats.ark,{folder}/feats.scp") as write:
        for i in range(n):
            utt = f"{'ab'[i % 2]}-{i % 20:02}-{i:06}"
            write(utt, noise[i % 16 :][:SEGMENTS])
            lengths[utt] = SEGMENTS
    write_map(folder / "utt2num_frames", lengths)
    write_json(folder / "feats.json", {"frame_shape": [32, 129]})


def data_of(folder: Path) -> RunData:
    """Open it, corpus a as the labelled source, b as the target."""
    frames = Frames.of([folder])
    factors = {
        "speaker": {utt: utt[:4] for utt in frames},
        "gender": {utt: "fm"[int(utt[3]) // 5] for utt in frames},
        "language": {utt: utt[0] for utt in frames},
        "corpus": {utt: utt[0] for utt in frames},
    }
    label = {utt: ["high", "low"][int(utt[-2]) % 2] for utt in frames}
    source = [utt for utt in frames if utt[0] == "a"]
    train, dev = ({utt: label[utt] for utt in source if (utt[:4] == "a-00") == is_dev} for is_dev in (False, True))
    target = [utt for utt in frames if utt[0] == "b"]
    split = Split("all", train, dev, target, {})
    return RunData(list(label), np.empty((len(label), 0), np.float32), [], [split], ["high", "low"], factors, frames)


def train_on(folder: Path, n_threads: int) -> None:
    """Go over all utterances with the small network, and take two steps of the default one at its batch size."""
    torch.set_num_threads(n_threads)
    data = data_of(folder)
    small = load(YAML, difl.Config, [*DANN_2, "epochs=1", "batch_size=64"], mini=True)
    with tempfile.TemporaryDirectory() as scratch:
        difl.train(small, data, 1, None, Job("cpu", Path(scratch)))
    training = _training(load(YAML, difl.Config, DANN_2), data)
    for number in range(2):
        training._step(training._batch(0, number), 0, number)


def _training(config: difl.Config, data: RunData) -> difl._Training:
    fabric = difl.make_fabric("cpu", config.precision)
    training = difl._Training.of_split(fabric, config, data, FrameStore(data.frames), data.splits[0], 1)
    training.model.train()
    return training


def _seconds(work: Callable[[], object], n: int = 5) -> float:
    """Take the processor's seconds of the fastest of some runs, after one that does not count."""
    work()
    times = []
    for _ in range(n):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def parts_of_a_step(data: RunData, precision: str) -> dict[str, float]:
    """Time a step, and the parts of it that can run alone."""
    config = load(YAML, difl.Config, [*DANN_2, f"precision={precision}", f"batch_size={BATCH}"])
    training = _training(config, data)
    batch = training._batch(0, 0)
    c = config.model
    cnn = SegmentCnn((32, 129), c.conv_maps, c.kernel, c.pool, c.segment_dim)
    segments = batch.x.flatten(0, 1)

    def convolve() -> None:
        with training.fabric.autocast():
            loss = cnn(segments).sum()
        loss.backward()

    found = {"reading": _seconds(lambda: training._batch(0, 0)), "CNN": _seconds(convolve)}
    found["BLSTM, heads, Adadelta"] = _seconds(lambda: training._step(batch, 0, 0)) - found["CNN"]
    return found


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_noise(Path(folder), 200)
        data = data_of(Path(folder))
        print(f"{BATCH} utterances, {BATCH * SEGMENTS} segments, one thread\n")
        print("| | fp32 s | % | bf16 s | % |\n|---|---:|---:|---:|---:|")
        both = [parts_of_a_step(data, precision) for precision in ("fp32", "bf16")]
        for part in both[0]:
            cells = (f"{of[part]:.3f} | {100 * of[part] / sum(of.values()):.0f}" for of in both)
            print(f"| {part} | {' | '.join(cells)} |", flush=True)
    print("\n| utterances | archive MB | seconds | ratio | peak MB |\n|---:|---:|---:|---:|---:|")
    first = None
    for n in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_noise(Path(folder), n)
            size = (Path(folder) / "feats.ark").stat().st_size / 2**20
            command = [sys.executable, "-c", CHILD, folder, "1"]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds, peak_mb = map(float, out.splitlines()[-1].split())
        first = first or seconds / n
        print(f"| {n} | {size:.0f} | {seconds:.1f} | {seconds / n / first:.2f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main()
