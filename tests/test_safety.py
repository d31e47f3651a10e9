"""A stranger's file in the way of every command that writes: one sentence, code 2, and nothing has changed.

Cases call command lines as a user does, on a small world of corpora, prepared data and a thesis.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ser.errors import DataError, run_cli
from tests.fakes.wav import write_wav

ROOT = Path(__file__).parents[1]
NAMES = ("03a01Fa", "03a01Na", "08a02Wb", "08a02Ta", "09b03Na", "09b03Fa")


def content(folder: Path) -> dict[str, str | bytes]:
    """Everything below a folder: files with their bytes, links with what they name, empty folders."""
    found: dict[str, str | bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_dir():
            found[f"{name}/"] = ""
        elif not name.endswith(".lock"):
            found[name] = path.read_bytes()
    return found


@pytest.fixture
def call(monkeypatch, capsys):
    """Call a command line in the world: exit code and the sentence."""

    def run(command: str) -> tuple[int, str]:
        module, *args = command.split()
        monkeypatch.setattr(sys, "argv", [module, *args])
        try:
            run_cli(importlib.import_module(f"ser.bin.{module}").main)
        except SystemExit as stop:
            return stop.code, capsys.readouterr().err
        return 0, capsys.readouterr().err

    return run


@pytest.fixture
def world(tmp_path, call, monkeypatch):
    """A release, prepared data, a table with its audio, splits, a thesis; all of it is below the current folder."""
    folder = tmp_path / "world"
    for n, name in enumerate(NAMES):
        write_wav(folder / "corpora/EMO-DB/wav" / f"{name}.wav", n)
        write_wav(folder / "mine/audio" / f"{n}.wav", n)
    rows = [f"audio/{n}.wav,s{n % 2},{('angry', 'sad', 'happy')[n // 2]}\n" for n in range(6)]
    (folder / "mine/t.csv").write_text("path,speaker,emotion\n" + "".join(rows))
    (folder / "thesis").mkdir()
    (folder / "thesis/chapter1.tex").write_text("years of work")
    (folder / "home/inside").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    assert call("prepare_corpus emodb corpora/EMO-DB data/emodb --allow_partial true")[0] == 0
    assert call("prepare_corpus table mine/t.csv data/mine")[0] == 0
    return folder


def check_refused(world: Path, call: Callable[[str], tuple[int, str]], command: str, *said: str) -> None:
    before = content(world.parent)
    code, err = call(command)
    assert (code, err.count("\n")) == (2, 1), err
    assert all(word in err for word in said), err
    assert content(world.parent) == before


# ---- Destinations that are not ours ----------------------------------------------------------------------------

TABLE = "prepare_corpus table mine/t.csv"
EMODB = "prepare_corpus emodb --allow_partial true corpora/EMO-DB"


@pytest.mark.parametrize(
    "command, said",
    [
        (f"{TABLE} mine/audio", "'mine/audio': holds audio of t.csv"),
        (f"{TABLE} mine", "'mine': holds the table"),
        (f"{TABLE} thesis", "thesis: is not a data directory of thesis that was made here, but holds 'chapter1.tex'"),
        (f"{TABLE} data", "data: is not a data directory"),
        (f"{EMODB} corpora/EMO-DB", "'corpora/EMO-DB': is the release"),
        (f"{EMODB} corpora", "'corpora': holds the release"),
        (f"{EMODB} corpora/EMO-DB/new", "'corpora/EMO-DB/new': lies in the release"),
        (f"{EMODB} thesis", "holds 'chapter1.tex'; nothing was changed"),
        (f"{EMODB} data", "data: is not a data directory of emodb"),
        (f"{EMODB} data/mine", "data/mine: is not a data directory of emodb that was made here"),
        (f"{EMODB} mine/t.csv", "mine/t.csv: is a file, where a folder is needed"),
        (f"{EMODB} home", "'home': is the home folder"),
        (f"{EMODB} home/..", "'home/..': holds the release"),
        (f"{EMODB} .", "'.': holds the release"),
        (f"{EMODB} /", "'/': holds the release"),
        ("data_dir subset data/emodb 2 thesis", "thesis: is not a subset or combination that was made here"),
        ("data_dir subset data/emodb 2 data/mine", "data/mine: is not a subset or combination"),
        ("data_dir subset data/emodb 2 data/emodb", "'data/emodb': is the source emodb"),
        ("data_dir subset data/emodb 2 data/emodb/new", "'data/emodb/new': lies in the source emodb"),
        ("data_dir subset data/emodb 2 data", "'data': holds the source emodb"),
        ("data_dir combine thesis data/emodb data/mine", "holds 'chapter1.tex'"),
        ("data_dir combine . data/emodb data/mine", "'.': holds the source emodb"),
        ("download_corpus emodb thesis/chapter1.tex --archive none.zip", "is a file; name a folder"),
    ],
)
def test_a_destination_that_is_not_ours(world, call, command, said):
    check_refused(world, call, command, said)


def test_this_checkout_and_the_current_folder(world, call, monkeypatch):
    from ser.system import folders

    checkout = world.parent / "checkout"
    (checkout / "data/empty").mkdir(parents=True)
    (checkout / "run.sh").write_text("#")
    monkeypatch.setattr(folders, "CHECKOUT", checkout)
    for dest in ("../checkout/data/..", "../checkout", ".."):
        check_refused(world, call, f"{EMODB} {dest}", dest)
    monkeypatch.chdir(checkout / "data/empty")  # a folder that may be replaced if nobody is in it
    release = world / "corpora/EMO-DB"
    check_refused(world, call, f"prepare_corpus emodb --allow_partial true {release} .", "'.': is the current folder")
    monkeypatch.chdir(world)
    assert call(f"{EMODB} ../checkout/data/empty")[0] == 0


def test_links_are_not_followed(world, call):
    (world / "data/link").symlink_to(world / "thesis")
    check_refused(world, call, f"{EMODB} data/link", "data/link: is a symbolic link to ")
    (world / "data/to_ours").symlink_to(world / "data/emodb")
    check_refused(world, call, f"{EMODB}/wav data/to_ours", "data/to_ours: is a symbolic link to ")
    (world / "data/dangling").symlink_to(world / "nowhere")
    check_refused(world, call, f"{EMODB} data/dangling", "data/dangling: is a symbolic link to ")


# ---- A stranger's file in what is ours --------------------------------------------------------------------------

OURS = {
    "data/emodb": EMODB,
    "data/mine": TABLE,
    "data/few": "data_dir subset data/emodb 2",
    "data/all": "data_dir combine",
}


def again(dest: str) -> str:
    """The command that writes a folder once more."""
    return f"{OURS[dest]} {dest}" + (" data/emodb data/mine" if "combine" in OURS[dest] else "")


def touch(world: Path) -> None:
    """Change the release and the table's audio, so that stage 1 has something to do."""
    write_wav(world / "corpora/EMO-DB/wav/16b10Wa.wav", 7)
    write_wav(world / "mine/audio/0.wav", 8)


