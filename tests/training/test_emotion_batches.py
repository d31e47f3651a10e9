"""Batches around one emotion: what they hold, for emotions of both corpora and of one alone."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.errors import ProtocolError
from ser.training.emotion_batches import EmotionBatches

SHARED = ("angry", "happy", "neutral", "sad")


def pools(n: int = 30) -> dict[str, dict[str, list[str]]]:
    """The first corpus has four emotions, the second six."""
    emotions = {"one": SHARED, "two": (*SHARED, "fearful", "surprised")}
    return {c: {e: [f"{c}-{e}-{i}" for i in range(n)] for e in names} for c, names in emotions.items()}


def batches(**settings) -> EmotionBatches:
    return EmotionBatches(**({"pools": pools(), "size": 32, "emotions": "union", "seed": 1} | settings))


def many(some: EmotionBatches, n: int = 600) -> list:
    return [some.of(i // 50, i % 50) for i in range(n)]


def corpora(utts: list[str]) -> list[str]:
    return [utt.split("-")[0] for utt in utts]


def emotions(utts: list[str]) -> set[str]:
    return {utt.split("-")[1] for utt in utts}


def test_a_batch_has_half_of_one_emotion_and_half_of_others():
    for e, positives, negatives in many(batches()):
        assert len(positives) == len(negatives) == 16
        assert emotions(positives) == {e} and e not in emotions(negatives)
        assert len(set(positives)) == len(set(negatives)) == 16
        assert corpora(negatives) == ["one"] * 8 + ["two"] * 8
        alone = e in ("fearful", "surprised")
        assert corpora(positives) == (["two"] * 16 if alone else ["one"] * 8 + ["two"] * 8)


def test_an_emotion_of_the_first_corpus_alone_has_its_positives_there():
    found = set()
    for e, positives, negatives in many(batches(pools=dict(reversed(pools().items())))):
        assert corpora(negatives) == ["two"] * 8 + ["one"] * 8
        if e == "fearful":
            assert corpora(positives) == ["two"] * 16
            found |= emotions(negatives[8:])
    assert found == {*SHARED}  # every utterance of the other corpus may be a negative


def test_emotions_are_drawn_evenly_from_the_union_or_the_intersection():
    for pool, names in (("union", {*SHARED, "fearful", "surprised"}), ("intersection", {*SHARED})):
        found = Counter(batch.emotion for batch in many(batches(emotions=pool), 3000))
        assert found.keys() == names
        for n in found.values():  # four standard deviations of a binomial count
            p = 1 / len(names)
            assert abs(n - 3000 * p) < 4 * (3000 * p * (1 - p)) ** 0.5


def test_negatives_are_drawn_evenly_over_utterances_and_not_over_emotions():
    own = pools()
    own["one"]["sad"] = own["one"]["sad"][:10]
    drawn = Counter()
    for batch in many(batches(pools=own), 1500):
        if batch.emotion == "happy":
            drawn.update(utt.split("-")[1] for utt in batch.negatives[:8])
    assert drawn["sad"] / drawn.total() == pytest.approx(1 / 7, abs=0.02)


def test_nothing_but_the_pools_is_drawn_and_all_of_it():
    known = {utt for of in pools().values() for utts in of.values() for utt in utts}
    drawn = {utt for batch in many(batches()) for utt in (*batch.positives, *batch.negatives)}
    assert drawn == known


def test_an_epoch_has_as_many_batches_as_hold_all_utterances():
    assert batches().n_batches == 10  # 300 / 32
    assert batches(size=300).n_batches == 1


def test_a_batch_is_a_function_of_seed_epoch_and_number():
    some = batches()
    assert some.of(3, 2) == batches().of(3, 2)
    others = {str(b.of(e, n)) for b in (some, batches(seed=2)) for e, n in ((3, 2), (2, 3), (3, 3))}
    assert len(others) == 6


def test_a_small_pool_is_drawn_from_with_replacement():
    own = pools()
    own["two"]["fearful"] = ["two-fearful-0", "two-fearful-1"]
    found = [batch.positives for batch in many(batches(pools=own)) if batch.emotion == "fearful"]
    assert found and all(len(positives) == 16 and set(positives) <= set(own["two"]["fearful"]) for positives in found)


def test_three_corpora_share_the_halves_and_the_remainder_is_drawn():
    three = pools() | {"three": {e: [f"three-{e}-{i}" for i in range(30)] for e in SHARED}}
    found = [Counter(corpora(batch.negatives)) for batch in many(batches(pools=three), 90)]
    assert all(sorted(counts.values()) == [5, 5, 6] for counts in found)
    assert {max(counts, key=counts.get) for counts in found} == {"one", "two", "three"}


def test_one_corpus_alone_has_all_of_both_halves():
    for _, positives, negatives in many(batches(pools={"one": pools()["one"]}), 20):
        assert corpora(positives + negatives) == ["one"] * 32


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"size": 30}, "batch_size: 30 found for 2 corpora; choose a multiple of 4"),
        ({"pools": {"a": {"sad": ["x"]}, "b": {"angry": ["y"]}}, "emotions": "intersection"}, "a and b share no"),
        (
            {"pools": {"a": {"sad": ["x"], "angry": ["z"]}, "b": {"sad": ["y"]}}},
            "'b' has no utterance that is not sad",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, text):
    with pytest.raises(ProtocolError, match=text):
        batches(**settings)
