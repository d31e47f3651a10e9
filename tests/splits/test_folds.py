from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ser
from ser.config import build, load
from ser.corpora import CORPORA
from ser.corpora.folds import FoldRule
from ser.errors import ConfigError, ProtocolError
from ser.splits.folds import make_folds
from ser.splits.labels import LabelMap
from ser.types import Utterance
from tests.fakes import emodb, iemocap, msp_improv, ravdess, urdu
from tests.splits.people import corpus, utterance

CONF = Path(ser.__file__).parents[1] / "conf"
PAIRS = FoldRule(rule="gender_pairs")
SESSIONS = FoldRule(rule="sessions")
STRATIFIED = FoldRule(rule="stratified_speakers", folds=3)


def shipped_rule(corpus: str) -> FoldRule:
    return CORPORA[corpus].folds.speakers


def people(genders: dict[str, str], n: int = 2) -> list:
    return [utterance(f"{speaker}-{i}", gender=gender) for speaker, gender in genders.items() for i in range(n)]


def folds_of(utterances: list[Utterance], rule: FoldRule) -> list[list[str]]:
    return make_folds(utterances, {u.utt_id: u.emotion for u in utterances}, rule)


WRITE_RELEASE = {
    "ravdess": ravdess.write_release,
    "emodb": emodb.write_release,
    "iemocap": lambda root: iemocap.write_release(root, iemocap.full_release()),
    "msp_improv": lambda root: msp_improv.write_release(root, msp_improv.full_release()),
    "urdu": urdu.write_release,
}
"""Corpus -> maker of its full release: the names and labels of the real one, or at least its counts."""


def full_release(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Utterance], dict[str, str]]:
    """Parse a full release of empty files; give what has one of the four classes, and its class."""

    def touch(path: Path, *_: object, **__: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    for fake in (emodb, iemocap, msp_improv, ravdess, urdu):
        monkeypatch.setattr(fake, "write_wav", touch)
    utterances = CORPORA[name].parse(WRITE_RELEASE[name](root)).utterances
    labels = load(CONF / "labels" / "four_class.yaml", LabelMap).apply(name, utterances, "full")
    return [u for u in utterances if u.utt_id in labels], labels


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("ravdess", [144] * 6),
        ("emodb", [39 + 42, 30 + 21, 35 + 36, 22 + 41, 34 + 39]),
        ("iemocap", [1085, 1023, 1151, 1031, 1241]),
        ("msp_improv", [915, 1325, 1643, 1035, 1385, 1495]),
        ("urdu", [96, 76, 68, 92, 68]),
    ],
)
def test_folds_of_full_releases(name, sizes, tmp_path, monkeypatch):
    """Sizes are those of the corpora; for MSP-IMPROV's sessions 1 to 4, whose counts nobody tells, of the fake."""
    utterances, labels = full_release(name, tmp_path, monkeypatch)
    folds = make_folds(utterances, labels, shipped_rule(name))
    of_speaker = Counter(u.speaker for u in utterances)
    assert sorted(speaker for fold in folds for speaker in fold) == sorted(of_speaker)  # each once
    assert [sum(of_speaker[speaker] for speaker in fold) for fold in folds] == sizes
    fewest = min(
        sum(u.speaker not in fold and labels[u.utt_id] == emotion for u in utterances)
        for fold in folds
        for emotion in set(labels.values())
    )
    assert fewest >= 15  # what the shipped shots need


def test_sessions_of_iemocap_and_msp_improv_are_a_woman_and_a_man_each():
    for name, speaker, n in (("iemocap", "Ses0{0}{1}", 5), ("msp_improv", "{1}0{0}", 6)):
        everyone = [
            utterance(f"{name}-{speaker.format(session, sex)}-a", session=str(session))
            for session in range(1, n + 1)
            for sex in "MF"
        ]
        assert folds_of(everyone, shipped_rule(name)) == [
            [f"{name}-{speaker.format(session, sex)}" for sex in "FM"] for session in range(1, n + 1)
        ]


