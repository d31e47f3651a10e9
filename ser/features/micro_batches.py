"""Dividing a batch of utterances into parts that are bounded by length, not by count."""

from __future__ import annotations

from collections.abc import Sequence


def micro_batches(seconds: Sequence[float], max_seconds: float) -> list[list[int]]:
    """Part utterances so that no micro-batch, padded, is longer than a limit; like lengths come together.

    An utterance that is longer than the limit is a part by itself.
    """
    longest_first = sorted(range(len(seconds)), key=lambda i: (-seconds[i], i))
    found: list[list[int]] = []
    for i in longest_first:
        if not found or seconds[found[-1][0]] * (len(found[-1]) + 1) > max_seconds:
            found.append([])
        found[-1].append(i)
    return found
