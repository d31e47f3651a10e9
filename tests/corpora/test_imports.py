"""Data sets of other tools become tables, and tables data directories; all on disk, of a few tiny files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from ser.bin import import_table, prepare_corpus
from ser.corpora.imports import huggingface_rows
from ser.corpora.table import prepare_table
from ser.data.data_dir import read_data_dir
from ser.errors import ConfigError, DataError
from tests.fakes.wav import write_wav


def rows_of(table: Path) -> list[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(*args: object) -> None:
    import_table.main([str(arg) for arg in args])


# ---- Hugging Face ----------------------------------------------------------------------------------------------


@pytest.fixture
def parquet(tmp_path):
    """Two shards with audio in them and the class as a number, as `datasets` writes them."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    info = {
        "info": {
            "features": {"label": {"names": ["anger", "joy"], "_type": "ClassLabel"}, "audio": {"_type": "Audio"}}
        }
    }
    for shard in (0, 1):
        rows = []
        for i, label in enumerate((0, 1)):
            wav = write_wav(tmp_path / "one.wav", seed=2 * shard + i)
            rows.append(
                {"audio": {"bytes": wav.read_bytes(), "path": f"clip {i}.wav"}, "label": label, "who": f"s{i}"}
            )
        table = pa.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(info)})
        (tmp_path / "set/data").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / f"set/data/train-0000{shard}.parquet")
    (tmp_path / "one.wav").unlink()
    return tmp_path / "set"


def test_parquet_with_audio_becomes_a_data_directory(parquet, tmp_path):
    run(
        "huggingface", parquet, tmp_path / "lab.csv", "--speaker", "who", "--emotion", "label", "--all_language", "de"
    )
    table = rows_of(tmp_path / "lab.csv")
    assert [(row["speaker"], row["emotion"], row["language"]) for row in table] == [
        ("s0", "anger", "de"), ("s1", "joy", "de"), ("s0", "anger", "de"), ("s1", "joy", "de"),
    ]  # fmt: skip
    for seed, row in enumerate(table):
        assert Path(row["path"]).read_bytes() == write_wav(tmp_path / "again.wav", seed=seed).read_bytes()
    prepare_corpus.main(["table", str(tmp_path / "lab.csv"), str(tmp_path / "data/lab"), "--map", "joy=happy"])
    found = read_data_dir(tmp_path / "data/lab")
    assert [(u.emotion, u.emotion_native) for u in found] == [("angry", "anger")] * 2 + [("happy", "joy")] * 2


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_audio_files_with_metadata(tmp_path, name):
    write_wav(tmp_path / "set/train/a.wav")
    lines = {
        "metadata.csv": "file_name,speaker_id,style,sex\na.wav,7,amused,Female\n",
        "metadata.jsonl": '{"file_name": "a.wav", "speaker_id": 7, "style": "amused", "sex": "Female"}\n',
    }
    (tmp_path / "set/train" / name).write_text(lines[name])
    run("huggingface", tmp_path / "set", tmp_path / "t.csv", "--speaker", "speaker_id", "--emotion", "style",
        "--gender", "sex")  # fmt: skip
    assert rows_of(tmp_path / "t.csv") == [
        {"path": str(tmp_path / "set/train/a.wav"), "speaker": "7", "emotion": "amused", "gender": "Female"}
    ]


def test_a_folder_per_class(tmp_path):
    for seed, emotion in enumerate(("sad", "Anger")):
        write_wav(tmp_path / f"set/{emotion}/x.wav", seed)
    rows = list(huggingface_rows(tmp_path / "set", tmp_path / "audio"))
    assert [(row["path"].name, row["folder"]) for row in rows] == [("x.wav", "Anger"), ("x.wav", "sad")]
    run("huggingface", tmp_path / "set", tmp_path / "t.csv", "--speaker", "folder", "--emotion", "folder")
    assert [row["emotion"] for row in rows_of(tmp_path / "t.csv")] == ["Anger", "sad"]


