"""What tests of several modules need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.miniatures import NINE
from tests.fakes.once import once

FIRST = ("test_ravdess2emodb.py", "test_continuous_metric_recipes.py")
"""Those that begin with what other files wait for: a recipe that has run, and the miniature corpora."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with whole recipes: what takes longest must not be left to one worker at the end."""

    def place(item: pytest.Item) -> tuple[bool, int]:
        name = item.path.name
        return "recipes" not in item.path.parts, FIRST.index(name) if name in FIRST else len(FIRST)

    items.sort(key=place)


@pytest.fixture(scope="module")
def one_thread():
    """Compute as stage 4 does: two threads on busy cores make models as small as these twenty times slower."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def nine(tmp_path_factory) -> Path:
    """Folder of nine miniature releases, made once; tests leave it as it is."""
    from ser.corpora.mini import maker

    return once(tmp_path_factory, "nine", lambda folder: maker.make(folder, NINE))
