"""Models of the Hugging Face hub or of a folder in its layout; the only file that imports transformers.

wav2vec 2.0, HuBERT, WavLM and data2vec-audio run in s3prl's modules (`converted.py`); other variants of them,
w2v-BERT 2 and the encoder of Whisper run in transformers'. Weights are read from safetensors; no code of a repository
runs.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ser.data.audio import RATE_HZ
from ser.errors import ConfigError
from ser.features import hub
from ser.features.encoders import converted
from ser.features.encoders.base import Upstream, filled
from ser.features.encoders.transformer import TransformerEncoder, TransformerUpstream
from ser.system.devices import Precision

WHISPER, W2V_BERT = "whisper", "wav2vec2-bert"
FAMILIES = (*converted.PREFIXES, W2V_BERT, WHISPER)
"""Model types that are taken."""

_CLASSES = {
    "wav2vec2": "wav2vec2.modeling_wav2vec2.Wav2Vec2Model",
    "hubert": "hubert.modeling_hubert.HubertModel",
    "wavlm": "wavlm.modeling_wavlm.WavLMModel",
    "data2vec-audio": "data2vec.modeling_data2vec_audio.Data2VecAudioModel",
    W2V_BERT: "wav2vec2_bert.modeling_wav2vec2_bert.Wav2Vec2BertModel",
    WHISPER: "whisper.modeling_whisper.WhisperEncoder",
}
"""Model type -> transformers' class, below transformers.models."""

_PREFIXES = {**{kind: (prefix,) for kind, prefix in converted.PREFIXES.items()}, W2V_BERT: ("wav2vec2_bert.",),
             WHISPER: ("model.encoder.", "encoder.")}  # fmt: skip

WHISPER_HOP = 320
"""Samples between two frames of Whisper: spectra every 160, and a convolution of stride 2."""

WINDOWS_AT_ONCE = 16
"""Windows of 30 s that a GPU takes at once: of short utterances a batch has many."""


def takes(name: str) -> bool:
    """Whether a name is one of its own."""
    return hub.is_hub(name)


def load(
    name: str, ckpt: str | None, hop_ms: int | None, device: torch.device, precision: Precision, up_to: int | None
) -> Upstream:
    """Load an upstream for inference, see `ser.features.encoders.load`."""
    folder, config = _opened(name, ckpt)
    with _telling(name):
        if converted.is_convertible(config):
            return TransformerUpstream(_trainable(folder, config), device, precision, up_to)
        model = _model(folder, config).to(device)
        kind = {WHISPER: Whisper, W2V_BERT: W2vBert}.get(config.model_type, Waveforms)
        return kind(model, folder, precision, up_to)


def load_trainable(name: str, ckpt: str | None, dropout: float | None, layerdrop: float) -> TransformerEncoder | None:
    """Load an upstream whose transformer is to be trained; None if `TransformerEncoder` does not know its model."""
    folder, config = _opened(name, ckpt)
    with _telling(name):
        return _trainable(folder, config, dropout, layerdrop) if converted.is_convertible(config) else None


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    """Say of which model a file is damaged or of another kind."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:  # transformers raises whatever the files made it raise
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ConfigError(
            f"upstream '{name}': its files are damaged or of another model ({type(error).__name__}: {reason}); fetch "
            "them again"
        ) from None


def _opened(name: str, ckpt: str | None) -> tuple[Path, Any]:
    """Find a model's folder and read its configuration."""
    if ckpt:
        raise ConfigError(f"upstream '{name}' takes no 'ckpt', found '{ckpt}'; a folder is named as hf:FOLDER")
    folder = hub.model_folder(*hub.parted(name))
    with _telling(name):
        settings = _read(folder / "config.json")
        kind = settings.get("model_type")
        if kind not in FAMILIES:
            raise ConfigError(
                f"upstream '{name}': is of the class '{kind}'; {', '.join(FAMILIES)} are taken, and code that comes "
                "with a model is not run"
            )
        from transformers import CONFIG_MAPPING

        settings.pop("auto_map", None)
        return folder, CONFIG_MAPPING[kind].from_dict(settings)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _preprocessor(folder: Path) -> dict[str, Any]:
    """Read how audio is prepared for a model; newer folders keep it with other processors' settings."""
    if (folder / "preprocessor_config.json").is_file():
        found = _read(folder / "preprocessor_config.json")
    elif (folder / "processor_config.json").is_file():
        found = _read(folder / "processor_config.json")["feature_extractor"]
    else:
        raise ValueError("neither preprocessor_config.json nor processor_config.json says how audio is prepared")
    if found.get("sampling_rate", RATE_HZ) != RATE_HZ:
        raise ValueError(f"takes audio of {found['sampling_rate']} Hz, not of {RATE_HZ}")
    return found


def _weights(folder: Path, kind: str) -> dict[str, Tensor]:
    """Read weights by the names that they have in the encoder; those of heads and decoders are left out."""
    found: dict[str, Tensor] = {}
    for path in hub.weight_files(folder):
        found |= load_file(path)
    for prefix in _PREFIXES[kind]:
        if own := {name.removeprefix(prefix): x for name, x in found.items() if name.startswith(prefix)}:
            return own
    return found


def _trainable(folder: Path, config: Any, dropout: float | None = None, layerdrop: float = 0.0) -> TransformerEncoder:
    normalizes = _preprocessor(folder).get("do_normalize", True)
    return converted.trainable(config, _weights(folder, config.model_type), normalizes, dropout, layerdrop)


