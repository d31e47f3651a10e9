"""The column `feature` of a table: each of the recipe's features, the last of them, or one by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser.recipe.rows import COLUMNS, Table

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize(
    ("cell", "features"),
    [("*", ["egemaps", "fbank_no_cmvn"]), ("last", ["fbank_no_cmvn"]), ("shortcut", ["shortcut"])],
)
def test_a_row_has_the_features_that_its_cell_names(tmp_path, cell, features):
    line = ["any", "source_linear.yaml", cell, "1", "-", "-", "-", "-"]
    (tmp_path / "runs.tsv").write_text("\t".join(COLUMNS) + "\n" + "\t".join(line) + "\n")
    for name in ("source_linear.yaml", "support_only.yaml"):
        (tmp_path / name).write_text((CONF / "methods" / name).read_text())
    rows = Table(tmp_path / "runs.tsv", tmp_path, ["task"], ["egemaps", "fbank_no_cmvn"], False, (), False).rows()
    assert [row.feature for row in rows] == features
    assert [row.name for row in rows] == [f"task/any-{feature}" for feature in features]
