"""From counts to scores: differences, intervals and p on the lines they belong to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ser.metrics.statistics import mean_scores
from ser.metrics.uncertainty import corrected, difference, sample_of, uar_estimate
from ser.results.lines import Line
from ser.results.scores import score_lines, scored_line
from tests.results.tables import FIVE, SPEAKERS, cell, counts_of, hole, line, scored


def sample(of: Line):
    return sample_of(of.counts, of.is_random, of.seeds)


def uar(of: Line) -> float:
    return float(mean_scores(of.repetitions)["uar"])


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
    btl = sample(lines[3])
    tested = [0, 4, 5]
    expected = corrected([difference(sample(lines[i]), btl) for i in tested])
    assert len({one.p for one in expected}) > 1
    for i, one in zip(tested, expected, strict=True):
        assert found[i].against == one
        assert one.value == pytest.approx(uar(lines[i]) - uar(lines[3]))
        low, high = (100 * bound for bound in one.interval)
        assert cell(found[i], "difference") == f"{100 * one.value:+.1f} [{low:+.1f}, {high:+.1f}] (BTL)"
        assert ("worse than BTL" in cell(found[i], "notes")) == (one.p < 0.05 and one.value < 0)
        assert cell(found[i], "p") == (f"{one.p:.3f}" if one.p >= 0.001 else "<0.001")
    for i in (1, 3):
        assert found[i].against is None
        assert (cell(found[i], "difference"), cell(found[i], "p")) == ("", "")


def test_lines_held_against_others_do_not_change_a_corrected_p():
    """A family is the lines of one feature that are held against the same one."""
    own = [line("BTL", 0.4, 3), line("FSTL", 0.6, 4, versus="BTL")]
    other = [dataclasses.replace(entry, feature="other") for entry in own]
    more = line("FSTL, sum", 0.6, 5, versus="FSTL")
    assert score_lines([*own, *other, more])[1].against == score_lines(own)[1].against
    like = line("EMOFSL", 0.6, 6, versus="BTL")
    p = [score_lines(lines)[1].against.p for lines in (own, [*own, like])]
    assert p[1] == pytest.approx(min(1, 2 * p[0]))


def test_a_line_is_tested_against_its_own_feature_and_never_against_a_hole():
    other_feature = dataclasses.replace(line("BTL", 0.9, 7), feature="fbank")
    missing = hole("BTL", "byol", "not trained")
    tested = line("EMOFSL", 0.5, 1, versus="BTL")
    assert score_lines([other_feature, missing, tested])[2].against is None
    own = line("BTL", 0.4, 3)
    assert score_lines([other_feature, tested, own])[1].against.value == pytest.approx(uar(tested) - uar(own))


def test_unequal_seeds_are_compared_on_the_common_ones():
    one = line("BTL", counts=counts_of(0.5, 3, seeds=5)[:, None], seeds=(1, 2, 3, 4, 5))
    other = line("EMOFSL", counts=counts_of(0.7, 4, seeds=2)[:, None], seeds=(2, 7), versus="BTL")
    found = scored(one, other)[1]
    alike = scored_line(dataclasses.replace(other, counts=other.counts[:1], seeds=(2,)))
    its = scored_line(dataclasses.replace(one, counts=one.counts[1:2], seeds=(2,)))
    assert found.against.value == pytest.approx(alike.scores["uar"] - its.scores["uar"])
    assert found.against.one_training and found.against.p is None
    assert cell(found, "difference").endswith("] (BTL, 1 seed)")
    none = dataclasses.replace(other, seeds=(6, 7))
    assert scored(one, none)[1].against is None


def test_what_is_not_random_is_the_same_for_every_seed():
    fixed = line("LR", counts=counts_of(0.5, 3, seeds=1)[:, None], seeds=(1,), is_random=False)
    found = scored(fixed, line("BTL", 0.6, 4, versus="LR"))[1]
    assert found.against.p is not None and found.against.seeds == ()
    assert found.against.value == pytest.approx(found.scores["uar"] - scored_line(fixed).scores["uar"])


def test_scores_are_those_of_the_counts_whatever_else_is_listed():
    alone, again = scored(line("BTL"))[0], scored(line("EMOFSL", 0.9, 1), line("BTL"))[1]
    assert alone.interval == again.interval == uar_estimate(line("BTL").counts, True).interval
    assert alone.scores["uar"] == again.scores["uar"]


def test_small_p_values():
    found = scored(line("LR", 0.4, 1), line("BTL", versus="LR"))[1]
    texts = {None: "", 0.0004: "<0.001", 0.0014: "0.001", 0.03: "0.030", 1.0: "1.000"}
    for p, text in texts.items():
        assert cell(dataclasses.replace(found, against=found.against._replace(p=p)), "p") == text


def test_intervals_of_one_training_are_marked_and_have_no_p():
    once = [
        line(name, counts=counts_of(0.5, i, seeds=1)[:, None], seeds=(1,)) for i, name in enumerate(("LR", "BTL"))
    ]
    for lines, is_marked in ((once, True), ([line("LR"), line("BTL", 0.4, 2)], False)):
        found = scored(lines[0], dataclasses.replace(lines[1], versus="LR"))
        assert ("one training" in cell(found[1], "notes")) == is_marked
        assert (cell(found[1], "p") == "") == is_marked
        assert cell(found[1], "seeds") == ("1" if is_marked else "3")


def test_where_one_speaker_has_a_class_there_is_no_interval():
    counts = np.zeros((1, 1, len(SPEAKERS), 3, 3))
    counts[..., 0, 0], counts[..., 1, 1], counts[0, 0, 2, 2, 2] = 3, 2, 4
    lone = Line("LR", "byol", FIVE, (), counts, (1,), False, SPEAKERS, cells=1)
    found = scored(lone, dataclasses.replace(lone, label="BTL", versus="LR"))
    assert cell(found[0], "95 %") == "" and cell(found[1], "p") == ""
    assert cell(found[1], "difference") == "+0.0 (LR)"
