"""Frozen speech encoders: any s3prl upstream by its s3prl name, one utterance at a time.

The only file that imports s3prl. Utterances are never padded together: s3prl's base models normalize over the
padding too, so a batch would give an utterance other features than it has alone. Called one by one, an upstream
returns exactly the frames of its front end (`S3PRLUpstream` would repeat the last one to a round number).
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn

from ser.audio import RATE_HZ
from ser.errors import ConfigError, DataError

MIN_SAMPLES = RATE_HZ // 20
"""Shorter utterances are filled with silence to 50 ms, as s3prl does: no front end has a frame in less."""

BYOL_S_DIM = 512
BYOL_S_WINDOW_MS = 1000

# s3prl.hub imports every model and takes seconds; these families are known by the beginning of their names.
_FAMILIES = {
    "fbank": "baseline", "mfcc": "baseline", "spectrogram": "baseline", "mel": "baseline", "linear": "baseline",
    "wav2vec2": "wav2vec2", "hubert": "hubert", "wavlm": "wavlm", "data2vec": "data2vec",
}  # fmt: skip

Upstream = Callable[[Tensor], Tensor]
"""(T,) samples at 16 kHz to (L, T', D): one row of frames per layer."""


def restore_torchaudio_names() -> None:
    """Put back two names that torchaudio 2.9 removed and s3prl 0.4.18 still uses while it is imported.

    Neither does anything for the upstreams: the first chose a file reader, the second is for augmentation.
    """
    if not hasattr(torchaudio, "set_audio_backend"):
        torchaudio.set_audio_backend = lambda backend: None
    try:
        importlib.import_module("torchaudio.sox_effects")
    except ModuleNotFoundError:
        module = types.ModuleType("torchaudio.sox_effects")
        module.apply_effects_tensor = module.apply_effects_file = None
        sys.modules["torchaudio.sox_effects"] = torchaudio.sox_effects = module


def load(name: str, ckpt: str | None, hop_ms: int | None, device: torch.device) -> Upstream:
    """Load an upstream for inference.

    Args:
        name: s3prl's name (`wavlm_base_plus`, `hubert_local`, ...) or `byol_s`.
        ckpt: checkpoint file, for names that end in `_local` and for `byol_s`.
        hop_ms: hop between windows, for `byol_s` alone.
        device: where it computes.

    Raises:
        ConfigError: for an unknown name, a checkpoint that is missing or does not fit, or a failed download.
    """
    restore_torchaudio_names()
    if name == "byol_s":
        return _byol_s(_checked(ckpt, name), hop_ms or 200, device)
    entry = _entry(name)
    if name.endswith("_local"):
        expert = _from_file(entry, name, _checked(ckpt, name))
    elif ckpt:
        raise ConfigError(f"upstream '{name}' takes no 'ckpt', found '{ckpt}'; name a '..._local' upstream for it")
    else:
        expert = _from_hub(entry, name)
    return _s3prl(expert.eval().to(device), device)


def _from_file(entry: Callable[..., nn.Module], name: str, ckpt: str) -> nn.Module:
    try:
        state = torch.load(ckpt, map_location="cpu", weights_only=True)
        cfg = state["model_cfg"] if "model_cfg" in state else state.get("cfg", {})
        if not re.fullmatch(r"[\d\s()\[\],+*]*", cfg.get("conv_feature_layers", "")):  # s3prl runs it as Python
            raise ValueError("its conv_feature_layers are no list of numbers")
        return entry(ckpt=ckpt)
    except Exception as error:  # s3prl raises whatever the file made it raise; torch advises to run what is in it
        reason = f": {error}" if isinstance(error, ValueError) else ""
        raise ConfigError(
            f"upstream '{name}': ckpt '{ckpt}' is damaged or of another model ({type(error).__name__}{reason}); "
            "name a checkpoint in s3prl's converted format"
        ) from None


def _from_hub(entry: Callable[..., nn.Module], name: str) -> nn.Module:
    try:
        return entry()
    except Exception as error:  # s3prl raises whatever the network or the disk made it raise
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ConfigError(
            f"upstream '{name}' could not download its checkpoint or be built ({type(error).__name__}: {reason}); "
            "offline, fetch the file elsewhere and name it as 'ckpt' of a '..._local' upstream"
        ) from None


def _entry(name: str) -> Callable[..., nn.Module]:
    """Find s3prl's function for a name, without importing all of s3prl if its family is known."""
    for prefix, family in _FAMILIES.items():
        if name.startswith(prefix):
            module = importlib.import_module(f"s3prl.upstream.{family}.hubconf")
            if hasattr(module, name):
                return getattr(module, name)
    from s3prl import hub

    names = [n for n in hub.options() if n == n.lower() and inspect.isfunction(getattr(hub, n))]
    if name not in names:
        near = difflib.get_close_matches(name, [*names, "byol_s", "shortcut"], n=5)
        hint = f"near are {', '.join(near)}" if near else f"known are byol_s, shortcut and {len(names)} of s3prl.hub"
        raise ConfigError(f"upstream: unknown '{name}'; {hint}")
    return getattr(hub, name)


def _checked(ckpt: str | None, name: str) -> str:
    if not ckpt or not Path(ckpt).is_file():
        raise ConfigError(f"upstream '{name}': ckpt: no file '{ckpt or ''}'; name a checkpoint file")
    return ckpt


def _s3prl(expert: nn.Module, device: torch.device) -> Upstream:
    @torch.no_grad()
    def frames(wav: Tensor) -> Tensor:
        output = expert([_filled(wav).to(device)])["hidden_states"]
        return torch.stack([layer[0] for layer in output])  # L x (1, T', D) -> (L, T', D)

    return frames


def _filled(wav: Tensor) -> Tensor:
    if wav.ndim != 1 or not len(wav):
        raise DataError(f"an upstream takes (T,) samples, T >= 1, found {tuple(wav.shape)}")
    return F.pad(wav, (0, max(0, MIN_SAMPLES - len(wav))))


def _byol_s(ckpt: str, hop_ms: int, device: torch.device) -> Upstream:
    """Build the 512-dimensional BYOL-S (Scheidwasser-Clow et al. 2022), whose s3prl expert takes 2,048 alone."""
    from s3prl.upstream.byol_s.byol_a.models.audio_ntt import AudioNTT2020
    from s3prl.upstream.byol_s.serab_byols import serab

    model = AudioNTT2020(n_mels=64, d=BYOL_S_DIM)
    try:
        model.load_state_dict(torch.load(ckpt, map_location="cpu", weights_only=True))
    except Exception as error:
        raise ConfigError(
            f"upstream 'byol_s': ckpt '{ckpt}' is no {BYOL_S_DIM}-dimensional BYOL-S checkpoint "
            f"({type(error).__name__}); get default512_BYOLAs64x96 from github.com/Neclow/serab"
        ) from None
    model.eval().to(device)

    @torch.no_grad()
    def frames(wav: Tensor) -> Tensor:  # one utterance a call: it normalizes over everything in a call
        embeddings, _ = serab.get_timestamp_embeddings(
            _filled(wav).unsqueeze(0).to(device), model, BYOL_S_WINDOW_MS, hop_ms
        )
        return embeddings  # (1, T', 512): one layer

    return frames
