"""The interpreter that scripts under test share: a command line gets there what a new process would give it."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.recipes.conftest import warm_env

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
