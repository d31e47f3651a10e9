"""Risk-coverage curves: the share of errors among the answers, by how many utterances are answered.

The most confident answers come first (El-Yaniv & Wiener 2010). A flat curve says that confidence tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ser.report import charts
from ser.report.charts import N_COLORS, Series

SHOWN = ("paper", "beside", "shortcut")
"""Kinds of rows that have a curve, next to the best of all."""


def risk_charts(record: Mapping[str, Any], table: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """Draw the curves of a table, a chart for each feature: its name, and the chart.

    Rows without probabilities have none. Of more rows than a chart has colors, the first ones are shown, and of
    several numbers of shots the fewest, so that the report stays small; RESULTS.json has all curves.
    """
    shots = [one["condition"]["shots"] for one in record["tables"] if one["condition"]["shots"] is not None]
    if shots and table["condition"]["shots"] not in (None, min(shots)):
        return []
    by_feature: dict[str, list[Series]] = {}
    for row in table["rows"]:
        if "risk_coverage" in row and (row["kind"] in SHOWN or row.get("is_best_of_all")):
            errors = [100 * risk for risk in row["risk_coverage"]]
            answered = [100 * n / len(errors) for n in range(1, len(errors) + 1)]  # `ser.scoring.score.COVERAGES`
            by_feature.setdefault(row["feature"], []).append(Series(row["label"], answered, errors))
    return [
        (
            feature,
            charts.lines(
                series[:N_COLORS],
                "answered (%)",
                "errors among them (%)",
                f"{record['title']}: errors by share of utterances answered, {feature}",
                [20, 40, 60, 80, 100],
            ),
        )
        for feature, series in by_feature.items()
    ]
