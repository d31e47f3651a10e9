"""Show after how many steps the network of Gao et al. 2022 leaves chance on spectrograms of real speech.

usage: python -m benchmarks.spectrogram_schedule DATA_DIR DUMP_DIR       both of EMO-DB, from stages 1 and 3

Binary arousal, batches of 32, one seed; eight speakers are trained on, and 03 and 08 are scored. Prints their UAR in
per cent by step for three sizes of the network, and the seconds of one core that a step takes. The two speakers are
tested in the open twins: what is chosen from this table has seen them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

from ser.config import load
from ser.data.data_dir import read_data_dir
from ser.features.frames import Frames
from ser.methods import difl
from ser.metrics.classification import uar
from ser.splits.lists import Split
from ser.system.devices import make_fabric
from ser.training.frames import FrameStore
from ser.training.run_data import RunData

CONF = Path(__file__).parents[1] / "conf" / "methods"
SIZES = {(32, 64): 256, (16, 32): 128, (8, 16): 64}
"""Maps of the convolutions -> units of the BLSTM in each direction."""

HIGH, HELD_OUT = ("angry", "fearful", "happy"), ("emodb-03", "emodb-08")
STEPS, EVERY, SEED = 50, 10, 1


def main(data_dir: Path, dump_dir: Path) -> None:
    torch.set_num_threads(1)
    data = _data(data_dir, dump_dir)
    shown = range(EVERY, STEPS + 1, EVERY)
    print(f"| maps | BLSTM | {' | '.join(f'step {step}' for step in shown)} | s per step |")
    print("|---|---:|" + "---:|" * (len(shown) + 1))
    for maps, units in SIZES.items():
        settings = [f"model.conv_maps={list(maps)}", f"model.blstm_units={units}"]
        found, spent = _curve(load(CONF / "difl_spectrogram.yaml", difl.Config, settings), data)
        print(f"| {', '.join(map(str, maps))} | {units} | {' | '.join(f'{100 * one:.1f}' for one in found)} | "
              f"{spent:.2f} |", flush=True)  # fmt: skip


def _data(data_dir: Path, dump_dir: Path) -> RunData:
    said = read_data_dir(data_dir)
    label_of = {one.utt_id: "high" if one.emotion in HIGH else "low" for one in said}
    speaker_of = {one.utt_id: one.speaker for one in said}
    test = {utt: name for utt, name in label_of.items() if speaker_of[utt] in HELD_OUT}
    train = {utt: name for utt, name in label_of.items() if utt not in test}
    factors = {"corpus": dict.fromkeys(label_of, "emodb"), "speaker": speaker_of, "gender": {}, "language": {}}
    none = np.empty((len(said), 0), np.float32)
    split = Split("emodb", train, test, [], {})
    return RunData(list(label_of), none, list(speaker_of.values()), [split], ["high", "low"], factors,
                   Frames.of([dump_dir]))  # fmt: skip


def _curve(config: difl.Config, data: RunData) -> tuple[list[float], float]:
    """Train, and give the UAR of the held-out speakers after every few steps, and the seconds of a step."""
    (split,), spent, found = data.splits, 0.0, []
    training = difl._Training.of_split(
        make_fabric("cpu", config.precision), config, data, FrameStore(data.frames), split, SEED
    )
    for step in range(1, STEPS + 1):
        training.model.train()
        started = time.process_time()
        epoch, number = divmod(step - 1, training.batches.n_batches)
        training._step(training._batch(epoch, number), epoch, number)
        spent += time.process_time() - started
        if step % EVERY == 0:
            scored = difl.apply(training.fabric, training.model, training.input, list(split.dev), config.unit)
            found.append(uar(training.dev_y, scored.posteriors.argmax(1).numpy()))
    return found, spent / STEPS


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
