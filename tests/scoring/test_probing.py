"""What embeddings tell of domains: where one factor is known and another is not; a plane that keeps neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from ser.metrics.domain import domain_probe, proxy_a_distance
from ser.scoring.probing import domain_measures, embedded_utts, plane, plane_table
from ser.splits.lists import Split

SPEAKERS = [f"{corpus}-{i}" for corpus in ("a", "b") for i in range(6)]
UTTS = [f"{speaker}-{i:02}" for speaker in SPEAKERS for i in range(10)]
SPEAKER = {utt: utt.rpartition("-")[0] for utt in UTTS}
FACTORS = {
    "speaker": SPEAKER,
    "gender": {utt: "fm"[int(speaker[-1]) % 2] for utt, speaker in SPEAKER.items()},
    "language": {},
    "corpus": {utt: utt[0] for utt in UTTS},
}


def embeddings(corpus: float) -> np.ndarray:
    """Draw noise, with the corpus in the first of eight dimensions."""
    h = np.random.default_rng(0).normal(size=(len(UTTS), 8))
    h[:, 0] += corpus * np.array([utt[0] == "b" for utt in UTTS])
    return h


@pytest.fixture
def split() -> Split:
    label = {utt: "high" if int(utt[-1]) % 2 else "low" for utt in UTTS}
    of = {name: {utt: label[utt] for utt in UTTS if utt[:3] in speakers} for name, speakers in PARTS.items()}
    return Split("all", of["train"], of["dev"], [], of["test"])


PARTS = {"train": SPEAKERS[:5], "dev": SPEAKERS[5:6], "test": SPEAKERS[6:]}


def test_measures_are_those_of_the_metrics_on_the_known_domains():
    h = embeddings(corpus=10)
    found = domain_measures(h, UTTS, FACTORS, {"a"})
    speakers = np.array(list(SPEAKER.values()))
    corpora = np.array(list(FACTORS["corpus"].values()))
    genders = list(FACTORS["gender"].values())
    assert found["n_utts"] == 120
    assert found["probes"] == {  # nothing is known of the language
        "speaker": {"uar": domain_probe(h, speakers).balanced_accuracy, "chance": 1 / 12},
        "gender": {"uar": domain_probe(h, genders, speakers).balanced_accuracy, "chance": 0.5},
        "corpus": {"uar": 1.0, "chance": 0.5},
    }
    own = [(h[corpora == name], speakers[corpora == name]) for name in "ab"]
    assert found["proxy_a_distance"] == proxy_a_distance(*(x for x, _ in own), *(s for _, s in own)) == 2


def test_a_hidden_corpus_is_read_by_chance_and_one_kind_of_corpora_has_no_distance():
    hidden = domain_measures(embeddings(corpus=0), UTTS, FACTORS, {"a"})
    assert abs(hidden["probes"]["corpus"]["uar"] - 0.5) < 0.12
    assert abs(hidden["proxy_a_distance"]) < 0.5
    assert domain_measures(embeddings(corpus=0), UTTS, FACTORS, {"a", "b"})["proxy_a_distance"] is None


def test_domains_that_cannot_be_probed_are_left_out():
    few = dict(FACTORS, gender={utt: "m" if SPEAKER[utt] == "a-0" else "f" for utt in UTTS})  # one man
    utts = [utt for utt in UTTS if SPEAKER[utt] != "b-5"] + ["b-5-00"]  # one utterance of a speaker
    h = np.stack([row for utt, row in zip(UTTS, embeddings(3), strict=True) if utt in utts])
    found = domain_measures(h, utts, few, {"a"})["probes"]
    assert "gender" not in found
    assert found["speaker"]["chance"] == pytest.approx(1 / 11)


def test_one_speaker_of_the_target_gives_no_distance():
    utts = [utt for utt in UTTS if SPEAKER[utt][0] == "a" or SPEAKER[utt] == "b-5"]
    h = np.stack([row for utt, row in zip(UTTS, embeddings(3), strict=True) if utt in utts])
    assert domain_measures(h, utts, FACTORS, {"a"})["proxy_a_distance"] is None


def test_embedded_are_all_parts_of_a_split_evenly_up_to_a_limit(split, monkeypatch):
    assert embedded_utts(split, 400) == sorted(UTTS)
    chosen = embedded_utts(split, 24)
    assert len(set(chosen)) == 24 < len(UTTS)
    assert [sum(utt.startswith(speaker) for utt in chosen) for speaker in SPEAKERS] == [2] * 12


def test_the_plane_keeps_far_groups_apart_and_names_what_colors_them(split):
    h = embeddings(corpus=30)
    table = plane_table(h, UTTS, split, FACTORS["corpus"], seed=1)
    assert table.columns.tolist() == ["utt_id", "corpus", "class", "x", "y"]
    assert table.loc[13].tolist()[:3] == ["a-1-03", "a", "high"]
    np.testing.assert_array_equal(table[["x", "y"]], plane(h, 1))
    xy, is_b = table[["x", "y"]].to_numpy(), (table["corpus"] == "b").to_numpy()
    distance = np.linalg.norm(xy[:, None] - xy, axis=-1) + 1e9 * np.eye(len(xy))
    assert (is_b[distance.argmin(1)] == is_b).all()  # every nearest neighbour is of the own corpus
