"""Copies of one recording are found among many, by hash, by ear and by time; others are left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.data.fingerprint import Fingerprint, units_of
from ser.errors import ProtocolError
from ser.splits import copies
from ser.splits.audit import audit, class_from_text, shared_texts
from ser.splits.copies import alike, overlapping, with_recordings
from tests.splits.people import utterance


def print_of(seed: int, like: int | None = None, share: float = 0.0, seconds: float = 1.0) -> Fingerprint:
    """Make a random fingerprint, or one whose cosine to that of another seed is about 1 - share / 2."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 30, 576)
    if like is not None:
        values = np.random.default_rng(like).normal(0, 30, 576) + np.sqrt(share) * values
    return Fingerprint(f"{seed:032}", seconds, np.clip(np.round(values), -127, 127).astype(np.int8).tobytes())


def heard(utt_id: str, found: Fingerprint, **fields):
    return utterance(utt_id, fingerprint=str(found), **fields)


def test_exact_and_altered_copies_share_a_recording_across_corpora():
    original, altered, other = print_of(1), print_of(2, like=1, share=0.05), print_of(3)
    found = with_recordings(
        [
            heard("c-1-a", original),
            heard("d-5-x", altered),  # of another corpus
            heard("c-2-b", other),
            heard("c-3-c", original._replace(seconds=9.0)),  # the samples decide
            utterance("e-1-a", audio_hash="hash of c-2-b"),  # without a fingerprint
        ]
    )
    assert [u.recording for u in found] == ["c-1-a", "c-1-a", "c-2-b", "c-1-a", "c-2-b"]


def test_what_is_like_nothing_has_no_recording():
    found = with_recordings([heard(f"c-{i}-a", print_of(i)) for i in range(20)])
    assert {u.recording for u in found} == {None}


@pytest.mark.parametrize(("seconds", "is_found"), [(1.0, True), (1.07, True), (1.09, False)])
def test_copies_have_about_one_length(seconds, is_found):
    prints = {"a": print_of(1), "b": print_of(2, like=1, share=0.02, seconds=seconds)}
    assert list(alike(prints)) == ([("a", "b")] if is_found else [])


def test_silence_is_like_nothing():
    silent = Fingerprint("0" * 32, 0.0, b"")
    assert list(alike({"a": silent, "b": silent._replace(exact="1" * 32)})) == []


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 9))
def test_blocks_find_what_comparing_all_pairs_finds(seed, n, block):
    rng = np.random.default_rng(seed)
    prints = {
        str(i): print_of(100 + i, like=int(rng.integers(4)), share=rng.uniform(0, 0.3), seconds=rng.uniform(1, 1.3))
        for i in range(n)
    }
    units = units_of([found.vector for found in prints.values()])
    names, lengths = list(prints), [found.seconds for found in prints.values()]
    expected = {
        frozenset((names[i], names[j]))
        for i in range(n)
        for j in range(i)
        if units[i] @ units[j] >= copies.ALIKE
        and max(lengths[i], lengths[j]) <= copies.LONGER * min(lengths[i], lengths[j])
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "BLOCK", block)
        found = list(alike(prints))
    assert {frozenset(pair) for pair in found} == expected and len(found) == len(expected)


def test_parts_of_one_file_that_overlap_by_half():
    def part(utt_id, start, end, wav="/long.wav"):
        return utterance(utt_id, wav=wav, start=start, end=end)

    parts = [
        part("c-1-a", 0.0, 4.0),
        part("c-2-b", 2.0, 6.0),  # half of a
        part("c-2-c", 5.5, 9.0),  # little of b
        part("c-3-d", 8.0, 8.5),  # within c
        part("c-4-e", 0.0, 4.0, wav="/other.wav"),
        utterance("c-5-f", wav="/other.wav", duration=3.0),  # the whole of it
    ]
    found = {tuple(sorted(pair)) for pair in overlapping(parts)}
    assert found == {("c-1-a", "c-2-b"), ("c-2-c", "c-3-d"), ("c-4-e", "c-5-f")}


def test_the_audit_names_both_ids_and_the_cosine():
    one, other = print_of(1), print_of(2, like=1, share=0.05)
    by_id = {u.utt_id: u for u in with_recordings([heard("c-1-a", one), heard("d-2-b", other)])}
    expected = float(np.prod(units_of([one.vector, other.vector]), axis=0).sum())
    with pytest.raises(ProtocolError) as error:
        audit("fold1", by_id, ["c-1-a"], ["d-2-b"])
    assert str(error.value) == (
        f"split fold1: a copy of a recording in both training and test: c-1-a and d-2-b (cosine {expected:.3f}); "
        "keep one of each in its corpus, and leave the other out"
    )
    audit("fold1", by_id, ["c-1-a"], [])
    with pytest.raises(ProtocolError, match=r"c-1-a and c-2-b \(parts of /long.wav that overlap\)"):
        parts = [utterance("c-1-a", wav="/long.wav", start=0.0, end=4.0, audio_hash="1"),
                 utterance("c-2-b", wav="/long.wav", start=1.0, end=4.0, audio_hash="2")]  # fmt: skip
        audit("fold1", {u.utt_id: u for u in with_recordings(parts)}, ["c-1-a"], ["c-2-b"])


# ---- Sentences -------------------------------------------------------------------------------------------------


def test_sentences_of_both_parts_are_counted_by_corpus():
    by_id = {
        u.utt_id: u
        for u in [
            *(utterance(f"c-{i}-{text}", text_id=text) for i in (1, 2) for text in ("a", "b")),
            utterance("c-2-c", text_id="c"),
            utterance("d-1-a", text_id="a"),  # another corpus' own name
            utterance("e-1-a"),
            utterance("e-2-a"),
        ]
    }
    assert shared_texts(by_id, ["c-1-a", "c-1-b", "d-1-a", "e-1-a"], ["c-2-a", "c-2-c", "e-2-a"]) == {"c": "1 of 2"}
    assert shared_texts(by_id, ["d-1-a"], ["c-2-a"]) == {}


def test_the_class_is_guessed_from_the_sentence_of_others():
    """Three speakers say t1 happily, t2 sadly and t3 in both ways; of t4 there is one utterance."""
    emotions = {"t1": ["happy"] * 3, "t2": ["sad"] * 3, "t3": ["happy", "sad", "sad"], "t4": ["sad"]}
    people = [
        utterance(f"c-{i}-{text}", emotion, text_id=text)
        for text, of_text in emotions.items()
        for i, emotion in enumerate(of_text)
    ]
    labels = {u.utt_id: u.emotion for u in people}
    # t3: the happy one sees two sad ones: 0; each sad one sees a happy and a sad one: a tie, 1/2
    uar, chance = class_from_text(people, labels)
    assert chance == 0.5
    assert uar == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert class_from_text([dataclasses.replace(u, text_id=None) for u in people], labels) is None
    assert class_from_text(people[-1:], labels) is None


def test_sentences_that_all_say_in_all_ways_tell_nothing():
    people = [
        utterance(f"c-{i}-{text}{emotion}", emotion, text_id=text)
        for i in range(3)
        for text in "ab"
        for emotion in ("happy", "sad")
    ]
    assert class_from_text(people, {u.utt_id: u.emotion for u in people}) == (0.5, 0.5)
