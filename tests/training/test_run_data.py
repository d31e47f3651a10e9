"""RunData: rows, classes and support sets; each normalization against numpy, and what it may look at."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence

import kaldiio
import numpy as np
import pytest

from ser.adaptation.base import names, sees
from ser.errors import DataError
from ser.splits.lists import Splits, write_splits
from ser.system.files import write_json
from ser.training.run_data import Episode, RunData
from ser.types import TARGET_DATA
from tests.training.run_data import DIM, make_run_data

STATISTICS = ("none", "source", "corpus", "speaker")


def standardized(x: np.ndarray, of: np.ndarray) -> np.ndarray:
    return (x - of.mean(0)) / of.std(0)


def slow_normalized(data: RunData, split, how: str) -> np.ndarray:
    """Normalize utterance by utterance."""
    x = {utt: row.astype(np.float64) for utt, row in zip(data.utts, data.x, strict=True)}
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))
    out = []
    for utt in data.utts:
        if how == "none":
            out.append(x[utt])
            continue
        if how == "speaker":
            seen = [u for u in data.utts if speaker_of[u] == speaker_of[utt]]
        elif how == "corpus" and utt.startswith("tgt"):
            seen = split.adapt
        else:
            seen = list(split.train)
        out.append(standardized(x[utt], np.stack([x[u] for u in seen])))
    return np.stack(out)


@pytest.mark.parametrize("how", STATISTICS)
@pytest.mark.parametrize("fold", [0, 1])
def test_normalization_equals_a_slow_rewrite(how, fold):
    data = make_run_data()
    result = data.normalized(data.splits[fold], how)
    assert result.dtype == np.float32
    assert result == pytest.approx(slow_normalized(data, data.splits[fold], how), abs=1e-5)


def test_normalized_groups_have_mean_zero_and_deviation_one():
    data = make_run_data()
    split = data.splits[0]
    for how, utts in (("source", split.train), ("corpus", split.train), ("corpus", split.adapt)):
        x = data.normalized(split, how)[data.rows(utts)]
        assert x.mean(0) == pytest.approx(0, abs=1e-5)
        assert x.std(0) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("how", names())
def test_an_adaptation_looks_at_test_utterances_where_it_says_so(how):
    """Move all test utterances but one: do the others' features move?"""
    follows = "unlabelled-test" in sees(how)
    assert follows is (how == "speaker")
    data = make_run_data()
    split = data.splits[0]
    moved = data.rows(split.test)[1:]
    x = data.x.copy()
    x[moved] += 10 * np.random.default_rng(0).normal(size=x[moved].shape)
    before, after = data.normalized(split, how), dataclasses.replace(data, x=x).normalized(split, how)
    training = data.rows([*split.train, *split.dev, *split.adapt])
    assert np.array_equal(before[training], after[training])
    left = data.rows(split.test)[0]
    assert np.array_equal(before[left], after[left]) is not follows


def test_an_adaptation_looks_at_the_target_where_it_says_so():
    data = make_run_data()
    split = data.splits[0]
    x = data.x.copy()
    x[data.rows(split.adapt)[1:]] += 5.0
    other = dataclasses.replace(data, x=x)
    left = data.rows(split.adapt)[0]
    for how in names():
        moves = not np.array_equal(data.normalized(split, how)[left], other.normalized(split, how)[left])
        assert moves is ("unlabelled-train" in sees(how)), how
        assert sees(how) <= set(TARGET_DATA)


@pytest.mark.parametrize("how", ["source", "corpus"])
def test_what_never_moves_where_statistics_are_taken_is_zero_everywhere(how):
    """It was a million deviations away in the other corpus, and drowned all that is known of it."""
    data = make_run_data()
    split = data.splits[0]
    seen = [*split.train] if how == "source" else [*split.adapt]
    others = [utt for utt in split.test if utt not in seen]
    data.x[data.rows(seen), 2] = 0.25
    data.x[data.rows(others), 2] = 20.0
    assert (data.normalized(split, how)[data.rows(others), 2] == 0).all()
    mean, deviation = data.moments(split, seen)
    assert (mean[2], deviation[2]) == (0.25, np.inf)


