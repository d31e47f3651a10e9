"""Writing the folder of a scored row: what it learned from, what `predict` needs, temperatures, distances, ratings.

The files and the stand-ins of lists are described in `ser.inference.model`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ser.adaptation.base import find
from ser.config import ConfigModel
from ser.inference.model import FORMAT, LISTS, vectors, without_scores
from ser.inference.temperatures import SUPPORT, Calibration, on_dev, on_support, predicted
from ser.methods.base import State, adaptation_of, answer
from ser.metrics.novelty import MIN_DEVIATION, PERCENTILE, distances, fit_center, held_out_distances
from ser.splits.lists import Split, as_listed
from ser.system.devices import Device
from ser.system.files import fingerprint, write_json
from ser.training.checkpoint import write_tensors
from ser.training.run_data import RunData, by_corpus

MOST_ENCODED = 500
"""Training utterances whose center is taken where an encoder has to hear each of them."""

ATTRIBUTES = {"activation": "arousal", "valence": "valence"}
"""Rating of the corpora -> what it is called in what `predict` writes."""


def write_model(
    folder: Path,
    about: Mapping[str, Any],
    method: ModuleType,
    config: ConfigModel,
    data: RunData,
    state: State,
    splits: Iterable[str],
    durations: Mapping[str, float],
    device: Device,
    again: tuple[int, State | None] | None,
) -> dict[str, Any]:
    """Write `model.json` and `predict.safetensors` beside the weights of a row.

    Args:
        folder: of a row and seed.
        about: what the recipe knows of the row, see `ser.inference.folder`.
        method, config, data, state, device: as for `method.predict`.
        splits: names of those that it predicts: it has models of no others.
        durations: of all utterances of the recipe's corpora, in seconds.
        again: `seed` and `init` that it was trained with, which its calibration by support sets needs; None where the
            weights that it starts from were dropped.

    Returns:
        What stands in `model.json`.
    """
    state = without_scores(state)
    refused = answer(method, "refuses_new_audio", config)
    supports = _stored_supports(method, config, data)
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    names = {speaker: f"known-{n}" for n, speaker in enumerate(dict.fromkeys(speaker_of[utt] for utt in supports))}
    tensors = _adaptations(method, config, data, names)
    tensors |= {"x": data.x[data.rows(supports)]} if supports else {}
    info = {
        **about,
        "format": FORMAT,
        "classes": list(data.classes),
        "target_data": sorted(as_listed(method.target_data(config), data.splits)),
        "of_speakers": find(adaptation_of(method.ABOUT, dict(config))).GROUP == "speaker",
        "trained_on": _corpora_seen(method, config, data),
        "models": sorted(splits),
        "refuses_new_audio": refused,
        "stored": [[utt.split("-")[0], names[speaker_of[utt]], name] for utt, name in supports.items()],
        "rated": _rated(data),
        "splits": [_stand_in(split, {utt: place for place, utt in enumerate(supports)}) for split in data.splits],
        "seconds": _seconds(method, config, data, durations),
        "temperatures": {},
        "attributes": {},
    }
    if refused is None:
        dev = {split.name: held_out_dev(method, config, split) for split in data.splits}
        if "k-shot" not in method.target_data(config):
            calibration = on_dev(method, config, data, state, dev, device)
        elif again is not None:
            calibration = on_support(method, config, data, *again, device)
        else:
            calibration = Calibration({}, 0, [], SUPPORT)
        info["temperatures"] = calibration.temperatures
        info["calibration"] = {key: getattr(calibration, key) for key in ("kind", "corpora", "utterances")}
        centers, info["far"] = _distances(method, config, data, dev)
        tensors |= centers
        fits, info["attributes"] = _attributes(method, config, data, state, device)
        tensors |= fits
    write_tensors(folder / "predict.safetensors", tensors)
    write_json(folder / "model.json", info)
    return info


def learned_from(method: ModuleType, config: ConfigModel, split: Split) -> Mapping[str, str]:
    """List the utterances whose labels any model of a split learns from, whatever corpus it is tested on."""
    return method.trained_on(config, replace(split, test={}))


def _corpora_seen(method: ModuleType, config: ConfigModel, data: RunData) -> list[str]:
    """Name the corpora whose labels a row was trained on or adapted to."""
    here = {utt.split("-")[0] for split in data.splits for utt in learned_from(method, config, split)}
    return sorted(here | set(method.ABOUT.trained_elsewhere))


def training_data(method: ModuleType, config: ConfigModel, splits: Sequence[Split]) -> dict[str, list[str]]:
    """List by split the utterances that new audio is held against: those whose labels its models learn from.

    A method that learns from no label has the training lists of the protocol instead.
    """
    learned = {split.name: list(learned_from(method, config, split)) for split in splits}
    if not any(learned.values()):
        learned = {split.name: list(split.train or split.labelled or split.adapt) for split in splits}
    return {name: utts for name, utts in learned.items() if utts}


def held_out_dev(method: ModuleType, config: ConfigModel, split: Split) -> dict[str, str]:
    """List the dev utterances of corpora that a row trains on, as far as it does not train on them."""
    seen = learned_from(method, config, split)
    corpora = {utt.split("-")[0] for utt in seen}
    return {utt: name for utt, name in split.dev.items() if utt not in seen and utt.split("-")[0] in corpora}


def _digests(labelled: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Hash what each corpus has in a list."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for utt, name in labelled:
        parts.setdefault(utt.split("-")[0], []).append((utt, name))
    return {corpus: fingerprint(part)[:12] for corpus, part in parts.items()}


def _stand_ins(labelled: Mapping[str, str]) -> dict[str, str]:
    """Make a list with one utterance for each corpus and class of another."""
    digest = _digests(labelled.items())
    pairs = dict.fromkeys((utt.split("-")[0], name) for utt, name in labelled.items())
    return {f"{corpus}-list-{digest[corpus]}-{name}": name for corpus, name in pairs}


def _stand_in(split: Split, places: Mapping[str, int]) -> dict[str, Any]:
    """Describe a split without the utterances of its lists, support sets by the places of what is stored."""
    return {
        "name": split.name,
        **{part: list(_stand_ins(getattr(split, part)).items()) for part in LISTS},
        "adapt": [f"{corpus}-list-{digest}" for corpus, digest in _digests((u, "") for u in split.adapt).items()],
        "support": [
            [k, draw, [places[utt] for utt in support if utt in places]]
            for (k, draw), support in split.support.items()
        ],
        "tests": sorted({utt.split("-")[0] for utt in split.test}),
    }


def _stored_supports(method: ModuleType, config: ConfigModel, data: RunData) -> dict[str, str]:
    """List the support utterances that prediction takes, and their classes; others are not needed."""
    if not answer(method, "needs_support", config) or not data.x.shape[1]:
        return {}
    return {u: name for split in data.splits for support in split.support.values() for u, name in support.items()}


def _rated(data: RunData) -> dict[str, list[str]]:
    """List the stand-ins of what has ratings."""
    found: dict[str, list[str]] = {}
    for rating, of_utt in data.ratings.items():
        lists = [labelled for split in data.splits for labelled in (split.train, split.labelled)]
        rated = [{utt.split("-")[0] for utt in labelled if utt in of_utt} for labelled in lists]
        found[rating] = sorted(
            {
                utt
                for labelled, corpora in zip(lists, rated, strict=True)
                for utt in _stand_ins(labelled)
                if utt.split("-")[0] in corpora
            }
        )
    return found


def _adaptations(
    method: ModuleType, config: ConfigModel, data: RunData, names: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """Collect the states of the adaptation, named by split, outliers and group; of speakers those that have a new
    name."""
    if not data.x.shape[1]:
        return {}
    how, found = adaptation_of(method.ABOUT, dict(config)), {}
    for split in data.splits:
        if not (split.train or split.labelled):
            continue
        states = {False: data.fitted(split, how)}
        if hasattr(method, "standardized"):
            states[True] = data.fitted(split, how, without=method.standardized(config, data, split)[1])
        for left_out, state in states.items():
            if find(how).GROUP == "speaker":
                state = {names[name]: value for name, value in state.items() if name in names}
            found |= {json.dumps(["norm", split.name, left_out, name or None]): v for name, v in state.items()}
    return found


def _seconds(
    method: ModuleType, config: ConfigModel, data: RunData, durations: Mapping[str, float]
) -> dict[str, float]:
    """Tell how long what is trained on is, and how long anything in the corpora."""
    of_splits = training_data(method, config, data.splits).values()
    seen = sorted(durations[utt] for utt in {utt for utts in of_splits for utt in utts})
    return {
        "shortest": seen[0],
        "typical_longest": float(np.percentile(seen, 95)),
        "longest": max(durations.values()),
    }


def _distances(
    method: ModuleType, config: ConfigModel, data: RunData, dev: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Fit the center of what the first model has seen of each corpus, and the distance beyond which audio is far.

    That of a corpus is taken on its dev utterances or, where it has none, on each speaker against the others.
    """
    name, seen = next(iter(training_data(method, config, data.splits).items()))
    split = next(split for split in data.splits if split.name == name)
    if any(word.startswith("unlabelled") for word in method.target_data(config)):
        seen = list(dict.fromkeys([*seen, *split.adapt]))
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    centers, thresholds, held_out = {}, {}, {}
    for corpus, utts in by_corpus(seen).items():
        own_dev = by_corpus(dev[split.name]).get(corpus, [])
        if data.encoder is not None:
            utts = utts[:: -(-len(utts) // MOST_ENCODED)]
        x = vectors(method, config, data, split, utts)
        centers[f"center.{corpus}"] = center = fit_center(x)
        if own_dev:
            found = distances(vectors(method, config, data, split, own_dev), center)
        else:
            found = held_out_distances(x, [speaker_of[utt] for utt in utts])
        thresholds[corpus] = max(float(np.percentile(found, PERCENTILE)), MIN_DEVIATION)
        held_out[corpus] = "dev utterances" if own_dev else "each speaker against the others"
    return centers, {"split": split.name, "thresholds": thresholds, "held_out": held_out}


def _attributes(
    method: ModuleType, config: ConfigModel, data: RunData, state: State, device: Device
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Fit the rating that a latent space follows, rating = b_0 + b z, on the training utterances of each model."""
    rating = answer(method, "rating", config)
    if rating is None:
        return {}, {}
    of_utt = data.ratings[rating]
    tests = {split.name: learned_from(method, config, split) for split in data.splits}
    found: dict[str, np.ndarray] = {}
    for p in predicted(method, config, data, state, tests, device):
        rows = [i for i, utt in enumerate(p.utts) if utt in of_utt and np.isfinite(p.latent[i]).all()]
        design = np.column_stack([np.ones(len(rows)), p.latent[rows]])
        y = np.array([of_utt[p.utts[i]] for i in rows])
        found[json.dumps(["rating", p.split])] = np.linalg.lstsq(design, y, rcond=None)[0]
    shown = [of_utt[utt] for of_split in tests.values() for utt in of_split if utt in of_utt]
    return found, {ATTRIBUTES[rating]: {"lowest": min(shown), "highest": max(shown)}}
