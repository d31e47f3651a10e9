"""EmoBox's folds: small files in its format, read with and without a data directory; ours written and read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ser.bin import emobox as command
from ser.corpora.base import prepare
from ser.corpora.emodb import CORPUS as EMODB
from ser.data.data_dir import write_data_dir
from ser.errors import DataError
from ser.splits import emobox
from ser.splits.lists import Split, Splits, write_splits
from ser.types import Utterance
from tests.fakes import emodb as fake_emodb
from tests.splits.people import corpus

KEYS = ["key", "dataset", "wav", "type", "sample_rate", "num_frame", "task", "length", "emo", "channel"]
SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")


def line(stem: str, dataset: str = "emodb", folder: str = "wav") -> dict:
    wav = f"downloads/{dataset}/{folder}/{stem}.wav"
    values = [f"{dataset}-{stem}", dataset, wav, "raw", 16000, 32000.0, "category", 2.0, "anger", 1]
    return dict(zip(KEYS, values, strict=True))


def write_fold(folder: Path, number: int, train: list[dict], test: list[dict], name: str = "_fold_") -> None:
    dataset = train[0]["dataset"]
    (folder / f"fold_{number}").mkdir(parents=True, exist_ok=True)
    for part, lines in (("train", train), ("test", test)):
        path = folder / f"fold_{number}" / f"{dataset}_{part}{name}{number}.jsonl"
        path.write_text("".join(json.dumps(entry) + "\n" for entry in lines))


def shared_folds(folder: Path) -> Path:
    """All ten speakers of EMO-DB in training and test of five folds, each of which tests a sentence of its own."""
    sentences = ("a01", "a02", "a04", "a05", "a07")
    for number, sentence in enumerate(sentences, start=1):
        test = [line(f"{speaker}{sentence}Wa") for speaker in SPEAKERS]
        train = [line(f"{s}{other}Wa") for s in SPEAKERS for other in sentences if other != sentence]
        write_fold(folder, number, train, test)
    return folder


def report(capsys, *args: object) -> str:
    command.main(["report", *map(str, args)])
    return capsys.readouterr().out


def test_emodb_s_folds_are_reported_as_sharing_all_speakers(tmp_path, capsys):
    out = report(capsys, shared_folds(tmp_path))
    rows = [row.split() for row in out.splitlines()[1:6]]
    assert rows == [[str(n), "40", "10", "10", "of", "10", "0", "of", "1", "?"] for n in range(1, 6)]
    speakers = ", ".join(f"emodb-{speaker}" for speaker in SPEAKERS)
    assert f"SPEAKER-DEPENDENT: 5 of 5 folds test speakers of their training data: {speakers}" in out


def test_single_files_are_read_and_shared_utterances_found(tmp_path, capsys):
    write_fold(tmp_path, 1, [line("03a01Wa"), line("08a02Fa")], [line("08a02Fa"), line("09a04Na")])
    out = report(capsys, *sorted((tmp_path / "fold_1").iterdir()))
    assert out.splitlines()[1].split() == ["1", "2", "2", "1", "of", "2", "1", "of", "2", "?"]
    assert "LEAK: utterances in both training and test of fold 1" in out


def test_valid_counts_as_training(tmp_path):
    write_fold(tmp_path, 1, [line("03a01Wa")], [line("08a02Fa")])
    (tmp_path / "fold_1" / "emodb_valid_fold_1.jsonl").write_text(json.dumps(line("08a01Na")) + "\n")
    (fold,) = emobox.read_folds([tmp_path])
    told = emobox.told_of([*fold.train, *fold.test], None)
    assert emobox.leaks_of(fold, told).speakers == ["emodb-08"]


def test_of_two_spellings_of_a_name_the_present_one_holds(tmp_path):
    write_fold(tmp_path, 1, [line("03a01Wa")], [line("08a02Fa")])
    write_fold(tmp_path, 1, [line("08a02Fa")], [line("08a02Fa")], name="_fold")
    (fold,) = emobox.read_folds([tmp_path])
    assert [entry["key"] for entry in fold.train] == ["emodb-03a01Wa"]


def test_older_files_next_to_present_ones_are_not_read(tmp_path):
    """EmoBox's own repository has both; the older have other keys, or none that are read here."""
    write_fold(tmp_path, 1, [line("03a01Wa")], [line("08a02Fa")])
    for part in ("train", "test"):
        (tmp_path / "fold_1" / f"emodb_{part}_fold1.jsonl").write_text('{"id": 1}\n')
    (fold,) = emobox.read_folds([tmp_path])
    assert [entry["key"] for entry in (*fold.train, *fold.test)] == ["emodb-03a01Wa", "emodb-08a02Fa"]


