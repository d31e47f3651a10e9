"""The command of stage 2: idempotent, a changed setting never keeps the old lists, and each task has its own."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from ser.bin import make_splits
from ser.data.data_dir import read_data_dir, write_data_dir
from ser.errors import ConfigError, DataError, ProtocolError
from ser.splits import make
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
        (self.root / "conf" / path).write_text(yaml.safe_dump(values, sort_keys=False))

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
    assert (
        f"no speaker or audio is shared, sessions are not known for src, tgt; fingerprint {first[0][:8]}" in printed
    )
    stamps = {path: path.stat().st_mtime_ns for path in recipe.splits.rglob("*")}
    assert recipe.run() == first
    assert capsys.readouterr().out == "splits: up to date\n"
    assert {path: path.stat().st_mtime_ns for path in recipe.splits.rglob("*")} == stamps


def test_the_same_settings_make_the_same_lists_elsewhere(recipe, tmp_path):
    assert Recipe(tmp_path / "élsewhere with spaces").run() == recipe.run()


def test_what_tables_have_to_say_stands_beside_the_splits(recipe, capsys):
    recipe.run()
    about = Splits.open(recipe.splits).about
    assert (about["stamps"], about["one_class_speakers"]) == ([], {"src": [0, 6], "tgt": [0, 4]})
    target = [u for u in corpus("tgt", 4, 3) if u.speaker != "tgt-01" or u.emotion == "angry"]
    write_data_dir(recipe.data("tgt"), target, {"release": "mini"})
    recipe.change("tgt", emotion="bored")  # dropped: the first speaker has one class and no other
    recipe.write("protocol.yaml", PROTOCOL | {"sessions": "shared"})
    capsys.readouterr()
    recipe.run()
    about = Splits.open(recipe.splits).about
    assert about["stamps"] == ["SESSION-DEPENDENT: recording sessions of tgt may be in both training and test"]
    assert about["one_class_speakers"] == {"src": [0, 6], "tgt": [1, 4]}
    *_, stamp, last = capsys.readouterr().out.splitlines()
    assert stamp == about["stamps"][0]
    assert last.startswith("no speaker or audio is shared; fingerprint ")


def swapped(values: dict) -> dict:
    return values | {"source": values["target"], "target": values["source"]}


LISTS_TOO = {
    "shots": lambda r: r.write("protocol.yaml", PROTOCOL | {"shots": [3]}),
    "another k": lambda r: r.write("protocol.yaml", PROTOCOL | {"shots": [2, 3]}),
    "draws": lambda r: r.write("protocol.yaml", PROTOCOL | {"draws": 3}),
    "dev_speakers": lambda r: r.write("protocol.yaml", PROTOCOL | {"dev_speakers": 0.5}),
    "seed": lambda r: r.write("protocol.yaml", PROTOCOL | {"seed": 2}),
    "support_speakers": lambda r: r.write("protocol.yaml", PROTOCOL | {"support_speakers": 1}),
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
    "sessions": lambda r: r.write("protocol.yaml", PROTOCOL | {"sessions": "shared"}),
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
    monkeypatch.setattr(make, "VERSION", 99)
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


def test_an_edited_list_is_made_again_and_an_edited_data_directory_refused(recipe, capsys):
    recipe.run()
    path = min(recipe.splits.glob("*/train.lst"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    recipe.run()
    assert path.read_bytes() == whole
    assert capsys.readouterr().out.startswith(f"{path}: was changed after it was made; made again\n")
    emotions = recipe.data("tgt") / "utt2emo"
    emotions.write_text(emotions.read_text().replace("angry", "happy", 1))
    with pytest.raises(
        DataError, match=r"tgt/utt2emo is not what stage 1 wrote; to undo the change, delete .*tgt and "
    ):
        recipe.run()
    assert path.read_bytes() == whole


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


# Tasks

COMMON = {"tasks": {"mood": "mood", "four": "four"}, "dev_speakers": 0.2, "seed": 1}
CROSS = COMMON | {"protocol": "cross_corpus", "sources": ["src"], "targets": ["tgt"], "adapt": "unlabelled-test"}
MULTI = COMMON | {
    "protocol": "multi_corpus",
    "corpora": ["src", "tgt"],
    "folds": PROTOCOL["folds"],
    "held_out": {"src": 3, "tgt": 1},
    "mini": {"rotations": 1},
}
OF_TASKS = {"cross": CROSS, "multi": MULTI}


class TaskRecipe(Recipe):
    """A recipe of two tasks: `four` has the four classes, `mood` three of them."""

    def __init__(self, root: Path, protocol: dict):
        super().__init__(root)
        self.protocol = protocol
        self.write("protocol.yaml", self.protocol)
        self.write("labels/mood.yaml", merged())

    def set(self, **changes: object) -> None:
        self.protocol = self.protocol | changes
        self.write("protocol.yaml", self.protocol)

    def make(self, *options: str) -> dict[str, tuple[str, dict[str, str]]]:
        """Run stage 2; give each task's fingerprint and lists."""
        config = str(self.root / "conf" / "protocol.yaml")
        make_splits.main(["--config", config, "--data", str(self.root / "data"), *options, str(self.splits)])
        return self.found()

    def found(self) -> dict[str, tuple[str, dict[str, str]]]:
        return {
            path.parent.name: (
                Splits.open(path.parent).fingerprint,
                {str(p.relative_to(path.parent)): p.read_text() for p in sorted(path.parent.glob("*/*.[lr]*"))},
            )
            for path in self.splits.glob("*/protocol.json")
        }


