"""Speaker-clustered intervals and tests against slow rewrites, and where they have to end."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import permutation_test
from sklearn.metrics import balanced_accuracy_score

from ser.metrics.statistics import (
    N_RESAMPLES,
    difference_bootstrap,
    holm,
    mean_scores,
    paired_speaker_test,
    resample_speakers,
    speaker_bootstrap,
)

C = 3


def rng(seed=0):
    return np.random.default_rng(seed)


def counts_of(n_repetitions=2, n_speakers=6, per_class=5, skill=1.0, seed=0):
    """Draw confusion counts (R, S, C, C) of a system that is better on some speakers than on others."""
    g = rng(seed)
    counts = np.zeros((n_repetitions, n_speakers, C, C), dtype=int)
    for s in range(n_speakers):
        shares = g.dirichlet(np.full(C, 0.7), size=C) + skill * g.uniform() * np.eye(C)
        for r, c in product(range(n_repetitions), range(C)):
            counts[r, s, c] = g.multinomial(per_class, shares[c] / shares[c].sum())
    return counts


def labels_of(confusion):
    cells = [(i, j) for i, j in np.ndindex(C, C) for _ in range(int(confusion[i, j]))]
    return [i for i, _ in cells], [j for _, j in cells]


def slow_uar(counts):
    """Score the labels of every repetition with scikit-learn, then average."""
    return np.mean([balanced_accuracy_score(*labels_of(repetition.sum(0))) for repetition in counts])


# ---- Intervals ------------------------------------------------------------------------------------------------


def interval_of(counts, seed=0, n=N_RESAMPLES):
    return speaker_bootstrap(counts, resample_speakers(counts.shape[1], rng(seed), n))


def test_resamples_hold_as_many_speakers_as_there_are():
    drawn = resample_speakers(4, rng(3), n=60)
    assert np.array_equal(drawn, rng(3).multinomial(4, [0.25] * 4, size=60))
    assert (drawn.sum(1) == 4).all()


def test_bootstrap_equals_a_slow_rewrite():
    counts = counts_of(n_speakers=4)
    draws = resample_speakers(4, rng(3), n=60).astype(int)
    uars = [slow_uar(np.stack([counts[:, s] for s in range(4) for _ in range(draw[s])], axis=1)) for draw in draws]
    assert interval_of(counts, 3, n=60) == pytest.approx(np.percentile(uars, [2.5, 97.5]))


def test_bootstrap_is_decided_by_its_resamples():
    counts = counts_of()
    assert interval_of(counts, 1, n=500) == interval_of(counts, 1, n=500)
    assert interval_of(counts, 1, n=500) != interval_of(counts, 2, n=500)


@pytest.mark.parametrize("seed", range(5))
def test_interval_covers_the_point_estimate(seed):
    counts = counts_of(seed=seed)
    low, high = interval_of(counts)
    assert 0 <= low < slow_uar(counts) < high <= 1


def test_interval_of_alike_utterances_is_wider_than_if_they_were_independent():
    """Half of the speakers are always recognized, the others never."""
    counts = np.zeros((1, 10, 2, 2), dtype=int)
    counts[0, :5] = 20 * np.eye(2)
    counts[0, 5:] = 20 * (1 - np.eye(2))
    utterances = np.concatenate([np.repeat(counts[0, s][None] // 20, 20, axis=0) for s in range(10)])[None]
    assert utterances.sum() == counts.sum()
    low, high = interval_of(counts)
    naive_low, naive_high = interval_of(utterances)
    deviation = np.sqrt(0.25 / 10)  # of a mean of ten coins
    assert high - low == pytest.approx(2 * 1.96 * deviation, abs=0.1)
    assert naive_high - naive_low < 0.4 * (high - low)


def test_one_speaker_gives_no_width():
    counts = counts_of(n_speakers=1)
    low, high = interval_of(counts)
    assert low == high == pytest.approx(slow_uar(counts))


def test_resamples_that_lack_a_class_are_left_out():
    """Only speaker 0 has class 1, recognized always; class 0 is recognized for speaker 0 alone."""
    counts = np.zeros((1, 2, 2, 2), dtype=int)
    counts[0, 0] = [[4, 0], [0, 4]]
    counts[0, 1] = [[0, 4], [0, 0]]
    low, high = interval_of(counts)  # resamples {0, 0}: 1, {0, 1}: 3/4, {1, 1}: left out
    assert (low, high) == (0.75, 1.0)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_a_class_that_no_speaker_has_is_left_out():
    counts = counts_of(n_speakers=4)
    counts[:, :, 1] = 0
    kept = counts[:, :, [0, 2]].copy()
    low, high = interval_of(counts, n=200)
    assert low < slow_uar(counts) < high
    square = np.zeros_like(counts[:, :, :2, :2])
    square[..., 0, 0], square[..., 1, 1] = kept[..., 0, 0], kept[..., 1, 2]
    square[..., 0, 1] = kept[..., 0, :].sum(-1) - kept[..., 0, 0]
    square[..., 1, 0] = kept[..., 1, :].sum(-1) - kept[..., 1, 2]
    assert (low, high) == pytest.approx(interval_of(square, n=200))


# ---- Paired test ----------------------------------------------------------------------------------------------


def slow_p(a, b):
    """Try all swaps of speakers, scoring each from its labels."""
    n_repetitions = len(a)
    observed = abs(slow_uar(a) - slow_uar(b))
    as_extreme = 0
    for swaps in product([False, True], repeat=a.shape[1]):
        swapped = np.array(swaps)[None, :, None, None]
        x, y = (np.where(swapped, one, other) for one, other in ((b, a), (a, b)))
        as_extreme += abs(slow_uar(x) - slow_uar(y)) >= observed - 1e-12
    assert n_repetitions == len(b)
    return as_extreme / 2 ** a.shape[1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_speakers", [2, 5, 6])
def test_p_equals_all_swaps_by_hand(n_speakers, seed):
    a, b = (counts_of(1, n_speakers, per_class=4, seed=10 * seed + i) for i in (0, 1))
    p = paired_speaker_test(a, b, rng())
    assert p == pytest.approx(slow_p(a, b))
    assert paired_speaker_test(b, a, rng()) == pytest.approx(p)


@pytest.mark.parametrize("n_speakers", [12, 13, 14, 24])
def test_p_equals_that_of_scipy(n_speakers):
    """Up to 13 speakers to the last digit, above up to the random swaps."""
    a, b = (counts_of(3, n_speakers, seed=i) for i in (1, 2))
    shares = [np.diagonal(x, axis1=-2, axis2=-1).mean((0, 2)) / (5 * n_speakers) for x in (a, b)]
    reference = permutation_test(
        shares, lambda x, y, axis: (x - y).sum(axis), permutation_type="samples", vectorized=True,
        n_resamples=N_RESAMPLES, rng=rng(5),
    ).pvalue  # fmt: skip
    tolerance = 1e-12 if n_speakers <= 13 else 6 * np.sqrt(0.25 / N_RESAMPLES)
    assert paired_speaker_test(a, b, rng(6)) == pytest.approx(reference, abs=tolerance)


def test_p_is_smallest_where_one_system_wins_on_every_speaker():
    better = np.stack([[[[4, 0], [0, 4]]] * 5])
    worse = np.stack([[[[4, 0], [s % 3 + 1, 3 - s % 3]] for s in range(5)]])
    assert paired_speaker_test(better, worse, rng()) == pytest.approx(2 / 2**5)


def test_identical_systems_do_not_differ():
    a = counts_of()
    assert paired_speaker_test(a, a.copy(), rng()) == 1.0
    assert paired_speaker_test(a, np.concatenate([a, a]), rng()) == 1.0


def test_one_speaker_proves_nothing():
    assert paired_speaker_test(counts_of(n_speakers=1), counts_of(n_speakers=1, seed=1), rng()) == 1.0


def test_systems_may_have_other_numbers_of_repetitions():
    a, b = counts_of(1, seed=1), counts_of(1, seed=2)
    assert paired_speaker_test(np.concatenate([a] * 3), b, rng()) == pytest.approx(slow_p(a, b))


def test_many_speakers_are_swapped_at_random():
    a, b = counts_of(1, 20, seed=1), counts_of(1, 20, seed=2)
    p = paired_speaker_test(a, b, rng(1))
    assert p == paired_speaker_test(a, b, rng(1))
    shares = [np.diagonal(x, axis1=-2, axis2=-1)[0].sum(-1) for x in (a, b)]
    differences = (shares[0] - shares[1]).astype(float)  # every class has as many utterances as the others
    signs = rng(9).choice([-1, 1], size=(40_000, 20))
    expected = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9)
    assert p == pytest.approx(expected, abs=4 * np.sqrt(0.25 / N_RESAMPLES))
    best, worst = np.tile([[5, 0], [0, 5]], (1, 20, 1, 1)), np.tile([[0, 5], [5, 0]], (1, 20, 1, 1))
    assert paired_speaker_test(best, worst, rng()) == pytest.approx(2 / (N_RESAMPLES + 1))  # no random swap does it


# ---- Several tests, and means ---------------------------------------------------------------------------------


def slow_holm(p_values):
    """Step down: the i-th smallest of m is multiplied by m - i, and no step goes back."""
    corrected, largest = {}, 0.0
    for i, place in enumerate(sorted(range(len(p_values)), key=lambda j: p_values[j])):
        largest = max(largest, min(1, (len(p_values) - i) * p_values[place]))
        corrected[place] = largest
    return [corrected[place] for place in range(len(p_values))]


def test_holm():
    assert holm(np.array([0.01, 0.02, 0.03, 0.005])) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert holm(np.array([0.6, 0.4])) == pytest.approx([0.8, 0.8])
    assert holm(np.array([0.9, 0.9, 0.9])) == pytest.approx([1, 1, 1])
    assert holm(np.array([0.04])) == pytest.approx([0.04])
    assert holm(np.array([])).shape == (0,)
    for seed in range(20):
        p_values = rng(seed).uniform(0, 0.3, size=7).round(2)
        assert holm(p_values) == pytest.approx(slow_holm(p_values))


def test_mean_scores_average_over_repetitions_of_all_speakers_together():
    counts = counts_of(3, 4)
    scores = mean_scores(counts)
    uars = [slow_uar(repetition[None]) for repetition in counts]
    assert scores["uar"] == pytest.approx(np.mean(uars))
    assert scores["uar_sd"] == pytest.approx(np.std(uars, ddof=1))
    recalls = [[r.sum(0)[c, c] / r.sum(0)[c].sum() for c in range(C)] for r in counts]
    assert scores["recall"] == pytest.approx(np.mean(recalls, axis=0))
    assert scores["wa"] == pytest.approx(np.trace(counts.sum((0, 1))) / counts.sum())
    assert np.isnan(mean_scores(counts[:1])["uar_sd"])


def test_difference_is_bounded_on_the_same_speakers():
    """Both sides of a difference are resampled together: a constant lead has no width, whatever the speakers do."""
    hits = np.array([1, 9, 3, 7])
    a, b = (
        np.stack([np.diag([h, h]) + np.fliplr(np.diag([10 - h] * 2)) for h in hits + gain])[None] for gain in (1, 0)
    )
    resamples = resample_speakers(4, rng(1), 500)
    low, high = difference_bootstrap(a, b, resamples)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert difference_bootstrap(b, a, resamples).low == pytest.approx(-0.1)
    spread = speaker_bootstrap(b, resamples)
    assert spread.high - spread.low > 0.2


def coverage(n_speakers: int, n_simulations: int = 400) -> float:
    """Tell how often an interval holds the true UAR of speakers whose recall is 0.6 with a deviation of 0.08."""
    draw, held = rng(n_speakers), 0
    resamples = resample_speakers(n_speakers, draw, 500)
    for _ in range(n_simulations):
        right = draw.binomial(10, draw.normal(0.6, 0.08, (n_speakers, 1)).clip(0, 1).repeat(4, axis=1))
        counts = right[..., None] * np.eye(4) + (10 - right)[..., None] * np.roll(np.eye(4), 1, axis=1)
        low, high = speaker_bootstrap(counts[None], resamples)
        held += low <= 0.6 <= high
    return held / n_simulations


def test_intervals_of_few_speakers_are_too_narrow_which_tables_say():
    """The shares that `ser.results.lines.DEFINITIONS` tells: 56 % of two speakers, 80 % of four, 90 % of ten."""
    assert [coverage(n) for n in (2, 4, 10)] == pytest.approx([0.56, 0.80, 0.90], abs=0.04)
