"""`prepare_corpus` as a user calls it: one line and code 2 for what she can put right, nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ser.bin import prepare_corpus
from ser.data.maps import read_map
from ser.data.validate import validate_data_dir
from ser.errors import run_cli
from ser.system.files import read_json
from tests.fakes import emodb, ravdess
from tests.fakes.wav import write_wav

ROOT = Path(__file__).parents[2]
WAV = "wav/03a01Fa.wav"


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line: exit code, stdout, stderr."""

    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["prepare_corpus", *map(str, args)])
        try:
            run_cli(prepare_corpus.main)
            code = 0
        except SystemExit as stop:
            code = stop.code
        return (code, *capsys.readouterr())

    return run


def spoil_wav(path: Path, n_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[:n_bytes])


def test_release_below_the_root_of_all_corpora(tmp_path, call):
    emodb.write_release(tmp_path / "all of them/emo_db")
    data_dir = tmp_path / "data/emodb"
    code, out, err = call("emodb", data_dir, "--db_root", tmp_path / "all of them")
    assert (code, err) == (0, "")
    assert out.startswith(f"EMO-DB in {tmp_path / 'all of them/emo_db'}\n  emotion      expected  found  usable\n")
    assert "  total             535    535     535\n" in out
    assert out.endswith(f"emodb: wrote {data_dir}\n")
    assert call("emodb", data_dir, "--db_root", tmp_path / "all of them") == (0, "emodb: up to date\n", "")


@pytest.mark.parametrize(
    "order",
    [
        "emodb EMO-DB data --allow_partial true",
        "emodb EMO-DB --allow_partial true data",
        "emodb --allow_partial true EMO-DB data",
        "--allow_partial true emodb EMO-DB data",
        "emodb --db_root . data --allow_partial true",
        "emodb data --db_root . --allow_partial true",
    ],
)
def test_options_may_stand_anywhere_and_the_root_may_be_the_current_folder(tmp_path, call, monkeypatch, order):
    write_wav(tmp_path / "EMO-DB" / WAV)
    monkeypatch.chdir(tmp_path)
    code, _, err = call(*order.split(" "))
    assert (code, err) == (0, "")
    assert read_map(Path("data/wav.scp")) == {"emodb-03-03a01Fa": str(tmp_path / "EMO-DB" / WAV)}


def test_partial_release_is_accepted_by_the_option_and_stamped(tmp_path, call):
    ravdess.write_release(tmp_path / "RAVDESS")
    spoil_wav(tmp_path / "RAVDESS/Actor_05/03-01-05-02-01-01-05.wav", 100)
    args = ("ravdess", tmp_path / "RAVDESS", tmp_path / "data")
    code, out, err = call(*args)
    unusable = "Actor_05/03-01-05-02-01-01-05.wav: truncated: header promises 100 bytes of audio, 56 are there"
    assert code == 2
    assert "  angry             192    192     191  <-\n" in out
    assert f"  unusable: {unusable}\n" in out
    assert err == (
        f"error: ravdess: 1 unusable files in '{tmp_path / 'RAVDESS'}' (table above); restore them from "
        "https://zenodo.org/record/1188976 (Audio_Speech_Actors_01-24.zip), or accept the files present with "
        "--allow_partial true, which flags every table made from them\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["RAVDESS"]
    assert call(*args, "--allow_partial", "true")[0] == 0
    assert validate_data_dir(tmp_path / "data") == []
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["release"], info["n_utterances"]) == ("subset", 1439)
    assert info["dropped"] == dict([unusable.split(": ", 1)])
    assert call(*args)[0] == 2  # without the option the subset is not taken for the corpus
    assert call(*args, "--allow_partial", "false")[0] == 2


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda wav: spoil_wav(wav, 60), "1 unusable files in"),
        (lambda wav: wav.write_bytes(b""), "1 unusable files in"),
        (lambda wav: wav.write_bytes(b"fLaC" + bytes(100)), "1 unusable files in"),
        (lambda wav: wav.unlink(), "counts that differ from the full release in"),
        (lambda wav: wav.rename(wav.with_name("03a01Ga.wav")), "wav/03a01Ga.wav: name does not follow"),
        (lambda wav: write_wav(wav.parent / "more" / wav.name), "counts that differ from the full release in"),
    ],
)
def test_bad_release_gives_one_line_and_leaves_nothing(tmp_path, call, spoil, said):
    spoil(emodb.write_release(tmp_path / "EMO-DB") / WAV)
    code, _, err = call("emodb", tmp_path / "EMO-DB", tmp_path / "out/data")
    assert code == 2
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "args, said",
    [
        (["emodb2", "data"], "error: CORPUS: unknown 'emodb2'; did you mean 'emodb'? known: "),
        (["ravdess", "data"], "error: ravdess: no release folder was given; set RAVDESS in conf/db.sh or --db_root; "
         "RAVDESS: https://zenodo.org/record/1188976 (Audio_Speech_Actors_01-24.zip)"),
        (["ravdess", "data", "--db_root", ""], "error: ravdess: no release folder was given; "),
        (["ravdess", "data", "--db_root", "empty"], "error: ravdess: 'empty' holds no folder RAVDESS, "
         "Audio_Speech_Actors_01-24, ravdess-emotional-speech-audio; set RAVDESS in conf/db.sh or --db_root; "),
        (["emodb", "data", "--db_root", "none"], "error: emodb: --db_root 'none' is not a folder; set EMODB in "),
        (["emodb", "none", "data"], "error: emodb: 'none' is not a folder; set EMODB in conf/db.sh or --db_root; "
         "EMO-DB: http://emodb.bilderbar.info/"),
        (["emodb", "empty", "data"], "error: emodb: no usable utterances below '"),
    ],
)  # fmt: skip
def test_missing_corpus_gives_one_line(tmp_path, call, monkeypatch, args, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    code, _, err = call(*args)
    assert code == 2
    assert err.startswith(said)
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_as_a_process_under_an_awkward_path(tmp_path):
    release = tmp_path / 'l\'été; $(touch executed) `touch executed` "x" |'
    write_wav(release / WAV)
    command = [sys.executable, "-m", "ser.bin.prepare_corpus", "emodb", release, tmp_path / "data"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")

    refused = run()
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"'{release}' (table above)" in refused.stderr
    accepted = run("--allow_partial", "true")
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert read_map(tmp_path / "data/wav.scp") == {"emodb-03-03a01Fa": str(release / WAV)}
    assert not list(ROOT.glob("executed"))
