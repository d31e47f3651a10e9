"""The web server of tests."""

from tests.fakes.server import server  # noqa: F401  a fixture