@pytest.mark.parametrize("dest", OURS)
@pytest.mark.parametrize("name", ["notes.txt", "text", "deep/er/notes.txt", ".backup/thesis.tex", "utt2age"])
def test_a_file_that_somebody_has_added(world, call, dest, name):
    assert call(again(dest))[0] == 0
    touch(world)
    path = world / dest / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    check_refused(world, call, again(dest), f"{dest}: holds '{name}', not written here, which would be lost")
    path.unlink()
    assert call(again(dest))[0] == 0  # and without it the folder is replaced


@pytest.mark.parametrize("dest", OURS)
def test_what_is_ours_is_replaced(world, call, dest):
    assert call(again(dest))[0] == 0
    (world / dest / ".DS_Store").write_text("litter")
    touch(world)
    assert call(again(dest)) == (0, "")
    assert not (world / dest / ".DS_Store").exists()
    assert not [path for path in (world / "data").iterdir() if path.name.endswith(("part", "old"))]


@pytest.mark.parametrize("mark", ['{"files": ["a.txt"], "n_utterances": 3}', "[]", "no JSON", '{"files": null}'])
def test_a_corpus_json_of_another_project(world, call, mark):
    (world / "thesis/corpus.json").write_text(mark)
    check_refused(world, call, f"{EMODB} thesis", "thesis: is not a data directory of emodb that was made here")
    check_refused(world, call, "data_dir subset data/emodb 2 thesis", "thesis: is not a subset or combination")


@pytest.mark.parametrize("ending", ["part", "old"])
def test_folders_of_others_that_look_like_leftovers(world, call, ending):
    place = world / f"data/.emodb.{ending}/thesis.tex"
    place.parent.mkdir()
    place.write_text("mine")
    touch(world)
    assert call(again("data/emodb"))[0] == 0
    assert place.read_text() == "mine"


