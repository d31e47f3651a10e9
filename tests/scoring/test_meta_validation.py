"""Settings are chosen by other corpora: what is left, what is best, and that the target changes nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.methods import logistic_regression, smap
from ser.methods.base import Prediction
from ser.scoring.meta_validation import grid_of, trials, without
from ser.types import Condition
from tests.methods import test_smap
from tests.methods.test_transfer import DATA


def condition(split: str, corpus: str, shots: int) -> Condition:
    return Condition(corpus=corpus, shots=shots, source=split.partition("-")[0])


def test_a_grid_has_all_combinations_and_no_change():
    assert grid_of(["a=1|2", "b.c=x|y"]) == [
        (), ("a=1", "b.c=x"), ("a=1", "b.c=y"), ("a=2", "b.c=x"), ("a=2", "b.c=y"),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="expected key=value"):
        grid_of(["em.tau_s"])


def test_nothing_of_the_target_is_left():
    left = without(DATA, "b")
    assert {utt[0] for utt in left.utts} == {"a", "c"} and len(left.x) == len(left.utts) == len(left.speakers)
    assert {split.name.partition(".")[0] for split in left.splits} == {"a-c", "c-a"}
    for split in left.splits:
        lists = (split.train, split.dev, split.adapt, split.test, split.labelled, *split.support.values())
        assert not any(utt.startswith("b-") for own in lists for utt in own)


def test_without_a_third_corpus_nothing_is_left():
    two = without(DATA, "b")
    with pytest.raises(ConfigError, match="without 'a', no direction is left; the matrix needs a third corpus"):
        without(two, "a")


class Shares(ConfigModel):
    right: float
    other: int = 0


def guessing(share_of: dict[str, float]) -> SimpleNamespace:
    """A method that gets a known share of each class right, in each direction."""

    def predict(config, data, state, device):
        found = []
        for split in data.splits:
            y, scores = data.targets(split.test), np.zeros((len(split.test), 4))
            for c in range(4):
                places = np.flatnonzero(y == c)
                n = round(config.right * share_of[split.name[:3]] * len(places))
                scores[places[:n], c], scores[places[n:], (c + 1) % 4] = 1, 1
            found.append(Prediction(split.name, 0, 0, list(split.test), scores))
        return found

    return SimpleNamespace(Config=Shares, train=lambda *args: ({}, []), predict=predict)


def test_uar_is_averaged_over_directions_and_the_best_comes_first():
    data, share = without(DATA, "b"), {"a-c": 1.0, "c-a": 0.5}
    grid = [(), ("right=1e0",), ("right=1.0", "other=3")]  # YAML as elsewhere: 1e0 is a number
    found = trials(guessing(share), {"right": 0.0}, grid, data, condition)
    assert [trial.settings for trial in found] == [("right=1e0",), ("right=1.0", "other=3"), ()]
    assert [trial.uar for trial in found] == pytest.approx([0.75, 0.75, 0.0], abs=0.1)
    alone = trials(guessing({"a-c": 1.0, "c-a": 1.0}), {"right": 1.0}, [()], data, condition)
    assert alone[0].uar == 1.0


@pytest.mark.parametrize("method", [smap, logistic_regression])
def test_the_target_changes_nothing(method):
    values = {
        smap: test_smap.config().model_dump(),
        logistic_regression: {"method": "logistic_regression", "train_on": "source", "normalization": "corpus",
                              "inverse_penalty": 1.0},
    }[method]  # fmt: skip
    axis = {smap: "em.temperature=0.1|1.0", logistic_regression: "inverse_penalty=0.01|100.0"}[method]
    moved = replace(DATA, x=DATA.x.copy())
    moved.x[[utt.startswith("b-") for utt in DATA.utts]] += 7
    one, other = (trials(method, values, grid_of([axis]), without(d, "b"), condition) for d in (DATA, moved))
    assert one == other and len({trial.uar for trial in one}) > 1


def test_a_setting_that_the_method_refuses_is_one_sentence():
    with pytest.raises(ConfigError, match="--grid right=x: right: .*found 'x'"):
        trials(guessing({}), {"right": 0.0}, [("right=x",)], without(DATA, "b"), condition)