def _model(folder: Path, config: Any) -> nn.Module:
    """Build transformers' model with its weights in fp32, frozen."""
    module, _, name = _CLASSES[config.model_type].rpartition(".")
    model = getattr(importlib.import_module(f"transformers.models.{module}"), name)(config)
    weights = {name: tensor.float() for name, tensor in _weights(folder, config.model_type).items()}
    if any(".parametrizations.weight." in name for name in model.state_dict()):
        for old, new in ((".weight_g", "original0"), (".weight_v", "original1")):
            weights = {
                f"{k.removesuffix(old)}.parametrizations.weight.{new}" if k.endswith(old) else k: v
                for k, v in weights.items()
            }
    missing = [name for name in model.load_state_dict(weights, strict=False).missing_keys if _counts(name)]
    if missing:
        raise ValueError(f"weights '{missing[0]}' and {len(missing) - 1} others are missing")
    return model.eval().requires_grad_(False)


def _counts(name: str) -> bool:
    """Whether a weight takes part in hidden states: not the mask of training, nor adapters above the last layer."""
    return name != "masked_spec_embed" and not name.startswith("adapter.")


class Waveforms(Upstream):
    """A model of transformers that takes waveforms, one after another: what it pads with could be heard.

    Args:
        model: gives hidden states of (B, T') inputs.
        folder: of its settings.
        precision: of products; what comes out is float32.
        up_to: last layer that is asked for, from 0; None asks for all.
    """

    def __init__(self, model: nn.Module, folder: Path, precision: Precision, up_to: int | None):
        super().__init__(lambda wav: self.together([wav])[0])
        self._model, self._rounds = model, precision == "bf16"
        self._device = next(model.parameters()).device
        self._n_layers = None if up_to is None else up_to + 1
        self._prepare(folder)

    def _prepare(self, folder: Path) -> None:
        self._normalizes = _preprocessor(folder).get("do_normalize", True)

    @torch.no_grad()
    def together(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        """Encode several utterances, each as if it were alone."""
        return self._encoded([filled(wav).cpu() for wav in wavs])

    def _encoded(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        normal = [F.layer_norm(wav, wav.shape) if self._normalizes else wav for wav in wavs]
        return [self._states(wav.unsqueeze(0))[:, 0] for wav in normal]

    def _states(self, inputs: Tensor, **more: Tensor) -> Tensor:
        """Compute hidden states, (L, B, T', D)."""
        more = {name: value.to(self._device) for name, value in more.items()}
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._rounds):
            output = self._model(inputs.to(self._device), output_hidden_states=True, **more)
        *states, last = output.hidden_states
        if output.last_hidden_state.shape == last.shape:  # not with adapters; transformers leaves out the last norm
            last = output.last_hidden_state
        return torch.stack([state.float() for state in (*states, last)[: self._n_layers]])


class W2vBert(Waveforms):
    """w2v-BERT 2 (Barrault et al. 2023): filter banks of each utterance, normalized over it, two frames in one.

    Its convolutions look back only, and attention is masked, so no utterance of a batch hears padding. A last frame
    of 10 ms that has no second is left out, as in the model's own mask.
    """

    def _prepare(self, folder: Path) -> None:
        from transformers import SeamlessM4TFeatureExtractor

        self._features = SeamlessM4TFeatureExtractor(**_without_types(_preprocessor(folder)))

    def _encoded(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        features = []
        for wav in wavs:
            found = self._features(wav.numpy(), sampling_rate=RATE_HZ, return_tensors="pt")
            features.append(found.input_features[0, : int(found.attention_mask.sum())].float())
        lengths = [len(one) for one in features]
        mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
        states = self._states(pad_sequence(features, batch_first=True), attention_mask=mask.long())
        return [states[:, i, :length] for i, length in enumerate(lengths)]


class Whisper(Waveforms):
    """The encoder of Whisper (Radford et al. 2023), which always hears 30 s.

    A longer utterance is several windows, one after another. A window that is not full is filled with silence, as in
    training, and its frames end with the utterance: one every 20 ms, ceil(T / 320) in all.
    """

    def _prepare(self, folder: Path) -> None:
        from transformers import WhisperFeatureExtractor

        self._features = WhisperFeatureExtractor(**_without_types(_preprocessor(folder)))
        n_frames = self._model.config.max_source_positions
        if self._features.n_samples != n_frames * WHISPER_HOP:
            raise ValueError(f"its windows of {self._features.n_samples} samples do not fit to its {n_frames} frames")

    def _encoded(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        windows = [wav.split(self._features.n_samples) for wav in wavs]
        spectra = [
            self._features(window.numpy(), sampling_rate=RATE_HZ, return_tensors="pt").input_features
            for of_one in windows
            for window in of_one
        ]
        lengths = [math.ceil(len(window) / WHISPER_HOP) for of_one in windows for window in of_one]
        states: list[Tensor] = []
        for first in range(0, len(spectra), WINDOWS_AT_ONCE):
            some = self._states(torch.cat(spectra[first : first + WINDOWS_AT_ONCE]))  # (L, windows, T', D)
            states += [some[:, i, :n].clone() for i, n in enumerate(lengths[first : first + WINDOWS_AT_ONCE])]
        left = iter(states)
        return [torch.cat(list(islice(left, len(of_one))), dim=1) for of_one in windows]


def _without_types(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a preprocessor's settings what only names classes."""
    names = ("feature_extractor_type", "processor_class", "auto_map")
    return {name: value for name, value in settings.items() if name not in names}
