"""In a transfer matrix each source is trained once, and every cell is what a recipe of that pair would have."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ser.config import build, load
from ser.methods import continuous_metric, dann, emofsl, linear_svc, logistic_regression, smap
from ser.methods.base import Job
from ser.splits.protocols.transfer import TransferProtocol
from ser.training.run_data import RunData
from tests.splits.people import CLASSES, corpus

JOB = Job("cpu", Path("never written"))
CONF = Path(__file__).parents[2] / "conf" / "methods"
NAMES = "abc"
N_FOLDS = {"a": 2, "b": 3, "c": 2}
N_PAIRS, N_SPLITS = 6, 2 * sum(N_FOLDS.values())


def matrix(train: object = tuple(NAMES)) -> RunData:
    """Three corpora of six to eight speakers whose emotions and corpora shift the features."""
    utterances = {name: corpus(name, n, 3) for name, n in zip(NAMES, (8, 6, 8), strict=True)}
    size = {name: len({u.speaker for u in own}) // N_FOLDS[name] for name, own in utterances.items()}
    settings = {"protocol": "transfer", "train": list(train), "test": list(NAMES), "tasks": {"four": "four"}}
    settings |= {"shots": [1, 2], "draws": 2, "dev_speakers": 0.2, "seed": 1}
    settings |= {"folds": {name: {"rule": "consecutive_speakers", "size": size[name]} for name in NAMES}}
    labels = {u.utt_id: u.emotion for own in utterances.values() for u in own}
    splits = build(TransferProtocol, settings, "recipe.yaml").splits(utterances, labels)
    rng = np.random.default_rng(0)
    shift = {name: rng.normal(size=5) for name in (*NAMES, *CLASSES)}
    every = [u for own in utterances.values() for u in own]
    x = [shift[u.utt_id[0]] + 1.5 * shift[u.emotion] + rng.normal(size=5) for u in every]
    speakers = [u.speaker for u in every]
    factors = {"corpus": {u.utt_id: u.utt_id[0] for u in every}, "speaker": {u.utt_id: u.speaker for u in every}}
    data = RunData([u.utt_id for u in every], np.array(x, np.float32), speakers, splits, CLASSES, factors=factors)
    return dataclasses.replace(data, ratings={"activation": {}, "valence": {}})


DATA = matrix()


def blind(data: RunData) -> RunData:
    return dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])


def counted(monkeypatch, module, name: str) -> list:
    calls, function = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args, **more: calls.append(args) or function(*args, **more))
    return calls


def values(predictions) -> dict:
    return {(p.split, p.k, p.draw): p.scores for p in predictions}


CASES = [
    # adaptation, models on the source, on the support sets of one size, on all labelled utterances of the target
    ("source", 3, None, None),
    ("none", 3, 14, 7),
    ("corpus", 3, 14, 7),
    ("speaker", 3, 14, 7),
    ("coral", N_SPLITS, None, None),
    ("subspace", N_SPLITS, None, None),
]


@pytest.mark.parametrize(("how", "n_source", "n_support", "n_labelled"), [(None, 3, 14, 7), *CASES])
def test_logistic_regression_fits_each_training_set_once(monkeypatch, how, n_source, n_support, n_labelled):
    for train_on, expected in (("source", n_source), ("support", n_support), ("labelled", n_labelled)):
        values_of = {"method": "logistic_regression", "train_on": train_on, "normalization": how}
        c = build(logistic_regression.Config, values_of | {"inverse_penalty": 1.0}, "")
        with monkeypatch.context() as patch:
            calls = counted(patch, logistic_regression, "_fit")
            state, history = logistic_regression.train(c, blind(DATA), 1, None, JOB)
            n_sizes = 2 if train_on == "support" else 1
            n_models = 2 * N_SPLITS if train_on == "support" else N_SPLITS
            assert [row["models"] for row in history] == [n_models] * n_sizes
            if expected is not None:
                assert len(calls) == n_sizes * expected
        check_pairs(logistic_regression, c, state, None)


@pytest.mark.parametrize(("how", "n_source", "n_support", "n_labelled"), CASES)
def test_linear_svc_fits_each_training_set_once(monkeypatch, how, n_source, n_support, n_labelled):
    for train_on, expected in (("source", n_source), ("labelled", n_labelled)):
        c = build(
            linear_svc.Config, {"method": "linear_svc", "train_on": train_on, "normalization": how, "cost": 1.0}, ""
        )
        with monkeypatch.context() as patch:
            calls = counted(patch, linear_svc, "fit_linear_svc")
            state, _ = linear_svc.train(c, blind(DATA), 1, None, JOB)
            if expected is not None:
                assert len(calls) == expected
        check_pairs(linear_svc, c, state, None)


@pytest.mark.parametrize("how", ["source", "speaker", "coral"])
def test_emofsl_trains_each_source_once_and_adapts_it_to_every_target(monkeypatch, how):
    n_source = {case[0]: case[1] for case in CASES}[how]
    settings = [f"normalization={how}", "source.epochs=2", "adapt.epochs=3", "model.hidden=4"]
    start = load(CONF / "emofsl.yaml", emofsl.Config, [*settings, "objective=source_only", "predictor=classifier"])
    calls = counted(monkeypatch, emofsl, "_train_source")
    init, _ = emofsl.train(start, blind(DATA), 1, None, JOB)
    assert len(calls) == n_source
    check_pairs(emofsl, start, init, None)
    c = load(CONF / "emofsl.yaml", emofsl.Config, settings)
    state, _ = emofsl.train(c, blind(DATA), 1, init, JOB)
    check_pairs(emofsl, c, state, start)


def test_dann_and_smap_have_a_model_for_each_source_and_fold():
    c = load(CONF / "dann.yaml", dann.Config, ["domains=[speaker, corpus]", "hidden=4", "epochs=2"])
    state, history = dann.train(c, blind(DATA), 1, None, JOB)
    assert len(history) == N_SPLITS * 2
    check_pairs(dann, c, state, None)
    c = load(CONF / "smap_taught.yaml", smap.Config)
    check_pairs(smap, c, smap.train(c, blind(DATA), 1, None, JOB)[0], None)


METRIC = ["optimizer.epochs=2", "model.hidden=[4]"]


@pytest.mark.parametrize(("how", "n_source", "n_labelled"), [("corpus", 3, 7), ("coral", N_SPLITS, 7)])
def test_continuous_metric_trains_each_source_once(monkeypatch, how, n_source, n_labelled):
    for train_on, expected in (("source", n_source), ("labelled", n_labelled)):
        settings = [*METRIC, f"normalization={how}", f"train_on={train_on}"]
        c = load(CONF / "continuous_metric.yaml", continuous_metric.Config, settings)
        with monkeypatch.context() as patch:
            calls = counted(patch, continuous_metric, "_train_stack")
            state, history = continuous_metric.train(c, blind(DATA), 1, None, JOB)
        assert [len(models) for models, _ in calls] == [expected]
        assert len(history) == N_SPLITS * 2
        check_pairs(continuous_metric, c, state, None)


def test_continuous_metric_follows_the_ratings_of_the_sources_that_have_them():
    rated = [utt for utt in DATA.utts if utt[0] == "a"]
    data = dataclasses.replace(
        DATA, ratings={"activation": {utt: i % 5 for i, utt in enumerate(rated)}, "valence": {}}
    )
    c = load(CONF / "continuous_metric.yaml", continuous_metric.Config, [*METRIC, "loss.metric=activation"])
    state, _ = continuous_metric.train(c, blind(data), 1, None, JOB)
    found = {p.split for p in continuous_metric.predict(c, data, state, "cpu")}
    assert found == {split.name for split in DATA.splits if split.name.startswith("a-")}


def check_pairs(method, c, state, start) -> None:
    """Train and test each pair on its own."""
    found = values(method.predict(c, DATA, state, "cpu"))
    seen = set()
    for pair in sorted({split.name.partition(".")[0] for split in DATA.splits}):
        own = dataclasses.replace(DATA, splits=[s for s in DATA.splits if s.name.startswith(f"{pair}.")])
        init = None if start is None else method.train(start, blind(own), 1, None, JOB)[0]
        alone = values(method.predict(c, own, method.train(c, blind(own), 1, init, JOB)[0], "cpu"))
        for key, scores in alone.items():
            assert found[key] == pytest.approx(scores, abs=1e-4), key
        seen |= alone.keys()
    assert seen == found.keys()
    assert len({split for split, _, _ in seen}) == N_SPLITS


def test_targets_of_different_classes_are_refused_where_supports_are_stacked():
    poor = {key: {u: name for u, name in own.items() if name != "sad"} for key, own in DATA.splits[0].support.items()}
    data = dataclasses.replace(DATA, splits=[dataclasses.replace(DATA.splits[0], support=poor), *DATA.splits[1:]])
    start = load(CONF / "emofsl.yaml", emofsl.Config, ["objective=source_only", "source.epochs=1"])
    init, _ = emofsl.train(start, data, 1, None, JOB)
    with pytest.raises(Exception, match="targets have different classes"):
        emofsl.train(load(CONF / "emofsl.yaml", emofsl.Config), data, 1, init, JOB)


def test_joint_sources_are_models_of_their_own(monkeypatch):
    data = matrix(["a", "b", "others"])
    c = build(
        linear_svc.Config, {"method": "linear_svc", "train_on": "source", "normalization": "source", "cost": 1.0}, ""
    )
    calls = counted(monkeypatch, linear_svc, "fit_linear_svc")
    linear_svc.train(c, blind(data), 1, None, JOB)
    assert len(calls) == 2 + 3
