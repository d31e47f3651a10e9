"""Each corpus is standardized by mean and deviation of its own training audio; one without any, as `source` does."""

from __future__ import annotations

from ser.adaptation import source
from ser.adaptation.base import Seen, State, mean_and_deviation, standardized

SEES = frozenset({"unlabelled-train"})
GROUP = "corpus"
MOVES_SOURCE = False


def fit(seen: Seen) -> State:
    """Compute the statistics of the source and of each corpus, (2, D) each."""
    own = {name: mean_and_deviation(seen.blocks(utts)) for name, utts in seen.corpora.items()}
    return {**source.fit(seen), **own}


apply = standardized