def test_older_keys_are_read_where_only_they_are_there(tmp_path):
    older = [{"audio" if k == "wav" else "label" if k == "emo" else k: v for k, v in line(s).items()} for s in
             ("03a01Wa", "08a02Fa")]  # fmt: skip
    write_fold(tmp_path, 1, older[:1], older[1:], name="_fold")
    (fold,) = emobox.read_folds([tmp_path])
    assert (fold.train[0]["wav"], fold.train[0]["emo"]) == ("downloads/emodb/wav/03a01Wa.wav", "anger")


def test_several_test_parts_are_one(tmp_path, capsys):
    write_fold(tmp_path, 1, [line("03a01Wa")], [line("08a02Fa")])
    (tmp_path / "fold_1" / "emodb_test_fold_1.jsonl").unlink()
    for number, stem in enumerate(("08a02Fa", "09a04Na", "10a01Ab"), start=1):
        path = tmp_path / "fold_1" / f"emodb_test{number}_fold_1.jsonl"
        path.write_text(json.dumps(line(stem)) + "\n")
    out = report(capsys, tmp_path)
    assert out.splitlines()[1].split()[:6] == ["1", "1", "3", "0", "of", "3"]


def casia(number: int, speaker: str, emotion: str, key: str | None = None) -> dict:
    entry = line(f"{speaker}/{emotion}/{number}", "casia", "casia")
    return entry | {"key": key or f"casia-{number}-{speaker}-{emotion}"}


def test_casia_s_paths_name_the_speaker_in_the_third_part_from_the_end(tmp_path, capsys):
    train = [casia(201, "liuchanhg", "angry"), casia(202, "wangzhe", "happy")]
    write_fold(tmp_path, 1, train, [casia(203, "wangzhe", "sad"), casia(204, "zhaoquanyin", "sad")])
    out = report(capsys, tmp_path)
    assert out.splitlines()[1].split()[3:6] == ["1", "of", "2"]
    assert "SPEAKER-DEPENDENT: 1 of 1 folds test speakers of their training data: casia-wangzhe" in out


def test_one_name_that_is_none_hides_no_others(tmp_path, capsys):
    lines = [casia(201 + i, "liuchanhg", "angry") for i in range(3)]
    write_fold(tmp_path, 1, [*lines, casia(1, "nobody", "angry")], [casia(300, "wangzhe", "sad")])
    out = report(capsys, tmp_path)
    assert out.startswith("1 of 5 utterances have no known speaker, and count only as utterances (first: 'casia-1-no")
    assert out.splitlines()[2].split()[:6] == ["1", "4", "1", "0", "of", "1"]
    assert "no speaker is shared" in out


def test_keys_with_speaker_and_emotion_behind_the_number_match_a_data_directory(tmp_path):
    u = Utterance("casia-liuchanhg-angry-201", "casia-liuchanhg", "/x/1.wav", "angry", "angry", "f", "zh",
                  duration=1.0, audio_hash="h", text_id="201")  # fmt: skip
    write_data_dir(tmp_path / "casia", [u], {})
    entry = casia(201, "liuchanhg", "angry") | {"wav": "elsewhere/0001.wav"}
    assert emobox.told_of([entry], tmp_path / "casia")[entry["key"]].text == "201"


