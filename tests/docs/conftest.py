"""The recipe that has run once, for what pages say to do with it."""

from tests.recipes.conftest import finished  # noqa: F401
