"""Where a result was computed: date, versions, the state of the checkout."""

from __future__ import annotations

import dataclasses
import datetime
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from ser import __version__
from ser.errors import DataError
from ser.system.files import read_json, write_json

PACKAGES = ("torch", "torchaudio", "s3prl", "numpy", "scipy", "scikit-learn")

FORK = "espnet-s3prl"
"""ESPnet's fork of s3prl, imported by the same name."""

WRITTEN = ("egs/RESULTS.md", "egs/*/RESULTS.md", "egs/*/RESULTS.json", "egs/*/MISTAKES.md")
"""Tracked files that recipes write; one that ran does not make the next one's checkout a changed one."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """Where a table was computed."""

    date: str
    python: str
    machine: str
    ser: str
    commit: str
    packages: dict[str, str]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        write_json(path, dataclasses.asdict(self))


def pip_install(*what: str) -> str:
    """Give the command that installs something into this Python, in its tested version.

    Args:
        what: further arguments of pip, packages among them.
    """
    constraints = Path(__file__).resolve().parents[2] / "constraints.txt"
    return shlex.join([sys.executable, "-m", "pip", "install", "--constraint", str(constraints), *what])


def version(name: str) -> str:
    """Give the version of an installed package; of s3prl also that of ESPnet's fork, which takes its place.

    Raises:
        PackageNotFoundError: if it is not installed.
    """
    try:
        return metadata.version(name)
    except PackageNotFoundError:
        if name != "s3prl":
            raise
        return f"{FORK} {metadata.version(FORK)}"


def environment() -> Environment:
    """Describe this process."""
    return Environment(
        date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        ser=__version__,
        commit=_commit(),
        packages={name: _version(name) for name in PACKAGES},
    )


def is_environment(path: Path) -> bool:
    """Tell whether a file is what `Environment.write` wrote: the mark of a trained row's folder."""
    try:
        about = read_json(path)
    except (OSError, DataError):
        return False
    return isinstance(about, dict) and {"ser", "packages", "machine"} <= about.keys()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Name the checkout's commit and its date, and whether tracked files other than results differ from it."""

    def git(*args: str) -> str:
        root = Path(__file__).resolve().parents[2]
        return subprocess.run(
            ["git", "-C", str(root), *args], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{name}" for name in WRITTEN))
        changed = " with local changes" if changes else ""
        return git("log", "-1", "--format=%h (%cs)") + changed
    except (OSError, subprocess.CalledProcessError):
        return "unknown (no git checkout)"
