"""EMOFSL fine-tuned, on tones and tiny checkpoints: what moves, what is kept, and a slow rewrite of one episode."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F

from ser.config import load as load_config
from ser.data.audio import RATE_HZ, load
from ser.data.data_dir import AudioPart
from ser.errors import ConfigError, DataError
from ser.features.encoders import load_trainable
from ser.losses import EmotionDistanceLoss, SiameseContrastiveLoss
from ser.methods import emofsl_finetune
from ser.methods.base import Job
from ser.methods.emofsl_finetune import Config, Network
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.system.devices import launch, make_fabric
from ser.training import trainer
from ser.training.checkpoint import write_tensors
from ser.training.frames import FrontEndFrames
from tests.fakes.checkpoints import DIM
from tests.training.run_data import CLASSES, make_run_data

TRANSFORMERS = ("wav2vec2_local", "hubert_local", "wavlm_local")
CONFIG = Path(__file__).parents[2] / "conf" / "methods" / "emofsl_finetune.yaml"
SMALL = [
    "model.hidden=8", "source.epochs=1", "source.lr=0.01", "source.batch_size=8", "adapt.epochs=2", "adapt.lr=0.01",
    "mask.time_length=3", "mask.feature_length=2", "micro_batch_seconds=4",
]  # fmt: skip
EXACT = ["mask=null", "encoder.dropout=0.0"]

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
]


def config(objective: str = "emofsl", *overrides: str) -> Config:
    return load_config(CONFIG, Config, [*SMALL, f"objective={objective}", *overrides])


@pytest.fixture(scope="module")
def data(tmp_path_factory, encoders):
    """Two corpora of tones of 0.25 to 0.6 s: each class has its pitch, each speaker a shift of it and a noise."""
    folder, lists = tmp_path_factory.mktemp("audio"), make_run_data(per_class=2, draws=2)
    audio = {}
    for i, (utt, speaker) in enumerate(zip(lists.utts, lists.speakers, strict=True)):
        rng = np.random.default_rng(i)
        pitch = 300 * 2 ** CLASSES.index(utt.split("-")[2][:-1]) * (1 + 0.03 * int(speaker.split("-")[1]))
        time = np.arange(int(rng.uniform(0.25, 0.6) * RATE_HZ)) / RATE_HZ
        wav = 0.3 * np.sin(2 * np.pi * pitch * time) + 0.02 * rng.normal(size=len(time))
        soundfile.write(folder / f"{utt}.wav", wav, RATE_HZ)
        audio[utt] = AudioPart(str(folder / f"{utt}.wav"))
    return dataclasses.replace(
        lists, x=np.empty((len(audio), 0), np.float32), audio=audio, encoder=encoders["wav2vec2_local"]
    )


def blind(data):
    """Give the lists as a trainer gets them, without test utterances."""
    return dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])


def train(c: Config, data, folder: Path, seed: int = 1, init=None):
    return emofsl_finetune.train(c, blind(data), seed, init, Job("cpu", folder))


@pytest.fixture(scope="module")
def source(data, tmp_path_factory):
    """A source model, and its history."""
    return train(config("source_only"), data, tmp_path_factory.mktemp("source"))


def assert_equal(a, b, **tolerance):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], **({"rtol": 0, "atol": 0} | tolerance), msg=name)


# ---- Source model ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_step_moves_transformer_and_head_and_nothing_else(name, data, encoders, tmp_path):
    data = dataclasses.replace(blind(data), encoder=encoders[name])
    c = config("source_only", "source.batch_size=100", "source.lr=0.001")
    t = emofsl_finetune._trainer(make_fabric("cpu"), c, data, 1, shared=True)
    before = {key: value.clone() for key, value in t.model.state_dict().items()}
    emofsl_finetune._train_source(t, c, data, data.splits[0], 1, tmp_path / "x")
    moved = {key: (value - before[key]).abs().max().item() for key, value in t.model.state_dict().items()}
    frozen = ("feature_extractor.", "layer_norm.", "post_extract_proj.", "mask_emb")
    for key, distance in moved.items():
        if key.startswith(tuple(f"encoder.{part}" for part in frozen)):
            assert distance == 0, key
        else:
            assert key.startswith(("encoder.encoder.", "head.")), key
            assert distance < 1.1e-3, key
            assert distance > 1e-5 or key.endswith("k_proj.bias"), key  # softmax does not see it
    assert {key.split(".")[1] for key in moved} >= {"mask_emb", "feature_extractor", "post_extract_proj", "encoder"}


def test_the_source_row_keeps_its_trained_weights_and_its_scores(data, source):
    state, history = source
    own = load_trainable(data.encoder.upstream, data.encoder.ckpt)
    names = {f"source0.encoder.{name}" for name, p in own.named_parameters() if p.requires_grad}
    names |= {f"source0.head.{name}" for name in EmbeddingClassifier(DIM, 8, 4, 0).state_dict()}
    assert state.keys() == names | {"scores.k0.fold0", "scores.k0.fold1"}
    for split in data.splits:
        scores = state[f"scores.k0.{split.name}"]
        assert scores.shape == (1, len(split.test), 4)
        assert scores.dtype == torch.float32
        torch.testing.assert_close(scores.sum(-1), torch.ones(1, len(split.test)))
    assert [list(row) for row in history] == [["source", "epoch", "loss", "dev_uar"]]


def test_the_seed_decides_the_source_model(data, source, tmp_path):
    assert_equal(train(config("source_only"), data, tmp_path / "same")[0], source[0])
    other = train(config("source_only"), data, tmp_path / "other", seed=2)[0]
    assert not torch.allclose(other["scores.k0.fold0"], source[0]["scores.k0.fold0"], atol=1e-4)


def test_splits_with_other_training_lists_get_their_own_source_model(data, tmp_path):
    first, second = data.splits
    second = dataclasses.replace(second, train=second.dev, dev=second.train)
    both = dataclasses.replace(data, splits=[first, second])
    c = config("source_only", *EXACT)
    state, history = train(c, both, tmp_path / "both")
    assert [row["source"] for row in history] == [0, 1]
    alone, _ = train(c, dataclasses.replace(data, splits=[first, dataclasses.replace(second, train=first.train,
                     dev=first.dev)]), tmp_path / "alone")  # fmt: skip
    assert torch.equal(alone["scores.k0.fold0"], state["scores.k0.fold0"])
    assert not torch.equal(alone["scores.k0.fold1"], state["scores.k0.fold1"])
    assert torch.equal(alone["source0.head.embed.weight"], state["source0.head.embed.weight"])
    unchanged = train(
        config("btl", "adapt.epochs=0", "predictor=classifier", *EXACT), both, tmp_path / "a", init=state
    )
    for split in both.splits:  # each starts from its own
        scores = unchanged[0][f"scores.k2.{split.name}"]
        torch.testing.assert_close(scores, state[f"scores.k0.{split.name}"].expand(2, -1, -1), rtol=0, atol=1e-6)


def test_tones_are_learned(data, tmp_path):
    """Measured on what is learned: sixteen tones do not generalize."""
    split = dataclasses.replace(data.splits[0], dev=data.splits[0].train)
    c = config("source_only", "source.epochs=20", "source.lr=0.003", "model.hidden=32", *EXACT)
    _, history = train(c, dataclasses.replace(data, splits=[split]), tmp_path)
    assert history[-1]["loss"] < 0.5 < 1.3 < history[0]["loss"]
    assert history[-1]["dev_uar"] > 0.9


# ---- Adaptation -----------------------------------------------------------------------------------------------


def slow_episode(c: Config, data, split, support, init) -> torch.Tensor:
    """Adapt with torch's own loop, one utterance at a time, and score the test list one utterance at a time."""
    encoder = load_trainable(data.encoder.upstream, data.encoder.ckpt, dropout=0.0)
    head = EmbeddingClassifier(DIM, c.model.hidden, 4, seed=0)
    weights = {n.removeprefix("source0."): v for n, v in init.items() if n.startswith("source0.")}
    params = {f"encoder.{n}": p for n, p in encoder.named_parameters() if p.requires_grad}
    params |= {f"head.{n}": p for n, p in head.named_parameters()}
    for name, param in params.items():
        param.data.copy_(weights[name])

    def embed(utt, max_seconds=1e9):
        wav = load(data.audio[utt].path)[: int(max_seconds * RATE_HZ)]
        frames = encoder.front_end(wav)
        return encoder(frames.unsqueeze(0), torch.tensor([len(frames)]))[0].mean(0)

    y = torch.from_numpy(data.targets(support))
    optimizer = torch.optim.Adam(params.values())
    for epoch in range(c.adapt.epochs):
        z, logits = head(torch.stack([embed(utt, c.max_seconds) for utt in support]))
        value = F.cross_entropy(logits, y)
        if c.objective != "btl":
            metric = SiameseContrastiveLoss(1.0, "mean") if c.objective == "fstl" else None
            metric = metric or EmotionDistanceLoss(1.0, 0.6, 0.6, 0.3, "mean")
            value = value + metric(F.normalize(z, dim=1), y)
        optimizer.param_groups[0]["lr"] = c.adapt.lr * c.adapt.lr_decay**epoch
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    encoder.eval()
    with torch.no_grad():
        queries, logits = head(torch.stack([embed(utt) for utt in split.test]))
        if c.predictor == "classifier":
            return logits.softmax(1)
        z = F.normalize(head(torch.stack([embed(utt) for utt in support]))[0], dim=1)
        centers = [z[[i for i, c_i in enumerate(y) if c_i == c]].mean(0) for c in range(4)]
        return torch.stack([-(F.normalize(queries, dim=1) - center).norm(dim=1) for center in centers], dim=1)


