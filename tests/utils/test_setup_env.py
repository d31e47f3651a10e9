"""Set-up: what it installs, that it looks at what it made, and what a shell may do to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ser.bin import check_environment

ROOT = Path(__file__).parents[2]
HOSTILE = {"SER_READY": "", "VIRTUAL_ENV": ""}


def put_package(folder: Path, name: str, version: str, code: str | None = None) -> None:
    """Write what pip would of a package; without code, only its record."""
    (folder / f"{name}-{version}.dist-info").mkdir(parents=True)
    (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )
    if code is not None:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(code)


def broken_pair(folder: Path) -> None:
    """Put a torchaudio that was built for another torch where Python looks first."""
    put_package(folder, "torch", "2.11.0")
    error = "Could not load libtorchaudio.so: undefined symbol: torch_library_impl"
    put_package(folder, "torchaudio", "2.11.1", f"raise OSError({error!r})")


def python(*args: str, path: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": f"{path}:{ROOT}"}
    return subprocess.run([sys.executable, *args], env=env, capture_output=True, text=True)


def test_an_environment_that_works_passes(tmp_path):
    ran = python("-m", "ser.bin.check_environment", path=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_broken_pair_is_one_sentence(tmp_path):
    broken_pair(tmp_path)
    ran = python("-m", "ser.bin.check_environment", path=tmp_path)
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: torchaudio 2.11.1 cannot be used with torch 2.11.0, numpy ")
    assert "(OSError: Could not load libtorchaudio.so: undefined symbol" in line
    assert line.endswith(
        f"install the tested versions: {sys.executable} -m pip install --constraint {ROOT}/constraints.txt "
        f"--editable {ROOT}"
    )


def test_a_step_that_dies_of_a_library_says_so_without_a_traceback(tmp_path):
    broken_pair(tmp_path / "site")
    script = f"set -euo pipefail; . {ROOT}/utils/stages.sh; run_step {tmp_path}/log python3 -c 'import torchaudio'"
    env = os.environ | {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}
    ran = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: torchaudio 2.11.1 cannot be used with torch 2.11.0")
    assert len(ran.stderr.splitlines()) == 1
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_package_that_is_broken_in_its_tested_version_is_installed_again(monkeypatch):
    tested = dict(line.split(";")[0].strip().split("==") for line in constraints() if "==" in line)
    monkeypatch.setattr(check_environment, "_version", tested.get)
    assert check_environment._sentence("soundfile", "OSError: no libsndfile").endswith(
        f"(OSError: no libsndfile); install it again: {sys.executable} -m pip install --constraint "
        f"{ROOT}/constraints.txt --force-reinstall --no-deps soundfile"
    )


def test_packages_are_loaded_again_only_when_they_changed(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(check_environment, "PROBES", {"torch": lambda: loaded.append("torch")})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    put_package(tmp_path / "site", "torch", "2.13.0")
    for _ in range(2):
        check_environment.main([str(tmp_path / "stamp")])
    assert loaded == ["torch"]
    put_package(tmp_path / "site", "torchaudio", "2.11.1")
    check_environment.main([str(tmp_path / "stamp")])
    assert loaded == ["torch", "torch"]


def test_an_environment_that_failed_leaves_no_stamp(tmp_path, monkeypatch):
    def fails():
        raise OSError("undefined symbol\nand a second line")

    monkeypatch.setattr(check_environment, "PROBES", {"torch": fails})
    with pytest.raises(check_environment.BrokenEnvironment, match=r"\(OSError: undefined symbol\);"):
        check_environment.main([str(tmp_path / "stamp")])
    assert not (tmp_path / "stamp").exists()


# --- setup_env.sh, with a Python that pretends


FAKE_PYTHON = """#!/usr/bin/env bash
echo "$*" >> "$FAKE/calls"
case "$*" in
  "-m venv "*) mkdir -p "${@: -1}/bin"; cp "$0" "${@: -1}/bin/python3" ;;
  *"pip install"*--constraint*) [ -z "$NO_WHEELS" ] || { echo "ERROR: no matching torch" >&2; exit 1; }
    touch "$FAKE/installed" ;;
  *"pip install"*) [ "$NO_WHEELS" != all ] || exit 1; touch "$FAKE/installed" ;;
  "-c import ser"*) [ -e "$FAKE/installed" ] ;;
  *check_environment*) [ -z "$BROKEN" ] || { echo "error: torchaudio 2 cannot be used" >&2; exit 2; } ;;
