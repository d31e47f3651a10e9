"""DIFL on small corpora: both sides of the adversary by hand, what target audio and its labels may do, going on after
a kill, and what the adversary is for."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ser.config import load
from ser.errors import ConfigError, DataError
from ser.methods import difl
from ser.methods.base import Job
from ser.methods.difl import Config
from ser.metrics import uar
from ser.metrics.domain import domain_probe
from ser.nn.cnn_blstm import CnnBlstmOutput
from ser.splits.lists import Split
from ser.system.devices import make_fabric
from ser.training.frames import FrameStore
from ser.training.run_data import RunData
from ser.types import TARGET_DATA

YAML = Path(__file__).parents[2] / "conf" / "methods" / "difl.yaml"
DIM = 3
DANN_1, DANN_2 = ["speaker", "corpus"], ["gender", "language", "corpus"]
SMALL = [
    "model.blstm_units=4", "model.fc1_dim=5", "model.fc2_dim=3", "model.dropout=0.2", "batch_size=8", "epochs=3",
]  # fmt: skip
SMALL_CNN = ["model.conv_maps=[2]", "model.kernel=3", "model.segment_dim=4"]


pytestmark = pytest.mark.usefixtures("one_thread")


def config(*overrides: str, domains=(), **changes) -> Config:
    """Read the shared configuration with a small network; `loss__gamma=2` changes a nested value."""
    values = [f"{key.replace('__', '.')}={value}" for key, value in changes.items()]
    return load(YAML, Config, [*SMALL, f"domains=[{', '.join(domains)}]", *overrides, *values])


class Frames(dict):
    """Frames in memory instead of on disk."""

    def __init__(self, frames: Mapping[str, torch.Tensor]):
        super().__init__(frames)
        self.lengths = {utt: len(x) for utt, x in frames.items()}


def make_data(shape=(DIM,), *, n: int = 24, target: bool = True, longest: int = 5) -> RunData:
    """Make two labelled source corpora of 4 speakers, the last of each for dev, and two target corpora.

    Source `b` tells no gender, and target `d` is German. With `target=False` the lists leave it out.
    """
    g = torch.Generator().manual_seed(0)
    frames, label = {}, {}
    factors: dict[str, dict[str, str]] = {name: {} for name in ("speaker", "gender", "language", "corpus")}
    for corpus, i in itertools.product("abcd", range(n)):
        utt = f"{corpus}-{i % 4}-{i}"
        label[utt] = ("high", "low")[i // 4 % 2]
        x = torch.randn(1 + i % longest, *shape, generator=g)
        frames[utt] = x + (label[utt] == "high") + "abcd".index(corpus) * torch.arange(shape[-1])
        factors["corpus"][utt], factors["speaker"][utt] = corpus, f"{corpus}-{i % 4}"
        factors["language"][utt] = "de" if corpus == "d" else "en"
        if corpus != "b":
            factors["gender"][utt] = "mf"[i % 2]

    def of(corpora: str, speakers: str) -> dict[str, str]:
        return {utt: name for utt, name in label.items() if utt[0] in corpora and utt[2] in speakers}

    adapt = list(of("cd", "0123")) if target else []
    split = Split("one", of("ab", "012"), of("ab", "3"), adapt, of("cd", "0123") if target else of("ab", "3"))
    utts = list(label)
    speakers = list(factors["speaker"].values())
    return RunData(
        utts, np.empty((len(utts), 0), np.float32), speakers, [split], ["high", "low"], factors, Frames(frames)
    )


def blind(data: RunData) -> RunData:
    """Give the lists as a trainer gets them, without test utterances."""
    return dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])


@pytest.fixture
def job(tmp_path) -> Job:
    return Job("cpu", tmp_path / "scratch")


def train(c: Config, data: RunData, tmp_path: Path, seed: int = 1):
    """Train in a folder that nobody used."""
    return difl.train(c, blind(data), seed, None, Job("cpu", tmp_path / f"scratch{len(list(tmp_path.iterdir()))}"))


def training(c: Config, data: RunData, seed: int = 1) -> difl._Training:
    fabric = make_fabric("cpu")
    return difl._Training.of_split(fabric, c, data, FrameStore(data.frames), data.splits[0], seed)


def equal(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def without_heads(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if "domain_heads" not in name}


# ---- Losses ---------------------------------------------------------------------------------------------------


def by_hand(c: Config, t: difl._Training, batch: difl.Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """L_E and L_D of a batch without any gradient reversal, utterance by utterance."""
    model = t.model.module
    output = model(batch.x, batch.lengths)
    m = len(batch.y)
    s = -sum(output.logits[i].log_softmax(0)[batch.y[i]] for i in range(m)) / m
    l_e = s
    if c.loss.center:
        centers = model.center.centers.clone()
        pull = sum((output.z[i] - centers[batch.y[i]]).square().sum() for i in range(m)) / m
        l_e = c.loss.lambda_ * s + (1 - c.loss.lambda_) * pull
    l_d = torch.zeros(())
    for name, head in model.network.domain_heads.heads.items():
        known = [i for i in range(len(batch.x)) if batch.domains[name][i] >= 0]
        scores = F.linear(output.h, head.weight, head.bias)
        l_d = l_d - sum(scores[i].log_softmax(0)[batch.domains[name][i]] for i in known) / len(known)
    return l_e, l_d


@pytest.mark.parametrize("domains", [DANN_1, DANN_2])
@pytest.mark.parametrize(("center", "audio"), [(False, "none"), (True, "unlabelled")])
def test_a_step_descends_l_e_minus_gamma_l_d_and_its_heads_gamma_l_d(domains, center, audio):
    c = config(domains=domains, loss__center=center, target_audio=audio, model__dropout=0)
    t = training(c, make_data())
    for number in range(2):  # at the second step centers are not zero
        batch = t._batch(0, number)
        names, params = zip(*t.model.module.network.named_parameters(), strict=True)
        l_e, l_d = by_hand(c, t, batch)
        encoder = torch.autograd.grad(l_e - 0.3 * l_d, params, retain_graph=True)
        heads = torch.autograd.grad(0.3 * l_d, params, allow_unused=True)
        losses = t._step(batch, 0, number)
        assert losses["loss"].item() == pytest.approx((l_e + 0.3 * l_d).item(), rel=1e-5)
        for name, param, of_encoder, of_heads in zip(names, params, encoder, heads, strict=True):
            expected = of_heads if name.startswith("domain_heads") else of_encoder
            assert expected.any() and torch.allclose(param.grad, expected, atol=2e-7), name


def test_gender_of_a_corpus_that_tells_none_does_not_count():
    t = training(config(domains=DANN_2), make_data())
    batch = t._batch(0, 0)
    assert (batch.domains["gender"] < 0).any() and (batch.domains["gender"] >= 0).any()
    unknown = {"gender": torch.full((8,), -1)}
    scores = torch.randn(8, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = difl.domain_losses({"gender": scores}, unknown)["gender"]
    loss.backward()
    assert loss.item() == 0 and not scores.grad.any()


def outputs(n: int = 6, unlabelled: int = 0) -> CnnBlstmOutput:
    g = torch.Generator().manual_seed(4)
    h, z, logits = (torch.randn(n + unlabelled, dim, generator=g) for dim in (5, 3, 2))
    return CnnBlstmOutput(h, z, logits, {})


def test_literal_scaling_lets_softmax_outweigh_the_center_loss_by_the_batch():
    y = torch.tensor([0, 1, 1, 0, 1, 1])
    means, sums = (config(loss__sum_softmax=value, loss__center=True).loss for value in ("false", "true"))
    center = difl.CenterLoss(2, 3)
    for unlabelled in (0, 3):  # which take no part in L_E
        output = outputs(unlabelled=unlabelled)
        of_means, of_sums = (difl.emotion_losses(loss, output, y, center) for loss in (means, sums))
        assert of_sums["softmax"].item() == pytest.approx(6 * of_means["softmax"].item())
        assert (
            of_sums["center"].item()
            == of_means["center"].item()
            == pytest.approx(output.z[:6].square().sum(1).mean().item())
        )
        l_e = difl.objective(sums, of_sums, {}).item()
        assert l_e == pytest.approx(0.5 * 6 * of_means["softmax"].item() + 0.5 * of_means["center"].item())


def test_objective_worked_by_hand():
    s, center, gender = torch.tensor(1.0), torch.tensor(4.0), torch.tensor(2.0)
    loss = config(loss__lambda_=0.25).loss
    assert difl.objective(loss, {"softmax": s}, {}).item() == 1.0  # "S" has no lambda
    assert difl.objective(loss, {"softmax": s, "center": center}, {}).item() == 0.25 + 3.0
    both = difl.objective(loss, {"softmax": s}, {"gender": gender, "corpus": gender})
    assert both.item() == pytest.approx(1 + 0.3 * 4)


def test_center_loss_may_act_on_the_logits():
    output, y, loss = outputs(), torch.tensor([0, 1, 1, 0, 1, 1]), config(loss__center_on="logits").loss
    value = difl.emotion_losses(loss, output, y, difl.CenterLoss(2, 2))["center"]
    assert value.item() == pytest.approx(output.logits.square().sum(1).mean().item())


def test_class_weights():
    output, y = outputs(), torch.tensor([0, 1, 1, 1, 1, 1])
    weight = torch.tensor([6 / 2 / 1, 6 / 2 / 5])
    value = difl.emotion_losses(config().loss, output, y, None, weight)["softmax"].item()
    per_class = [F.cross_entropy(output.logits[y == k], y[y == k]).item() for k in (0, 1)]
    assert value == pytest.approx(np.mean(per_class))  # every class counts the same
    data = make_data()
    one = data.splits[0]
    uneven = dataclasses.replace(one, train=dict(list(one.train.items())[:7]))
    t = training(config(class_weights="balanced"), dataclasses.replace(data, splits=[uneven]))
    n_high = list(uneven.train.values()).count("high")
    assert t.weight.tolist() == pytest.approx([7 / 2 / n_high, 7 / 2 / (7 - n_high)])
    assert training(config(), data).weight is None


def test_ramp_is_that_of_ganin_and_acts_on_the_reversal_alone():
    constant, ramp = config().loss, config(loss__gamma_schedule="ramp").loss
    assert [difl.reversal_scale(constant, p) for p in (0.0, 0.5)] == [1.0, 1.0]
    assert difl.reversal_scale(ramp, 0.0) == 0
    assert difl.reversal_scale(ramp, 0.1) == pytest.approx((math.e - 1) / (math.e + 1))
    assert difl.reversal_scale(ramp, 1.0) == pytest.approx(0.99990920)
    c = config(domains=DANN_2, loss__gamma_schedule="ramp", model__dropout=0)
    t = training(c, make_data())
    batch, epoch, number = t._batch(1, 1), 1, 1
    params = dict(t.model.module.network.named_parameters())
    l_e, l_d = by_hand(c, t, batch)
    p = (epoch * t.batches.n_batches + number) / (3 * t.batches.n_batches)
    scale = 2 / (1 + math.exp(-10 * p)) - 1
    of_h = torch.autograd.grad(l_e - 0.3 * scale * l_d, params["fc1.weight"], retain_graph=True)[0]
    head = "domain_heads.heads.corpus.weight"
    of_head = torch.autograd.grad(0.3 * l_d, params[head])[0]
    t._step(batch, epoch, number)
    assert torch.allclose(params["fc1.weight"].grad, of_h, atol=1e-7)
    assert torch.allclose(params[head].grad, of_head, atol=1e-7)


# ---- Steps ----------------------------------------------------------------------------------------------------


def test_steps_are_those_of_adadelta_and_centers_move_after_them():
    """A slow rewrite of Zeiler (2012) and of Eq. 5, on the gradients and embeddings of each step."""
    settings = {"optimizer__lr": 0.7, "optimizer__rho": 0.8, "optimizer__eps": 1e-5}
    c = config(domains=DANN_1, loss__center=True, model__dropout=0, **settings)
    t = training(c, make_data())
    param = t.model.module.network.blstm.weight_hh_l0
    w, v, a = param.detach().double().numpy().copy(), 0.0, 0.0
    centers = np.zeros((2, 3))
    for number in range(4):
        batch = t._batch(0, number)
        with torch.no_grad():
            z = t.model.module(batch.x, batch.lengths).z.double().numpy()
        t._step(batch, 0, number)
        g = param.grad.double().numpy()
        v = 0.8 * v + 0.2 * g**2
        step = np.sqrt(a + 1e-5) / np.sqrt(v + 1e-5) * g
        a = 0.8 * a + 0.2 * step**2
        w = w - 0.7 * step
        assert param.detach().numpy() == pytest.approx(w, rel=1e-4, abs=1e-7)
        y = batch.y.numpy()
        for k in (0, 1):
            centers[k] -= 0.5 * (centers[k] - z[: len(y)][y == k]).sum(0) / (1 + (y == k).sum())
        assert t.model.module.center.centers.numpy() == pytest.approx(centers, rel=1e-4, abs=1e-6)


def test_half_of_a_batch_is_target_audio_and_has_no_class():
    t = training(config(domains=DANN_2, target_audio="unlabelled"), make_data())
    batch = t._batch(0, 0)
    assert len(batch.y) == 4 and len(batch.x) == len(batch.lengths) == 8
    corpora = [t.labels.domains["corpus"][i] for i in batch.domains["corpus"]]
    assert set(corpora[:4]) <= {"a", "b"} and sorted(corpora[4:]) == ["c", "c", "d", "d"]
    baseline = training(config(target_audio="unlabelled"), make_data())._batch(0, 0)
    assert len(baseline.y) == len(baseline.x) == 8  # without heads there is no use for it


def test_balanced_batches_hold_as_many_of_each_corpus():
    data = make_data()
    split = data.splits[0]
    few = {utt: name for i, (utt, name) in enumerate(split.train.items()) if utt[0] == "a" or i % 3 == 0}
    data = dataclasses.replace(data, splits=[dataclasses.replace(split, train=few)])
    t = training(config(sampler="corpus_balanced"), data)
    for number in range(t.batches.n_batches - 1):
        source, _ = t.batches.of(0, number)
        assert sorted(utt[0] for utt in source) == list("aaaabbbb")


def test_segments_are_cut_in_training_alone_and_frames_never():
    data = make_data((4, 6), longest=9)
    c = config(*SMALL_CNN, max_segments=4, batch_size=48)
    t = training(c, data)
    assert t._batch(0, 0).x.shape[1:] == (4, 4, 6)
    utt = max(data.frames, key=lambda u: len(data.frames[u]))
    assert torch.equal(t.input.of([utt], 4)[0][0], t.input.of([utt])[0][0, :4]) and t.input.of([utt])[1] == 9
    assert training(config(max_segments=2, batch_size=48), make_data())._batch(0, 0).x.shape[1:] == (5, DIM)


def test_an_epoch_may_be_a_number_of_steps(tmp_path, monkeypatch):
    data, step, taken = make_data(), difl._Training._step, []
    passes = train(config(epochs=2, batch_size=6), data, tmp_path)  # of 36 utterances: 6 steps
    monkeypatch.setattr(difl._Training, "_step", lambda *args: taken.append(args[2:]) or step(*args))
    found, history = train(config(epochs=4, steps_per_epoch=3, batch_size=6, patience="null"), data, tmp_path)
    assert taken == [(epoch, number) for epoch in range(4) for number in range(3)]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert [row["loss"] for row in passes[1]] != [row["loss"] for row in history[:2]]
    few = train(config(epochs=2, steps_per_epoch=2, batch_size=20), data, tmp_path)[1]
    assert taken[12:] == [(0, 0), (0, 1), (1, 0), (1, 1)] and few[0]["epoch"] == 1


# ---- Segments as units ----------------------------------------------------------------------------------------

SEGMENTS = [*SMALL_CNN, "unit=segments"]


def test_a_batch_of_segments_has_the_labels_of_their_utterances():
    data = make_data((4, 6), longest=9)
    c = config(*SEGMENTS, domains=DANN_2, target_audio="unlabelled", batch_size=16, max_segments=7)
    t = training(c, data)
    mean, deviation = (t.input.state[""][i] for i in (0, 1))
    source, target = t.batches.of(0, 0)
    batch = t._batch(0, 0)
    assert batch.x.shape == (16, 1, 4, 6) and batch.lengths.tolist() == [1] * 16 and len(batch.y) == 8
    for row, (utt, number) in enumerate([*source, *target]):
        assert np.allclose(batch.x[row, 0], (data.frames[utt][number].numpy() - mean) / deviation, atol=1e-5)
        assert t.labels.domains["corpus"][batch.domains["corpus"][row]] == utt[0]
    labelled = data.splits[0].train
    assert batch.y.tolist() == [data.classes.index(labelled[utt]) for utt, _ in source]
    drawn = [segment for number in range(t.batches.n_batches) for segment in t.batches.of(0, number)[0]]
    assert sorted(drawn) == sorted((utt, i) for utt in labelled for i in range(min(7, len(data.frames[utt]))))


def test_posteriors_of_segments_are_averaged_over_an_utterance(tmp_path, monkeypatch):
    """Against each segment by itself, one call a segment, in float64 from the network's own weights."""
    data = make_data((4, 6), longest=9)
    c = config(*SEGMENTS, max_segments=2, epochs=1, domains=DANN_1)
    state = train(c, data, tmp_path)[0]
    (prediction,) = difl.predict(c, data, state, "cpu")
    weights = {n.removeprefix("one."): v.double() for n, v in state.items() if not n.startswith("one.norm")}
    heads = {"speaker": 6, "corpus": 2}
    model = difl.Difl(c, 2, heads, (4, 6), seed=0).double().eval()
    model.load_state_dict(weights)
    mean, deviation = state["one.norm"].double()
    slow, h = [], []
    for utt in prediction.utts:
        alone = [model(((x.double() - mean) / deviation)[None, None], torch.tensor([1])) for x in data.frames[utt]]
        e = [np.exp(a.logits[0].detach().numpy()) for a in alone]
        slow.append(sum(scores / scores.sum() for scores in e) / len(e))
        h.append(sum(a.h[0].detach().numpy() for a in alone) / len(alone))
    assert {len(data.frames[utt]) for utt in prediction.utts} == set(range(1, 10))
    assert prediction.scores == pytest.approx(np.array(slow), abs=1e-6)
    found = difl.embeddings(c, data, state, data.splits[0], list(prediction.utts), "cpu")
    assert found.numpy() == pytest.approx(np.array(h), abs=1e-5)
    monkeypatch.setattr(difl, "APPLY_BYTES", 1)  # every utterance by itself
    assert np.allclose(difl.predict(c, data, state, "cpu")[0].scores, prediction.scores, atol=1e-6)


