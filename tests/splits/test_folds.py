from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ser
from ser.config import build, load
from ser.errors import ConfigError, ProtocolError
from ser.splits.few_shot import FewShotProtocol
from ser.splits.folds import FoldRule, make_folds
from tests.splits.people import utterance

SHARED = Path(ser.__file__).parents[1] / "conf" / "protocols" / "few_shot.yaml"
PAIRS = FoldRule(rule="gender_pairs")


def shipped_rule(corpus: str) -> FoldRule:
    return load(SHARED, FewShotProtocol, ["source=x", "target=y"]).folds[corpus]


def people(genders: dict[str, str], n: int = 2) -> list:
    return [utterance(f"{speaker}-{i}", gender=gender) for speaker, gender in genders.items() for i in range(n)]


def test_ravdess_is_six_subsets_of_four_consecutive_actors():
    actors = {f"ravdess-{actor:02}": "fm"[actor % 2] for actor in range(1, 25)}  # odd numbers are men
    folds = make_folds(people(actors), shipped_rule("ravdess"))
    assert [[int(actor[-2:]) for actor in fold] for fold in folds] == [
        [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 20], [21, 22, 23, 24],
    ]  # fmt: skip


def test_emodb_is_five_pairs_of_a_man_and_a_woman():
    men, women = ("03", "10", "11", "12", "15"), ("08", "09", "13", "14", "16")
    speakers = {f"emodb-{s}": "m" for s in men} | {f"emodb-{s}": "f" for s in women}
    folds = make_folds(people(speakers), shipped_rule("emodb"))
    assert [[int(speaker[-2:]) for speaker in fold] for fold in folds] == [
        [3, 8], [9, 10], [11, 13], [12, 14], [15, 16],
    ]  # fmt: skip


def test_speakers_that_do_not_come_out_even_are_refused():
    speakers = {f"c-{i}": "m" for i in range(7)}
    with pytest.raises(ProtocolError, match="7 speakers do not part into folds of 3; choose a size that divides 7"):
        make_folds(people(speakers), FoldRule(rule="consecutive_speakers", size=3))


def test_pairs_need_as_many_men_as_women():
    with pytest.raises(ProtocolError, match="gender_pairs needs as many men as women, found 2 and 1"):
        make_folds(people({"c-1": "m", "c-2": "f", "c-3": "m"}), PAIRS)


@pytest.mark.parametrize("rule", [PAIRS, FoldRule(rule="consecutive_speakers", size=2)])
def test_one_fold_is_too_few(rule):
    with pytest.raises(ProtocolError, match=r"2 speakers give 1 fold\(s\); at least two needed"):
        make_folds(people({"c-1": "m", "c-2": "f"}), rule)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rule": "consecutive_speakers", "size": 0}, "size: .*greater than or equal to 1, found 0"),
        ({"rule": "consecutive_speakers", "size": -2}, "size: .*greater than or equal to 1, found -2"),
        ({"rule": "random"}, "rule: Input should be 'consecutive_speakers' or 'gender_pairs', found 'random'"),
        ({"rule": "gender_pairs", "sise": 2}, "unknown key 'sise'; did you mean 'size'"),
    ],
)
def test_a_wrong_rule_is_named(rule, message):
    with pytest.raises(ConfigError, match=message):
        build(FoldRule, rule, "protocol.yaml")


@given(
    names=st.sets(st.text("abz09_.", min_size=1, max_size=4), min_size=2, max_size=12),
    size=st.integers(1, 4),
    order=st.randoms(use_true_random=False),
)
def test_consecutive_folds_part_the_speakers(names, size, order):
    speakers = sorted(f"c-{name}" for name in names)
    speakers = speakers[: len(speakers) // size * size]
    utterances = people(dict.fromkeys(speakers, "m"))
    order.shuffle(utterances)
    if len(speakers) < 2 * size:
        return
    folds = make_folds(utterances, FoldRule(rule="consecutive_speakers", size=size))
    assert [speaker for fold in folds for speaker in fold] == speakers
    assert {len(fold) for fold in folds} == {size}


@given(n_pairs=st.integers(2, 6), order=st.randoms(use_true_random=False))
def test_pairs_part_the_speakers(n_pairs, order):
    genders = ["m", "f"] * n_pairs
    order.shuffle(genders)
    speakers = {f"c-{i:02}": gender for i, gender in enumerate(genders)}
    utterances = people(speakers)
    order.shuffle(utterances)
    folds = make_folds(utterances, PAIRS)
    assert sorted(speaker for fold in folds for speaker in fold) == list(speakers)
    assert all({speakers[speaker] for speaker in fold} == {"m", "f"} for fold in folds)
