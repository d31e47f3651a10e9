"""One sentence for what a user can put right, a traceback for everything else."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest

from ser.errors import ConfigError, DataError, ProtocolError, SerError, run_cli, unknown


@pytest.mark.parametrize(
    "word, known, sentence",
    [
        ("hapy", ("happy", "angry"), "unknown 'hapy'; did you mean 'happy'? known: angry, happy"),
        ("xyz", ("happy", "angry"), "unknown 'xyz'; known: angry, happy"),
        ("ceter", {"supcon": 1, "center": 2}, "unknown 'ceter'; did you mean 'center'? known: center, supcon"),
    ],
)
def test_unknown_word_is_told_with_its_nearest_match_and_what_is_allowed(word, known, sentence):
    assert unknown(word, known) == sentence


@pytest.mark.parametrize("kind", [DataError, ConfigError, ProtocolError])
def test_command_line_prints_one_line_and_ends_with_2_for_an_error_of_the_user(monkeypatch, capsys, kind):
    def main(argv):
        raise kind(f"utt2spk line 3: found {argv}")

    assert issubclass(kind, SerError)
    monkeypatch.setattr(sys, "argv", ["prog", "a b", "--c"])
    with pytest.raises(SystemExit, match="^2$"):
        run_cli(main)
    assert capsys.readouterr() == ("", "error: utt2spk line 3: found ['a b', '--c']\n")


def test_output_in_ascii_escapes_what_it_cannot_hold():
    code = "from ser.errors import run_cli; run_cli(lambda _: print('José.wav'))"
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (found.returncode, found.stdout, found.stderr) == (0, "Jos\\xe9.wav\n", "")


def test_mistake_of_the_code_keeps_its_traceback(monkeypatch):
    def main(argv):
        raise ValueError("shapes (2,) and (3,)")

    monkeypatch.setattr(sys, "argv", ["prog"])
    with pytest.raises(ValueError, match="shapes"):
        run_cli(main)


@pytest.mark.parametrize("name", ["x/feats.ark", None])
def test_a_full_disk_is_told_in_one_line_with_what_to_do(name, monkeypatch, capsys, tmp_path):
    """The system names no file when a write fails; the disk of standard output is then meant."""

    def main(argv):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([str(tmp_path / name)] if name else []))

    monkeypatch.setattr(sys, "argv", ["prog"])
    monkeypatch.setattr(os.path, "ismount", lambda path: path in (str(tmp_path), "/"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="^2$"):
        run_cli(main)
    where = str(tmp_path / name) if name else "output"
    line = f"error: {where}: No space left on device (the disk of {tmp_path}); free some space there and run again\n"
    assert capsys.readouterr() == ("", line)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_where_the_log_s_disk_is_full_too_the_line_goes_to_the_terminal():
    code = "import sys; from ser.errors import *\ndef main(argv): raise DataError('x: y')\nrun_cli(main)"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, text=True)
    assert (done.returncode, done.stdout) == (2, "error: x: y\n")


def test_what_is_printed_comes_line_by_line():
    """In pieces, another writer's sentence could stand in the middle of a line, where nobody looks for it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # keeps the borders of what is written
    code = "from ser.errors import run_cli; run_cli(lambda _: [print('one', 1), print('two')])"
    subprocess.run([sys.executable, "-c", code], stdout=its, env=os.environ | {"PYTHONUNBUFFERED": "1"}, check=True)
    its.close()
    assert [ours.recv(100) for _ in range(3)] == [b"one 1\n", b"two\n", b""]
    ours.close()