@pytest.mark.parametrize("objective, predictor", [
    ("btl", "classifier"), ("fstl", "nearest_mean"), ("emofsl", "nearest_mean"),
])  # fmt: skip
def test_kept_scores_are_those_of_a_slow_rewrite(objective, predictor, data, source, tmp_path):
    c = config(objective, f"predictor={predictor}", "max_seconds=0.3", "micro_batch_seconds=1", *EXACT)
    one = {(2, 1): data.splits[1].support[2, 1]}
    few = dataclasses.replace(data, splits=[dataclasses.replace(data.splits[1], support=one)])
    state, history = train(c, few, tmp_path, init=source[0])
    expected = slow_episode(c, data, data.splits[1], one[2, 1], source[0])
    assert state.keys() == {"scores.k2.fold1"}
    torch.testing.assert_close(state["scores.k2.fold1"][0], expected, rtol=0, atol=1e-4)
    unchanged = slow_episode(config(objective, f"predictor={predictor}", "adapt.epochs=0"), data, data.splits[1],
                             one[2, 1], source[0])  # fmt: skip
    assert not torch.allclose(unchanged, expected, atol=1e-2)
    assert [(row["k"], row["epoch"]) for row in history] == [(2, 1), (2, 2)]
    (prediction,) = emofsl_finetune.predict(c, few, state, "cpu")
    assert np.array_equal(prediction.scores, state["scores.k2.fold1"][0])
    assert (prediction.split, prediction.k, prediction.draw) == ("fold1", 2, 1)


