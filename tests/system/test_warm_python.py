"""The interpreter that recipes share: a command line gets there what a new process would give it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from select import select

import pytest

from ser.system.warm_python import warm_python
from tests.recipes.conftest import warm_env

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks a process with libraries")

MODULE = """
import os, signal, sys
import torch
from ser import VALUE
loaded = sorted(name for name in sys.modules if name.split(".")[0] in ("ser", "tests"))
own = (os.getcwd(), os.environ["ODD"], VALUE)
print(sys.argv[1:], *own, loaded, torch.get_num_threads(), __name__, sys.stdin.read())
print("to stderr", file=sys.stderr)
if sys.argv[1] == "raise":
    raise ValueError("no")
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "wait":
    os.set_inheritable(1, False)
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
    os.write(3, f"{os.getpid()} {pid}\\n".encode())
    os.close(3)
    signal.pause()
if sys.argv[1] == "open":
    os.write(3, b"the terminal")
sys.exit({"exit": 7, "say": "a sentence"}.get(sys.argv[1]))
"""


@pytest.fixture
def package(tmp_path):
    """A package `ser` of its own, with one command line."""
    for name, text in {"__init__.py": "VALUE = 'own'\n", "bin/__init__.py": "", "bin/one.py": MODULE}.items():
        path = tmp_path / "ser" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def call(package, *arguments: str, command=("python3", "-m", "ser.bin.one"), **more) -> subprocess.CompletedProcess:
    env = os.environ | warm_env() | {"PYTHONPATH": str(package), "ODD": "a\nb 'ü'"}
    return subprocess.run([*command, *arguments], cwd=package, env=env, capture_output=True, text=True, **more)


def test_it_gets_arguments_folder_variables_input_and_its_own_package(package):
    result = call(package, "x", "a b", "", "ü\n", input="given")
    loaded = ["ser", "ser.bin", "ser.bin.one"][:2]  # the third runs as __main__
    expected = f"{['x', 'a b', '', 'ü' + chr(10)]} {package} a\nb 'ü' own {loaded} 1 __main__ given\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, expected, "to stderr\n")
    (package / "ser" / "__init__.py").write_text("VALUE = 'edited'\n")
    assert " edited " in call(package, "x", input="").stdout


@pytest.mark.parametrize(("how", "code", "said"), [
    ("exit", 7, ""), ("say", 1, "a sentence\n"), ("raise", 1, "ValueError: no\n"), ("kill", -9, ""),
])  # fmt: skip
def test_it_ends_as_it_would(package, how, code, said):
    result = call(package, how, input="")
    assert result.returncode == code and result.stderr.endswith(said)
    assert ("Traceback" in result.stderr) == (how == "raise")


def test_descriptor_3_comes_along_and_others_do_not_stay_open(package):
    script = "exec 3> three; python3 -m ser.bin.one open < /dev/null; exec 3>&-; ls three && cat three"
    assert call(package, command=("bash", "-c", script)).stdout.endswith("three\nthe terminal")


def test_what_is_no_command_line_of_the_package_is_the_interpreter_itself(package):
    script = "import sys; print('torch' in sys.modules, sys.argv)"
    assert call(package, "x", command=("python3", "-c", script)).stdout == "False ['-c', 'x']\n"
    assert call(package, "no_such_module", command=("python3", "-m")).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_who_asked_and_takes_along_what_it_has_started(package, number):
    env = os.environ | warm_env() | {"PYTHONPATH": str(package), "ODD": ""}
    script = ["bash", "-c", "exec 3>&1 > /dev/null; exec python3 -m ser.bin.one wait < /dev/null"]
    asked = subprocess.Popen(script, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    line = asked.stdout.readline().split()
    asked.send_signal(number)
    assert asked.wait() == -number
    assert asked.stdout.read() == b""  # at the end of all that had it open
    for pid in map(int, line):
        assert wait_for_the_end_of(pid)


def wait_for_the_end_of(pid: int) -> bool:
    """Wait for a process that is not ours, for a minute at most."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    return handle in select([handle], [], [], 60)[0]


def test_a_lock_in_descriptor_9_is_held_by_it(package):
    script = "exec 9> lock; python3 -m ser.bin.one wait 3> said < /dev/null"
    env = os.environ | warm_env() | {"PYTHONPATH": str(package), "ODD": ""}
    os.mkfifo(package / "said")
    asked = subprocess.Popen(["bash", "-c", script], cwd=package, env=env, stderr=subprocess.DEVNULL)
    with open(package / "said") as said:
        pid = int(said.readline().split()[0])
    assert os.path.samefile(f"/proc/{pid}/fd/9", package / "lock")
    os.killpg(pid, signal.SIGTERM)
    assert asked.wait() == 128 + signal.SIGTERM


def test_without_it_the_interpreter_itself_is_taken(package, short_folder):
    with warm_python(short_folder) as env:
        (short_folder / "s").unlink()
        command = ["python3", "-m", "ser.bin.one", "exit"]
        env = os.environ | env | {"PYTHONPATH": str(package), "ODD": ""}
        assert subprocess.run(command, cwd=package, env=env, input="", text=True).returncode == 7


def test_libraries_that_cannot_be_loaded_leave_python_as_it_is(package, short_folder, monkeypatch, capfd):
    (package / "torch.py").write_text("raise ImportError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(package))
    with warm_python(short_folder) as env:
        assert env == {}


def test_a_path_that_is_too_long_for_a_socket_leaves_python_as_it_is(short_folder):
    with warm_python(short_folder / ("x" * 100)) as env:
        assert env == {}


@pytest.fixture
def short_folder(tmp_path_factory):
    """A path of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
