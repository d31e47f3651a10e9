"""scores.tsv: the scores of a run by fold, support draw and speaker, a line each, for tables and plots of one's own.

A line is about one fold, tested corpus, number of shots, draw and speaker; a line with the speaker `-` is about all
speakers of the fold. UAR and macro F1 are means over the classes that occur among its utterances, as many as
`classes` says: those of lines with different classes cannot be averaged without a thought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ser.metrics.classification import scores_of_confusion
from ser.system.files import replacing

SCORES = "scores.tsv"
"""File in a run's folder, and in the folder of its row that of all its seeds."""

ALL = "-"
"""Instead of a speaker: all of them."""

PLACE = ["split", "shots", "draw", "corpus"]


def scores_table(
    predictions: pd.DataFrame, classes: Sequence[str], speaker_of: Mapping[str, str], seed: int
) -> pd.DataFrame:
    """Score predictions by fold, corpus, shots, draw and speaker.

    Args:
        predictions: of `ser.scoring.score.predictions_table`.
        classes: names in the order of their indices.
        speaker_of: utterance id -> speaker.
        seed: of the run.

    Returns:
        Columns seed, split, shots, draw, corpus, speaker, utterances, classes, uar, wa, macro_f1; shares in [0, 1].
    """
    table = predictions[["split", "shots", "draw"]].assign(
        corpus=predictions["utt_id"].str.split("-").str[0], speaker=predictions["utt_id"].map(speaker_of)
    )
    place = pd.Index(list(classes))
    true, pred = (place.get_indexer(predictions[name]) for name in ("true", "pred"))
    grouped = table.groupby([*PLACE, "speaker"], sort=True)
    cells = grouped.ngroup().to_numpy()
    n_cells, n = grouped.ngroups, len(classes)
    counts = np.bincount((cells * n + true) * n + pred, minlength=n_cells * n * n).reshape(n_cells, n, n)
    lines = grouped.size().index.to_frame(index=False)
    of_folds = lines.groupby(PLACE, sort=True).indices
    whole = pd.DataFrame([dict(zip([*PLACE, "speaker"], (*key, ALL), strict=True)) for key in of_folds])
    counts = np.concatenate([counts, [counts[rows].sum(0) for rows in of_folds.values()]])
    lines = pd.concat([lines, whole], ignore_index=True)
    scores = scores_of_confusion(counts)
    lines.insert(0, "seed", seed)
    lines["utterances"] = counts.sum((1, 2)).astype(int)
    lines["classes"] = (counts.sum(2) > 0).sum(1)
    for name in ("uar", "wa", "macro_f1"):
        lines[name] = scores[name]
    return lines.sort_values([*PLACE, "speaker"], kind="stable", ignore_index=True)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write the scores of a run."""
    with replacing(path) as part:
        table.to_csv(part, sep="\t", index=False, float_format="%.6f", lineterminator="\n")


def join_scores(folder: Path, runs: Iterable[Path]) -> None:
    """Write the scores of all seeds of a row into one file.

    Args:
        folder: of the row.
        runs: folders of its scored seeds.
    """
    texts = [(run / SCORES).read_text(encoding="utf-8").splitlines(keepends=True) for run in runs]
    if texts:
        with replacing(folder / SCORES) as part:
            part.write_text("".join([texts[0][0], *(line for text in texts for line in text[1:])]), encoding="utf-8")