def test_frames_of_an_upstream_are_no_segments(tmp_path):
    with pytest.raises(ConfigError, match="unit: 'segments' needs spectrogram segments, .* frames of 3 dimensions"):
        train(config("unit=segments"), make_data(), tmp_path)


# ---- Domains and target audio ---------------------------------------------------------------------------------


def test_a_head_with_one_domain_is_left_out_and_said_so(tmp_path, capsys):
    data = make_data(target=False)  # the sources are English
    state, history = train(config(domains=DANN_2), data, tmp_path)
    assert "one: no head for language: en alone\n" in capsys.readouterr().out
    assert {row["left_out"] for row in history} == {"language: en alone"}
    assert "loss_corpus" in history[0] and "loss_language" not in history[0]
    assert not any("language" in name for name in state) and state["one.network.domain_heads.heads.corpus.bias"].any()
    assert equal(state, train(config(domains=["gender", "corpus"]), data, tmp_path)[0])
    baseline, rows = train(config(), data, tmp_path)
    assert equal(train(config(domains=["language"]), data, tmp_path)[0], baseline)
    assert {row["left_out"] for row in rows} == {""}


def test_target_audio_gives_a_head_its_second_domain(tmp_path):
    state, history = train(config(domains=DANN_2, target_audio="unlabelled"), make_data(), tmp_path)
    assert {row["left_out"] for row in history} == {""}
    sizes = {name.split(".")[-2]: len(value) for name, value in state.items() if name.endswith("bias")}
    assert (sizes["gender"], sizes["language"], sizes["corpus"]) == (2, 2, 4)


