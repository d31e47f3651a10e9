"""The emotion recognizer of SUPERB, the large reference of Das 2022: HuBERT large with a trained head, used as it is.

Its head (`ser.nn.weighted_layers`) on hidden states h_0 .. h_24, from `superb/hubert-large-superb-er` (Apache-2.0),
was trained on IEMOCAP with excited counted as happy; the encoder below it is HuBERT's own. Not here: a head that is
trained on a recipe's corpora (`superb_trained.py`); Das 2022's reading of three classes, a four-class prediction in
which happy counts as an error; here the likeliest of the task's classes is predicted.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ser.config import ConfigModel
from ser.errors import ConfigError
from ser.methods.base import About, History, Job, Prediction, State
from ser.nn.weighted_layers import WeightedLayers
from ser.splits.lists import Split
from ser.system.devices import Device
from ser.training.run_data import RunData

CLASSES = ("neutral", "happy", "angry", "sad")
"""In the order of the head's outputs."""

ABOUT = About(paper=None, needs_torch=True, is_random=False, trained_elsewhere=["iemocap"], weighs_layers=True)

NAMES = ("layer_weights", "projector.weight", "projector.bias", "classifier.weight", "classifier.bias")


class Config(ConfigModel):
    """`head`: file of the checkpoint; `$NAME` stands for a line of `conf/db.sh`."""

    method: Literal["superb"]
    head: str


def target_data(config: Config, is_source: bool = False) -> frozenset[str]:
    """Tell what target data a row sees: where it is a source, all of them may have been trained on."""
    return frozenset({"labelled"} if is_source else ())


def trained_on(config: Config, split: Split) -> Mapping[str, str]:
    """List the utterances of the corpora that SUPERB trained the head on; a recipe's other sources do not count."""
    return {utt: name for utt, name in split.train.items() if utt.split("-")[0] in ABOUT.trained_elsewhere}


def train(config: Config, data: RunData, seed: int, init: State | None, job: Job) -> tuple[State, History]:
    """Read the head; nothing is trained."""
    if strange := sorted(set(data.classes) - set(CLASSES)):
        raise ConfigError(f"superb: the head knows {', '.join(CLASSES)}, and the task has {', '.join(strange)}; "
                          "leave the system out of this task")  # fmt: skip
    head = read_head(config.head)
    n_layers, dim = len(head["layer_weights"]), head["projector.weight"].shape[1]
    if data.x.shape[1] != n_layers * dim:
        raise ConfigError(f"head: for {n_layers} layers of {dim}, found features of {data.x.shape[1]} dimensions; "
                          "name a feature with 'layers: weighted' of the encoder that it was trained on")  # fmt: skip
    return head, [{"layers": n_layers}]


def read_head(path: str) -> dict[str, Tensor]:
    """Read the head's weights, from a `.safetensors` file or one that `torch.load` reads without unpickling code.

    Raises:
        ConfigError: if the variable is not set, there is no such file, or it holds no such head.
    """
    file = os.path.expandvars(path)
    if not Path(file).is_file():
        raise ConfigError(f"superb: no head '{file}'; set {path.lstrip('$')} in conf/db.sh to pytorch_model.bin or "
                          "model.safetensors of superb/hubert-large-superb-er")  # fmt: skip
    try:
        if file.endswith(".safetensors"):
            from safetensors.torch import load_file

            tensors = load_file(file)
        else:
            tensors = torch.load(file, map_location="cpu", weights_only=True)
        return {name: tensors[name].float() for name in NAMES}
    except Exception as error:  # whatever the file made its reader raise
        raise ConfigError(f"superb: head '{file}' is damaged or of another model ({type(error).__name__}: {error})"
                          ) from None  # fmt: skip


@torch.no_grad()
def predict(config: Config, data: RunData, state: State, device: Device) -> list[Prediction]:
    """Score every test utterance of the splits that are trained on the source, alike in all of them."""
    hidden, dim = state["projector.weight"].shape
    head = WeightedLayers(len(state["layer_weights"]), dim, hidden, len(CLASSES), seed=0)
    head.load_state_dict(state)
    logits = head(torch.from_numpy(data.x))  # (N, 4)
    scores = logits[:, [CLASSES.index(name) for name in data.classes]].softmax(-1).numpy()
    return [
        Prediction(split.name, 0, 0, list(split.test), scores[data.rows(split.test)])
        for split in data.splits
        if split.train
    ]
