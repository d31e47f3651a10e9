"""Lines of tables: seeds joined, references, stamps, and systems that a paper cites."""

from __future__ import annotations

import numpy as np
import pytest

from ser.results import lines as results
from ser.results.lines import confusion_shares, line_of, published_lines, reference_lines
from ser.results.published import Published
from ser.results.sections import markdown_table, overview
from ser.types import Condition
from tests.results.tables import (
    CLASSES,
    FIVE,
    N_TRUE,
    SPEAKERS,
    TEN,
    cell,
    counts_of,
    line,
    scored,
    table_of,
)


def run_of(counts: np.ndarray, folds: float | None = 0.5, one_class: int = 0, episodic: float | None = 0.5) -> dict:
    """Make a seed's `metrics.json`, as far as tables use it."""
    of_shots = {
        "counts": counts.tolist(),
        "speakers": SPEAKERS,
        "uar_mean_of_folds": folds,
        "episodic": {"uar": episodic},
        "one_class_cells": one_class,
        "cells": 2 * len(counts),
    }
    conditions = {"5": of_shots, "10": of_shots | {"counts": (2 * counts).tolist()}}
    return {"target_data": ["k-shot"], "conditions": conditions}


ONCE = {"seeds": (1,), "is_random": False}


def test_line_joins_seeds():
    one, two = counts_of(0.5, 1), counts_of(0.5, 2)
    runs = [run_of(one, 0.4, 1, 0.3), run_of(two, 0.5, 2, 0.6)]
    five, ten = line_of("EMOFSL", "byol", "BTL", runs, "emofsl", ["stamp"], seeds=(1, 2), is_random=True)
    assert (five.label, five.feature, five.condition, five.versus) == ("EMOFSL", "byol", FIVE, "BTL")
    assert np.array_equal(five.counts, np.array([one, two]))
    assert np.array_equal(five.repetitions, np.concatenate([one, two]))
    assert (five.seeds, five.is_random) == ((1, 2), True)
    assert (five.published, five.stamps) == ("emofsl", ["stamp"])
    assert five.measured == {"uar_mean_of_folds": pytest.approx(0.45), "episodic": pytest.approx(0.45)}
    assert (five.one_class, five.cells) == (3, 12)
    assert (five.target_data, five.speakers) == (["k-shot"], SPEAKERS)
    assert ten.condition == TEN
    assert np.array_equal(ten.counts, 2 * five.counts)


def test_line_has_no_mean_of_folds_where_a_fold_lacks_a_class():
    [line, _] = line_of("BTL", "byol", None, [run_of(counts_of(0.5, 1), None, episodic=None)], **ONCE)
    assert line.measured == {}


def test_conditions_have_the_task_or_the_target_of_their_recipe():
    run = run_of(counts_of(0.5, 1))
    assert [one.condition for one in line_of("BTL", "byol", None, [run], target="t", **ONCE)] == [
        Condition(corpus="t", shots=5), Condition(corpus="t", shots=10)
    ]  # fmt: skip
    run["conditions"] = {"emodb, rotation": run["conditions"]["5"]}
    run["speaker_dependent"] = ["emodb, rotation"]
    [rotation] = line_of("BTL", "byol", None, [run], task="arousal", **ONCE)
    assert rotation.condition == Condition("arousal", "emodb", rotation=True)
    assert rotation.stamps == ["SPEAKER-DEPENDENT"]


def test_chance_and_majority():
    chance, majority = (scored(entry)[0] for entry in reference_lines(line("BTL"), CLASSES, "angry"))
    assert chance.scores["uar"] == pytest.approx(1 / 3)
    assert chance.scores["wa"] == pytest.approx(1 / 3)
    assert chance.scores["recall"] == pytest.approx([1 / 3] * 3)
    share = 22 / N_TRUE.sum()
    assert majority.line.label == "majority (angry)"
    assert majority.scores["uar"] == pytest.approx(1 / 3)
    assert majority.scores["wa"] == pytest.approx(share)
    assert majority.scores["macro_f1"] == pytest.approx(2 * share / (share + 1) / 3)
    assert majority.scores["recall"].tolist() == [1, 0, 0]
    for entry in (chance, majority):
        assert [cell(entry, name) for name in ("UAR", "95 %", "sd", "folds", "episodic", "sees", "p")] == [
            "33.3", "", "", "", "", "nothing", "",
        ]  # fmt: skip


# ---- Stamps of rows -------------------------------------------------------------------------------------------


def test_speaker_statistics_are_stamped_where_most_speakers_have_one_class():
    counted = {"ravdess": [0, 24], "urdu": [26, 29]}
    assert results.row_stamps("speaker", counted) == ["speaker ~ emotion"]
    assert results.row_stamps("corpus", counted) == []
    assert results.row_stamps("none", counted) == []
    assert results.row_stamps("speaker", {"half": [5, 10]}) == []
    assert results.row_stamps("speaker", {}) == []
    [explained] = results.page_stamps(counted)
    assert explained.startswith("speaker ~ emotion: 26 of 29 speakers of urdu ")
    assert results.page_stamps({"half": [5, 10]}) == []


# ---- Corpora that lack classes, and what a paper cites ------------------------------------------------------------


def test_classes_that_a_corpus_lacks_are_no_part_of_its_references_and_leave_cells_empty():
    counts = counts_of(0.5, 1)
    counts[..., 2, :] = 0  # no utterance of the third class
    lacking = line("BTL", counts=counts[:, None])
    chance, majority = reference_lines(lacking, CLASSES, CLASSES[0])
    n_present = len(CLASSES) - 1
    found = scored(chance, majority, lacking)
    assert [cell(entry, "UAR") for entry in found[:2]] == [f"{100 / n_present:.1f}"] * 2
    assert cell(found[2], CLASSES[2]) == "" and cell(found[2], CLASSES[0]) != ""
    assert not np.isnan(confusion_shares(lacking)).any()


def test_systems_that_a_paper_cites_stand_in_the_tables_of_their_corpora_only():
    paper = Published.model_validate(
        {"source": "X", "tasks": ["t"], "uar": {"own": {"a": 70.0, "b": 80.0}, "other": {"a": 60.0}}}
    )
    a, b, elsewhere = Condition("t", "a"), Condition("t", "b"), Condition("u", "a")
    (cited,) = published_lines(paper, {"own", None}, a)
    assert (cited.label, cited.hole, cited.condition) == ("other", None, a)
    assert published_lines(paper, {"own"}, b) == published_lines(paper, {"own"}, elsewhere) == []
    assert published_lines(None, set(), a) == []
    own = line("own", published="own")
    tables = [table_of(scored(own, *published_lines(paper, {"own"}, c)), paper, c) for c in (a, b)]
    (row,) = [text for text in markdown_table(tables[0], True).splitlines() if text.startswith("| other")]
    assert "60.00" in row and "not run" not in row
    assert "other" not in overview(tables, True)