def noisy(data: RunData) -> RunData:
    """Replace target audio, utterance by utterance, with another of the same length."""
    frames = Frames({utt: 5 - 3 * x if utt[0] in "cd" else x for utt, x in data.frames.items()})
    return dataclasses.replace(data, frames=frames)


def test_with_gamma_0_target_audio_changes_nothing_but_the_heads(tmp_path):
    c = config(domains=DANN_2, target_audio="unlabelled", loss__center=True, loss__gamma=0)
    state = train(c, make_data(), tmp_path)[0]
    assert equal(without_heads(state), without_heads(train(c, noisy(make_data()), tmp_path)[0]))
    c = config(domains=DANN_2, target_audio="unlabelled", loss__center=True)
    state = train(c, make_data(), tmp_path)[0]
    assert not equal(without_heads(state), without_heads(train(c, noisy(make_data()), tmp_path)[0]))


def test_with_gamma_0_every_step_is_that_of_the_source_alone(tmp_path):
    settings = {"loss__center": True, "model__dropout": 0, "loss__gamma": 0}
    both = config(domains=DANN_2, target_audio="unlabelled", **settings)  # 4 labelled, 4 not
    alone = config(batch_size=4, **settings)
    a, b = (without_heads(train(c, make_data(), tmp_path)[0]) for c in (both, alone))
    assert a.keys() == b.keys() and all(torch.allclose(a[name], b[name], atol=1e-4) for name in a)


