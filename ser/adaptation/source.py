"""All features are standardized by mean and deviation of the labelled source."""

from __future__ import annotations

from ser.adaptation.base import ALL, Seen, State, mean_and_deviation, standardized

SEES: frozenset[str] = frozenset()
GROUP = None
MOVES_SOURCE = False


def fit(seen: Seen) -> State:
    """Compute the statistics of the source, (2, D)."""
    return {ALL: mean_and_deviation(seen.blocks(seen.source))}


apply = standardized
