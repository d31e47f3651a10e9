"""The cross-corpus split: targets in full, dev speakers of each source, and that nothing leaks."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from ser.errors import ProtocolError
from ser.splits.audit import one_class_speakers
from tests.splits.people import utterance
from tests.splits.protocols.several import (
    CORPUS_OF,
    copied,
    cross,
    ids,
    shipped,
    speakers,
    with_,
)


def test_targets_are_tested_in_full_and_sources_trained_on():
    split = cross()
    assert split.name == "all"
    assert list(split.test) == split.adapt == ids("b", "c")
    assert sorted([*split.train, *split.dev]) == ids("a")
    assert speakers(split.train).isdisjoint(speakers(split.dev))
    assert split.about["dev_speakers"] == sorted(speakers(split.dev)) and len(speakers(split.dev)) == 1
    assert split.about["test_speakers"] == sorted(speakers(ids("b", "c")))
    assert (split.support, split.labelled) == ({}, {})
    assert all(f"-{label}" in utt for part in (split.train, split.dev, split.test) for utt, label in part.items())


def test_each_source_spares_dev_speakers():
    split = cross(sources=["a", "c"], targets=["b"], dev_speakers=0.3)
    of_dev = Counter(speaker[0] for speaker in speakers(split.dev))
    assert of_dev == {"a": 2, "c": 3}  # of 6 and of 10
    assert sorted([*split.train, *split.dev]) == ids("a", "c")


def test_without_the_declaration_nothing_of_the_target_may_be_adapted_to():
    split = cross(adapt="none")
    assert split.adapt == []
    assert dataclasses.replace(split, adapt=cross().adapt) == cross()  # nothing else differs


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            with_("a", [*CORPUS_OF["a"], utterance("b-02-extra", "sad")]),
            "split all: speaker in both (training|dev) and test: b-02$",
        ),
        (
            copied("a", "a-01-sad0", "c-01-sad0"),
            "split all: identical audio in both (training|dev) and test: a-01-sad0 and c-01-sad0$",
        ),
        (
            with_("a", [*CORPUS_OF["a"], CORPUS_OF["b"][0]]),
            "split all: utterances in both (training|dev) and test: b-01-angry0$",
        ),
    ],
)
def test_leaks_of_a_cross_corpus_split_are_refused(data, message):
    with pytest.raises(ProtocolError, match=message):
        cross(data)


def test_a_leak_between_train_and_dev_is_refused():
    """All six speakers share one recording; one of them is kept for dev."""
    shared = [dataclasses.replace(u, audio_hash="same") if "sad0" in u.utt_id else u for u in CORPUS_OF["a"]]
    with pytest.raises(ProtocolError, match="split all: identical audio in both training and dev: a-0"):
        cross(with_("a", shared))


@pytest.mark.parametrize(("part", "n"), [("train", 5), ("dev", 1)])
def test_a_class_that_is_not_trained_on_or_chosen_by_is_refused(part, n):
    """Sadness comes from one speaker alone, who is in one part or the other."""
    (dev_speaker,) = cross().about["dev_speakers"]
    sad_speaker = dev_speaker if part == "train" else min(speakers(cross().train))
    corpora = with_("a", [u for u in CORPUS_OF["a"] if u.emotion != "sad" or u.speaker == sad_speaker])
    with pytest.raises(ProtocolError, match=f"split all: {part}: class 'sad' has no utterance; choose another seed"):
        cross(corpora)
    assert len(speakers(getattr(cross(), part))) == n


@pytest.mark.parametrize(
    ("sources", "targets", "sizes"),
    [
        (["iemocap"], ["msp_improv", "savee", "emodb"], {"msp_improv": 8438, "savee": 480, "emodb": 535}),
        (["ravdess"], ["emodb", "urdu"], {"emodb": 535, "urdu": 400}),
    ],
)
@pytest.mark.parametrize("task", ["binary_arousal", "binary_valence"])
def test_cross_corpus_tests_full_releases(sources, targets, sizes, task, full):
    (split,), utterances, labels = shipped(
        "cross_corpus", full, task, f"sources=[{', '.join(sources)}]", f"targets=[{', '.join(targets)}]"
    )
    assert Counter(utt.split("-")[0] for utt in split.test) == sizes
    assert split.adapt == list(split.test)
    assert len(split.train) + len(split.dev) == {"iemocap": 5531, "ravdess": 1440}[sources[0]]
    assert len(split.about["dev_speakers"]) == 2  # a session, or two of 24
    if "urdu" in targets:  # a table has to say that whoever knows the speaker knows the class
        assert one_class_speakers(utterances["urdu"], labels) == [
            {"binary_arousal": 26, "binary_valence": 27}[task], 29,
        ]  # fmt: skip
