"""SMAP against scikit-learn, by hand, and on speakers who act all classes or have one each."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ser.config import find, read
from ser.errors import DataError
from ser.methods import smap
from ser.methods.base import Job
from ser.methods.smap import Config
from ser.splits.lists import Split
from ser.training.run_data import RunData
from tests.training.run_data import CLASSES, make_run_data

JOB = Job("cpu", Path("never written"))
ALONE = ("em.rounds=0", "teaching=null", "guard=null")
TEACHING = "teaching={rounds: 2, share: 0.4, half_at: 15}"


def config(*overrides: str) -> Config:
    path = find("methods", "smap", Path("conf"))
    values, _ = read(path, [o for o in overrides if " " not in o])
    if TEACHING in overrides:
        values["teaching"] = {"rounds": 2, "share": 0.4, "half_at": 15}
    return Config.model_validate(values, strict=False)


def trained(c: Config, data: RunData):
    blind = dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])
    return smap.train(c, blind, 1, None, JOB)


def predicted(c: Config, data: RunData):
    return smap.predict(c, data, trained(c, data)[0], "cpu")


def uar(predictions, data: RunData) -> float:
    """Average recalls over classes and predictions."""
    tests = {split.name: data.targets(split.test) for split in data.splits}
    return float(np.mean([
        np.mean([(p.scores.argmax(1) == c)[tests[p.split] == c].mean() for c in set(tests[p.split].tolist())])
        for p in predictions
    ]))  # fmt: skip


# ---- Steps 1 to 3 ----


@pytest.mark.parametrize("dims", [{}, {"a": 2, "b": 4}])
def test_sources_alone_are_linear_discriminant_analysis(dims):
    """With W hardly shrunk and one feature, posteriors are those of scikit-learn; of two, log-likelihoods add up."""
    data = dataclasses.replace(make_run_data(per_class=12), dims=dims)
    c = config("statistics=source", "shots=false", *ALONE, "shrinkage=1e-9", "em.temperature=1", "clip=100")
    logits = 0.0
    split = data.splits[0]
    x, y = (data.x[data.rows(split.train)].astype(float), data.targets(split.train))
    test = data.x[data.rows(split.test)].astype(float)
    for block in data.blocks.values():
        model = LinearDiscriminantAnalysis(solver="lsqr").fit(x[:, block], y)
        logits = logits + model.decision_function(test[:, block])
    p = np.exp(logits - logits.max(1, keepdims=True))
    found = predicted(c, data)[0]
    assert (found.split, found.k, found.draw, list(found.utts)) == ("fold0", 0, 0, list(split.test))
    assert found.scores == pytest.approx(p / p.sum(1, keepdims=True), abs=1e-4)


def test_a_weight_scales_the_log_likelihood_of_its_feature():
    data = dataclasses.replace(make_run_data(), dims={"a": 6})
    logits = []
    for weight in (1, 3):
        c = config("statistics=source", "shots=false", *ALONE).model_copy(update={"weights": {"a": weight}})
        p = np.log(predicted(c, data)[0].scores)
        logits.append(p - p.mean(1, keepdims=True))
    assert logits[1] == pytest.approx(3 * logits[0], rel=1e-3)


@pytest.mark.parametrize("statistics", ["source", "corpus", "speaker"])
def test_the_sources_are_white(statistics):
    data = make_run_data(per_class=12)
    c, split = config(f"statistics={statistics}", *ALONE, "shrinkage=1e-9"), data.splits[0]
    source = smap.source_of(c, data, split.train, statistics)
    space = smap.space_of(source, statistics, source.of_corpus, data, c)
    x, y = space.x(data, list(split.train), c), data.targets(split.train)
    within = sum(np.cov(x[y == k], rowvar=False, bias=True) for k in range(4)) / 4
    assert within == pytest.approx(np.eye(6), abs=1e-6)
    assert space.mu == pytest.approx(np.stack([x[y == k].mean(0) for k in range(4)]))


def test_statistics_of_a_speaker_are_shrunk_to_the_corpus():
    """By hand: values 1 and 3 of a speaker; the corpus has mean 6 and variance 9 within speakers."""
    data = RunData(["c-s-1", "c-s-2"], np.array([[1.0], [3.0]], np.float32), ["c-s"] * 2, [], CLASSES)
    of_corpus = {"": np.array([[6.0], [9.0], [4.0]])}
    mean, deviation = (2 * 2 + 2 * 6) / 4, np.sqrt((2 * 1 + 2 * 9) / 4)
    z = smap.z_of(data, data.utts, "speaker", of_corpus, config())
    assert z == pytest.approx((np.array([[1.0], [3.0]]) - mean) / deviation)
    assert smap.z_of(data, data.utts, "corpus", of_corpus, config()) == pytest.approx(np.array([[-2.5], [-1.5]]))
    constant = {"": np.array([[6.0], [0.0], [0.0]])}
    assert smap.z_of(data, data.utts, "corpus", constant, config()).tolist() == [[0.0], [0.0]]


def test_moments_of_a_corpus_by_hand():
    data = RunData(
        ["c-s-1", "c-s-2", "c-t-1"], np.array([[1.0], [3.0], [8.0]], np.float32), ["c-s", "c-s", "c-t"], [], CLASSES
    )
    assert smap.moments(data, data.utts)[:, 0] == pytest.approx([4.0, 2 / 3, (9 + 1 + 16) / 3])


def test_every_source_corpus_counts_the_same_in_a_class():
    """A corpus of one utterance at 0 and one of three at 6: the mean of their class is 3."""
    utts = ["a-1-x", "b-1-x", "b-1-y", "b-1-z", "a-1-w"]
    data = RunData(
        utts, np.array([[0], [6], [6], [6], [5]], np.float32), ["a-1", *["b-1"] * 3, "a-1"], [], ["p", "q"]
    )
    c = config("statistics=source", *ALONE)
    source = smap.source_of(c, data, dict(zip(utts, "ppppq", strict=True)), "source")
    z = smap.z_of(data, utts, "source", source.of_corpus, c)[:, 0]
    assert source.means[:, 0] == pytest.approx([(z[0] + z[1]) / 2, z[4]])
    assert source.second.item() == pytest.approx(((z[0] ** 2 + z[1] ** 2) / 2 + z[4] ** 2) / 2)


def test_a_class_without_a_source_is_one_sentence():
    data = make_run_data()
    splits = [dataclasses.replace(s, train={u: n for u, n in s.train.items() if n != "sad"}) for s in data.splits]
    with pytest.raises(DataError, match="no source has the class 'sad'"):
        trained(config(), dataclasses.replace(data, splits=splits))


# ---- Steps 4 to 6 ----


def speakers(n_of: np.ndarray, seed: int = 0, per_class: int = 8) -> RunData:
    """Make an acted source of 6 speakers and a target whose speaker s has n_of[s, c] utterances of class c.

    The source's classes are half as far from each other, and speakers are far apart.
    """
    rng, names = np.random.default_rng(seed), list(CLASSES)
    emotion = 2.0 * rng.normal(size=(4, 12))
    x, label, speaker_of = [], {}, {}
    for corpus, counts in (("src", np.full((6, 4), per_class)), ("tgt", n_of)):
        shift = rng.normal(size=12)
        for s, row in enumerate(counts):
            own = shift + 1.5 * rng.normal(size=12)
            for c, i in [(c, i) for c, n in enumerate(row) for i in range(n)]:
                utt = f"{corpus}-{s}-{names[c]}{i}"
                label[utt], speaker_of[utt] = names[c], f"{corpus}-{s}"
                x.append(emotion[c] * (0.5 if corpus == "src" else 1.0) + own + rng.normal(size=12))
    train = {u: n for u, n in label.items() if u.startswith("src")}
    test = {u: n for u, n in label.items() if speaker_of[u] in ("tgt-0", "tgt-1", "tgt-2", "tgt-3")}
    pool = {u: n for u, n in label.items() if u not in train and u not in test}
    support = {}
    for draw in (1, 2, 3):
        order = np.random.default_rng(draw).permutation(list(pool)).tolist()
        for k in (2, 5):
            support[k, draw] = {u: pool[u] for n in names for u in [u for u in order if pool[u] == n][:k]}
    split = Split("fold1", train, {}, list(pool), test, dict(sorted(support.items())))
    return RunData(list(label), np.array(x, np.float32), list(speaker_of.values()), [split], names)


ACTED, ONE_CLASS = np.full((12, 4), 6), np.eye(4, dtype=int)[np.arange(12) % 4] * 12


def test_steps_help_speakers_who_act_all_classes():
    data = speakers(ACTED)
    rows = [("statistics=source", *ALONE), ("statistics=corpus", *ALONE), ALONE, (), (TEACHING,)]
    source, corpus, each, together, taught = (uar(predicted(config("shots=false", *row), data), data) for row in rows)
    assert source < corpus < each <= together <= taught


@pytest.mark.parametrize("shots", ["false", "true"])
def test_the_guard_tells_acted_corpora_from_speakers_with_one_class(shots):
    for n_of, expected in ((ACTED, False), (ONE_CLASS, True)):
        data = speakers(n_of)
        state, history = trained(config(f"shots={shots}", TEACHING), data)
        assert [row["guarded"] for row in history] == [row["models"] * expected for row in history]
        assert ["one emotion each" in row["left_out"] for row in history] == [expected] * len(history)
        found = predicted(config(f"shots={shots}", TEACHING), data)
        guarded = predicted(config(f"shots={shots}", "statistics=corpus", *ALONE), data)
        assert (
            all(np.allclose(a.scores, b.scores, atol=1e-6) for a, b in zip(found, guarded, strict=True)) == expected
        )


def test_the_guard_saves_speakers_with_one_class_from_their_statistics():
    data = speakers(ONE_CLASS)
    kept = uar(predicted(config("shots=false"), data), data)
    assert kept > 0.25 + uar(predicted(config("shots=false", "guard=null"), data), data)


def test_shots_overrule_what_posteriors_say():
    """The index alone would call acted speakers pure; all draws of 5 shots outweigh it, and one of 2."""
    data, c = speakers(ACTED), config("guard.threshold=0", "guard.slope=25")
    _, history = trained(c, data)
    assert [(row["k"], row["log_odds"] > 0) for row in history] == [(2, True), (5, True)]
    assert [row["guarded"] for row in history] == [2, 0]
    assert trained(config("shots=false", "guard.threshold=0"), data)[1][0]["guarded"] == 1


def test_speakers_without_enough_utterances_get_statistics_of_the_corpus():
    data = speakers(ACTED)
    alone = dataclasses.replace(
        data, speakers=[u if u.startswith("tgt") else s for u, s in zip(data.utts, data.speakers, strict=True)]
    )
    _, history = trained(config("shots=false"), alone)
    assert history[0]["log_odds"] == np.inf and history[0]["guarded"] == 1


def test_teaching_falls_with_shots():
    """g = 0.4 / (1 + k / 15), applied to means of the target that models with k shots have labelled."""
    data, c = speakers(ACTED), config(TEACHING, "guard=null")
    split, (source, m) = data.splits[0], (None, None)
    source = smap.source_of(c, data, split.train, "speaker")
    space = smap.space_of(source, "speaker", {**source.of_corpus, "tgt": smap.moments(data, split.adapt)}, data, c)
    m = space.mu[None]
    moved = [smap.taught_means(source, space, m, k, data, split.adapt, c)[0] - space.mu for k in (0, 15, 45)]
    assert moved[1] == pytest.approx(moved[0] / 2) and moved[2] == pytest.approx(moved[0] / 4)


# ---- The contract ----


@pytest.mark.parametrize(
    "overrides, sees",
    [
        (("statistics=source", *ALONE, "shots=false"), set()),
        (("statistics=source", *ALONE), {"k-shot"}),
        (("statistics=corpus", *ALONE), {"k-shot", "unlabelled-train"}),
        (("shots=false",), {"unlabelled-train", "unlabelled-test"}),
        ((), {"k-shot", "unlabelled-train", "unlabelled-test"}),
    ],
)
def test_target_data_is_what_the_settings_see(overrides, sees):
    assert smap.target_data(config(*overrides)) == sees
    assert smap.target_data(config(*overrides), is_source=True) == sees | {"labelled"}


@pytest.mark.parametrize("overrides", [("statistics=source", *ALONE), ("statistics=corpus", *ALONE)])
def test_what_is_not_seen_decides_nothing(overrides):
    """Other target speakers move nothing without statistics of the corpus, tested ones only with their own."""
    data, c = speakers(ACTED), config(*overrides, "shots=false")
    before = predicted(c, data)[0].scores
    moved = dataclasses.replace(data, x=data.x.copy())
    first = [i for i, s in enumerate(data.speakers) if s == "tgt-0"]
    moved.x[first] += 3
    after = predicted(c, moved)[0].scores
    others = [i for i, u in enumerate(data.splits[0].test) if not u.startswith("tgt-0-")]
    assert after[others] == pytest.approx(before[others], abs=1e-12)
    unseen = dataclasses.replace(data, x=data.x.copy())
    unseen.x[data.rows(data.splits[0].adapt)] += 3
    same = np.allclose(predicted(c, unseen)[0].scores, before)
    assert same == ("unlabelled-train" not in smap.target_data(c))


def test_a_tested_speaker_does_not_move_another():
    data, c = speakers(ACTED), config(TEACHING)
    state, _ = trained(c, data)
    whole = smap.predict(c, data, state, "cpu")
    test = {u: n for u, n in data.splits[0].test.items() if u.startswith("tgt-2-")}
    part = smap.predict(
        c, dataclasses.replace(data, splits=[dataclasses.replace(data.splits[0], test=test)]), state, "cpu"
    )
    places = [list(data.splits[0].test).index(u) for u in test]
    assert all(b.scores == pytest.approx(a.scores[places], abs=1e-12) for a, b in zip(whole, part, strict=True))


def test_nothing_is_random():
    data, c = speakers(ACTED), config(TEACHING)
    first, second = trained(c, data)[0], smap.train(c, data, 2, None, JOB)[0]
    assert all(np.array_equal(first[name], second[name]) for name in first) and first.keys() == second.keys()


def test_there_is_always_a_history():
    assert trained(config("guard=null"), make_run_data())[1] == [{"k": 0, "models": 2}]


def test_predictions_come_by_split_shots_and_draw():
    data = make_run_data()
    found = [(p.split, p.k, p.draw) for p in predicted(config(), data)]
    assert found == [(f"fold{f}", k, d) for f in (0, 1) for k in (1, 2) for d in (0, 1)]
    assert [(p.split, p.k, p.draw) for p in predicted(config("shots=false"), data)] == [
        ("fold0", 0, 0),
        ("fold1", 0, 0),
    ]


def test_a_split_without_sources_has_no_model():
    data = make_run_data()
    data = dataclasses.replace(data, splits=[data.splits[0], dataclasses.replace(data.splits[1], train={})])
    assert {p.split for p in predicted(config(), data)} == {"fold0"}


def test_steps_about_speakers_need_their_statistics():
    with pytest.raises(ValueError, match="statistics: 'corpus' goes with em.rounds=0 teaching=null guard=null"):
        config("statistics=corpus")