def test_urdu_spreads_its_classes_as_evenly_as_its_speakers_allow(tmp_path, monkeypatch):
    """SM5 has 72 of the 100 neutral utterances; three speakers have 98 of the angry ones."""
    utterances, labels = full_release("urdu", tmp_path, monkeypatch)
    folds = make_folds(utterances, labels, shipped_rule("urdu"))
    found = [Counter(labels[u.utt_id] for u in utterances if u.speaker in fold) for fold in folds]
    assert found == [
        {"happy": 18, "neutral": 72, "sad": 6},
        {"angry": 48, "happy": 18, "neutral": 4, "sad": 6},
        {"happy": 18, "neutral": 10, "sad": 40},
        {"angry": 24, "happy": 18, "neutral": 8, "sad": 42},
        {"angry": 28, "happy": 28, "neutral": 6, "sad": 6},
    ]


def test_single_speakers_of_msp_improv_are_twelve_folds():
    speakers = [f"msp_improv-{sex}0{session}" for sex in "FM" for session in range(1, 7)]
    folds = folds_of(people(dict.fromkeys(speakers, "f")), FoldRule(rule="consecutive_speakers", size=1))
    assert folds == [[speaker] for speaker in speakers]


def test_ravdess_is_six_subsets_of_four_consecutive_actors():
    actors = {f"ravdess-{actor:02}": "fm"[actor % 2] for actor in range(1, 25)}  # odd numbers are men
    folds = folds_of(people(actors), shipped_rule("ravdess"))
    assert [[int(actor[-2:]) for actor in fold] for fold in folds] == [
        [1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 20], [21, 22, 23, 24],
    ]  # fmt: skip


def test_emodb_is_five_pairs_of_a_man_and_a_woman():
    men, women = ("03", "10", "11", "12", "15"), ("08", "09", "13", "14", "16")
    speakers = {f"emodb-{s}": "m" for s in men} | {f"emodb-{s}": "f" for s in women}
    folds = folds_of(people(speakers), shipped_rule("emodb"))
    assert [[int(speaker[-2:]) for speaker in fold] for fold in folds] == [
        [3, 8], [9, 10], [11, 13], [12, 14], [15, 16],
    ]  # fmt: skip


def test_speakers_that_do_not_come_out_even_are_refused():
    speakers = {f"c-{i}": "m" for i in range(7)}
    with pytest.raises(ProtocolError, match="7 speakers do not part into folds of 3; choose a size that divides 7"):
        folds_of(people(speakers), FoldRule(rule="consecutive_speakers", size=3))


def test_pairs_need_as_many_men_as_women():
    with pytest.raises(ProtocolError, match="gender_pairs needs as many men as women, found 2 and 1"):
        folds_of(people({"c-1": "m", "c-2": "f", "c-3": "m"}), PAIRS)


@pytest.mark.parametrize("rule", [PAIRS, FoldRule(rule="consecutive_speakers", size=2)])
def test_one_fold_is_too_few(rule):
    with pytest.raises(ProtocolError, match=r"2 speakers give 1 fold\(s\); at least two needed"):
        folds_of(people({"c-1": "m", "c-2": "f"}), rule)


def test_a_speaker_without_a_session_is_refused():
    everyone = [utterance("c-1-a", session="1"), utterance("c-2-a", session="2"), utterance("c-2-b")]
    with pytest.raises(ProtocolError, match="sessions needs every utterance's session, 'c-2-b' has none; add it"):
        folds_of(everyone, SESSIONS)


def test_a_speaker_in_two_sessions_is_refused():
    everyone = [utterance("c-1-a", session="1"), utterance("c-2-a", session="2"), utterance("c-2-b", session="1")]
    with pytest.raises(
        ProtocolError, match="sessions needs one session per speaker, 'c-2' is in '1' and '2'; choose"
    ):
        folds_of(everyone, SESSIONS)


def test_one_session_is_too_few():
    with pytest.raises(ProtocolError, match=r"2 speakers give 1 fold\(s\); at least two needed"):
        folds_of([utterance(f"c-{i}-a", session="1") for i in (1, 2)], SESSIONS)


