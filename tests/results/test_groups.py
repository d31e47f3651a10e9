"""Scores by speaker, gender and language: by hand, and as they are printed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ser.metrics.classification import scores_of_confusion
from ser.results.groups import gap, group_rows, group_uars, worst
from tests.results.tables import line, scored, table_of

COUNTS = np.array([[[[4, 0], [2, 2]], [[1, 3], [0, 0]], [[0, 2], [0, 2]]]])
"""Recalls of three speakers: 1 and 1/2, 1/4 and none, 0 and 1."""

SPEAKERS = ("t-1", "t-2", "t-3")


def test_groups_by_hand():
    factors = {"gender": {"t-1": "f", "t-2": "m", "t-3": "m"}, "language": dict.fromkeys(SPEAKERS, "de")}
    found = group_uars(np.concatenate([COUNTS, COUNTS]), SPEAKERS, factors)
    assert set(found) == {"speaker", "gender"}  # all have one language
    assert found["speaker"] == pytest.approx({"t-1": 0.75, "t-2": 0.25, "t-3": 0.5})
    assert found["gender"] == pytest.approx({"f": 0.75, "m": (1 / 6 + 1) / 2})
    assert worst(found["speaker"]) == "t-2" and gap(found["speaker"]) == pytest.approx(0.5)
    assert set(group_uars(COUNTS, SPEAKERS, {"gender": {"t-1": "f", "t-2": "m"}})) == {"speaker"}  # one is unknown


def test_f1_by_class():
    # angry: 5 of 10 right, 2 more taken for it; sad: 4 of 6 right, 5 more
    assert scores_of_confusion(COUNTS.sum(1))["f1"][0] == pytest.approx([2 * 5 / (10 + 7), 2 * 4 / (6 + 9)])


def test_a_page_names_the_worst_speaker_the_gaps_and_what_could_be_found():
    own = line("EMOFSL", 0.8, 1, versus="BTL")
    own = dataclasses.replace(own, factors={"gender": {name: "fm"[i % 2] for i, name in enumerate(own.speakers)}})
    found = scored(line("BTL"), own)
    header, btl, emofsl = group_rows(table_of(found))
    cells = dict(zip(header, emofsl, strict=True))
    uars = group_uars(own.repetitions, own.speakers, own.factors)
    lowest = min(uars["speaker"], key=uars["speaker"].get)
    assert cells["worst speaker"] == f"{lowest} {100 * uars['speaker'][lowest]:.1f}"
    assert (cells["f"], cells["m"]) == tuple(f"{100 * uars['gender'][g]:.1f}" for g in "fm")
    assert cells["gap"] == f"{100 * abs(uars['gender']['f'] - uars['gender']['m']):.1f}"
    assert cells["detectable"] == f"{100 * found[1].against.detectable:.1f}"
    assert cells["F1 sad"] == f"{100 * found[1].scores['f1'][2]:.1f}"
    without = dict(zip(header, btl, strict=True))
    assert (without["f"], without["detectable"]) == ("", "")
    assert group_rows(table_of([])) == []
