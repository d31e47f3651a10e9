"""`make_mini_corpora` as a user calls it; how the corpora sound is tested in `tests/corpora/test_synthetic.py`."""

from __future__ import annotations

import sys
from itertools import islice

import pytest

from ser.bin import make_mini_corpora
from ser.corpora import CORPORA as PARSERS
from ser.corpora.base import find_release, prepare
from ser.errors import run_cli
from ser.system.files import read_json
from tests.fakes.miniatures import with_prompts


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line: exit code, stdout, stderr."""

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["make_mini_corpora", *map(str, args)])
        try:
            run_cli(make_mini_corpora.main)
            code = 0
        except SystemExit as stop:
            code = stop.code
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def few(monkeypatch):
    """Six utterances of either corpus, so that a test takes no time."""
    for name in ("emodb", "ravdess"):
        with_prompts(monkeypatch, name, list(islice(PARSERS[name].miniature.prompts(), 6)))


def test_what_is_made_is_a_release_that_its_parser_takes(tmp_path, call, few):
    dest = tmp_path / "mini; $(x) é"
    code, out, err = call(dest, "emodb", "ravdess")
    assert (code, out, err) == (0, f"emodb: {dest / 'EMO-DB'}\nravdess: {dest / 'RAVDESS'}\n", "")
    for name in ("emodb", "ravdess"):
        corpus = PARSERS[name]
        prepare(corpus, find_release(corpus, None, dest), tmp_path / name)
        info = read_json(tmp_path / name / "corpus.json")
        assert (info["release"], info["n_utterances"]) == ("mini", 6)


def test_what_is_there_stays_and_another_seed_or_shift_is_made_again(tmp_path, call, few):
    wav = tmp_path / "EMO-DB" / next(PARSERS["emodb"].miniature.prompts()).path
    times, contents = [], []
    for options in ([], [], ["--seed", 1], ["--seed", 1], ["--seed", 1, "--shift", 0]):
        assert call(tmp_path, "emodb", *options)[0] == 0
        times.append(wav.stat().st_mtime_ns)
        contents.append(wav.read_bytes())
    assert times[0] == times[1] < times[2] == times[3] < times[4]
    assert len(set(contents)) == 3


@pytest.mark.parametrize(
    "args, said",
    [
        (["emodbb"], "mini corpora: unknown 'emodbb'; did you mean 'emodb'? known: "),
        (["emodb", "--shift", "4"], "mini corpora: shift is 4.0; give a number from 0 to 3"),
        (["emodb", "--shift", "nan"], "mini corpora: shift is nan; give a number from 0 to 3"),
    ],
)
def test_mistake_gives_one_line_and_leaves_nothing(tmp_path, call, args, said):
    code, out, err = call(tmp_path / "dest", *args)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {said}")
    assert err.count("\n") == 1
    assert not (tmp_path / "dest").exists()


def test_a_real_release_is_never_overwritten(tmp_path, call, few):
    recording = tmp_path / "EMO-DB/wav/03a01Fa.wav"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"real")
    code, _, err = call(tmp_path, "emodb")
    assert code == 2
    assert err.startswith(
        f"error: {tmp_path / 'EMO-DB'}: is not a miniature of emodb that was made here, but holds 'wav/"
    )
    assert recording.read_bytes() == b"real"
