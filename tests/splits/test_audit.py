from __future__ import annotations

import pytest

from ser.errors import ProtocolError
from ser.splits.audit import RULES, audit, one_class_speakers
from tests.splits.people import utterance

CLEAN = {
    u.utt_id: u
    for u in (
        utterance("c-1-a", session="1"),
        utterance("c-1-b", session="1"),
        utterance("c-2-a", session="2"),
        utterance("c-3-a", session="3"),
        utterance("d-1-a", session="3"),  # the third session of another corpus
        utterance("d-2-a"),
    )
}
TRAIN, TEST = ["c-1-a", "c-1-b", "d-1-a"], ["c-2-a", "c-3-a", "d-2-a"]


def broken(*changed, train=(), test=(), what="training", waived=()):
    audit("fold7", CLEAN | {u.utt_id: u for u in changed}, [*TRAIN, *train], [*TEST, *test], what, waived)


def test_a_clean_split_passes():
    broken()
    audit("fold7", CLEAN, [], TEST)


def test_what_a_corpus_does_not_say_is_not_shared():
    broken(*(utterance(utt, session=None, audio_hash=None) for utt in CLEAN))


def test_an_utterance_on_both_sides_is_named():
    with pytest.raises(ProtocolError, match="fold7: utterances in both training and test: c-2-a$"):
        broken(train=["c-2-a"])


def test_a_speaker_on_both_sides_is_named():
    with pytest.raises(ProtocolError, match="split fold7: speaker in both support set 5.1 and test: c-1$"):
        broken(utterance("c-1-z", session="9"), test=["c-1-z"], what="support set 5.1")


def test_the_other_part_is_named_too():
    with pytest.raises(ProtocolError, match="split fold7: utterances in both training and dev: c-2-a$"):
        audit("fold7", CLEAN, [*TRAIN, "c-2-a"], TEST, against="dev")
    with pytest.raises(ProtocolError, match="split fold7: speaker in both training and dev: c-1$"):
        audit("fold7", CLEAN, ["c-1-a"], ["c-1-b"], against="dev")


def test_a_session_on_both_sides_is_named():
    with pytest.raises(ProtocolError, match="fold7: recording session in both training and test: c-1$"):
        broken(utterance("c-4-a", session="1"), test=["c-4-a"])


@pytest.mark.parametrize("rule", RULES)
def test_a_waived_rule_alone_passes(rule):
    breaches = {
        "speaker": {"changed": [utterance("c-1-z", session="9")], "test": ["c-1-z"]},
        "recording session": {"changed": [utterance("c-4-a", session="1")], "test": ["c-4-a"]},
        "identical audio": {"changed": [utterance("d-2-a", audio_hash="hash of c-1-b")]},
    }
    for broken_rule, breach in breaches.items():
        test = breach.get("test", ())
        if broken_rule == rule:
            broken(*breach["changed"], test=test, waived=[rule])
        else:
            with pytest.raises(ProtocolError, match=f"fold7: {broken_rule} in both"):
                broken(*breach["changed"], test=test, waived=[rule])
    with pytest.raises(ProtocolError, match="utterances in both training and test: c-2-a"):
        broken(train=["c-2-a"], waived=RULES)


def test_identical_audio_on_both_sides_is_named_with_both_ids():
    copy = utterance("d-2-a", audio_hash="hash of c-1-b")
    with pytest.raises(ProtocolError, match="fold7: identical audio in both training and test: c-1-b and d-2-a$"):
        broken(copy)


def test_many_offenders_are_counted():
    with pytest.raises(ProtocolError, match="c-0, c-1, c-2, c-3, c-4 and 4 more$"):
        speakers = {f"c-{i}-{part}": utterance(f"c-{i}-{part}") for i in range(9) for part in "ab"}
        audit("f", speakers, [u for u in speakers if u.endswith("a")], [u for u in speakers if u.endswith("b")])


def test_speakers_with_one_class_are_counted():
    utterances = [utterance(utt) for utt in ("c-1-a", "c-1-b", "c-2-a", "c-2-b", "c-3-a")]
    classes = ("sad", "sad", "sad", "happy", "happy")
    labels = {u.utt_id: name for u, name in zip(utterances, classes, strict=True)}
    assert one_class_speakers(utterances, labels) == [2, 3]
    assert one_class_speakers(utterances, dict.fromkeys(labels, "sad")) == [3, 3]
    assert one_class_speakers([], {}) == [0, 0]
