"""What a mistake does to lists and statistics, on people and features that are small enough to see through."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from ser.errors import ProtocolError
from ser.mistakes.global_norm import GlobalNorm
from ser.mistakes.simulate import with_dev_speakers, with_leaked_speakers
from ser.mistakes.tables import _inner_splits
from ser.splits.lists import Split
from ser.training.run_data import RunData
from tests.splits.people import CLASSES, corpus

PEOPLE = corpus("c", 6, 4)
BY_ID = {u.utt_id: u for u in PEOPLE}


def labels(*speakers: int) -> dict[str, str]:
    names = {f"c-{speaker:02}" for speaker in speakers}
    return {u.utt_id: u.emotion for u in PEOPLE if u.speaker in names}


def folds(prefix: str = "fold") -> list[Split]:
    """Three folds of two speakers; of the other four, three are trained on and one is dev."""
    parts = [(1, 2), (3, 4), (5, 6)]
    splits = []
    for number, part in enumerate(parts, start=1):
        *trained, dev = (speaker for other in parts if other != part for speaker in other)
        support = {utt: label for utt, label in labels(trained[0]).items() if utt.endswith("0")}
        splits.append(
            Split(
                name=f"{prefix}{number}",
                train=labels(*trained),
                dev=labels(dev),
                adapt=[],
                test=labels(*part),
                support={(1, 1): support},
                labelled=labels(*trained, dev),
            )
        )
    return splits


def speakers(utts) -> set[str]:
    return {BY_ID[utt].speaker for utt in utts}


def test_leaked_folds_keep_sizes_classes_and_what_is_tested():
    for old, new in zip(folds(), leaked := with_leaked_speakers(folds(), BY_ID), strict=True):
        for part in ("train", "dev", "test", "labelled"):
            before, after = getattr(old, part), getattr(new, part)
            assert Counter(before.values()) == Counter(after.values())
            assert all(BY_ID[utt].emotion == label for utt, label in after.items())
        assert not set(new.test) & {*new.train, *new.dev, *new.labelled, *new.support[1, 1]}
        assert set(new.support[1, 1]) <= set(new.labelled)
        assert speakers(old.test).isdisjoint(speakers(old.train))
        assert speakers(new.test) & speakers(new.train)
    assert sorted(utt for split in leaked for utt in split.test) == sorted(BY_ID)


def test_identical_audio_stays_where_it_is():
    twins = ["c-01-sad0", "c-01-sad1"]
    by_id = {utt: dataclasses.replace(u, audio_hash="same") if utt in twins else u for utt, u in BY_ID.items()}
    first = with_leaked_speakers(folds(), by_id)[0]
    assert set(twins) <= set(first.test)


def test_what_is_scored_by_itself_is_mixed_by_itself():
    """A rotation beside one canonical split: the canonical split alone has nobody to mix with."""
    splits = [dataclasses.replace(folds()[0], name="canonical"), *folds("rotation")]
    leaked = with_leaked_speakers(splits, BY_ID)
    assert [split.name for split in leaked] == [split.name for split in splits]
    assert set(leaked[0].test) == set(splits[0].test)
    assert sorted(utt for split in leaked[1:] for utt in split.test) == sorted(BY_ID)


def test_other_corpora_stay_as_they_are():
    source = {u.utt_id: u.emotion for u in corpus("s", 2, 1)}
    by_id = BY_ID | {u.utt_id: u for u in corpus("s", 2, 1)}
    splits = [dataclasses.replace(split, train=source, dev={}) for split in folds()]
    assert all(split.train == source for split in with_leaked_speakers(splits, by_id))


def test_dev_speakers_leave_the_training_list_whole_and_for_good():
    split = dataclasses.replace(folds()[0], train=labels(3, 4, 5, 6), dev={})
    new = with_dev_speakers(split, BY_ID)
    assert {**new.train, **new.dev} == split.train and new.dev
    assert speakers(new.train).isdisjoint(speakers(new.dev)) and len(speakers(new.dev)) == 1  # a fifth of four
    assert with_dev_speakers(split, BY_ID) == new
    with pytest.raises(ProtocolError, match="1 group.s. of training speakers cannot be parted"):
        with_dev_speakers(dataclasses.replace(split, train=labels(3)), BY_ID)


def test_the_search_tests_every_training_speaker_once_and_nobody_else():
    outer = dataclasses.replace(folds()[0], train=labels(3, 4, 5, 6))
    inner = _inner_splits(outer, outer.train, {u.utt_id: u.speaker for u in PEOPLE})
    assert [sorted(speakers(split.test)) for split in inner] == [["c-03", "c-06"], ["c-04"], ["c-05"]]
    for split in inner:
        assert speakers(split.train) == speakers(outer.train) - speakers(split.test)
        assert not split.labelled and not split.dev and not split.support


@pytest.fixture
def data() -> tuple[RunData, GlobalNorm, Split]:
    """Four utterances of a source, four of a target; the last target utterance is tested."""
    utts = [*(f"s-1-{i}" for i in range(4)), *(f"t-{i}-0" for i in range(4))]
    x = np.array([[0.0], [2.0], [4.0], [6.0], [10.0], [12.0], [14.0], [100.0]], np.float32)
    known = Split("fold1", dict.fromkeys(utts[:3], "sad"), {utts[3]: "sad"}, utts[4:7], {utts[7]: "sad"},
                  {(1, 1): {utts[4]: "sad"}}, dict.fromkeys(utts[4:7], "sad"))  # fmt: skip
    plain = RunData(utts, x, [utt[:3] for utt in utts], [dataclasses.replace(known, test={})], CLASSES)
    fields = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
    return plain, GlobalNorm(**fields, lists={"fold1": known}), plain.splits[0]


def test_global_statistics_are_those_of_everything(data):
    plain, doctored, split = data
    x = plain.x
    assert np.allclose(plain.normalized(split, "source"), (x - 2) / x[:3].std())
    assert np.allclose(doctored.normalized(split, "source"), (x - x.mean()) / x.std(), atol=1e-6)
    assert np.array_equal(doctored.normalized(split, "none"), plain.x)
    assert np.array_equal(doctored.normalized(split, "speaker"), plain.normalized(split, "speaker"))


def test_with_statistics_of_corpora_the_target_s_see_the_tested_utterance(data):
    plain, doctored, split = data
    x = plain.x
    normalized = doctored.normalized(split, "corpus")
    assert np.allclose(normalized[4:], (x[4:] - x[4:].mean()) / x[4:].std())
    assert np.array_equal(normalized[:4], plain.normalized(split, "corpus")[:4])


def test_a_linear_model_s_scaler_sees_the_corpora_that_it_has_to_do_with(data):
    plain, doctored, split = data
    x = plain.x
    on_target, on_source = list(split.support[1, 1]), list(split.train)
    assert [m.item() for m in plain.moments(split, on_source)] == pytest.approx([2, x[:3].std()])
    assert [m.item() for m in doctored.moments(split, on_target)] == pytest.approx([x[4:].mean(), x[4:].std()])
    assert [m.item() for m in doctored.moments(split, on_source)] == pytest.approx([np.mean(x), np.std(x)])
