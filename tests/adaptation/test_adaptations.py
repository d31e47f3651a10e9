"""Adaptations: statistics by blocks, CORAL by hand, subspaces by a slow rewrite, and a new one as one file."""

from __future__ import annotations

import re

import numpy as np
import pytest

import ser.adaptation
from ser.adaptation import coral, corpus, subspace
from ser.adaptation.base import ALL, Seen, covariances, find, mean_and_deviation, names
from ser.config import build
from ser.errors import ConfigError
from ser.methods import emofsl, linear_svc, logistic_regression
from ser.methods.base import Job
from tests.methods import test_emofsl, test_logistic_regression
from tests.training.run_data import make_run_data


def seen_of(source: np.ndarray, target: np.ndarray, n_blocks: int = 1) -> Seen:
    """Let utterance s or t stand for all of source or target."""
    x = {"s": source, "t": target}

    def blocks(utts):
        return (block for utt in utts for block in np.array_split(x[utt], n_blocks))

    return Seen(["s"], {"tgt": ["t"]}, {"tgt": ["t"]}, {}, blocks)


def random(n: int, dim: int, seed: int) -> np.ndarray:
    """Draw correlated numbers, shifted and scaled."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim))
    return (3 * mixed + rng.normal(size=dim)).astype(np.float32)


def correlation(x: np.ndarray) -> np.ndarray:
    return np.corrcoef(x.astype(np.float64).T)


# ---- Statistics ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, -13.8, 1e3])
@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_statistics_of_blocks_equal_those_of_all_at_once(shape, shift):
    rng = np.random.default_rng(0)
    blocks = [(rng.normal(size=(n, *shape)) + shift).astype(np.float32) for n in (1, 2, 5, 3)]
    together = np.concatenate([block.reshape(-1, 3) for block in blocks]).astype(np.float64)
    mean, deviation = mean_and_deviation(blocks)
    assert mean == pytest.approx(together.mean(0), rel=1e-6, abs=1e-7)
    assert deviation == pytest.approx(together.std(0), rel=1e-6)


def test_one_block_has_numpy_s_own_digits():
    x = random(1000, 7, 0)
    expected = [x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)]
    assert np.array_equal(mean_and_deviation([x]), np.stack(expected).astype(np.float32))


def test_a_group_without_statistics_of_its_own_has_those_of_all():
    state = {ALL: np.array([[1.0], [2.0]], np.float32), "a": np.array([[3.0], [4.0]], np.float32)}
    x = np.array([[7.0]], np.float32)
    assert [corpus.apply(state, x, group).item() for group in ("a", "b", ALL)] == [1.0, 3.0, 3.0]


# ---- CORAL -----------------------------------------------------------------------------------------------------


def test_coral_by_hand():
    """Correlations 0 and 0.6: C_S + I = 2 I, and C_T + I has the values 2.6 and 1.4 along (1, 1) and (1, -1)."""
    source = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], np.float32)
    target = np.array([[2, 2]] * 4 + [[-2, -2]] * 4 + [[2, -2], [-2, 2]], np.float32)  # 0.8 - 0.2 = 0.6
    state = coral.fit(seen_of(source, target))
    same, other = (np.sqrt(1.3) + np.sqrt(0.7)) / 2, (np.sqrt(1.3) - np.sqrt(0.7)) / 2
    assert state[coral.COLORING] == pytest.approx(np.array([[same, other], [other, same]]), abs=1e-6)
    assert coral.apply(state, source[:2], "src") == pytest.approx(
        np.array([[same + other] * 2, [same - other, other - same]]), abs=1e-6
    )
    assert np.array_equal(coral.apply(state, target, "tgt"), target / 2)


def test_without_shrinkage_the_source_gets_the_covariance_of_the_target(monkeypatch):
    monkeypatch.setattr(coral, "SHRINKAGE", 0.0)
    source, target = random(400, 5, 0), random(300, 5, 1)
    aligned = coral.apply(coral.fit(seen_of(source, target)), source, "src")
    assert not np.allclose(correlation(source), correlation(target), atol=0.2)
    assert np.cov(aligned.T, bias=True) == pytest.approx(correlation(target), abs=1e-4)


def test_with_shrinkage_the_shrunk_covariances_are_aligned():
    source, target = random(400, 5, 0), random(300, 5, 1)
    a = coral.fit(seen_of(source, target))[coral.COLORING].astype(np.float64)
    assert a.T @ (correlation(source) + np.eye(5)) @ a == pytest.approx(correlation(target) + np.eye(5), abs=1e-4)


@pytest.mark.parametrize("how", ["coral", "subspace"])
def test_nothing_is_turned_where_source_and_target_are_the_same(how, monkeypatch):
    monkeypatch.setattr(subspace, "KEPT_VARIANCE", 1.0)
    x = random(200, 4, 0)
    state = find(how).fit(seen_of(x, x))
    for group in ("src", "tgt"):
        assert find(how).apply(state, x, group) == pytest.approx((x - x.mean(0)) / x.std(0), abs=1e-4)


@pytest.mark.parametrize("how", ["coral", "subspace"])
def test_blocks_do_not_matter_and_a_dead_dimension_stays_zero(how):
    source, target = random(60, 4, 0), random(50, 4, 1)
    source[:, 2] = 0.25
    whole, parts = (find(how).fit(seen_of(source, target, n)) for n in (1, 7))
    for group, x in (("src", source), ("tgt", target)):
        adapted = find(how).apply(whole, x, group)
        assert np.isfinite(adapted).all() and adapted.dtype == np.float32
        assert find(how).apply(parts, x, group) == pytest.approx(adapted, abs=1e-4)


@pytest.mark.parametrize("how", ["coral", "subspace"])
def test_no_target_is_an_error_that_says_what_to_do(how):
    seen = seen_of(random(9, 2, 0), random(9, 2, 1))
    with pytest.raises(ConfigError, match="unlabelled audio of the target, and the protocol lists none; set adapt"):
        find(how).fit(Seen(seen.source, {}, {}, {}, seen.blocks))


def test_each_target_corpus_is_standardized_by_itself():
    x = {"s": random(50, 3, 0), "t1": random(40, 3, 1), "t2": random(30, 3, 2) + 9}
    target = {"one": ["t1"], "two": ["t2"]}
    state, _, c_t = covariances(Seen(["s"], target, target, {}, lambda utts: [x[utt] for utt in utts]))
    assert set(state) == {ALL, "one", "two"}
    assert c_t == pytest.approx((40 * correlation(x["t1"]) + 30 * correlation(x["t2"])) / 70, abs=1e-5)


# ---- Subspace alignment ----------------------------------------------------------------------------------------


def test_subspace_alignment_equals_a_slow_rewrite():
    """Fernando et al. 2013, Algorithm 1, with PCA by a singular value decomposition."""
    source, target = random(80, 6, 3), random(70, 6, 4)
    z_s, z_t = ((x - x.mean(0)) / x.std(0) for x in (source.astype(np.float64), target.astype(np.float64)))
    _, values, v_s = np.linalg.svd(z_s, full_matrices=False)
    d = next(d for d in range(1, 7) if (values[:d] ** 2).sum() >= 0.95 * (values**2).sum())
    assert 1 < d < 6
    x_s, x_t = v_s[:d].T, np.linalg.svd(z_t, full_matrices=False)[2][:d].T
    seen_source, seen_target = z_s @ x_s @ (x_s.T @ x_t), z_t @ x_t
    state = subspace.fit(seen_of(source, target))
    found_source, found_target = subspace.apply(state, source, "src"), subspace.apply(state, target, "tgt")
    assert state[subspace.TARGET].shape == (6, d)
    assert found_source @ found_target.T == pytest.approx(seen_source @ seen_target.T, abs=1e-3)
    assert found_source @ found_source.T == pytest.approx(seen_source @ seen_source.T, abs=1e-3)


def test_few_target_utterances_span_few_directions():
    state = subspace.fit(seen_of(random(80, 6, 3), random(3, 6, 4)))
    assert state[subspace.TARGET].shape == (6, 2)  # three utterances without their mean


# ---- In methods, and a new one as one file ---------------------------------------------------------------------

MINE = '''
"""Features without the mean of the target."""
from ser.adaptation.base import ALL, mean_and_deviation

SEES = frozenset({"unlabelled-train"})
GROUP = "corpus"

def fit(seen):
    return {name: mean_and_deviation(seen.blocks(utts))[:1] for name, utts in seen.target.items()}

def apply(state, x, group):
    return x - state[group] if group in state else x
'''


@pytest.fixture
def mine(tmp_path, monkeypatch) -> str:
    """Put a file into the package, as far as Python knows."""
    (tmp_path / "less_target.py").write_text(MINE)
    monkeypatch.setattr(ser.adaptation, "__path__", [*ser.adaptation.__path__, str(tmp_path)])
    return "less_target"


def test_a_file_is_an_adaptation_by_its_name(mine, tmp_path):
    assert names() == sorted(["none", "source", "corpus", "speaker", "coral", "subspace", mine])
    data = make_run_data()
    split = data.splits[0]
    x = data.normalized(split, mine)
    adapt, train = data.rows(split.adapt), data.rows(split.train)
    assert x[adapt] == pytest.approx(data.x[adapt] - data.x[adapt].mean(0), abs=1e-5)
    assert np.array_equal(x[train], data.x[train])
    job = Job("cpu", tmp_path)
    svc = linear_svc.Config(method="linear_svc", train_on="source", normalization=mine, cost=1.0)
    regression = test_logistic_regression.config(train_on="source", normalization=mine)
    few_shot = test_emofsl.config("source_only", normalization=mine)
    for method, config in ((linear_svc, svc), (logistic_regression, regression), (emofsl, few_shot)):
        state, _ = method.train(config, data, 1, None, job)
        scores = [p.scores for p in method.predict(config, data, state, "cpu")]
        assert len(scores) == 2 and all(np.isfinite(s).all() for s in scores)
        assert any(word.startswith("unlabelled") for word in method.target_data(config))


def test_an_unknown_adaptation_gets_the_nearest_match():
    values = {"method": "linear_svc", "train_on": "source", "normalization": "corall", "cost": 1.0}
    expected = "x.yaml: normalization: unknown 'corall'; did you mean 'coral'? known: coral, corpus, none, source, sp"
    with pytest.raises(ConfigError, match=re.escape(expected)):
        build(linear_svc.Config, values, "x.yaml")


@pytest.mark.parametrize("how", ["coral", "subspace"])
def test_logistic_regression_is_fitted_on_adapted_features(how, tmp_path):
    """Its weights are scikit-learn's on what the adaptation gives, with no further scaling."""
    from sklearn.linear_model import LogisticRegression

    data = make_run_data()
    config = test_logistic_regression.config(train_on="source", normalization=how)
    state, _ = logistic_regression.train(config, data, 1, None, Job("cpu", tmp_path))
    predictions = logistic_regression.predict(config, data, state, "cpu")
    for split, p in zip(data.splits, predictions, strict=True):
        x = data.normalized(split, how)
        model = LogisticRegression(C=config.inverse_penalty, max_iter=1000)
        model.fit(x[data.rows(split.train)], data.targets(split.train))
        assert p.scores == pytest.approx(model.predict_proba(x[data.rows(split.test)]), abs=1e-4)
