"""More of each row: UAR by speaker, gender and language, the gaps between them, F1 by emotion.

A table of text for pages in Markdown and the report, from RESULTS.json's keys `groups`, `f1` and `detectable`; and
how `groups` is computed from counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ser.results.measures import number, percent, signed

if TYPE_CHECKING:
    import numpy as np

Json = Mapping[str, Any]

FACTORS = ("gender", "language")
"""Of speakers; a factor that has one value among those tested, or that is not known for all, is left out."""

CALIBRATION = {"ECE": "ece", "NLL": "nll", "Brier": "brier"}
"""Column -> key of RESULTS.json."""

HALF = 4
"""Place of 50 % among `ser.scoring.score.COVERAGES`."""

DEFINITION = """Systems of the paper, references and shortcuts only. worst speaker: the one with the lowest UAR over
the classes that they have, mean over seeds and draws; range: highest minus lowest UAR of speakers. By gender and
language: UAR of all speakers of a group together, and the highest minus the lowest. F1 by class. detectable: the
smallest true difference, in points, from the system that a row is held against that the corrected test would have
found in 80 % of such experiments. ECE (15 bins of equally many utterances), NLL and Brier: of the probabilities that
`predict` gives, on the tested utterances; empty for scores that are no probabilities. Their temperature is fitted on
dev utterances or, with shots, on support utterances left out in turn. errors at 50 %: the share of errors among the
half of the utterances with the most confident answers, the other half unanswered."""


def group_uars(
    counts: np.ndarray, speakers: Sequence[str], factors: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, float]]:
    """Compute UAR by speaker and by what speakers are, over the classes that each group has.

    Args:
        counts: of all seeds and draws, (R, S, C, C), rows true.
        speakers: (S,) names.
        factors: gender and language -> speaker -> its own, where it is known.

    Returns:
        `speaker`, and of `FACTORS` those that have several values and are known for all -> name -> UAR, mean over R.
    """
    import numpy as np

    from ser.metrics.classification import scores_of_confusion

    found = {"speaker": dict(zip(speakers, scores_of_confusion(counts)["uar"].mean(0).tolist(), strict=True))}
    for factor in FACTORS:
        values = [factors.get(factor, {}).get(speaker) for speaker in speakers]
        if None not in values and len(set(values)) > 1:
            found[factor] = {
                name: float(scores_of_confusion(counts[:, np.array(values) == name].sum(1))["uar"].mean())
                for name in sorted(set(values))
            }
    return found


def worst(uars: Mapping[str, float]) -> str:
    """Name the group with the lowest UAR, of equal ones the first.

    Example:
        >>> worst({"a-1": 0.7, "a-2": 0.4, "a-3": 0.4})
        'a-2'
    """
    return min(uars, key=uars.__getitem__)


def gap(uars: Mapping[str, float]) -> float:
    """Give the highest minus the lowest UAR."""
    return max(uars.values()) - min(uars.values())


def group_rows(table: Json) -> list[list[str]]:
    """Print a table's rows by group, names first; empty where no row has groups."""
    rows = [row for row in table["rows"] if "groups" in row]
    if not rows:
        return []
    factors = {name: sorted({v for row in rows for v in row["groups"].get(name, {})}) for name in FACTORS}
    factors = {name: values for name, values in factors.items() if values}
    classes = [name for name in table["classes"] if any(row.get("f1", {}).get(name) is not None for row in rows)]
    header = ["system", "feature", "worst speaker", "range"]
    header += [name for values in factors.values() for name in (*values, "gap")]
    header += [*(f"F1 {name}" for name in classes), "detectable", *CALIBRATION, "errors at 50 %"]
    body = []
    for row in rows:
        of_speakers = row["groups"]["speaker"]
        lowest = worst(of_speakers)
        cells = [row["label"], row["feature"], f"{lowest} {percent(of_speakers[lowest])}", percent(gap(of_speakers))]
        for name, values in factors.items():
            own = row["groups"].get(name, {})
            cells += [*(percent(own.get(value)) for value in values), percent(gap(own)) if own else ""]
        cells += [percent(row.get("f1", {}).get(name)) for name in classes]
        detectable = row.get("detectable")
        cells.append("" if detectable is None else signed(100 * detectable).removeprefix("+"))
        cells += [number(row.get(key)) for key in CALIBRATION.values()]
        body.append([*cells, percent(row["risk_coverage"][HALF]) if "risk_coverage" in row else ""])
    filled = [i for i in range(len(header)) if any(cells[i] for cells in body)]
    return [[cells[i] for i in filled] for cells in (header, *body)]
