"""Training an encoder, and what stands on it, on audio: in batches of any size, on several devices, and so that a
killed run goes on where it stopped.

A batch is parted into micro-batches that fit a device. Their outputs are computed one after another, the loss is
taken over all of them, and each is then computed again with its gradient: so the result is that of the whole batch,
up to rounding, whatever the loss and wherever the micro-batches are computed. All draws are named by epoch, step and
micro-batch or utterance, so none depends on what was drawn before it.
Not here: any loss or model; where processes come from (`ser.system.devices`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ser.config import ConfigModel
from ser.errors import DataError
from ser.features.micro_batches import micro_batches
from ser.nn.span_mask import span_mask
from ser.randomness import drawing, seed_of
from ser.system.progress import progress
from ser.training.checkpoint import load_unfinished, save_unfinished
from ser.training.frames import FrontEndFrames
from ser.training.schedule import Batches, Schedule, Shuffled

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SAVE_EVERY_S = 300
"""Seconds of work that a killed training may lose."""

Weights = Mapping[str, Tensor]
"""Trainable weights by name."""

Loss = Callable[..., Tensor | Mapping[str, Tensor]]
"""(rows of the utterances in a batch, (B,) int64, *outputs of the model, (B, ...) each) to a scalar; or to several by
name, of which `loss` is minimized and the others are recorded in the history."""

Crop = Literal["start", "random"]
"""Which part of an utterance is taken where it is cut."""


class MaskConfig(ConfigModel):
    """Spans that are hidden while training: of frames (`time`) and of features, see `span_mask`."""

    time_length: int = Field(gt=0)
    time_prob: float = Field(ge=0, le=1)
    time_min_spans: int = Field(ge=0)
    feature_length: int = Field(gt=0)
    feature_prob: float = Field(ge=0, le=1)
    feature_min_spans: int = Field(ge=0)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Name the parameters that are trained."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Copy the trainable weights to the CPU."""
    return {name: p.detach().to("cpu", copy=True) for name, p in trainable(model).items()}


@torch.no_grad()
def set_weights(model: nn.Module, weights: Weights) -> None:
    """Set the trainable weights, which must be exactly those of the model."""
    params = trainable(model)
    if params.keys() != weights.keys():
        raise ValueError(f"weights of another model: {min(params.keys() ^ weights.keys())}")
    for name, param in params.items():
        param.copy_(weights[name])


