"""Tiny checkpoints of every family."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.checkpoints import WRITERS, data2vec


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    writers = {**WRITERS, "data2vec_local": data2vec}
    return {name: write(folder / f"{name}.pt") for name, write in writers.items()}
