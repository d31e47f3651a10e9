"""From counts to scores: differences, intervals and p on the lines they belong to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ser.metrics.statistics import Interval, holm, mean_scores, paired_speaker_test
from ser.results.lines import Line
from ser.results.render import overview
from ser.results.scores import Scored, score_lines
from tests.results.tables import CLASSES, FIVE, SPEAKERS, cell, counts_of, hole, line, scored, table_of


def test_differences_and_p_values_stand_on_the_lines_they_belong_to():
    lines = [
        line("EMOFSL", 0.9, 1, versus="BTL"),
        line("source only", 0.2, 2),
        dataclasses.replace(hole("needs a corpus", "byol", "corpus missing"), versus="BTL"),
        line("BTL", 0.4, 3),
        line("FSTL", 0.45, 4, versus="BTL"),
        line("LR", 0.6, 5, versus="BTL"),
    ]
    found = scored(*lines)
    assert [entry if isinstance(entry, Line) else entry.line for entry in found] == lines
    btl = lines[3].counts
    tested = [0, 4, 5]
    raw = [paired_speaker_test(lines[i].counts, btl, np.random.default_rng()) for i in tested]  # exact: six speakers
    assert len(set(raw)) > 1
    for i, p in zip(tested, holm(np.array(raw)), strict=True):
        difference = mean_scores(lines[i].counts)["uar"] - mean_scores(btl)["uar"]
        assert found[i].p == pytest.approx(p)
        assert found[i].difference == pytest.approx(difference)
        low, high = (100 * bound for bound in found[i].difference_interval)
        assert low <= 100 * difference <= high
        mark = " ▼" if difference <= -0.0005 else ""
        assert cell(found[i], "difference") == f"{100 * difference:+.1f} [{low:+.1f}, {high:+.1f} ‡] (BTL){mark}"
        assert cell(found[i], "p") == f"{p:.3f}"
    for i in (1, 3):
        assert (found[i].p, found[i].difference) == (None, None)
        assert (cell(found[i], "difference"), cell(found[i], "p")) == ("", "")


def test_other_features_do_not_change_a_corrected_p():
    """Holm's family is the tests of one feature: listing another one must not move significance."""
    own = [line("BTL", 0.4, 3), line("FSTL", 0.6, 4, versus="BTL")]
    other = [dataclasses.replace(entry, feature="other") for entry in own]
    assert score_lines([*own, *other], 1)[1].p == score_lines(own, 1)[1].p


def test_a_line_is_tested_against_its_own_feature_and_never_against_a_hole():
    other_feature = Line("BTL", "fbank", FIVE, (), counts_of(0.9, 7), SPEAKERS, cells=6)
    missing = hole("BTL", "byol", "not trained")
    tested = line("EMOFSL", 0.5, 1, versus="BTL")
    assert score_lines([other_feature, missing, tested], 1)[2].difference is None
    own = line("BTL", 0.4, 3)
    difference = score_lines([other_feature, tested, own], 1)[1].difference
    assert difference == pytest.approx(mean_scores(tested.counts)["uar"] - mean_scores(own.counts)["uar"])


def test_scores_do_not_depend_on_the_other_lines_and_repeat():
    alone, again = score_lines([line("BTL")], 1)[0], score_lines([line("EMOFSL", 0.9, 1), line("BTL")], 1)[1]
    assert alone.interval == again.interval
    assert alone.scores["uar"] == again.scores["uar"]
    assert len({score_lines([line("BTL")], seed)[0].interval for seed in range(5)}) > 1


def test_small_p_values():
    found = Scored(line("BTL"), mean_scores(counts_of(0.5, 0)), Interval(0, 1), classes=CLASSES)
    texts = {None: "", 0.0004: "<0.001", 0.0014: "0.001", 0.03: "0.030", 1.0: "1.000"}
    for p, text in texts.items():
        assert cell(dataclasses.replace(found, p=p), "p") == text


def test_intervals_of_few_speakers_are_marked():
    wide = dataclasses.replace(
        line("BTL"), speakers=[f"t-{i}" for i in range(8)], counts=counts_of(0.5, 0)[:, [0] * 8]
    )
    for entry, mark in ((line("BTL"), " ‡"), (wide, "")):
        found = scored(dataclasses.replace(entry, label="LR"), dataclasses.replace(entry, versus="LR"))
        assert ("‡" in cell(found[1], "95 %")) == bool(mark)
        assert ("‡" in cell(found[1], "difference")) == bool(mark)
        assert ("‡" in overview([table_of(found)])) == bool(mark)
