"""Lists of two corpora side by side: the first has four emotions, the second two more; each fold tests a speaker."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from ser.splits.lists import Split
from ser.training.run_data import RunData

SHARED = ("angry", "happy", "neutral", "sad")
CLASSES = ("angry", "fearful", "happy", "neutral", "sad", "surprised")


def make_paired_data(per_class: int = 4, speakers: int = 4, folds: int = 2, both: Sequence[str] = CLASSES) -> RunData:
    """Make lists without features; the last speaker of each corpus is for dev."""
    label, speaker_of = {}, {}
    for corpus, classes in (("one", SHARED), ("two", both)):
        for s, name, i in itertools.product(range(speakers), classes, range(per_class)):
            utt = f"{corpus}-{s}-{name}{i}"
            label[utt], speaker_of[utt] = name, f"{corpus}-{s}"

    def of(*numbers: int) -> dict[str, str]:
        return {utt: name for utt, name in label.items() if int(utt.split("-")[1]) in numbers}

    splits = []
    for fold in range(folds):
        train = of(*({*range(speakers - 1)} - {fold}))
        dev = of(speakers - 1)
        labelled = {utt: label[utt] for utt in label if utt in train or utt in dev}
        splits.append(Split(f"fold{fold + 1}", train, dev, [], of(fold), labelled=labelled))
    return RunData(
        utts=list(label),
        x=np.empty((len(label), 0), np.float32),
        speakers=list(speaker_of.values()),
        splits=splits,
        classes=sorted({*SHARED, *both}),
    )


def blind(data: RunData) -> RunData:
    """Give the lists as a trainer gets them, without test utterances."""
    return dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])
