"""EMOFSL and its two baselines on small synthetic corpora: what is shared, what matters, and slow rewrites."""

from __future__ import annotations

import dataclasses
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ser.errors import ConfigError
from ser.methods import emofsl
from ser.methods.base import Job
from ser.methods.emofsl import Config
from ser.metrics import uar
from ser.nn import EmbeddingClassifier
from ser.randomness import seed_of
from tests.training.run_data import DIM, make_run_data

HIDDEN = 8
JOB = Job("cpu", Path("never written"))
LOSS = {"alpha": 1.0, "beta": 0.6, "kappa": 1.0, "kappa1": 0.6, "kappa2": 0.3, "weight": 1.0, "reduction": "mean"}
TARGET_OBJECTIVES = ("btl", "fstl", "emofsl")
FAR = ({0, 3}, {1, 3})


def config(objective: str = "emofsl", **changes) -> Config:
    """Make a configuration; `loss__alpha=2` changes a nested value."""
    values = {
        "method": "emofsl",
        "objective": objective,
        "normalization": "source",
        "model": {"hidden": HIDDEN, "normalize": True},
        "source": {"objective": "btl", "lr": 0.02, "batch_size": 8, "epochs": 4},
        "adapt": {"lr": 0.02, "lr_decay": 0.9, "decay_per": "epoch", "epochs": 4, "batch_size": None},
        "loss": dict(LOSS),
        "predictor": "nearest_mean",
        "similarity": "euclidean",
    }
    for key, value in changes.items():
        *outer, last = key.split("__")
        (values[outer[0]] if outer else values)[last] = value
    return Config.model_validate(values)


def blind(data):
    """Give the lists as a trainer gets them, without test utterances."""
    return dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])


def train_source(data, seed=1, **changes):
    return emofsl.train(config("source_only", **changes), data, seed, None, JOB)


def adapt(data, objective="emofsl", init=None, **changes):
    init = init if init is not None else train_source(data)[0]
    return emofsl.train(config(objective, **changes), data, 1, init, JOB)


