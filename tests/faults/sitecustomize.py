"""Hit this process where the variables of `tests.faults.fault` say so; imported by Python before anything else."""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import signal
import sys

ROOT, LOG = os.environ.get("FAULT_ROOT", ""), os.environ.get("FAULT_LOG", "")
WHAT, AT = os.environ.get("FAULT_WHAT", ""), os.environ.get("FAULT_AT", "0")
real_open, real_replace, real_rename = io.open, os.replace, os.rename


def is_due(path: str) -> bool:
    """Note that a path is written, by whatever process of the stage, and tell whether the moment has come."""
    with real_open(LOG, "a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.write(f"{os.path.relpath(path, ROOT)}\n")
        log.flush()
        log.seek(0)
        written = log.read().splitlines()
    return len(written) >= int(AT) if AT.isdigit() else AT in [os.path.basename(name) for name in written]


def is_full(path: object) -> bool:
    """Tell whether the disk has no space left for this path, unless this process ends here and now."""
    if not isinstance(path, (str, os.PathLike)) or not os.path.abspath(path).startswith(ROOT):
        return False
    if not is_due(os.fspath(path)):
        return False
    if WHAT in ("kill", "term"):
        number = signal.SIGKILL if WHAT == "kill" else signal.SIGTERM
        os.killpg(os.getsid(0), number)  # run.sh, which was started in a session of its own
        os.kill(os.getpid(), number)
    if WHAT == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    return WHAT == "full"


class Full(io.FileIO):
    """A file on a full disk: it can be opened, as the disk still has names to give."""

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def open_counted(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *args, **kwargs):  # noqa: ANN001
    if not set(mode) & set("wax") or not is_full(file):
        return real_open(file, mode, buffering, encoding, errors, newline, *args, **kwargs)
    raw = Full(file, mode.replace("b", "").replace("t", ""))
    buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


def counted(real):  # noqa: ANN001
    def move(source, target, **kwargs):  # noqa: ANN001
        if is_full(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)
        real(source, target, **kwargs)

    return move


if WHAT and os.environ["FAULT_MODULE"].split() == sys.orig_argv[2 : 2 + len(os.environ["FAULT_MODULE"].split())]:
    builtins.open = io.open = open_counted
    os.replace, os.rename = counted(real_replace), counted(real_rename)
