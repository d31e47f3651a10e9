"""A corpus is one file: in a copy of the package, with nothing else touched, it is listed, made and prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ser.corpora import CORPORA

ROOT = Path(__file__).parents[2]

TOY = '''"""TOY: two people say one sentence."""

import re

from ser.corpora.base import GIB, Archive, Corpus, Parsed, match_name, audio_files
from ser.corpora.miniature import Conditions, Miniature, Prompt
from ser.types import Utterance, ids

NAME = re.compile("([mf])(happy|sad)")


def parse(release):
    found = []
    for path in audio_files(release):
        gender, emotion = match_name(NAME, path, release, "mhappy").groups()
        utt_id, speaker = ids("toy", gender, path.stem)
        found.append(Utterance(utt_id, speaker, str(path), emotion, emotion, gender, "en"))
    return Parsed(found, {})


def prompts():
    for gender in "mf":
        for emotion in ("happy", "sad"):
            yield Prompt(f"audio/{gender}{emotion}.wav", gender, gender, emotion, "1")


CORPUS = Corpus(
    name="toy",
    title="Toy corpus",
    folders=("TOY",),
    page="https://toy.example",
    licence="free",
    counts={"happy": 2, "sad": 2},
    parse=parse,
    source=Archive("https://toy.example/toy.zip", most=GIB),
    miniature=Miniature("TOY", 16_000, prompts, Conditions()),
)
'''


def test_a_corpus_has_the_name_of_its_file():
    for name, corpus in CORPORA.items():
        assert (corpus.name, corpus.parse.__module__) == (name, f"ser.corpora.{name}")


@pytest.fixture
def call(tmp_path):
    """Call a command line of a copy of the package, to which one file was added."""
    shutil.copytree(ROOT / "ser", tmp_path / "ser", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "ser/corpora/toy.py").write_text(TOY)

    def run(module: str, *args: object) -> str:
        command = [sys.executable, "-m", f"ser.bin.{module}", *map(str, args)]
        env = os.environ | {"PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout

    return run


def test_a_new_corpus_is_one_file(tmp_path, call):
    sources = call("download_corpus", "--help")
    assert "toy        https://toy.example/toy.zip\n" in sources and "emodb" in sources
    assert call("make_mini_corpora", "mini", "toy") == "toy: mini/TOY\n"
    assert "total               4      4       4\n" in call("prepare_corpus", "toy", "data/toy", "--db_root", "mini")
    assert (tmp_path / "data/toy/utt2emo").read_text() == (
        "toy-f-fhappy happy\ntoy-f-fsad sad\ntoy-m-mhappy happy\ntoy-m-msad sad\n"
    )