@dataclass
class _Progress:
    """What of a training is done; `loss` has sums over the epoch's utterances and their numbers, by name."""

    step: int = 0
    loss: dict[str, list[float]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = -math.inf
    best_weights: Weights = field(default_factory=dict)

    def save(self, path: Path, params: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
        """Write it with the weights as they are now."""
        now = {name: param.detach() for name, param in params.items()}
        done = {name: value for name, value in vars(self).items() if name != "best_weights"}
        save_unfinished(path, now, self.best_weights, optimizer, done)

    @classmethod
    @torch.no_grad()
    def load(cls, path: Path, params: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> _Progress:
        """Read it, and set weights and optimizer."""
        now, best, done = load_unfinished(path, optimizer)
        for name, param in params.items():
            param.copy_(now[name])
        return cls(**done, best_weights=best)


@dataclass(frozen=True)
class Trainer:
    """A model with everything that training and prediction need.

    Attributes:
        fabric: device, precision and processes.
        model: (frames (B, T', D), lengths (B,), time mask (B, T') or None, feature mask (B, D) or None) to a tuple
            of outputs, (B, n) each, as many and as wide as its attribute `sizes` says.
        frames: of all utterances.
        micro_batch_seconds: padded audio that the device takes at once. It changes results by rounding and, where
            there is dropout, by its draws.
        shared: whether the processes share every batch, or each works for itself.
    """

    fabric: Fabric
    model: nn.Module
    frames: FrontEndFrames
    micro_batch_seconds: float
    shared: bool

    # ---- Applying ----

    @torch.no_grad()
    def outputs(self, utts: Sequence[str], max_seconds: float | None = None) -> tuple[Tensor, ...]:
        """Apply the model to whole utterances, or to their beginnings.

        Returns:
            Its outputs, (n, ...) float32 each, on the CPU.

        Raises:
            DataError: if one is not finite, or audio cannot be decoded.
        """
        self.model.eval()
        tables = self._tables(len(utts))
        for rows in self._own(utts, max_seconds).values():
            self._fill(tables, rows, self._apply([self.frames.of(utts[r], max_seconds) for r in rows]))
        self._sum(tables)
        finite = torch.stack([table.isfinite().all(1) for table in tables]).all(0).tolist()
        if bad := [utt for utt, is_finite in zip(utts, finite, strict=True) if not is_finite]:
            raise DataError(f"training diverged: the model's output is not finite for {' '.join(bad[:5])}")
        return tuple(table.cpu() for table in tables)

    # ---- Training ----

    def fit(
        self,
        utts: Sequence[str],
        loss: Loss,
        schedule: Schedule,
        *,
        seed: int,
        max_seconds: float | None,
        mask: MaskConfig | None = None,
        crop: Crop = "start",
        batches: Batches | None = None,
        dev: Callable[[], float] | None = None,
        checkpoint: Path | None = None,
        what: str | None = None,
    ) -> list[dict[str, float]]:
        """Train the model, in place, with Adam.

        Args:
            utts: to train on.
            loss: of a batch.
            schedule: rate, epochs, batches.
            seed: of order, masks and dropout.
            max_seconds: utterances are cut to so much; None leaves them whole.
            mask: spans to hide; None hides none.
            crop: what is left of an utterance that is cut: its beginning, or a part that is drawn for every step, of
                the front end's frames of the whole.
            batches: None goes through all utterances in each epoch.
            dev: measures the model after each epoch; the weights of the best epoch, the first of equally good ones,
                are those that remain. None keeps the last.
            checkpoint: file that holds an unfinished training; None saves nothing.
            what: name of the progress bar; None shows none.

        Returns:
            `epoch`, `loss` and the other values of the loss (means over utterances) and, with `dev`, `dev` of every
            epoch.

        Raises:
            DataError: if the loss or its gradient is not finite, or audio cannot be decoded.
        """
        params = trainable(self.model)
        optimizer = torch.optim.Adam(schedule.groups(params), lr=schedule.lr)
        is_begun = checkpoint is not None and checkpoint.exists()
        done = _Progress.load(checkpoint, params, optimizer) if is_begun else _Progress()
        batches = batches or Shuffled(len(utts), schedule.batch_size, seed)
        n_batches = batches.n_batches
        n_steps = schedule.epochs * n_batches
        saved = time.monotonic()
        for step in self._shown(range(done.step, n_steps), what, n_steps, done.step):
            epoch, batch = divmod(step, n_batches)
            rows = batches.rows(epoch, batch)
            for group in optimizer.param_groups:
                group["lr"] = schedule.lr_at(epoch, step) * group["factor"]
            values = self._gradients(params, utts, rows, loss, (seed, epoch, step), max_seconds, mask, crop)
            if schedule.clip is not None:
                nn.utils.clip_grad_norm_(params.values(), schedule.clip)
            optimizer.step()
            done.step = step + 1
            for name, value in values.items():
                total, n = done.loss.get(name, (0.0, 0))
                done.loss[name] = [total + value * len(rows), n + len(rows)]
            if batch + 1 == n_batches:
                row = {"epoch": epoch + 1, **{name: total / n for name, (total, n) in done.loss.items()}}
                if dev is not None:
                    row["dev"] = dev()
                    if row["dev"] > done.best:
                        done.best, done.best_weights = row["dev"], copy_weights(self.model)
                done.history.append(row)
                done.loss = {}
            if checkpoint and self._leads and (done.step == n_steps or time.monotonic() - saved > SAVE_EVERY_S):
                done.save(checkpoint, params, optimizer)
                saved = time.monotonic()
        if done.best_weights:
            set_weights(self.model, done.best_weights)
        return done.history

    def _gradients(
        self,
        params: Mapping[str, nn.Parameter],
        utts: Sequence[str],
        batch: Tensor,
        loss: Loss,
        names: tuple[int, int, int],
        max_seconds: float | None,
        mask: MaskConfig | None,
        crop: Crop,
    ) -> dict[str, float]:
        """Compute the loss of a batch and its other values, and set the gradient.

        Args:
            batch: rows of `utts`, (B,).
            names: seed, epoch and step, of the draws.
        """
        self.model.train()
        chosen = [utts[r] for r in batch]
        own = self._own(chosen, max_seconds)

        def apply(number: int) -> Sequence[Tensor]:
            members = [chosen[r] for r in own[number]]
            frames = [self._cut(utt, max_seconds, crop, names) for utt in members]
            masks = [_masks(mask, f, *names[:2], utt) for f, utt in zip(frames, members, strict=True)] if mask else []
            with drawing(seed_of("dropout", *names, number), self.fabric.device):  # of its own
                return self._apply(frames, masks)

        tables, outputs = self._tables(len(chosen)), ()
        for number, rows in own.items():
            with torch.set_grad_enabled(number == max(own)):  # the last is not computed twice
                outputs = apply(number)
            self._fill(tables, rows, [output.detach() for output in outputs])
        self._sum(tables)
        leaves = [table.requires_grad_() for table in tables]
        told = loss(batch, *leaves)
        told = told if isinstance(told, Mapping) else {"loss": told}
        value = told["loss"]
        slopes = torch.autograd.grad(value, leaves, allow_unused=True)
        for param in params.values():
            param.grad = torch.zeros_like(param)
        for number, rows in reversed(own.items()):
            outputs = outputs or apply(number)
            pairs = [(o, s[rows]) for o, s in zip(outputs, slopes, strict=True) if s is not None]
            self.fabric.backward(sum((output * slope).sum() for output, slope in pairs))
            outputs = ()
        self._share(params)
        finite = torch.stack([value.isfinite(), *(p.grad.isfinite().all() for p in params.values())])
        if not finite.all():
            what, (_, epoch, step) = "gradient" if finite[0] else "loss", names
            raise DataError(
                f"training diverged: the {what} of step {step + 1}, epoch {epoch + 1}, is not finite; "
                f"its utterances: {' '.join(chosen)}"
            )
        return {name: part.item() for name, part in told.items()}

    def _cut(self, utt: str, max_seconds: float | None, crop: Crop, names: tuple[int, int, int]) -> Tensor:
        """Give the frames of an utterance that a step sees, (T', D)."""
        if crop == "start" or max_seconds is None or self.frames.seconds(utt) <= max_seconds:
            return self.frames.of(utt, max_seconds)
        frames = self.frames.of(utt, None)
        n = max(1, round(len(frames) * max_seconds / self.frames.seconds(utt)))
        start = seed_of("crop", *names, utt) % (len(frames) - n + 1)
        return frames[start : start + n]

    def _apply(self, frames: Sequence[Tensor], masks: Sequence[tuple[Tensor, Tensor]] = ()) -> Sequence[Tensor]:
        """Apply the model to utterances (T', D) and their masks (T',) and (D,), if any."""
        lengths = torch.tensor([len(f) for f in frames])
        inputs = [pad_sequence(list(frames), batch_first=True), lengths]
        if masks:
            time_masks, feature_masks = zip(*masks, strict=True)
            inputs += [pad_sequence(list(time_masks), batch_first=True), torch.stack(feature_masks)]
        with self.fabric.autocast():
            outputs = self.model(*(self.fabric.to_device(x) for x in inputs))
        return [output.float() for output in outputs]

    # ---- Processes ----

    @property
    def _place(self) -> tuple[int, int]:
        return (self.fabric.global_rank, self.fabric.world_size) if self.shared else (0, 1)

    @property
    def _leads(self) -> bool:
        return self._place[0] == 0

    def _own(self, utts: Sequence[str], max_seconds: float | None) -> dict[int, list[int]]:
        """Tell which micro-batches this process computes: number -> rows of `utts`."""
        seconds = [min(self.frames.seconds(utt), max_seconds or math.inf) for utt in utts]
        rank, n_processes = self._place
        return dict(list(enumerate(micro_batches(seconds, self.micro_batch_seconds)))[rank::n_processes])

    def _tables(self, n: int) -> list[Tensor]:
        return [torch.zeros(n, size, device=self.fabric.device) for size in self.model.sizes]

    @staticmethod
    def _fill(tables: Sequence[Tensor], rows: Sequence[int], outputs: Iterable[Tensor]) -> None:
        for table, output in zip(tables, outputs, strict=True):
            table[rows] = output

    def _sum(self, tensors: Sequence[Tensor]) -> None:
        """Add up tensors over the processes, in place; each row of a table is zero in all but one."""
        if self._place[1] > 1:
            for tensor in tensors:
                self.fabric.all_reduce(tensor, reduce_op="sum")

    def _share(self, params: Mapping[str, nn.Parameter]) -> None:
        """Add up gradients over the processes, in one message."""
        if self._place[1] > 1:
            grads = [p.grad for p in params.values()]
            together = torch.cat([grad.flatten() for grad in grads])
            self._sum([together])
            for grad, new in zip(grads, together.split([grad.numel() for grad in grads]), strict=True):
                grad.copy_(new.view_as(grad))

    def _shown(self, steps: range, what: str | None, total: int, done: int) -> Iterable[int]:
        return progress(steps, what, total, done) if what and self._leads else steps


def _masks(config: MaskConfig, frames: Tensor, seed: int, epoch: int, utt: str) -> tuple[Tensor, Tensor]:
    """Draw the masks of an utterance (T', D), which no other utterance and no padding changes: (T',) and (D,)."""
    c, generator = config, torch.Generator().manual_seed(seed_of("mask", seed, epoch, utt))
    n, dim = frames.shape
    return (
        span_mask(n, c.time_length, c.time_prob, c.time_min_spans, generator),
        span_mask(dim, c.feature_length, c.feature_prob, c.feature_min_spans, generator),
    )
