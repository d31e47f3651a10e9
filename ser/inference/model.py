"""The folder of a trained row as something that others can use: what a method's `predict` needs beside its weights.

    conf.yaml model.safetensors    written by stage 4
    model.json                     what was trained on what, classes, feature, splits, temperatures, limits
    predict.safetensors            states of the adaptation, support utterances, what distances are taken from
    README.md                      the model card, see `ser.inference.card`
    encoder.safetensors            the checkpoint below the row, in folders that `ser.bin.export` made

A method scores new audio by the very `predict` that stage 5 calls: on a `RunData` whose test lists are the new
utterances, whose statistics were computed before, and whose lists of the corpora are stand-ins. A stand-in has one
made-up utterance for each corpus and class of a list, named by a hash of what the corpus has in that list: so it has
the same classes and corpora, and two lists are equal if, and only if, their stand-ins are. No id of a corpus is kept.
Here such a folder is read. Not here: how it is written (`ser.inference.write`), and audio (`ser.inference.predict`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ser import methods
from ser.adaptation.base import ALL, find
from ser.adaptation.base import State as AdaptationState
from ser.config import ConfigModel, build, read
from ser.errors import ConfigError, unknown
from ser.features.config import FeatureConfig
from ser.methods.base import SCORES, Prediction, State, adaptation_of
from ser.metrics.novelty import distances
from ser.recipe.recipe import read_weights
from ser.splits.lists import Split
from ser.system.files import fingerprint, hash_file, read_json
from ser.training.checkpoint import read_tensors
from ser.training.run_data import RunData

if TYPE_CHECKING:
    from torch import Tensor

FILES = ("conf.yaml", "model.safetensors", "predict.safetensors")
"""That have to be there next to `model.json`."""

FORMAT = 3
"""Raise it when an older folder can no longer be read."""

ENCODER = "encoder.safetensors"

LISTS = ("train", "dev", "labelled")
"""Labelled lists of a split; `model.json` has them as pairs, as their order matters and JSON's keys are sorted."""


class NewUtterance(NamedTuple):
    """What a method needs to know of new audio.

    Attributes:
        speaker: any name; matters to rows whose adaptation is fitted to speakers.
        feature: (D,), layers (L, D) or frames (T, ...); for a method with an encoder of its own, where the audio is.
    """

    speaker: str
    feature: Any


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(
            f"--model {path.parent}: {path.name} is missing; copy the whole folder again, or score the system again"
        )


