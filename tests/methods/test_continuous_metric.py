"""Continuous metric learning against a plain loop over one model, one batch and one pair loss at a time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from ser.config import load
from ser.errors import DataError
from ser.losses import ContinuousMetricLoss
from ser.methods import continuous_metric
from ser.methods.base import Job
from ser.methods.continuous_metric import Config, standardized, train_together
from ser.nn import DenoisingAutoencoder
from ser.randomness import seed_of
from ser.splits.lists import Split
from ser.training.run_data import RunData

CONF = Path(__file__).parents[2] / "conf" / "methods" / "continuous_metric.yaml"
JOB = Job("cpu", Path("never written"))
CLASSES = ["angry", "neutral", "sad"]
DIM = 7


def config(**changes: Any) -> Config:
    values = load(CONF, Config).model_dump()
    values |= {
        "model": {"hidden": [5, 4], "latent": 2, "noise": 0.5},
        "optimizer": {"lr": 0.01, "epochs": 3, "batch_size": 8},
    }
    for path, value in changes.items():
        *keys, last = path.split("__")
        inner = values
        for key in keys:
            inner = inner[key]
        inner[last] = value
    return Config(**values)


def run_data() -> RunData:
    """Three corpora; `src` in two folds of unlike size, `t` with folds of its own, `u` without ratings."""
    rng = np.random.default_rng(3)
    utts = [
        f"{corpus}-{s}-{i}" for corpus, n in (("src", 30), ("t", 20), ("u", 9)) for i in range(n) for s in [i % 3]
    ]
    label = {utt: CLASSES[i % 3] for i, utt in enumerate(utts)}
    level = {
        utt: 1 + 2.0 * CLASSES.index(label[utt]) - rng.integers(0, 2) / 2 * CLASSES.index(label[utt]) for utt in utts
    }
    x = np.array([rng.normal(size=DIM) + level[utt] * np.linspace(-1, 1, DIM) for utt in utts], dtype=np.float32)
    x[30:50] *= 3  # of another corpus, another scale
    src, t, u = ([utt for utt in utts if utt.startswith(f"{c}-")] for c in ("src", "t", "u"))
    of = lambda some: {utt: label[utt] for utt in some}  # noqa: E731
    splits = [
        Split("fold1", of(src[11:]), {}, [*t, *u], of([*src[:11], *t, *u])),
        Split("fold2", of(src[:17]), {}, [*t, *u], of([*src[17:], *t, *u])),
        Split("t.fold1", {}, {}, [], of(t[:8]), labelled=of(t[8:])),
        Split("u.fold1", {}, {}, [], of(u[:3]), labelled=of(u[3:])),
    ]
    ratings = {
        "activation": {utt: level[utt] for utt in [*src, *t] if utt != src[20]},
        "valence": {utt: 6 - level[utt] / 2 for utt in [*src, *t]},
    }
    speakers = [utt.rpartition("-")[0] for utt in utts]
    return RunData(utts, x, speakers, splits, CLASSES, ratings=ratings)


def blind(data: RunData) -> RunData:
    return dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])


def train_plainly(c: Config, data: RunData, split: Split, seed: int) -> tuple[DenoisingAutoencoder, list[float]]:
    """Train one model as the paper's text reads, drawing what the batched code draws."""
    x = torch.from_numpy(data.normalized(split, c.normalization)[data.rows(split.train or split.labelled)])
    model = DenoisingAutoencoder(DIM, c.model.hidden, c.model.latent, seed=seed_of("init", seed, split.name))
    optimizer = torch.optim.Adam(model.parameters(), lr=c.optimizer.lr)
    order = torch.Generator().manual_seed(seed_of("order", seed, split.name))
    noise = torch.Generator().manual_seed(seed_of("noise", seed))
    rating = data.ratings.get(c.loss.metric, {})
    labels = torch.tensor([rating.get(utt, torch.nan) for utt in (split.train or split.labelled)])
    history = []
    for _ in range(c.optimizer.epochs):
        losses = []
        for rows in torch.randperm(len(x), generator=order).split(c.optimizer.batch_size):
            n = torch.randn(c.optimizer.batch_size, DIM, generator=noise)[: len(rows)]
            z, decoded = model(x[rows] + c.model.noise * n)
            square = (decoded - x[rows]).square()
            loss = square.mean() if c.loss.reconstruction == "mean" else square.sum(1).mean()
            if c.loss.metric != "none":
                rated = ~labels[rows].isnan()
                metric = ContinuousMetricLoss(c.loss.distance, c.loss.pairs, c.loss.divide_by_dim)
                if c.loss.pairs == "all":
                    loss = loss + c.loss.weight * metric(z[rated], labels[rows][rated])
                else:
                    loss = loss + c.loss.weight * metric(z, labels[rows])
                loss = loss.log() if c.loss.log_total else loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
    return model, history


