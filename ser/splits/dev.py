"""Speakers who choose checkpoints: drawn from those of the training part, whole recording sessions at a time."""

from __future__ import annotations

from collections.abc import Sequence

from ser.randomness import rng
from ser.types import Utterance


def recorded_together(utterances: Sequence[Utterance]) -> list[list[str]]:
    """Group the speakers of one corpus whom recording sessions tie together; sorted, as each group is."""
    group_of = {u.speaker: {u.speaker} for u in utterances}
    first_of: dict[str, str] = {}
    for u in utterances:
        if u.session is not None:
            group = group_of[u.speaker] | group_of[first_of.setdefault(u.session, u.speaker)]
            group_of |= dict.fromkeys(group, group)
    return [list(group) for group in sorted({tuple(sorted(group)) for group in group_of.values()})]


def draw_dev_speakers(groups: Sequence[Sequence[str]], share: float, *draw: object) -> set[str]:
    """Draw a share of some groups of speakers, at least one group and not all.

    Args:
        groups: at least two.
        share: of the groups, in (0, 1).
        draw: names and numbers that decide the draw, as in `ser.randomness.rng`.
    """
    n = min(max(1, round(share * len(groups))), len(groups) - 1)
    chosen = rng(*draw).permutation([group[0] for group in groups])[:n].tolist()
    return {speaker for group in groups if group[0] in chosen for speaker in group}
