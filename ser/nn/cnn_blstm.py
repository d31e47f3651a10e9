"""The network of DIFL: CNN over segments, BLSTM over their sequence, emotion and domain branch (Gao 2022, Fig. 1).

The paper prints no layer sizes. The defaults are ours, in the line of its reference models. Not here: the losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

from ser.nn.domain_heads import DomainHeads
from ser.randomness import drawing

CHUNK_SEGMENTS = {"cpu": 32, "cuda": 1024}
"""Segments that the convolutions take at once: on a CPU few, so that what lies between the layers stays cached."""

MAX_HELD_SEGMENTS = {"cpu": 256, "cuda": 8192}
"""Segments of a batch of which what lies between the convolutions is kept, 1.6 MB each in the default size; of the
rest it is computed again on the way back, which takes a third longer."""


class CnnBlstmOutput(NamedTuple):
    """The tensors that the losses act on.

    Attributes:
        h: output of FC1, the shared feature G(x), from which the domain branches leave, (B, H).
        z: output of FC2, on which the center loss acts, (B, D).
        logits: of the emotion classes, (B, C).
        domains: domain factor -> logits (B, number of domains), behind gradient reversal.
    """

    h: Tensor
    z: Tensor
    logits: Tensor
    domains: dict[str, Tensor]


class CnnBlstm(nn.Module):
    """From the segments or frames of an utterance to emotion and domain scores.

    segments -> (conv, max-pool, ReLU) x 2 -> FC, ReLU, dropout -> BLSTM -> mean over time -> FC1, ReLU = h
    h -> FC2 = z -> emotion logits;   h -> gradient reversal -> a linear layer per domain factor

    Frames of a frozen upstream skip the CNN and its FC: dropout, BLSTM and what follows act on them directly.
    With `blstm_over="frames"` the FC makes a vector of each frame that pooling has left of a segment, and BLSTM and
    mean go over the frames of all segments: a segment by itself is then a sequence, too.

    Args:
        n_classes: emotion classes, C; 2 in Gao 2022.
        domains: domain factor -> number of its domains, for example `{"gender": 2, "language": 2, "corpus": 4}`;
            empty for a network without adversary.
        seed: of the initial weights; no global random state is touched. For one seed, networks that differ only
            in their domains start from the same weights, heads apart.
        input_shape: of one step of the sequence: (time, frequency) of a segment, or (D,) of a frame.
        conv_maps: maps of each convolution.
        kernel: side of the convolutions' kernels.
        pool: side and stride of the max-pooling.
        segment_dim: size of the vector that the CNN makes of a segment, or of each of its frames.
        dropout: share of the BLSTM's input that is dropped in training mode.
        blstm_units: per direction.
        fc1_dim: size of h.
        fc2_dim: size of z.
        blstm_over: steps of the BLSTM: `segments` (or what `input_shape` says), or `frames` of segments.

    Raises:
        ValueError: if `input_shape` has neither one nor two axes, or one and `blstm_over` is `frames`, or nothing of
            it is left after pooling.

    Example:
        >>> model = CnnBlstm(n_classes=2, domains={"gender": 2, "corpus": 4}, seed=1, input_shape=(768,)).eval()
        >>> output = model(torch.zeros(3, 50, 768), lengths=torch.tensor([50, 7, 31]))
        >>> tuple(output.h.shape), tuple(output.z.shape), tuple(output.domains["corpus"].shape)
        ((3, 256), (3, 64), (3, 4))
    """

    def __init__(
        self,
        n_classes: int,
        domains: Mapping[str, int],
        seed: int,
        *,
        input_shape: Sequence[int] = (32, 129),
        conv_maps: Sequence[int] = (32, 64),
        kernel: int = 5,
        pool: int = 2,
        segment_dim: int = 512,
        dropout: float = 0.5,
        blstm_units: int = 256,
        fc1_dim: int = 256,
        fc2_dim: int = 64,
        blstm_over: Literal["segments", "frames"] = "segments",
    ):
        super().__init__()
        self.input_shape, self.dropout = tuple(input_shape), dropout
        if len(self.input_shape) not in (1, 2):
            raise ValueError(f"input_shape has to be (time, frequency) or (D,), got {self.input_shape}")
        with drawing(seed):
            is_frame, self.over_frames = len(self.input_shape) == 1, blstm_over == "frames"
            if is_frame and self.over_frames:
                raise ValueError(f"blstm_over 'frames' needs input_shape (time, frequency), got {self.input_shape}")
            cnn = (self.input_shape, conv_maps, kernel, pool, segment_dim, self.over_frames)
            self.cnn = None if is_frame else SegmentCnn(*cnn)
            step_dim = self.input_shape[0] if is_frame else segment_dim
            self.blstm = nn.LSTM(step_dim, blstm_units, batch_first=True, bidirectional=True)
            self.fc1 = nn.Linear(2 * blstm_units, fc1_dim)
            self.fc2 = nn.Linear(fc1_dim, fc2_dim)
            self.classify = nn.Linear(fc2_dim, n_classes)
            self.apply(_start)
            self.domain_heads = DomainHeads(fc1_dim, domains).apply(_start)  # last: they change no other weight

    def forward(
        self, x: Tensor, lengths: Tensor, scale: float = 1.0, generator: torch.Generator | None = None
    ) -> CnnBlstmOutput:
        """Score a padded batch; the values in the padding are never used.

        Args:
            x: segments (B, T, time, frequency) or frames (B, T, D), float.
            lengths: valid steps of each utterance, 1 to T, (B,) int64.
            scale: of the reversed gradient; 1 where gamma weights the domain loss, as in Gao 2022, Eq. 1.
            generator: randomness of the dropout in training mode; torch's global one without it.

        Raises:
            ValueError: if the shapes disagree or a length is not in 1 to T.
        """
        lengths = lengths.cpu()  # where packing wants them
        self._check(x, lengths)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        if self.over_frames:
            packed, lengths = self._frames(x, lengths)
            steps = packed.data
        else:
            steps = packed.data if self.cnn is None else self.cnn(packed.data)  # (N, D), N = lengths.sum()
        if self.training and self.dropout:
            steps = _drop(steps, self.dropout, generator)
        packed, _ = self.blstm(PackedSequence(steps, *packed[1:]))
        states, _ = pad_packed_sequence(packed, batch_first=True)  # (B, T, 2 units), zero behind the end
        mean = states.sum(1) / lengths.to(states.device).unsqueeze(1)  # (B, 2 units)
        h = self.fc1(mean).relu()
        z = self.fc2(h)
        return CnnBlstmOutput(h, z, self.classify(z), self.domain_heads(h, scale))

    def _frames(self, x: Tensor, lengths: Tensor) -> tuple[PackedSequence, Tensor]:
        """Give the vectors of the frames that pooling leaves of all segments, and how many an utterance has."""
        is_own = (torch.arange(x.shape[1]) < lengths[:, None]).to(x.device)
        frames = self.cnn(x[is_own])  # (N, T', D), N = lengths.sum()
        own = [part.flatten(0, 1) for part in frames.split(lengths.tolist())]
        return pack_sequence(own, enforce_sorted=False), lengths * frames.shape[1]

    def _check(self, x: Tensor, lengths: Tensor) -> None:
        if x.shape[2:] != self.input_shape or lengths.shape != x.shape[:1]:
            expected = ", ".join(str(size) for size in ("B", "T", *self.input_shape))
            found = f"{tuple(x.shape)} and {tuple(lengths.shape)}"
            raise ValueError(f"expected x ({expected}) and lengths (B,), got {found}")
        if lengths.min() < 1 or lengths.max() > x.shape[1]:
            raise ValueError(f"lengths have to lie in 1 to {x.shape[1]}, got {lengths.min()} to {lengths.max()}")


class SegmentCnn(nn.Module):
    """From one spectrogram segment to one vector: convolutions with max-pooling, and a linear layer with ReLU.

    Args:
        input_shape: (time, frequency) of a segment.
        conv_maps, kernel, pool, segment_dim: as for `CnnBlstm`.
        per_frame: whether each frame that pooling leaves has a vector of its own.
    """

    def __init__(
        self,
        input_shape: tuple[int, int],
        conv_maps: Sequence[int],
        kernel: int,
        pool: int,
        segment_dim: int,
        per_frame: bool = False,
    ):
        super().__init__()
        self.pool, self.per_frame = pool, per_frame
        maps = (1, *conv_maps)
        self.convs = nn.ModuleList(
            nn.Conv2d(n_in, n_out, kernel, padding="same") for n_in, n_out in zip(maps, conv_maps, strict=False)
        ).to(memory_format=torch.channels_last)  # a third faster on a CPU
        time, frequency = (size // pool ** len(self.convs) for size in input_shape)
        if not time * frequency:
            raise ValueError(f"input_shape {input_shape}: nothing is left after {len(self.convs)} poolings by {pool}")
        self.fc = nn.Linear(maps[-1] * frequency * (1 if per_frame else time), segment_dim)

    def forward(self, segments: Tensor) -> Tensor:
        """Map (N, time, frequency) to (N, segment_dim), or to (N, pooled time, segment_dim)."""
        size, most = (table[segments.device.type] for table in (CHUNK_SEGMENTS, MAX_HELD_SEGMENTS))
        maps = []
        for number, chunk in enumerate(segments.split(size)):
            is_kept = not torch.is_grad_enabled() or (number + 1) * size <= most
            maps.append(self._convolve(chunk) if is_kept else checkpoint(self._convolve, chunk, use_reentrant=False))
        return self.fc(torch.cat(maps)).relu()

    def _convolve(self, segments: Tensor) -> Tensor:
        x = segments.unsqueeze(1)  # (N, 1, time, frequency)
        for conv in self.convs:
            x = F.max_pool2d(conv(x), self.pool).relu()  # equals pooling after ReLU, on a quarter of the numbers
        return x.transpose(1, 2).flatten(2) if self.per_frame else x.flatten(1)  # (N, time, D) or (N, D)


def _start(layer: nn.Module) -> None:
    """Draw first weights as Glorot and Bengio (2010) do, which is not in the paper.

    PyTorch's own shrink what passes each layer: of this network's depth so much that Adadelta stays where it starts.
    """
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.LSTM):
        for name, values in layer.named_parameters():
            start = {"weight_ih": nn.init.xavier_uniform_, "weight_hh": nn.init.orthogonal_}
            start.get(name[:9], nn.init.zeros_)(values)


def _drop(x: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Dropout with randomness of its own, which nn.Dropout does not take; the same on every device."""
    device = generator.device if generator else x.device
    keep = torch.rand(x.shape, generator=generator, device=device) >= share
    return x * keep.to(x.device) / (1 - share)
