"""A `python3` for scripts that has imported the libraries already, and is forked for each command line.

A recipe is a dozen processes, and on miniature corpora most of their time is imports of PyTorch and others.
`warm_python` starts one process that imports them, and writes a `python3` that hands `-m ser.bin.NAME ...` over to
it, with arguments, environment, folder, and open files; the package itself is imported anew, from the checkout that
the script belongs to. Everything else is done by the interpreter itself. A command line ends with the process that
asked for it. What it cannot show is that a command line finds its imports by itself: tests about that take the
interpreter.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path

LIBRARIES = ("yaml", "pydantic", "pandas", "scipy.stats", "sklearn.linear_model", "sklearn.svm", "matplotlib.figure",
             "kaldiio", "soundfile", "safetensors.torch", "torch", "torch._dynamo", "torchaudio",
             "lightning_fabric")  # fmt: skip

FILES = (0, 1, 2, 3, 9)
"""Descriptors that a command line gets; 3 is that of progress bars, 9 holds the run's lock (`utils/stages.sh`)."""

ALONE = ("ser.bin.take_lock", "ser.bin.check_environment")
"""What needs further descriptors, and what is about the interpreter."""

MAX_ADDRESS = 107
"""Bytes of a socket's path on Linux."""

SCRIPT = """#!/bin/sh
exec {python} -I -S {client} {socket} {python} "$@"
"""


@contextmanager
def warm_python(folder: Path) -> Iterator[dict[str, str]]:
    """Start the process; give the variables with which scripts find it.

    None are given where a process cannot be forked once libraries are loaded (macOS), where they cannot be loaded, or
    where the folder's path is too long for a socket.

    Args:
        folder: a new one.
    """
    import shlex
    import subprocess

    address, python = folder / "s", folder / "bin" / "python3"
    if not sys.platform.startswith("linux") or len(os.fsencode(address)) > MAX_ADDRESS:
        yield {}
        return
    python.parent.mkdir(parents=True)
    paths = {"python": sys.executable, "client": __file__, "socket": str(address)}
    python.write_text(SCRIPT.format(**{name: shlex.quote(path) for name, path in paths.items()}))
    python.chmod(0o755)
    env = os.environ | {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}  # as in utils/path.sh
    env |= {"MPLBACKEND": "Agg", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, __file__, str(address)]
    server = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    with server:
        is_ready = server.stdout.readline() == b"ready\n"
        yield {"PATH": f"{python.parent}:{os.environ['PATH']}"} if is_ready else {}
        server.stdin.close()


def serve(address: str) -> None:
    """Fork a process for each request, until the process that started this one closes its input or ends."""
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if place != own]
    for name in LIBRARIES:
        __import__(name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while 0 not in select([0, listener], [], [])[0]:
            connection, _ = listener.accept()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if os.fork() == 0:
                listener.close()
                os._exit(_answer(connection))
            connection.close()


def _answer(connection: socket.socket) -> int:
    """Run a command line in a process group of its own, and send its exit code, negative for a signal."""
    length, files = _received(connection)
    text = b""
    while len(text) < length:
        text += connection.recv(1 << 16)
    if (child := os.fork()) == 0:
        connection.close()
        os.setpgid(0, 0)
        _become(json.loads(text), files)
    for file in files:
        os.close(file)
    threading.Thread(target=_end_with, args=(connection, child), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(BrokenPipeError):  # who asked was ended
        connection.sendall(struct.pack("i", code))
    return 0


def _end_with(connection: socket.socket, child: int) -> None:
    """End a command line, with all that it started, if the process that asked for it ends first."""
    connection.recv(1)  # returns when the other end is closed
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGTERM)


def _received(connection: socket.socket) -> tuple[int, list[int]]:
    """Receive the length of a request, and the files that come with it."""
    head, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(4 * len(FILES)))
    files = array.array("i")
    for _, _, data in ancillary:
        files.frombytes(data)
    return struct.unpack("q", head)[0], list(files)


def _become(request: dict, files: list[int]) -> None:
    """Run `python3 -m NAME ARGUMENTS...` as a new interpreter would; does not return."""
    import runpy

    code = 1
    try:
        numbers = request["files"]
        moved = [os.dup2(file, 100 + number) for file, number in zip(files, numbers, strict=True)]
        for file in files:
            os.close(file)
        for file, number in zip(moved, numbers, strict=True):
            os.dup2(file, number)
            os.close(file)
        for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
            setattr(sys, name, _stream(number, mode) if number in numbers else None)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["env"])
        sys.path[:0] = [place for place in os.environ.get("PYTHONPATH", "").split(":") if place]
        sys.orig_argv = [sys.executable, *request["arguments"]]
        sys.argv = ["-m", *request["arguments"][2:]]
        runpy.run_module(request["arguments"][1], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)


def _stream(number: int, mode: str) -> TextIO:
    """Open a standard stream as the interpreter does."""
    errors = "backslashreplace" if number == 2 else "surrogateescape"
    return open(number, mode, 1 if number == 2 else -1, "utf-8", errors, closefd=False)


def ask(address: str, python: str, arguments: list[str]) -> int:
    """Have a command line run, and give its exit code; what is none of ours becomes the interpreter itself."""
    if _is_alone(arguments):
        os.execv(python, [python, *arguments])
    files = []
    for number in FILES:
        with suppress(OSError):
            os.fstat(number)
            files.append(number)
    request = {"arguments": arguments, "env": dict(os.environ), "folder": os.getcwd(), "files": files}
    text = json.dumps(request).encode()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
        except OSError:  # the process is gone
            os.execv(python, [python, *arguments])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
        connection.sendmsg([struct.pack("q", len(text))], ancillary)
        connection.sendall(text)
        answer = connection.recv(4)
    code = struct.unpack("i", answer)[0] if answer else 1
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


def _is_alone(arguments: list[str]) -> bool:
    return arguments[:1] != ["-m"] or not arguments[1].startswith("ser.bin.") or arguments[1] in ALONE


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(ask(sys.argv[1], sys.argv[2], sys.argv[3:]))
    serve(sys.argv[1])
