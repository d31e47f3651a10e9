"""What every protocol declares: words for its folds, sketches, and folds that corpora lend it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ser.corpora import CORPORA
from ser.errors import ConfigError
from ser.splits.lists import Split
from ser.splits.protocols import known, read_protocol

ROOT = Path(__file__).parents[3]


def protocol_of(recipe: str):
    return read_protocol(ROOT / "egs" / recipe / "conf" / "recipe.yaml")


@pytest.mark.parametrize(
    "recipe, task, corpus, more, expected",
    [
        ("ravdess2emodb", "", "emodb", {},
         "folds of one woman and one man; 20 support sets a fold, of other speakers"),
        ("ravdess2emodb_urdu", "arousal", "urdu", {}, "tested in full"),
        ("ravdess_emodb_urdu", "arousal", "ravdess", {}, "folds of 4 speakers, of which one is held out"),
        ("ravdess_emodb_urdu", "arousal", "ravdess", {"is_rotation": True}, "folds of 4 speakers, each in turn"),
        ("emodb2urdu", "four_class", "urdu", {}, "tested in full"),
        ("emodb2urdu", "four_class", "emodb", {}, "5 random folds of utterances"),
        ("emodb2urdu", "four_class", "urdu", {"is_labelled": True}, "5 random folds of utterances"),
        ("emodb2urdu", "four_class_by_session", "emodb", {}, "folds of one woman and one man"),
        ("emodb2urdu", "four_class_by_session", "urdu", {"is_labelled": True},
         "5 folds of speakers, stratified by class"),
        ("emodb", "seven_class", "emodb", {}, "one speaker at a time"),
        ("ravdess_emodb", "text", "emodb", {}, "5 folds of sentences"),
        ("ravdess_emodb", "random", "emodb", {}, "5 random folds of utterances"),
        ("iemocap_casia", "sess5_spk4", "iemocap", {}, "folds by recording session"),
    ],
)  # fmt: skip
def test_split_rules(recipe, task, corpus, more, expected):
    assert protocol_of(recipe).split_rule(task, corpus, **more) == expected


def lists(split: Split) -> dict[str, list[str]]:
    """Corpora of each list."""
    parts = {name: getattr(split, name) for name in ("train", "dev", "adapt", "labelled", "test")}
    parts["support"] = [utt for support in split.support.values() for utt in support]
    for name, part in parts.items():
        # What is in a support set is in no other list, and target audio without labels is not what is tested.
        own = {"support": "support", "adapt": "(any|unlabelled)"}.get(name, "any")
        assert all(re.fullmatch(f"[a-z_]+-any-{own}", utt) for utt in part)
    return {name: [utt.split("-")[0] for utt in part] for name, part in parts.items() if part}


ALL = ["ravdess", "emodb", "urdu"]


@pytest.mark.parametrize(
    "recipe, corpus, expected",
    [
        ("ravdess2emodb", "emodb", {"train": ["ravdess"], "dev": ["ravdess"], "adapt": ["emodb"],
                                    "labelled": ["emodb"], "support": ["emodb"] * 3}),
        ("ravdess2emodb_urdu", "urdu", {"train": ["ravdess"], "dev": ["ravdess"], "adapt": ["emodb", "urdu"]}),
        ("ravdess_emodb_urdu", "urdu", {"train": ALL, "dev": ALL}),
        ("emodb2urdu", "urdu", {"train": ["emodb"], "adapt": ["urdu"], "labelled": ["urdu"]}),
        ("emodb2urdu", "emodb", {"train": ["emodb"], "adapt": ["urdu"], "labelled": ["emodb"]}),
        ("ravdess_emodb", "emodb", {name: ["ravdess", "emodb"] for name in ("train", "dev", "labelled")}),
    ],
)  # fmt: skip
def test_a_sketch_has_one_utterance_for_each_corpus_of_a_list(recipe, corpus, expected):
    protocol = protocol_of(recipe)
    for task in protocol.label_maps:
        assert lists(protocol.sketch(task, corpus)) == expected | {"test": [corpus]}


def test_every_protocol_is_found_by_its_file_s_name_and_named_nowhere_else():
    files = (ROOT / "ser" / "splits" / "protocols").glob("[a-z]*.py")
    assert known() == sorted({path.stem for path in files} - {"base"})
    for path in (*(ROOT / "ser" / "splits").glob("*.py"), ROOT / "ser" / "splits" / "protocols" / "base.py"):
        assert not re.search("|".join(known()), path.read_text()), path


def written(folder: Path, **values: object) -> Path:
    (folder / "protocol.yaml").write_text(yaml.safe_dump(values))
    return folder / "protocol.yaml"


FEW_SHOT = {"protocol": "few_shot", "source": "emodb", "target": "savee", "labels": "four_class", "shots": [5],
            "draws": 1, "dev_speakers": 0.1, "seed": 1}  # fmt: skip


def test_a_corpus_that_a_protocol_parts_lends_it_its_folds(tmp_path):
    """SAVEE, of whom no few-shot protocol has ever heard: its four speakers one by one."""
    found = read_protocol(written(tmp_path, **FEW_SHOT))
    assert found.folds == {"savee": CORPORA["savee"].folds.speakers}
    assert found.split_rule("", "savee") == "one speaker at a time; 1 support sets a fold, of other speakers"
    own = read_protocol(written(tmp_path, **FEW_SHOT, folds={"savee": {"rule": "consecutive_speakers", "size": 2}}))
    assert own.split_rule("", "savee").startswith("folds of 2 speakers;")


def test_what_one_corpus_declares_decides_nothing_of_another(tmp_path):
    """Only the folds that decide the splits stand in their fingerprint."""
    rules = {"savee": {"rule": "consecutive_speakers"}, "casia": {"rule": "consecutive_speakers", "size": 2}}
    assert read_protocol(written(tmp_path, **FEW_SHOT)) == read_protocol(written(tmp_path, **FEW_SHOT, folds=rules))


def test_folds_of_sentences_and_the_held_out_fold_are_the_corpus_own(tmp_path):
    common = {"tasks": {"mood": "four_class"}, "dev_speakers": 0.1, "seed": 1, "corpora": ["ravdess", "emodb"]}
    text = {"rule": "texts", "speakers": "shared"}
    folds = {"mood": {"ravdess": text, "emodb": text | {"folds": 2}}}
    paired = read_protocol(written(tmp_path, protocol="paired_folds", **common, folds=folds))
    assert {name: rule.folds for name, rule in paired.folds["mood"].items()} == {"ravdess": 2, "emodb": 2}
    assert read_protocol(written(tmp_path, protocol="paired_folds", **common)).stamps == []
    multi = read_protocol(written(tmp_path, protocol="multi_corpus", **common, held_out={"emodb": 3}))
    assert multi.held_out == {"ravdess": 6, "emodb": 3}


def test_every_corpus_of_several_speakers_declares_its_folds():
    assert {name for name, corpus in CORPORA.items() if not corpus.folds} == {"emns"}


def test_folds_of_a_corpus_that_nobody_knows_are_named(tmp_path):
    path = written(tmp_path, **FEW_SHOT, folds={"save": {"rule": "sessions"}})
    with pytest.raises(ConfigError, match=rf"^{path}: folds: corpus unknown 'save'; did you mean 'savee'"):
        read_protocol(path)