def equal(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---- Source model ---------------------------------------------------------------------------------------------


def test_source_model_is_decided_by_its_seed():
    data, before = blind(make_run_data()), torch.get_rng_state()
    assert equal(train_source(data)[0], train_source(data)[0])
    assert not equal(train_source(data)[0], train_source(data, seed=2)[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_splits_with_the_same_training_lists_share_a_source_model():
    data = blind(make_run_data())
    state, history = train_source(data)
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        "embed.weight": (1, HIDDEN, DIM), "embed.bias": (1, HIDDEN),
        "classify.weight": (1, 4, HIDDEN), "classify.bias": (1, 4),
    }  # fmt: skip
    assert [(row["source"], row["epoch"]) for row in history] == [(0, 1), (0, 2), (0, 3), (0, 4)]


def test_splits_with_other_training_lists_get_their_own_source_model():
    data = blind(make_run_data())
    first, second = data.splits
    swapped = dataclasses.replace(second, train=second.train | second.dev)
    state, history = train_source(dataclasses.replace(data, splits=[first, swapped, first]))
    assert len(state["embed.weight"]) == 2
    assert {row["source"] for row in history} == {0, 1}
    for number, split in enumerate((first, swapped)):
        alone = train_source(dataclasses.replace(data, splits=[split]))[0]
        assert equal({name: value[number] for name, value in state.items()}, {n: v[0] for n, v in alone.items()})


def test_each_split_starts_from_and_is_tested_with_its_own_source_model():
    data = make_run_data()
    first, second = data.splits
    data = dataclasses.replace(data, splits=[first, dataclasses.replace(second, train=second.train | second.dev)])
    source = train_source(data)[0]
    adapted = adapt(data, init=source, adapt__epochs=0)[0]
    for i, episode in enumerate(data.episodes(2)):
        assert equal({n: adapted[f"k2.{n}"][i] for n in source}, {n: source[n][episode.split] for n in source})
    alone = emofsl.predict(config("source_only"), dataclasses.replace(data, splits=[data.splits[1]]),
                           {name: value[1:] for name, value in source.items()}, "cpu")  # fmt: skip
    assert np.array_equal(emofsl.predict(config("source_only"), data, source, "cpu")[1].scores, alone[0].scores)


@pytest.mark.parametrize("seed", [1, 2])
def test_first_source_step_follows_the_class_balanced_gradient(seed):
    """One full batch is one Adam step: every weight moves by lr against its gradient's sign."""
    data = blind(make_run_data(folds=1))
    split = data.splits[0]
    kept = dict(list(split.train.items())[:-6])  # fewer of the last speaker's sad and neutral
    data = dataclasses.replace(data, splits=[dataclasses.replace(split, train=kept)])
    state, _ = train_source(
        data, seed, source__epochs=1, source__batch_size=100, source__lr=0.01, normalization="none"
    )
    model = EmbeddingClassifier(DIM, HIDDEN, 4, seed_of("init", seed)).double()
    x, y = torch.from_numpy(data.x[data.rows(kept)]).double(), torch.from_numpy(data.targets(kept))
    assert len(set(torch.bincount(y).tolist())) > 1
    losses = F.cross_entropy(model(x)[1], y, reduction="none")
    torch.stack([losses[y == c].mean() for c in range(4)]).mean().backward()
    for name, start in model.named_parameters():
        step = 0.01 * start.grad / (start.grad.abs() + 1e-8)
        torch.testing.assert_close(state[name][0].double(), start.detach() - step, rtol=0, atol=1e-5)


def test_source_model_is_that_of_the_best_epoch_on_dev():
    data = blind(make_run_data(folds=1))
    dev = data.splits[0].dev
    for seed in range(3):
        state, history = train_source(data, seed=seed, source__lr=0.3, source__epochs=12)
        scored = dataclasses.replace(data, splits=[dataclasses.replace(data.splits[0], test=dev)])
        pred = emofsl.predict(config("source_only"), scored, state, "cpu")[0].scores.argmax(1)
        uars = [row["dev_uar"] for row in history]
        assert uar(data.targets(dev), pred) == pytest.approx(max(uars))
        assert min(uars) < max(uars)
        stopped = train_source(data, seed=seed, source__lr=0.3, source__epochs=1 + int(np.argmax(uars)))[0]
        assert equal(state, stopped)  # the first of equally good epochs


# ---- Adaptation -----------------------------------------------------------------------------------------------


def slow_objective(c: Config, w: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Compute L_BTL, L_FSTL or L_EMOFSL utterance by utterance and pair by pair."""
    z = [(w["embed.weight"] @ row + w["embed.bias"]).clamp(min=0) for row in x]
    ce = torch.stack(
        [(w["classify.weight"] @ e + w["classify.bias"]).log_softmax(0)[t] for e, t in zip(z, y, strict=True)]
    )
    if c.model.normalize:
        z = [e / e.norm() for e in z]
    sets = {"pp": [], "pn": [], "mn": []}
    for i, j in combinations(range(len(y)), 2):
        pair = {int(y[i]), int(y[j])}
        sets["pp" if len(pair) == 1 else "pn" if pair in FAR else "mn"].append((z[i] - z[j]).norm())

    def reduce(values):
        total = sum(values) + torch.zeros(())
        return total / max(len(values), 1) if c.loss.reduction == "mean" else total

    metric = torch.zeros(())
    if c.objective == "fstl":
        metric = reduce(sets["pp"]) - c.loss.kappa * reduce(sets["pn"] + sets["mn"])
    elif c.objective == "emofsl":
        far, near = ([(m - d).clamp(min=0) for d in sets[s]] for m, s in ((c.loss.alpha, "pn"), (c.loss.beta, "mn")))
        metric = reduce(sets["pp"]) + c.loss.kappa1 * reduce(far) + c.loss.kappa2 * reduce(near)
    return -ce.mean() + c.loss.weight * metric


@pytest.mark.parametrize("objective", ["fstl", "emofsl"])
def test_a_metric_loss_in_the_source_stage_joins_the_cross_entropy(objective):
    """One full batch is one Adam step, against the sign of the gradient of both losses together."""
    data = blind(make_run_data())
    split, n = data.splits[0], len(data.splits[0].train)
    c = config("source_only", source__objective=objective, source__batch_size=n, source__epochs=1)
    state, history = emofsl.train(c, data, 1, None, JOB)
    model = EmbeddingClassifier(DIM, HIDDEN, 4, seed_of("init", 1))
    start = {name: value.detach().clone() for name, value in model.named_parameters()}
    x, y = (
        torch.from_numpy(values)
        for values in (data.normalized(split, "source")[data.rows(split.train)], data.targets(split.train))
    )
    w = {name: value.double().requires_grad_() for name, value in start.items()}
    loss = slow_objective(config(objective), w, x.double(), y)
    gradients = torch.autograd.grad(loss, list(w.values()))
    assert history[0]["loss"] == pytest.approx(loss.item(), abs=1e-5)
    for (name, value), gradient in zip(start.items(), gradients, strict=True):
        steps = (state[name][0] - value)[gradient.abs() > 1e-4]
        torch.testing.assert_close(steps, -0.02 * gradient.sign()[gradient.abs() > 1e-4].float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("reduction, normalize", [("mean", True), ("sum", True), ("mean", False)])
@pytest.mark.parametrize("objective", TARGET_OBJECTIVES)
def test_adaptation_equals_a_slow_rewrite(objective, reduction, normalize):
    data = blind(make_run_data(folds=2, draws=1))
    c = config(objective, loss__reduction=reduction, model__normalize=normalize)
    source = train_source(data)[0]
    state, history = emofsl.train(c, data, 1, source, JOB)
    first_losses = []
    for i, episode in enumerate(data.episodes(2)):
        split = data.splits[episode.split]
        support = split.support[2, episode.draw]
        x = torch.from_numpy(data.normalized(split, "source")[data.rows(support)]).double()
        y = torch.from_numpy(data.targets(support))
        w = {name: value[0].double().requires_grad_() for name, value in source.items()}
        optimizer = torch.optim.Adam(w.values(), lr=c.adapt.lr)
        for step in range(c.adapt.epochs):
            optimizer.param_groups[0]["lr"] = c.adapt.lr * c.adapt.lr_decay**step
            loss = slow_objective(c, w, x, y)
            first_losses += [loss.item()] if step == 0 else []
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for name, value in w.items():
            torch.testing.assert_close(state[f"k2.{name}"][i].double(), value.detach(), rtol=0, atol=2e-5)
    row = next(row for row in history if (row["k"], row["epoch"]) == (2, 1))
    assert row["loss"] == pytest.approx(np.mean(first_losses), abs=1e-5)
    assert row["loss_sd"] == pytest.approx(np.std(first_losses), abs=1e-5)


def test_the_three_methods_start_from_the_same_source_weights():
    data = blind(make_run_data())
    source, _ = train_source(data)
    kept = {name: value.clone() for name, value in source.items()}
    for objective in TARGET_OBJECTIVES:
        state, history = adapt(data, objective, source, adapt__epochs=0)
        assert history == []
        for k, (name, value) in product((1, 2), source.items()):
            assert state[f"k{k}.{name}"].shape == (4, *value.shape[1:])
            assert all(torch.equal(own, value[0]) for own in state[f"k{k}.{name}"])
    assert equal(source, kept)


def test_the_three_methods_differ_and_repeat_themselves():
    data = blind(make_run_data())
    states = [adapt(data, objective)[0] for objective in TARGET_OBJECTIVES]
    for a, b in combinations(states, 2):
        assert not torch.allclose(a["k2.embed.weight"], b["k2.embed.weight"], atol=1e-3)
    assert equal(states[2], adapt(data, "emofsl")[0])


SETTINGS = {
    "loss__alpha": 1.3, "loss__beta": 1.2, "loss__kappa": 0.5, "loss__kappa1": 0.2, "loss__kappa2": 0.9,
    "loss__weight": 0.3, "loss__reduction": "sum", "model__normalize": False,
}  # fmt: skip
USED = {
    "btl": set(),
    "fstl": {"loss__kappa", "loss__weight", "loss__reduction", "model__normalize"},
    "emofsl": SETTINGS.keys() - {"loss__kappa"},
}


@pytest.mark.parametrize("key", SETTINGS)
@pytest.mark.parametrize("objective", TARGET_OBJECTIVES)
def test_a_loss_setting_changes_the_weights_where_the_loss_has_it(objective, key):
    data = blind(make_run_data(folds=1, draws=1))
    source = train_source(data)[0]
    plain, changed = adapt(data, objective, source)[0], adapt(data, objective, source, **{key: SETTINGS[key]})[0]
    differs = not torch.allclose(plain["k2.embed.weight"], changed["k2.embed.weight"], atol=1e-5)
    assert differs is (key in USED[objective])


@pytest.mark.parametrize("changes", [{"adapt__epochs": 5}, {"adapt__lr": 0.03}, {"adapt__lr_decay": 0.5},
                                     {"normalization": "corpus"}])  # fmt: skip
def test_an_adaptation_setting_changes_the_weights(changes):
    data = blind(make_run_data(folds=1, draws=1))
    source = train_source(data)[0]
    assert not equal(adapt(data, "btl", source)[0], adapt(data, "btl", source, **changes)[0])


@pytest.mark.parametrize("how", ["none", "source", "corpus", "speaker"])
def test_training_never_sees_test_utterances(how):
    """Neither lists nor features: with a single split, test features are changed beyond recognition."""
    data = make_run_data(folds=1, draws=1)
    x = data.x.copy()
    x[data.rows(data.splits[0].test)] = 1e3
    trained = []
    for seen in (data, blind(dataclasses.replace(data, x=x))):
        source = train_source(seen, normalization=how)[0]
        trained.append(source | adapt(seen, init=source, normalization=how)[0])
    assert equal(*trained)


def test_training_never_sees_target_labels_beyond_the_support_set():
    data = blind(make_run_data(folds=1, draws=1))
    split = data.splits[0]
    smaller = {(2, 0): split.support[2, 0]}
    alone = adapt(dataclasses.replace(data, splits=[dataclasses.replace(split, support=smaller)]))[0]
    assert equal(alone, {n: v for n, v in adapt(data)[0].items() if n.startswith("k2.")})


# ---- Prediction -----------------------------------------------------------------------------------------------


def slow_embedding(w, x, normalize):
    z = np.maximum(w["embed.weight"] @ x + w["embed.bias"], 0)
    return z / np.sqrt((z**2).sum()) if normalize else z


def slow_similarity(kind, z, mean):
    if kind == "cosine":
        return (z @ mean) / np.sqrt((z @ z) * (mean @ mean))
    return -np.sqrt(((z - mean) ** 2).sum())


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("how, similarity", [("none", "euclidean"), ("source", "euclidean"), ("source", "cosine"),
                                             ("corpus", "euclidean"), ("speaker", "euclidean")])  # fmt: skip
def test_nearest_mean_equals_a_slow_rewrite(how, similarity, normalize):
    data = make_run_data()
    c = config(normalization=how, model__normalize=normalize, similarity=similarity)
    state, _ = emofsl.train(c, blind(data), 1, train_source(data, normalization=how)[0], JOB)
    predictions = emofsl.predict(c, data, state, "cpu")
    assert [(p.split, p.k, p.draw) for p in predictions] == [
        (f"fold{fold}", k, draw) for fold in (0, 1) for k in (1, 2) for draw in (0, 1)
    ]
    for p in predictions:
        fold = int(p.split[-1])
        split = data.splits[fold]
        x = data.normalized(split, how).astype(float)
        w = {n[3:]: v[2 * fold + p.draw].double().numpy() for n, v in state.items() if n.startswith(f"k{p.k}.")}
        means = []
        for name in data.classes:
            shots = [utt for utt, label in split.support[p.k, p.draw].items() if label == name]
            means.append(sum(slow_embedding(w, x[data.utts.index(utt)], normalize) for utt in shots) / p.k)
        assert p.utts == list(split.test)
        for utt, scores in zip(p.utts, p.scores, strict=True):
            z = slow_embedding(w, x[data.utts.index(utt)], normalize)
            assert scores == pytest.approx([slow_similarity(similarity, z, m) for m in means], abs=1e-5)


def test_nearest_mean_keeps_its_digits_far_from_the_origin():
    """Distances come from differences; by products float32 loses those between near embeddings."""
    data = make_run_data(folds=1, draws=1)
    c = config(normalization="none", model__normalize=False)
    weights = {
        "embed.weight": torch.eye(DIM), "embed.bias": torch.full((DIM,), 4096.0),
        "classify.weight": torch.zeros(4, DIM), "classify.bias": torch.zeros(4),
    }  # fmt: skip
    state = {f"k{k}.{name}": value[None] for k in (1, 2) for name, value in weights.items()}
    split = data.splits[0]
    assert len(split.test) > 25  # where torch.cdist turns to products of its own accord
    for p in emofsl.predict(c, data, state, "cpu"):
        support = split.support[p.k, 0]
        y, shots = data.targets(support), data.x[data.rows(support)].astype(float)
        means = np.stack([shots[y == label].mean(0) for label in range(4)])
        expected = -np.linalg.norm(data.x[data.rows(split.test)].astype(float)[:, None] - means, axis=-1)
        np.testing.assert_allclose(p.scores, expected, rtol=0, atol=5e-3)


def test_classifier_scores_are_its_posteriors():
    data = make_run_data()
    c = config("btl", predictor="classifier")
    state, _ = adapt(blind(data), "btl")
    for p in emofsl.predict(c, data, state, "cpu"):
        fold = int(p.split[-1])
        x = data.normalized(data.splits[fold], "source")
        w = {n[3:]: v[2 * fold + p.draw].numpy() for n, v in state.items() if n.startswith(f"k{p.k}.")}
        for utt, scores in zip(p.utts, p.scores, strict=True):
            z = slow_embedding(w, x[data.utts.index(utt)], normalize=False)
            e = np.exp(w["classify.weight"] @ z + w["classify.bias"])
            assert scores == pytest.approx(e / e.sum(), abs=1e-5)


def test_source_model_predicts_by_its_classifier_without_a_support_set():
    data = make_run_data()
    state, _ = train_source(data)
    predictions = emofsl.predict(config("source_only"), data, state, "cpu")
    assert [(p.split, p.k, p.draw) for p in predictions] == [("fold0", 0, 0), ("fold1", 0, 0)]
    w = {name: value[0].numpy() for name, value in state.items()}
    for p, split in zip(predictions, data.splits, strict=True):
        x = data.normalized(split, "source")
        for utt, scores in zip(p.utts, p.scores, strict=True):
            e = np.exp(w["classify.weight"] @ slow_embedding(w, x[data.utts.index(utt)], False) + w["classify.bias"])
            assert scores == pytest.approx(e / e.sum(), abs=1e-5)


def test_prediction_never_looks_at_reference_labels():
    data = make_run_data()
    c, (state, _) = config(), adapt(blind(data))
    lied = [dataclasses.replace(s, test=dict.fromkeys(s.test, "angry")) for s in data.splits]
    both = [emofsl.predict(c, d, state, "cpu") for d in (data, dataclasses.replace(data, splits=lied))]
    assert all(np.array_equal(p.scores, q.scores) for p, q in zip(*both, strict=True))


def test_adaptation_helps_on_a_shifted_corpus():
    """Without a shift of features between corpora there would be nothing to adapt to."""
    data = make_run_data(per_class=8)
    source = train_source(data, normalization="none", source__epochs=20)[0]

    def mean_uar(c, state):
        uars = []
        for p in emofsl.predict(c, data, state, "cpu"):
            true = data.targets(next(s for s in data.splits if s.name == p.split).test)
            uars += [uar(true, p.scores.argmax(1))] if p.k in (0, 2) else []
        return np.mean(uars)

    before = mean_uar(config("source_only", normalization="none"), source)
    c = config(normalization="none", adapt__epochs=30)
    assert mean_uar(c, emofsl.train(c, blind(data), 1, source, JOB)[0]) > before + 0.05


# ---- Words and refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how, words",
    [
        ("none", set()),
        ("source", set()),
        ("corpus", {"unlabelled-train"}),
        ("speaker", {"unlabelled-train", "unlabelled-test"}),
    ],
)
def test_target_data_is_told(how, words):
    assert emofsl.target_data(config("source_only", normalization=how)) == words
    for objective in TARGET_OBJECTIVES:
        assert emofsl.target_data(config(objective, normalization=how)) == words | {"k-shot"}


@pytest.mark.parametrize("classes", [("angry", "happy", "sad"), ("happy", "angry", "neutral", "sad"),
                                     ("angry", "calm", "neutral", "sad")])  # fmt: skip
def test_equation_2_is_refused_for_other_classes(classes):
    data = blind(make_run_data(classes=classes))
    words = f"Eq. 2 is about angry, happy, neutral, sad, found {', '.join(classes)}"
    with pytest.raises(ConfigError, match=words):
        emofsl.train(config(), data, 1, {}, JOB)


@pytest.mark.parametrize("objective", TARGET_OBJECTIVES)
def test_adaptation_without_a_source_model_is_refused(objective):
    with pytest.raises(ConfigError, match=f"objective '{objective}' starts from a source model; set 'init'"):
        emofsl.train(config(objective), blind(make_run_data()), 1, None, JOB)
