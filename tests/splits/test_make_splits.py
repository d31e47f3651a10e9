"""The command of stage 2: idempotent, and a changed setting never keeps the old lists."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from ser.bin import make_splits
from ser.errors import DataError, ProtocolError
from ser.kaldi_io import read_data_dir, write_data_dir
from ser.splits.lists import Splits
from tests.splits.people import CLASSES, corpus

PROTOCOL = {
    "protocol": "few_shot",
    "source": "src",
    "target": "tgt",
    "labels": "four",
    "shots": [2],
    "draws": 2,
    "dev_speakers": 0.2,
    "seed": 1,
    "folds": {name: {"rule": "consecutive_speakers", "size": 2} for name in ("src", "tgt")},
    "mini": {"draws": 1},
}
LABELS = {
    "classes": list(CLASSES),
    "corpora": {
        name: {"map": {c: [c] for c in CLASSES}, "drop": ["bored"], "expected": dict.fromkeys(CLASSES, 1)}
        for name in ("src", "tgt")
    },
}


class Recipe:
    """A recipe folder with its data, and stage 2 run on it."""

    def __init__(self, root: Path):
        self.root, self.splits = root, root / "splits"
        for path, values in (("protocol.yaml", PROTOCOL), ("labels/four.yaml", LABELS)):
            self.write(path, values)
        for name, n_speakers in (("src", 6), ("tgt", 4)):
            write_data_dir(self.data(name), corpus(name, n_speakers, 3), {"release": "mini"})

    def data(self, name: str) -> Path:
        return self.root / "data" / name

    def write(self, path: str, values: dict) -> None:
        (self.root / "conf" / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / "conf" / path).write_text(yaml.safe_dump(values))

    def change(self, name: str, release: str = "mini", **fields: object) -> None:
        """Change what the first utterance of a corpus says."""
        first, *others = read_data_dir(self.data(name))
        write_data_dir(self.data(name), [dataclasses.replace(first, **fields), *others], {"release": release})

    def add_sessions(self, name: str) -> None:
        """Give each speaker of a corpus a recording session."""
        with_session = [dataclasses.replace(u, session=u.speaker[-2:]) for u in read_data_dir(self.data(name))]
        write_data_dir(self.data(name), with_session, {"release": "mini"})

    def run(self, *options: str) -> tuple[str, dict[str, str]]:
        """Run stage 2; give the fingerprint and the lists."""
        config = str(self.root / "conf" / "protocol.yaml")
        make_splits.main(["--config", config, "--data", str(self.root / "data"), *options, str(self.splits)])
        lists = {str(p.relative_to(self.splits)): p.read_text() for p in sorted(self.splits.glob("*/*.[lr]*"))}
        return Splits.open(self.splits).fingerprint, lists


@pytest.fixture
def recipe(tmp_path) -> Recipe:
    return Recipe(tmp_path)


def test_a_second_run_does_nothing(recipe, capsys):
    first = recipe.run()
    printed = capsys.readouterr().out
    assert "fold1: 60 train, 12 dev, 24 test (tgt-01, tgt-02), 2 support sets" in printed
    assert f"no speaker, session or audio is shared; fingerprint {first[0][:8]}" in printed
    stamps = {path: path.stat().st_mtime_ns for path in recipe.splits.rglob("*")}
    assert recipe.run() == first
    assert capsys.readouterr().out == "splits: up to date\n"
    assert {path: path.stat().st_mtime_ns for path in recipe.splits.rglob("*")} == stamps


def test_the_same_settings_make_the_same_lists_elsewhere(recipe, tmp_path):
    assert Recipe(tmp_path / "élsewhere with spaces").run() == recipe.run()


def swapped(values: dict) -> dict:
    return values | {"source": values["target"], "target": values["source"]}


LISTS_TOO = {
    "shots": lambda r: r.write("protocol.yaml", PROTOCOL | {"shots": [3]}),
    "another k": lambda r: r.write("protocol.yaml", PROTOCOL | {"shots": [2, 3]}),
    "draws": lambda r: r.write("protocol.yaml", PROTOCOL | {"draws": 3}),
    "dev_speakers": lambda r: r.write("protocol.yaml", PROTOCOL | {"dev_speakers": 0.5}),
    "seed": lambda r: r.write("protocol.yaml", PROTOCOL | {"seed": 2}),
    "fold size": lambda r: r.write(
        "protocol.yaml", PROTOCOL | {"folds": {"tgt": {"rule": "consecutive_speakers", "size": 1}}}
    ),
    "source and target": lambda r: r.write("protocol.yaml", swapped(PROTOCOL)),
    "a label": lambda r: r.change("src", emotion="sad"),
    "a dropped utterance": lambda r: r.change("tgt", emotion="bored"),
    "classes": lambda r: r.write("labels/four.yaml", merged()),
}
FINGERPRINT_ONLY = {
    "fold rule with the same pairs": lambda r: r.write(
        "protocol.yaml", PROTOCOL | {"folds": {"tgt": {"rule": "gender_pairs"}}}
    ),
    "audio": lambda r: r.change("src", audio_hash="other"),
    "session": lambda r: r.add_sessions("src"),
    "release": lambda r: r.change("src", release="subset"),
    "name of the label map": lambda r: (
        r.write("labels/quattro.yaml", LABELS),
        r.write("protocol.yaml", PROTOCOL | {"labels": "quattro"}),
    ),
}


def merged() -> dict:
    """Merge happy and sad into one class."""
    rules = {
        "map": {"angry": ["angry"], "moody": ["happy", "sad"], "neutral": ["neutral"]},
        "drop": ["bored"],
        "expected": dict.fromkeys(("angry", "moody", "neutral"), 1),
    }
    return {"classes": ["angry", "moody", "neutral"], "corpora": {"src": rules, "tgt": rules}}


@pytest.mark.parametrize("change", [*LISTS_TOO, *FINGERPRINT_ONLY])
def test_a_changed_setting_never_keeps_the_old_splits(change, recipe):
    fingerprint, lists = recipe.run()
    (LISTS_TOO | FINGERPRINT_ONLY)[change](recipe)
    new_fingerprint, new_lists = recipe.run()
    assert new_fingerprint != fingerprint
    assert (new_lists != lists) == (change in LISTS_TOO)


def test_mini_and_a_new_version_make_new_splits(recipe, monkeypatch):
    fingerprints = [recipe.run()[0], recipe.run("--mini", "true")[0]]
    assert not list(recipe.splits.glob("*/support.*.2.lst"))
    monkeypatch.setattr(make_splits, "VERSION", 99)
    fingerprints += [recipe.run()[0]]
    assert len(set(fingerprints)) == 3


def test_moved_audio_changes_nothing(recipe, capsys):
    first = recipe.run()
    for name in ("src", "tgt"):
        moved = [dataclasses.replace(u, wav=f"/elsewhere{u.wav}") for u in read_data_dir(recipe.data(name))]
        write_data_dir(recipe.data(name), moved, {"release": "mini"})
    capsys.readouterr()
    assert recipe.run() == first
    assert capsys.readouterr().out == "splits: up to date\n"


def test_a_refused_split_leaves_what_was_there(recipe):
    first = recipe.run()
    recipe.write("protocol.yaml", PROTOCOL | {"shots": [50]})
    with pytest.raises(ProtocolError, match="shots: 50 support utterances asked for, class 'angry' of 'tgt' has 6"):
        recipe.run()
    recipe.write("protocol.yaml", PROTOCOL)
    assert recipe.run() == first


def test_a_refused_split_leaves_no_folder(recipe):
    recipe.change("tgt", audio_hash="hash of src-01-angry0")
    with pytest.raises(ProtocolError, match="identical audio .* src-01-angry0 and tgt-01-angry0"):
        recipe.run()
    assert not list(recipe.root.glob("*splits*"))


def test_a_full_release_has_to_give_the_expected_counts(recipe):
    recipe.change("src", release="full")
    with pytest.raises(ProtocolError, match="corpora.src: expected {'angry': 1.* from the full release, found .*18"):
        recipe.run()


def test_without_data_stage_1_is_named(recipe):
    (recipe.data("tgt") / "corpus.json").unlink()
    with pytest.raises(DataError, match="data/tgt: no data directory; run stage 1"):
        recipe.run()
