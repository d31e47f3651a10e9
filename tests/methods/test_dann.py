"""Domain-adversarial training on vectors: a plain rewrite, what the adversary does, and what a row may see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ser.config import load
from ser.errors import ConfigError
from ser.methods import dann
from ser.methods.base import Job
from ser.nn.embedding_classifier import EmbeddingClassifier
from ser.randomness import seed_of
from ser.training.domain_batches import DomainBatches
from ser.training.run_data import RunData, class_weight
from tests.training.run_data import make_run_data

JOB = Job("cpu", Path("never written"))
CONF = Path(__file__).parents[2] / "conf" / "methods" / "dann.yaml"


def config(*overrides: str) -> dann.Config:
    return load(CONF, dann.Config, ["hidden=8", "epochs=4", "batch_size=16", *overrides])


def make_data(**settings) -> RunData:
    data = make_run_data(**settings)
    speakers = dict(zip(data.utts, data.speakers, strict=True))
    corpus = {utt: utt.split("-")[0] for utt in data.utts}
    gender = {utt: "fm"[int(speaker[-1]) % 2] for utt, speaker in speakers.items()}
    return replace(data, factors={"speaker": speakers, "corpus": corpus, "gender": gender, "language": corpus})


DATA = make_data()


def test_without_an_adversary_it_is_a_classifier_of_the_source():
    """gamma = 0: the same batches, classes weighted by frequency, and the first of the best dev epochs."""
    c = config("loss.gamma=0.0")
    state, history = dann.train(c, DATA, 3, None, JOB)
    split = DATA.splits[0]
    model = EmbeddingClassifier(DATA.x.shape[1], 8, 4, seed_of("init", 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x = torch.from_numpy(DATA.normalized(split, "corpus"))
    row = {utt: i for i, utt in enumerate(DATA.utts)}
    weight = torch.from_numpy(class_weight(DATA.targets(split.train), 4))
    batches, kept, best = DomainBatches([list(split.train)], [split.adapt], 16, 3), None, -1.0
    for epoch in range(4):
        for number in range(batches.n_batches):
            utts = batches.of(epoch, number)[0]
            y = torch.from_numpy(DATA.targets({utt: split.train[utt] for utt in utts}))
            loss = torch.nn.functional.cross_entropy(model(x[[row[u] for u in utts]])[1], y, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        guess = model(x[[row[u] for u in split.dev]])[1].argmax(1).numpy()
        y_dev = DATA.targets(split.dev)
        uar = np.mean([(guess == c)[y_dev == c].mean() for c in range(4)])
        assert history[epoch]["dev_uar"] == pytest.approx(uar)
        if uar > best:
            best, kept = uar, {name: value.clone() for name, value in model.state_dict().items()}
    for name, value in kept.items():
        torch.testing.assert_close(state[f"0.{name}"], value, rtol=1e-4, atol=1e-5)
    (first, _) = dann.predict(c, DATA, state, "cpu")
    model.load_state_dict(kept)
    expected = model(x[[row[u] for u in split.test]])[1].softmax(1).detach().numpy()
    assert first.scores == pytest.approx(expected, abs=1e-4) and first.are_posteriors


def test_an_adversary_makes_corpora_harder_to_tell_apart():
    data, found = make_data(per_class=12), {}
    for gamma in (0.0, 3.0):
        c = config(f"loss.gamma={gamma}", "loss.gamma_schedule=constant", "normalization=none", "epochs=60")
        state, _ = dann.train(c, data, 1, None, JOB)
        h = np.maximum(data.x @ state["0.embed.weight"].numpy().T + state["0.embed.bias"].numpy(), 0)
        own = data.rows([*data.splits[0].train, *data.splits[0].adapt])
        y = [data.utts[i].split("-")[0] for i in own]
        h = (h[own] - h[own].mean(0)) / (h[own].std(0) + 1e-6)
        found[gamma] = LogisticRegression(C=0.01).fit(h, y).score(h, y)
    assert found[3.0] < found[0.0] - 0.05


@pytest.mark.parametrize("how", ["corpus", "speaker"])
def test_labels_of_the_target_have_no_part_in_it(how):
    c = config(f"normalization={how}", "domains=[gender, language, corpus]", "loss.center=true")
    wrong = [replace(s, support={}, labelled={}, test=dict.fromkeys(s.test, "sad")) for s in DATA.splits]
    both = [dann.train(c, replace(DATA, splits=splits), 1, None, JOB)[0] for splits in (DATA.splits, wrong)]
    assert both[0].keys() == both[1].keys() and all(torch.equal(both[0][name], both[1][name]) for name in both[0])
    assert dann.target_data(c) == {"unlabelled-train", *["unlabelled-test"] * (how == "speaker")}
    assert dann.trained_on(c, DATA.splits[0]) == DATA.splits[0].train


def test_a_model_is_shared_by_splits_with_the_same_lists():
    data = replace(DATA, splits=[*DATA.splits, replace(DATA.splits[0], name="again")])
    state, history = dann.train(config(), data, 1, None, JOB)
    assert {name.split(".")[0] for name in state} == {"0", "1"}
    assert len(history) == 2 * 4
    first, _, again = dann.predict(config(), data, state, "cpu")
    assert again.split == "again" and np.array_equal(first.scores, again.scores)


def test_a_factor_with_one_domain_has_no_head_and_is_noted():
    one = replace(DATA, factors={**DATA.factors, "language": dict.fromkeys(DATA.utts, "de")})
    _, history = dann.train(config("domains=[language, corpus]"), one, 1, None, JOB)
    assert history[0]["left_out"] == "language: de alone"


def test_center_loss_draws_classes_together():
    spread = {}
    for center in ("false", "true"):
        c = config(f"loss.center={center}", "epochs=40", "loss.lambda_=0.2", "loss.gamma=0.0")
        state, _ = dann.train(c, DATA, 1, None, JOB)
        split = DATA.splits[0]
        x = torch.from_numpy(DATA.normalized(split, "corpus", utts=split.train))
        h = torch.relu(x @ state["0.embed.weight"].T + state["0.embed.bias"]).numpy()
        y = DATA.targets(split.train)
        within = sum(((h[y == c] - h[y == c].mean(0)) ** 2).sum() for c in range(4))
        spread[center] = within / ((h - h.mean(0)) ** 2).sum()
    assert spread["true"] < spread["false"]


def test_a_protocol_without_unlabelled_audio_is_refused_in_a_sentence():
    bare = replace(DATA, splits=[replace(split, adapt=[]) for split in DATA.splits])
    with pytest.raises(ConfigError, match="dann: its domains need unlabelled audio of the target.*set adapt in"):
        dann.train(config(), bare, 1, None, JOB)


def test_a_factor_twice_is_refused():
    with pytest.raises(ConfigError, match="a factor appears twice in corpus, corpus"):
        config("domains=[corpus, corpus]")
