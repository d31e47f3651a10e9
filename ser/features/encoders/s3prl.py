"""s3prl's upstreams by their s3prl names; the only file that imports s3prl.

Called one by one, an upstream returns exactly the frames of its front end (`S3PRLUpstream` would repeat the last one
to a round number). Its base models normalize over padding, so only frames of their front ends are padded together.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import io
import re
import sys
import types
import warnings
from collections.abc import Callable, Collection, Iterator
from typing import Any

import torch
import torchaudio
from torch import Tensor, nn

from ser.errors import ConfigError
from ser.features import hub
from ser.features.encoders.base import Frames, Upstream, autocast, filled
from ser.features.encoders.checkpoints import existing, read_checkpoint
from ser.features.encoders.pretraining import PretrainingHead
from ser.features.encoders.transformer import TransformerEncoder, TransformerUpstream
from ser.nn.gumbel_quantizer import GumbelQuantizer
from ser.system.devices import Precision

# s3prl.hub imports every model and takes seconds; these families are known by the beginning of their names.
_FAMILIES = {
    "fbank": "baseline", "mfcc": "baseline", "spectrogram": "baseline", "mel": "baseline", "linear": "baseline",
    "wav2vec2": "wav2vec2", "hubert": "hubert", "wavlm": "wavlm", "data2vec": "data2vec",
}  # fmt: skip

NEED_ARGUMENTS = ("_custom", "_url")
"""Ends of the names of s3prl's functions that take a folder or an address."""

_KNOWN_LAYERS = ("s3prl.upstream.wav2vec2.wav2vec2_model", "s3prl.upstream.wavlm.WavLM")


def takes(name: str) -> bool:
    """Take every name that no other backend takes."""
    return True


def load(
    name: str, ckpt: str | None, hop_ms: int | None, device: torch.device, precision: Precision, up_to: int | None
) -> Upstream:
    """Load an upstream for inference, see `ser.features.encoders.load`."""
    expert = _expert(name, ckpt).eval()
    if _has_known_transformer(expert) and (precision == "bf16" or device.type == "cuda"):
        return TransformerUpstream(_transformer_encoder(expert), device, precision, up_to)
    frames = _frames(expert.to(device), device)
    return Upstream(autocast(frames, device) if precision == "bf16" else frames)


def load_trainable(name: str, ckpt: str | None, dropout: float | None, layerdrop: float) -> TransformerEncoder | None:
    """Load an upstream whose transformer is to be trained; None if `TransformerEncoder` does not know its model."""
    expert = _expert(name, ckpt)
    return _transformer_encoder(expert, dropout, layerdrop) if _has_known_transformer(expert) else None


def load_pretraining(
    name: str, ckpt: str | None, dropout: float | None, layerdrop: float
) -> tuple[TransformerEncoder, PretrainingHead] | None:
    """Load an upstream whose contrastive pretraining is to go on; None if its checkpoint has no codebooks."""
    expert = _expert(name, ckpt)
    model = expert.model if _has_known_transformer(expert) else None
    quantizer = getattr(model, "quantizer", None)
    if quantizer is None or quantizer.combine_groups:
        return None
    codebooks = quantizer.vars.view(quantizer.groups, quantizer.num_vars, -1)
    head = PretrainingHead(
        GumbelQuantizer(quantizer.weight_proj, codebooks, quantizer.min_temp), model.project_q, model.final_proj
    )
    return _transformer_encoder(expert, dropout, layerdrop), head


def upstream_module(name: str) -> types.ModuleType:
    """Import a module of s3prl's upstreams."""
    restore_torchaudio_names()
    return importlib.import_module(f"s3prl.upstream.{name}")


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


def _has_known_transformer(expert: nn.Module) -> bool:
    """Tell whether `TransformerEncoder` knows an expert's model, by the class of its layers: others look alike."""
    layers = getattr(getattr(getattr(expert, "model", None), "encoder", None), "layers", None)
    return layers is not None and type(layers[0]).__module__ in _KNOWN_LAYERS


def _transformer_encoder(
    expert: nn.Module, dropout: float | None = None, layerdrop: float = 0.0
) -> TransformerEncoder:
    expert.remove_all_hooks()  # they would keep the frames of every layer
    return TransformerEncoder(expert.model, _normalizes(expert), dropout, layerdrop)


