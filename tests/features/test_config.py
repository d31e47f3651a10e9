"""The key of a feature: nothing that changes numbers is left out, and nothing else is in."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from ser.config import load
from ser.errors import ConfigError
from ser.features import config as module
from ser.features.config import FeatureConfig, Segments, side_by_side
from ser.features.spectrogram import spectrogram_segments
from tests.fakes.checkpoints import wavlm

CONF = Path(__file__).parents[2] / "conf" / "features"

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
        key(**base, pooling="none"),
        key(**base, precision="bf16"),
        key(**base, precision="auto"),
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


@pytest.mark.parametrize(("precision", "moves"), [("fp32", False), ("bf16", True), ("auto", True)])
def test_how_bf16_is_computed_counts_for_bf16_alone(precision, moves, tmp_path, monkeypatch):
    settings = {"upstream": "wavlm_local", "ckpt": str(wavlm(tmp_path / "one.pt", seed=1)), "precision": precision}
    before = key(**settings)
    monkeypatch.setattr(module, "ROUNDING", 99)
    assert (key(**settings) != before) == moves


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
    with pytest.raises(ConfigError, match=r"no file '/no/where.pth'; name a checkpoint file$"):
        key(upstream="byol_s", ckpt="/no/where.pth")
    with pytest.raises(
        ConfigError, match=f"no file '{CONF}'; name a checkpoint file; a folder of the hub's layout is"
    ):
        key(upstream="hubert_local", ckpt=str(CONF))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("layer: first", "layer"),
        ("layer: all", "layer: 'all' is written as 'layers: weighted'"),
        ("layers: 3", r"layers: found 3; allowed are 'weighted' and a rising list such as \[4, 8, 12\]"),
        ("layers: [4]", r"layers: found \[4\]; allowed are 'weighted' and a rising list"),
        ("layers: [8, 4]", "allowed are 'weighted' and a rising list"),
        ("layers: [-1, 4]", "allowed are 'weighted' and a rising list"),
        ("layers: [0, 1]\npooling: none", "pooling: found 'none'; layers take only 'mean'"),
        ("layers: [0, 1]\nlayer: 3", "layer: found 3 beside 'layers'; 'layer: null' takes that of a base away"),
        ("storage: fp16", "storage: 'fp16' is for several 'layers'; other features are float32"),
        ("pooling: max", "pooling: Input should be 'mean', 'mean.std' or 'none', found 'max'"),
        ("precision: fp16", "precision: Input should be 'auto', 'fp32' or 'bf16', found 'fp16'"),
        ("hop_ms: 0", "hop_ms: Input should be greater than 0, found 0"),
        ("ckpt: ''", "ckpt: .*at least 1 character"),
    ],
)
def test_a_wrong_setting_is_named(line, message, tmp_path):
    (tmp_path / "f.yaml").write_text(f"upstream: fbank\n{line}\n")
    with pytest.raises(ConfigError, match=rf"f\.yaml: .*{message}"):
        load(tmp_path / "f.yaml", FeatureConfig)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("byol_s", "byol_s-3934343e6d"),
        ("fbank_no_cmvn", "fbank_no_cmvn-03db29208d"),
        ("shortcut", "shortcut-7530e9eb45"),
        ("wav2vec2_base", "wav2vec2_base-7d9ead3aa5"),
        ("wavlm_base_plus", "wavlm_base_plus-5c8688eba1"),
    ],
)
def test_archives_from_before_there_were_frames_keep_their_folders(name, folder, tmp_path, monkeypatch):
    """What of the key is not of the configuration is held fast."""
    (tmp_path / "ckpt.pth").write_bytes(b"any")
    monkeypatch.setenv("BYOL_S", str(tmp_path / "ckpt.pth"))
    for attribute, value in {"FRONT_END": 1, "RESAMPLER": "r"}.items():
        monkeypatch.setattr(module, attribute, value)
    monkeypatch.setattr(module, "version", lambda package: "0.4.18")
    monkeypatch.setattr(module, "hash_file", lambda path: "0" * 32)
    config = load(CONF / f"{name}.yaml", FeatureConfig)
    assert config.model_copy(update={"precision": "fp32"}).folder(name) == folder


SPECTROGRAM = {"upstream": "spectrogram_segments", "pooling": "none"}


def test_every_setting_of_segments_makes_a_folder_of_its_own():
    changes = {
        "segment_samples": 8000, "segment_hop_samples": 2120, "min_fill": 1.0, "window_samples": 128,
        "hop_samples": 64, "n_fft": 512, "n_bins": 64, "window": "hann", "scale": "magnitude", "floor": 1e-3,
    }  # fmt: skip
    assert changes.keys() == Segments.model_fields.keys()
    keys = {key(**SPECTROGRAM, segments={name: value}) for name, value in changes.items()}
    assert len(keys | {key(**SPECTROGRAM)}) == len(changes) + 1


def test_a_default_that_is_written_out_is_the_same_feature():
    defaults = Segments().model_dump()
    assert key(**SPECTROGRAM) == key(**SPECTROGRAM, segments={}) == key(**SPECTROGRAM, segments=defaults)
    of_function = inspect.signature(spectrogram_segments).parameters.values()
    assert defaults == {p.name: p.default for p in of_function if p.kind is p.KEYWORD_ONLY}


def test_the_configured_framing_is_the_papers_32_by_129():
    config = load(CONF / "spectrogram.yaml", FeatureConfig)
    assert config.is_sequence and config.segment_settings.shape == (32, 129)
    assert config.segments == Segments()


@pytest.mark.parametrize("name", ["byol_s", "wav2vec2_base"])
def test_frames_are_those_that_the_pooled_feature_pools(name):
    pooled, frames = (load(CONF / f"{n}.yaml", FeatureConfig) for n in (name, f"{name}_frames"))
    assert frames == pooled.model_copy(update={"pooling": "none"})


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("upstream: fbank\nsegments: {}", "segments is only for spectrogram_segments, not for fbank"),
        ("upstream: fbank\nhop_ms: 20", "hop_ms is only for byol_s"),
        ("upstream: shortcut\npooling: none", "pooling: 'none' is not for shortcut, which is one vector"),
        ("upstream: spectrogram_segments", "pooling: found 'mean'; spectrogram_segments takes only 'none'"),
        ("segments: {hop: 3}", "segments.hop: unknown key 'hop'"),
        ("segments: {n_bins: 200}", "segments: n_bins: 200 is not in 1 to 129, the range of n_fft 256"),
        ("segments: {window_samples: 400}", "segments: window_samples: 400 is not in 1 to 256, the smaller"),
        ("segments: {min_fill: 1.5}", "segments.min_fill: Input should be less than or equal to 1, found 1.5"),
        ("segments: {floor: 0}", "segments.floor: Input should be greater than 0, found 0"),
        ("segments: {window: square}", "segments.window: Input should be 'hamming' or 'hann', found 'square'"),
    ],
)
def test_settings_that_do_not_go_together_are_named(lines, message, tmp_path):
    of_segments = "upstream: spectrogram_segments\npooling: none\n"
    (tmp_path / "f.yaml").write_text(lines if "upstream" in lines else of_segments + lines)
    with pytest.raises(ConfigError, match=rf"f\.yaml: .*{message}"):
        load(tmp_path / "f.yaml", FeatureConfig)


SHORTCUT, EGEMAPS = FeatureConfig(upstream="shortcut"), FeatureConfig(upstream="egemaps")


def test_what_stands_side_by_side_is_known_by_its_parts_and_one_checkpoint(tmp_path):
    ckpt = wavlm(tmp_path / "one.pt", seed=1)
    network = FeatureConfig(upstream="wavlm_local", ckpt=str(ckpt))
    both = side_by_side({"n": network, "s": SHORTCUT})
    assert (both.is_sequence, both.is_network, both.ckpt) == (False, True, str(ckpt))
    assert not side_by_side({"s": SHORTCUT, "e": EGEMAPS}).is_network
    assert both.identity()["ckpt_hash"] == network.identity()["ckpt_hash"]
    assert both.identity()["parts"]["s"] == {k: v for k, v in SHORTCUT.identity().items() if k != "ckpt_hash"}
    moved = both.model_copy(update={"ckpt": str(ckpt.rename(tmp_path / "two.pt"))})  # as where a model is used
    assert moved.in_parts()["n"].ckpt == moved.ckpt and moved.in_parts()["s"].ckpt is None
    assert FeatureConfig(**both.model_dump()) == both


def test_precisions_that_were_chosen_are_filled_in_by_name():
    auto = FeatureConfig(upstream="wavlm_local", precision="auto")
    assert auto.with_precision({"w": "bf16"}).precision == "bf16" and auto.with_precision({}).precision == "auto"
    parts = side_by_side({"w": auto, "s": SHORTCUT}).with_precision({"w": "bf16", "s": "fp32"}).parts
    assert [part.precision for part in parts.values()] == ["bf16", "fp32"]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"a": FeatureConfig(upstream="spectrogram_segments", pooling="none")}, "a is a sequence of frames"),
        (
            {n: FeatureConfig(upstream=n, ckpt=f"${n}") for n in ("byol_s", "hubert")},
            r"byol_s\+hubert: takes the checkpoint files \$byol_s and \$hubert",
        ),
    ],
)
def test_what_cannot_stand_side_by_side_is_named(parts, message):
    with pytest.raises(ConfigError, match=message):
        side_by_side(parts)


def test_parts_are_for_what_stands_side_by_side():
    for settings in ({"upstream": "shortcut", "parts": {"s": SHORTCUT}}, {"upstream": "side_by_side"}):
        with pytest.raises(ValueError, match="parts is for side_by_side"):
            FeatureConfig(**settings)


def test_every_encoder_states_its_license_and_what_it_may_have_heard():
    configs = {path.stem: load(path, FeatureConfig) for path in CONF.glob("*.yaml")}
    without = {name for name, config in configs.items() if config.about is None}
    assert without == {
        "egemaps",
        "fbank_no_cmvn",
        "fbank_no_cmvn_frames",
        "shortcut",
        "spectrogram",
        "spectrogram_coarse",
    }
    assert configs["whisper_small"].about.download.startswith("970 MB")
    assert configs["whisper_small"].about.license == configs["whisper_base"].about.license  # by `base`


def test_facts_of_an_encoder_decide_no_key_and_no_settings_of_a_model():
    facts = {"paper": "A 2020", "trained_on": "b", "download": "c", "license": "d", "contamination": "e"}
    config = FeatureConfig(upstream="shortcut", about=facts)
    assert config.folder("f") == SHORTCUT.folder("f")
    assert config.model_dump() == SHORTCUT.model_dump()
    both = {"a": config, "b": FeatureConfig(upstream="egemaps")}
    assert "about" not in str(side_by_side(both).model_dump())
    with pytest.raises(ValueError, match="licence"):
        FeatureConfig(upstream="shortcut", about=facts | {"licence": "d"})