def test_all_support_sets_are_adapted_each_from_the_source_model(data, source, tmp_path):
    c = config("emofsl", "adapt.epochs=1")
    state, history = train(c, data, tmp_path, init=source[0])
    assert {name: tuple(v.shape) for name, v in state.items()} == {
        f"scores.k{k}.fold{fold}": (2, len(data.splits[fold].test), 4) for k in (1, 2) for fold in (0, 1)
    }
    assert [(row["k"], row["epoch"]) for row in history] == [(1, 1), (2, 1)]
    last = dataclasses.replace(data, splits=[dataclasses.replace(
        data.splits[1], support={(2, 1): data.splits[1].support[2, 1]})])  # fmt: skip
    alone, _ = train(c, last, tmp_path / "alone", init=source[0])
    assert torch.equal(alone["scores.k2.fold1"][0], state["scores.k2.fold1"][1])
    predictions = emofsl_finetune.predict(c, data, state, "cpu")
    assert [(p.split, p.k, p.draw) for p in predictions] == [
        (f"fold{fold}", k, draw) for fold in (0, 1) for k in (1, 2) for draw in (0, 1)
    ]
    for p in predictions:
        split = next(s for s in data.splits if s.name == p.split)
        assert list(p.utts) == list(split.test)
        assert np.array_equal(p.scores, state[f"scores.k{p.k}.{p.split}"][p.draw])


def test_masks_and_dropout_act_in_training_alone(data, source, tmp_path):
    def scores(*overrides):
        folder = tmp_path / "-".join(overrides).replace(".", "_")
        fold = dataclasses.replace(data, splits=data.splits[:1])
        return train(config("btl", *overrides), fold, folder, init=source[0])[0]["scores.k1.fold0"]

    plain = scores(*EXACT)
    for overrides in (EXACT[:1], EXACT[1:]):
        assert not torch.allclose(scores(*overrides), plain, atol=1e-5)
    unchanged = [scores("adapt.epochs=0", *overrides) for overrides in ([], EXACT)]
    assert torch.equal(*unchanged)


