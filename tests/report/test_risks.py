"""Risk-coverage curves in the report: whose, and where their points are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ser.report.charts import N_COLORS
from ser.report.risks import risk_charts
from tests.report.records import CHANCE, record, row, table

RISKS = [0.05 * n for n in range(10)]


def curves(svg: str) -> list[np.ndarray]:
    """Read the points of each line, (n, 2)."""
    found = re.findall(r'class="line c\d" d="([^"]+)"', svg)
    return [np.array(re.findall(r"([\d.]+) ([\d.]+)", d), float) for d in found]


def charts_of(*rows):
    own = table("B", [CHANCE, *rows])
    return risk_charts(record("a2b", [own]), own)


def test_a_curve_has_the_errors_at_each_tenth_of_the_answers():
    charts = charts_of(row("flat", 0.6, risk_coverage=[0.45] * 10), row("steep", 0.6, risk_coverage=RISKS))
    ((feature, svg),) = charts
    assert feature == "byol" and "Title of a2b: errors by share of utterances answered, byol" in svg
    flat, steep = curves(svg)
    assert len(set(flat[:, 1])) == 1 and flat[0, 1] == steep[-1, 1]  # both end at 45 %
    assert np.diff(steep[:, 0]) == pytest.approx(np.diff(steep[:, 0]).mean(), abs=0.11)  # 10, 20, ... %
    assert np.diff(steep[:, 1]) == pytest.approx(np.diff(steep[:, 1]).mean(), abs=0.11)
    assert np.diff(steep[:, 1]).mean() < 0  # up the page, as errors grow
    assert svg.count("<figure") <= 1 and all(f">{name}<" in svg for name in ("flat", "steep", "20", "100"))


def test_which_systems_have_a_curve():
    rows = [
        row("without", 0.6),
        row("variant", 0.6, kind="variant", risk_coverage=RISKS),
        row("best", 0.6, kind="variant", is_best_of_all=True, risk_coverage=RISKS),
        row("other", 0.6, feature="fbank", risk_coverage=RISKS),
    ]
    found = dict(charts_of(*rows))
    assert list(found) == ["byol", "fbank"]
    assert ">best<" in found["byol"] and ">other<" in found["fbank"]
    assert not any(f">{name}<" in svg for svg in found.values() for name in ("without", "variant"))
    assert charts_of(row("without", 0.6)) == []


def test_a_chart_has_no_more_curves_than_colors():
    ((_, svg),) = charts_of(*(row(f"row{n}", 0.6, risk_coverage=RISKS) for n in range(N_COLORS + 2)))
    assert len(curves(svg)) == N_COLORS


def test_of_several_numbers_of_shots_the_fewest_have_charts():
    five, ten = (table("B", [CHANCE, row("a", 0.6, risk_coverage=RISKS)], shots=k) for k in (5, 10))
    whole = record("a2b", [five, ten])
    assert [name for name, _ in risk_charts(whole, five)] == ["byol"] and risk_charts(whole, ten) == []