esac
"""


@pytest.fixture
def setup(tmp_path):
    """Run setup_env of a checkout in which nothing is installed; how pip and the check fare is in the variables."""
    (tmp_path / "root").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copytree(ROOT / "utils", tmp_path / "root" / "utils")
    (tmp_path / "bin" / "python3").write_text(FAKE_PYTHON)
    (tmp_path / "bin" / "python3").chmod(0o755)

    def run(script: str = "setup_env; echo went on", **variables: str) -> subprocess.CompletedProcess[str]:
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        env = os.environ | HOSTILE | {"PATH": path, "FAKE": str(tmp_path), "NO_WHEELS": "", "BROKEN": ""} | variables
        start = f"set -euo pipefail; . {tmp_path}/root/utils/shell.sh; . $root/utils/setup_env.sh; {script}"
        return subprocess.run(["bash", "-c", start], env=env, capture_output=True, text=True)

    run.calls = lambda: (tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""
    run.root = tmp_path / "root"
    run.bin = tmp_path / "bin"
    return run


def test_set_up_installs_what_was_tested_and_looks_at_it(setup):
    ran = setup()
    assert (ran.returncode, ran.stdout) == (0, "went on\n")
    installs = [line for line in setup.calls().splitlines() if "pip install" in line]
    (install,) = installs
    assert f"--constraint {setup.root}/constraints.txt --editable {setup.root}" in install
    assert "check_environment" in setup.calls()
    assert "setup: done in" in ran.stderr


@pytest.mark.parametrize(("variable", "option"), [("", "--no-compile"), ("1", "--compile")])
def test_what_python_may_not_keep_is_compiled_by_pip(variable, option, setup):
    """Each process would compile all of PyTorch anew."""
    setup(PYTHONDONTWRITEBYTECODE=variable)
    (install,) = (line for line in setup.calls().splitlines() if "pip install" in line)
    assert f" {option} " in install


def test_without_such_wheels_it_installs_freely_and_says_so(setup):
    ran = setup(NO_WHEELS="yes")
    assert (ran.returncode, ran.stdout) == (0, "went on\n")
    free = [line for line in setup.calls().splitlines() if "pip install" in line][1]
    assert "--constraint" not in free and f"--editable {setup.root}" in free
    assert ran.stderr.count("the tested versions (constraints.txt) cannot be installed here") == 1


def test_it_never_says_done_over_what_does_not_work(setup):
    ran = setup(BROKEN="yes")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[-1] == "error: torchaudio 2 cannot be used"
    assert "setup: done" not in ran.stderr
    again = setup(BROKEN="yes")  # what is installed by now is found, and looked at all the same
    assert (again.returncode, again.stderr) == (2, "error: torchaudio 2 cannot be used\n")


def test_pip_that_fails_twice_is_a_sentence(setup):
    ran = setup(NO_WHEELS="all")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1] == "setup: pip did not install ser; see its messages above"


def test_help_installs_nothing(setup):
    scripts = sorted((ROOT / "utils").glob("*.sh"))
    shown = [path for path in scripts if "path.sh" in path.read_text() and path.name != "path.sh"]
    assert len(shown) >= 6
    for path in shown:
        ran = setup(f"exec $root/utils/{path.name} --help")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"usage: utils/{path.name}" in ran.stdout
    assert "venv" not in setup.calls() and "pip" not in setup.calls()


# --- shells


def test_cdpath_changes_nothing(tmp_path):
    """`cd` prints where it went when CDPATH decided it, and the checkout's name came out twice."""
    for script in ("run.sh", "egs/emodb/run.sh", "utils/new_recipe.sh"):
        env = os.environ | {"CDPATH": f"{tmp_path}:{ROOT}", "SER_READY": "1"}
        ran = subprocess.run(["bash", script, "--help"], cwd=ROOT, env=env, capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, ""), script


@pytest.mark.parametrize(("version", "code"), [("3 2", 2), ("4 3", 2), ("4 4", 0), ("5 0", 0)])
def test_an_old_bash_is_one_sentence(tmp_path, version, code):
    script = (ROOT / "utils" / "shell.sh").read_text()
    (tmp_path / "shell.sh").write_text(f"versions=({version})\n" + script.replace("BASH_VERSINFO", "versions"))
    ran = subprocess.run(["bash", str(tmp_path / "shell.sh")], capture_output=True, text=True)
    assert ran.returncode == code
    assert bool(re.fullmatch(r"shell.sh: bash \S+ is too old, 4.4 or newer is needed;.*\n", ran.stderr)) == (
        code == 2
    )


def test_every_script_asks_for_that_bash_first():
    for path in (ROOT / "run.sh", *(ROOT / "utils").glob("*.sh"), ROOT / "tests" / "run.sh"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        if path.read_text().startswith("#!") and path.name != "slurm_job.sh":  # which run.sh starts
            assert lines[0] == "set -euo pipefail" and lines[1].endswith('utils/shell.sh"') or "/shell.sh" in lines[1]


def test_windows_line_ends_in_db_sh_are_a_sentence(tmp_path):
    for name in ("utils", "conf", "egs/emodb"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("exp*", "splits"))
    shutil.copy(ROOT / "run.sh", tmp_path)
    db = tmp_path / "conf" / "db.sh"
    db.write_bytes(db.read_bytes().replace(b"\n", b"\r\n"))
    env = os.environ | {"SER_READY": "1"}
    ran = subprocess.run([str(tmp_path / "egs/emodb/run.sh")], env=env, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"run.sh: {db}: its lines end as Windows ends them; convert them: sed -i.bak 's/\\r$//' {db}\n"
    )


# --- constraints


def constraints() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_constraints_hold_every_direct_dependency_and_no_place():
    names = {line.split("==")[0] for line in constraints()}
    required = re.findall(r'^\s+"([A-Za-z0-9_-]+)>=', (ROOT / "setup.py").read_text(), re.M)
    assert len(required) > 15
    assert {name.lower().replace("_", "-") for name in required} <= names
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+( ; .*)?", line) for line in constraints())
