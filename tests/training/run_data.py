"""A small two-corpus `RunData`: emotions, speakers and corpora each shift the features."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ser.splits.lists import Split
from ser.training.run_data import RunData

CLASSES = ("angry", "happy", "neutral", "sad")
DIM = 6


def make_run_data(*, per_class: int = 4, folds: int = 2, draws: int = 2, classes: Sequence[str] = CLASSES) -> RunData:
    """Make 3 source speakers (the last for dev) and 4 target speakers, of whom each fold tests others.

    Support sets have 1 and 2 utterances per class, nested in size.
    """
    rng = np.random.default_rng(0)
    emotion = {name: 1.5 * rng.normal(size=DIM) for name in classes}
    label, speaker_of, x = {}, {}, []
    for corpus, n_speakers in (("src", 3), ("tgt", 4)):
        corpus_shift = rng.normal(size=DIM)
        for s in range(n_speakers):
            shift = corpus_shift + 0.5 * rng.normal(size=DIM)
            for name, i in itertools.product(classes, range(per_class)):
                utt = f"{corpus}-{s}-{name}{i}"
                label[utt], speaker_of[utt] = name, f"{corpus}-{s}"
                x.append(emotion[name] + shift + rng.normal(size=DIM))

    def of(*speakers: str) -> dict[str, str]:
        return {utt: label[utt] for utt in label if speaker_of[utt] in speakers}

    splits = []
    for fold in range(folds):
        test = (f"tgt-{2 * fold}", f"tgt-{2 * fold + 1}")
        pool = of(*({f"tgt-{s}" for s in range(4)} - set(test)))
        support = {}
        for draw in range(draws):
            order = [list(pool)[i] for i in np.random.default_rng((fold, draw)).permutation(len(pool))]
            for k in (1, 2):
                chosen = [utt for name in classes for utt in [u for u in order if label[u] == name][:k]]
                support[k, draw] = {utt: label[utt] for utt in chosen}
        splits.append(
            Split(
                f"fold{fold}", of("src-0", "src-1"), of("src-2"), list(pool), of(*test), dict(sorted(support.items()))
            )
        )
    features = np.array(x, dtype=np.float32)
    return RunData(list(label), features, list(speaker_of.values()), splits, list(classes))
