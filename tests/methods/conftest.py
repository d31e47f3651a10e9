"""Tiny encoders, which more than one method trains."""

from __future__ import annotations

import pytest

from ser.features.config import FeatureConfig
from tests.fakes.checkpoints import WRITERS

TRANSFORMERS = ("wav2vec2_local", "hubert_local", "wavlm_local")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> dict[str, FeatureConfig]:
    """Write a tiny checkpoint of each kind of transformer."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        name: FeatureConfig(upstream=name, ckpt=str(WRITERS[name](folder / f"{name}.pt"))) for name in TRANSFORMERS
    }