@dataclass(frozen=True)
class Model:
    """A trained row, read from its folder.

    Attributes:
        folder: where it lies.
        about: `model.json`.
        config: of its method.
        tensors: `predict.safetensors`.
        ckpt: checkpoint file of the encoder, where the folder does not hold it and its variable is not to count.
    """

    folder: Path
    about: Mapping[str, Any]
    config: ConfigModel
    tensors: Mapping[str, np.ndarray]
    ckpt: Path | None = None

    @classmethod
    def open(cls, folder: Path, ckpt: Path | None = None) -> Model:
        """Read a folder.

        Raises:
            ConfigError: if it is no model folder, or one that this version cannot use.
        """
        path = folder / "model.json"
        if not path.is_file():
            raise ConfigError(
                f"--model {folder}: holds no model.json; name a trained row's exp/ROW/seedN, after stage 5"
            )
        about = read_json(path)
        if about.get("format") != FORMAT:
            raise ConfigError(
                f"{path}: format {about.get('format')}, and this version reads {FORMAT}; score it again"
            )
        if about["refuses_new_audio"]:
            raise ConfigError(f"--model {folder}: {about['refuses_new_audio']}")
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            raise ConfigError(f"--model {folder}: {', '.join(missing)} missing; restore it, or make it again: run "
                              "the recipe with --keep_weights all")  # fmt: skip
        if about["method"] not in methods.names():
            raise ConfigError(f"{path}: method: {unknown(str(about['method']), methods.names())}")
        method = methods.load(about["method"])
        for name in ("conf.yaml", "predict.safetensors"):
            _check_there(folder / name)
        conf = folder / "conf.yaml"
        try:
            config = build(method.Config, read(conf)[0], str(conf))
        except ConfigError as error:
            raise ConfigError(
                f"{error}; it was changed by hand, or is of another version: run stage 4 again"
            ) from None
        return cls(folder, about, config, read_tensors(folder / "predict.safetensors", "numpy")[0], ckpt)

    @property
    def method(self) -> ModuleType:
        """The module that predicts."""
        return methods.load(self.about["method"])

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of their indices."""
        return self.about["classes"]

    @property
    def of_speakers(self) -> bool:
        """Whether it needs all utterances of a speaker before it can score one."""
        return self._groups_by == "speaker"

    @property
    def _groups_by(self) -> str | None:
        return find(adaptation_of(self.method.ABOUT, dict(self.config))).GROUP

    @cached_property
    def state(self) -> State:
        """The weights."""
        _check_there(self.folder / "model.safetensors")
        return without_scores(read_weights(self.folder, self.about["method"]))

    @cached_property
    def feature(self) -> FeatureConfig:
        """What it takes, or the encoder that it trained; with a checkpoint file that is there and is the right one.

        Raises:
            ConfigError: if the checkpoint is missing or another one.
        """
        told = self.about["feature"]
        config = build(FeatureConfig, told["config"], f"{self.folder}/model.json: feature")
        if config.ckpt is None:
            config.check_usable()
            return config
        own = self.folder / ENCODER
        if self.ckpt is None and own.is_file():
            file, expected = own, told["encoder_hash"]
        elif self.ckpt is not None or config.ckpt[0] != "$":
            file, expected = self.ckpt or Path(config.ckpt), told["ckpt_hash"]
        else:
            try:
                file, expected = Path(config.ckpt_file()), told["ckpt_hash"]
            except ConfigError:
                raise ConfigError(
                    f"--model {self.folder}: its encoder is not in the folder; give its file by --ckpt or "
                    f"{config.ckpt[1:]}, or make a folder with it by python -m ser.bin.export"
                ) from None
        if not file.is_file():
            raise ConfigError(f"--ckpt {file}: no such file")
        if hash_file(file) != expected:
            raise ConfigError(
                f"--ckpt {file}: not the checkpoint that the model was trained with (BLAKE2b {expected})"
            )
        found = config.model_copy(update={"ckpt": str(file.resolve())})
        found.check_usable()
        return found

    def different_front_end(self) -> list[str]:
        """Name what computes features here otherwise than where it was trained."""
        told, now = self.about["feature"]["made_from"], self.feature.identity()
        return [f"{key} {told[key]}, here {now.get(key)}" for key in sorted(told) if told[key] != now.get(key)
                and key != "ckpt_hash"]  # fmt: skip

    def temperature(self, k: int) -> float | None:
        """Give the temperature of models of k shots; None where nothing was left to fit one."""
        return self.about["temperatures"].get(str(k))

    # ---- Which of a row's models ----

    def corpus(self, wanted: str | None) -> str | None:
        """Tell as whose audio new audio is taken; None where it does not matter.

        Raises:
            ConfigError: for an unknown one, or none where there are several.
        """
        splits = [split for split in self.about["splits"] if split["name"] in self.about["models"]]
        known = sorted({corpus for split in splits for corpus in split["tests"]})
        if wanted is not None:
            if wanted not in known:
                raise ConfigError(f"--corpus: {unknown(wanted, known)}")
            return wanted
        matters = self.method.ABOUT.by_corpus or self._groups_by == "corpus"
        if matters and len(known) > 1:
            raise ConfigError(
                f"--model {self.folder}: it treats each corpus differently; choose with --corpus as which of "
                f"{', '.join(known)} to take the audio"
            )
        return known[0] if matters else None

    def chosen(self, corpus: str | None, split: str | None, shots: int | None, draw: int | None) -> Chosen:
        """Choose models.

        Args:
            corpus: of `corpus`.
            split, shots, draw: one of the row's; None takes all splits, the most shots, all draws.

        Raises:
            ConfigError: for one that is not there.
        """
        names = self.about["models"]
        if split is not None and split not in names:
            raise ConfigError(f"--split: {unknown(split, names)}")
        of_support = "k-shot" in self.about["target_data"]
        supports = {(k, d) for s in self.about["splits"] for k, d, _ in s["support"]} if of_support else {(0, 0)}
        sizes = sorted({k for k, _ in supports})
        k = sizes[-1] if shots is None else shots
        if shots is not None and not of_support:
            raise ConfigError("--shots: the system was not adapted to support sets; leave out --shots")
        if k not in sizes:
            raise ConfigError(f"--shots: found {k}, the row has {', '.join(map(str, sizes))}")
        if draw is not None and (k, draw) not in supports:
            known = [str(d) for size, d in sorted(supports) if size == k]
            raise ConfigError(f"--draw: found {draw}, the row has {', '.join(known)}")
        usable = [s for s in self.about["splits"] if s["name"] in names and (corpus is None or corpus in s["tests"])]
        chosen = (
            [split] if split is not None else list({self._decides(s): s["name"] for s in reversed(usable)}.values())
        )
        return Chosen(frozenset(chosen), k, draw)

    def _decides(self, split: Mapping[str, Any]) -> str:
        """Hash what makes a split's model: those alike have one model."""
        sees = self.about["target_data"]
        norms = {name: hashlib.blake2b(value.tobytes()).hexdigest() for name, value in self.tensors.items()
                 if name.startswith("[") and json.loads(name)[:2] == ["norm", split["name"]]}  # fmt: skip
        return fingerprint([
            split["train"],
            split["dev"],
            split["labelled"] if "labelled" in sees else None,
            split["name"] if "k-shot" in sees else None,  # support sets differ, and not all are stored
            split["adapt"] if any(word.startswith("unlabelled") for word in sees) else None,
            [norms[name] for name in sorted(norms)],
        ])  # fmt: skip

    # ---- Prediction ----

    def run_data(self, new: Sequence[NewUtterance], corpus: str | None, chosen: Chosen) -> RunData:
        """Lay new utterances out as the test lists of the chosen models' splits; they are named in their order."""
        corpus = corpus or "new"
        utts = [f"{corpus}-new-{number}" for number in range(len(new))]
        test = dict.fromkeys(utts, "")
        stored = self.about["stored"]
        ids = [f"{corpus}-support-{place}" for place, (corpus, _, _) in enumerate(stored)]
        speakers = [speaker for _, speaker, _ in stored] + [f"new-{utterance.speaker}" for utterance in new]
        data = RunData(
            utts=ids + utts,
            x=np.empty((len(stored) + len(utts), 0), np.float32),
            speakers=speakers,
            splits=[
                Split(
                    name=s["name"],
                    **{part: dict(s[part]) for part in LISTS},
                    adapt=s["adapt"],
                    test=test if s["name"] in chosen.splits else {},
                    support={
                        (k, draw): {ids[place]: stored[place][2] for place in support}
                        for k, draw, support in s["support"]
                        if k == chosen.k  # the models of a size are counted among themselves
                    },
                )
                for s in self.about["splits"]
            ],
            classes=self.classes,
            factors={
                "corpus": dict.fromkeys(utts, corpus),
                "speaker": dict(zip(utts, speakers[len(stored) :], strict=True)),
            },
            ratings={rating: dict.fromkeys(rated, 0.0) for rating, rated in self.about["rated"].items()},
            known=self._known,
        )
        features = dict(zip(utts, (utterance.feature for utterance in new), strict=True))
        if self.about["finetunes"]:
            return replace(data, audio=features, encoder=self.feature)
        if self.feature.is_sequence:
            import torch

            return replace(data, frames=_Frames({utt: torch.from_numpy(frames) for utt, frames in features.items()}))
        rows = [self.tensors["x"]] if stored else []
        return replace(data, x=np.concatenate([*rows, np.stack([feature.ravel() for feature in features.values()])]))

    @cached_property
    def _known(self) -> dict[tuple[str, bool], AdaptationState]:
        known: dict[tuple[str, bool], dict[str, np.ndarray]] = {}
        for name, value in self.tensors.items():
            if name.startswith("["):
                kind, split, *rest = json.loads(name)
                if kind == "norm":
                    known.setdefault((split, rest[0]), {})[rest[1] or ALL] = value
        return known

    def distances(self, data: RunData) -> np.ndarray:
        """Compute how far new utterances are from the nearest corpus seen, as a share of what counts as far, (n,)."""
        far = self.about["far"]
        split = next(split for split in data.splits if split.name == far["split"])
        utts = [utt for utt in data.utts if re.fullmatch(r".*-new-\d+", utt)]
        x = vectors(self.method, self.config, data, split, utts)
        return np.min(
            [distances(x, self.tensors[f"center.{corpus}"]) / limit for corpus, limit in far["thresholds"].items()],
            axis=0,
        )

    def rating(self, prediction: Prediction) -> dict[str, np.ndarray]:
        """Estimate the rating that the latent space follows: arousal or valence -> (n,), or nothing."""
        name = json.dumps(["rating", prediction.split])
        if prediction.latent is None or name not in self.tensors:
            return {}
        weights = self.tensors[name]
        (attribute,) = self.about["attributes"]
        return {attribute: weights[0] + prediction.latent @ weights[1:]}


