"""SUPERB's head on the means of all layers, against the same head on every frame."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ser.errors import ConfigError
from ser.features.pool import pool_layers
from ser.methods import superb
from ser.methods.base import Job
from ser.splits.lists import Split
from ser.training.run_data import RunData

LAYERS, DIM, HIDDEN = 3, 4, 5
JOB = Job("cpu", Path("never written"))


def head() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = ((LAYERS,), (HIDDEN, DIM), (HIDDEN,), (4, HIDDEN), (4,))
    return {name: torch.randn(shape, generator=generator) for name, shape in zip(superb.NAMES, shapes, strict=True)}


def data(classes: list[str]) -> tuple[RunData, list[torch.Tensor]]:
    generator = torch.Generator().manual_seed(2)
    layers = [torch.randn(LAYERS, 6 + i, DIM, generator=generator) for i in range(5)]
    utts = [f"c-s-{i}" for i in range(5)]
    test = {utt: classes[i % len(classes)] for i, utt in enumerate(utts)}
    splits = [Split("fold1", {"c-s-0": classes[0]}, {}, [], test), Split("c.fold1", {}, {}, [], test)]
    x = torch.stack([pool_layers(one, "weighted").flatten() for one in layers]).numpy()
    return RunData(utts, x, ["c-s"] * 5, splits, classes), layers


@pytest.mark.parametrize("classes", [["angry", "happy", "neutral", "sad"], ["angry", "neutral", "sad"]])
@pytest.mark.parametrize("ending", [".safetensors", ".bin"])
def test_scores_are_those_of_the_head_on_every_frame(tmp_path, classes, ending):
    path, weights = tmp_path / f"head{ending}", head()
    file = weights | {"hubert.feature_projection.weight": torch.zeros(2)}
    (save_file if ending == ".safetensors" else torch.save)(file, path)
    config = superb.Config(method="superb", head=str(path))
    run_data, layers = data(classes)
    state, _ = superb.train(config, run_data, 1, None, JOB)
    (p,) = superb.predict(config, run_data, state, "cpu")
    assert (p.split, list(p.utts)) == ("fold1", run_data.utts)
    for one, scores in zip(layers, p.scores, strict=True):
        mixed = torch.einsum("l,ltd->td", torch.softmax(weights["layer_weights"], 0), one)
        frames = mixed @ weights["projector.weight"].T + weights["projector.bias"]
        logits = weights["classifier.weight"] @ frames.mean(0) + weights["classifier.bias"]
        of = dict(zip(["neutral", "happy", "angry", "sad"], logits, strict=True))  # as its model card has them
        torch.testing.assert_close(torch.from_numpy(scores), torch.stack([of[c] for c in classes]).softmax(0))


def test_what_is_missing_or_does_not_fit_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("SUPERB_ER", raising=False)
    with pytest.raises(
        ConfigError, match="set SUPERB_ER in conf/db.sh to pytorch_model.bin or model.safetensors of superb"
    ):
        superb.read_head("$SUPERB_ER")
    (tmp_path / "a.bin").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="a.bin' is damaged or of another model"):
        superb.read_head(str(tmp_path / "a.bin"))
    torch.save({"layer_weights": torch.zeros(3)}, tmp_path / "b.bin")
    with pytest.raises(ConfigError, match="b.bin' is damaged or of another model .*projector.weight"):
        superb.read_head(str(tmp_path / "b.bin"))
    torch.save(head() | {"layer_weights": torch.zeros(7)}, tmp_path / "c.bin")
    with pytest.raises(ConfigError, match="head: for 7 layers of 4, found features of 12 dimensions"):
        config = superb.Config(method="superb", head=str(tmp_path / "c.bin"))
        superb.train(config, data(["angry", "sad"])[0], 1, None, JOB)
    with pytest.raises(ConfigError, match="the head knows neutral, happy, angry, sad, and the task has bored"):
        superb.train(config, data(["bored", "sad"])[0], 1, None, JOB)


def test_the_corpus_of_its_head_is_labelled_and_no_other():
    c = superb.Config(method="superb", head="head.safetensors")
    assert superb.target_data(c) == set()
    assert superb.target_data(c, is_source=True) == {"labelled"}
    assert superb.ABOUT.trained_elsewhere == ["iemocap"]
