"""Progress bars with the time left, shown to the person at the terminal and kept out of the logs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

Item = TypeVar("Item")


def progress(items: Iterable[Item], what: str, total: int, done: int = 0) -> Iterator[Item]:
    """Yield items while a bar shows how many are done and how long the rest will take.

    The bar goes to the file descriptor that the driver names in SER_PROGRESS_FD (the terminal behind the log),
    else to stderr. Where nobody watches, a line every 30 s replaces the bar.
    """
    from tqdm import tqdm

    stream = _stream()
    watched = stream.isatty()
    interval = 0.5 if watched else 30
    yield from tqdm(
        items,
        desc=what,
        total=total,
        initial=done,
        file=stream,
        delay=0 if watched else interval,
        mininterval=interval,
        maxinterval=interval,
        dynamic_ncols=True,
        leave=False,
    )


def _stream() -> TextIO:
    number = os.environ.get("SER_PROGRESS_FD", "")
    if number.isdigit():
        try:
            return os.fdopen(os.dup(int(number)), "w")
        except OSError:
            pass  # the descriptor was not handed on, as in a batch job
    return sys.stderr