RUNS = [
    (config(), 1),
    (config(loss__metric="activation"), 1),
    (config(loss__metric="activation"), 2),
    (config(loss__metric="valence", loss__distance="signed_mean", loss__log_total=True), 1),
    (config(loss__metric="valence", loss__pairs="consecutive", loss__weight=0.3, optimizer__lr=1e-3), 1),
    (config(loss__metric="activation", loss__divide_by_dim=False, optimizer__epochs=5), 1),
    (config(loss__reconstruction="sum", normalization="source", optimizer__batch_size=16), 2),
    (config(loss__metric="valence", train_on="labelled", model__noise=0.0), 1),
    (config(model__hidden=[6], optimizer__epochs=2), 1),
]


def test_every_model_of_a_table_becomes_what_it_becomes_alone():
    data = run_data()
    results = train_together(RUNS, blind(data), "cpu")
    for (c, seed), (state, history) in zip(RUNS, results, strict=True):
        splits = [data.splits[2]] if c.train_on == "labelled" else data.splits[:2]
        assert len(state["svc.bias"]) == len(splits)
        for i, split in enumerate(splits):
            model, losses = train_plainly(c, data, split, seed)
            for name, value in model.state_dict().items():
                torch.testing.assert_close(state[name][i], value, rtol=2e-4, atol=2e-5)
            own = [row for row in history if row["split"] == split.name]
            assert [row["epoch"] for row in own] == list(range(1, c.optimizer.epochs + 1))
            assert [row["loss"] for row in own] == pytest.approx(losses, rel=1e-4)


def test_alone_a_row_becomes_the_same_as_beside_others():
    data = blind(run_data())
    together = train_together(RUNS, data, "cpu")
    for (c, seed), (state, _) in zip(RUNS[1:4], together[1:4], strict=True):
        alone, _ = continuous_metric.train(c, data, seed, None, JOB)
        assert alone.keys() == state.keys()
        for name in state:
            torch.testing.assert_close(alone[name], state[name], rtol=1e-4, atol=1e-5)


def test_predictions_are_those_of_an_svc_on_the_latent_space_of_each_fold():
    data, c = run_data(), config(loss__metric="activation")
    state, _ = continuous_metric.train(c, blind(data), 1, None, JOB)
    predictions = continuous_metric.predict(c, data, state, "cpu")
    assert [p.split for p in predictions] == ["fold1", "fold2"]
    for p, split in zip(predictions, data.splits, strict=False):
        model, _ = train_plainly(c, data, split, 1)
        x = torch.from_numpy(data.normalized(split, "corpus"))
        with torch.no_grad():
            z_train, z = model.encode(x[data.rows(split.train)]), model.encode(x[data.rows(split.test)])
        torch.testing.assert_close(torch.from_numpy(p.latent), z, rtol=1e-3, atol=1e-4)
        svc = SVC(kernel="linear").fit(z_train.double().numpy(), list(split.train.values()))
        agree = np.array(CLASSES)[p.scores.argmax(1)] == svc.predict(z.double().numpy())
        assert agree.mean() > 0.95  # but for utterances on a border


def test_noise_at_test_time_is_an_option():
    data, c = run_data(), config()
    state, _ = continuous_metric.train(c, blind(data), 1, None, JOB)
    clean, again = (continuous_metric.predict(c, data, state, "cpu") for _ in range(2))
    noisy = continuous_metric.predict(config(noisy_test=True), data, state, "cpu")
    torch.testing.assert_close(clean[0].latent, again[0].latent)
    split = data.splits[0]
    x = torch.from_numpy(data.normalized(split, "corpus")[data.rows(split.test)])
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed_of("test noise", "fold1")))
    expected = train_plainly(c, data, split, 1)[0].encode(x + c.model.noise * noise).detach().numpy()
    torch.testing.assert_close(noisy[0].latent, expected, rtol=1e-3, atol=1e-4)
    assert np.abs(expected - clean[0].latent).max() > 0.01


