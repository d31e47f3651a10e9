"""Run recipes on miniature corpora side by side, and show the output of one after the other.

usage: python -m ser.bin.run_recipes RECIPE ...      folders with a run.sh

As many recipes run at a time as there are cores, which they share. Their Python has loaded the libraries already
(`ser.system.warm_python`). If a recipe fails, the others go on, and the exit code is that of the first that failed.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ser.errors import run_cli
from ser.system.devices import n_cores
from ser.system.warm_python import warm_python


def main(argv: Sequence[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _stop)
    with tempfile.TemporaryDirectory() as folder, warm_python(Path(folder)) as env:
        at_once = min(n_cores(), len(argv))
        options = ["--mini", "true", "--nj", str(n_cores() // at_once)]
        try:
            codes = run_side_by_side([[f"{recipe}/run.sh", *options] for recipe in argv], at_once, os.environ | env)
        except BrokenPipeError:  # nobody reads
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            _stop(signal.SIGPIPE)
    failed = {recipe: code for recipe, code in zip(argv, codes, strict=True) if code}
    if failed:
        print(f"error: {', '.join(failed)}: failed, see above", file=sys.stderr)
        sys.exit(next(iter(failed.values())))


def _stop(number: int, _: object = None) -> NoReturn:
    sys.exit(128 + number)


def run_side_by_side(commands: Sequence[Sequence[str]], at_once: int, env: Mapping[str, str]) -> list[int]:
    """Run commands and show what each prints in one piece, in their order; the first that runs is seen while it does.

    However this process is ended, or if nobody reads, the commands end too, with all that they have started.

    Args:
        commands: with their arguments; each gets a session of its own.
        at_once: how many run at a time.
        env: their variables.

    Returns:
        The exit code of each, as a shell gives it: 128 + N for signal N.
    """
    waiting, codes = deque(range(len(commands))), [0] * len(commands)
    output: list[bytes | None] = [b""] * len(commands)  # not shown yet; None: all is shown
    running: dict[int, subprocess.Popen[bytes]] = {}
    with selectors.DefaultSelector() as pipes:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    number = waiting.popleft()
                    running[number] = process = subprocess.Popen(
                        commands[number], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, start_new_session=True,
                    )  # fmt: skip
                    pipes.register(process.stdout, selectors.EVENT_READ, number)
                for key, _ in pipes.select():
                    number, chunk = key.data, os.read(key.fd, 1 << 16)
                    output[number] += chunk
                    if not chunk:
                        pipes.unregister(key.fileobj)
                        code = running[number].wait()
                        codes[number] = code if code >= 0 else 128 - code
                        running.pop(number).stdout.close()
                    _show(output, running.keys() | waiting)
        finally:
            for process in running.values():
                os.killpg(process.pid, signal.SIGTERM)
            for process in running.values():
                process.wait()
    return codes


def _show(output: list[bytes | None], unfinished: set[int]) -> None:
    """Print what the finished commands before the first unfinished one have printed, and what that one has so far."""
    for number, text in enumerate(output):
        if text:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        if number in unfinished:
            output[number] = b""
            return
        output[number] = None


if __name__ == "__main__":
    run_cli(main)
