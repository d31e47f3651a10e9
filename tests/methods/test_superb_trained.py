"""SUPERB's head, trained: against s3prl's own modules on frames, and a layer that is better than the others."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ser.adaptation.base import sees
from ser.config import load
from ser.errors import ConfigError
from ser.features.pool import pool_layers
from ser.methods import superb_trained
from ser.methods.base import Job
from ser.nn.weighted_layers import WeightedLayers
from ser.recipe.rows import Table
from ser.splits.lists import Split
from ser.training.run_data import RunData
from tests.training.run_data import make_run_data

JOB = Job("cpu", Path("never written"))
CONF = Path(__file__).parents[2] / "conf"
BYOL_S = 512


def config(**changes: object) -> superb_trained.Config:
    own = [f"{key}={value}" for key, value in changes.items()]
    return load(CONF / "methods" / "superb_trained.yaml", superb_trained.Config, own)


def toy(layer: int, n: int = 2000) -> RunData:
    """Make four layers of the size of BYOL-S, of which one knows the class of an utterance and the others nothing."""
    rng = np.random.default_rng(0)
    classes = ["angry", "happy", "neutral", "sad"]
    y = np.arange(n) % 4
    x = rng.normal(size=(n, 4, BYOL_S)).astype(np.float32)
    x[:, layer] += 0.15 * rng.normal(size=(4, BYOL_S)).astype(np.float32)[y]
    utts = [f"c-{i % 6}-{i}" for i in range(n)]
    named = {utt: classes[label] for utt, label in zip(utts, y, strict=True)}
    parts = [{utt: name for utt, name in named.items() if utt[2] in own} for own in ("0123", "4", "5")]
    split = Split("all", parts[0], parts[1], [], parts[2])
    return RunData(utts, x.reshape(n, -1), [utt[:3] for utt in utts], [split], classes,
                   dims={"toy": 4 * BYOL_S}, layers={"toy": 4})  # fmt: skip


@pytest.mark.parametrize("layer", [0, 2])
def test_the_weights_reach_the_better_layer(layer):
    data = toy(layer)
    c = config(lr="1e-2", steps=150, eval_every=50)
    state, history = superb_trained.train(c, data, 1, None, JOB)
    weights = state["layer_weights"][0].softmax(0)
    assert weights.argmax() == layer and weights[layer] > 0.5
    others = np.delete(weights.numpy(), layer)
    assert others.max() < 0.2  # all began with 0.25
    (p,) = superb_trained.predict(c, data, state, "cpu")
    right = np.argmax(p.scores, 1) == data.targets(data.splits[0].test)
    assert right.mean() > 0.8 and p.scores.sum(1) == pytest.approx(1)
    told = [float(weight) for weight in history[-1]["layer_weights"].split()]
    assert np.argmax(told) == layer and sum(told) == pytest.approx(1, abs=1e-3)
    assert [row["step"] for row in history] == [50, 100, 150]


def test_it_trains_as_superbs_own_modules_do_on_frames():
    """The same steps of Adam on padded frames, weighed, projected, averaged and classified by s3prl's modules."""
    frames = [torch.randn(3, 4 + i % 5, 6, generator=torch.Generator().manual_seed(i)) for i in range(20)]
    y = np.arange(20) % 4
    utts = [f"c-s-{i}" for i in range(20)]
    classes = ["angry", "happy", "neutral", "sad"]
    labelled = {utt: classes[label] for utt, label in zip(utts, y, strict=True)}
    x = torch.stack([pool_layers(one, "weighted").flatten() for one in frames]).numpy()
    split = Split("all", labelled, {}, [], {})
    data = RunData(utts, x, ["c-s"] * 20, [split], classes, dims={"f": 18}, layers={"f": 3})
    c = config(lr="1e-2", steps=7, eval_every=3, batch_size=8, hidden=5)
    state, history = superb_trained.train(c, data, 3, None, JOB)

    theirs = importlib.import_module("s3prl.downstream.model").UtteranceLevel(5, 4, pooling="MeanPooling")
    begin = WeightedLayers(3, 6, 5, 4, superb_trained.seed_of("init", 3))
    theirs.post_net.linear.load_state_dict(begin.classifier.state_dict())
    projector, weights = begin.projector, torch.nn.Parameter(torch.zeros(3))  # as s3prl's Featurizer begins
    params = [weights, *projector.parameters(), *theirs.parameters()]
    adam = torch.optim.Adam(params, lr=1e-2)
    order, losses = torch.Generator().manual_seed(superb_trained.seed_of("order", 3)), []
    steps = [rows for _ in range(3) for rows in torch.randperm(20, generator=order).split(8)][:7]
    for rows in steps:
        mixed = [(weights.softmax(0)[:, None, None] * frames[row]).sum(0) for row in rows]
        padded = torch.nn.utils.rnn.pad_sequence(mixed, batch_first=True, padding_value=99.0)
        logits, _ = theirs(projector(padded), torch.tensor([len(one) for one in mixed]))
        loss = F.cross_entropy(logits, torch.from_numpy(y)[rows])
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        adam.step()
    torch.testing.assert_close(state["layer_weights"][0], weights.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(state["projector.weight"][0], projector.weight.detach(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        state["classifier.weight"][0], theirs.post_net.linear.weight.detach(), rtol=1e-4, atol=1e-6
    )
    assert [row["loss"] for row in history] == pytest.approx(
        [np.mean(losses[:3]), np.mean(losses[3:6]), losses[6]], rel=1e-5
    )
    assert [row["dev_accuracy"] for row in history] == [None] * 3  # so the last state is kept


def test_the_state_that_is_most_accurate_on_dev_is_kept():
    data = toy(1, n=300)
    c = config(lr="1e-2", steps=40, eval_every=2)
    state, history = superb_trained.train(c, data, 1, None, JOB)
    best = max(row["dev_accuracy"] for row in history)
    first = next(row for row in history if row["dev_accuracy"] == best)
    assert first != history[-1]
    kept = state["layer_weights"][0].softmax(0)
    assert " ".join(f"{weight:.4f}" for weight in kept.tolist()) == first["layer_weights"]


def test_splits_with_the_same_data_share_a_head_and_others_do_not():
    data = toy(1, n=120)
    split = data.splits[0]
    fewer = dict(list(split.train.items())[:40])
    splits = [split, dataclasses.replace(split, name="same"), dataclasses.replace(split, name="own", train=fewer)]
    data = dataclasses.replace(data, splits=splits)
    c = config(steps=4, eval_every=4)
    state, history = superb_trained.train(c, data, 1, None, JOB)
    assert [row["split"] for row in history] == ["all", "own"]
    first, same, own = state["projector.weight"]
    assert torch.equal(first, same) and not torch.equal(first, own)
    assert [p.split for p in superb_trained.predict(c, data, state, "cpu")] == ["all", "same", "own"]
    again, _ = superb_trained.train(c, data, 1, None, JOB)
    other, _ = superb_trained.train(c, data, 2, None, JOB)
    assert all(torch.equal(state[name], again[name]) for name in state)
    assert not torch.equal(state["projector.weight"], other["projector.weight"])


def test_it_says_what_it_learns_from_and_sees():
    split = make_run_data().splits[0]
    assert superb_trained.trained_on(config(), split) == split.train
    assert superb_trained.trained_on(config(train_on="labelled"), split) == split.labelled
    assert superb_trained.target_data(config()) == set()
    assert superb_trained.target_data(config(), is_source=True) == {"labelled"}
    assert superb_trained.target_data(config(normalization="speaker")) == sees("speaker")


def test_features_of_one_layer_are_refused():
    with pytest.raises(ConfigError, match="found the feature a; name one with 'layers: weighted' or a list such as"):
        superb_trained.train(config(), dataclasses.replace(make_run_data(), dims={"a": 6}), 1, None, JOB)


def test_other_methods_do_not_take_layers_that_are_to_be_weighed(tmp_path):
    for kind in ("features", "methods"):
        shutil.copytree(CONF / kind, tmp_path / "conf" / kind)
    (tmp_path / "conf" / "features" / "fbanks.yaml").write_text("upstream: fbank_no_cmvn\nlayers: weighted\n")
    (tmp_path / "conf" / "features" / "two.yaml").write_text("upstream: fbank_no_cmvn\nlayers: [0, 1]\n")
    rows = [("a", "source_linear", "fbanks"), ("b", "superb_trained", "fbanks"), ("c", "source_linear", "two")]
    rows.append(("d", "source_linear", "shortcut+fbanks"))
    lines = ["row conf feature seeds init versus published set".replace(" ", "\t")]
    lines += [f"{name}\t{conf}.yaml\t{feature}\t1\t-\t-\t-\t-" for name, conf, feature in rows]
    (tmp_path / "runs.tsv").write_text("\n".join(lines) + "\n")
    rows = Table(tmp_path / "runs.tsv", tmp_path / "conf", [""], [], strict=False, overrides=[], mini=False).rows()
    assert [row.needs is None for row in rows] == [False, True, True, False]
    assert "fbanks: 'layers: weighted' is for methods that learn the weights; name a list such as" in rows[0].needs
    with pytest.raises(ConfigError, match="is for methods that learn the weights"):
        Table(
            tmp_path / "runs.tsv", tmp_path / "conf", [""], ["fbanks"], strict=True, overrides=[], mini=False
        ).rows()