# ---- Features and outliers -------------------------------------------------------------------------------------


def with_outlier() -> RunData:
    """One training utterance of the source and one of `t` have a value far from all others."""
    data = run_data()
    x = data.x.copy()
    for utt in ("src-1-13", "t-0-3"):
        x[data.utts.index(utt), 2] = 1e6
    return dataclasses.replace(data, x=x)


def test_outliers_are_left_out_of_training_statistics_and_ratings():
    data = with_outlier()
    split, limit = data.splits[0], 3.0  # of 19 utterances none can be further out than 4.1 deviations
    x, left_out = standardized(config(outliers__deviations=limit), data, split)
    assert [utt for utt, out in zip(data.utts, left_out.tolist(), strict=True) if out] == ["src-1-13", "t-0-3"]
    rest = [utt for utt in split.train if utt != "src-1-13"]
    own = data.x[data.rows(rest)]
    expected = (data.x[data.rows(rest)] - own.mean(0)) / own.std(0)
    torch.testing.assert_close(x[data.rows(rest)], expected)  # what is kept is not clipped
    others = [utt for utt in split.adapt if utt.startswith("t-") and utt != "t-0-3"]
    of_t = data.x[data.rows(others)]
    expected = (of_t - of_t.mean(0)) / of_t.std(0)
    torch.testing.assert_close(x[data.rows(others)], expected)
    assert x[data.rows(["src-1-13"])[0], 2] == limit  # what the classifier sees of it

    c = config(outliers__deviations=limit, loss__metric="activation")
    state, _ = continuous_metric.train(c, blind(data), 1, None, JOB)
    fold1 = continuous_metric.predict(c, data, state, "cpu")[0]
    is_nan = np.isnan(fold1.latent).any(1).tolist()
    assert [utt for utt, nan in zip(fold1.utts, is_nan, strict=True) if nan] == ["t-0-3"]
    assert np.isfinite(fold1.scores).all()


def test_outliers_may_be_clipped_or_kept():
    data = with_outlier()
    split = data.splits[0]
    plain = data.normalized(split, "corpus")
    for what, expected in (("clip", plain.clip(-3, 3)), ("keep", plain)):
        x, left_out = standardized(config(outliers__what=what, outliers__deviations=3.0), data, split)
        torch.testing.assert_close(x, expected)
        assert not left_out.any()


def test_ratings_of_tested_utterances_change_nothing_that_is_trained():
    """Ratings of tested utterances change nothing of what is trained."""
    data, c = run_data(), config(loss__metric="activation")
    changed = {
        name: {u: 1.0 if u.startswith("t-") else r for u, r in of.items()} for name, of in data.ratings.items()
    }
    one, _ = continuous_metric.train(c, data, 1, None, JOB)
    other, _ = continuous_metric.train(c, dataclasses.replace(data, ratings=changed), 1, None, JOB)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_missing_ratings_are_told():
    data = dataclasses.replace(run_data(), ratings={"activation": {}, "valence": {}})
    with pytest.raises(
        DataError, match="activation: src has no ratings; get them with utils/download_corpus.sh das2022"
    ):
        continuous_metric.train(config(loss__metric="activation"), data, 1, None, JOB)


def test_the_shared_settings_are_the_paper_s():
    c = load(CONF, Config)
    assert (c.model.hidden, c.model.latent, c.model.noise) == ([40, 20, 10], 2, 1.0)
    assert (c.optimizer.lr, c.optimizer.epochs, c.optimizer.batch_size) == (1e-4, 100, 64)
    assert (c.loss.distance, c.loss.pairs, c.loss.divide_by_dim, c.loss.log_total) == (
        "euclidean",
        "all",
        True,
        False,
    )
    assert (c.outliers.what, c.outliers.deviations, c.svc_cost) == ("drop", 10.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "seen"),
    [({}, {"unlabelled-train"}), ({"normalization": "source"}, set()), ({"train_on": "labelled"}, {"labelled"})],
)
def test_tells_what_it_sees_of_the_target(changes, seen):
    assert continuous_metric.target_data(config(**changes)) == seen
    assert continuous_metric.target_data(config(**changes), is_source=True) == {"labelled"}
