"""Take the lock of a run for the shell that calls this, through a file that it has open.

usage: python -m ser.bin.take_lock FILE DESCRIPTOR

DESCRIPTOR is FILE, opened by the shell, and all its children inherit it: the lock is held until the last of them has
ended, however it ended, and nothing has to be cleaned up. Refuses while a run goes on; waits for what a killed one
has left running.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ser.errors import ConfigError, run_cli


def main(argv: Sequence[str]) -> None:
    path, descriptor = Path(argv[0]), int(argv[1])
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        number, _, about = path.read_text(encoding="utf-8").partition(" ")
        if not _has_ended(number, about):
            raise ConfigError(
                f"{path}: another run works here, process {number or '?'} {about.strip()}; wait until it has ended, "
                "or end it"
            ) from None
        print(f"waiting for the end of all processes that the killed run {number} started", file=sys.stderr)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    with contextlib.suppress(OSError):  # a full disk: only the name of the process is missing then
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getppid()} {_here()}{time.strftime('%F %T')}\n".encode(), 0)


def _here() -> str:
    return f"on {socket.gethostname()} since "


def _has_ended(number: str, about: str) -> bool:
    """Tell whether a process of this machine is no more."""
    if not (number.isdigit() and about.startswith(_here())):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


if __name__ == "__main__":
    run_cli(main)
