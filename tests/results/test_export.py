"""Tables as LaTeX and CSV: what is read back is what the page prints, and files of others stay."""

from __future__ import annotations

import csv
import re

import pytest

from ser.errors import DataError
from ser.results.export import LATEX, as_csv, latex, write_tables
from ser.results.matrix_page import tables
from tests.results.test_matrix import matrix

RECORD = {"tables": [], "source": None, "matrices": [matrix()]}


def test_csv_is_read_back(tmp_path):
    written = write_tables(RECORD, tmp_path, "csv")
    expected = tables(RECORD["matrices"][0])
    assert {path.stem for path in written} == set(expected)
    for path in written:
        with open(path, encoding="utf-8", newline="") as file:
            found = list(csv.reader(file))
        assert found == [[cell.replace("**", "") for cell in row] for row in expected[path.stem]]


def test_latex_has_a_column_for_each_cell_and_no_character_that_it_reads_otherwise(tmp_path):
    for path in write_tables(RECORD, tmp_path, "latex"):
        lines = path.read_text().splitlines()
        columns = re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}", lines[1])[1]
        rows = [line for line in lines[2:-1] if not line.endswith("rule")]
        for row in rows:
            assert row.endswith(r" \\")
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
            assert not re.search(r"(?<!\\)[%#_]", row)
            assert not set(row) & {c for c in LATEX if ord(c) > 127}
    assert r"\textbf{btl}" in (tmp_path / "arousal-means-pairs.tex").read_text()


def test_numbers_stand_to_the_right_and_names_to_the_left():
    assert r"\begin{tabular}{lrrl}" in latex(
        [["a", "b", "c", "d"], ["x", "1.0", "-2.0 [-3, -1]", "y"], ["z", "", "+1", "2"]]
    )
    assert as_csv([["a", 'b"']]) == 'a,"b"""\n'


@pytest.mark.parametrize("form", ["latex", "csv"])
def test_own_files_are_written_again_and_others_stay(tmp_path, form):
    first, *_ = write_tables(RECORD, tmp_path, form)
    assert first in write_tables(RECORD, tmp_path, form)
    first.write_text("mine\n")
    with pytest.raises(DataError):
        write_tables(RECORD, tmp_path, form)
    assert first.read_text() == "mine\n"
