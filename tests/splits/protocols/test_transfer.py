"""Transfer matrices: splits are those of few_shot for every source, and sources are what they are named."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.config import build
from ser.errors import ConfigError, ProtocolError
from ser.splits.lists import Split
from ser.splits.protocols.few_shot import FewShotProtocol
from ser.splits.protocols.transfer import TransferProtocol
from tests.splits.people import CLASSES, corpus, utterance

CORPORA = {"a": corpus("a", 10, 3), "b": corpus("b", 6, 4), "c": corpus("c", 8, 2)}
LABELS = {u.utt_id: u.emotion for own in CORPORA.values() for u in own}
SHARED = {
    "shots": [2, 5],
    "draws": 3,
    "dev_speakers": 0.3,
    "seed": 7,
    "folds": {name: {"rule": "consecutive_speakers", "size": 2} for name in CORPORA},
}


def protocol(**changes: object) -> TransferProtocol:
    values = {"protocol": "transfer", "train": ["a", "b", "c"], "test": ["a", "b", "c"], "tasks": {"four": "four"}}
    return build(TransferProtocol, values | SHARED | changes, "recipe.yaml")


def splits(utterances=CORPORA, labels=LABELS, **changes: object) -> dict[str, Split]:
    made = protocol(**changes).splits(utterances, labels)
    assert len({split.name for split in made}) == len(made)
    return {split.name: split for split in made}


def few_shot(source: str, target: str) -> list[Split]:
    values = {"protocol": "few_shot", "source": source, "target": target, "labels": "four"}
    made = build(FewShotProtocol, values | SHARED, "recipe.yaml").splits(CORPORA, LABELS)
    return {split.name: split for split in made}


def corpora(utts) -> list[str]:
    return sorted({utt.split("-")[0] for utt in utts})


def test_every_pair_has_the_lists_of_few_shot():
    made = splits()
    n_folds = {"a": 5, "b": 3, "c": 4}
    assert len(made) == 2 * sum(n_folds.values())
    for source in CORPORA:
        for target in set(CORPORA) - {source}:
            expected = few_shot(source, target)
            assert len(expected) == n_folds[target]
            for fold, own in expected.items():
                found = made[f"{source}-{target}.{fold}"]
                for part in ("train", "dev", "adapt", "labelled", "test", "support", "about"):
                    assert getattr(found, part) == getattr(own, part), (found.name, part)
                    if part != "about":  # also in their order, which decides batches and class means
                        assert list(getattr(found, part)) == list(getattr(own, part))
                for key, support in found.support.items():
                    assert list(support.items()) == list(own.support[key].items())


def test_joint_sources_are_the_sum_of_their_parts():
    alone, made = splits(), splits(train=["a+b", "others"], test=["a", "c"])
    assert {name.partition(".")[0] for name in made} == {"a+b-c", "others-a", "others-c"}  # a+b holds the target a
    for name, parts in (("a+b-c.fold2", "ab"), ("others-c.fold2", "ab"), ("others-a.fold3", "bc")):
        fold = name.partition("-")[2]
        for part in ("train", "dev"):
            union = {}
            for source in parts:
                union |= getattr(alone[f"{source}-{fold}"], part)
            assert getattr(made[name], part) == union
        first = alone[f"{parts[0]}-{fold}"]
        assert (made[name].support, made[name].test) == (first.support, first.test)


def test_others_are_all_corpora_that_the_recipe_names():
    made = splits(train=["a", "others"], test=["b"])
    assert corpora(made["others-b.fold1"].train) == ["a"]  # c is not named
    made = splits(train="others", test=["a", "b", "c"])
    assert corpora(made["others-b.fold1"].train) == ["a", "c"]


def test_nothing_of_the_tested_speakers_is_seen_and_each_utterance_is_tested_once_per_source():
    made = splits(train=["a", "b", "others"])
    tested = Counter((split.name.partition("-")[0], utt) for split in made.values() for utt in split.test)
    assert set(tested.values()) == {1}
    for split in made.values():
        speakers = {utt.rpartition("-")[0] for utt in split.test}
        seen = {*split.train, *split.dev, *split.adapt, *split.labelled}.union(*split.support.values())
        assert speakers.isdisjoint(utt.rpartition("-")[0] for utt in seen)
        assert set(split.train).isdisjoint(split.dev)
        assert corpora(split.test) == corpora(split.adapt) == [split.name.partition("-")[2].partition(".")[0]]
        assert corpora(split.test)[0] not in corpora(split.train)


def test_a_leak_between_corpora_is_refused():
    twin = [utterance("c-09-sad9", "sad", audio_hash=CORPORA["a"][0].audio_hash)]
    utterances = CORPORA | {"c": CORPORA["c"] + twin + corpus("c", 10, 2)[-16:]}
    labels = LABELS | {u.utt_id: u.emotion for u in utterances["c"]}
    with pytest.raises(ProtocolError, match="identical audio"):
        splits(utterances, labels)


def test_a_source_without_a_class_of_the_target_is_refused():
    poor = [u for u in CORPORA["a"] if u.emotion != "sad"]
    with pytest.raises(ProtocolError, match="split a-b.fold1: train: class 'sad' of 'b' has no utterance of 'a'"):
        splits(CORPORA | {"a": poor}, train=["a"], test=["b"])
    splits(CORPORA | {"b": [u for u in CORPORA["b"] if u.emotion != "sad"]}, train=["a"], test=["b"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": ["a"], "test": ["a"]}, "test: no source is left for 'a'; add another corpus to train"),
        ({"train": ["others"], "test": ["a"]}, "test: no source is left for 'a'"),
        ({"train": ["a", "a"]}, "train: 'a' stands twice"),
        ({"test": ["b", "b"]}, "test: 'b' stands twice"),
        ({"train": ["a+a"]}, r"train: 'a\+a' joins no different corpora"),
        ({"train": ["a+others"]}, r"train: 'a\+others' joins no different corpora"),
        ({"train": ["a-b"]}, "train"),
        ({"tasks": {}}, "tasks"),
        ({"folds": {"d": SHARED["folds"]["a"]}}, "folds: corpus unknown 'd'"),
    ],
)
def test_wrong_settings_are_told(changes, said):
    with pytest.raises(ConfigError, match=said):
        protocol(**changes).with_own_folds()


def test_sketches_train_on_no_utterance_of_the_target():
    for target in CORPORA:
        sketch = protocol(train=["a", "b", "others"]).sketch("four", target)
        assert corpora(sketch.test) == [target]
        assert target not in corpora(sketch.train)
        assert set(sketch.support) == {(2, 1), (5, 1)}
    assert protocol(train=["b+c"], test=["a"]).sketch("four", "a").train.keys() == {"b-any-any", "c-any-any"}


def test_folds_of_known_corpora_are_their_own():
    found = protocol(train=["emodb"], test=["ravdess"], folds={}).with_own_folds()
    assert found.folds.keys() == {"ravdess"}
    assert len(CLASSES) == 4
