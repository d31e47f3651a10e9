"""Errors that a user can cause, in one sentence: where, what was found, what is allowed, what to do.

Not here: mistakes of the code itself, which are plain `ValueError`s and assertions with a traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn


class SerError(Exception):
    """Base of every error that a user can put right; command lines print it and exit with 2."""


class DataError(SerError):
    """A corpus, an audio file or a data directory is wrong."""


class ConfigError(SerError):
    """A configuration file, an option or an override is wrong."""


class ProtocolError(SerError):
    """A split would break its protocol: a leak, an empty class, too few utterances."""


def unknown(word: str, known: Iterable[str]) -> str:
    """Say what was found, its nearest match and what is allowed.

    Example:
        >>> unknown("hapy", ["angry", "happy"])
        "unknown 'hapy'; did you mean 'happy'? known: angry, happy"
    """
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ";"
    return f"unknown '{word}'{hint} known: {', '.join(known)}"


DISK_ERRORS = {
    errno.ENOSPC: "free some space there and run again",
    errno.EDQUOT: "delete some of your files there and run again",
    errno.EFBIG: "allow larger files (ulimit -f) and run again",
    errno.EIO: "check the disk, then run again",
}
"""Errors of a disk while a file is written, and what to do; finished files are kept."""


def run_cli(main: Callable[[Sequence[str]], None]) -> None:
    """Run a command line: one line on stderr and code 2 for errors of the user, tracebacks for others."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whole lines, as others write to the same log
            stream.reconfigure(line_buffering=True, write_through=False, errors="backslashreplace")  # ASCII only
    try:
        main(sys.argv[1:])
    except SerError as error:
        _end(str(error))
    except OSError as error:
        if error.errno in DISK_ERRORS:
            where = error.filename or "output"
            _end(f"{where}: {error.strerror} ({_disk(where)}); {DISK_ERRORS[error.errno]}")
        if error.filename is None:
            raise
        _end(f"{error.filename}: {error.strerror}; check that the folder exists and is writable")


def _disk(path: str) -> str:
    """Tell which disk a path lies on, or would."""
    place = os.path.abspath(path)
    while not os.path.ismount(place):
        place = os.path.dirname(place)
    return f"the disk of {place}"


def _end(reason: str) -> NoReturn:
    """Print the sentence and end with code 2; on stdout where stderr is a file on the disk that is full."""
    line = f"error: {reason}\n"
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except OSError:
        sys.stderr = sys.stdout  # or the interpreter tries once more on its way out
        with contextlib.suppress(OSError):
            sys.stdout.write(line)
            sys.stdout.flush()
    sys.exit(2)