def test_what_was_changed_by_hand_and_kept_by_fix(world, call):
    path = world / "data/emodb/utt2emo"
    path.write_text(path.read_text().replace("happy", "sad"))
    assert call("data_dir fix data/emodb")[0] == 0
    touch(world)
    check_refused(world, call, again("data/emodb"), "data/emodb: is not a data directory of emodb that was made here")


def test_fix_keeps_every_file_and_every_backup(world, call):
    folder = world / "data/emodb"
    (folder / "notes.txt").write_text("mine")
    (folder / ".backup").mkdir()
    (folder / ".backup/thesis.tex").write_text("years of work")
    (folder / "link").symlink_to(world / "thesis")
    for dropped in ("emodb-03-03a01Fa", "emodb-08-08a02Wb"):
        before = (folder / "utt2emo").read_text()
        (folder / "utt2emo").write_text("".join(x for x in before.splitlines(True) if dropped not in x))
        assert call("data_dir fix data/emodb")[0] == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / ".backup/thesis.tex").read_text() == "years of work"
    assert os.readlink(folder / "link") == str(world / "thesis")
    assert (world / "thesis/chapter1.tex").exists()
    lines = [len((folder / name / "wav.scp").read_text().splitlines()) for name in (".backup.2", ".backup.3")]
    assert lines == [6, 5]  # as it was before the first and the second call


# ---- Miniature corpora, downloads, exports, recipes --------------------------------------------------------------


@pytest.mark.parametrize("name", ["wav/03a01Fa.wav", "notes.txt", "wav"])
def test_mini_corpora(world, call, name):
    path = world / "mini/EMO-DB" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    check_refused(world, call, "make_mini_corpora mini emodb", f"mini/EMO-DB: is not a miniature of emodb that was "
                  f"made here, but holds '{name}'")  # fmt: skip


def few(monkeypatch) -> None:
    """Let miniatures of EMO-DB have two utterances, so that a test takes no time."""
    from ser.corpora import CORPORA
    from tests.fakes.miniatures import with_prompts

    with_prompts(monkeypatch, "emodb", list(CORPORA["emodb"].miniature.prompts())[:2])


def test_mini_corpora_with_a_file_that_somebody_has_added(world, call, monkeypatch):
    few(monkeypatch)
    assert call("make_mini_corpora mini emodb")[0] == 0
    (world / "mini/EMO-DB/mine.txt").write_text("mine")
    check_refused(world, call, "make_mini_corpora mini emodb --seed 2", "mini/EMO-DB: holds 'mine.txt', not written")
    (world / "mini/EMO-DB/mine.txt").unlink()
    assert call("make_mini_corpora mini emodb --seed 2")[0] == 0


def archive(world: Path) -> Path:
    import zipfile

    path = world / "emodb.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(world / "corpora/EMO-DB/wav/03a01Fa.wav", "wav/03a01Fa.wav")
    return path


@pytest.mark.parametrize(
    "name, said",
    [
        ("EMO-DB", "EMO-DB: is a file, where a folder is needed"),
        (".download-emodb/thesis.tex", ".download-emodb: holds 'thesis.tex', not written here"),
        (".download-emodb", ".download-emodb: is a file"),
    ],
)
def test_downloads(world, call, name, said):
    archive(world)
    path = world / "releases" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    check_refused(world, call, "download_corpus emodb releases --archive emodb.zip --checksum none", said)


def test_a_download_stops_at_a_link(world, call):
    archive(world)
    (world / "releases").mkdir()
    (world / "releases/EMO-DB").symlink_to(world / "home/inside")
    command = "download_corpus emodb releases --archive emodb.zip --checksum none"
    check_refused(world, call, command, "releases/EMO-DB: is a symbolic link to ")


def test_exports(world, call):
    check_refused(world, call, "export data/emodb thesis", "thesis: already exists; name a new folder")
    (world / "link").symlink_to(world / "nowhere")
    check_refused(world, call, "export data/emodb link", "link: already exists; name a new folder")


def test_new_recipes(world, call):
    (world / "egs/mine").mkdir(parents=True)
    (world / "egs/link").symlink_to(world / "nowhere")
    for name in ("mine", "link"):
        check_refused(world, call, f"new_recipe {name} emodb mine --root {world}", f"egs/{name} exists already")


# ---- Splits -----------------------------------------------------------------------------------------------------

SPLIT_ABOUT = {"made_from": {"seed": 1}, "labels": {"classes": ["happy", "sad"]}, "releases": {"emodb": "subset"}}