def test_bf16_is_near_fp32(data, source, tmp_path):
    fold = dataclasses.replace(data, splits=data.splits[:1])
    own = source[0]["scores.k0.fold0"]
    exact, rounded = (
        train(config("btl", f"precision={p}", "predictor=classifier", *EXACT), fold, tmp_path / p, init=source[0])
        for p in ("fp32", "bf16")
    )
    exact, rounded = exact[0]["scores.k2.fold0"], rounded[0]["scores.k2.fold0"]
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(exact, rounded, rtol=0, atol=0.01)
    assert (exact - own).abs().max() > 0.05


def test_training_hears_the_beginning_and_tests_the_whole(data, source, tmp_path, monkeypatch):
    asked = set()
    of = FrontEndFrames.of
    monkeypatch.setattr(FrontEndFrames, "of", lambda self, utt, cap: asked.add((utt, cap)) or of(self, utt, cap))
    split = data.splits[0]
    fold = dataclasses.replace(data, splits=[split])
    train(config("source_only", "max_seconds=0.3"), fold, tmp_path / "source")
    assert asked == {(utt, 0.3) for utt in split.train} | {(utt, None) for utt in (*split.dev, *split.test)}
    asked.clear()
    train(config("emofsl", "max_seconds=0.3"), fold, tmp_path / "adapt", init=source[0])
    support = {utt for utts in split.support.values() for utt in utts}
    assert asked == {(utt, cap) for utt in support for cap in (0.3, None)} | {(utt, None) for utt in split.test}


class Killed(Exception):
    pass


def test_a_killed_adaptation_loses_one_episode_at_most(data, source, tmp_path, monkeypatch):
    c, calls, adapt = config("emofsl", "adapt.epochs=1"), [], emofsl_finetune._adapt
    expected, expected_history = train(c, data, tmp_path / "undisturbed", init=source[0])

    def killing(*args):
        calls.append(args)
        if len(calls) == 4:
            raise Killed
        return adapt(*args)

    monkeypatch.setattr(emofsl_finetune, "_adapt", killing)
    with pytest.raises(Killed):
        train(c, data, tmp_path / "x", init=source[0])
    state, history = train(c, data, tmp_path / "x", init=source[0])
    assert len(calls) == 4 + 5  # of 8 support sets
    assert_equal(state, expected)
    assert history == expected_history


