"""The data directory of six utterances."""

from __future__ import annotations

import pytest

from tests.data.six import SIX, write


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "data", SIX)
