"""What tests of several modules need."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Compute as stage 4 does: two threads on busy cores make models as small as these twenty times slower."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