@pytest.fixture(params=OF_TASKS)
def of_tasks(request, tmp_path) -> TaskRecipe:
    return TaskRecipe(tmp_path, OF_TASKS[request.param])


def test_each_task_has_its_own_complete_splits(of_tasks):
    of_tasks.make()
    assert sorted(path.name for path in of_tasks.splits.iterdir()) == ["four", "mood"]
    names = {"cross_corpus": ["all"], "multi_corpus": ["canonical", "rotation1", "rotation2", "rotation3"]}
    four, mood = (Splits.open(of_tasks.splits / task) for task in ("four", "mood"))
    assert (four.classes, mood.classes) == (list(CLASSES), ["angry", "moody", "neutral"])
    for opened, task in ((four, "four"), (mood, "mood")):
        about = opened.about
        assert about["splits"] == names[of_tasks.protocol["protocol"]]
        assert about["labels"]["name"] == task and about["protocol"]["tasks"] == {task: task}
        assert about["releases"] == {"src": "mini", "tgt": "mini"}
        assert (about["stamps"], about["one_class_speakers"]) == ([], {"src": [0, 6], "tgt": [0, 4]})
    for one, other in zip(four.for_scoring(), mood.for_scoring(), strict=True):
        for part in ("train", "dev", "test"):
            of_four, of_mood = getattr(one, part), getattr(other, part)
            assert {u: {"happy": "moody", "sad": "moody"}.get(c, c) for u, c in of_four.items()} == of_mood
        assert one.adapt == other.adapt


def test_a_second_run_of_tasks_does_nothing(of_tasks, capsys):
    first = of_tasks.make()
    stamps = {path: path.stat().st_mtime_ns for path in of_tasks.splits.rglob("*")}
    capsys.readouterr()
    assert of_tasks.make() == first
    assert capsys.readouterr().out == "mood splits: up to date\nfour splits: up to date\n"
    assert {path: path.stat().st_mtime_ns for path in of_tasks.splits.rglob("*")} == stamps


def test_what_is_tested_is_printed_by_corpus(tmp_path, capsys):
    """Six and four speakers with twelve utterances; one of each corpus' training speakers is kept for dev."""
    made = TaskRecipe(tmp_path / "cross", CROSS).make()
    first, last, *_ = capsys.readouterr().out.splitlines()
    assert first == "mood all: 60 train, 12 dev, 48 test (tgt 48), all of it to adapt to without labels"
    assert last == (
        f"no speaker or audio is shared, sessions are not known for src, tgt; fingerprint {made['mood'][0][:8]} "
        "(altered copies not looked for: stage 1 of src, tgt is older)"
    )
    TaskRecipe(tmp_path / "multi", MULTI).make("--mini", "true")
    assert capsys.readouterr().out.splitlines()[:2] == [
        "mood canonical: 48 train, 24 dev, 48 test (src 24, tgt 24)",
        "mood rotation1: 48 train, 24 dev, 48 test (src 24, tgt 24)",
    ]


def test_only_the_task_that_changes_is_made_again(of_tasks, capsys):
    first = of_tasks.make()
    calm = {name: rules | {"drop": ["bored", "calm"]} for name, rules in merged()["corpora"].items()}
    of_tasks.write("labels/mood.yaml", merged() | {"corpora": calm})
    capsys.readouterr()
    second = of_tasks.make()
    assert capsys.readouterr().out.splitlines()[-1] == "four splits: up to date"
    assert second["four"] == first["four"] and second["mood"][0] != first["mood"][0]
    of_tasks.set(seed=2)
    third = of_tasks.make()
    assert all(third[task][0] != second[task][0] for task in third)


