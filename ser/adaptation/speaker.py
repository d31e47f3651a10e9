"""Each speaker is standardized by mean and deviation of all their utterances, tested ones included."""

from __future__ import annotations

from ser.adaptation.base import Seen, State, mean_and_deviation, standardized

SEES = frozenset({"unlabelled-train", "unlabelled-test"})
GROUP = "speaker"
MOVES_SOURCE = False


def fit(seen: Seen) -> State:
    """Compute the statistics of each speaker, (2, D) each."""
    return {name: mean_and_deviation(seen.blocks(utts)) for name, utts in seen.speakers.items()}


apply = standardized
