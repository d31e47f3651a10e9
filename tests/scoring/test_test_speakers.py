"""Tested speakers whose classes are balanced or skewed: what is drawn, and that nothing else can be seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ser.errors import ConfigError
from ser.methods import emofsl, logistic_regression, smap
from ser.scoring.test_speakers import TestSpeakers, drawn, predict_drawn
from ser.splits.lists import Split
from tests.methods import test_emofsl, test_logistic_regression, test_smap
from tests.training.run_data import CLASSES, make_run_data

BALANCED, SKEWED, AS_IS = TestSpeakers("balanced", 16), TestSpeakers("skewed", 16), TestSpeakers("as they are")


@pytest.mark.parametrize("text", ["as they are", "balanced 16", "skewed 8"])
def test_conditions_are_read_as_they_are_written(text):
    assert str(TestSpeakers.of(text)) == text


@pytest.mark.parametrize("text", ["", "balanced", "skewed 0", "skewed -4", "skew 16", "as they are 4"])
def test_another_condition_is_one_sentence(text):
    with pytest.raises(ConfigError, match="test_speakers: found '.*', allowed are 'as they are', 'balanced n' and"):
        TestSpeakers.of(text)


def a_split(sizes: dict[str, list[int]]) -> tuple[Split, dict[str, str]]:
    """Make a test list of speakers with so many utterances of each class."""
    test = {f"c-{s}-{name}{i}": name for s, row in sizes.items() for name, n in zip(CLASSES, row, strict=True)
            for i in range(n)}  # fmt: skip
    return Split("fold1", {}, {}, [], test), {utt: utt.rsplit("-", 1)[0] for utt in test}


def sizes_of(found: dict[str, str]) -> dict[str, list[int]]:
    counts = Counter((utt.split("-")[1], name) for utt, name in found.items())
    return {s: [counts[s, name] for name in CLASSES] for s in sorted({s for s, _ in counts})}


def test_balanced_takes_as_many_of_each_class_that_a_speaker_has():
    split, speaker_of = a_split({"a": [9, 9, 9, 9], "b": [9, 3, 9, 9], "c": [0, 12, 0, 0]})
    found = drawn(split, speaker_of, CLASSES, BALANCED, 1, 1)
    assert sizes_of(found) == {"a": [4, 4, 4, 4], "b": [3, 3, 3, 3], "c": [0, 4, 0, 0]}
    assert list(found) == [utt for utt in split.test if utt in found]


def test_skewed_sizes_follow_the_dirichlet():
    """The largest share is that of such a Dirichlet on average, and sizes sum to n where there are enough."""
    split, speaker_of = a_split({f"s{i}": [16] * 4 for i in range(300)})
    rows = np.array(list(sizes_of(drawn(split, speaker_of, CLASSES, SKEWED, 1, 1)).values()))
    assert rows.sum(1).tolist() == [16] * 300
    shares = np.random.default_rng(0).dirichlet([0.5] * 4, 20_000)
    assert (rows / 16).max(1).mean() == pytest.approx(shares.max(1).mean(), abs=0.03)
    assert (rows / 16).mean(0) == pytest.approx(np.full(4, 0.25), abs=0.04)


def test_a_draw_is_named_by_its_number_and_speaker():
    split, speaker_of = a_split({"a": [9] * 4, "b": [9] * 4})
    once = drawn(split, speaker_of, CLASSES, SKEWED, 1, 1)
    alone = replace(split, test={utt: name for utt, name in split.test.items() if utt.startswith("c-a-")})
    assert drawn(split, speaker_of, CLASSES, SKEWED, 1, 1) == once != drawn(split, speaker_of, CLASSES, SKEWED, 2, 1)
    assert drawn(alone, speaker_of, CLASSES, SKEWED, 1, 1).items() <= once.items()


ROWS = {
    "smap": (smap, lambda: test_smap.config(), None),
    "logistic_regression": (
        logistic_regression,
        lambda: test_logistic_regression.config(normalization="speaker"),
        None,
    ),
    "logistic_regression corpus": (
        logistic_regression,
        lambda: test_logistic_regression.config(normalization="corpus"),
        None,
    ),
    "emofsl": (
        emofsl,
        lambda: test_emofsl.config("btl", normalization="speaker"),
        lambda: test_emofsl.config("source_only", normalization="speaker", predictor="classifier"),
    ),
}


def state_of(name: str, data):
    method, make, make_first = ROWS[name]
    first = None if make_first is None else method.train(make_first(), data, 1, None, test_smap.JOB)[0]
    return method, make(), method.train(make(), data, 1, first, test_smap.JOB)[0]


@pytest.mark.parametrize("name", ROWS)
def test_as_they_are_is_what_stage_5_predicts(name):
    data = make_run_data()
    method, config, state = state_of(name, data)
    found, shown = predict_drawn(method, config, data, state, "cpu", AS_IS, 1, 1)
    assert [s.test for s in shown.splits] == [s.test for s in data.splits]
    expected = {(p.split, p.k, p.draw): p for p in method.predict(config, data, state, "cpu")}
    assert {(p.split, p.k, p.draw) for p in found} == expected.keys()
    for p in found:
        assert p.scores == pytest.approx(expected[p.split, p.k, p.draw].scores, abs=1e-6)


@pytest.mark.parametrize("name", ROWS)
def test_what_was_not_drawn_is_not_seen(name):
    data = make_run_data()
    data = replace(data, splits=data.splits[:1])  # in other folds these speakers may teach
    method, config, state = state_of(name, data)
    how = TestSpeakers("balanced", 8)
    found, shown = predict_drawn(method, config, data, state, "cpu", how, 1, 1)
    left = [utt for utt in data.splits[0].test if utt not in shown.splits[0].test]
    assert len(left) == len(shown.splits[0].test) == 16
    moved = replace(data, x=data.x.copy())
    moved.x[moved.rows(left)] += 100
    again, _ = predict_drawn(method, config, moved, state, "cpu", how, 1, 1)
    assert len(found) == 4
    for a, b in zip(found, again, strict=True):
        assert list(a.utts) == list(shown.splits[0].test) and np.array_equal(a.scores, b.scores)