def test_speakers_of_one_class_each_are_stratified():
    """Nine speakers with one class each: three folds of three speakers who have all three classes."""
    everyone = [u for i, name in enumerate(("happy", "neutral", "sad")) for u in corpus(f"c{i}", 3, 4, [name])]
    folds = folds_of(everyone, STRATIFIED)
    assert [sorted(speaker[:2] for speaker in fold) for fold in folds] == [["c0", "c1", "c2"]] * 3


def test_too_few_speakers_or_utterances_are_not_stratified():
    with pytest.raises(ProtocolError, match="folds: 2 speakers do not part into 3 folds; choose fewer folds"):
        folds_of(corpus("c", 2, 9), STRATIFIED)
    few = [*corpus("c", 5, 9, ["happy"]), *corpus("d", 1, 2, ["sad"])]
    with pytest.raises(ProtocolError, match="folds: 2 utterances of 'sad' do not part into 3 folds"):
        folds_of(few, STRATIFIED)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rule": "consecutive_speakers", "size": 0}, "size: .*greater than or equal to 1, found 0"),
        ({"rule": "consecutive_speakers", "size": -2}, "size: .*greater than or equal to 1, found -2"),
        ({"rule": "stratified_speakers", "folds": 1}, "folds: .*greater than or equal to 2, found 1"),
        (
            {"rule": "random"},
            "rule: Input should be 'consecutive_speakers', .* or 'stratified_speakers', found 'random'",
        ),
        ({"rule": "gender_pairs", "sise": 2}, "unknown key 'sise'; did you mean 'size'"),
    ],
)
def test_a_wrong_rule_is_named(rule, message):
    with pytest.raises(ConfigError, match=message):
        build(FoldRule, rule, "protocol.yaml")


@settings(deadline=None, derandomize=True)
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
    folds = folds_of(utterances, FoldRule(rule="consecutive_speakers", size=size))
    assert [speaker for fold in folds for speaker in fold] == speakers
    assert {len(fold) for fold in folds} == {size}


@settings(deadline=None, derandomize=True)
@given(n_pairs=st.integers(2, 6), order=st.randoms(use_true_random=False))
def test_pairs_part_the_speakers(n_pairs, order):
    genders = ["m", "f"] * n_pairs
    order.shuffle(genders)
    speakers = {f"c-{i:02}": gender for i, gender in enumerate(genders)}
    utterances = people(speakers)
    order.shuffle(utterances)
    folds = folds_of(utterances, PAIRS)
    assert sorted(speaker for fold in folds for speaker in fold) == list(speakers)
    assert all({speakers[speaker] for speaker in fold} == {"m", "f"} for fold in folds)


@settings(deadline=None, derandomize=True)
@given(n_speakers=st.integers(2, 9), n_sessions=st.integers(2, 4), order=st.randoms(use_true_random=False))
def test_sessions_part_the_speakers(n_speakers, n_sessions, order):
    utterances = [utterance(f"c-{i}-{part}", session=str(i % n_sessions)) for i in range(n_speakers) for part in "ab"]
    order.shuffle(utterances)
    folds = folds_of(utterances, SESSIONS)
    assert folds == [[f"c-{i}" for i in range(s, n_speakers, n_sessions)] for s in range(min(n_sessions, n_speakers))]


@settings(deadline=None, derandomize=True)
@given(
    said=st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2).filter(any), min_size=3, max_size=9),
    order=st.randoms(use_true_random=False),
)
def test_stratified_folds_part_the_speakers_in_whatever_order_utterances_come(said, order):
    utterances = [
        utterance(f"c-{i}-{name}{n}", name)
        for i, counts in enumerate(said)
        for name, many in zip(("happy", "sad"), counts, strict=True)
        for n in range(many)
    ]
    if any(0 < n < STRATIFIED.folds for n in Counter(u.emotion for u in utterances).values()):
        return
    folds = folds_of(utterances, STRATIFIED)
    assert len(folds) == STRATIFIED.folds and all(folds)
    assert sorted(speaker for fold in folds for speaker in fold) == [f"c-{i}" for i in range(len(said))]
    order.shuffle(utterances)
    assert folds_of(utterances, STRATIFIED) == folds
