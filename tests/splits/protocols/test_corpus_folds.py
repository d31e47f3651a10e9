"""Splits by the folds of one corpus: who is trained on and tested, by speakers and at random, and what is refused."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from sklearn.model_selection import StratifiedKFold

from ser.config import build
from ser.errors import ConfigError, ProtocolError
from ser.splits.lists import Split
from ser.splits.protocols.corpus_folds import CorpusFoldsProtocol, random_folds
from ser.types import Utterance
from tests.splits.people import corpus, utterance

SOURCE, TARGET = corpus("a", 6, 2), corpus("b", 4, 3)
DATA = {"a": SOURCE, "b": TARGET}
PAIRS = {"rule": "consecutive_speakers", "size": 2}
SETTINGS = {
    "protocol": "corpus_folds",
    "tasks": {"mood": "four"},
    "source": "a",
    "targets": ["b"],
    "folds": {"a": PAIRS, "b": PAIRS},
    "adapt": "unlabelled-test",
    "seed": 4,
}


def made(data: dict[str, list[Utterance]] = DATA, **changes: object) -> dict[str, Split]:
    protocol = build(CorpusFoldsProtocol, SETTINGS | changes, "protocol.yaml")
    labels = {u.utt_id: u.emotion for utterances in data.values() for u in utterances}
    return {split.name: split for split in protocol.splits(data, labels)}


def ids(utterances) -> set[str]:
    return {u.utt_id for u in utterances}


def of(utterances, *speakers: str) -> set[str]:
    return {u.utt_id for u in utterances if u.speaker in speakers}


def test_each_fold_s_model_tests_its_fold_and_the_targets_in_full():
    splits = made()
    assert list(splits) == ["fold1", "fold2", "fold3", "b.fold1", "b.fold2"]
    for number, held_out in enumerate((("a-01", "a-02"), ("a-03", "a-04"), ("a-05", "a-06")), start=1):
        split = splits[f"fold{number}"]
        assert set(split.test) == of(SOURCE, *held_out) | ids(TARGET)
        assert set(split.train) == ids(SOURCE) - of(SOURCE, *held_out)
        assert set(split.adapt) == ids(TARGET)
        assert (split.dev, split.labelled) == ({}, {})
        assert split.about["test_speakers"] == list(held_out)


def test_references_are_trained_on_the_target_s_other_folds():
    splits = made()
    for number, held_out in enumerate((("b-01", "b-02"), ("b-03", "b-04")), start=1):
        split = splits[f"b.fold{number}"]
        assert set(split.test) == of(TARGET, *held_out)
        assert set(split.labelled) == ids(TARGET) - of(TARGET, *held_out)
        assert (split.train, split.adapt) == ({}, [])
    assert list(made(folds={"a": PAIRS})) == ["fold1", "fold2", "fold3"]


def test_without_targets_it_is_the_classic_within_a_corpus():
    splits = made(targets=[], folds={"a": {"rule": "consecutive_speakers"}})
    assert list(splits) == [f"fold{i}" for i in range(1, 7)]
    assert all(set(split.test) | set(split.train) == ids(SOURCE) for split in splits.values())


def test_random_folds_are_scikit_learn_s_in_the_order_of_the_paths():
    mixed = [dataclasses.replace(u, wav=f"/wavs/{u.emotion}/{u.utt_id}.wav") for u in SOURCE]
    rows = sorted(mixed, key=lambda u: u.wav)
    assert [u.utt_id for u in rows] != [u.utt_id for u in mixed]
    y = [u.emotion for u in rows]
    expected = [
        {rows[i].utt_id for i in tested} for _, tested in StratifiedKFold(3, shuffle=True, random_state=4).split(y, y)
    ]
    labels = {u.utt_id: u.emotion for u in mixed}
    assert random_folds(mixed, labels, 3, seed=4) == expected
    assert random_folds(mixed[::-1], labels, 3, seed=4) == expected
    assert random_folds(mixed, labels, 3, seed=5) != expected
    splits = made({"a": mixed, "b": TARGET}, speakers={"mood": "shared"}, random_folds=3)
    assert list(splits) == ["fold1", "fold2", "fold3", "b.fold1", "b.fold2", "b.fold3"]
    for fold, tested in enumerate(expected, start=1):
        assert set(splits[f"fold{fold}"].test) == tested | ids(TARGET)
        assert Counter(splits[f"fold{fold}"].test[utt] for utt in tested) == dict.fromkeys(set(y), 4)


def test_shared_speakers_are_stamped_and_disjoint_ones_are_not():
    protocol = build(CorpusFoldsProtocol, SETTINGS | {"speakers": {"mood": "shared"}}, "protocol.yaml")
    assert protocol.stamps[0].startswith("SPEAKER-DEPENDENT: in mood, folds divide utterances at random")
    assert build(CorpusFoldsProtocol, SETTINGS, "protocol.yaml").stamps == []


def test_identical_audio_is_refused_however_folds_are_made():
    twins = [
        dataclasses.replace(u, audio_hash="same") if u.utt_id in ("a-01-happy0", "a-03-happy0") else u for u in SOURCE
    ]
    for speakers in ("shared", "disjoint"):
        with pytest.raises(ProtocolError, match="identical audio in both training and test: a-0"):
            made({"a": twins, "b": TARGET}, speakers={"mood": speakers}, random_folds=8)


def test_a_session_that_two_folds_share_is_refused_where_speakers_are_disjoint():
    together = [dataclasses.replace(u, session="s") for u in SOURCE]
    with pytest.raises(ProtocolError, match="recording session in both"):
        made({"a": together, "b": TARGET})
    made({"a": together, "b": TARGET}, speakers={"mood": "shared"})


def test_only_rated_utterances_are_used_where_a_corpus_has_ratings():
    half = [dataclasses.replace(u, arousal=3.0, valence=2.0) if u.utt_id.endswith("0") else u for u in TARGET]
    half[1] = dataclasses.replace(half[1], arousal=3.0)  # one of two ratings is none
    data = {"a": SOURCE, "b": half}
    assert set(made(data)["fold1"].test) >= ids(TARGET)
    splits = made(data, rated=True)
    tested = {utt for utt in splits["fold1"].test if utt.startswith("b-")}
    assert tested == {u.utt_id for u in TARGET if u.utt_id.endswith("0")} == set(splits["fold1"].adapt)
    assert set(splits["b.fold1"].test) < tested
    assert set(splits["fold1"].train) < ids(SOURCE)  # which has no ratings at all, and stays whole


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"folds": {"b": PAIRS}}, "folds: no rule for corpus 'a'; add folds.a"),
        ({"speakers": {"mood": "shared"}, "random_folds": 13}, "12 utterances of 'angry' do not part into 13 folds"),
    ],
)
def test_a_corpus_that_cannot_be_parted_is_told(changes, said):
    with pytest.raises(ProtocolError, match=said):
        made(**changes)


def test_a_class_that_is_tested_but_not_trained_on_is_told():
    alone = [*SOURCE, utterance("a-01-bored0", "bored")]
    with pytest.raises(ProtocolError, match="split fold1: class 'bored' is tested but has no training utterance"):
        made({"a": alone, "b": TARGET})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"targets": ["a"]}, "corpus 'a' stands twice"),
        ({"speakers": {"moods": "shared"}}, "speakers: task unknown 'moods'; did you mean 'mood'"),
        ({"tasks": {}}, "tasks"),
    ],
)
def test_settings_are_checked(changes, said):
    with pytest.raises(ConfigError, match=said):
        build(CorpusFoldsProtocol, SETTINGS | changes, "protocol.yaml")
