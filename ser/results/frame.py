"""RESULTS.json as a pandas DataFrame, for notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ser.errors import DataError
from ser.recipe.code import ROOT
from ser.results.answers import sees
from ser.results.record import condition_of, read_record

if TYPE_CHECKING:
    import pandas as pd

EGS = ROOT.parent / "egs"


def frame(recipe: str | Path) -> pd.DataFrame:
    """Read every scored system of a recipe, a line each.

    Args:
        recipe: its name, its folder, or a RESULTS.json.

    Returns:
        Columns task, corpus, shots, rotation (what was tested), system, feature, sees, kind, uar, low, high (its 95 %
        interval), difference, difference_low, difference_high, versus, p, and published; UAR and differences are
        shares in [0, 1], what a paper printed is in per cent. Missing values are NaN or None.

    Raises:
        DataError: for a recipe that has no results.
    """
    import pandas as pd

    path = Path(recipe)
    path = path if path.exists() else EGS / str(recipe)
    path = path / "RESULTS.json" if path.is_dir() else path
    if not path.is_file():
        raise DataError(f"{path}: no such results; run the recipe, or name one of egs/ that has RESULTS.json")
    rows = []
    for table in read_record(path)["tables"]:
        condition = condition_of(table)
        about = {"task": condition.task, "corpus": condition.corpus, "shots": condition.shots,
                 "rotation": condition.rotation}  # fmt: skip
        for row in (row for row in table["rows"] if "uar" in row):
            low, high = row.get("interval") or (None, None)
            d_low, d_high = row.get("difference_interval") or (None, None)
            rows.append(
                about | {"system": row["label"], "feature": row["feature"], "sees": sees(row, condition.shots),
                         "kind": row["kind"], "uar": row["uar"], "low": low, "high": high,
                         "difference": row.get("difference"), "difference_low": d_low, "difference_high": d_high,
                         "versus": row.get("versus"), "p": row.get("p"), "published": row.get("published")}
            )  # fmt: skip
    return pd.DataFrame(rows)
