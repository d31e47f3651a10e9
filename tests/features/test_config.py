"""The key of a feature: nothing that changes numbers is left out, and nothing else is in."""

from __future__ import annotations

import pytest

from ser.config import load
from ser.errors import ConfigError
from ser.features import config as module
from ser.features.config import FeatureConfig
from tests.fakes.checkpoints import wavlm

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


def key(**settings: object) -> str:
    return FeatureConfig(**settings).folder("f")


def test_every_setting_makes_a_folder_of_its_own(tmp_path, monkeypatch):
    base = {"upstream": "wavlm_local", "ckpt": str(wavlm(tmp_path / "one.pt", seed=1))}
    keys = [
        key(**base),
        key(**base | {"upstream": "hubert_local"}),
        key(**base, layer=1),
        key(**base, layer=2),  # here the last one, by another name
        key(**base, pooling="mean+std"),
        key(**base, precision="bf16"),
        key(upstream="byol_s", hop_ms=100),
        key(upstream="byol_s", hop_ms=200),
        key(upstream="wavlm_local"),
        key(**base | {"ckpt": str(wavlm(tmp_path / "two.pt", seed=2))}),
    ]
    for name, value in {"FRONT_END": 99, "RESAMPLER": "other", "version": lambda package: "0.0"}.items():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            keys.append(key(**base))
    assert len(set(keys)) == len(keys)
    assert key(**base) == keys[0]


def test_the_checkpoints_content_counts_and_not_its_path(tmp_path, monkeypatch):
    one = wavlm(tmp_path / "one.pt", seed=1)
    moved = tmp_path / "Ünter ordner" / "moved.pt"
    moved.parent.mkdir()
    moved.write_bytes(one.read_bytes())
    before = key(upstream="wavlm_local", ckpt=str(one))
    assert key(upstream="wavlm_local", ckpt=str(moved)) == before
    monkeypatch.setenv("WAVLM", str(moved))
    assert key(upstream="wavlm_local", ckpt="$WAVLM") == before
    one.write_bytes(wavlm(tmp_path / "two.pt", seed=2).read_bytes())
    assert key(upstream="wavlm_local", ckpt=str(one)) != before


def test_a_checkpoint_that_is_not_set_or_not_there_is_named(monkeypatch):
    monkeypatch.delenv("BYOL_S", raising=False)
    with pytest.raises(ConfigError, match=r"needs the checkpoint \$BYOL_S; set BYOL_S in conf/db.sh"):
        key(upstream="byol_s", ckpt="$BYOL_S")
    monkeypatch.setenv("BYOL_S", "/no/where.pth")
    with pytest.raises(ConfigError, match="no file '/no/where.pth'; set BYOL_S to a checkpoint file"):
        key(upstream="byol_s", ckpt="$BYOL_S")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("layers: 3", "unknown key 'layers'; did you mean 'layer'"),
        ("layer: first", "layer"),
        ("pooling: max", "pooling: Input should be 'mean' or 'mean.std', found 'max'"),
        ("precision: fp16", "precision: Input should be 'fp32' or 'bf16', found 'fp16'"),
        ("hop_ms: 0", "hop_ms: Input should be greater than 0, found 0"),
        ("ckpt: ''", "ckpt: .*at least 1 character"),
    ],
)
def test_a_wrong_setting_is_named(line, message, tmp_path):
    (tmp_path / "f.yaml").write_text(f"upstream: fbank\n{line}\n")
    with pytest.raises(ConfigError, match=rf"f\.yaml: .*{message}"):
        load(tmp_path / "f.yaml", FeatureConfig)
