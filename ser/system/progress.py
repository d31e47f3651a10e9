"""Progress bars with the time left, shown to the person at the terminal and kept out of the logs."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

Item = TypeVar("Item")


EVERY_S = 30
"""Between the lines that replace a bar where nobody watches."""


def progress(
    items: Iterable[Item], what: str, total: int | None, done: int = 0, size: Callable[[Item], int] = lambda _: 1
) -> Iterator[Item]:
    """Yield items while a bar shows how many are done and how long the rest will take.

    The bar goes to the file descriptor that the driver names in SER_PROGRESS_FD (the terminal behind the log),
    else to stderr. Where that is no terminal, a line every 30 s replaces the bar.

    Args:
        items: to be done.
        what: they are, before the count.
        total: how many, those done before included; None where that is not known.
        done: before.
        size: for how many an item counts.
    """
    stream = _stream()
    if stream.isatty():
        from tqdm import tqdm

        with tqdm(
            desc=what, total=total, initial=done, file=stream, mininterval=0.5, maxinterval=0.5,
            dynamic_ncols=True, leave=False,
        ) as bar:  # fmt: skip
            for item in items:
                yield item
                bar.update(size(item))
        return
    started = last = time.monotonic()
    n = 0
    for item in items:
        yield item
        n += size(item)
        now = time.monotonic()
        if now - last >= EVERY_S and (total is None or done + n < total):
            stream.write(_line(what, done + n, total, n, now - started))
            stream.flush()
            last = now


def _line(what: str, n: int, total: int | None, n_here: int, seconds: float) -> str:
    """Say how far a step is.

    Example:
        >>> _line("training", 30, 90, 10, 60.0)
        'training: 30 of 90, about 6 min left\\n'
    """
    if total is None:
        return f"{what}: {n}\n"
    return f"{what}: {n} of {total}, about {duration((total - n) * seconds / n_here)} left\n"


def duration(seconds: float) -> str:
    """Round a time to what matters of it.

    Example:
        >>> duration(42), duration(400), duration(9000)
        ('42 s', '7 min', '2.5 h')
    """
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show_on_terminal(text: str) -> None:
    """Write what is for the person at the terminal and not for the log; nothing where nobody watches.

    Colors are left out where the terminal has none (TERM=dumb) or nobody wants them (NO_COLOR).
    """
    stream = _stream()
    if text and stream.isatty():
        is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        stream.write(re.sub(r"\x1b\[[0-9;]*m", "", text) if is_plain else text)
        stream.flush()


def _stream() -> TextIO:
    number = os.environ.get("SER_PROGRESS_FD", "")
    if number.isdigit():
        try:
            return os.fdopen(os.dup(int(number)), "w")
        except OSError:
            pass  # the descriptor was not handed on, as in a batch job
    return sys.stderr