def write_some_splits(folder: Path, **about: object) -> None:
    from ser.splits.lists import Split, write_splits

    ids = [f"emodb-{name[:2]}-{name}" for name in NAMES]
    split = Split("fold1", {ids[0]: "happy"}, {}, [], {ids[3]: "sad"})
    write_splits(folder, [split], SPLIT_ABOUT | about)


def test_splits(world):
    folder = world / "splits"
    write_some_splits(folder)
    write_some_splits(folder, title="again")
    for name in ("notes.txt", "fold1/notes.txt", "fold2/train.lst"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        before = content(world)
        with pytest.raises(DataError, match=f"splits: holds '{name}', not written here, which would be lost"):
            write_some_splits(folder, title="once more")
        assert content(world) == before
        path.unlink()
    with pytest.raises(DataError, match="thesis: is not a folder of splits that was made here"):
        write_some_splits(world / "thesis")


def test_splits_of_an_earlier_protocol_go_and_nothing_else(world):
    from ser.splits.lists import remove_splits

    folder = world / "splits"
    write_some_splits(folder)
    for task in ("old", "kept", "annotated"):
        write_some_splits(folder / task)
    (folder / "annotated/notes.txt").write_text("mine")
    (folder / "mine").mkdir()
    (folder / "mine/protocol.json").write_text("{}")
    remove_splits(folder, keep=["kept"])
    assert sorted(path.name for path in folder.iterdir()) == ["annotated", "kept", "mine"]
    assert (folder / "annotated/fold1/train.lst").exists()


def test_folds_for_emobox(world, call):
    write_some_splits(world / "splits")
    command = "emobox write splits {} --data data"
    check_refused(world, call, command.format("thesis"), "thesis: is not a folder of folds that was made here")
    check_refused(world, call, command.format("data"), "'data': holds data of emodb")
    check_refused(world, call, command.format("splits"), "'splits': is the splits")
    assert call(command.format("out")) == (0, "")
    assert call(command.format("out")) == (0, "")
    (world / "out/fold_1/notes.txt").write_text("mine")
    check_refused(world, call, command.format("out"), "out: holds 'fold_1/notes.txt', not written here")
    (world / "out/fold_1/notes.txt").unlink()
    (world / "out/written_by_ser.json").unlink()  # now it looks as EmoBox's own folders do
    check_refused(world, call, command.format("out"), "out: is not a folder of folds that was made here")


# ---- Features, training, scores, pages ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["feats.ark", "feats.scp", "feats.ark.part"])
def test_features(world, call, name):
    (world / "f.yaml").write_text("upstream: shortcut\n")
    assert call("extract_features --config f.yaml data/emodb dump --nj 1")[0] == 0
    (folder,) = (world / "dump").glob("*/emodb")
    (folder / "feats.notes.ark").write_text("mine")
    touch(world)
    assert call(again("data/emodb"))[0] == 0
    assert call("extract_features --config f.yaml data/emodb dump --nj 1")[0] == 0
    assert (folder / "feats.notes.ark").read_text() == "mine"
    for path in folder.iterdir():
        path.unlink()
    (folder / name).write_text("utt /kaldi/raw_mfcc.1.ark:5\n")
    check_refused(world, call, "extract_features --config f.yaml data/emodb dump --nj 1",
                  f"{name}: was not written by stage 3, and stays as it is")  # fmt: skip


@pytest.mark.parametrize("name", ["README.md", "model.safetensors", "env.json", "predictions.tsv"])
def test_a_run_s_folder(tmp_path, name):
    from ser.recipe.train import _check_ours
    from ser.system.environment import environment

    _check_ours(tmp_path)
    (tmp_path / "notes.txt").write_text("of no name that is written")
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match=rf"{name}: was not written by stages 4 and 5, and stays as it is"):
        _check_ours(tmp_path)
    environment().write(tmp_path / "env.json")
    _check_ours(tmp_path)


def test_lists_of_jobs(tmp_path):
    from ser.recipe.jobs import write_jobs

    path = tmp_path / "jobs_train.tsv"
    write_jobs(path, [["a-b:1", "c:1"], ["a-b:2"]])
    write_jobs(path, [["fbank", "emodb", "12"]])
    write_jobs(path, [])
    assert not path.exists()
    path.write_text("what I have to do\n")
    for jobs in ([], [["a:1"]]):
        with pytest.raises(DataError, match="jobs_train.tsv: was not written by this project, and stays as it is"):
            write_jobs(path, jobs)
    assert path.read_text() == "what I have to do\n"


