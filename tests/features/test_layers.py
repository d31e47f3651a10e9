"""Several layers of an encoder in an archive: a matrix per utterance, in full or half precision."""

from __future__ import annotations

from types import SimpleNamespace

import kaldiio
import numpy as np
import pytest
import torch

from ser.data import audio
from ser.data.archives import header, whole_records
from ser.errors import ConfigError, DataError
from ser.features import encoders
from ser.features import extract as module
from ser.features.compute import feature_of
from ser.features.config import FeatureConfig
from ser.features.extract import read_features, read_info, up_to_date
from tests.fakes.checkpoints import DIM, N_LAYERS, WRITERS
from tests.features.data_dir import PART, content, extract, interrupted, read_scp, write_corpus

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def ckpt(tmp_path_factory) -> str:
    return str(WRITERS["wavlm_local"](tmp_path_factory.mktemp("layers") / "wavlm.pt"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), 3)


def config(ckpt: str, layers="weighted", **more: str) -> FeatureConfig:
    return FeatureConfig(upstream="wavlm_local", ckpt=ckpt, layers=layers, **more)


def expected(ckpt: str, wav) -> torch.Tensor:
    """Means of all layers, (L, D)."""
    return encoders.load("wavlm_local", ckpt, None, torch.device("cpu"))(audio.load(wav)).mean(1)


@pytest.mark.parametrize(("layers", "rows"), [("weighted", [0, 1, 2]), ([0, 2], [0, 2]), ([0, 1], [0, 1])])
def test_an_archive_holds_the_means_of_the_layers(layers, rows, ckpt, corpus, tmp_path, capsys):
    data_dir, wavs = corpus
    folder = extract(data_dir, tmp_path, config(ckpt, layers))
    size = f"3 utterances of {len(rows)} layers of {DIM} numbers in fp32: 0.0 MB"
    assert f"/c: {size}\n" in capsys.readouterr().out
    found = read_scp(folder)
    for utt, wav in wavs.items():
        np.testing.assert_allclose(found[utt], expected(ckpt, wav)[rows], atol=1e-5)
    utts, x = read_features(folder)
    assert utts == list(wavs) and np.array_equal(x, np.stack([found[utt].ravel() for utt in wavs]))
    info = read_info(folder)
    assert (info["layers"], info["dim"], info["n"]) == (len(rows), DIM, 3)


def test_half_precision_is_rounding_in_half_the_space(ckpt, corpus, tmp_path):
    data_dir, wavs = corpus
    full, half = (extract(data_dir, tmp_path, config(ckpt, storage=name)) for name in ("fp32", "fp16"))
    exact, rounded = read_scp(full), read_scp(half)
    assert {array.dtype for array in rounded.values()} == {np.dtype(np.float16)}
    assert all(np.array_equal(rounded[utt], exact[utt].astype(np.float16)) for utt in wavs)
    utts, x = read_features(half)
    assert x.dtype == np.float32 and np.array_equal(x, np.stack([rounded[utt].ravel() for utt in wavs]))
    n = (N_LAYERS + 1) * DIM
    assert (half / "feats.ark").stat().st_size == sum(len(utt) + 1 + 8 + 128 + 2 * n for utt in wavs)
    samples = audio.load(wavs[utts[0]]).numpy()
    assert np.array_equal(feature_of(config(ckpt, storage="fp16"), "cpu", samples, 16_000).ravel(), x[0])  # as stored


@pytest.mark.parametrize("storage", ["fp32", "fp16"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99])
def test_an_interrupted_archive_goes_on(share, storage, ckpt, corpus, tmp_path):
    own = config(ckpt, storage=storage)
    folder = extract(corpus[0], tmp_path / "whole", own)
    ark = (folder / "feats.ark").read_bytes()
    left = interrupted(corpus[0], tmp_path / "part", ark[: int(share * len(ark))], own)
    assert extract(corpus[0], tmp_path / "part", own) == left
    assert (left / "feats.ark").read_bytes() == ark
    assert up_to_date(own, corpus[0], left)


def test_records_of_half_precision_are_kaldiios(tmp_path):
    arrays = {"a": np.ones((2, 3), np.float16), "b": np.arange(5000, dtype=np.float16)[None]}
    with open(tmp_path / "x.ark", "wb") as ark:
        module.append(ark, "a", arrays["a"])
        module.append(ark, "b", arrays["b"])
    found = dict(kaldiio.load_ark(str(tmp_path / "x.ark")))
    assert all(np.array_equal(found[utt], arrays[utt]) for utt in arrays)
    records, size = whole_records(tmp_path / "x.ark", ["a", "b"], 2, half=True)
    assert [record.shape for record in records.values()] == [(2, 3), (1, 5000)]
    assert size == (tmp_path / "x.ark").stat().st_size == 2 * (2 + len(header([2, 3], half=True))) + 2 * 5006
    assert whole_records(tmp_path / "x.ark", ["a", "b"], 2) == ({}, 0)  # of another type: not what was asked for


def test_numbers_too_large_for_half_precision_are_told(ckpt, corpus, tmp_path, monkeypatch):
    from ser.features import pool

    monkeypatch.setattr(pool, "pool_layers", lambda states, layers: states.mean(1) + 7e4)
    with pytest.raises(DataError, match=r"^c-s-u00: its layers have numbers above 65,504, too large for 'storage"):
        extract(corpus[0], tmp_path, config(ckpt, [0, 1], storage="fp16"))


def test_a_disk_without_room_is_told_before_anything_is_written(ckpt, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(DataError, match=r"3 utterances of 3 layers of 16 numbers in fp32: 0.0 MB, and .* has 0.0 MB"):
        extract(corpus[0], tmp_path, config(ckpt))
    (folder,) = tmp_path.glob("f-*/c")
    assert content(folder)[PART] == b""


def test_settings_of_layers_do_not_share_archives(ckpt):
    configs = [
        FeatureConfig(upstream="wavlm_local", ckpt=ckpt),
        config(ckpt),
        config(ckpt, storage="fp16"),
        config(ckpt, [0, 1]),
        config(ckpt, [0, 2]),
    ]
    assert len({one.folder("f") for one in configs}) == len(configs)


def test_a_layer_that_is_not_there_is_named(ckpt, corpus, tmp_path):
    with pytest.raises(ConfigError, match="layer: 7 is not one of this upstream's 0 to 2, or 'last'"):
        extract(corpus[0], tmp_path, config(ckpt, [1, 7]))
