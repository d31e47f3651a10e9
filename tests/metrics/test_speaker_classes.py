"""Whether speakers have one class each, by posteriors and by labels."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
import pytest

from ser.metrics.speaker_classes import one_class_evidence, speaker_information


def test_information_by_hand():
    """Speakers (1, 0) twice and (1/2, 1/2) twice: H of all is that of (3/4, 1/4)."""
    p = [np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])]
    of_all = -0.75 * log(0.75) - 0.25 * log(0.25)
    assert speaker_information(p) == pytest.approx((of_all - log(2) / 2) / of_all)


def test_information_is_unmoved_by_what_posteriors_do_not_know():
    """Half as sure posteriors say less of classes and of speakers alike."""
    one = [np.array([[0.8, 0.2]] * 3), np.array([[0.2, 0.8]] * 3)]
    mixed = [np.array([[0.8, 0.2], [0.2, 0.8]])] * 2
    assert speaker_information(one) == pytest.approx(1)
    assert speaker_information(mixed) == pytest.approx(0)


def test_posteriors_that_say_nothing_give_nothing():
    assert speaker_information([np.full((3, 4), 0.25)] * 2) == 0


def test_evidence_by_hand():
    """Two labels of a speaker, two classes: one class twice is (a + 1) / (2 a + 1) as likely as its first label."""
    counts = np.array([[2.0, 0.0]])
    assert one_class_evidence(counts, 0.1, 1.0) == pytest.approx(log((1.1 / 1.2) / (2 / 3)))
    assert one_class_evidence(np.array([[1.0, 1.0]]), 0.1, 1.0) == pytest.approx(log((0.1 / 1.2) / (1 / 3)))
    assert one_class_evidence(np.array([[1.0, 0.0], [0.0, 1.0]]), 0.1, 1.0) == pytest.approx(0)


def test_evidence_equals_a_slow_sum():
    counts, total = np.array([[3, 0, 1], [0, 2, 0]]), 0.0
    for a, sign in ((0.1, 1), (2.0, -1)):
        for row in counts:
            total += sign * (lgamma(3 * a) - lgamma(3 * a + row.sum()) + sum(lgamma(a + n) - lgamma(a) for n in row))
    assert one_class_evidence(counts, 0.1, 2.0) == pytest.approx(total)
