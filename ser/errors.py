"""What a user can cause, said in one sentence: where, what was found, what is allowed, what to do.

Not here: mistakes of the code itself, which are plain `ValueError`s and assertions with a traceback.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Sequence


class SerError(Exception):
    """Base of every error that a user can put right; command lines print it and exit with 2."""


class DataError(SerError):
    """A corpus, an audio file or a data directory is not what it should be."""


class ConfigError(SerError):
    """A configuration file, an option or an override is not what it should be."""


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


def run_cli(main: Callable[[Sequence[str]], None]) -> None:
    """Run a command line: one line on stderr and exit code 2 for a `SerError`, tracebacks for the rest."""
    try:
        main(sys.argv[1:])
    except SerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.filename is None:
            raise
        reason = f"{error.filename}: {error.strerror}; check that the place exists and may be written"
        print(f"error: {reason}", file=sys.stderr)
        sys.exit(2)