def test_no_label_but_those_of_train_and_dev_is_read(tmp_path, monkeypatch):
    data, asked = make_data(), []
    split = data.splits[0]
    targets = RunData.targets
    monkeypatch.setattr(RunData, "targets", lambda self, labelled: asked.extend(labelled) or targets(self, labelled))
    c = config(domains=DANN_2, target_audio="unlabelled")
    state = train(c, data, tmp_path)[0]
    assert set(asked) == {*split.train, *split.dev}
    wrong = {utt: "low" for utt in split.test}
    predictions = [
        difl.predict(c, dataclasses.replace(data, splits=[s]), state, "cpu")
        for s in (split, dataclasses.replace(split, test=wrong))
    ]
    assert np.array_equal(predictions[0][0].scores, predictions[1][0].scores)
    assert set(asked) == {*split.train, *split.dev}


@pytest.mark.parametrize(
    ("overrides", "sees"),
    [
        (["domains=[corpus]", "target_audio=unlabelled"], {"unlabelled-test"}),
        (["domains=[corpus]", "target_audio=none"], set()),
        (["domains=[]", "target_audio=unlabelled"], set()),
        (["domains=[]", "target_audio=unlabelled", "normalization=corpus"], {"unlabelled-test"}),
        (["domains=[]", "target_audio=none", "normalization=corpus"], set()),
        (["domains=[]", "target_audio=none", "normalization=speaker"], {"unlabelled-test"}),
    ],
)
def test_a_row_declares_the_target_data_that_it_sees(overrides, sees, tmp_path):
    """What is not declared may not matter: without it, training and everything it leaves are the same."""
    c = config(*overrides)
    assert difl.target_data(c) == sees <= set(TARGET_DATA)
    assert difl.target_data(c, is_source=True) == sees | {"labelled"}
    if not sees:
        data = make_data()
        bare = dataclasses.replace(data.splits[0], adapt=[])
        assert equal(train(c, data, tmp_path)[0], train(c, dataclasses.replace(data, splits=[bare]), tmp_path)[0])


