"""Utterance ids: unique, legal, sorted with their speakers."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.types import Condition, escape, ids

PARTS = st.text(max_size=6) | st.text("aB0_.-% é", max_size=4)


@pytest.mark.parametrize(
    "part, keep, escaped",
    [
        ("03a01Fa", "", "03a01Fa"),
        ("a_b.c", "", "a_b.c"),
        ("03-01", "", "03%2D01"),
        ("03-01", "-", "03-01"),
        ("s05 (3)", "", "s05%20%283%29"),
        ("é", "", "%C3%A9"),  # two UTF-8 bytes
        ("e\u0301", "", "e%CC%81"),  # the same letter decomposed stays another name
        ("%20", "", "%2520"),
        ("$(rm x);'\"|", "", "%24%28rm%20x%29%3B%27%22%7C"),
        ("\u0665", "", "%D9%A5"),  # a digit to `\\d` and `str.isdigit`, but not to [0-9]
    ],
)
def test_escape_known_answers(part, keep, escaped):
    assert escape(part, keep) == escaped


@settings(deadline=None, derandomize=True)
@given(PARTS)
def test_escaped_parts_are_legal_and_tell_what_they_were(part):
    assert re.fullmatch("[A-Za-z0-9_.%]*", escape(part))
    assert re.fullmatch("[A-Za-z0-9_.%-]*", escape(part, keep="-"))
    assert unquote(escape(part)) == unquote(escape(part, keep="-")) == part


@settings(deadline=None, derandomize=True)
@given(st.tuples(PARTS, PARTS, PARTS), st.tuples(PARTS, PARTS, PARTS))
def test_ids_of_different_names_never_collide(one, other):
    (utt_1, speaker_1), (utt_2, speaker_2) = ids(*one), ids(*other)
    assert (utt_1 == utt_2) == (one == other)
    assert (speaker_1 == speaker_2) == (one[:2] == other[:2])
    assert utt_1.startswith(f"{speaker_1}-")


@pytest.mark.parametrize(
    "one, other",
    [
        (("a-b", "c", "d"), ("a", "b", "c-d")),
        (("a", "b-c", "d"), ("a", "b", "c-d")),
        (("a", "b", "c d"), ("a", "b", "c%20d")),
    ],
)
def test_hyphens_and_percent_signs_do_not_make_two_names_one(one, other):
    assert ids(*one)[0] != ids(*other)[0]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.text("Az09_.", min_size=1, max_size=4), st.text("Az-_. é", max_size=3)), min_size=2))
def test_sorting_utterances_sorts_their_speakers_too(names):
    made = [ids("c", speaker, utterance) for speaker, utterance in names]
    speakers = [speaker for _, speaker in sorted(made)]
    assert speakers == sorted(speakers)


# ---- Conditions ---------------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z][a-z0-9_.]{0,5}", fullmatch=True).filter(lambda name: name not in ("rotation", "no"))


@given(st.sampled_from(["", "four_class"]) | NAMES, NAMES, st.none() | st.integers(0, 40), st.booleans(),
       st.sampled_from(["", "a", "a+b", "others"]))  # fmt: skip
def test_text_and_key_of_a_condition_are_read_back(task, corpus, shots, rotation, source):
    condition = Condition(task, corpus, shots, rotation, source)
    for text in (str(condition), condition.key):
        assert Condition.parse(text, corpus=corpus) == condition
    assert Condition(**condition.json) == condition


@pytest.mark.parametrize(
    ("condition", "text", "key"),
    [
        (Condition(shots=5), "5 shots", "5"),
        (Condition("four_class", "b", 5, source="a+c"), "four_class: a+c > b, 5 shots", "four_class: a+c > b, 5"),
        (Condition(corpus="emodb", shots=0), "no shots", "0"),
        (Condition("four_class", "urdu"), "four_class: urdu", "four_class: urdu"),
        (Condition("", "emodb", rotation=True), "emodb, rotation", "emodb, rotation"),
        (Condition("high", "emodb", 10), "high: emodb, 10 shots", "high: emodb, 10"),
    ],
)
def test_text_and_key_of_a_condition(condition, text, key):
    assert (str(condition), condition.key) == (text, key)


@pytest.mark.parametrize("text", ["", "a: ", "a, b", "5, 10 shots", "rotation, rotation", "a,, b"])
def test_what_is_no_condition_is_an_error(text):
    with pytest.raises(ValueError, match=f"found '{text}'; allowed are a number of shots, CORPUS, or TASK: CORPUS"):
        Condition.parse(text)
