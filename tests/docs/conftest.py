"""The recipe that has run once, and the warm interpreter, for what pages say to do with them."""

from tests.recipes.conftest import finished, warm  # noqa: F401
