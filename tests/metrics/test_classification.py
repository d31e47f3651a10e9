"""UAR, WA and macro F1: hand-worked numbers, scikit-learn's per-class reports, and invariants."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ser.errors import DataError
from ser.metrics import macro_f1, uar, wa
from ser.metrics.classification import scores_of_confusion

CLASSES = ("angry", "happy", "neutral", "sad")
SCORES = (uar, wa, macro_f1)

TRUE = ["a"] * 4 + ["h"] * 3 + ["n"] * 1
PRED = ["a", "a", "a", "h", "h", "h", "n", "a"]
# recalls 3/4, 2/3, 0; 5 of 8; F1 6/(6+1+1), 4/(4+1+1), 0


@st.composite
def labels(draw):
    n = draw(st.integers(1, 40))
    one = st.lists(st.sampled_from(CLASSES), min_size=n, max_size=n)
    return draw(one), draw(one)


def test_hand_worked():
    assert uar(TRUE, PRED) == pytest.approx((3 / 4 + 2 / 3 + 0) / 3)
    assert wa(TRUE, PRED) == pytest.approx(5 / 8)
    assert macro_f1(TRUE, PRED) == pytest.approx((6 / 8 + 4 / 6 + 0) / 3)


def test_a_class_that_only_occurs_among_predictions_counts_as_no_class():
    true, pred = ["a", "a", "h", "h"], ["a", "s", "h", "h"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert uar(true, pred) == pytest.approx((1 / 2 + 1) / 2)
        assert wa(true, pred) == pytest.approx(3 / 4)
        assert macro_f1(true, pred) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("score", SCORES)
def test_limits(score):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score(CLASSES, CLASSES) == 1
        assert score(["a", "h"], ["h", "a"]) == 0
        assert score(["a"], ["a"]) == 1
        assert score([0, 1, 1], np.array([0, 1, 1])) == 1


@pytest.mark.parametrize("score", SCORES)
def test_nothing_to_score_is_refused(score):
    with pytest.raises(DataError, match="nothing to score: the list of reference labels is empty"):
        score([], [])


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("true, pred, shapes", [(["a"], ["a", "h"], r"\(1,\) and \(2,\)"),
                                                ([["a"]], [["a"]], r"\(1, 1\) and \(1, 1\)")])  # fmt: skip
def test_lists_of_other_lengths_are_refused(score, true, pred, shapes):
    with pytest.raises(DataError, match=f"two lists of one length, found {shapes}"):
        score(true, pred)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(labels())
def test_equals_scikit_learns_per_class_report(both):
    true, pred = both
    _, recall, f1, _ = precision_recall_fscore_support(true, pred, labels=sorted(set(true)), zero_division=0)
    assert uar(true, pred) == pytest.approx(recall.mean())
    assert macro_f1(true, pred) == pytest.approx(f1.mean())
    assert wa(true, pred) == pytest.approx(np.mean([t == p for t, p in zip(true, pred, strict=True)]))


@settings(deadline=None, max_examples=50, derandomize=True)
@given(labels(), st.permutations(CLASSES), st.randoms(use_true_random=False))
def test_reordering_and_renaming_change_nothing(both, names, random):
    pairs = list(zip(*both, strict=True))
    random.shuffle(pairs)
    rename = dict(zip(CLASSES, names, strict=True))
    shuffled = [[rename[label] for label in side] for side in zip(*pairs, strict=True)]
    for score in SCORES:
        assert score(*shuffled) == pytest.approx(score(*both), abs=1e-12)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(labels())
def test_counts_give_the_same_as_labels(both):
    true, _ = both
    scores = scores_of_confusion(confusion_matrix(*both, labels=CLASSES))
    assert scores["uar"] == pytest.approx(uar(*both))
    assert scores["wa"] == pytest.approx(wa(*both))
    assert scores["macro_f1"] == pytest.approx(macro_f1(*both))
    assert np.isnan(scores["recall"]).tolist() == [name not in true for name in CLASSES]
    assert np.nanmean(scores["recall"]) == pytest.approx(uar(*both))


def test_many_confusion_matrices_at_once():
    counts = np.random.default_rng(0).integers(0, 5, (2, 3, 4, 4))
    scores = scores_of_confusion(counts)
    for i, j in np.ndindex(2, 3):
        for name, value in scores_of_confusion(counts[i, j]).items():
            np.testing.assert_allclose(scores[name][i, j], value)
