"""wav2vec 2.0's pretraining goes on, on other audio, without any label (Baevski et al. 2020).

Spans of frames are masked, and the transformer has to tell what a masked frame hides from other masked frames of the
utterance. The transformer, the codebooks and the two projections of the checkpoint are trained; its front end stays
as it is, as wherever an encoder is trained here, so there is no penalty on its outputs and no dropout on them. The
temperature of the codebooks is the one at which the checkpoint's own training ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn

from ser.config import ConfigModel
from ser.losses.masked_contrastive import MaskedContrastiveLoss, codebook_diversity
from ser.training.frames import FrontEndFrames
from ser.training.schedule import Schedule
from ser.training.trainer import MaskConfig, Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_fabric import Fabric

    from ser.data.data_dir import AudioPart
    from ser.features.encoders.pretraining import PretrainingHead
    from ser.features.encoders.transformer import TransformerEncoder


class PretrainingConfig(ConfigModel):
    """How long and how the pretraining goes on.

    Attributes:
        lr: of Adam; constant.
        epochs: passes over the utterances.
        batch_size: utterances of a step.
        max_seconds: a part of an utterance that is drawn for every step.
        mask_length: frames of a masked span (M).
        mask_prob: share of frames that spans would hide if they did not overlap (M p).
        distractors: K.
        temperature: kappa of Eq. 3.
        diversity: alpha of Eq. 2.
    """

    lr: float = Field(gt=0)
    epochs: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    max_seconds: float = Field(ge=0.1)
    mask_length: int = Field(gt=0)
    mask_prob: float = Field(gt=0, le=1)
    distractors: int = Field(gt=0)
    temperature: float = Field(gt=0)
    diversity: float = Field(ge=0)


class PretrainingNetwork(nn.Module):
    """Sums over the masked frames of an utterance, from which the loss of any batch of utterances follows.

    Args:
        encoder: its transformer is trained.
        head: codebooks and projections.
        config: of the loss.
    """

    def __init__(self, encoder: TransformerEncoder, head: PretrainingHead, config: PretrainingConfig):
        super().__init__()
        self.encoder, self.head, self.n_distractors = encoder, head, config.distractors
        self.loss = MaskedContrastiveLoss(config.temperature)
        self.shape = head.quantizer.codebooks.shape[:2]  # G, V
        self.sizes = 1, 1, self.shape.numel()

    def forward(
        self, features: Tensor, lengths: Tensor, time_mask: Tensor | None = None, feature_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map outputs of the convolutions (B, T', D'), their numbers (B,) and masks to sums over masked frames.

        An utterance with fewer than two masked frames has no distractor, and all of its sums are zero.

        Returns:
            Sum of L_m, (B, 1); masked frames, (B, 1); sum of the probabilities of code entries, (B, G V).
        """
        hidden = self.encoder(self.encoder.projected(features), lengths, time_mask)
        sums = []
        with torch.autocast(hidden.device.type, enabled=False):  # cosines need their digits
            for i, length in enumerate(lengths.tolist()):
                masked = time_mask[i, :length] if time_mask is not None else torch.zeros(length, dtype=torch.bool)
                n = int(masked.sum())
                if n < 2:
                    sums.append(hidden[i].float().sum() * torch.zeros(2 + self.sizes[2], device=hidden.device))
                    continue
                codes, probabilities = self.head.codes(features[i, :length][masked].float())
                context = self.head.context(hidden[i, :length][masked].float())
                losses = self.loss(context, codes, distractors(n, self.n_distractors, hidden.device))
                number = torch.full((1,), float(n), device=hidden.device)
                sums.append(torch.cat([losses.sum().unsqueeze(0), number, probabilities.sum(0).flatten()]))
        return tuple(torch.stack(sums).split(self.sizes, dim=1))


def distractors(n: int, k: int, device: torch.device | None = None) -> Tensor:
    """Draw K of the other masked frames for each of n, with replacement, (n, K); n is at least 2."""
    drawn = torch.randint(n - 1, (n, k), device=device)
    own = torch.arange(n, device=device).unsqueeze(1)
    return drawn + (drawn >= own)


def loss_of(sums: Sequence[Tensor], shape: torch.Size, diversity: float) -> dict[str, Tensor]:
    """Compute L = L_m + alpha L_d (Eq. 2) of a batch, means over its masked frames.

    Args:
        sums: outputs of `PretrainingNetwork`, (B, ...) each.
        shape: G and V.
        diversity: alpha.

    Returns:
        `loss`, and its parts.
    """
    contrastive, n, probabilities = (part.sum(0) for part in sums)
    n = n.clamp(min=1)
    l_m, l_d = (contrastive / n).squeeze(), codebook_diversity((probabilities / n).view(shape))
    return {"loss": l_m + diversity * l_d, "l_m": l_m.detach(), "l_d": l_d.detach()}


def go_on(
    fabric: Fabric,
    encoder: TransformerEncoder,
    head: PretrainingHead,
    audio: Mapping[str, AudioPart],
    utts: Sequence[str],
    config: PretrainingConfig,
    micro_batch_seconds: float,
    seed: int,
    checkpoint: Path,
) -> list[dict[str, float]]:
    """Train an encoder and its head on some utterances, in place, and give the history.

    Args:
        fabric: device, precision, and processes, which share every batch.
        encoder, head: of one checkpoint.
        audio: utterance -> where its audio is.
        utts: to train on; their labels have no part in it.
        config: of the training.
        micro_batch_seconds: of `Trainer`.
        seed: of all draws.
        checkpoint: file that holds an unfinished training.
    """
    network = fabric.to_device(PretrainingNetwork(encoder, head, config))
    frames = FrontEndFrames(_Convolutions(encoder), audio)
    trainer = Trainer(fabric, network, frames, micro_batch_seconds, shared=True)
    mask = MaskConfig(
        time_length=config.mask_length, time_prob=config.mask_prob, time_min_spans=2,
        feature_length=1, feature_prob=0.0, feature_min_spans=0,
    )  # fmt: skip
    return trainer.fit(
        utts,
        lambda rows, *sums: loss_of(sums, network.shape, config.diversity),
        Schedule(config.lr, config.epochs, config.batch_size),
        seed=seed,
        max_seconds=config.max_seconds,
        mask=mask,
        crop="random",
        checkpoint=checkpoint,
        what="pretraining",
    )


class _Convolutions:
    """The part of an encoder's front end whose outputs are quantized, as `FrontEndFrames` asks for it."""

    def __init__(self, encoder: TransformerEncoder):
        self.front_end = encoder.features
