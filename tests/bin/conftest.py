"""Fixtures of command lines."""

from tests.data.conftest import data  # noqa: F401  a fixture
