"""Cosine of pairs by layer in numbers, next to what a paper's figure shows, by hand-worked curves."""

from __future__ import annotations

import pytest

from ser.results import render
from ser.results.published import Published
from ser.results.similarity import nearer_from, rows
from ser.results.tables import _printed_similarity

CURVES = {
    f"{when}.raw.{kind}": [mean, [m - 0.01 for m in mean], [m + 0.02 for m in mean]]
    for when, kind, mean in (
        ("before", "positive", [0.1, 0.2, 0.3]), ("before", "negative", [0.2, 0.3, 0.4]),
        ("after", "positive", [0.1, 0.6, 0.95]), ("after", "negative", [0.2, 0.5, 0.41]),
    )
}  # fmt: skip
PAPER = {
    "source": "X",
    "uar": {"supcon_wavlm": {"iemocap": 77.41}},
    "features": ["wavlm"],
    "similarity": {
        "supcon_wavlm": {"before": {"nearer_from": None}, "after": {"nearer_from": 8, "positive": 1, "negative": 0.4}}
    },
}


class Row:
    """As much of a row as is asked for."""

    def __init__(self, published: str | None, feature: str):
        self.published, self.feature = published, feature


class Page:
    published = Published.model_validate(PAPER)


@pytest.mark.parametrize("positive, negative, expected", [
    ([1, 1, 1], [0, 0, 0], 0), ([0, 1, 1], [1, 0, 0], 1), ([1, 0, 1], [0, 1, 0], 2), ([1, 1, 0], [0, 0, 1], None),
    ([1, 1], [1, 1], None),
])  # fmt: skip
def test_the_layer_from_which_on_positive_pairs_are_nearer(positive, negative, expected):
    assert nearer_from(positive, negative) == expected


def test_numbers_stand_next_to_those_of_the_paper():
    row = {"label": "supcon", "feature": "wavlm", "task": "t", "curves": CURVES}
    row |= _printed_similarity(Page, Row("supcon_wavlm", "wavlm"))
    header, before, after = rows([row])
    assert header[4:] == ["positive nearer from layer", "published", "positive, last layer", "published",
                          "negative, last layer", "published"]  # fmt: skip
    assert before[3:] == ["before stage one", "none", "none", "0.30 [0.29-0.32]", "", "0.40 [0.39-0.42]", ""]
    assert after[3:] == ["after stage one", "1", "8", "0.95 [0.94-0.97]", "1", "0.41 [0.40-0.43]", "0.4"]


def test_a_row_with_other_settings_has_numbers_alone():
    for row in (Row("supcon_wavlm", "fbank"), Row(None, "wavlm"), Row("ft_wavlm", "wavlm")):
        assert _printed_similarity(Page, row) == {}
    found = rows([{"label": "supcon_lite", "feature": "fbank", "task": "", "curves": CURVES}])
    assert "published" not in found[0] and len(found[1]) == 7
    assert rows([]) == rows([{"label": "a", "feature": "f", "task": "", "curves": {}}]) == []


def test_checkpoints_of_a_system_that_is_not_printed_are_refused():
    wrong = PAPER | {"similarity": {"supcon": {"after": {"positive": 0.9}}}}
    with pytest.raises(ValueError, match=r"similarity.supcon: unknown 'supcon'"):
        Published.model_validate(wrong)


def test_they_stand_on_the_page_and_in_the_terminal():
    record = {"title": "A and B", "environment": {}, "stamps": [], "tables": [], "source": None, "fits": [],
              "similarity": [{"label": "supcon", "feature": "wavlm", "task": "t", "curves": CURVES}]}  # fmt: skip
    printed = render.text(record)
    assert "A and B: cosine of pairs by layer\n" in printed and "after stage one   1" in printed
