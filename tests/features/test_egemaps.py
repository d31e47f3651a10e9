"""eGeMAPS functionals: openSMILE's own numbers at a file's own rate; told in one sentence where it is missing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from ser.data.audio import load_native
from ser.errors import ConfigError
from ser.features import config as module
from ser.features.config import FeatureConfig
from tests.features.data_dir import archive, extract, read_scp, write_corpus

EGEMAPS = FeatureConfig(upstream="egemaps")


def test_an_archive_holds_opensmile_s_own_functionals(tmp_path):
    opensmile = pytest.importorskip("opensmile")
    data_dir, wavs = write_corpus(tmp_path, n=3, n_samples=16_000)
    folders = [extract(data_dir, tmp_path / f"dump{nj}", EGEMAPS, nj) for nj in (1, 2)]
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected = {utt: smile.process_file(wav).to_numpy()[0] for utt, wav in wavs.items()}
    found = read_scp(folders[0])
    assert {utt: vector.shape for utt, vector in found.items()} == dict.fromkeys(wavs, (88,))
    for utt, vector in found.items():
        np.testing.assert_array_equal(vector, expected[utt])
    assert archive(folders[0]) == archive(folders[1])


def test_the_file_s_own_rate_is_kept(tmp_path):
    import soundfile

    wav = tmp_path / "a.wav"
    samples = np.random.default_rng(1).normal(size=(4410, 2)) / 10
    soundfile.write(wav, samples, 44_100, subtype="FLOAT")
    mono, rate_hz = load_native(wav)
    assert rate_hz == 44_100
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono, samples.mean(1), rtol=1.3e-6, atol=1e-5)
    assert len(load_native(wav, start=0.02, end=0.05)[0]) == 1323


def test_without_opensmile_one_is_told_what_to_install(monkeypatch):
    def version(package: str) -> str:
        if package == "opensmile":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(module, "version", version)
    FeatureConfig(upstream="shortcut").check_usable()
    for ask in (EGEMAPS.check_usable, EGEMAPS.identity):
        command = r"\S+ -m pip install --constraint \S+/constraints\.txt opensmile"
        with pytest.raises(ConfigError, match=rf"license allows research, no products\): {command}$"):
            ask()


def test_its_version_is_part_of_its_key_and_of_no_other(monkeypatch):
    monkeypatch.setattr(module, "opensmile_version", lambda: "one")
    before = [FeatureConfig(upstream=name).folder("f") for name in ("egemaps", "shortcut")]
    monkeypatch.setattr(module, "opensmile_version", lambda: "other")
    after = [FeatureConfig(upstream=name).folder("f") for name in ("egemaps", "shortcut")]
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)