def test_a_constant_feature_becomes_zero():
    data = make_run_data()
    data.x[:, 2] = 0.1
    for how in ("source", "corpus", "speaker"):
        x = data.normalized(data.splits[0], how)
        assert np.isfinite(x).all()
        assert np.abs(x[:, 2]).max() < 0.1


def test_rows_and_targets():
    data = make_run_data()
    wanted = {data.utts[7]: "sad", data.utts[3]: "angry", data.utts[5]: "neutral"}
    assert data.rows(wanted).tolist() == [7, 3, 5]
    assert data.targets(wanted).tolist() == [3, 0, 2]
    assert data.rows({}).dtype == data.targets({}).dtype == np.int64
    with pytest.raises(DataError, match="no features of 'tgt-9-x'; run stages 2 and 3 again"):
        data.rows([data.utts[0], "tgt-9-x"])


def test_episodes_and_shots():
    data = make_run_data(folds=2, draws=2)
    assert data.shots() == [1, 2]
    assert data.episodes(2) == [Episode(0, 2, 0), Episode(0, 2, 1), Episode(1, 2, 0), Episode(1, 2, 1)]
    assert data.episodes(5) == []


@pytest.fixture
def on_disk(tmp_path):
    """What stages 1 to 3 leave of the two corpora: the recipe's splits, feature and data folders."""
    data = make_run_data()
    for corpus in ("src", "tgt"):
        utts = [(utt, row, s) for utt, row, s in zip(data.utts, data.x, data.speakers, strict=True) if corpus in utt]
        dump, lists = tmp_path / "dump" / corpus, tmp_path / "data" / corpus
        dump.mkdir(parents=True)
        lists.mkdir(parents=True)
        kaldiio.save_ark(str(dump / "feats.ark"), {utt: row for utt, row, _ in utts})
        write_json(dump / "feats.json", {})
        (lists / "utt2spk").write_text("".join(f"{utt} {speaker}\n" for utt, _, speaker in utts))
    write_splits(tmp_path / "splits", data.splits, {"labels": {"classes": data.classes}, "made_from": {}})
    return tmp_path


def read(folder, scoring: bool, features: Sequence[str] = ("a",)) -> RunData:
    dumps, lists = ([folder / kind / corpus for corpus in ("src", "tgt")] for kind in ("dump", "data"))
    return RunData.read(Splits.open(folder / "splits"), dict.fromkeys(features, dumps), lists, scoring)


def test_features_stand_side_by_side(on_disk):
    one, two = read(on_disk, scoring=True), read(on_disk, scoring=True, features=("a", "b"))
    assert (two.dims, one.blocks) == ({"a": DIM, "b": DIM}, {"a": slice(0, DIM)})
    assert all(np.array_equal(two.x[:, block], one.x) for block in two.blocks.values())
    assert list(two.blocks.values()) == [slice(0, DIM), slice(DIM, 2 * DIM)]


def test_features_of_other_utterances_are_named(on_disk):
    shutil.copytree(on_disk / "dump", on_disk / "other")
    (on_disk / "other" / "tgt").rename(on_disk / "other" / "last")
    one, other = (
        [on_disk / name / c for c in ("src", corpus)] for name, corpus in (("dump", "tgt"), ("other", "last"))
    )
    with pytest.raises(DataError, match="b and a are not features of the same utterances"):
        RunData.read(Splits.open(on_disk / "splits"), {"a": one, "b": other[:1]}, [on_disk / "data" / "src"], True)


def test_places_of_speakers():
    data = make_run_data()
    utts = ["tgt-1-sad0", "src-0-sad0", "tgt-1-angry1"]
    assert {name: own.tolist() for name, own in data.by_speaker(utts).items()} == {"tgt-1": [0, 2], "src-0": [1]}


