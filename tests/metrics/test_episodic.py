"""The paper's sampled scorer: its denominators, its draws, and that it estimates what a full score measures."""

from __future__ import annotations

import numpy as np
import pytest

from ser.metrics.episodic import QUERIES, episodic_counts

C = 4


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def fold(n: int, seed: int = 0, classes: int = C) -> np.ndarray:
    """Classes of n utterances, at least five of each, in any order."""
    true = np.concatenate([np.repeat(np.arange(classes), 5), rng(seed).integers(classes, size=n - 5 * classes)])
    return rng(seed, 1).permutation(true)


def drawn(true: np.ndarray, seed: int = 0) -> np.ndarray:
    """How often each utterance is a query: every utterance is predicted as a class of its own."""
    return episodic_counts(true, np.arange(len(true)), len(true), rng(seed)).sum(0)


@pytest.mark.parametrize(
    ("sizes", "queries"),
    [
        ((1085, 1023, 1151, 1031, 1241), 2760),  # IEMOCAP: 5 (108 + 102 + 115 + 103 + 124)
        ((144,) * 6, 420),  # RAVDESS: 5 * 6 * 14
        (
            (1300, 1299, 1305, 1294, 1302, 1298),
            3885,
        ),  # MSP-IMPROV, 7,798 in all: 5 (130 + 129 + 130 + 129 + 130 + 129)
    ],
)
def test_denominators_are_those_of_the_paper(sizes, queries):
    counts = sum(episodic_counts(t := fold(n, n), rng(n).permutation(t), C, rng(n)) for n in sizes)
    assert counts.shape == (C, C)
    assert counts.sum(1).tolist() == [queries] * C


def test_counts_stand_in_the_row_of_the_true_class_and_the_column_of_the_predicted():
    true = fold(200)
    assert np.array_equal(episodic_counts(true, true, C, rng(1)), 100 * np.eye(C))
    always = episodic_counts(true, np.full_like(true, 2), C, rng(1))
    assert always[:, 2].tolist() == [100] * C
    assert always.sum() == 400


def test_queries_do_not_depend_on_what_was_predicted():
    true, mask = fold(300), rng(7).random(300) < 0.5
    right_where = episodic_counts(true, np.where(mask, true, (true + 1) % C), C, rng(3))
    right_elsewhere = episodic_counts(true, np.where(mask, (true + 1) % C, true), C, rng(3))
    assert np.array_equal(np.diagonal(right_where) + np.diagonal(right_elsewhere), [150] * C)
    assert not np.array_equal(right_where, episodic_counts(true, np.where(mask, true, (true + 1) % C), C, rng(4)))


def test_an_episode_has_no_query_twice():
    """One episode of 19 utterances, five of three classes: each of those is drawn, and once."""
    true = np.array([0] * 5 + [1] * 4 + [2] * 5 + [3] * 5)
    for seed in range(50):
        n = drawn(true, seed)
        assert n[[*range(5), *range(9, 19)]].tolist() == [1] * 15
    one_of_six = np.array([0] * 10 + [1] * 6)
    assert {tuple(sorted(drawn(one_of_six, seed)[10:])) for seed in range(50)} == {(0, 1, 1, 1, 1, 1)}


def test_a_class_of_fewer_than_five_is_drawn_with_replacement():
    true = np.array([0] * 8 + [1] * 2)
    found = [drawn(true, seed)[8:] for seed in range(200)]
    assert {int(n.sum()) for n in found} == {QUERIES}
    assert {int(n[0]) for n in found} == set(range(QUERIES + 1))
    assert drawn(np.array([0] * 9 + [1]))[9] == QUERIES


def test_an_absent_class_gives_no_queries_and_a_small_fold_none_at_all():
    true = np.array([0] * 12 + [2] * 12)
    assert episodic_counts(true, true, 3, rng()).sum(1).tolist() == [10, 0, 10]
    assert episodic_counts(true[:9], true[:9], 3, rng()).sum() == 0


def test_every_utterance_of_a_class_is_as_likely_as_the_others():
    """1,000 folds' worth of episodes: 20 utterances share 5 queries in each."""
    true = np.tile([0, 1], 20)
    total = sum(drawn(true, seed) for seed in range(1000))
    expected = 1000 * 4 * QUERIES / 20
    deviation = np.sqrt(1000 * 4 * 0.25 * 0.75)
    assert np.abs(total - expected).max() < 4 * deviation
    pairs = np.array([drawn(np.array([0] * 7 + [1] * 5), seed)[:7] for seed in range(3000)])
    together = (pairs.T @ pairs)[np.triu_indices(7, 1)]  # every pair of seven: 10 of 21
    assert np.abs(together - 3000 * 10 / 21).max() < 4 * np.sqrt(3000 * 10 / 21 * 11 / 21)


def test_expectation_is_the_full_score():
    true = fold(120, 5)
    pred = np.where(rng(8).random(120) < 0.4, true, rng(9).integers(C, size=120))
    full = np.mean([(pred[true == c] == c).mean() for c in range(C)])
    uars = []
    for seed in range(2000):
        counts = episodic_counts(true, pred, C, rng(seed))
        uars.append((np.diagonal(counts) / counts.sum(1)).mean())
    assert np.mean(uars) == pytest.approx(full, abs=4 * np.std(uars) / np.sqrt(2000))
    assert 0.01 < np.std(uars) < 0.1  # the noise that it adds
