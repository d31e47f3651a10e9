"""Pages of docs/: what is generated there is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser.docs.parts import rendered
from ser.errors import DataError
from ser.results.words import definitions
from tests.test_house import ROOT

PAGES = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_generated_parts_are_those_of_the_code(path):
    text = path.read_text()
    assert rendered(text, path) == text, "run python -m ser.bin.docs docs"


def test_every_term_is_defined_once():
    text = (ROOT / "docs" / "reading-tables.md").read_text()
    for terms in definitions().values():
        for term, _ in terms:
            assert not term or f"- **{term}** " in text


def test_a_part_that_nothing_writes_is_named():
    page = "a\n<!-- generated: tabels -->\n<!-- end -->\n"
    with pytest.raises(DataError, match=r"x\.md: generated: unknown 'tabels'; did you mean 'tables'"):
        rendered(page, Path("x.md"))