def test_read_for_scoring_gives_back_everything(on_disk):
    data, expected = read(on_disk, scoring=True), make_run_data()
    assert (data.utts, data.speakers, data.classes) == (expected.utts, expected.speakers, expected.classes)
    assert np.array_equal(data.x, expected.x)
    for split, wanted in zip(data.splits, expected.splits, strict=True):
        assert dataclasses.replace(split, about={}) == wanted
        assert list(split.test) == list(wanted.test)


def test_read_for_training_never_opens_test_lists(on_disk):
    for path in [*on_disk.glob("splits/*/test.*")]:
        path.unlink()
    data = read(on_disk, scoring=False)
    for split, wanted in zip(data.splits, make_run_data().splits, strict=True):
        assert split.test == {}
        assert (split.train, split.dev, split.adapt, split.support) == (
            wanted.train,
            wanted.dev,
            wanted.adapt,
            wanted.support,
        )
    with pytest.raises(DataError, match=r"test\.lst is missing"):
        read(on_disk, scoring=True)


def test_each_tested_corpus_is_normalized_by_its_own_statistics():
    data = make_run_data()
    split = data.splits[0]
    utts = [utt.replace("tgt-3-", "two-3-") for utt in data.utts]
    renamed = dict(zip(data.utts, utts, strict=True))
    adapt = [renamed[utt] for utt in data.utts if utt.startswith("tgt-")]
    data = dataclasses.replace(data, utts=utts, splits=[dataclasses.replace(split, adapt=adapt)])
    x, of_source = data.normalized(data.splits[0], "corpus"), data.normalized(data.splits[0], "source")
    for name in ("tgt", "two"):
        rows = data.rows([utt for utt in utts if utt.startswith(f"{name}-")])
        own = data.x[rows]
        assert x[rows] == pytest.approx(standardized(own, own), abs=1e-5)
    rows = data.rows(split.train)
    assert np.array_equal(x[rows], of_source[rows])


def test_some_utterances_may_be_left_out_of_the_statistics():
    data = make_run_data()
    split = data.splits[0]
    without = np.zeros(len(data.utts), dtype=bool)
    out = [list(split.train)[3], split.adapt[2]]
    without[data.rows(out)] = True
    x = data.normalized(split, "corpus", without)
    for part in (list(split.train), split.adapt):
        seen = data.x[data.rows([utt for utt in part if utt not in out])]
        assert x[data.rows(part)] == pytest.approx(standardized(data.x[data.rows(part)], seen), abs=1e-5)


def test_a_split_without_training_part_takes_its_labelled_one_as_source():
    data = make_run_data()
    split = data.splits[0]
    labelled = dict.fromkeys(split.adapt, "happy")
    swapped = dataclasses.replace(split, train={}, labelled=labelled, adapt=[])
    own = data.x[data.rows(labelled)]
    for how in ("source", "corpus"):
        assert data.normalized(swapped, how) == pytest.approx(standardized(data.x, own), abs=1e-5)


def test_ratings_are_read_for_training_only_where_the_class_is_shown(on_disk):
    utts = read(on_disk, scoring=True).utts
    shown = read(on_disk, scoring=False)
    rated = {utt: 1 + i / 8 for i, utt in enumerate(utts[::2])}
    for corpus in ("src", "tgt"):
        lines = [f"{utt} {value}\n" for utt, value in rated.items() if utt.startswith(corpus)]
        (on_disk / "data" / corpus / "utt2aro").write_text("".join(lines))
    every = read(on_disk, scoring=True).ratings
    assert every == {"activation": rated, "valence": {}}
    of_training = read(on_disk, scoring=False).ratings["activation"]
    listed = {u for s in shown.splits for part in (s.train, s.dev, s.labelled, *s.support.values()) for u in part}
    assert of_training == {utt: value for utt, value in every["activation"].items() if utt in listed}
    assert 0 < len(of_training) < len(every["activation"])
