"""Encoders with a transformer: for training, and, frozen, for several utterances at once and for a CPU.

Padding does not change an utterance: front ends take each by itself, and above them padding is masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint

from ser.errors import DataError
from ser.features.encoders.base import Upstream, filled
from ser.nn.convolution_as_product import as_products
from ser.system.devices import Precision, available_memory

UNFUSED_FRAMES = 2000
"""Longest utterance (40 s) whose attention weights, a number per head and pair of frames, may all be in memory."""


class TransformerUpstream(Upstream):
    """An encoder with a transformer, which takes several utterances at once; padding changes none of them.

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
        if self._device.type == "cpu":
            check_memory(self._encoder, max(lengths), len(lengths))
        layers = self._encoder.hidden_states(
            pad_sequence(frames, batch_first=True), torch.tensor(lengths, device=self._device)
        )
        states = torch.stack(list(islice(layers, self._n_layers))).float()  # (L, B, T', D)
        return [states[:, i, :length] for i, length in enumerate(lengths)]

    def _on_device(self, wavs: Sequence[Tensor]) -> list[Tensor]:
        if self._device.type == "cpu":
            return list(wavs)
        return [wav.pin_memory().to(self._device, non_blocking=True) for wav in wavs]


ATTENTION_COPIES = 6.5
"""Matrices of frames by frames that WavLM holds for each head at once: positions, their gate, weights (measured)."""


def check_memory(encoder: TransformerEncoder, n_frames: int, n_utterances: int = 1) -> None:
    """Refuse audio for which an encoder with relative positions (WavLM) would take more memory than there is.

    Others compute attention in pieces, and take little.

    Raises:
        DataError: saying how much it would take.
    """
    attention = encoder.encoder.layers[0].self_attn
    if not getattr(attention, "has_relative_attention_bias", False):
        return
    needed = ATTENTION_COPIES * attention.num_heads * n_utterances * n_frames**2 * 4
    if needed > (available := available_memory()):
        raise DataError(
            f"{n_frames / 50:.0f} s of audio take {needed / 1e9:.0f} GB in this encoder, whose attention grows with "
            f"the square of the length, and {available / 1e9:.0f} GB are free; cut it into utterances, as with start "
            "and end in a table, or --window in predict"
        )


def _suit_a_cpu(encoder: TransformerEncoder) -> None:
    """Have an encoder compute the same numbers the way that a CPU does it sooner in bf16."""
    as_products(encoder.feature_extractor)
    as_products(encoder.encoder.pos_conv)

    def unfused(attention: nn.Module, args: tuple[()], kwargs: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
        """Ask for its weights, which torch then computes; its fused attention takes twice as long."""
        return args, kwargs | {"need_weights": len(kwargs["query"]) <= UNFUSED_FRAMES}

    for layer in encoder.encoder.layers:
        layer.self_attn.register_forward_pre_hook(unfused, with_kwargs=True)


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
        return self.projected(self.features(wav))

    @torch.no_grad()
    def features(self, wav: Tensor) -> Tensor:
        """Turn one utterance, (T,), into normalized outputs of the convolutions, (T', D'), not projected."""
        wav = filled(wav).to(self.mask_emb.device)
        if self.normalizes:
            wav = F.layer_norm(wav, wav.shape)
        x = self.layer_norm(self.feature_extractor(wav.to(self.mask_emb.dtype).unsqueeze(0)).transpose(1, 2)).squeeze(
            0
        )
        return x[: len(x) - len(x) % self.crop_to]

    @torch.no_grad()
    def projected(self, features: Tensor) -> Tensor:
        """Project outputs of the convolutions, (..., D'), to frames that the transformer takes, (..., D)."""
        return features if self.post_extract_proj is None else self.post_extract_proj(features)

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