def test_a_killed_source_training_goes_on(data, source, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SAVE_EVERY_S", -1)
    gradients, calls = trainer.Trainer._gradients, []

    def killing(*args):
        calls.append(1)
        if len(calls) == 2:  # of 2 steps
            raise Killed
        return gradients(*args)

    monkeypatch.setattr(trainer.Trainer, "_gradients", killing)
    with pytest.raises(Killed):
        train(config("source_only"), data, tmp_path)
    state, history = train(config("source_only"), data, tmp_path)
    assert len(calls) == 3
    assert_equal(state, source[0])
    assert history == source[1]


def work(fabric, c: Config, adapted: Config, data, folder: Path) -> None:
    emofsl_finetune._train_sources(fabric, c, data, 1, folder)
    emofsl_finetune._adapt_all(fabric, adapted, data, 1, folder)
    (folder / f"episodes{fabric.global_rank}").write_text(str(fabric.world_size))


def test_two_processes_give_the_result_of_one(data, source, tmp_path):
    """With dropout and masks: every micro-batch draws the same, wherever it is computed."""
    c, adapted = config("source_only"), config("emofsl", "adapt.epochs=1")
    write_tensors(tmp_path / "init.safetensors", source[0])
    launch(make_fabric("cpu", devices=2), work, c, adapted, blind(data), tmp_path)
    assert [(tmp_path / f"episodes{rank}").read_text() for rank in "01"] == ["2", "2"]
    state, history = emofsl_finetune._collect_sources(data, tmp_path)
    assert_equal(state, source[0], atol=1e-4)
    assert history[0]["loss"] == pytest.approx(source[1][0]["loss"], abs=1e-5)
    one, _ = train(adapted, data, tmp_path / "one", init=source[0])
    assert_equal(emofsl_finetune._collect_episodes(data, tmp_path)[0], one, atol=1e-4)


# ---- Lists ----------------------------------------------------------------------------------------------------


def test_tested_utterances_are_those_of_the_test_list_told_without_it(data):
    for split, unseen in zip(data.splits, blind(data).splits, strict=True):
        assert emofsl_finetune.tested(blind(data), unseen) == list(split.test) == emofsl_finetune.tested(data, split)


def test_what_no_split_adapts_to_is_not_scored(data):
    """Utterances of other emotions; but all of a speaker's where nothing is known, as in a recipe of one split."""
    extra = "tgt-0-bored0"
    more = dataclasses.replace(data, utts=[*data.utts, extra], speakers=[*data.speakers, "tgt-0"])
    assert extra not in emofsl_finetune.tested(more, more.splits[0])
    assert extra in emofsl_finetune.tested(dataclasses.replace(more, splits=more.splits[:1]), more.splits[0])
    assert extra not in emofsl_finetune.tested(more, more.splits[1])


def test_a_test_utterance_without_a_score_is_named(data, source):
    extra = {"tgt-0-bored0": "sad"}
    splits = [dataclasses.replace(data.splits[0], test=data.splits[0].test | extra), *data.splits[1:]]
    with pytest.raises(DataError, match="split fold0: tgt-0-bored0 was not scored in training; run stages 2 and 4"):
        emofsl_finetune.predict(config("source_only"), dataclasses.replace(data, splits=splits), source[0], "cpu")


def test_prediction_follows_the_order_of_the_test_list(data, source):
    state, split = source[0], data.splits[0]
    turned = dataclasses.replace(split, test=dict(reversed(split.test.items())))
    prediction = emofsl_finetune.predict(
        config("source_only"), dataclasses.replace(data, splits=[turned, data.splits[1]]), state, "cpu"
    )[0]
    assert (prediction.k, prediction.draw, list(prediction.utts)) == (0, 0, list(split.test)[::-1])
    assert np.array_equal(prediction.scores, state["scores.k0.fold0"][0].flip(0))


# ---- Network, words and refusals ------------------------------------------------------------------------------


def test_the_mean_is_over_valid_frames_and_relu_is_an_option(data):
    encoder = load_trainable(data.encoder.upstream, data.encoder.ckpt).eval()
    wavs = [load(data.audio[utt].path) for utt in list(data.audio)[:3]]
    frames = [encoder.front_end(wav) for wav in wavs]
    for relu in (False, True):
        c = config("emofsl", f"model.relu={str(relu).lower()}")
        network = Network(encoder, c.model, 4, seed=1).eval()
        padded = torch.nn.utils.rnn.pad_sequence(frames, batch_first=True)
        z, logits = network(padded, torch.tensor([len(f) for f in frames]))
        hidden = [encoder(f.unsqueeze(0), torch.tensor([len(f)]))[0] for f in frames]
        x = torch.stack([(h.clamp(min=0) if relu else h).mean(0) for h in hidden])
        torch.testing.assert_close(z, network.head.embed(x).clamp(min=0), rtol=0, atol=1e-5)
        torch.testing.assert_close(logits, network.head.classify(z))


def test_the_papers_settings_are_the_defaults():
    c = load_config(CONFIG, Config)
    assert (c.adapt.lr, c.adapt.lr_decay, c.adapt.epochs, c.adapt.batch_size) == (1e-4, 0.98, 10, None)
    assert (c.max_seconds, c.precision) == (10, "fp32")
    assert (c.loss.alpha, c.loss.beta, c.loss.kappa, c.loss.kappa1, c.loss.kappa2) == (1.0, 0.6, 1.0, 0.6, 0.3)
    assert (c.source.lr, c.source.batch_size, c.source.epochs) == (1e-4, 64, 15)
    assert (c.mask.time_length, c.mask.time_prob, c.mask.feature_length, c.mask.feature_prob) == (15, 0.08, 64, 0.05)


def test_target_data_is_told():
    assert emofsl_finetune.target_data(config("source_only")) == frozenset()
    assert emofsl_finetune.target_data(config("btl")) == {"k-shot"}


def test_adaptation_without_a_source_model_and_other_classes_are_refused(data, tmp_path):
    with pytest.raises(ConfigError, match="starts from a source model; set 'init'"):
        train(config("btl"), data, tmp_path)
    with pytest.raises(ConfigError, match="Eq. 2 is about angry, happy, neutral, sad"):
        train(config("emofsl"), dataclasses.replace(data, classes=["a", "b"]), tmp_path, init={})


# ---- Other first steps ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contrastive(data, tmp_path_factory):
    """The pretraining that went on, and its history."""
    c = config("source_only", "first_step=contrastive", "pretraining.mask_length=2", "pretraining.epochs=2")
    return train(c, data, tmp_path_factory.mktemp("contrastive"))


def by_class_means(trainer_of: emofsl_finetune.Trainer, support, query: str) -> list[float]:
    """Negative distances to class means, utterance by utterance."""
    z = {utt: F.normalize(trainer_of.outputs([utt])[0][0], dim=0) for utt in (*support, query)}
    means = [torch.stack([z[utt] for utt, name in support.items() if name == c]).mean(0) for c in CLASSES]
    return [-(z[query] - mean).norm().item() for mean in means]


@pytest.mark.parametrize("step", ["contrastive", "none"])
def test_a_first_step_without_labels_is_tested_by_class_means(step, data, contrastive, tmp_path):
    c = config("source_only", f"first_step={step}")
    state = contrastive[0] if step == "contrastive" else train(c, data, tmp_path)[0]
    t = emofsl_finetune._trainer(make_fabric("cpu"), c, data, 1, shared=False)
    weights = {name[8:]: value for name, value in state.items() if name.startswith("source0.")}
    assert bool(weights) == (step == "contrastive")  # what is as it was published is not kept
    if weights:
        emofsl_finetune.set_weights(t.model, weights)
    predictions = emofsl_finetune.predict(c, data, state, "cpu")
    assert [(p.split, p.k, p.draw) for p in predictions] == [
        (s.name, k, draw) for s in data.splits for k, draw in s.support
    ]
    last, split = predictions[-1], data.splits[-1]
    slow = by_class_means(t, split.support[last.k, last.draw], last.utts[3])
    assert last.scores[3].tolist() == pytest.approx(slow, abs=1e-4) and not last.are_posteriors


def test_the_pretraining_that_went_on_moves_the_transformer_and_no_head(data, contrastive):
    state, history = contrastive
    fresh = emofsl_finetune._trainer(make_fabric("cpu"), config(), data, 1, shared=False).model.state_dict()
    moved = {name[8:] for name, value in state.items() if name.startswith("source0.")
             and not torch.equal(value, fresh[name[8:]])}  # fmt: skip
    assert moved and all(name.startswith("encoder.encoder.") for name in moved)
    assert [list(row) for row in history] == [["source", "epoch", "loss", "l_m", "l_d"]] * 2


@pytest.mark.parametrize("step", ["contrastive", "none"])
def test_adaptation_starts_from_the_first_step(step, data, contrastive, tmp_path):
    """Without an epoch of it, the adapted row is the first step alone."""
    init = contrastive[0] if step == "contrastive" else None
    alone = init or train(config("source_only", "first_step=none"), data, tmp_path / "alone")[0]
    c = config("btl", f"first_step={step}", "adapt.epochs=0")
    adapted, _ = train(c, data, tmp_path / "adapted", init=init)
    for name, scores in adapted.items():
        torch.testing.assert_close(scores, alone[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "step, start, text",
    [
        ("contrastive", "source", "'contrastive', but the row in column init took another first step"),
        ("supervised", "contrastive", "'supervised', but the row in column init took another first step"),
        ("none", "source", "'none' starts from the checkpoint; write '-' in column init"),
        ("contrastive", "", "starts from a source model; set 'init'"),
    ],
)
def test_another_first_step_is_refused(step, start, text, data, source, contrastive, tmp_path):
    init = {"source": source[0], "contrastive": contrastive[0], "": None}[start]
    with pytest.raises(ConfigError, match=text):
        train(config("btl", f"first_step={step}"), data, tmp_path, init=init)


@pytest.mark.parametrize("step, objective, labels", [
    ("supervised", "source_only", "source"), ("supervised", "btl", "both"), ("contrastive", "source_only", "support"),
    ("contrastive", "btl", "support"), ("none", "emofsl", "support"),
])  # fmt: skip
def test_whose_labels_each_first_step_sees(step, objective, labels, data):
    c, split = config(objective, f"first_step={step}"), data.splits[0]
    support = {utt for own in split.support.values() for utt in own}
    expected = {"source": set(split.train), "support": support, "both": {*split.train, *support}}[labels]
    assert set(emofsl_finetune.trained_on(c, split)) == expected
    assert emofsl_finetune.target_data(c) == (frozenset() if labels == "source" else {"k-shot"})
    assert emofsl_finetune.chooses_on_dev(c) == (labels == "source")
    assert (emofsl_finetune.refuses_new_audio(c) is None) == (labels == "source")