def test_target_audio_has_to_be_there(job):
    c = config(domains=DANN_2, target_audio="unlabelled")
    with pytest.raises(ConfigError, match="target_audio: 'unlabelled', but split one has none; set it to none"):
        difl.train(c, blind(make_data(target=False)), 1, None, job)


# ---- Normalization --------------------------------------------------------------------------------------------


def standardized(data: RunData, utt: str, seen) -> np.ndarray:
    together = np.concatenate([data.frames[u].double().numpy().reshape(-1, DIM) for u in seen])
    return (data.frames[utt].numpy() - together.mean(0)) / together.std(0)


@pytest.mark.parametrize("audio", ["unlabelled", "none"])
@pytest.mark.parametrize("how", ["none", "source", "corpus", "speaker"])
def test_normalization_against_numpy(how, audio, tmp_path, monkeypatch):
    data = make_data()
    split = data.splits[0]
    c = config(normalization=how, target_audio=audio, domains=DANN_2)
    state = train(c, data, tmp_path)[0]
    inputs = []
    monkeypatch.setattr(
        difl, "apply", lambda fabric, model, x, utts, unit: inputs.append(x) or difl.Outputs(None, torch.zeros(1))
    )
    difl.predict(c, data, state, "cpu")
    for utt in ("a-0-0", "b-1-5", "c-3-7", "d-2-6"):
        known = {
            "source": split.train,
            "corpus": [u for u in (*split.train, *(split.adapt if audio == "unlabelled" else ())) if u[0] == utt[0]],
            "speaker": [u for u in data.utts if u[:3] == utt[:3]],
        }
        x = inputs[0].of([utt])[0][0].numpy()
        if how == "none":
            assert np.array_equal(x, data.frames[utt].numpy())
        else:
            assert x == pytest.approx(standardized(data, utt, known[how] or split.train), abs=1e-4)


