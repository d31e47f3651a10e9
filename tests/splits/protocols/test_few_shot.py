"""Few-shot splits: who is in them, that draws stand on their own, and that nothing leaks."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import pytest

from ser.config import build
from ser.errors import ConfigError, ProtocolError
from ser.splits.lists import Split
from ser.splits.protocols import few_shot
from ser.splits.protocols.few_shot import FewShotProtocol
from ser.types import Utterance
from tests.splits.people import CLASSES, corpus, utterance

SOURCE, TARGET = corpus("src", 10, 2), corpus("tgt", 6, 4)
FOLDS = {"tgt": {"rule": "consecutive_speakers", "size": 2}}


def protocol(**changes: object) -> FewShotProtocol:
    values = {"protocol": "few_shot", "source": "src", "target": "tgt", "labels": "four", "shots": [2, 5, 10]}
    values |= {"draws": 4, "dev_speakers": 0.2, "seed": 1, "folds": FOLDS}
    return build(FewShotProtocol, values | changes, "protocol.yaml")


def splits(source: list[Utterance] = SOURCE, target: list[Utterance] = TARGET, **changes: object) -> list[Split]:
    labels = {u.utt_id: u.emotion for u in (*source, *target)}
    return protocol(**changes).splits({"src": source, "tgt": target}, labels)


def supports(made: list[Split]) -> dict:
    return {(split.name, *key): list(support.items()) for split in made for key, support in split.support.items()}


def speakers(utts) -> set[str]:
    return {"-".join(utt.split("-")[:2]) for utt in utts}


def test_train_dev_test_and_adapt_are_the_whole_corpora():
    made = splits()
    assert [split.name for split in made] == ["fold1", "fold2", "fold3"]
    assert [split.about["test_speakers"] for split in made] == [
        ["tgt-01", "tgt-02"], ["tgt-03", "tgt-04"], ["tgt-05", "tgt-06"],
    ]  # fmt: skip
    of = {u.utt_id: u.emotion for u in (*SOURCE, *TARGET)}
    for split in made:
        assert {**split.train, **split.dev} == {u.utt_id: u.emotion for u in SOURCE}
        assert sorted([*split.adapt, *split.test]) == sorted(u.utt_id for u in TARGET)
        assert split.labelled == {utt: of[utt] for utt in split.adapt}
        assert speakers(split.test) == set(split.about["test_speakers"])
        assert speakers(split.adapt).isdisjoint(split.about["test_speakers"])
        assert all(of[utt] == label for utt, label in split.test.items())
    tested = Counter(utt for split in made for utt in split.test)
    assert tested == Counter(u.utt_id for u in TARGET)


@pytest.mark.parametrize(("share", "n"), [(0.01, 1), (0.2, 2), (0.49, 5), (0.99, 9)])
def test_dev_speakers_are_kept_from_training_and_neither_is_empty(share, n):
    for split in splits(dev_speakers=share):
        assert speakers(split.train).isdisjoint(speakers(split.dev))
        assert len(speakers(split.dev)) == n
        assert split.about["dev_speakers"] == sorted(speakers(split.dev))


def test_dev_speakers_are_the_same_in_all_folds_and_depend_on_the_seed():
    chosen = {seed: {tuple(s.about["dev_speakers"]) for s in splits(seed=seed)} for seed in range(6)}
    assert all(len(of_seed) == 1 for of_seed in chosen.values())
    assert len(set().union(*chosen.values())) > 1


def test_one_source_speaker_is_too_few():
    with pytest.raises(ProtocolError, match="source 'src' has one speaker; two are needed"):
        splits(source=corpus("src", 1, 2))


def recorded(utterances: list[Utterance], session_of: dict[str, str]) -> list[Utterance]:
    return [dataclasses.replace(u, session=session_of.get(u.speaker)) for u in utterances]


PAIRS = {f"src-{i:02}": str((i + 1) // 2) for i in range(1, 11)}


@pytest.mark.parametrize(("share", "n"), [(0.01, 2), (0.3, 4), (0.99, 8)])
def test_dev_speakers_bring_those_of_their_recording_session(share, n):
    for split in splits(source=recorded(SOURCE, PAIRS), dev_speakers=share):
        chosen = speakers(split.dev)
        assert len(chosen) == n
        assert {PAIRS[s] for s in chosen}.isdisjoint(PAIRS[s] for s in speakers(split.train))


def test_speakers_tied_by_a_chain_of_sessions_stay_together():
    """01 meets 02 and 02 meets 03: of the ten speakers eight groups are left."""
    ties = {"src-01-sad0": "a", "src-02-sad0": "a", "src-02-sad1": "b", "src-03-angry0": "b"}
    source = [dataclasses.replace(u, session=ties.get(u.utt_id)) for u in SOURCE]
    trio = {"src-01", "src-02", "src-03"}
    sizes = set()
    for seed in range(8):
        for split in splits(source=source, dev_speakers=0.25, seed=seed)[:1]:
            assert trio <= speakers(split.dev) or trio.isdisjoint(speakers(split.dev))
            sizes.add(len(speakers(split.dev)))
    assert sizes == {2, 4}  # two of eight groups


def test_a_source_of_one_session_needs_shared_sessions():
    source = recorded(SOURCE, dict.fromkeys(PAIRS, "1"))
    with pytest.raises(ProtocolError, match="recording sessions tie all 10 speakers of source 'src' together; set"):
        splits(source=source)
    for split, other in zip(splits(source=source, sessions="shared"), splits(), strict=True):
        assert split.about == other.about


def test_support_sets_are_balanced_nested_and_apart_from_test():
    of = {u.utt_id: u.emotion for u in TARGET}
    for split in splits():
        assert list(split.support) == [(k, draw) for draw in (1, 2, 3, 4) for k in (2, 5, 10)]
        for (k, draw), support in split.support.items():
            assert Counter(support.values()) == dict.fromkeys(CLASSES, k)
            assert all(of[utt] == label for utt, label in support.items())
            assert set(support) <= set(split.adapt)
            assert speakers(support).isdisjoint(split.about["test_speakers"])
            larger = split.support[10, draw]
            for name in CLASSES:  # the beginning of the larger draw, class by class
                mine, others = ([u for u, c in s.items() if c == name] for s in (support, larger))
                assert mine == others[:k]
        assert len({tuple(split.support[5, draw]) for draw in (1, 2, 3, 4)}) == 4


def test_a_seed_decides_the_draws():
    assert supports(splits()) == supports(splits())
    one, two = supports(splits()), supports(splits(seed=2))
    assert one.keys() == two.keys()
    assert all(one[key] != two[key] for key in one)


def test_folds_do_not_draw_the_same_places():
    """Pools of equal size hold other speakers; a common draw would take the same places of each."""
    places = [tuple(split.adapt.index(utt) for utt in split.support[10, 1]) for split in splits()]
    assert len(set(places)) == 3


def test_a_draw_depends_neither_on_the_number_of_draws_nor_of_shots():
    full = supports(splits())
    for changes in ({"draws": 1}, {"draws": 9}, {"shots": [5]}, {"shots": [1, 5]}):
        other = supports(splits(**changes))
        assert {key: other[key] for key in other.keys() & full.keys()} == {
            key: full[key] for key in other.keys() & full.keys()
        }
        assert other.keys() & full.keys()


def test_a_draw_does_not_depend_on_the_other_folds(monkeypatch):
    full = supports(splits())
    monkeypatch.setattr(
        few_shot, "make_folds", lambda *_: [["tgt-01", "tgt-02"], [f"tgt-0{i}" for i in (3, 4, 5, 6)]]
    )
    other = {key: support for key, support in supports(splits(shots=[2, 5])).items() if key[0] == "fold1"}
    assert other == {key: full[key] for key in other}


def with_audio_of(utts: list[Utterance], copy: str, original: str) -> list[Utterance]:
    return [dataclasses.replace(u, audio_hash=f"hash of {original}") if u.utt_id == copy else u for u in utts]


def test_identical_audio_counts_once():
    pair = ("tgt-05-sad1", "tgt-06-sad2")
    target = with_audio_of(TARGET, *reversed(pair))
    drawn = Counter()
    for split in splits(target=target, shots=[15], draws=6)[:2]:
        for support in split.support.values():
            drawn[sum(utt in support for utt in pair)] += 1
            assert Counter(support.values()) == dict.fromkeys(CLASSES, 15)
    assert set(drawn) == {1}  # 15 of 15 units: one of the pair, never both
    with pytest.raises(ProtocolError, match="fold1: shots: 16 support .* class 'sad' of 'tgt' has 15 outside"):
        splits(target=target, shots=[16])
    assert splits(shots=[16])


def test_unknown_audio_is_not_taken_for_identical():
    target = [dataclasses.replace(u, audio_hash=None) for u in TARGET]
    assert supports(splits(target=target)) == supports(splits())


def test_more_shots_than_a_class_has_are_refused():
    message = (
        "split fold1: shots: 17 support utterances asked for, class 'angry' of 'tgt' has 16 outside the tested "
        "fold; choose a smaller k"
    )
    with pytest.raises(ProtocolError, match=f"^{message}$"):
        splits(shots=[2, 17])


def test_a_class_that_only_tested_speakers_have_is_refused():
    target = [u for u in TARGET if u.emotion != "sad" or u.speaker in ("tgt-03", "tgt-04")]
    message = (
        "fold2: shots: 1 support .* class 'sad' of 'tgt' has 0 outside the tested fold; choose another fold rule$"
    )
    with pytest.raises(ProtocolError, match=message):
        splits(target=target, shots=[1])


# support_speakers


def test_support_sets_come_from_few_speakers_and_are_nested():
    made = splits(support_speakers=3)
    for split in made:
        for draw in (1, 2, 3, 4):
            two, five, ten = (speakers(split.support[k, draw]) for k in (2, 5, 10))
            assert two <= ten and five <= ten and len(ten) == 3  # who have 12 of a class
            for k in (2, 5, 10):
                support = split.support[k, draw]
                assert Counter(support.values()) == dict.fromkeys(CLASSES, k)
                assert set(support) <= set(split.adapt)
                for name in CLASSES:
                    mine, others = (
                        [u for u, c in s.items() if c == name] for s in (support, split.support[10, draw])
                    )
                    assert mine == others[:k]
    assert len({tuple(sorted(speakers(split.support[10, draw]))) for split in made for draw in range(1, 5)}) > 3


def test_support_speakers_depend_on_the_seed_and_on_no_other_draw():
    full = supports(splits(support_speakers=3))
    assert supports(splits(support_speakers=3)) == full
    assert supports(splits(support_speakers=3, seed=2)) != full
    for changes in ({"draws": 1}, {"draws": 9}, {"shots": [10]}):
        other = supports(splits(support_speakers=3, **changes))
        common = other.keys() & full.keys()
        assert common and {key: other[key] for key in common} == {key: full[key] for key in common}


def test_all_speakers_as_support_speakers_are_the_uniform_draw():
    assert supports(splits(support_speakers=4)) == supports(splits())


def test_support_speakers_are_drawn_again_until_they_have_every_class():
    """Only the pairs of an angry-and-happy and a neutral-and-sad speaker will do."""
    target = [u for u in TARGET if (u.emotion in CLASSES[:2]) == (u.speaker[-1] in "135")]
    for split in splits(target=target, support_speakers=2, shots=[2, 4], draws=9):
        for support in split.support.values():
            assert sorted(int(s[-1]) % 2 for s in speakers(support)) == [0, 1]


def test_support_speakers_who_lack_a_class_are_refused():
    message = (
        "split fold1: support_speakers: in 100 draws, no 2 speaker(s) of 'tgt' had 10 utterances of every class; "
        "choose more speakers or a smaller k"
    )
    with pytest.raises(ProtocolError, match=f"^{re.escape(message)}$"):
        splits(support_speakers=2)  # eight of a class
    with pytest.raises(ProtocolError, match="fold1: support_speakers: 5 asked for, 'tgt' has 4 outside the tested"):
        splits(support_speakers=5)


# Leaks


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (
            SOURCE,
            with_audio_of(TARGET, "tgt-03-sad0", "src-04-sad1"),
            "identical audio .* src-04-sad1 and tgt-03-sad0",
        ),
        (
            SOURCE,
            with_audio_of(TARGET, "tgt-03-sad0", "tgt-01-sad1"),
            "identical audio .* tgt-03-sad0 and tgt-01-sad1",
        ),
        (
            SOURCE,
            [dataclasses.replace(u, session="9") if u.speaker in ("tgt-02", "tgt-03") else u for u in TARGET],
            "fold1: recording session in both training and test: tgt-9",
        ),
    ],
)
def test_leaks_are_refused_with_their_ids(source, target, message):
    with pytest.raises(ProtocolError, match=message):
        splits(source=source, target=target)


SINGLE = {"tgt": {"rule": "consecutive_speakers", "size": 1}}
RECORDED = recorded(TARGET, {f"tgt-{i:02}": str((i + 1) // 2) for i in range(1, 7)})


def test_shared_sessions_pass_only_where_the_protocol_says_so():
    with pytest.raises(ProtocolError, match="fold1: recording session in both training and test: tgt-1$"):
        splits(target=RECORDED, folds=SINGLE)
    made = splits(target=RECORDED, folds=SINGLE, sessions="shared")
    assert [split.about["test_speakers"] for split in made] == [[f"tgt-0{i}"] for i in range(1, 7)]
    assert len(splits(target=RECORDED, folds={"tgt": {"rule": "sessions"}})) == 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([*SOURCE, utterance("tgt-02-extra", "sad")], "fold2: speaker in both training and test: tgt-02"),
        (with_audio_of(SOURCE, "src-04-sad1", "tgt-03-sad0"), "identical audio .* src-04-sad1 and tgt-03-sad0"),
        ([*SOURCE, RECORDED[0]], "fold1: utterances in both training and test: tgt-01-angry0"),
    ],
)
def test_shared_sessions_let_nothing_else_pass(source, message):
    with pytest.raises(ProtocolError, match=message):
        splits(source=source, target=RECORDED, folds=SINGLE, sessions="shared")


def test_labelled_target_utterances_are_audited_on_their_own():
    split = dataclasses.replace(splits()[0], adapt=[], labelled={"tgt-01-sad0": "sad"}, support={})
    test = {utt: label for utt, label in split.test.items() if utt != "tgt-01-sad0"}
    with pytest.raises(ProtocolError, match="split fold1: speaker in both labelled target and test: tgt-01$"):
        few_shot._audit(dataclasses.replace(split, test=test), {u.utt_id: u for u in (*SOURCE, *TARGET)}, waived=())


def test_only_shared_sessions_are_stamped():
    assert protocol().stamps == []
    assert protocol(sessions="shared").stamps == [
        "SESSION-DEPENDENT: recording sessions of tgt may be in both training and test"
    ]


def test_a_source_speaker_among_the_tested_is_refused():
    with pytest.raises(ProtocolError, match="speaker in both training and test: tgt-02"):
        splits(source=[*SOURCE, utterance("tgt-02-extra", "sad")])


def test_a_target_without_a_rule_is_refused():
    with pytest.raises(ProtocolError, match="folds: no rule for target 'tgt'; add folds.tgt"):
        splits(folds={"src": {"rule": "gender_pairs"}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shots": []}, "shots: .*at least 1 item"),
        ({"shots": [0]}, r"shots\.0: .*greater than or equal to 1, found 0"),
        ({"shots": ["5"]}, r"shots\.0: .*valid integer, found '5'"),
        ({"draws": 0}, "draws: .*greater than or equal to 1"),
        ({"dev_speakers": 0.0}, "dev_speakers: .*greater than 0"),
        ({"dev_speakers": 1.0}, "dev_speakers: .*less than 1"),
        ({"support_speakers": 0}, "support_speakers: .*greater than or equal to 1"),
        ({"sessions": "mixed"}, "sessions: Input should be 'disjoint' or 'shared', found 'mixed'"),
        ({"sead": 1}, "unknown key 'sead'; did you mean 'seed'"),
    ],
)
def test_a_wrong_setting_is_named(changes, message):
    with pytest.raises(ConfigError, match=rf"protocol\.yaml: .*{message}"):
        protocol(**changes)
