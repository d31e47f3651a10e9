"""Features that were computed elsewhere: what is read is what was written, and no id is lost unnamed."""

from __future__ import annotations

from pathlib import Path

import kaldiio
import numpy as np
import pytest

from ser.errors import ConfigError, DataError
from ser.features import own
from ser.features.compute import feature_of
from ser.features.config import FeatureConfig
from ser.features.extract import read_features
from ser.features.frames import Frames
from tests.features.data_dir import extract, write_corpus

UTTS = [f"c-s-u{i:02}" for i in range(4)]
FRAMES = {utt: np.random.default_rng(i).normal(size=(3 + i, 5)).astype(np.float32) for i, utt in enumerate(UTTS)}


def write(folder: Path, arrays: dict[str, np.ndarray], kind: str) -> Path:
    """Write `<folder>/c/feats.scp` and the arrays in one of the three formats."""
    corpus = folder / "c"
    corpus.mkdir(parents=True)
    if kind == "ark":
        kaldiio.save_ark(str(corpus / "x.ark"), arrays, scp=str(corpus / "feats.scp"))
        return folder
    places = {}
    for i, (utt, array) in enumerate(arrays.items()):
        places[utt] = f"arrays/{i}.{kind}"
        (corpus / "arrays").mkdir(exist_ok=True)
        np.save(corpus / places[utt], array) if kind == "npy" else np.savez(corpus / places[utt], any_name=array)
    (corpus / "feats.scp").write_text("".join(f"{utt} {place}\n" for utt, place in places.items()))
    return folder


@pytest.fixture
def data_dir(tmp_path) -> Path:
    return write_corpus(tmp_path / "corpus", len(UTTS))[0]


@pytest.mark.parametrize("kind", ["ark", "npy", "npz"])
def test_vectors_and_frames_go_through_stage_3(kind, data_dir, tmp_path):
    config = FeatureConfig(upstream="own", path=str(write(tmp_path / "own", FRAMES, kind)), pooling="none")
    frames = Frames.of([extract(data_dir, tmp_path / "dump", config)])
    assert list(frames) == UTTS
    for utt, array in FRAMES.items():
        np.testing.assert_array_equal(frames[utt].numpy(), array)
    vectors = {utt: array.astype(np.float64).mean(0) for utt, array in FRAMES.items()}
    single = FeatureConfig(upstream="own", path=str(write(tmp_path / "vectors", vectors, kind)))
    utts, found = read_features(extract(data_dir, tmp_path / "dump", single))
    assert utts == UTTS
    np.testing.assert_allclose(found, np.stack(list(vectors.values())), rtol=1e-6)


def test_frames_are_pooled_like_those_of_an_encoder(data_dir, tmp_path):
    config = FeatureConfig(upstream="own", path=str(write(tmp_path / "own", FRAMES, "npy")), pooling="mean+std")
    _, found = read_features(extract(data_dir, tmp_path / "dump", config))
    expected = [np.concatenate([array.mean(0), array.std(0)]) for array in FRAMES.values()]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_changed_files_are_read_again_and_others_are_not(data_dir, tmp_path, capsys):
    folder = write(tmp_path / "own", FRAMES, "npy")
    config = FeatureConfig(upstream="own", path=str(folder))
    extract(data_dir, tmp_path / "dump", config)
    capsys.readouterr()
    extract(data_dir, tmp_path / "dump", config)
    assert capsys.readouterr().out == "f: up to date\n"
    np.save(folder / "c" / "arrays" / "0.npy", np.vstack([FRAMES[UTTS[0]], np.ones((1, 5))]))
    _, found = read_features(extract(data_dir, tmp_path / "dump", config))
    np.testing.assert_allclose(found[0], np.vstack([FRAMES[UTTS[0]], np.ones((1, 5))]).mean(0), rtol=1e-5)


