"""Choose steps and learning rate of the frozen variant where no reported test set is touched.

usage: python benchmarks/frozen_schedule.py DATA_DIR DUMP_DIR       both of RAVDESS, from stages 1 and 3

Emotions outside the four classes (disgusted, fearful, surprised) are never tested by a few-shot recipe. RAVDESS'
men are the source, its women the target, in six folds of two; k = 5, ten draws. Prints UAR in per cent of BTL and
FSTL for each learning rate (rows) and number of steps (columns).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from ser.config import load
from ser.data.data_dir import read_data_dir
from ser.features.extract import read_features
from ser.methods import emofsl
from ser.methods.base import Job
from ser.scoring.score import by_shots, metrics, predictions_table
from ser.splits.folds import FoldRule
from ser.splits.protocols.few_shot import FewShotProtocol
from ser.training.run_data import RunData

EMOTIONS = ("disgusted", "fearful", "surprised")
RATES = (1e-4, 3e-4, 1e-3, 3e-3)
STEPS = (10, 20, 50, 100, 200)
JOB = Job("cpu", Path())


def main(data_dir: Path, dump_dir: Path) -> None:
    torch.set_num_threads(1)
    data = _data(data_dir, dump_dir)
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    config = load(Path(__file__).parents[1] / "conf" / "methods" / "emofsl.yaml", emofsl.Config)
    source = emofsl.train(config.model_copy(update={"objective": "source_only"}), data, 1, None, JOB)[0]
    for objective in ("btl", "fstl"):
        print(f"{objective:>8}" + "".join(f"{steps:>8}" for steps in STEPS))
        for lr in RATES:
            print(f"{lr:>8.0e}", end="")
            for steps in STEPS:
                adapt = config.adapt.model_copy(update={"lr": lr, "epochs": steps})
                row = config.model_copy(update={"objective": objective, "adapt": adapt})
                state, _ = emofsl.train(row, data, 1, source, JOB)
                table = predictions_table(emofsl.predict(row, data, state, "cpu"), data)
                print(
                    f"{100 * metrics(by_shots(table), data.classes, speaker_of)['5']['uar']:>8.1f}",
                    end="",
                    flush=True,
                )
            print()


def _data(data_dir: Path, dump_dir: Path) -> RunData:
    utterances = [u for u in read_data_dir(data_dir) if u.emotion in EMOTIONS]
    protocol = FewShotProtocol(
        protocol="few_shot", source="men", target="women", labels="-", shots=[5], draws=10, dev_speakers=0.1, seed=1,
        folds={"women": FoldRule(rule="consecutive_speakers", size=2)},
    )  # fmt: skip
    corpora = {"men": [u for u in utterances if u.gender == "m"], "women": [u for u in utterances if u.gender == "f"]}
    utts, vectors = read_features(dump_dir)
    speaker_of = {u.utt_id: u.speaker for u in utterances}
    keep = [i for i, utt in enumerate(utts) if utt in speaker_of]
    return RunData(
        utts=[utts[i] for i in keep],
        x=vectors[keep],
        speakers=[speaker_of[utts[i]] for i in keep],
        splits=protocol.splits(corpora, {u.utt_id: u.emotion for u in utterances}),
        classes=list(EMOTIONS),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
