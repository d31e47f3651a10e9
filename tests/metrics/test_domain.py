"""Domain probe and proxy A-distance on embeddings whose best linear classifier is known."""

from __future__ import annotations

import numpy as np
import pytest

from ser.errors import DataError
from ser.metrics.domain import domain_probe, proxy_a_distance


def coin(n: int, share: float) -> np.ndarray:
    """(n, 1) embeddings, exactly `share` of them 1 and the others 0, interleaved."""
    return ((np.arange(n) * share) % 1 >= 1 - share - 1e-9).astype(float)[:, None]


def slow_probe(x, y, n_folds, seed):
    """The probe fold by fold; standardization and recalls in NumPy."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    hits = dict.fromkeys(y, 0)
    for train, test in StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(x, y):
        mean, deviation = x[train].mean(0), x[train].std(0)
        weights = [len(train) / len(hits) / np.sum(y[train] == name) for name in y[train]]
        model = LogisticRegression(C=0.1, max_iter=1000).fit((x[train] - mean) / deviation, y[train], weights)
        for i in test:
            hits[y[i]] += model.predict((x[i : i + 1] - mean) / deviation)[0] == y[i]
    return np.mean([hits[name] / np.sum(y == name) for name in hits])


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_slow_rewrite(seed):
    rng = np.random.default_rng(seed)
    y = rng.choice(["cafe", "emodb", "urdu"], size=60, p=[0.2, 0.3, 0.5])
    x = rng.normal(size=(60, 4)) * [1, 10, 0.1, 1] + 0.5 * (y == "urdu")[:, None]
    probe = domain_probe(x, y, n_folds=4, inverse_penalty=0.1, seed=seed)
    assert probe.balanced_accuracy == pytest.approx(slow_probe(x, y, 4, seed), rel=1e-12)
    assert probe.chance == pytest.approx(1 / 3)
    assert probe == domain_probe(x, y, n_folds=4, inverse_penalty=0.1, seed=seed)


@pytest.mark.parametrize("sizes", [(200, 200), (1800, 200)])
def test_known_overlap_whatever_the_sizes(sizes):
    """One domain is 1 in a quarter of its embeddings, the other in three: no classifier does better than 75 %.

    At 9 to 1 one that minimizes errors would say the first domain only, and be at chance.
    """
    x = np.concatenate([coin(sizes[0], 0.25), coin(sizes[1], 0.75)])
    assert x.mean() == pytest.approx((0.25 * sizes[0] + 0.75 * sizes[1]) / sum(sizes))
    probe = domain_probe(x, np.repeat(["iemocap", "msp_improv"], sizes))
    assert probe == pytest.approx((0.75, 0.5))
    distance = proxy_a_distance(x[: sizes[0]], x[sizes[0] :])
    assert distance == pytest.approx(2 * (1 - 2 * 0.25))  # 1


def test_separable_and_inseparable_domains():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 3)), np.repeat(["a", "b", "c"], 200)
    assert domain_probe(x, y).balanced_accuracy == pytest.approx(1 / 3, abs=0.06)  # sd about 0.02
    apart = x + 20 * np.eye(3)[np.repeat([0, 1, 2], 200)]
    assert domain_probe(apart, y) == pytest.approx((1, 1 / 3))
    assert proxy_a_distance(x[:300], x[300:]) == pytest.approx(0, abs=0.25)
    assert proxy_a_distance(apart[:200], apart[200:400]) == pytest.approx(2)


def test_groups_keep_persons_from_standing_in_for_their_domain():
    """Embeddings that name the speaker and nothing else say all of the gender, unless speakers are held out."""
    speakers = np.repeat(np.arange(10), 20)
    gender = np.where(speakers % 2, "f", "m")
    x = np.eye(10)[speakers]
    assert domain_probe(x, gender).balanced_accuracy == 1
    assert domain_probe(x, gender, speakers).balanced_accuracy <= 0.5
    m, f = gender == "m", gender == "f"
    assert proxy_a_distance(x[m], x[f]) == 2
    assert proxy_a_distance(x[m], x[f], speakers[m], speakers[f]) <= 0


def test_folds_with_groups_are_disjoint_and_their_seed_decides():
    """A gender that shows in the voice is read from unseen speakers too."""
    rng = np.random.default_rng(1)
    speakers = np.array([f"s{i // 20}" for i in range(200)])
    gender = np.array(["m", "f"])[np.arange(200) // 20 % 2]
    x = rng.normal(size=(200, 2)) + (gender == "f")[:, None]
    probes = [domain_probe(x, gender, speakers, seed=seed) for seed in (0, 0, 1)]
    assert probes[0] == probes[1]
    assert probes[0].balanced_accuracy > 0.7 and probes[2].balanced_accuracy > 0.7


def test_units_of_the_embedding_do_not_matter():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(80, 3)), np.repeat([0, 1], 40)
    x[:, 0] += y
    scaled = x * [1e4, 1e-3, 1] + [5e4, 0, -7]
    with_dead_unit = np.concatenate([scaled, np.zeros((80, 1))], axis=1)
    assert domain_probe(x, y) == domain_probe(scaled, y) == domain_probe(with_dead_unit, y)


@pytest.mark.filterwarnings("error")
def test_domains_with_fewer_utterances_than_folds_are_scored_without_a_warning():
    x = np.concatenate([np.zeros(20), np.ones(2)])[:, None]
    assert domain_probe(x, ["many"] * 20 + ["few"] * 2).balanced_accuracy == 1


@pytest.mark.parametrize("n_speakers", [2, 3])
def test_small_corpora_have_fewer_folds(n_speakers):
    """Three utterances of each person, and two or three persons of each gender."""
    speakers = np.arange(6 * n_speakers) // 3
    gender = speakers % 2
    assert domain_probe(np.eye(2)[gender], gender, speakers).balanced_accuracy == 1
    assert domain_probe(np.eye(2 * n_speakers)[speakers], speakers).balanced_accuracy == 1


@pytest.mark.parametrize(
    ("x", "y", "groups", "text"),
    [
        (np.zeros((3, 2)), ["a", "b"], None, r"found \[\(3, 2\), \(2,\)\]"),
        (np.zeros(3), ["a", "b", "b"], None, r"found \[\(3,\), \(3,\)\]"),
        (np.zeros((3, 2)), ["a", "b", "b"], [1], r"found \[\(3, 2\), \(3,\), \(1,\)\]"),
        (np.full((4, 1), np.nan), ["a", "b"] * 2, None, "found NaN or infinity"),
        (np.zeros((4, 1)), ["a"] * 4, None, r"found \['a'\]; leave this factor out"),
        (np.zeros((4, 1)), ["a"] * 3 + ["b"], None, "domain 'b' has 1 utterance"),
        (np.zeros((4, 1)), ["a", "b"] * 2, [1, 2, 3, 2], "domain 'b' has 1 group"),
    ],
)
def test_what_cannot_be_probed_is_refused(x, y, groups, text):
    with pytest.raises(DataError, match=text):
        domain_probe(x, y, groups)


def test_distances_need_sets_of_one_kind():
    with pytest.raises(DataError, match=r"found \(4, 2\) and \(4, 3\)"):
        proxy_a_distance(np.zeros((4, 2)), np.zeros((4, 3)))
    with pytest.raises(DataError, match="for both source and target, or for neither"):
        proxy_a_distance(np.zeros((4, 2)), np.zeros((4, 2)), [1, 2, 3, 4])
