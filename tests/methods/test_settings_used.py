"""A setting that a method declares as unused decides nothing: weights and predictions are the same bytes with another
value; one that it declares as untrained decides no weights."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser import methods
from ser.config import build, read
from ser.methods.base import About, Job, settings_used
from tests.methods import test_continuous_metric, test_difl, test_supcon
from tests.training.paired_data import make_paired_data
from tests.training.run_data import make_run_data

pytestmark = pytest.mark.usefixtures("one_thread")
CONF = Path(__file__).parents[2] / "conf" / "methods"

BASES = {
    "emofsl": (
        ["model.hidden=8", "source.epochs=2", "source.lr=0.02", "adapt.epochs=3", "adapt.lr=0.02"],
        make_run_data,
    ),
    "difl": (
        [*test_difl.SMALL, "epochs=2", "loss.gamma_schedule=ramp"],
        lambda: test_difl.make_data(n=16, longest=3),
    ),
    "continuous_metric": (
        ["model.hidden=[5,4]", "optimizer.epochs=2", "optimizer.batch_size=8"],
        test_continuous_metric.run_data,
    ),
    "supcon": (
        [*test_supcon.SMALL, *(f"{stage}.epochs=1" for stage in ("stage_one", "stage_two", "ft"))],
        lambda: test_supcon.with_frames(make_paired_data()),
    ),
}
"""Method -> settings that make it small, and its data."""

OTHER = {
    "source": {"objective": "fstl", "lr": 0.5, "batch_size": 3, "epochs": 1},
    "adapt": {"lr": 0.5, "lr_decay": 0.1, "decay_per": "step", "epochs": 1, "batch_size": 4},
    "model.normalize": False,
    "loss.reduction": "sum",
    "loss.kappa": 7.0,
    "predictor": "classifier",
    "similarity": "cosine",
    "target_audio": "unlabelled",
    "loss.gamma_schedule": "constant",
    "loss.center_on": "logits",
    "loss.distance": "signed_mean",
    "loss.pairs": "consecutive",
    "loss.divide_by_dim": False,
    "outliers.deviations": 0.5,
    "noisy_test": True,
    "adapter_hidden": 3,
}
"""Setting -> another value; numbers that are not named are halved, and sections with numbers in all of it."""


def get(values: Mapping[str, Any], key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def put(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    values = inner = copy.deepcopy(values)
    *outer, last = key.split(".")
    for part in outer:
        inner = inner[part]
    inner[last] = value
    return values


def halved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: halved(own) for key, own in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return value / 2 if isinstance(value, float) else value + 1


def cases(kind: str):
    for name in BASES:
        for setting, own in getattr(methods.about(name), kind).items():
            for case in own:
                for chosen in product(*case.values()):
                    yield name, setting, dict(zip(case, chosen, strict=True))


def identify(case) -> str:
    return str(case) if isinstance(case, str) else ",".join(f"{k}={v}" for k, v in case.items())


KNOWN: dict[object, Any] = {}


def trained(name: str, values: dict[str, Any], folder: Path):
    """Train and predict; of equal settings once."""
    key = repr((name, values))
    if key not in KNOWN:
        method, (_, make) = methods.load(name), BASES[name]
        config, data = build(method.Config, values, name), make()
        blind = dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])
        init = None
        if name == "emofsl" and values["objective"] != "source_only":
            source = put(get_values(name), "objective", "source_only")
            init = trained(name, source, folder)[0]
        state, _ = method.train(config, blind, 1, init, Job("cpu", folder / str(len(KNOWN))))
        scores = [p.scores for p in method.predict(config, data, state, "cpu")]
        KNOWN[key] = state, scores
    return KNOWN[key]


def get_values(name: str) -> dict[str, Any]:
    return read(CONF / f"{name}.yaml", BASES[name][0])[0]


def pair(name: str, setting: str, case: Mapping[str, Any], folder: Path):
    values = get_values(name)
    for key, value in case.items():
        values = put(values, key, value)
    old = get(values, setting)
    new = OTHER.get(setting, halved(old))
    assert new != old
    return trained(name, values, folder), trained(name, put(values, setting, new), folder)


def same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name], equal_nan=True) for name in a)


@pytest.mark.parametrize(("name", "setting", "case"), [*cases("unused")], ids=identify)
def test_an_unused_setting_decides_nothing(name, setting, case, tmp_path):
    (state, scores), (other, other_scores) = pair(name, setting, case, tmp_path)
    assert same(state, other)
    assert all(np.array_equal(a, b) for a, b in zip(scores, other_scores, strict=True))


@pytest.mark.parametrize(("name", "setting", "case"), [*cases("untrained")], ids=identify)
def test_an_untrained_setting_decides_no_weights(name, setting, case, tmp_path):
    (state, _), (other, _) = pair(name, setting, case, tmp_path)
    assert same(state, other)


def test_settings_are_left_out_in_the_cases_declared():
    about = About(
        None, False,
        unused={"loss": [{"objective": ["ce"]}], "adapt.lr": [{"objective": ["metric"], "adapt.epochs": [0]}]},
        untrained={"predictor": [{}]},
    )  # fmt: skip
    values = {"objective": "metric", "loss": {"w": 1}, "adapt": {"lr": 1, "epochs": 0}, "predictor": "mean"}
    assert settings_used(about, values) == {**values, "adapt": {"epochs": 0}}
    assert "predictor" not in settings_used(about, values, in_training=True)
    values |= {"objective": "ce", "adapt": {"lr": 1, "epochs": 2}}
    assert settings_used(about, values) == {k: v for k, v in values.items() if k != "loss"}
