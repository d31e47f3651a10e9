"""Printed values only beside printed settings, and gains that a text claims, by hand-worked numbers."""

from __future__ import annotations

import pytest

from ser.results.gains import gain_records, gain_rows
from ser.results.lines import Line
from ser.results.published import Published
from ser.results.record import row_record
from ser.types import Condition

A, B = Condition.parse("v: a"), Condition.parse("v: b")
PAPER = Published.model_validate(
    {
        "source": "A 2020",
        "features": ["spectrogram"],
        "uar": {"dann": {"v: a": 60, "v: b": 70}, "baseline": {"v: a": 55, "v: b": 62}},
        "gains": [{"system": "dann", "over": "baseline", "conditions": ["v: a", "v: b"], "points": 6.5}],
    }
)


def table(condition: Condition, **uars: float) -> dict:
    rows = [
        {"label": name.partition("__")[0], "feature": name.partition("__")[2], "uar": uar,
         "published_as": name.partition("__")[0].removesuffix("_source")}
        for name, uar in uars.items()
    ]  # fmt: skip
    return {"condition": condition.json, "rows": rows}


def test_a_value_stands_only_beside_the_printed_feature():
    found = {
        feature: row_record(Line("dann", feature, A, published="dann", hole="no GPU"), A, PAPER, {}).get("published")
        for feature in ("spectrogram", "fbank", "-")
    }
    assert found == {"spectrogram": 60, "fbank": None, "-": 60}


def test_gains_are_means_of_differences_on_one_feature():
    tables = [
        table(A, baseline__spectrogram=0.50, dann__spectrogram=0.58, dann_source__spectrogram=0.51, dann__fbank=0.99),
        table(B, baseline__spectrogram=0.60, dann__spectrogram=0.64, dann_source__spectrogram=0.58),
    ]
    [gain] = gain_records(PAPER, tables)
    assert gain["ours"] == {"dann spectrogram": pytest.approx(6.0), "dann_source spectrogram": pytest.approx(-0.5)}
    assert gain_rows([gain])[1] == [
        "dann over baseline", "v: a, v: b", "+6.50", "+6.0 (dann spectrogram), -0.5 (dann_source spectrogram)",
    ]  # fmt: skip
    [gain] = gain_records(PAPER, tables[:1])  # one of its corpora was not run
    assert gain["ours"] == {} and gain_rows([gain])[1][-1] == "not run"


def test_gains_of_a_system_that_is_not_printed_are_refused():
    wrong = PAPER.model_dump() | {"gains": [PAPER.gains[0].model_dump() | {"over": "base"}]}
    with pytest.raises(ValueError, match=r"gains.0: unknown 'base'"):
        Published.model_validate(wrong)
