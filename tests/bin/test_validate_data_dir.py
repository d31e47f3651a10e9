"""`utils/validate_data_dir.sh` as Kaldi users call it: code 0, or 1 and every violation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ser.bin import validate_data_dir
from ser.data.data_dir import write_data_dir
from ser.types import Utterance

SCRIPT = Path(__file__).parents[2] / "utils/validate_data_dir.sh"


@pytest.fixture
def data_dir(tmp_path):
    path = tmp_path / "d'été; $(touch executed)"
    utterances = [Utterance(f"c-a-{n}", "c-a", f"/x y/{n}.wav", "sad", "T", "m", "de", 1.0, "0") for n in range(3)]
    write_data_dir(path, utterances, {})
    return path


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_valid_directory(data_dir, capsys):
    validate_data_dir.main([str(data_dir)])
    assert capsys.readouterr() == (f"{data_dir}: valid, 3 utterances\n", "")


def test_every_violation_is_printed_and_the_code_is_1(data_dir, capsys):
    spoil(data_dir / "utt2emo", "c-a-1 sad", "c-a-1 sat")
    spoil(data_dir / "utt2dur", "c-a-2 1.0", "c-a-2 0")
    with pytest.raises(SystemExit, match="^1$"):
        validate_data_dir.main([str(data_dir)])
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2
    assert f"{data_dir / 'utt2dur'} line 3: '0' is not a positive number" in out
    assert any(line.startswith(f"{data_dir / 'utt2emo'} line 2: 'sat' is not a canonical emotion: ") for line in out)


def test_pipe_is_refused_unless_it_is_allowed(data_dir, capsys):
    spoil(data_dir / "wav.scp", "c-a-1 /x y/1.wav", "c-a-1 touch executed |")
    with pytest.raises(SystemExit, match="^1$"):
        validate_data_dir.main([str(data_dir)])
    assert capsys.readouterr().out == (
        f"{data_dir / 'wav.scp'} line 2: 'touch executed |' is a pipe, which would run a command; "
        "--allow_pipes true accepts it\n"
    )
    with pytest.raises(SystemExit, match="^1$"):
        validate_data_dir.main(["--allow_pipes", "false", str(data_dir)])
    validate_data_dir.main(["--allow_pipes", "true", str(data_dir)])


def test_no_such_directory(tmp_path, capsys):
    with pytest.raises(SystemExit, match="^1$"):
        validate_data_dir.main([str(tmp_path / "none")])
    assert capsys.readouterr().out == f"{tmp_path / 'none'}: no such directory\n"


def test_the_script_gives_the_same_from_any_folder_and_runs_nothing_of_what_it_reads(data_dir, tmp_path):
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def run(*args: str) -> tuple[int, str]:
        done = subprocess.run([SCRIPT, *args], cwd=tmp_path, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout

    assert run(data_dir.name) == (0, f"{data_dir.name}: valid, 3 utterances\n")
    spoil(data_dir / "wav.scp", "c-a-1 /x y/1.wav", "c-a-1 touch executed |")
    code, out = run(data_dir.name)
    assert (code, out.count("\n")) == (1, 1)
    assert out.startswith(f"{data_dir.name}/wav.scp line 2: 'touch executed |' is a pipe")
    assert run("--allow_pipes", "true", data_dir.name)[0] == 0
    assert not (tmp_path / "executed").exists()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python before 3.11 always looks there")
def test_the_folder_it_is_called_from_is_no_place_for_code(data_dir, tmp_path):
    """Called from another checkout, a script runs its own."""
    (tmp_path / "ser").mkdir()
    (tmp_path / "ser" / "__init__.py").write_text("raise SystemExit('another checkout')\n")
    result = subprocess.run([SCRIPT, data_dir], cwd=tmp_path, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
