"""Emotions in the valence-arousal plane, from the ratings of a corpus (Yue et al. 2023, Fig. 1), and what their
distances say about the pair sets of Eq. 2."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ser.errors import DataError
from ser.results.figures import COLORS, MARKERS, figure_of, write_figure

if TYPE_CHECKING:
    from ser.types import Utterance

Pair = tuple[str, str]
"""Two emotions, in the order of their names."""


class Place(NamedTuple):
    """Where the ratings of one emotion are, on the scale of their release.

    Attributes:
        valence, arousal: means.
        valence_sd, arousal_sd: standard deviations over utterances.
        n: rated utterances.
    """

    valence: float
    arousal: float
    valence_sd: float
    arousal_sd: float
    n: int


def places(utterances: Sequence[Utterance], class_of: Mapping[str, str]) -> dict[str, Place]:
    """Average the ratings of each class.

    Args:
        utterances: of one corpus.
        class_of: utterance -> class, of those that have one.

    Raises:
        DataError: if no utterance of a class is rated.
    """
    found = {}
    for name in sorted(set(class_of.values())):
        own = [u for u in utterances if class_of.get(u.utt_id) == name]
        rated = [(u.valence, u.arousal) for u in own if u.valence is not None and u.arousal is not None]
        if not rated:
            raise DataError(f"no rating of valence and arousal for '{name}'")
        (valence, v_sd), (arousal, a_sd) = (_mean_sd(values) for values in zip(*rated, strict=True))
        found[name] = Place(valence, arousal, v_sd, a_sd, len(rated))
    return found


def _mean_sd(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def distances(of: Mapping[str, Place], weight: float = 1.0) -> dict[Pair, float]:
    """Measure the distances between the means, the largest first.

    Args:
        of: emotion -> its place.
        weight: factor on valence, which the paper compresses by one that it does not print.

    Example:
        >>> found = distances({"angry": Place(1, 4, 0, 0, 1), "sad": Place(4, 0, 0, 0, 1)})
        >>> found
        {('angry', 'sad'): 5.0}
    """
    pairs = itertools.combinations(sorted(of), 2)
    found = {(a, b): math.hypot(weight * (of[a].valence - of[b].valence), of[a].arousal - of[b].arousal)
             for a, b in pairs}  # fmt: skip
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def weights_for(of: Mapping[str, Place], farthest: Collection[Pair]) -> list[tuple[float, float]]:
    """Find the factors on valence, in [0, 1], with which some pairs are the farthest apart.

    A squared distance is a straight line over the squared factor, so the order of two pairs changes once at most.

    Args:
        of: emotion -> its place.
        farthest: pairs that are to be farther apart than all others.

    Returns:
        Intervals, from and to, in rising order.
    """
    pairs = itertools.combinations(sorted(of), 2)
    lines = {(a, b): ((of[a].valence - of[b].valence) ** 2, (of[a].arousal - of[b].arousal) ** 2) for a, b in pairs}
    cuts = {0.0, 1.0}
    for (slope, start), (other_slope, other_start) in itertools.combinations(lines.values(), 2):
        if slope != other_slope:
            square = (other_start - start) / (slope - other_slope)
            cuts |= {math.sqrt(square)} if 0 < square < 1 else set()
    wanted, found = {tuple(sorted(pair)) for pair in farthest}, []
    for low, high in itertools.pairwise(sorted(cuts)):
        if set(list(distances(of, (low + high) / 2))[: len(wanted)]) == wanted:
            is_next = found and found[-1][1] == low
            found[-1:] = [(found[-1][0], high)] if is_next else [*found[-1:], (low, high)]
    return found


def draw(path: Path, of: Mapping[str, Place], title: str) -> None:
    """Draw the means with a standard deviation each (as Yue 2023, Fig. 1).

    Args:
        path: PNG file.
        of: emotion -> its place.
        title: above the axes.
    """
    figure = figure_of(4.2, 3.6)
    axes = figure.add_subplot()
    for i, (name, place) in enumerate(of.items()):
        axes.errorbar(place.valence, place.arousal, place.arousal_sd, place.valence_sd, color=COLORS[i % len(COLORS)],
                      marker=MARKERS[i % len(MARKERS)], markersize=6, elinewidth=0.8, capsize=2)  # fmt: skip
        axes.annotate(f"{name} ({place.n})", (place.valence, place.arousal), xytext=(6, 5), fontsize=8,
                      textcoords="offset points")  # fmt: skip
    axes.set_xlabel("valence", fontsize=9)
    axes.set_ylabel("arousal", fontsize=9)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.set_title(title, fontsize=9)
    write_figure(figure, path)
