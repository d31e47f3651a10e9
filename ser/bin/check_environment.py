"""Check that what the first recipe needs can be loaded.

usage: python -m ser.bin.check_environment [STAMP]

STAMP remembers with which packages it could; while they are the same, nothing is loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from ser.errors import SerError, run_cli
from ser.system.environment import pip_install, version

ROOT = Path(__file__).resolve().parents[2]


class BrokenEnvironment(SerError):
    """A package that is installed cannot be used."""


def _torch() -> None:
    import torch

    torch.ones(2).sum()


def _torchaudio() -> None:
    import torch
    import torchaudio.functional as F

    F.resample(torch.zeros(1, 160), 8000, 16000)


def _s3prl() -> None:
    import torch

    from ser.features.encoders import load

    load("fbank_no_cmvn", None, None, torch.device("cpu"))(torch.zeros(1600))


def _import(*names: str) -> Callable[[], None]:
    def probe() -> None:
        for name in names:
            importlib.import_module(name)

    return probe


PROBES: dict[str, Callable[[], None]] = {
    "numpy": _import("numpy"),
    "torch": _torch,
    "torchaudio": _torchaudio,
    "soundfile": _import("soundfile"),
    "scipy": _import("scipy.signal"),
    "pandas": _import("pandas"),
    "scikit-learn": _import("sklearn.linear_model"),
    "matplotlib": _import("matplotlib.figure"),
    "kaldiio": _import("kaldiio"),
    "s3prl": _s3prl,
}
"""Package to what a recipe does with it, each after those that it needs."""

BESIDE = ("torch", "torchaudio", "numpy")
"""Packages whose versions others were built for."""


def main(argv: Sequence[str]) -> None:
    stamp = Path(argv[0]) if argv else None
    installed = _installed()
    if stamp and stamp.exists() and stamp.read_text(encoding="utf-8") == installed:
        return
    for name, probe in PROBES.items():
        try:
            probe()
        except Exception as error:  # whatever a library raises that finds another than it was built for
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise BrokenEnvironment(_sentence(name, f"{type(error).__name__}: {reason}")) from None
    if stamp:
        with contextlib.suppress(OSError):  # a checkout that may not be written is checked every time
            stamp.write_text(installed, encoding="utf-8")


def _installed() -> str:
    """Fingerprint this Python and the names and versions of all packages that it finds."""
    folders = [path for path in sys.path if os.path.isdir(path)]
    packages = sorted(name for path in folders for name in os.listdir(path) if name.endswith(".dist-info"))
    return hashlib.sha256("\n".join([sys.prefix, sys.version, *packages]).encode()).hexdigest()


def _sentence(name: str, reason: str) -> str:
    """Name the package that cannot be used, the packages next to it, and the command that repairs it."""
    versions = {package: _version(package) for package in (name, *BESIDE)}
    beside = ", ".join(f"{package} {versions[package]}" for package in BESIDE if package != name)
    tested = _tested()
    if all(f"{package}=={found}" in tested for package, found in versions.items()):
        todo = f"install it again: {pip_install('--force-reinstall', '--no-deps', name)}"
    else:
        todo = f"install the tested versions: {pip_install('--editable', str(ROOT))}"
    return f"{name} {versions[name]} cannot be used with {beside} ({reason}); {todo}"


def _tested() -> set[str]:
    """List `name==version` of constraints.txt, for whichever Python and system."""
    try:
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {line.partition(";")[0].strip() for line in lines}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    run_cli(main)