def test_statistics_of_segments_are_per_frequency_bin(tmp_path):
    c = config(*SMALL_CNN, epochs=1)
    data = make_data((4, 6))
    norm = train(c, data, tmp_path)[0]["one.norm"]
    together = torch.cat([data.frames[utt] for utt in data.splits[0].train]).double()
    assert torch.allclose(norm[0].double(), together.mean((0, 1)), atol=1e-5)
    assert torch.allclose(norm[1].double(), together.std((0, 1), correction=0), atol=1e-5)


# ---- Training as a whole --------------------------------------------------------------------------------------

WHOLE = {"domains": DANN_2, "target_audio": "unlabelled", "loss__center": True}


def test_a_seed_decides_every_digit(tmp_path):
    data, before = make_data(), torch.get_rng_state()
    state, history = train(config(**WHOLE), data, tmp_path)
    same, again = train(config(**WHOLE), data, tmp_path)
    assert equal(state, same) and history == again
    assert not equal(state, train(config(**WHOLE), data, tmp_path, seed=2)[0])
    assert torch.equal(torch.get_rng_state(), before)
    assert [(row["split"], row["epoch"]) for row in history] == [("one", 1), ("one", 2), ("one", 3)]
    assert {"loss", "loss_softmax", "loss_center", "loss_gender", "dev_uar"} <= set(history[0])
    row = history[0]
    heads = sum(row[f"loss_{name}"] for name in DANN_2)
    assert row["loss"] == pytest.approx(0.5 * row["loss_softmax"] + 0.5 * row["loss_center"] + 0.3 * heads, rel=1e-5)


def test_a_killed_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    data = make_data()
    first = data.splits[0]
    second = dataclasses.replace(first, name="two", train=dict(list(first.train.items())[5:]))
    data = blind(dataclasses.replace(data, splits=[first, second]))
    c = config(**WHOLE)
    state, history = train(c, data, tmp_path)
    monkeypatch.setattr(difl, "SAVE_EVERY_S", -1)
    run_epoch, done = difl._Training._epoch, []

    def epoch(self, number):
        if len(done) in (2, 4) and done[-1] is not None:
            done.append(None)
            raise KeyboardInterrupt
        done.append((self.split.name, number))
        return run_epoch(self, number)

    monkeypatch.setattr(difl._Training, "_epoch", epoch)
    job = Job("cpu", tmp_path / "killed")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            difl.train(c, data, 1, None, job)
    resumed, rows = difl.train(c, data, 1, None, job)
    assert [name for name in done if name] == [(name, number) for name in ("one", "two") for number in range(3)]
    assert equal(resumed, state) and rows == history
    assert sorted(path.name for path in job.scratch.iterdir()) == ["one.safetensors", "two.safetensors"]


def test_splits_with_the_same_training_lists_share_a_model(tmp_path):
    data = make_data()
    first = data.splits[0]
    part = dict(list(first.test.items())[:3])
    others = [
        dataclasses.replace(first, name="two", test=part),
        dataclasses.replace(first, name="three", adapt=["c-0-0"]),
    ]
    data = dataclasses.replace(data, splits=[first, *others])
    for c, names in ((config(**WHOLE), {"one", "three"}), (config(), {"one"})):
        state, history = train(c, data, tmp_path)
        assert {name.split(".")[0] for name in state} == {row["split"] for row in history} == names
        predictions = difl.predict(c, data, state, "cpu")
        assert [p.split for p in predictions] == ["one", "two", "three"] and predictions[1].utts == list(part)
        assert np.allclose(predictions[1].scores, predictions[0].scores[:3], atol=1e-6)


