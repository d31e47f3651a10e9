"""Speech encoders by their names, frozen or for training: the face of the backends, one file each.

Waveforms are never padded together: many front ends normalize over the padding too, so a batch would give an
utterance other features than it has by itself.
"""

from __future__ import annotations

import torch

from ser.errors import ConfigError
from ser.features.encoders import byol_s, huggingface, s3prl
from ser.features.encoders.base import Backend, Upstream
from ser.features.encoders.pretraining import PretrainingHead
from ser.features.encoders.transformer import TransformerEncoder
from ser.system.devices import Precision

BACKENDS: tuple[Backend, ...] = (byol_s, huggingface, s3prl)
"""The first that takes a name loads it; s3prl takes every name that is left."""


def backend(name: str) -> Backend:
    """Find the backend of an encoder's name."""
    return next(one for one in BACKENDS if one.takes(name))


def load(
    name: str,
    ckpt: str | None,
    hop_ms: int | None,
    device: torch.device,
    precision: Precision = "fp32",
    up_to: int | None = None,
) -> Upstream:
    """Load an upstream for inference.

    In `bf16` the models that `load_trainable` knows keep their weights so, which autocast would round anew for every
    utterance; others compute under autocast. On a GPU these models take several utterances together.

    Args:
        name: s3prl's name (`wavlm_base_plus`, `hubert_local`, ...), `hf:NAME`, `hf:NAME@REVISION`, `hf:FOLDER` or
            `byol_s`.
        ckpt: checkpoint file, for names that end in `_local` and for `byol_s`.
        hop_ms: hop between windows, for `byol_s` alone.
        device: where it computes.
        precision: of weights and activations; what comes out is float32.
        up_to: last layer that is asked for, from 0; those above it may be left out. None asks for all.

    Raises:
        ConfigError: for an unknown name, a checkpoint that is missing or does not fit, or a failed download.
    """
    return backend(name).load(name, ckpt, hop_ms, device, precision, up_to)


def load_trainable(
    name: str, ckpt: str | None, dropout: float | None = None, layerdrop: float = 0.0
) -> TransformerEncoder:
    """Load an upstream whose transformer is to be trained.

    Args:
        name: of a wav2vec 2.0, HuBERT, WavLM or data2vec model, or one that is built like them: s3prl's, or `hf:` as
            in `load`.
        ckpt: checkpoint file, for names that end in `_local`.
        dropout: of the transformer, wherever it has one; None keeps the checkpoint's own.
        layerdrop: chance that a layer is left out while training.

    Raises:
        ConfigError: as `load`, and for an upstream that has no such transformer.
    """
    encoder = backend(name).load_trainable(name, ckpt, dropout, layerdrop)
    if encoder is None:
        raise ConfigError(
            f"upstream '{name}' has no transformer that can be fine-tuned; name one of wav2vec 2.0, HuBERT, WavLM or "
            "data2vec"
        )
    return encoder


def load_pretraining(
    name: str, ckpt: str | None, dropout: float | None = None, layerdrop: float = 0.0
) -> tuple[TransformerEncoder, PretrainingHead]:
    """Load a wav2vec 2.0 upstream with its codebooks, so that its pretraining can go on; arguments as above.

    Raises:
        ConfigError: as `load`, and for a checkpoint without codebooks.
    """
    found = s3prl.load_pretraining(name, ckpt, dropout, layerdrop) if backend(name) is s3prl else None
    if found is None:
        raise ConfigError(
            f"upstream '{name}' has no codebooks with which its contrastive pretraining could go on; name a wav2vec "
            "2.0 model of s3prl that is only pretrained, such as wav2vec2_base_960, or 'ckpt' of wav2vec2_local"
        )
    return found
