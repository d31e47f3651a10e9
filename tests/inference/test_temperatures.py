"""Temperatures: on which utterances they are fitted, against training each reduced support set by itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ser import methods
from ser.inference import temperatures
from ser.inference.temperatures import DEV, SUPPORT, on_dev, on_support
from ser.methods.base import Job, Prediction
from ser.splits.lists import Split
from ser.training.run_data import RunData
from tests.inference.test_model import ROWS, trained
from tests.methods import test_emofsl as emofsl
from tests.methods import test_logistic_regression as logistic
from tests.methods import test_smap as smap
from tests.training.run_data import make_run_data

pytestmark = pytest.mark.usefixtures("one_thread")


def is_best(temperature: float, logits: np.ndarray, y: np.ndarray) -> bool:
    """Whether neither a smaller nor a larger temperature has a smaller mean -ln p."""
    losses = [
        torch.nn.functional.cross_entropy(torch.from_numpy(logits).double() / t, torch.from_numpy(y)).item()
        for t in (temperature, 0.98 * temperature, temperature / 0.98)
    ]
    return losses[0] == min(losses)


def of_class(names, wanted):
    return [utt for utt, name in names.items() if name == wanted]


def more_shots(k: int, draws: int) -> RunData:
    """Give each fold support sets of k and of 2 utterances per class, in drawn order, out of 5 to 10 of each."""
    data = make_run_data(per_class=5)
    splits = []
    for split in data.splits:
        names = {utt: utt.split("-")[2][:-1] for utt in split.adapt}
        support = {}
        for draw in range(1, draws + 1):
            order = np.random.default_rng(draw).permutation(split.adapt).tolist()
            for size in (2, k):
                chosen = [u for c in data.classes for u in [u for u in order if names[u] == c][:size]]
                support[size, draw] = {utt: names[utt] for utt in chosen}
        splits.append(dataclasses.replace(split, support=dict(sorted(support.items()))))
    return dataclasses.replace(data, splits=splits)


def emofsl_row(data):
    source = emofsl.config("source_only", predictor="classifier")
    init, _ = methods.load("emofsl").train(source, data, 1, None, Job("cpu", None))
    return "emofsl", emofsl.config("btl"), init


ALL = {
    "emofsl": emofsl_row,
    "logistic_regression": lambda data: ("logistic_regression", logistic.config(), None),
    "smap": lambda data: ("smap", smap.config(), None),
}


@pytest.mark.parametrize("name", ALL)
def test_left_out_support_utterances_are_scored_by_models_of_the_others(name):
    """Each support set of its own, as a method would be trained and tested on it alone."""
    data = more_shots(k=7, draws=6)
    method_name, config, init = ALL[name](data)
    method = methods.load(method_name)
    found = on_support(method, config, data, 1, init, "cpu")
    assert (found.kind, found.corpora, set(found.temperatures)) == (SUPPORT, ["tgt"], {"2", "7"})
    for k, size, n_parts in ((2, 1, 2), (7, 1, 7)):
        logits, y = [], []
        for number, split in enumerate(data.splits):
            for draw in range(1, 6):  # the sixth draw is not needed
                whole = split.support[k, draw]
                first = (draw - 1) % n_parts * size
                out = {u: c for c in data.classes for u in of_class(whole, c)[first : first + size]}
                rest = {utt: c for utt, c in whole.items() if utt not in out}
                assert len(out) == 4 and len(rest) == 4 * (k - 1)
                splits = [
                    dataclasses.replace(s, test={}, support={(k, draw): rest} if i == number else {})
                    for i, s in enumerate(data.splits)
                ]
                if name == "emofsl":  # which trains all support sets of a size in one order of batches
                    assert config.adapt.batch_size is None
                alone = dataclasses.replace(data, splits=splits)
                state, _ = method.train(config, alone, 1, init, Job("cpu", None))
                splits[number] = dataclasses.replace(splits[number], test=dict.fromkeys(split.adapt, ""))
                (p,) = [p for p in method.predict(config, alone, state, "cpu") if p.split == split.name and p.k == k]
                place = {utt: i for i, utt in enumerate(p.utts)}
                scores = p.scores[[place[utt] for utt in out]].astype(float)
                logits.append(np.log(scores) if p.are_posteriors else scores)
                y.append(data.targets(out))
        assert is_best(found.temperatures[str(k)], np.concatenate(logits), np.concatenate(y))


def test_of_many_shots_a_fifth_of_each_class_is_left_out_by_turns():
    support = {(10, draw): {f"{c}{i}": c for c in "ab" for i in range(10)} for draw in range(1, 8)}
    rest, left_out = temperatures._part(support)
    assert [set(out) for out in left_out.values()] == [
        {f"{c}{i}" for c in "ab" for i in (2 * turn, 2 * turn + 1)} for turn in range(5)
    ]
    assert all(set(rest[key]) | set(left_out[key]) == set(support[key]) for key in rest)
    assert not any(set(rest[key]) & set(left_out[key]) for key in rest)


def test_a_single_shot_leaves_none_to_train_on():
    assert temperatures._part({(1, 1): {"x": "a", "y": "b"}}) == ({}, {})
    data = make_run_data()
    splits = [dataclasses.replace(s, support={(1, 0): s.support[1, 0]}) for s in data.splits]
    one = dataclasses.replace(data, splits=splits)
    found = on_support(methods.load("logistic_regression"), logistic.config(), one, 1, None, "cpu")
    assert found == ({}, 0, [], SUPPORT)


def test_a_system_whose_first_weights_were_dropped_is_not_calibrated(tmp_path):
    row = trained("logistic_regression", logistic.config(), make_run_data(), tmp_path)
    about = row.write(tmp_path / "row")
    assert about["temperatures"].keys() == {"2"} and about["calibration"]["corpora"] == ["tgt"]
    row.again = None
    about = row.write(tmp_path / "row")
    assert about["temperatures"] == {} and about["calibration"]["kind"] == SUPPORT


def test_without_shots_the_temperature_is_that_of_the_dev_utterances(tmp_path):
    row = ROWS["source model"](tmp_path)
    about = row.write(tmp_path / "row")
    assert about["calibration"] == {"kind": DEV, "corpora": ["src"], "utterances": 16}
    on = [dataclasses.replace(s, test=s.dev) for s in row.data.splits]
    parts = row.module.predict(row.config, dataclasses.replace(row.data, splits=on), row.state, "cpu")
    logits = np.log(np.concatenate([p.scores for p in parts]))
    y = np.tile(row.data.targets(row.data.splits[0].dev), len(parts))
    assert is_best(about["temperatures"]["0"], logits, y)


@pytest.mark.parametrize("shift, fitted", [(0, []), (1, []), (None, ["0"])])
def test_utterances_that_are_all_right_or_all_wrong_calibrate_nothing(shift, fitted, monkeypatch):
    """A temperature at the bound of its search would make every probability 1."""
    classes = ["high", "low"]
    dev = {f"a-{i}": classes[i % 2] for i in range(6)}
    y = np.array([i % 2 for i in range(6)])
    told = y if shift == 0 else 1 - y if shift else np.zeros(6, dtype=int)
    scores = np.where(np.eye(2)[told] > 0, 0.6, 0.4)
    monkeypatch.setattr(temperatures, "predicted", lambda *_: [Prediction("s", 0, 0, list(dev), scores)])
    splits = [Split("s", {}, dev, [], {})]
    data = RunData(list(dev), np.zeros((6, 1), np.float32), ["a-0"] * 6, splits, classes)
    found = on_dev(None, None, data, {}, {"s": dev}, "cpu")
    assert (list(found.temperatures), found.utterances) == (fitted, 6)