def test_the_best_epoch_on_dev_is_kept_and_patience_ends_training(tmp_path, monkeypatch):
    scores = [0.5, 0.7, 0.6, 0.7, 0.65, 0.9]
    given = iter(scores)
    monkeypatch.setattr(difl, "uar", lambda true, pred: next(given))
    state, history = train(config(epochs=6, patience=3), make_data(), tmp_path)
    assert [row["dev_uar"] for row in history] == scores[:5]  # nothing better in epochs 3 to 5
    given = iter(scores)
    assert equal(state, train(config(epochs=2), make_data(), tmp_path)[0])
    given = iter(scores)
    assert len(train(config("patience=null", epochs=6), make_data(), tmp_path)[1]) == 6


def test_dev_may_be_trained_on_where_nothing_is_chosen(tmp_path, monkeypatch):
    data = make_data()
    (split,) = data.splits
    c = config(dev="train", normalization="source", patience=1, **{**WHOLE, "domains": DANN_1})
    assert list(difl.trained_on(c, split).items()) == [*split.train.items(), *split.dev.items()]
    assert not difl.chooses_on_dev(c) and difl.chooses_on_dev(config())
    state, history = train(c, data, tmp_path)
    assert len(history) == 3 and not any("dev_uar" in row for row in history)  # patience ends nothing
    whole = dataclasses.replace(split, train={**split.train, **split.dev}, dev={"a-3-3": "high"})
    rising = iter(range(3))
    monkeypatch.setattr(difl, "uar", lambda true, pred: next(rising))  # the last epoch is the best
    chosen, same = train(c.model_copy(update={"dev": "choose"}), dataclasses.replace(data, splits=[whole]), tmp_path)
    assert equal(state, chosen) and [row["loss"] for row in history] == [row["loss"] for row in same]
    assert torch.equal(state["one.norm"], chosen["one.norm"])
    assert len(state["one.network.domain_heads.heads.speaker.bias"]) == 16  # those of dev, too


