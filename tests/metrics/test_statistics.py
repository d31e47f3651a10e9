"""Means over repetitions against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from ser.metrics.statistics import mean_scores

C = 3


def labels_of(confusion: np.ndarray) -> tuple[list[int], list[int]]:
    cells = [(i, j) for i, j in np.ndindex(C, C) for _ in range(int(confusion[i, j]))]
    return [i for i, _ in cells], [j for _, j in cells]


def test_every_repetition_is_scored_on_all_its_speakers_together():
    counts = np.random.default_rng(1).integers(1, 6, (4, 5, C, C))
    found = mean_scores(counts)
    both = [labels_of(repetition.sum(0)) for repetition in counts]
    uars = [balanced_accuracy_score(*labels) for labels in both]
    assert found["uar"] == pytest.approx(np.mean(uars))
    assert found["uar_sd"] == pytest.approx(np.std(uars, ddof=1))
    assert found["macro_f1"] == pytest.approx(np.mean([f1_score(*labels, average="macro") for labels in both]))
    assert np.isnan(mean_scores(counts[:1])["uar_sd"])