def test_folders_of_job_arrays(tmp_path):
    from ser.system.folders import remove_folder
    from ser.system.slurm import ARRAY

    folder = tmp_path / "train.slurm"
    folder.mkdir()
    for name in ("job", "jobs.tsv", "1.txt", "12.code", ".3.code"):
        (folder / name).write_text("1")
    (folder / "1-notes.txt").write_text("mine")
    with pytest.raises(DataError, match="train.slurm: holds '1-notes.txt', not written here"):
        remove_folder(folder, ARRAY)
    assert len(list(folder.iterdir())) == 6
    (folder / "1-notes.txt").unlink()
    remove_folder(folder, ARRAY)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["RESULTS.md", "report.html"])
def test_the_report_of_all_recipes(world, call, name):
    (world / "egs/r").mkdir(parents=True)
    record = ROOT / "egs/ravdess2emodb/RESULTS.json"
    (world / "egs/r/run.sh").touch()
    (world / "egs/r/RESULTS.json").write_bytes(record.read_bytes())
    (world / "egs" / name).write_text("my own page")
    code, err = call(f"report {world / 'egs'}")
    assert code == 2
    assert f"{name}: was not written by this project, and stays as it is" in err
    assert (world / "egs" / name).read_text() == "my own page"
    (world / "egs" / name).unlink()
    assert call(f"report {world / 'egs'}")[0] == 0
    assert call(f"report {world / 'egs'}")[0] == 0


@pytest.mark.parametrize("text", ["# Results\n\nWritten by me\n", "x"])
def test_pages(tmp_path, text):
    from ser.system.files import is_generated, write_text

    path = tmp_path / "RESULTS.md"
    write_text(path, "<!-- Written by `x`; do not edit. -->\nold", is_generated)
    write_text(path, "<!-- Written by `x`; do not edit. -->\nnew", is_generated)
    assert path.read_text().endswith("new")
    path.write_text(text)
    with pytest.raises(DataError, match="RESULTS.md: was not written by this project, and stays as it is"):
        write_text(path, "other", is_generated)
    assert path.read_text() == text


@pytest.mark.parametrize("first", ["# What I think of this log\n\nmuch\n", "mine\n", None])
def test_logs(tmp_path, first):
    log = tmp_path / "log/train.log"
    log.parent.mkdir()

    def step() -> subprocess.CompletedProcess[str]:
        script = f'. {ROOT}/utils/stages.sh; run_step "$1" echo hello'
        return subprocess.run(["bash", "-c", script, "x", str(log)], capture_output=True, text=True)

    assert step().returncode == step().returncode == 0
    assert log.read_text().startswith("# echo hello\n# Started at ")
    log.unlink()
    if first is None:
        (tmp_path / "thesis.tex").write_text("years of work")
        log.symlink_to(tmp_path / "thesis.tex")
    else:
        log.write_text(first)
    result = step()
    assert result.returncode == 2
    assert (
        result.stderr
        == f"error: {log}: is not a log of an earlier run, and stays as it is; move it away and run again\n"
    )
    assert log.read_text() == (first or "years of work")


# ---- The mechanism ------------------------------------------------------------------------------------------------


def test_no_folder_is_written_by_the_way_for_files(tmp_path):
    from ser.system.files import replacing

    with pytest.raises(TypeError, match="call replacing_folder"), replacing(tmp_path / "x") as part:
        part.mkdir()
    (tmp_path / "y").mkdir()
    with pytest.raises(DataError, match="y: is a folder, where a file is to be written"), replacing(tmp_path / "y"):
        pass


def test_what_comes_into_the_way_while_a_folder_is_written(tmp_path):
    from ser.system.folders import replacing_folder

    message = "x: exists already, and holds 'mine'"
    with pytest.raises(DataError, match=message), replacing_folder(tmp_path / "x", None) as part:
        (part / "a").write_text("1")
        (tmp_path / "x").mkdir()
        (tmp_path / "x/mine").write_text("mine")
    assert content(tmp_path) == {"x/": "", "x/mine": b"mine"}


def test_nothing_else_removes_folders():
    """Whatever removes a tree asks first: there is one place for it, and one for archives that are being made."""
    allowed = {"system/folders.py"}
    words = ("rmtree", "os.removedirs", "rmdir(", "shutil.move")
    found = {
        path.relative_to(ROOT / "ser").as_posix()
        for path in (ROOT / "ser").rglob("*.py")
        if any(word in path.read_text() for word in words)
    }
    assert found - allowed <= {"corpora/downloads.py"}  # `rmdir` of a folder that is empty