@pytest.mark.parametrize("changes", [{"dev": "train"}, {"dev": "train", "unit": "segments"}, {"steps_per_epoch": 2}])
def test_other_schedules_go_on_where_they_were_killed(changes, tmp_path, monkeypatch):
    data, c = blind(make_data((4, 6))), config(*SMALL_CNN, **changes)
    state, history = difl.train(c, data, 1, None, Job("cpu", tmp_path / "whole"))
    monkeypatch.setattr(difl, "SAVE_EVERY_S", -1)
    run_epoch = difl._Training._epoch

    def killed(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return run_epoch(self, number)

    monkeypatch.setattr(difl._Training, "_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        difl.train(c, data, 1, None, Job("cpu", tmp_path / "killed"))
    monkeypatch.setattr(difl._Training, "_epoch", run_epoch)
    resumed, rows = difl.train(c, data, 1, None, Job("cpu", tmp_path / "killed"))
    assert equal(resumed, state) and rows == history


def test_kept_weights_have_the_dev_uar_that_history_tells(tmp_path):
    data = make_data(n=40)
    c = config(epochs=8)
    state, history = train(c, data, tmp_path)
    split = dataclasses.replace(data.splits[0], test=data.splits[0].dev)
    scores = difl.predict(c, dataclasses.replace(data, splits=[split]), state, "cpu")[0].scores
    assert uar(data.targets(split.dev), scores.argmax(1)) == max(row["dev_uar"] for row in history)


@pytest.mark.parametrize("shape", [(DIM,), (4, 6)])
def test_scores_are_posteriors_of_each_whole_utterance(shape, tmp_path, monkeypatch):
    data = make_data(shape, longest=9)
    c = config(
        "model.conv_maps=[2]", "model.kernel=3", "model.segment_dim=4", max_segments=2, epochs=1, domains=DANN_1
    )
    state = train(c, data, tmp_path)[0]
    (prediction,) = difl.predict(c, data, state, "cpu")
    split = data.splits[0]
    assert (prediction.split, prediction.k, prediction.draw, prediction.utts) == ("one", 0, 0, list(split.test))
    assert np.allclose(prediction.scores.sum(1), 1)
    h = difl.embeddings(c, data, state, split, list(split.test), "cpu")
    assert h.shape == (len(split.test), 5)
    weights = {name.removeprefix("one.network."): value for name, value in state.items()}
    z = F.linear(h, weights["fc2.weight"], weights["fc2.bias"])
    logits = F.linear(z, weights["classify.weight"], weights["classify.bias"])
    assert np.allclose(prediction.scores, logits.softmax(1).numpy(), atol=1e-6)
    monkeypatch.setattr(difl, "APPLY_BYTES", 1)  # every utterance by itself
    assert np.allclose(difl.predict(c, data, state, "cpu")[0].scores, prediction.scores, atol=1e-6)


def test_bf16_is_near_fp32(tmp_path):
    data = make_data()
    fp32, bf16 = (train(config(precision=p, epochs=1, **WHOLE), data, tmp_path)[1][0] for p in ("fp32", "bf16"))
    assert bf16["loss"] != fp32["loss"] and bf16["loss"] == pytest.approx(fp32["loss"], rel=0.05)


def test_divergence_is_an_error_and_not_a_result(tmp_path):
    data = make_data()
    data.frames["a-0-0"][0] = math.inf
    with pytest.raises(DataError, match="a loss of epoch 1 is not finite"):
        train(config(normalization="none"), data, tmp_path)


def test_the_shared_configuration_is_the_paper_s_and_its_mini_section_holds():
    c = load(YAML, Config)
    assert (c.loss.lambda_, c.loss.gamma, c.batch_size, c.domains) == (0.5, 0.3, 128, [])
    assert (c.optimizer.lr, c.optimizer.rho, c.optimizer.eps) == (1.0, 0.95, 1e-6)
    mini = load(YAML, Config, mini=True)
    assert mini.loss.lambda_ == c.loss.lambda_ and mini.epochs < c.epochs
    with pytest.raises(ConfigError, match="domains: a factor appears twice in corpus, corpus"):
        load(YAML, Config, ["domains=[corpus, corpus]"])


# ---- What it is for -------------------------------------------------------------------------------------------


RAMP = {"loss__gamma_schedule": "ramp"}


def shifted(shift: bool, n: int = 240) -> RunData:
    """Make a source and a target corpus, both with one `high` in five.

    Emotion is in dimensions 0 and 1 of both. Dimension 2 is a better sign of it in the source; with a shift, it is
    high for whatever the target says, and so tells the corpora apart. Gender is in dimension 3.
    """
    rng = np.random.default_rng(0)
    frames, label = {}, {}
    factors: dict[str, dict[str, str]] = {name: {} for name in ("speaker", "gender", "language", "corpus")}
    for corpus, i in itertools.product(("src", "tgt"), range(n)):
        utt, is_high = f"{corpus}-{i % 8}-{i}", i % 5 == 0
        sign = 1 if is_high else -1
        spurious = 4 if corpus == "tgt" and shift else 3 * sign
        x = [sign, sign, spurious, i // 5 % 2] + [0.8, 0.8, 1, 0.5] * rng.normal(size=4)
        frames[utt] = torch.tensor(x + 0.2 * rng.normal(size=(1 + i % 2, 4)), dtype=torch.float32)
        label[utt] = "high" if is_high else "low"
        factors["corpus"][utt], factors["speaker"][utt] = corpus, f"{corpus}-{i % 8}"
        factors["language"][utt], factors["gender"][utt] = corpus, "fm"[i // 5 % 2]
    utts, speakers = list(label), list(factors["speaker"].values())
    train, dev, test = ({utt: label[utt] for utt in part} for part in (utts[80:n], utts[:80], utts[n : n + 80]))
    split = Split("one", train, dev, utts[n + 80 :], test)
    return RunData(
        utts, np.empty((2 * n, 0), np.float32), speakers, [split], ["high", "low"], factors, Frames(frames)
    )


def uar_and_corpus_probe(data: RunData, tmp_path: Path, seed: int, **changes) -> tuple[float, float]:
    """Train and measure target UAR, and how well a linear probe reads the corpus from h."""
    c = config("patience=null", batch_size=32, model__fc1_dim=4, model__blstm_units=8, **changes)
    state = train(c, data, tmp_path, seed)[0]
    split = data.splits[0]
    scores = difl.predict(c, data, state, "cpu")[0].scores
    utts = [*split.dev, *split.test]
    h = difl.embeddings(c, data, state, split, utts, "cpu").numpy()
    probe = domain_probe(h, [data.factors["corpus"][utt] for utt in utts])
    return uar(data.targets(split.test), scores.argmax(1)), probe.balanced_accuracy


@pytest.mark.parametrize("shift", [True, False])
def test_the_adversary_helps_against_a_shift_and_does_no_harm_without(shift, tmp_path, monkeypatch):
    """As many steps for both, means of three seeds.

    h is narrow: from a wider one, a new linear probe still reads the corpus, though target UAR rises as much.
    """
    rising = itertools.count()
    monkeypatch.setattr(difl, "uar", lambda true, pred: next(rising))  # keeps the last epoch: dev is easy before
    data = shifted(shift)
    rows = {
        "baseline": {"epochs": 48},
        "dann": {"epochs": 24, "domains": DANN_2, "target_audio": "unlabelled", "loss__gamma": 1, **RAMP},
    }
    (base_uar, base_probe), (dann_uar, dann_probe) = (
        np.mean([uar_and_corpus_probe(data, tmp_path, seed, **row) for seed in (1, 2, 3)], axis=0)
        for row in rows.values()
    )
    if shift:
        assert dann_uar > base_uar + 0.2 and dann_probe < base_probe - 0.15
    else:
        assert abs(dann_uar - base_uar) < 0.03 and abs(dann_probe - base_probe) < 0.1