def test_files_that_are_not_utf8_and_paths_with_a_nul_byte(tmp_path):
    for name, content, message in (
        ("emodb_train_fold_1.jsonl", '{"key": "é"}'.encode("latin-1"), "not UTF-8 at byte 9; save it as UTF-8"),
        ("emodb_train_fold_1.jsonl", json.dumps(line("a") | {"wav": "a\0.wav"}).encode(), "line 1: .* a NUL byte"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=message):
            emobox.read_folds([tmp_path])


def test_a_data_directory_tells_texts_and_identical_audio(tmp_path, capsys):
    release = fake_emodb.write_release(tmp_path / "EMO-DB")
    stems = [path.stem for path in sorted((release / "wav").iterdir())]
    first, twin = (release / "wav" / f"{stem}.wav" for stem in (stems[0], stems[-1]))
    twin.write_bytes(first.read_bytes())
    prepare(EMODB, release, tmp_path / "emodb")
    capsys.readouterr()
    write_fold(tmp_path / "folds", 1, [line(stem) for stem in stems[:-1]], [line(stems[-1])])
    out = report(capsys, tmp_path / "folds", "--data", tmp_path / "emodb")
    assert out.splitlines()[1].split() == ["1", "534", "1", "1", "of", "1", "1", "of", "1", "1"]
    assert "LEAK: identical audio in both training and test of fold 1" in out and "?" not in out


def test_names_that_tell_no_speaker_need_a_data_directory(tmp_path):
    lines = [line("one"), line("two")]
    with pytest.raises(DataError, match="emodb: its file names do not give speakers .* with --data"):
        emobox.told_of(lines, None)
    with pytest.raises(DataError, match="dataset: unknown 'emodbb'; did you mean 'emodb'"):
        emobox.told_of([line("03a01Wa", dataset="emodbb")], None)
    data_dir = tmp_path / "emodb"
    write_data_dir(data_dir, corpus("emodb", 2, 1), {})
    with pytest.raises(DataError, match=r"2 of 2 utterances are not found in .*emodb \(first: 'emodb-one'"):
        emobox.told_of(lines, data_dir)


def test_paths_of_a_file_lead_nowhere_else(tmp_path):
    """A line names files; none outside the temporary folder is made."""
    entry = line("03a01Wa") | {"wav": f"../../../{tmp_path}/../03a01Wa.wav"}
    assert emobox.told_of([entry], None)["emodb-03a01Wa"].speaker == "emodb-03"
    assert not list(tmp_path.iterdir()) and not (tmp_path.parent / "03a01Wa.wav").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("emodb_train_fold_1.jsonl", "{", r"train_fold_1.jsonl line 1: not JSON"),
        ("emodb_train_fold_1.jsonl", "[1]", "line 1: no text 'key'; a line needs key, dataset and wav"),
        ("emodb_train_fold_1.jsonl", '{"key": "a", "dataset": "emodb", "wav": 3}', "line 1: no text 'wav'"),
        ("emodb_train_fold_1.jsonl", json.dumps(line("03a01Wa")), "fold 1: the test file is missing"),
        ("emodb_all_fold_1.jsonl", "", "expected a name as in emodb_train_fold_1.jsonl"),
        ("readme.txt", "", "no file as in fold_1/emodb_train_fold_1.jsonl"),
    ],
)
def test_bad_files_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        emobox.read_folds([tmp_path])


# ---- Ours -----------------------------------------------------------------------------------------------------


def written(tmp_path: Path, **fields: object) -> tuple[Path, list[Split]]:
    utterances = corpus("emodb", 3, 2)
    info = {"made_from": {"path": "/wavs"}, "formats": {"16000 Hz, 1 channel(s)": len(utterances)}}
    write_data_dir(tmp_path / "data" / "emodb", utterances, info)
    speakers = ("emodb-01", "emodb-02", "emodb-03")
    a, b, c = ({u.utt_id: u.emotion for u in utterances if u.speaker == speaker} for speaker in speakers)
    splits = [Split("fold1", a, b, [], c, **fields), Split("fold2", {**b, **c}, {}, [], a)]
    classes = ["angry", "happy", "neutral", "sad"]
    write_splits(
        tmp_path / "splits", splits, {"made_from": {}, "releases": {"emodb": "own"}, "labels": {"classes": classes}}
    )
    return tmp_path / "splits", splits


def test_our_splits_are_written_and_read_back(tmp_path, capsys):
    folder, splits = written(tmp_path)
    command.main(["write", str(folder), str(tmp_path / "out"), "--data", str(tmp_path / "data")])
    assert sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.json*")) == [
        "emodb.jsonl",
        *(f"fold_1/emodb_{part}_fold_1.jsonl" for part in ("test", "train", "valid")),
        *(f"fold_2/emodb_{part}_fold_2.jsonl" for part in ("test", "train")),
        "label_map.json",
        "written_by_ser.json",
    ]
    folds = emobox.read_folds([tmp_path / "out"])
    for fold, split in zip(folds, splits, strict=True):
        assert {e["key"]: e["emo"] for e in fold.train} == {**split.train, **split.dev}
        assert {e["key"]: e["emo"] for e in fold.test} == split.test
    entry = folds[0].test[0]
    assert list(entry) == [*KEYS, "speaker"]
    assert (entry["wav"], entry["num_frame"]) == (f"downloads/emodb/{entry['key']}.wav", 24000)
    capsys.readouterr()
    out = report(capsys, tmp_path / "out")
    assert "no speaker is shared" in out and "SPEAKER-DEPENDENT" not in out
    assert [row.split()[3:6] for row in out.splitlines()[1:3]] == [["0", "of", "1"]] * 2


def test_what_the_format_has_no_place_for_is_told(tmp_path, capsys):
    folder, splits = written(tmp_path, support={(1, 1): {"emodb-02-happy0": "happy"}})
    assert emobox.write_folds(Splits.open(folder), tmp_path / "data", tmp_path / "out") == ["support sets"]


def test_segments_keep_their_times(tmp_path):
    u = Utterance("c-1-a", "c-1", "/wavs/long.wav", "sad", "s", "f", "en", duration=1.5, start=2.0, end=3.5)
    entry = emobox._entry(u, "c", {"formats": {"8000 Hz, 1 channel(s)": 1}})
    assert (entry["start_time"], entry["end_time"], entry["num_frame"]) == (2.0, 3.5, 12000)
    assert entry["wav"] == "downloads/c/long.wav"
