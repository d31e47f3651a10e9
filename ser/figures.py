"""Figures of results, written as PNG without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from ser.files import replacing

matplotlib.use("Agg")


def confusion_figure(path: Path, shares: np.ndarray, classes: Sequence[str], title: str) -> None:
    """Draw a confusion matrix coloured by recall, rows true (the style of Yue 2023, Figs. 3 and 4).

    Args:
        path: PNG file.
        shares: shares of each true class, (C, C), rows add up to 1.
        classes: names of rows and columns.
        title: above the matrix.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.9), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=9)
    for i, row in enumerate(shares):
        for j, share in enumerate(row):
            axes.text(j, i, f"{100 * share:.1f}", ha="center", va="center",
                      color="white" if share > 0.5 else "black")  # fmt: skip
    with replacing(path) as part:
        figure.savefig(part, dpi=120, format="png", metadata={"Software": None})
