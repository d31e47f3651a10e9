"""The temperatures of a row, one for each number of shots, and the utterances that they are fitted on.

A row that learns from support sets is calibrated on its tested corpus: support utterances are left out in turn, and
scored by models that were adapted to the others. Any other row is calibrated on dev utterances of the corpora that it
trains on, as far as it does not train on them.

With k shots, a fifth of each class (at least one utterance) is left out: the first fifth in the first draw, the
second in the next, and so on, so that one more training of `CALIBRATION_DRAWS` support sets per fold is enough. The
left-out utterances are of speakers who may have others in the support set; tested speakers have none, so
probabilities may stay a little too confident.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ser.config import ConfigModel
from ser.methods.base import Job, Prediction, State
from ser.metrics.calibration import fit_temperature, logits_of
from ser.splits.lists import Split
from ser.system.devices import Device
from ser.training.run_data import RunData

CALIBRATION_DRAWS = 5
"""Support sets of each fold and size, the first ones, from which utterances are left out."""

PARTS = 5
"""Parts of a support set that are left out in turn, where k is no smaller."""

DEV, SUPPORT = "dev utterances", "support utterances left out in turn"

Support = Mapping[tuple[int, int], Mapping[str, str]]
"""k, draw -> utterance -> class."""


class Calibration(NamedTuple):
    """What temperatures were fitted on.

    Attributes:
        temperatures: number of shots -> temperature. None of a number where all or none of the utterances are right:
            it would be the bound of the search, and every probability 1.
        utterances: how many different ones.
        corpora: theirs.
        kind: `DEV` or `SUPPORT`.
    """

    temperatures: dict[str, float]
    utterances: int
    corpora: list[str]
    kind: str


def on_dev(
    method: ModuleType,
    config: ConfigModel,
    data: RunData,
    state: State,
    dev: Mapping[str, Mapping[str, str]],
    device: Device,
) -> Calibration:
    """Fit temperatures on dev utterances, all models of a number of shots together.

    Args:
        method, config, data, state, device: as for `method.predict`.
        dev: split -> utterance -> class.
    """
    found = predicted(method, config, data, state, dev, device) if any(dev.values()) else []
    return _fitted(((p, {utt: dev[p.split][utt] for utt in p.utts}) for p in found), data, DEV)


def on_support(
    method: ModuleType, config: ConfigModel, data: RunData, seed: int, init: State | None, device: Device
) -> Calibration:
    """Fit temperatures on support utterances left out in turn; a single shot per class leaves none to train on.

    Args:
        method, config, data, device: as for `method.predict`.
        seed, init: as for `method.train`.
    """
    parts = [_part(split.support) for split in data.splits]
    shown = [replace(s, support=rest, test={}) for s, (rest, _) in zip(data.splits, parts, strict=True)]
    if not any(split.support for split in shown):
        return Calibration({}, 0, [], SUPPORT)
    rest = replace(data, splits=shown)
    with tempfile.TemporaryDirectory() as scratch:
        state, _ = method.train(config, rest, seed, init, Job(device, Path(scratch)))
    left_out = {split.name: out for split, (_, out) in zip(data.splits, parts, strict=True)}
    pools = {split.name: _pool(split, out) for split, (_, out) in zip(data.splits, parts, strict=True)}
    found = predicted(method, config, rest, state, pools, device)
    return _fitted(((p, left_out[p.split][p.k, p.draw]) for p in found), data, SUPPORT)


def predicted(
    method: ModuleType,
    config: ConfigModel,
    data: RunData,
    state: State,
    tests: Mapping[str, Mapping[str, str]],
    device: Device,
) -> list[Prediction]:
    """Predict other utterances than those of the test lists: split -> utterance -> class."""
    splits = [replace(split, test=tests[split.name]) for split in data.splits]
    predictions = method.predict(config, replace(data, splits=splits), state, device)
    return [p for p in predictions if len(p.utts)]


def _part(support: Support) -> tuple[dict[tuple[int, int], dict[str, str]], Support]:
    """Part support sets into what is trained on and what is left out, both by k and draw.

    Of one k, all have the same size, as methods that adapt to all at once need it.
    """
    rest: dict[tuple[int, int], dict[str, str]] = {}
    left_out: dict[tuple[int, int], dict[str, str]] = {}
    for k in {k for k, _ in support if k > 1}:
        size = max(1, k // PARTS)
        for turn, draw in enumerate([draw for of_k, draw in support if of_k == k][:CALIBRATION_DRAWS]):
            whole, start = support[k, draw], turn % (k // size) * size
            by_class: dict[str, list[str]] = {}
            for utt, name in whole.items():
                by_class.setdefault(name, []).append(utt)
            out = {utt for utts in by_class.values() for utt in utts[start : start + size]}
            rest[k, draw] = {utt: name for utt, name in whole.items() if utt not in out}
            left_out[k, draw] = {utt: name for utt, name in whole.items() if utt in out}
    return dict(sorted(rest.items())), left_out


def _pool(split: Split, left_out: Support) -> dict[str, str]:
    """List what is predicted to have the left-out utterances among it: all that their speakers said.

    A method may score a speaker's utterances together, as it does those of tested speakers. Labels are not looked at.
    """
    corpora = {utt.split("-")[0] for out in left_out.values() for utt in out}
    unlabelled = dict.fromkeys((utt for utt in split.adapt if utt.split("-")[0] in corpora), "")
    return unlabelled | {utt: name for out in left_out.values() for utt, name in out.items()}


def _fitted(found: Iterable[tuple[Prediction, Mapping[str, str]]], data: RunData, kind: str) -> Calibration:
    """Fit one temperature for each number of shots, to some utterances of each prediction."""
    by_shots: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    utts: set[str] = set()
    for p, true in found:
        place = {utt: i for i, utt in enumerate(p.utts)}
        logits = logits_of(p.scores[[place[utt] for utt in true]], p.are_posteriors)
        by_shots.setdefault(str(p.k), []).append((logits, data.targets(true)))
        utts.update(true)
    joined = {k: [np.concatenate(both) for both in zip(*parts, strict=True)] for k, parts in by_shots.items()}
    are_right = {k: logits.argmax(1) == y for k, (logits, y) in joined.items()}
    temperatures = {k: fit_temperature(*joined[k]) for k, right in are_right.items() if 0 < right.mean() < 1}
    return Calibration(temperatures, len(utts), sorted({utt.split("-")[0] for utt in utts}), kind)
