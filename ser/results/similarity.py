"""Cosine of pairs by layer (Xiang, Fig. 4) in numbers: where positive pairs pass negative ones, and how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
Curve = Sequence[Sequence[float]]
"""Mean, lower and upper bound, (L,) each."""

TIMES = {"before": "before stage one", "after": "after stage one"}
"""When curves were taken."""

ALL = "{when}.raw.{kind}"
"""Name of the curve of all pairs of a kind: the paper's own."""


def nearer_from(positive: Sequence[float], negative: Sequence[float]) -> int | None:
    """Name the layer from which on positive pairs are nearer than negative ones, None if they are not at the last.

    Example:
        >>> nearer_from([0.5, 0.6, 0.8, 0.9], [0.4, 0.7, 0.7, 0.3])
        2
    """
    above = [p > n for p, n in zip(positive, negative, strict=True)]
    if not above[-1]:
        return None
    return max((layer + 1 for layer, is_above in enumerate(above) if not is_above), default=0)


def rows(similarity: Sequence[Json]) -> list[list[str]]:
    """Lay out where the curves of all pairs cross and where they end, a header first; empty without such curves.

    Args:
        similarity: of RESULTS.json.
    """
    header = ["system", "feature", "task", "when", "positive nearer from layer", "published", "positive, last layer",
              "published", "negative, last layer", "published"]  # fmt: skip
    found = []
    for row in similarity:
        for when, told in TIMES.items():
            positive, negative = (row["curves"].get(ALL.format(when=when, kind=k)) for k in ("positive", "negative"))
            if positive is None or negative is None:
                continue
            paper = row.get("published", {}).get(when, {})
            layer = nearer_from(positive[0], negative[0])
            first = "none" if layer is None else str(layer)
            names = [row["label"], row["feature"], row["task"], told]
            found.append([*names, first, _printed(paper, "nearer_from"), _last(positive), _printed(paper, "positive"),
                          _last(negative), _printed(paper, "negative")])  # fmt: skip
    if not found:
        return []
    filled = [i for i in range(len(header)) if header[i] != "published" or any(cells[i] for cells in found)]
    return [[cells[i] for i in filled] for cells in (header, *found)]


def _last(curve: Curve) -> str:
    mean, low, high = (values[-1] for values in curve)
    return f"{mean:.2f} [{low:.2f}-{high:.2f}]"


def _printed(paper: Json, key: str) -> str:
    value = paper.get(key, "")
    return "none" if value is None else f"{value:.2g}" if isinstance(value, float) else str(value)
