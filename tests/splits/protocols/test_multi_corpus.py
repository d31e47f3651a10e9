"""Multi-corpus splits: whom they hold out, that nothing leaks, and what full releases give."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from ser.config import build, load
from ser.errors import ConfigError, ProtocolError
from ser.splits.labels import LabelMap
from ser.splits.lists import Split
from ser.splits.protocols.cross_corpus import CrossCorpusProtocol
from ser.splits.protocols.multi_corpus import MultiCorpusProtocol
from tests.splits.people import utterance
from tests.splits.protocols.several import (
    CONF,
    CORPUS_OF,
    CROSS,
    MULTI,
    PAIRS,
    SINGLE,
    copied,
    cross,
    ids,
    in_sessions,
    multi,
    shipped,
    speakers,
    with_,
)


def test_the_canonical_split_holds_out_the_named_folds():
    canonical = multi()[0]
    assert canonical.name == "canonical"
    assert canonical.about["held_out"] == {"a": 3, "b": 1, "c": 4}
    assert canonical.about["test_speakers"] == ["a-05", "a-06", "b-01", "b-02", "c-07", "c-08"]
    assert speakers(canonical.test) == set(canonical.about["test_speakers"])
    assert canonical.adapt == []


def test_every_split_is_all_of_the_corpora():
    for split in multi():
        assert sorted([*split.train, *split.dev, *split.test]) == ids("a", "b", "c")
        assert all(f"-{label}" in utt for part in (split.train, split.dev, split.test) for utt, label in part.items())


def test_the_rotation_tests_every_speaker_once_and_begins_anew_in_smaller_corpora():
    canonical, *rotation = multi()
    assert [split.name for split in rotation] == [f"rotation{i}" for i in range(1, 6)]
    assert [split.about["held_out"] for split in rotation] == [
        {"a": 1, "b": 1, "c": 1},
        {"a": 2, "b": 2, "c": 2},
        {"a": 3, "b": 1, "c": 3},
        {"a": 1, "b": 2, "c": 4},
        {"a": 2, "b": 1, "c": 5},
    ]
    tested = Counter(speaker for split in rotation for speaker in speakers(split.test))
    assert {s: tested[s] for s in speakers(ids("c"))} == {f"c-{i:02}": 1 for i in range(1, 11)}
    assert [tested[f"a-0{i}"] for i in range(1, 7)] == [2, 2, 2, 2, 1, 1]
    assert [tested[f"b-0{i}"] for i in range(1, 5)] == [3, 3, 2, 2]
    for name, n in (("a", 3), ("b", 2)):  # so the first rotations of a corpus are a whole turn
        assert Counter(utt for split in rotation[:n] for utt in split.test if utt[0] == name) == Counter(ids(name))


def test_rotations_are_as_many_as_asked_for_and_do_not_change_each_other():
    whole = {split.name: split for split in multi()}
    for n in (0, 1, 4):
        some = multi(rotations=n)
        assert [split.name for split in some] == ["canonical", *(f"rotation{i + 1}" for i in range(n))]
        assert all(split == whole[split.name] for split in some)
    with pytest.raises(ProtocolError, match="rotations: 6 asked for, no corpus has more than 5 folds; choose fewer"):
        multi(rotations=6)


@pytest.mark.parametrize(("share", "n"), [(0.01, (1, 1, 1)), (0.25, (1, 1, 2)), (0.5, (2, 1, 4)), (0.99, (3, 1, 7))])
def test_dev_speakers_are_training_speakers_of_each_corpus(share, n):
    """4, 2 and 8 speakers are left for training."""
    for split in multi(dev_speakers=share):
        of_dev = speakers(split.dev)
        assert split.about["dev_speakers"] == sorted(of_dev)
        assert tuple(sum(s[0] == name for s in of_dev) for name in "abc") == n
        assert of_dev.isdisjoint(speakers(split.train)) and of_dev.isdisjoint(speakers(split.test))


def test_dev_speakers_depend_on_the_seed_and_the_held_out_fold_alone():
    def of_corpus(name: str, splits: list[Split]) -> dict[int, tuple[str, ...]]:
        return {s.about["held_out"][name]: tuple(d for d in s.about["dev_speakers"] if d[0] == name) for s in splits}

    alone = of_corpus("a", multi(corpora=["a"]))
    assert of_corpus("a", multi()) == alone
    assert of_corpus("a", multi(held_out={"a": 1, "b": 2, "c": 5})) == alone
    assert {str(of_corpus("a", multi(seed=seed))) for seed in range(6)} != {str(alone)}
    same = multi(held_out={"a": 1, "b": 2, "c": 4})
    assert dataclasses.replace(same[0], name="rotation4") == same[4]


def test_sessions_stay_whole_in_train_dev_and_test():
    for split in multi(with_("c", in_sessions("c", 5)), folds=MULTI["folds"] | {"c": {"rule": "sessions"}}):
        for part in (split.train, split.dev, split.test):
            numbers = sorted(int(s[-2:]) for s in speakers(part) if s[0] == "c")
            assert numbers[1::2] == [n + 1 for n in numbers[::2]] and all(n % 2 for n in numbers[::2])
        assert sum(s[0] == "c" for s in speakers(split.dev)) == 2
    dev = cross(with_("a", in_sessions("a", 3))).about["dev_speakers"]
    assert dev in ([f"a-0{i}", f"a-0{i + 1}"] for i in (1, 3, 5))


def test_identical_audio_of_one_speaker_stays_together():
    pair = ("a-03-sad0", "a-03-sad1")
    twins = [dataclasses.replace(u, audio_hash="same") if u.utt_id in pair else u for u in CORPUS_OF["a"]]
    sides = Counter()
    for split in multi(with_("a", twins)):
        for part in ("train", "dev", "test"):
            sides[part, sum(utt in getattr(split, part) for utt in pair)] += 1
    assert {n for _, n in sides} == {0, 2} and sides["test", 2] == 2  # fold 2 of a is tested in two rotations


def test_tested_audio_is_adapted_to_only_where_the_protocol_says_so():
    assert all(split.adapt == list(split.test) for split in multi(adapt="unlabelled-test"))
    everyone = {u.utt_id: u for utterances in CORPUS_OF.values() for u in utterances}
    for values, model in ((CROSS, CrossCorpusProtocol), (MULTI, MultiCorpusProtocol)):
        declared, silent = (build(model, values | {"adapt": a}, "x.yaml") for a in ("unlabelled-test", "none"))
        split = dataclasses.replace(multi()[0], adapt=["a-01-sad0", "b-01-sad0"])
        declared.audit(split, everyone)
        message = r"split canonical: utterances in both adaptation \(adapt: none\) and test: b-01-sad0$"
        with pytest.raises(ProtocolError, match=message):
            silent.audit(split, everyone)


# Leaks


@pytest.mark.parametrize(
    ("data", "changes", "message"),
    [
        (
            with_("c", in_sessions("c", 5)),
            {"folds": MULTI["folds"] | {"c": SINGLE}},
            "split canonical: recording session in both (training|dev) and test: c-1$",
        ),
        (
            copied("a", "a-01-sad0", "b-01-sad0"),
            {"corpora": ["a", "b"]},
            "split canonical: identical audio in both (training|dev) and test: a-01-sad0 and b-01-sad0$",
        ),
    ],
)
def test_leaks_of_a_multi_corpus_split_are_refused(data, changes, message):
    with pytest.raises(ProtocolError, match=message):
        multi(data, **changes)


def test_a_speaker_of_two_corpora_is_held_out_of_both():
    """So this leak cannot come about; that it would be refused shows in the audit alone."""
    corpora = with_("a", [*CORPUS_OF["a"], *(utterance(f"b-01-extra{i}", "sad") for i in range(2))])
    with pytest.raises(ProtocolError, match="folds: 7 speakers do not part into folds of 2"):
        multi(corpora)
    split = multi(corpora, folds=MULTI["folds"] | {"a": SINGLE})[0]
    assert "b-01" in split.about["test_speakers"] and "b-01" not in speakers([*split.train, *split.dev])
    everyone = {u.utt_id: u for utterances in corpora.values() for u in utterances}
    moved = dataclasses.replace(split, dev={**split.dev, "b-01-sad0": "sad"}, test={"b-01-sad1": "sad"})
    with pytest.raises(ProtocolError, match="split canonical: speaker in both dev and test: b-01$"):
        build(MultiCorpusProtocol, MULTI, "x.yaml").audit(moved, everyone)


# Messages


def test_training_speakers_who_cannot_be_parted_are_named():
    message = (
        r"split canonical: dev_speakers: the training speakers of 'b' \(b-03\) cannot be parted into train and dev, "
        "because they are one person or one recording session; choose smaller folds or another corpus$"
    )
    three = [u for u in CORPUS_OF["b"] if u.speaker in ("b-01", "b-03")]
    with pytest.raises(ProtocolError, match=message):
        multi(with_("b", three), folds=MULTI["folds"] | {"b": SINGLE})
    with pytest.raises(ProtocolError, match=r"split all: .* of 'a' \(a-01, a-02, a-03, a-04, a-05, a-06\) cannot be"):
        cross(with_("a", in_sessions("a", 1)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": {"a": PAIRS, "c": PAIRS}}, "folds: no rule for corpus 'b'; add folds.b$"),
        ({"held_out": {"a": 1, "b": 1}}, "held_out: no rule for corpus 'c'; add held_out.c$"),
        (
            {"held_out": MULTI["held_out"] | {"b": 3}},
            "held_out.b: fold 3 asked for, folds.b gives 2; choose 1 to 2$",
        ),
    ],
)
def test_a_corpus_of_which_nothing_is_said_is_named(changes, message):
    with pytest.raises(ProtocolError, match=message):
        multi(**changes)


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        (CROSS, {"targets": []}, "targets: .*at least 1 item"),
        (CROSS, {"targets": ["b", "a"]}, "corpus 'a' stands twice; name each once, as training or as test data"),
        (CROSS, {"adapt": "test"}, "adapt: Input should be 'none' or 'unlabelled-test', found 'test'"),
        (CROSS, {"tasks": {}}, "tasks: .*at least 1 item"),
        (CROSS, {"tasks": {"a b": "four"}}, "tasks.a b: .*match pattern"),
        (CROSS, {"held_out": {}}, "unknown key 'held_out'"),
        (MULTI, {"corpora": ["a", "b", "b"]}, "corpus 'b' stands twice"),
        (MULTI, {"held_out": {"a": 0}}, "held_out.a: .*greater than or equal to 1, found 0"),
        (MULTI, {"rotations": -1}, "rotations: .*greater than or equal to 0, found -1"),
        (MULTI, {"dev_speakers": 1.0}, "dev_speakers: .*less than 1"),
        (MULTI, {"targets": ["b"]}, "unknown key 'targets'"),
    ],
)
def test_a_wrong_setting_is_named(values, changes, message):
    model = CrossCorpusProtocol if values is CROSS else MultiCorpusProtocol
    with pytest.raises(ConfigError, match=rf"protocol\.yaml: .*{message}"):
        build(model, values | changes, "protocol.yaml")


# Full releases

PAPER, TWIN = ("iemocap", "msp_improv", "savee", "emodb"), ("ravdess", "emodb", "urdu")
HELD_OUT = {
    "iemocap": ["Ses05F", "Ses05M"],
    "msp_improv": ["F06", "M06"],
    "savee": ["KL"],
    "emodb": ["03", "08"],
    "ravdess": ["21", "22", "23", "24"],
}
SHARES = {  # of the task's first class, of its second, and of both in the corpus; counts of specs/corpora.md
    "binary_arousal": {
        "iemocap": (170 + 442, 384 + 245, 5531), "savee": (60, 60, 480), "emodb": (54, 53, 535),
        "ravdess": (128, 112, 1440), "urdu": (36, 72, 400),
    },
    "binary_valence": {
        "iemocap": (170 + 245, 442 + 384, 5531), "savee": (60, 60, 480), "emodb": (68, 39, 535),
        "ravdess": (128, 112, 1440), "urdu": (34, 80, 400),
    },
}  # fmt: skip
MSP_IMPROV = {"binary_arousal": (1622, 8438), "binary_valence": (1622, 8438),
              "binary_arousal_consensus": (1495, 7798), "binary_valence_consensus": (1495, 7798)}  # fmt: skip
"""Turns of session 6 and of all sessions; how many of each class are in a session, nobody tells."""


def test_shipped_tasks_are_arousal_and_valence():
    for kind, model, overrides in (
        ("cross_corpus", CrossCorpusProtocol, ["sources=[x]", "targets=[y]"]),
        ("multi_corpus", MultiCorpusProtocol, ["corpora=[x]"]),
    ):
        protocol = load(CONF / "protocols" / f"{kind}.yaml", model, overrides)
        assert protocol.tasks == {"arousal": "binary_arousal", "valence": "binary_valence"}
        assert protocol.adapt == ("unlabelled-test" if kind == "cross_corpus" else "none")
        assert (protocol.stamps, protocol.looked_for) == ([], "speaker, session or audio")


@pytest.mark.parametrize(
    ("corpora", "task"), [*((PAPER, task) for task in MSP_IMPROV), *((TWIN, task) for task in SHARES)]
)
def test_canonical_hold_outs_of_full_releases(corpora, task, full):
    (canonical, *rotation), utterances, _ = shipped("multi_corpus", full, task, f"corpora=[{', '.join(corpora)}]")
    classes = load(CONF / "labels" / f"{task}.yaml", LabelMap).classes
    for name in corpora:
        tested = {utt: label for utt, label in canonical.test.items() if utt.startswith(f"{name}-")}
        if name in HELD_OUT:
            assert speakers(tested) == {f"{name}-{speaker}" for speaker in HELD_OUT[name]}
        if name == "msp_improv":
            assert (len(tested), len(utterances[name])) == MSP_IMPROV[task]
        else:
            counts = SHARES[task.removesuffix("_consensus")][name]
            assert (*(sum(c == label for label in tested.values()) for c in classes), len(utterances[name])) == counts
    assert len(rotation) == 6
    for split in (canonical, *rotation):
        known = {u.utt_id for utts in utterances.values() for u in utts}
        assert split.train.keys() | split.dev.keys() | split.test.keys() == known
        assert len(split.train) + len(split.dev) + len(split.test) == len(known)


@pytest.mark.parametrize("corpora", [PAPER, TWIN], ids=["paper", "twin"])
def test_the_rotation_of_full_releases_tests_every_speaker(corpora, full):
    (_, *rotation), utterances, _ = shipped("multi_corpus", full, "binary_arousal", f"corpora=[{', '.join(corpora)}]")
    n_folds = {"iemocap": 5, "msp_improv": 6, "savee": 4, "emodb": 5, "ravdess": 6, "urdu": 5}
    for name in corpora:
        tested = [speaker for split in rotation for speaker in split.about["test_speakers"]]
        times = Counter(speaker for speaker in tested if speaker.startswith(f"{name}-"))
        first = {s for split in rotation[: 6 - n_folds[name]] for s in split.about["test_speakers"]}
        assert times == {u.speaker: 1 + (u.speaker in first) for u in utterances[name]}


def test_dev_of_full_releases_are_whole_sessions_or_a_tenth_of_the_speakers(full):
    splits, _, _ = shipped("multi_corpus", full, "binary_arousal", f"corpora=[{', '.join(PAPER)}]")
    for split in splits:
        dev = split.about["dev_speakers"]
        assert Counter(speaker.split("-")[0] for speaker in dev) == {
            "iemocap": 2, "msp_improv": 2, "savee": 1, "emodb": 1,
        }  # fmt: skip
        assert len({s[-3:-1] for s in dev if s.startswith("iemocap")}) == 1
        assert len({s[-2:] for s in dev if s.startswith("msp_improv")}) == 1
