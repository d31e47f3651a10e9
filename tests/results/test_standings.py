"""Who stands at the top of a table, who ties, who loses by adapting: by counts whose tests are known by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ser.metrics.uncertainty import corrected, difference, sample_of
from ser.results import scores as results
from ser.results.lines import Line, reference_lines
from ser.results.measures import BEST, TIE
from ser.results.record import table_record
from ser.results.scores import Scored, score_lines
from ser.results.sections import page_rows
from ser.results.standings import with_standings
from ser.results.words import NOTES
from ser.types import Condition

N_SPEAKERS = 8
FIVE = Condition(shots=5)


def counts_of(right: list[int]) -> np.ndarray:
    """Two classes with four utterances each per speaker; of each class, `right[speaker]` are recognized."""
    return np.array([[[[[n, 4 - n], [4 - n, n]] for n in right]]])


def line(label: str, right: int | list[int], **more) -> Line:
    of_speakers = [right] * N_SPEAKERS if isinstance(right, int) else right
    speakers = [f"t-{i}" for i in range(len(of_speakers))]
    own = {"feature": "byol", "counts": counts_of(of_speakers), "seeds": (1,), "speakers": speakers, "cells": 2}
    return Line(label, condition=FIVE, **own | more)


def standings(*lines: Line) -> dict[str, results.Standing]:
    told = with_standings(score_lines(lines))
    return {entry.line.label: entry.standing for entry in told if isinstance(entry, Scored)}


def test_ties_are_rows_that_the_corrected_test_cannot_tell_from_the_best():
    rows = [
        line("best", [4, 3] * 4, target_data=("k-shot",)),
        line("tie", [4, 3] * 3 + [3, 3], target_data=("k-shot",)),
        line("worse", 2, target_data=("k-shot",)),
    ]
    told = standings(*rows)
    samples = [sample_of(row.counts, False) for row in rows]
    found = corrected([difference(samples[0 + i], samples[0]) for i in (1, 2)])
    # Speakers differ by 0 seven times and by 1/4 once: mean and its standard error are both 1/32, t = 1.
    assert found[0].se == pytest.approx(1 / 32)
    assert [told["tie"].best.found, told["worse"].best.found] == found
    assert told["worse"].best.found.value == pytest.approx(0.5 - 28 / 32)
    assert told["best"].is_best and told["best"].is_best_of_all and told["best"].best is None
    assert told["tie"].best.is_tie and not told["worse"].best.is_tie
    assert (told["tie"].best.label, told["tie"].best.feature) == ("best", "byol")


def test_at_chance_there_is_no_best():
    """Half of two classes are recognized, on average: whoever is first there is first by chance."""
    told = standings(line("one", [3, 1, 3, 1, 2, 2, 3, 2]), line("two", [1, 3, 1, 3, 2, 2, 2, 1]))
    assert set(told.values()) == {results.Standing()}
    above = standings(line("one", [3, 4, 3, 4, 4, 4, 3, 4]), line("two", [1, 3, 1, 3, 2, 2, 2, 1]))
    assert above["one"].is_best_of_all


def test_of_one_training_there_is_no_test():
    told = standings(line("one", 4, is_random=True), line("two", 3, is_random=True))
    assert told["two"].best.found.p is None
    assert not told["two"].best.is_tie


def test_a_labelled_row_is_never_the_best_of_those_without():
    told = standings(
        line("ceiling", 4, target_data=("labelled",)),
        line("adapted", 3, target_data=("unlabelled-test",)),
        line("other", 2, target_data=("unlabelled-test",)),
    )
    assert told["ceiling"] == results.Standing()  # alone among its like, and no candidate for the best of all
    assert told["adapted"].is_best_of_all
    assert told["other"].best.label == "adapted"


def test_where_all_are_trained_on_labels_of_the_tested_corpus_none_is_a_ceiling():
    told = standings(
        line("best", 4, target_data=("labelled",)),
        line("worse", 2, target_data=("labelled",)),
        line("speaker", 3, target_data=("labelled", "unlabelled-test")),
    )
    assert [told[name].is_best_of_all for name in ("best", "worse", "speaker")] == [True, False, False]
    assert not told["worse"].best.is_tie
    assert told["speaker"].best_of_all.label == "best"
    assert told["speaker"].source_only is None


@pytest.mark.parametrize(
    "change", [{"feature": "fbank"}, {"target_data": ("unlabelled-test",)}, {"stamps": ["SPEAKER-DEPENDENT"]}]
)
def test_rows_with_other_rights_are_not_held_against_each_other(change):
    told = standings(line("one", 4), line("two", 3), line("other", 3, **change), line("last", 2, **change))
    assert told["two"].best.label == "one"
    assert told["last"].best.label == "other"
    assert told["other"].best is None
    stamped = "stamps" in change
    assert (told["other"].best_of_all is None) == stamped  # a stamped row is comparable with no unstamped one
    assert told["other"].is_best
    assert not told["other"].is_best_of_all


def test_stamps_that_all_rows_share_shut_none_out():
    stamps = {"stamps": ["SPEAKER-DEPENDENT"]}
    assert standings(line("one", 4, **stamps), line("two", 3, **stamps))["one"].is_best_of_all


def test_the_best_of_other_kinds_are_tested_against_the_best_of_all():
    told = standings(
        line("one", 4),
        line("near", [4, 3] * 4, target_data=("k-shot",)),
        line("nearer", [3] * 8, target_data=("k-shot",)),
        line("far", 2, target_data=("unlabelled-test",)),
    )
    assert told["one"].is_best_of_all
    assert told["near"].is_best and told["near"].best_of_all.is_tie
    assert not told["far"].is_best and not told["far"].best_of_all.is_tie
    assert told["near"].best_of_all.found.p > 0.05
    assert told["far"].best_of_all.found.p < 0.05
    assert told["nearer"].best_of_all is None


def test_worse_than_without_adapting_is_marked_against_the_first_row_that_saw_nothing():
    told = standings(
        line("source_only", 3),
        line("source_only_too", 1),
        line("harmed", 2, target_data=("unlabelled-test",)),
        line("helped", 4, target_data=("k-shot",)),
        line("ceiling", 2, target_data=("labelled",)),
        line("elsewhere", 1, target_data=("k-shot",), feature="fbank"),
    )
    assert told["harmed"].source_only.label == "source_only"
    assert told["harmed"].source_only.found.value == pytest.approx(-0.25)
    assert results.is_surely_worse(told["harmed"].source_only.found)
    assert told["helped"].source_only.found.value == pytest.approx(0.25)
    assert not results.is_surely_worse(told["helped"].source_only.found)
    assert told["ceiling"].source_only is None
    assert told["elsewhere"].source_only is None
    assert told["source_only_too"].source_only is None


def test_rows_tested_on_other_utterances_are_not_compared():
    """Another corpus' reference may stand in a table; its counts cannot be paired."""
    fewer = dataclasses.replace(line("fewer", 1), counts=counts_of([1] * (N_SPEAKERS - 1)))
    told = standings(line("one", 4), fewer, line("two", 3))
    assert told["fewer"].best is None
    assert told["fewer"].best_of_all is None
    assert told["two"].best.label == "one"


def test_chance_majority_and_holes_stand_aside():
    entries = score_lines(
        [
            *reference_lines(line("one", 4), ("high", "low"), "high"),
            line("one", 4),
            Line("hole", "byol", FIVE, hole="h"),
        ],
    )
    told = with_standings(entries)
    assert [entry.standing.is_best_of_all for entry in told[:3]] == [False, False, True]
    assert told[3] is entries[3]


def test_a_table_of_holes_stays_one():
    holes = [Line("hole", "byol", FIVE, hole="h")]
    assert with_standings(holes) == holes


def test_marks_are_printed_and_defined():
    entries = with_standings(score_lines([line("one", 4), line("two", 3)], ("high", "low")))
    table = table_record(FIVE, entries, ("high", "low"), None, {})
    place = page_rows(table)[0].index("notes")
    assert [row[place] for row in page_rows(table)] == ["notes", "★", ""]
    defined = {term for term, _ in NOTES}
    assert {BEST, TIE, "best of its kind", "worse than", "one training", "predicts one class"} <= defined
