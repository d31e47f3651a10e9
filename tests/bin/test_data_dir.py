"""The scripts of Kaldi's names, with odd paths and with mistakes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ser.data.data_dir import read_data_dir
from tests.data.six import SIX, change, write

UTILS = Path(__file__).parents[2] / "utils"


def sh(script: str, *args: object, cwd: Path, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run([UTILS / script, *map(str, args)], cwd=cwd, capture_output=True, text=True, **options)


def test_scripts_with_odd_paths(tmp_path):
    """Kaldi's names and argument order, in a folder whose name a shell would trip over."""
    here = tmp_path / 'l\'été $(touch pwned); `x` "q"'
    here.mkdir()
    data = write(here / "my data", SIX)
    out = sh("subset_data_dir.sh", "--per-spk", "--first", "my data", 1, "sub", cwd=here)
    assert (out.returncode, out.stdout) == (0, "sub: 3 utterances of my data (1 utterances per speaker, first)\n"), (
        out
    )
    (here / "the list").write_text("c-a-2\n")
    assert sh("subset_data_dir.sh", "--utt-list", "the list", data, "sub 2", cwd=here).returncode == 0
    assert read_data_dir(here / "sub 2") == [SIX[1]]
    out = sh("combine_data.sh", "both", "sub", "sub 2", cwd=here)
    assert (out.returncode, out.stderr) == (0, "")
    assert [u.utt_id for u in read_data_dir(here / "both")] == ["c-a-1", "c-a-2", "c-b-1", "c-d-1"]
    change(here / "both", "utt2emo", b"c-b-1 happy\n", b"")
    out = sh("fix_data_dir.sh", "both", cwd=here)
    assert out.stdout.endswith("both: kept 3 of 4 utterances; former files in both/.backup\n")
    assert "  utt2emo lacks 1 utterances (first: c-b-1)\n" in out.stdout
    assert sh("fix_data_dir.sh", "both", cwd=here).stdout == "both: nothing to fix, 3 utterances\n"
    out = sh("utt2spk_to_spk2utt.sh", "both/utt2spk", cwd=here)
    assert out.stdout == (here / "both/spk2utt").read_text() == "c-a c-a-1 c-a-2\nc-d c-d-1\n"
    assert sh("utt2spk_to_spk2utt.sh", cwd=here, input="u-1 u\n").stdout == "u u-1\n"
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["subset_data_dir.sh", "data", "all", "sub"], "error: subset: N is 'all', expected a number of utterances"),
        (["subset_data_dir.sh", "data", "sub"], "error: subset: found ['data', 'sub'], expected SRC N DEST"),
        (["subset_data_dir.sh", "--first", "--utt-list", "x", "data", "sub"], "leave out --per-spk and the order"),
        (["combine_data.sh", "both", "data", "data"], "error: data and data share 6 utterance ids"),
    ],
)
def test_mistakes_are_one_sentence(data, args, told):
    if args[0] == "combine_data.sh":
        shutil.copytree(data, data.parent / "copy")
        args, told = [*args[:3], "copy"], "error: copy and data share 6 utterance ids"
    out = sh(args[0], *args[1:], cwd=data.parent)
    assert out.returncode == 2
    assert told in out.stderr
    assert len(out.stderr.splitlines()) == 1
