from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from ser.system import environment as module


def test_espnets_fork_counts_as_s3prl(monkeypatch):
    def version(name: str) -> str:
        if name in installed:
            return installed[name]
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module.metadata, "version", version)
    installed = {"s3prl": "0.4.18", "espnet-s3prl": "2026.5"}
    assert module.version("s3prl") == "0.4.18"
    del installed["s3prl"]
    assert module.version("s3prl") == module.environment().packages["s3prl"] == "espnet-s3prl 2026.5"
    installed.clear()
    with pytest.raises(PackageNotFoundError):
        module.version("s3prl")
    with pytest.raises(PackageNotFoundError):
        module.version("torch")
    assert module.environment().packages["s3prl"] == "not installed"
