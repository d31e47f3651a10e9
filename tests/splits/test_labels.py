"""Label maps: every word is known, no class vanishes, and full releases give the counts of the papers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import ser
from ser.config import build, load
from ser.corpora import CORPORA
from ser.errors import ConfigError, ProtocolError
from ser.splits.labels import LabelMap
from tests.splits.people import utterance

LABELS = Path(ser.__file__).parents[1] / "conf" / "labels"


def values(**changes: object) -> dict[str, object]:
    of_corpus = {
        "map": {"happy": ["happy", "excited"], "sad": ["sad"]},
        "drop": ["bored"],
        "expected": {"happy": 2, "sad": 1},
    }
    return {"classes": ["happy", "sad"], "corpora": {"c": of_corpus | changes}}


def label_map(**changes: object) -> LabelMap:
    return build(LabelMap, values(**changes), "labels.yaml")


def said(*emotions: str) -> list:
    return [utterance(f"c-s-{i}", emotion) for i, emotion in enumerate(emotions)]


def test_emotions_become_classes_and_dropped_ones_are_left_out():
    labelled = label_map().apply("c", said("excited", "bored", "sad", "happy"), "full")
    assert labelled == {"c-s-0": "happy", "c-s-2": "sad", "c-s-3": "happy"}


def test_an_emotion_that_is_neither_mapped_nor_dropped_is_refused():
    with pytest.raises(ProtocolError, match="corpora.c: emotion 'calm' of 'c-s-1' is neither mapped nor dropped"):
        label_map().apply("c", said("happy", "calm", "sad"), "mini")


def voted(*votes: str | None) -> list:
    return [utterance(f"c-s-{i}", "bored", **({"votes": text} if text else {})) for i, text in enumerate(votes)]


VOTES = voted("happy:2 sad:1", "excited:1 happy:1 sad:2", "happy:1 sad:1", "bored:2 sad:1", None, "bored:3")


def test_plurality_is_over_emotions_and_a_tie_or_nothing_is_unknown():
    """Excited and happy are two emotions, so that sad has the most votes of the second; bored wins the fourth."""
    labelled = label_map(by="plurality", drop=["bored", "unknown"], expected={}).apply("c", VOTES, "full")
    assert labelled == {"c-s-0": "happy", "c-s-1": "sad"}
    with pytest.raises(
        ProtocolError, match="corpora.c: plurality 'unknown' of 'c-s-2' is neither mapped nor dropped"
    ):
        label_map(by="plurality", expected={}).apply("c", VOTES, "full")


def test_a_distribution_is_over_classes_and_decides_the_class():
    """Excited and happy are one class, with as many votes as sad in the second: a tie, which is left out. So is the
    fourth, which most heard as bored."""
    by_shares = label_map(by="distribution", expected={})
    utterances = [*VOTES, *voted("sad:1 bored:1", "excited:1 happy:1 sad:1", "bored:1 sad:2")[-2:]]
    utterances[-2:] = [dataclasses.replace(u, utt_id=f"c-s-{i}") for i, u in enumerate(utterances[-2:], 6)]
    assert by_shares.distributions("c", utterances) == {
        "c-s-0": {"happy": 2 / 3, "sad": 1 / 3},
        "c-s-6": {"happy": 2 / 3, "sad": 1 / 3},
        "c-s-7": {"sad": 1.0},
    }
    assert by_shares.apply("c", utterances, "full") == {"c-s-0": "happy", "c-s-6": "happy", "c-s-7": "sad"}
    assert label_map().distributions("c", VOTES) == {}
    with pytest.raises(
        ProtocolError, match="corpora.c: distribution 'calm' of 'c-s-0' is neither mapped nor dropped"
    ):
        by_shares.apply("c", voted("calm:1 happy:1"), "full")


@pytest.mark.parametrize("emotions", [["happy", "happy"], ["sad"], ["bored"], []])
def test_a_class_without_utterances_is_refused(emotions):
    vanished = "sad" if "happy" in emotions else "happy"
    with pytest.raises(ProtocolError, match=f"corpora.c: class '{vanished}' gets no utterance"):
        label_map().apply("c", said(*emotions), "mini")


def test_counts_are_asserted_of_the_full_release_alone():
    utterances = said("happy", "sad", "sad")
    for release in ("mini", "subset", "own"):
        assert len(label_map().apply("c", utterances, release)) == 3
    with pytest.raises(
        ProtocolError, match="expected {'happy': 2, 'sad': 1} from the full release, found .*'sad': 2"
    ):
        label_map().apply("c", utterances, "full")


def test_an_unknown_corpus_gives_the_nearest_match():
    with pytest.raises(ProtocolError, match="corpus unknown 'cc'; did you mean 'c'"):
        label_map().apply("cc", said("happy"), "mini")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"map": {"happy": ["hapy"], "sad": ["sad"]}}, "emotion unknown 'hapy'; did you mean 'happy'"),
        ({"drop": ["borred"]}, "emotion unknown 'borred'; did you mean 'bored'"),
        ({"drop": ["happy"]}, "emotion 'happy' stands twice"),
        ({"drop": ["bored", "bored"]}, "emotion 'bored' stands twice"),
        ({"map": {"happy": ["happy", "sad"], "sad": ["sad"]}}, "emotion 'sad' stands twice"),
        (
            {"expected": {"happy": 2, "sda": 1}},
            r"'expected' names \['happy', 'sda'\], 'map' names \['happy', 'sad'\]",
        ),
        ({"expected": {"happy": 2}}, r"'expected' names \['happy'\]"),
        (
            {"map": {"happy": ["happy"], "sda": ["sad"]}, "expected": {"happy": 1, "sda": 1}},
            "corpora.c.map: class unknown 'sda'; did you mean 'sad'",
        ),
        ({"map": {"happy": ["happy"]}, "expected": {"happy": 1}}, "corpora.c.map: class 'sad' has no emotion"),
        ({"maps": {}}, "unknown key 'maps'"),
        ({"map": {"happy": "happy", "sad": ["sad"]}}, "corpora.c.map.happy: .*valid list"),
    ],
)
def test_a_wrong_map_is_refused_before_it_is_applied(changes, message):
    with pytest.raises(ConfigError, match=rf"labels\.yaml: .*{message}"):
        label_map(**changes)


@pytest.mark.parametrize("classes", [["sad", "happy"], ["happy", "sad", "sad"]])
def test_classes_are_sorted_and_unique(classes):
    with pytest.raises(ConfigError, match="classes have to be sorted and unique, found"):
        build(LabelMap, values() | {"classes": classes}, "labels.yaml")


RELEASES = {
    "ravdess": {
        "neutral": 96,
        **dict.fromkeys(("calm", "happy", "sad", "angry", "fearful", "disgusted", "surprised"), 192),
    },
    "emodb": {"angry": 127, "bored": 81, "disgusted": 46, "fearful": 69, "happy": 71, "sad": 62, "neutral": 79},
}
"""Utterances of each emotion in the full releases (specs/corpora.md)."""


@pytest.mark.parametrize("path", sorted(LABELS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_map_loads(path):
    assert load(path, LabelMap).corpora


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ravdess", {"angry": 192, "happy": 192, "neutral": 288, "sad": 192}),  # 864: calm is neutral
        ("emodb", {"angry": 127, "happy": 71, "neutral": 79, "sad": 62}),  # 339
    ],
)
def test_four_classes_of_full_releases_are_those_of_the_spec(name, counts):
    emotions = [emotion for emotion, n in RELEASES[name].items() for _ in range(n)]
    assert len(emotions) == {"ravdess": 1440, "emodb": 535}[name]
    labels = load(LABELS / "four_class.yaml", LabelMap)
    labelled = list(labels.apply(name, said(*emotions), "full").values())
    assert {c: labelled.count(c) for c in labels.classes} == counts
    assert len(labelled) == {"ravdess": 864, "emodb": 339}[name]


def shipped() -> list[tuple[str, str]]:
    return [(path.stem, corpus) for path in sorted(LABELS.glob("*.yaml")) for corpus in load(path, LabelMap).corpora]


@pytest.mark.parametrize(("name", "corpus"), shipped())
def test_expected_counts_of_shipped_maps_are_those_of_the_parsers(name, corpus):
    """Two tables written apart: what the full release holds, and what a map makes of it."""
    rules = load(LABELS / f"{name}.yaml", LabelMap).corpora[corpus]
    counts = CORPORA[corpus].counts
    if rules.by == "emotion_acted":
        assert sum(rules.expected.values()) in (8438, 2 * 8438)  # the sums of Gao et al., Table 1
        return
    if not counts or rules.by in ("plurality", "distribution"):  # how the votes fall is not published
        assert rules.expected == {}
        return
    assert {e for emotions in rules.map.values() for e in emotions} | set(rules.drop) == set(counts)
    assert rules.expected == {c: sum(counts[e] for e in emotions) for c, emotions in rules.map.items()}


def test_corpora_may_lack_a_class_only_if_they_say_so():
    labels = {"classes": ["happy", "sad"], "corpora": {"c": {"map": {"sad": ["sad"]}, "expected": {"sad": 1}}}}
    with pytest.raises(ConfigError, match="class 'happy' has no emotion; if the corpus lacks it, say so in 'absent'"):
        build(LabelMap, labels, "x.yaml")
    labels["corpora"]["c"]["absent"] = ["happy"]
    assert build(LabelMap, labels, "x.yaml").apply("c", said("sad"), "full") != {}


def test_acted_emotions_and_sums_of_counts():
    """MSP-IMPROV by scenario letter: only sums of its counts are published."""
    labels = load(LABELS / "four_class_scenario.yaml", LabelMap)
    heard = [dataclasses.replace(u, emotion="other", emotion_acted=acted) for u, acted in zip(
        said(*["sad"] * 4), ("angry", "happy", "neutral", "sad"), strict=True)]  # fmt: skip
    assert list(labels.apply("msp_improv", heard, "own").values()) == ["angry", "happy", "neutral", "sad"]
    with pytest.raises(ProtocolError, match=r"expected .*'angry\+sad': 4546.* found .*'angry\+sad': 2"):
        labels.apply("msp_improv", heard, "full")
