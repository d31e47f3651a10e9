"""Speech encoders: any s3prl upstream by its s3prl name, frozen, and its transformers also for training.

The only file that imports s3prl. Waveforms are never padded together: s3prl's base models normalize over the
padding too, so a batch would give an utterance other features than it has alone; only frames of their front ends are,
above which padding is masked. Called one by one, an upstream
returns exactly the frames of its front end (`S3PRLUpstream` would repeat the last one to a round number).
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchaudio
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from ser.data.audio import RATE_HZ
from ser.errors import ConfigError, DataError
from ser.nn.convolution_as_product import as_products
from ser.system.devices import Precision

MIN_SAMPLES = RATE_HZ // 20
"""Shorter utterances are filled with silence to 50 ms, as s3prl does: no front end has a frame in less."""

UNFUSED_FRAMES = 2000
"""Longest utterance (40 s) whose attention weights, a number per head and pair of frames, may all be in memory."""

BYOL_S_DIM = 512
BYOL_S_WINDOW_MS = 1000

# s3prl.hub imports every model and takes seconds; these families are known by the beginning of their names.
_FAMILIES = {
    "fbank": "baseline", "mfcc": "baseline", "spectrogram": "baseline", "mel": "baseline", "linear": "baseline",
    "wav2vec2": "wav2vec2", "hubert": "hubert", "wavlm": "wavlm", "data2vec": "data2vec",
}  # fmt: skip

_KNOWN_LAYERS = ("s3prl.upstream.wav2vec2.wav2vec2_model", "s3prl.upstream.wavlm.WavLM")

Frames = Callable[[Tensor], Tensor]
"""(T,) samples at 16 kHz to (L, T', D): one row of frames per layer."""


class Upstream:
    """A frozen encoder of utterances.

    Args:
        frames: encodes one.
    """

    def __init__(self, frames: Frames):
        self._frames = frames

    def __call__(self, wav: Tensor) -> Tensor:
        """Encode an utterance of (T,) samples at 16 kHz to (L, T', D): one row of frames per layer."""
        return self._frames(wav)

    def together(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        """Encode several, each as if it were alone."""
        return [self(wav) for wav in wavs]


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
        name: s3prl's name (`wavlm_base_plus`, `hubert_local`, ...) or `byol_s`.
        ckpt: checkpoint file, for names that end in `_local` and for `byol_s`.
        hop_ms: hop between windows, for `byol_s` alone.
        device: where it computes.
        precision: of weights and activations; what comes out is float32.
        up_to: last layer that is asked for, from 0; those above it may be left out. None asks for all.

    Raises:
        ConfigError: for an unknown name, a checkpoint that is missing or does not fit, or a failed download.
    """
    if name == "byol_s":
        restore_torchaudio_names()
        frames = _byol_s(_checked(ckpt, name), hop_ms or 200, device)
    else:
        expert = _expert(name, ckpt).eval()
        if _has_known_transformer(expert) and (precision == "bf16" or device.type == "cuda"):
            return TransformerUpstream(_transformer_encoder(expert), device, precision, up_to)
        frames = _s3prl(expert.to(device), device)
    return Upstream(_autocast(frames, device) if precision == "bf16" else frames)


def load_trainable(
    name: str, ckpt: str | None, dropout: float | None = None, layerdrop: float = 0.0
) -> TransformerEncoder:
    """Load an upstream whose transformer is to be trained.

    Args:
        name: s3prl's name of a wav2vec 2.0, HuBERT, WavLM or data2vec model, or one that is built like them.
        ckpt: checkpoint file, for names that end in `_local`.
        dropout: of the transformer, wherever it has one; None keeps the checkpoint's own.
        layerdrop: chance that a layer is left out while training.

    Raises:
        ConfigError: as `load`, and for an upstream that has no such transformer.
    """
    expert = _expert(name, ckpt) if name != "byol_s" else None
    if not _has_known_transformer(expert):
        raise ConfigError(
            f"upstream '{name}' has no transformer that can be fine-tuned; name one of wav2vec 2.0, HuBERT, WavLM or "
            "data2vec"
        )
    return _transformer_encoder(expert, dropout, layerdrop)


def _has_known_transformer(expert: nn.Module | None) -> bool:
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
        return _from_file(entry, name, _checked(ckpt, name))
    if ckpt:
        raise ConfigError(f"upstream '{name}' takes no 'ckpt', found '{ckpt}'; name a '..._local' upstream for it")
    return _from_hub(entry, name)


def read_checkpoint(ckpt: str | Path) -> dict[str, Any]:
    """Read a checkpoint without running what is in it: nested mappings of settings and tensors.

    Args:
        ckpt: a `.safetensors` file of `flat_checkpoint`, or one that `torch.load` reads with `weights_only`.
    """
    if Path(ckpt).suffix != ".safetensors":
        return torch.load(ckpt, map_location="cpu", weights_only=True)
    with safe_open(ckpt, framework="pt") as file:
        state = json.loads(file.metadata()["settings"])
        for name in file.keys():  # noqa: SIM118
            *path, last = json.loads(name)
            inner = state
            for key in path:
                inner = inner[key]
            inner[last] = file.get_tensor(name)
    return state


def flat_checkpoint(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Part a checkpoint into tensors, named by their path, and what else it holds, for a safetensors file.

    Example:
        >>> flat_checkpoint({"cfg": {"layers": 2}, "model": {"bias": torch.zeros(1)}})
        ({'["model", "bias"]': tensor([0.])}, {'settings': '{"cfg": {"layers": 2}, "model": {}}'})
    """
    tensors: dict[str, Tensor] = {}

    def without_tensors(part: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        rest = {}
        for key, value in part.items():
            if isinstance(value, Tensor):
                tensors[json.dumps([*path, key])] = value.clone().contiguous()
            else:
                rest[key] = without_tensors(value, (*path, key)) if isinstance(value, Mapping) else value
        return rest

    settings = without_tensors(state, ())
    return tensors, {"settings": json.dumps(settings)}


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
            raise ValueError("its conv_feature_layers are no list of numbers")
        with _loaded(state):
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


def _s3prl(expert: nn.Module, device: torch.device) -> Frames:
    @torch.no_grad()
    def frames(wav: Tensor) -> Tensor:
        output = expert([_filled(wav).to(device)])["hidden_states"]
        return torch.stack([layer[0] for layer in output])  # L x (1, T', D) -> (L, T', D)

    return frames


class TransformerUpstream(Upstream):
    """An encoder with a transformer, which takes several utterances at once; none hears what another is padded with.

    Args:
        encoder: made for this, and changed.
        device: where it computes.
        precision: of weights and activations; what comes out is float32.
        up_to: last layer that is asked for, from 0; None asks for all.
    """

    def __init__(
        self, encoder: TransformerEncoder, device: torch.device, precision: Precision, up_to: int | None = None
    ):
        super().__init__(lambda wav: self.together([wav])[0])
        for module in encoder.modules():  # a weight is rounded as it is used, not its direction and its length
            if hasattr(module, "weight_g"):
                nn.utils.remove_weight_norm(module)
        if device.type == "cpu":
            _suit_a_cpu(encoder)
        self._encoder = encoder.eval().to(device, torch.bfloat16 if precision == "bf16" else torch.float32)
        self._device, self._n_layers = device, None if up_to is None else up_to + 1

    @torch.no_grad()
    def together(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        """Encode several utterances at once, with their frames padded to those of the longest."""
        frames = [self._encoder.front_end(wav) for wav in self._on_device(wavs)]
        lengths = [len(of_one) for of_one in frames]
        layers = self._encoder.hidden_states(
            pad_sequence(frames, batch_first=True), torch.tensor(lengths, device=self._device)
        )
        states = torch.stack(list(islice(layers, self._n_layers))).float()  # (L, B, T', D)
        return [states[:, i, :length] for i, length in enumerate(lengths)]

    def _on_device(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        if self._device.type == "cpu":
            return list(wavs)
        return [wav.pin_memory().to(self._device, non_blocking=True) for wav in wavs]


def _suit_a_cpu(encoder: TransformerEncoder) -> None:
    """Have an encoder compute the same numbers the way that a CPU does it sooner in bf16."""
    as_products(encoder.feature_extractor)
    as_products(encoder.encoder.pos_conv)

    def unfused(attention: nn.Module, args: tuple[()], kwargs: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
        """Ask for its weights, which torch then computes; its fused attention takes twice as long."""
        return args, kwargs | {"need_weights": len(kwargs["query"]) <= UNFUSED_FRAMES}

    for layer in encoder.encoder.layers:
        layer.self_attn.register_forward_pre_hook(unfused, with_kwargs=True)


def _autocast(frames: Frames, device: torch.device) -> Frames:
    def rounded(wav: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return frames(wav).float()

    return rounded


def _filled(wav: Tensor) -> Tensor:
    if wav.ndim != 1 or not len(wav):
        raise DataError(f"an upstream takes (T,) samples, T >= 1, found {tuple(wav.shape)}")
    return F.pad(wav, (0, max(0, MIN_SAMPLES - len(wav))))


def _normalizes(expert: nn.Module) -> bool:
    """Tell whether a checkpoint wants waveforms of mean 0 and deviation 1; each family keeps it elsewhere."""
    if hasattr(expert, "wav_normalize"):  # wav2vec 2.0, data2vec
        return expert.wav_normalize
    return (expert.task_cfg if hasattr(expert, "task_cfg") else expert.cfg).normalize  # HuBERT, WavLM


class TransformerEncoder(nn.Module):
    """An s3prl model in two parts: a frozen front end, and the transformer above it, which is trained.

    The front end is the convolutional feature extractor and the feature projection (`layer_norm` and
    `post_extract_proj`); only parameters of `encoder` require a gradient. `mask_emb`, which takes the place of masked
    frames, keeps the value of the checkpoint. The names of all parameters are s3prl's.

    Args:
        model: of an s3prl expert.
        normalizes: whether waveforms get mean 0 and deviation 1 first.
        dropout: of the transformer, wherever it has one; None keeps the model's own.
        layerdrop: chance that a layer is left out while training.

    Attributes:
        checkpointing: whether a layer's activations are computed again for its gradient instead of kept: more time, a
            fraction of the memory, the same numbers.
    """

    PARTS = ("feature_extractor", "layer_norm", "post_extract_proj", "mask_emb", "dropout_input", "encoder")

    def __init__(self, model: nn.Module, normalizes: bool, dropout: float | None = None, layerdrop: float = 0.0):
        super().__init__()
        self.normalizes, self.layerdrop, self.checkpointing = normalizes, layerdrop, False
        self.crop_to = getattr(model, "crop_seq_to_multiple", 1)
        for part in self.PARTS:
            setattr(self, part, getattr(model, part))
        self.requires_grad_(False)
        self.encoder.requires_grad_(True)
        self.dropout = self.encoder.dropout if dropout is None else dropout
        if dropout is not None:
            for module in self.modules():
                if hasattr(module, "p"):  # torch's dropout and fairseq's
                    module.p = dropout
        self.train()

    @property
    def dim(self) -> int:
        """Size of a frame, D."""
        return len(self.mask_emb)

    def train(self, mode: bool = True) -> TransformerEncoder:
        """Set the mode of the transformer; the front end stays in evaluation mode."""
        super().train(mode)
        for frozen in (self.feature_extractor, self.layer_norm, self.post_extract_proj):
            if frozen is not None:
                frozen.eval()
        return self

    @torch.no_grad()
    def front_end(self, wav: Tensor) -> Tensor:
        """Turn one utterance into the frames that the transformer takes; never padded, so that it is alone.

        Args:
            wav: (T,) samples at 16 kHz.

        Returns:
            (T', D), one frame every 20 ms.
        """
        wav = _filled(wav).to(self.mask_emb.device)
        if self.normalizes:
            wav = F.layer_norm(wav, wav.shape)
        x = self.layer_norm(self.feature_extractor(wav.to(self.mask_emb.dtype).unsqueeze(0)).transpose(1, 2))
        x = x[:, : x.shape[1] - x.shape[1] % self.crop_to]
        return (x if self.post_extract_proj is None else self.post_extract_proj(x)).squeeze(0)

    def forward(
        self, frames: Tensor, lengths: Tensor, time_mask: Tensor | None = None, feature_mask: Tensor | None = None
    ) -> Tensor:
        """Give the last hidden states; padding changes nothing of an utterance.

        fairseq's own loop is not called: it pads within the positional convolutions of data2vec, and WavLM's draws a
        number of numpy's global state for every layer.

        Args:
            frames: from `front_end`, (B, T', D), padded with anything.
            lengths: valid frames of each, (B,).
            time_mask: (B, T') bool, frames that `mask_emb` replaces.
            feature_mask: (B, D) bool, features that zero replaces in all frames.

        Returns:
            (B, T', D); frames in the padding have no meaning.
        """
        for x in self.hidden_states(frames, lengths, time_mask, feature_mask):  # one at a time: no list of all layers
            last = x
        return last

    def hidden_states(
        self, frames: Tensor, lengths: Tensor, time_mask: Tensor | None = None, feature_mask: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Give what the transformer takes and what each of its layers makes of it, one (B, T', D) after another."""
        x = self.dropout_input(frames)
        if time_mask is not None:
            x = torch.where(time_mask.unsqueeze(-1), self.mask_emb.to(x.dtype), x)
        if feature_mask is not None:
            x = x.masked_fill(feature_mask.unsqueeze(1), 0)
        is_pad = torch.arange(x.shape[1], device=x.device) >= lengths.unsqueeze(1)  # (B, T')
        x = x.masked_fill(is_pad.unsqueeze(-1), 0)
        x = x + self._positions(x, is_pad)
        if not self.encoder.layer_norm_first:
            x = self.encoder.layer_norm(x)
        x = F.dropout(x, self.dropout, self.training).transpose(0, 1)  # (T', B, D)
        pad = torch.zeros_like(is_pad, dtype=x.dtype).masked_fill(is_pad, -torch.inf) if is_pad.any() else None
        bias = {}
        for layer in self.encoder.layers:
            yield x.transpose(0, 1)
            if self.training and self.layerdrop and torch.rand(()) < self.layerdrop:
                continue
            call = partial(checkpoint, layer, use_reentrant=False) if self._checkpoints() else layer
            x, *rest = call(x, self_attn_padding_mask=pad, **bias)
            if len(rest) == 2:  # WavLM hands the first layer's relative positions to the others
                bias = {"pos_bias": rest[1]}
        x = x.transpose(0, 1)
        yield self.encoder.layer_norm(x) if self.encoder.layer_norm_first else x

    def _checkpoints(self) -> bool:
        return self.checkpointing and self.training and torch.is_grad_enabled()

    def _positions(self, x: Tensor, is_pad: Tensor) -> Tensor:
        """Apply the positional convolutions, one or (data2vec) several, each to frames with silent padding."""
        several = isinstance(self.encoder.pos_conv[0], nn.Sequential)
        x = x.transpose(1, 2)  # (B, D, T')
        for conv in self.encoder.pos_conv if several else [self.encoder.pos_conv]:
            x = conv(x).masked_fill(is_pad.unsqueeze(1), 0)
        return x.transpose(1, 2)


def _byol_s(ckpt: str, hop_ms: int, device: torch.device) -> Frames:
    """Build the 512-dimensional BYOL-S (Scheidwasser-Clow et al. 2022), whose s3prl expert takes 2,048 alone."""
    from s3prl.upstream.byol_s.byol_a.models.audio_ntt import AudioNTT2020
    from s3prl.upstream.byol_s.serab_byols import serab

    model = AudioNTT2020(n_mels=64, d=BYOL_S_DIM)
    try:
        model.load_state_dict(read_checkpoint(ckpt))
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
