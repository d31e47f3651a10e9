"""What all tests of features share."""

from __future__ import annotations

import pytest

from ser.features import compute


@pytest.fixture(autouse=True)
def _loaded_upstreams_are_forgotten():
    yield
    compute._extractor.cache_clear()