def test_what_is_not_there_is_named(tmp_path):
    write_wav(tmp_path / "set/Zest/x.wav")
    call = ("huggingface", tmp_path / "set", tmp_path / "t.csv", "--emotion", "folder")
    with pytest.raises(DataError, match="^row 1: column unknown 'who'.*known: folder"):
        run(*call, "--speaker", "who")
    (tmp_path / "set/Zest/metadata.csv").write_text("file_name,who\nnone.wav,a\n")
    with pytest.raises(DataError, match="metadata.csv: row 1: file_name 'none.wav' is no file below its folder"):
        run(*call, "--speaker", "who")
    shutil.rmtree(tmp_path / "set/Zest")
    with pytest.raises(DataError, match="^no rows were found"):
        run(*call, "--speaker", "who")
    assert not (tmp_path / "t.csv").exists()


# ---- audformat -------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path):
    """Files with their speakers in one table, emotions in another, genders in the labels of the speakers."""
    audformat = pytest.importorskip("audformat")
    db = audformat.Database("toy")
    db.schemes["emotion"] = audformat.Scheme(labels=["anger", "neutral"])
    db.schemes["speaker"] = audformat.Scheme(labels={"ann": {"gender": "female"}, "bob": {"gender": "male"}})
    files = [str(write_wav(tmp_path / f"db/audio/{n}.wav", n, 16000).relative_to(tmp_path / "db")) for n in (1, 2)]
    db["files"] = audformat.Table(audformat.filewise_index(files))
    db["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    db["files"]["speaker"].set(["ann", "bob"])
    db["emotion"] = audformat.Table(audformat.filewise_index(files))
    db["emotion"]["emotion"] = audformat.Column(scheme_id="emotion")
    db["emotion"]["emotion"].set(["anger", "neutral"])
    index = audformat.segmented_index([files[0]] * 2, ["0s", "0.25s"], ["0.25s", "1s"])
    db["segments"] = audformat.Table(index)
    db["segments"]["mood"] = audformat.Column(scheme_id="emotion")
    db["segments"]["mood"].set(["neutral", "anger"])
    db.save(str(tmp_path / "db"))
    return tmp_path / "db"


def test_a_database_becomes_a_data_directory(database, tmp_path):
    run(
        "audformat",
        database,
        tmp_path / "toy.csv",
        "--speaker",
        "speaker",
        "--emotion",
        "emotion",
        "--gender",
        "gender",
    )
    assert rows_of(tmp_path / "toy.csv") == [
        {"path": str(database / "audio/1.wav"), "speaker": "ann", "emotion": "anger", "gender": "female"},
        {"path": str(database / "audio/2.wav"), "speaker": "bob", "emotion": "neutral", "gender": "male"},
    ]
    assert prepare_table(tmp_path / "toy.csv", tmp_path / "data/toy")
    assert [(u.speaker, u.gender) for u in read_data_dir(tmp_path / "data/toy")] == [
        ("toy-ann", "f"),
        ("toy-bob", "m"),
    ]


def test_segments_of_a_database_have_times(database, tmp_path):
    run("audformat", database, tmp_path / "toy.csv", "--speaker", "speaker", "--emotion", "mood")
    assert [(r["speaker"], r["emotion"], r["start"], r["end"]) for r in rows_of(tmp_path / "toy.csv")] == [
        ("ann", "neutral", "0.000000", "0.250000"),
        ("ann", "anger", "0.250000", "1.000000"),
    ]


def test_a_table_has_to_be_named_where_none_or_several_have_the_emotion(database, tmp_path):
    call = ("audformat", database, tmp_path / "toy.csv", "--speaker", "speaker", "--emotion")
    with pytest.raises(ConfigError, match="^--table: column 'feeling' is in the tables none; name one"):
        run(*call, "feeling")
    with pytest.raises(ConfigError, match="^--table: unknown 'moods'"):
        run(*call, "mood", "--table", "moods")
    with pytest.raises(DataError, match="holds no 'db.yaml', so it is no audformat database"):
        run("audformat", database / "audio", *call[2:], "mood")