class Chosen(NamedTuple):
    """Models of a row: splits, number of shots, and one draw or all."""

    splits: frozenset[str]
    k: int
    draw: int | None

    def of(self, predictions: Iterable[Prediction]) -> list[Prediction]:
        """Keep the predictions of these models."""
        return [
            p
            for p in predictions
            if p.split in self.splits and p.k == self.k and (self.draw is None or p.draw == self.draw)
        ]


class _Frames(dict[str, "Tensor"]):
    """Frames of new utterances, as `ser.features.frames.Frames` gives those of an archive."""

    @property
    def lengths(self) -> dict[str, int]:
        """Numbers of frames, by utterance."""
        return {utt: len(frames) for utt, frames in self.items()}

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame."""
        return tuple(next(iter(self.values())).shape[1:])


def without_scores(state: State) -> State:
    """Leave out what a method kept instead of weights: scores of its test utterances."""
    return {name: value for name, value in state.items() if not name.startswith(SCORES)}


def vectors(method: ModuleType, config: ConfigModel, data: RunData, split: Split, utts: Sequence[str]) -> np.ndarray:
    """Give the point of each utterance that distances are taken from, (n, D).

    Its normalized vector; the mean of its frames, as they are stored; or, where the encoder is trained, the mean of
    the frames that its frozen front end gives.
    """
    if data.x.shape[1]:
        return data.normalized(split, adaptation_of(method.ABOUT, dict(config)))[data.rows(utts)]
    if data.encoder is None:
        return np.stack([data.frames[utt].float().flatten(0, -2).mean(0).numpy() for utt in utts])
    from ser.features.encoders import load_trainable
    from ser.training.frames import FrontEndFrames

    frames = FrontEndFrames(load_trainable(data.encoder.encoder, data.encoder.ckpt_file()), data.audio, max_bytes=0)
    return np.stack([frames.of(utt, None).float().mean(0).numpy() for utt in utts])
