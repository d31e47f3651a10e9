"""Splits that cannot work: dev and training parts without a class, and what the lists themselves flag."""

from __future__ import annotations

import pytest

from ser.errors import ProtocolError
from ser.splits.lists import Split
from ser.splits.protocols.few_shot import FewShotProtocol
from ser.splits.protocols.multi_corpus import MultiCorpusProtocol
from tests.splits.people import CLASSES, corpus, utterance


def few_shot(**changed) -> FewShotProtocol:
    settings = {
        "protocol": "few_shot", "source": "s", "target": "t", "labels": "four_class", "shots": [1], "draws": 1,
        "dev_speakers": 0.25, "seed": 1, "folds": {"t": {"rule": "stratified_speakers", "folds": 2}},
    }  # fmt: skip
    return FewShotProtocol(**settings | changed)


def one_class_each(n_per_class: int):
    """Make a source whose speakers have one class each, as URDU nearly is."""
    return [
        utterance(f"s-{emotion}{speaker}-{i}", emotion)
        for emotion in CLASSES
        for speaker in range(n_per_class)
        for i in range(3)
    ]


def splits_of(protocol: FewShotProtocol, source) -> list[Split]:
    utterances = {"s": source, "t": corpus("t", 4, 2)}
    return protocol.splits(utterances, {u.utt_id: u.emotion for part in utterances.values() for u in part})


@pytest.mark.parametrize("seed", range(5))
def test_dev_speakers_are_drawn_until_both_parts_have_every_class(seed):
    """With 16 speakers of one class each, a draw of 6 seldom has all four."""
    for split in splits_of(few_shot(seed=seed, dev_speakers=0.4), one_class_each(4)):
        assert set(split.train.values()) == set(split.dev.values()) == set(CLASSES)


def test_the_first_draw_holds_where_it_has_every_class():
    """So that splits of corpora whose speakers have all classes are as they were."""
    from ser.splits.dev import draw_dev_speakers

    source = corpus("s", 8, 1)
    expected = draw_dev_speakers([[s] for s in sorted({u.speaker for u in source})], 0.25, "dev speakers", 1)
    assert {utt.rsplit("-", 1)[0] for utt in splits_of(few_shot(), source)[0].dev} == expected


def test_speakers_who_cannot_be_parted_so_are_refused():
    with pytest.raises(
        ProtocolError, match=r"in 100 draws, no 0.25 of the speakers of source 's' left every class in"
    ):
        splits_of(few_shot(), one_class_each(1))


def test_a_training_set_without_a_class_of_the_target_is_refused():
    source = [u for u in corpus("s", 8, 1) if u.emotion != "sad"]
    with pytest.raises(ProtocolError, match="train: class 'sad' of 't' has no utterance of 's'"):
        splits_of(few_shot(), source)


# ---- Flags -----------------------------------------------------------------------------------------------------


def flags(splits, utterances) -> list[str]:
    protocol = MultiCorpusProtocol(
        protocol="multi_corpus", corpora=list(utterances), tasks={"x": "y"}, dev_speakers=0.2, seed=1
    )
    labels = {u.utt_id: u.emotion for part in utterances.values() for u in part}
    return protocol.stamps_of(splits, utterances, labels)


def test_sentences_of_support_sets_count():
    people = [utterance(f"c-{i}-{text}{e}", e, text_id=text) for i in (1, 2) for text in "ab" for e in CLASSES]
    labels = {u.utt_id: u.emotion for u in people}
    support = {"c-1-ahappy": "happy"}
    tested = {utt: label for utt, label in labels.items() if utt.startswith("c-2")}
    found = flags([Split("f", {}, {}, [], tested, support={(1, 1): support})], {"c": people})
    assert found == ["TEXT-SHARED: sentences are in both training and test in c (1 of 2 tested ones of a split)"]
    assert flags([Split("f", {}, {}, [], tested)], {"c": people}) == []


def test_sentences_that_were_written_for_one_emotion_are_flagged():
    people = [utterance(f"c-{i}-{e}", e, text_id=f"sentence for {e}") for i in range(3) for e in CLASSES]
    assert flags([], {"c": people}) == [
        "TEXT TELLS CLASS: in c, the sentence itself gives the class with a UAR of 100.0 (chance 25.0)"
    ]


def test_a_dev_part_of_one_class_is_flagged():
    people = {"c": corpus("c", 3, 1), "d": corpus("d", 3, 1)}
    labels = {u.utt_id: u.emotion for part in people.values() for u in part}
    train = {utt: label for utt, label in labels.items() if "-01-" in utt}
    dev = {utt: label for utt, label in labels.items() if "c-02-" in utt} | {"d-02-happy0": "happy"}
    found = flags([Split("fold1", train, dev, [], {}), Split("fold2", train, {}, [], {})], people)
    assert found == ["ONE-CLASS DEV: in 1 of 2 splits (first: fold1), the dev part of d has one class only"]