def _expert(name: str, ckpt: str | None) -> nn.Module:
    restore_torchaudio_names()
    entry = _entry(name)
    if name.endswith("_local"):
        return _from_file(entry, name, existing(ckpt, name))
    if ckpt:
        raise ConfigError(f"upstream '{name}' takes no 'ckpt', found '{ckpt}'; name a '..._local' upstream for it")
    return _from_hub(entry, name)


@contextlib.contextmanager
def _loaded(state: dict[str, Any]) -> Iterator[None]:
    """Hand s3prl a checkpoint that is already read: its classes know nothing but `torch.load`."""
    original, torch.load = torch.load, lambda *_, **__: state
    try:
        yield
    finally:
        torch.load = original


def _from_file(entry: Callable[..., nn.Module], name: str, ckpt: str) -> nn.Module:
    try:
        state = read_checkpoint(ckpt)
        cfg = state["model_cfg"] if "model_cfg" in state else state.get("cfg", {})
        if not re.fullmatch(r"[\d\s()\[\],+*]*", cfg.get("conv_feature_layers", "")):  # s3prl runs it as Python
            raise ValueError("its conv_feature_layers are not a list of numbers")
        with _loaded(state):
            return entry(ckpt=ckpt)
    except Exception as error:  # s3prl raises whatever the file made it raise; torch advises to run what is in it
        reason = f": {error}" if isinstance(error, ValueError) else ""
        of_hub = ckpt.endswith(".safetensors")  # of a folder
        todo = f"name its folder as 'upstream: {hub.PREFIX}FOLDER'" if of_hub else (
            "name a checkpoint in s3prl's converted format")  # fmt: skip
        raise ConfigError(
            f"upstream '{name}': ckpt '{ckpt}' is damaged or from another model ({type(error).__name__}{reason}); "
            f"{todo}"
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
    if name.endswith(NEED_ARGUMENTS):
        raise ConfigError(
            f"upstream: '{name}' of s3prl takes arguments that no feature has; name a model of the Hugging Face hub "
            "as 'hf:OWNER/NAME', its folder as 'hf:FOLDER', and a checkpoint file as 'ckpt' of a '..._local' upstream"
        )
    for prefix, family in _FAMILIES.items():
        if name.startswith(prefix):
            module = upstream_module(f"{family}.hubconf")
            if hasattr(module, name):
                return getattr(module, name)
    known = names()
    if name not in known:
        raise ConfigError(f"upstream: unknown '{name}'; {_meant(name, known)}; utils/list_upstreams.sh lists all")
    return known[name]


def _meant(name: str, known: Collection[str]) -> str:
    """Say what an unknown name may mean: a path and an owner's model need `hf:`, others the nearest names."""
    of_hub = hub.nearest(name)
    if "/" in name and "://" not in name and not of_hub:
        return f"a folder or a model of the Hugging Face hub is named as '{hub.PREFIX}{name}'"
    near = [of_hub, *difflib.get_close_matches(name, [*known, "byol_s", "egemaps", "shortcut"], n=5)]
    if near := [one for one in near if one]:
        return f"near are {', '.join(near)}"
    return f"known are byol_s, shortcut and {len(known)} of s3prl.hub"


def names() -> dict[str, Callable[..., nn.Module]]:
    """List s3prl's upstreams that a feature can name, and what builds each; this imports all of s3prl."""
    restore_torchaudio_names()
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # of what nobody has asked for
        warnings.simplefilter("ignore")
        from s3prl import hub as s3prl_hub

    found = {name: getattr(s3prl_hub, name) for name in s3prl_hub.options() if not name.endswith(NEED_ARGUMENTS)}
    return {name: entry for name, entry in found.items() if name == name.lower() and inspect.isfunction(entry)}


def _frames(expert: nn.Module, device: torch.device) -> Frames:
    @torch.no_grad()
    def frames(wav: Tensor) -> Tensor:
        output = expert([filled(wav).to(device)])["hidden_states"]
        return torch.stack([layer[0] for layer in output])  # L x (1, T', D) -> (L, T', D)

    return frames


def _normalizes(expert: nn.Module) -> bool:
    """Tell whether a checkpoint wants waveforms of mean 0 and deviation 1; each family keeps it elsewhere."""
    if hasattr(expert, "wav_normalize"):  # wav2vec 2.0, data2vec
        return expert.wav_normalize
    return (expert.task_cfg if hasattr(expert, "task_cfg") else expert.cfg).normalize  # HuBERT, WavLM