def test_a_further_task_leaves_the_others_and_one_less_goes(of_tasks, capsys):
    first = of_tasks.make()
    of_tasks.set(tasks={"mood": "mood", "again": "four"})
    capsys.readouterr()
    second = of_tasks.make()
    assert capsys.readouterr().out.startswith("mood splits: up to date\nagain ")
    assert second.keys() == {"mood", "again"}
    assert second["mood"] == first["mood"] and second["again"][1] == first["four"][1]


def test_what_another_protocol_left_goes_and_other_files_stay(of_tasks):
    tasks = of_tasks.make()
    (of_tasks.splits / "notes").mkdir()
    of_tasks.write("protocol.yaml", PROTOCOL)
    of_tasks.run()
    assert sorted(path.name for path in of_tasks.splits.iterdir()) == ["fold1", "fold2", "protocol.json"]
    (of_tasks.splits / "notes").mkdir()
    of_tasks.set()
    assert of_tasks.make() == tasks
    assert sorted(path.name for path in of_tasks.splits.iterdir()) == ["four", "mood", "notes"]


def test_a_refused_task_keeps_its_own_splits_and_no_part(of_tasks):
    first = of_tasks.make()
    of_tasks.change("src", audio_hash="hash of tgt-01-angry0")
    with pytest.raises(ProtocolError, match="identical audio in both .* src-01-angry0"):
        of_tasks.make()
    assert of_tasks.found() == first
    four = {name: rules | {"drop": []} for name, rules in LABELS["corpora"].items()}
    of_tasks.write("labels/four.yaml", LABELS | {"corpora": four})
    of_tasks.change("src", emotion="bored")
    with pytest.raises(ProtocolError, match="corpora.src: emotion 'bored' of 'src-01-angry0' is neither mapped"):
        of_tasks.make()
    found = of_tasks.found()
    assert found["four"] == first["four"] and found["mood"] != first["mood"]
    assert sorted(path.name for path in of_tasks.splits.iterdir()) == ["four", "mood"]


def test_acted_emotions_count_where_the_label_map_reads_them(of_tasks, capsys):
    for name in ("src", "tgt"):
        acted = [dataclasses.replace(u, emotion_acted=u.emotion) for u in read_data_dir(of_tasks.data(name))]
        write_data_dir(of_tasks.data(name), acted, {"release": "mini"})
    by = {name: rules | {"by": "emotion_acted"} for name, rules in LABELS["corpora"].items()}
    of_tasks.write("labels/four.yaml", LABELS | {"corpora": by})
    first = of_tasks.make()
    of_tasks.change("src", emotion_acted="sad")
    capsys.readouterr()
    second = of_tasks.make()
    assert capsys.readouterr().out.startswith("mood splits: up to date\nfour ")
    assert second["mood"] == first["mood"] and second["four"][0] != first["four"][0]
    assert "src-01-angry0 sad\n" in "".join(second["four"][1].values())


def test_mini_makes_fewer_rotations(tmp_path):
    recipe = TaskRecipe(tmp_path, MULTI)
    full = recipe.make()
    mini = recipe.make("--mini", "true")
    assert Splits.open(recipe.splits / "mood").about["splits"] == ["canonical", "rotation1"]
    assert all(mini[task][0] != full[task][0] and mini[task][1].items() < full[task][1].items() for task in mini)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "cross_corpora"}, "protocol: unknown 'cross_corpora'; did you mean 'cross_corpus'? known: "),
        ({"protocol": ["few_shot"]}, "protocol: unknown '['few_shot']'"),
        (
            {"protocol": None},
            "protocol: is required and missing; known: corpus_folds, cross_corpus, few_shot, multi_corpus",
        ),
        ({"shots": [5]}, "shots: unknown key 'shots'"),
        ({"seed": 1.5}, "seed: Input should be a valid integer"),
        ({"tasks": {"mood": "moood"}}, "conf/labels: unknown 'moood'; did you mean 'mood'?"),
    ],
)
def test_a_wrong_protocol_file_is_named(changes, message, tmp_path):
    recipe = TaskRecipe(tmp_path, CROSS)
    values = {key: value for key, value in (recipe.protocol | changes).items() if value is not None}
    recipe.write("protocol.yaml", values)
    where = "" if "conf/labels" in message else f"{tmp_path}/conf/protocol.yaml: "
    with pytest.raises(ConfigError, match=f"^{re.escape(where + message)}"):
        recipe.make()
    assert not recipe.splits.exists()
