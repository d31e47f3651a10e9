"""What training left behind, as values of RESULTS.json: learning curves, embeddings, similarity by layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser.randomness import rng

MAX_POINTS = 400
"""Of one plane."""

MAX_EPOCHS = 60
"""Of one learning curve, evenly spaced."""

N_BAND = 1000
"""Resamples of a band."""

Json = dict[str, Any]

LEARNED = ("loss", "dev_uar", "dev")
"""Columns of `history.tsv` that a learning curve shows."""

APART = ("k", "stage")
"""Columns of `history.tsv` whose values have curves of their own; others (fold, model) are averaged over."""


def learning_curves(histories: Sequence[Sequence[Mapping[str, str]]]) -> list[Json]:
    """Average what training recorded over seeds and folds, for each epoch.

    Args:
        histories: the lines of `history.tsv` of each seed.

    Returns:
        For each number of shots or stage: its `name`, `epochs`, and the mean of each column that has numbers.

    Example:
        >>> learning_curves([[{"epoch": "1", "loss": "2"}], [{"epoch": "1", "loss": "4"}]])
        [{'name': '', 'epochs': [1], 'loss': [3.0]}]
    """
    found: dict[str, dict[int, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for line in (line for history in histories for line in history if line.get("epoch")):
        name = ", ".join(f"{key} {line[key]}" for key in APART if line.get(key))
        for column in LEARNED:
            if line.get(column):
                found[name][int(line["epoch"])][column].append(float(line[column]))
    curves = []
    for name, by_epoch in found.items():
        epochs = [epoch for epoch in sorted(by_epoch) if by_epoch[epoch]]
        kept = [epochs[i] for i in _spaced(len(epochs), MAX_EPOCHS)]
        columns = [column for column in LEARNED if any(column in by_epoch[epoch] for epoch in kept)]
        curves.append({"name": name, "epochs": kept} | {
            column: [_short(_mean(by_epoch[epoch][column])) for epoch in kept] for column in columns
        })  # fmt: skip
    return curves


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _spaced(n: int, at_most: int) -> list[int]:
    """Choose places evenly spaced among n, the first and the last among them."""
    return np.linspace(0, n - 1, min(n, at_most)).round().astype(int).tolist() if n else []


def _short(value: float) -> float | None:
    """Keep four significant digits."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def plane_record(lines: Sequence[Mapping[str, str]]) -> Json:
    """Write down where embeddings lie, from the lines of `plane.tsv`: places of corpus and class, x and y."""
    corpora = sorted({line["corpus"] for line in lines})
    classes = sorted({line["class"] for line in lines})
    kept = [lines[i] for i in _spaced(len(lines), MAX_POINTS)]
    points = [
        [corpora.index(line["corpus"]), classes.index(line["class"]), *(_short(float(line[axis])) for axis in "xy")]
        for line in kept
    ]
    return {"corpora": corpora, "classes": classes, "points": points}


def latent_record(planes: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Json:
    """Write down latent planes: corpus -> z (n, 2) and activation (n,) of its utterances."""
    return {
        corpus: [
            [_short(z[i, 0]), _short(z[i, 1]), round(float(activation[i]), 2)]
            for i in _spaced(len(z), MAX_POINTS // 2)
        ]
        for corpus, (z, activation) in planes.items()
    }


def similarity_record(path: Path) -> Json:
    """Write down cosines by layer, from the file that stage 5 wrote.

    Returns:
        `<before|after>.<raw|centered>.<kind>` -> mean, lower and upper bound of the band over batches, (L,) each;
        kinds of pairs that no batch had are left out.
    """
    with np.load(path, allow_pickle=False) as file:
        batches_of = {name: file[name] for name in file.files}
    return {
        name: [[_short(value) for value in part] for part in band(batches)]
        for name, batches in batches_of.items()
        if not np.isnan(batches).any(0).all()
    }


def band(batches: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average over batches that have a value, with a 95 % percentile bootstrap band over them.

    Args:
        batches: (L, batches), NaN for batches without one.

    Returns:
        Mean, lower and upper bound, (L,) each; the batches are drawn alike for all layers.
    """
    known = batches[:, ~np.isnan(batches).any(0)]
    drawn = rng("similarity band", known.shape[1]).integers(known.shape[1], size=(N_BAND, known.shape[1]))
    low, high = np.percentile(known[:, drawn].mean(-1), [2.5, 97.5], axis=1)
    return known.mean(1), low, high
