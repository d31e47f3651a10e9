"""Folders that one of pytest's workers builds for all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ser.system.files import alone


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """Build a folder once for all of pytest's workers: the first one builds, the others wait."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    built = base / f"{name}.built"
    with alone(base / name):
        if not built.exists():
            shutil.rmtree(base / name, ignore_errors=True)  # of a worker that failed
            build(base / name)
            built.touch()
    return base / name