def test_missing_and_surplus_ids_are_named(data_dir, tmp_path, capsys):
    more = {f"x{i}": np.ones(5) for i in range(4)}
    config = FeatureConfig(upstream="own", path=str(write(tmp_path / "own", FRAMES | more, "npy")))
    extract(data_dir, tmp_path / "dump", config)
    assert "feats.scp: 4 utterances (x0, x1, x2, ...) not in c, and left out\n" in capsys.readouterr().out
    fewer = FeatureConfig(upstream="own", path=str(write(tmp_path / "fewer", {UTTS[0]: np.ones(5)}, "npy")))
    with pytest.raises(DataError, match=r"no features of 3 utterances \(c-s-u01, c-s-u02, c-s-u03\) of c;"):
        extract(data_dir, tmp_path / "dump2", fewer)


def refusal(folder: Path, pooling: str = "mean") -> str:
    with pytest.raises(DataError) as error:
        list(own.read(FeatureConfig(upstream="own", path=str(folder), pooling=pooling), "c", UTTS))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("array", "pooling", "said"),
    [
        (np.array([[1.0, np.nan, 3, 4, 5]]), "mean", "'c-s-u02' is not finite"),
        (np.ones(4), "mean", "'c-s-u02' has 4 dimensions, those before it 5"),
        (np.ones(5), "none", "'c-s-u02' is one vector, which 'pooling: none' does not fit"),
        (np.ones((2, 3, 5)), "mean", r"of shape \(2, 3, 5\); numbers of \(D,\) or \(T, D\) are taken"),
        (np.ones((0, 5)), "mean", r"of shape \(0, 5\)"),
        (np.array(["a"]), "mean", "is <U1 of shape"),
        (np.array([{}], dtype=object), "mean", "cannot be read"),  # it would be unpickled
    ],
)
def test_what_is_no_feature_is_named(array, pooling, said, tmp_path):
    import re

    assert re.search(said, refusal(write(tmp_path / "own", FRAMES | {UTTS[2]: array}, "npy"), pooling))


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("x.npy", "there is no such file"),
        ("x.pkl", "is neither x.ark:OFFSET nor x.npy nor x.npz"),
        ("touch ran |", "is neither x.ark:OFFSET"),
        ("junk.npy", "cannot be read"),
        ("junk.ark:3", "cannot be read (no vector or matrix of Kaldi begins there)"),
        ("two.npz", "holds 2 arrays; an utterance has one"),
    ],
)
def test_a_wrong_place_is_named(place, said, tmp_path):
    folder = write(tmp_path / "own", FRAMES, "npy")
    (folder / "c" / "junk.npy").write_bytes(b"junk" * 9)
    (folder / "c" / "junk.ark").write_bytes(b"junk" * 9)
    np.savez(folder / "c" / "two.npz", a=np.ones(5), b=np.ones(5))
    scp = folder / "c" / "feats.scp"
    scp.write_text(scp.read_text().replace("arrays/1.npy", place))
    assert said in refusal(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("MINE", raising=False)
    with pytest.raises(ConfigError, match=r"path: no folder '\$MINE/x'; set MINE in conf/db.sh"):
        FeatureConfig(upstream="own", path="$MINE/x").check_usable()
    monkeypatch.setenv("MINE", str(tmp_path))
    with pytest.raises(ConfigError, match="no folder .*; name one with a folder for each corpus"):
        FeatureConfig(upstream="own", path="$MINE/x").check_usable()
    assert "/c: no feats.scp; write one with a line per utterance" in refusal(tmp_path)


def test_they_are_not_computed_from_audio(tmp_path):
    with pytest.raises(ConfigError, match="upstream 'own' is read from x, and not computed from audio"):
        feature_of(FeatureConfig(upstream="own", path="x"), "cpu", np.zeros(9, np.float32), 16_000)


@pytest.mark.parametrize(
    "settings",
    [{"upstream": "own"}, {"upstream": "fbank", "path": "x"}, {"upstream": "own", "path": "x", "layer": 3}],
)
def test_settings_that_do_not_go_together_are_named(settings):
    with pytest.raises(ValueError, match="path is for upstream 'own'|layer and precision are not for own"):
        FeatureConfig(**settings)
