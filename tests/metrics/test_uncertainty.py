"""Intervals and tests whose variance comes from speakers, seeds and draws: hand values, slow rewrites and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ser.metrics.uncertainty import uar_difference, uar_estimate
from ser.metrics.variances import Term, degrees_of_freedom, repetition_terms, total


def counts_of(recalls: np.ndarray, n: int = 1000) -> np.ndarray:
    """Confusion counts with given recalls: (..., C) to (..., C, C); n utterances a class, errors go to the next."""
    hits = np.rint(np.asarray(recalls) * n)
    n_classes = hits.shape[-1]
    counts = np.zeros((*hits.shape, n_classes))
    for c in range(n_classes):
        counts[..., c, c] = hits[..., c]
        counts[..., c, (c + 1) % n_classes] += n - hits[..., c]
    return counts


def random_counts(
    seed: int, k: int = 3, d: int = 2, s: int = 5, c: int = 3, n: np.ndarray | None = None
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 9, (5, 3)) if n is None else n
    s, c = n.shape
    hits = rng.binomial(n, rng.uniform(0.3, 0.9, (k, d, 1, 1)) * np.ones((s, c)))
    counts = np.zeros((k, d, s, c, c))
    for i in range(c):
        counts[..., i, i] = hits[..., i]
        counts[..., i, (i + 1) % c] = (n - hits)[..., i]
    return counts


def slow_left_out(counts: np.ndarray) -> list[float]:
    """Mean UAR without each speaker, by loops."""
    found = []
    for out in range(counts.shape[2]):
        kept = np.delete(counts, out, axis=2)
        uars = [
            np.mean([kept[k, d].sum(0)[c, c] / kept[k, d].sum(0)[c].sum() for c in range(counts.shape[-1])])
            for k in range(counts.shape[0])
            for d in range(counts.shape[1])
        ]
        found.append(float(np.mean(uars)))
    return found


def test_speakers_by_hand():
    """Left out in turn, recalls of 0.8 and 0.6 of two speakers give 0.6 and 0.8: variance (1/2) (0.1^2 + 0.1^2)."""
    found = uar_difference(
        counts_of([[[[0.8, 0.8], [0.6, 0.6]]]]), counts_of([[[[0.5, 0.5], [0.5, 0.5]]]]), is_random=False, paired=True
    )
    assert found.value == pytest.approx(0.2)
    assert found.se_speakers == pytest.approx(0.1)
    assert found.se_repetitions == 0
    margin = 12.706204736 * 0.1  # t of one degree of freedom
    assert found.interval == pytest.approx((0.2 - margin, 0.2 + margin))


def test_repetitions_by_hand():
    """Two seeds by two draws: of the means 0.5 and 0.7, 0.55 and 0.65, and no residual."""
    terms = repetition_terms(np.array([[0.45, 0.55], [0.65, 0.75]]))
    assert [term.df for term in terms] == [1, 1, 1]
    assert [term.variance for term in terms] == pytest.approx([0.02 / 2, 0.005 / 2, 0.0])


def test_the_residual_is_counted_once():
    """Cells that have nothing but noise: the variance of the mean is that of the cells over their number."""
    rng = np.random.default_rng(0)
    found = [_sum(repetition_terms(rng.normal(size=(4, 5)))) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(1 / 20, rel=0.05)


def _sum(terms: list[Term]) -> float:
    return sum(term.variance for term in terms)


def test_a_factor_with_one_level_has_no_variance():
    assert repetition_terms(np.array([[0.3]])) == []
    assert [term.df for term in repetition_terms(np.array([[0.3], [0.5], [0.4]]))] == [2]
    assert [term.df for term in repetition_terms(np.array([[0.3, 0.5, 0.4]]))] == [2]


def test_with_speakers_only_it_is_the_paired_t_test():
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.3, 0.9, (2, 7, 2))
    a, b = np.rint(a * 1000) / 1000, np.rint(b * 1000) / 1000
    found = uar_difference(counts_of(a[None, None]), counts_of(b[None, None]), is_random=False, paired=True)
    reference = stats.ttest_rel(a.mean(-1), b.mean(-1))
    assert found.p == pytest.approx(reference.pvalue)
    assert found.interval == pytest.approx(tuple(reference.confidence_interval()))


@pytest.mark.parametrize("paired", [True, False])
def test_with_seeds_only_it_is_the_paired_or_welch_t_test(paired):
    """Speakers who are all alike add no variance; unpaired seeds give Welch's test (1947)."""
    rng = np.random.default_rng(4)
    a = np.rint(rng.uniform(0.3, 0.9, (5, 2)) * 1000) / 1000
    b = np.rint(rng.uniform(0.4, 0.6, (5 if paired else 8, 2)) * 1000) / 1000
    both = [counts_of(np.repeat(x[:, None, None], 6, axis=2)) for x in (a, b)]
    found = uar_difference(*both, is_random=True, paired=paired)
    sides = a.mean(-1), b.mean(-1)
    reference = stats.ttest_rel(*sides) if paired else stats.ttest_ind(*sides, equal_var=False)
    # speakers have a summand of zero with five degrees of freedom, fewer than the fewest of Welch's never
    assert found.p == pytest.approx(reference.pvalue, rel=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_speakers_equal_a_slow_jackknife(seed):
    counts = random_counts(seed)
    other = random_counts(seed + 1, n=counts[0, 0].sum(-1).astype(int))
    found = uar_difference(counts, other, is_random=True, paired=True)
    differences = np.subtract(slow_left_out(counts), slow_left_out(other))
    n = len(differences)
    slow = np.sqrt((n - 1) / n * sum((d - differences.mean()) ** 2 for d in differences))
    assert found.se_speakers == pytest.approx(slow)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_difference_turns_its_sign_with_its_sides(seed):
    a = random_counts(seed)
    b = random_counts(seed + 1, n=a[0, 0].sum(-1).astype(int))
    there, back = uar_difference(a, b, True, True), uar_difference(b, a, True, True)
    assert there.value == pytest.approx(-back.value)
    assert there.interval == pytest.approx((-back.interval.high, -back.interval.low))
    assert there.p == pytest.approx(back.p)


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_p_and_interval_agree(seed):
    a = random_counts(seed)
    b = random_counts(seed + 1, n=a[0, 0].sum(-1).astype(int))
    found = uar_difference(a, b, is_random=True, paired=False)
    assert (found.p < 0.05) == (not found.interval.low <= 0 <= found.interval.high)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=25, deadline=None)
def test_an_interval_holds_its_value_and_stays_within_0_and_1(seed, recall):
    counts = random_counts(seed) if recall == 0.5 else counts_of(np.full((2, 2, 4, 3), recall), n=5)
    found = uar_estimate(counts, is_random=True)
    assert 0 <= found.interval.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.interval.high <= 1


def test_more_seeds_narrow_an_interval_whose_width_is_theirs():
    rng = np.random.default_rng(5)
    recalls = np.repeat(rng.uniform(0.4, 0.8, (20, 1, 1, 2)), 30, axis=2)
    widths = [np.ptp(uar_estimate(counts_of(recalls[:k]), is_random=True).interval) for k in (3, 20)]
    assert widths[1] < widths[0] / 2


def test_one_training_has_an_interval_of_its_speakers_and_no_p():
    a, b = random_counts(1, k=1, d=1, n=np.full((5, 3), 6)), random_counts(2, k=1, d=1, n=np.full((5, 3), 6))
    assert uar_estimate(a, is_random=True).one_training
    assert not uar_estimate(a, is_random=False).one_training
    found = uar_difference(a, b, is_random=True, paired=True)
    assert found.one_training and found.p is None and found.interval is not None
    assert uar_difference(a, b, is_random=False, paired=True).p is not None


def test_a_class_of_one_speaker_has_no_interval():
    counts = random_counts(1, n=np.array([[4, 4, 4], [4, 4, 0], [4, 4, 0], [4, 4, 0], [4, 4, 0]]))
    assert uar_estimate(counts, is_random=True).interval is None
    assert uar_difference(counts, counts, is_random=True, paired=True).interval is None


def test_a_class_that_nobody_says_counts_for_nothing():
    counts = random_counts(1, n=np.array([[4, 0, 4]] * 5))
    kept = np.delete(np.delete(counts, 1, -1), 1, -2)
    lost = counts[..., 0, 1] + counts[..., 2, 1]  # errors into the class that does not occur stay errors
    kept[..., 0, 1] += counts[..., 0, 1]
    kept[..., 1, 0] += counts[..., 2, 1]
    assert lost.sum() > 0
    assert uar_estimate(counts, True).interval == pytest.approx(uar_estimate(kept, True).interval)


def test_equal_systems_differ_by_nothing():
    counts = random_counts(1)
    found = uar_difference(counts, counts.copy(), is_random=True, paired=True)
    assert (found.value, found.p, found.detectable) == (0, 1, 0)


def test_a_detectable_difference_is_found_in_four_of_five():
    """The definition, by simulation: true difference = `detectable`, speakers the only source of variance."""
    rng = np.random.default_rng(6)
    n_speakers, sd = 12, 0.1
    typical = sd / np.sqrt(n_speakers)
    found = uar_difference(
        counts_of(np.clip(0.5 + sd * _standard(n_speakers), 0, 1)[None, None, :, None].repeat(2, -1)),
        counts_of(np.full((1, 1, n_speakers, 2), 0.5)),
        is_random=False, paired=True,
    )  # fmt: skip
    assert found.se_speakers == pytest.approx(typical, rel=1e-2)
    samples = rng.normal(found.detectable, sd, (20_000, n_speakers))
    share = (stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05).mean()
    assert share == pytest.approx(0.8, abs=0.02)


def _standard(n: int) -> np.ndarray:
    values = np.linspace(-1, 1, n)
    return (values - values.mean()) / values.std(ddof=1)


def test_degrees_of_freedom_are_satterthwaites():
    terms = [Term(2.0, 4), Term(1.0, 9)]
    assert degrees_of_freedom(terms) == pytest.approx(9 / (4 / 4 + 1 / 9))
    assert total(terms) == 3


def test_other_utterances_are_refused():
    with pytest.raises(ValueError, match="not tested on the same utterances"):
        uar_difference(random_counts(1), random_counts(2), is_random=True, paired=False)
    counts = random_counts(1)
    with pytest.raises(ValueError, match="unlike shape"):
        uar_difference(counts, counts[:2], is_random=True, paired=True)
