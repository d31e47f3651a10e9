"""The engine on a toy model, against plain loops: batches, rates, masks, checkpoints; and frames of real files."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ser.errors import DataError
from ser.features.micro_batches import micro_batches
from ser.system.devices import make_fabric
from ser.training import trainer as engine
from ser.training.schedule import Schedule
from ser.training.schedule import order as order_of
from ser.training.trainer import MaskConfig, Trainer, copy_weights, set_weights

D, H, C = 6, 4, 3
UTTS = [f"u{i}" for i in range(10)]
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
MASK = MaskConfig(
    time_length=2, time_prob=0.3, time_min_spans=1, feature_length=2, feature_prob=0.2, feature_min_spans=0
)


pytestmark = pytest.mark.usefixtures("one_thread")


class ToyFrames:
    """Random frames, 50 a second; counts what is asked for."""

    def __init__(self):
        g = torch.Generator().manual_seed(0)
        self.all = {utt: torch.randn(20 + 7 * i, D, generator=g) for i, utt in enumerate(UTTS)}
        self.asked = []

    def seconds(self, utt):
        return len(self.all[utt]) / 50

    def of(self, utt, max_seconds):
        self.asked.append((utt, max_seconds))
        return self.all[utt][: round(max_seconds * 50) if max_seconds else None]


class Toy(nn.Module):
    """Two layers with dropout, and a parameter that is not trained."""

    sizes = (H, C)

    def __init__(self, dropout: float):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.encoder, self.head = nn.Linear(D, H), nn.Linear(H, C)
            self.frozen = nn.Parameter(torch.ones(D), requires_grad=False)
        self.dropout = nn.Dropout(dropout)
        self.seen = []

    def forward(self, frames, lengths, time_mask=None, feature_mask=None):
        self.seen.append((self.training, time_mask, feature_mask))
        if time_mask is not None:
            frames = frames.masked_fill(time_mask.unsqueeze(-1), 0).masked_fill(feature_mask.unsqueeze(1), 0)
        valid = (torch.arange(frames.shape[1]) < lengths.unsqueeze(1)).unsqueeze(-1)
        z = (self.dropout(self.encoder(frames * self.frozen)).tanh() * valid).sum(1) / lengths.unsqueeze(1)
        return z, self.head(z)


def loss(rows, z, logits):
    """Every utterance matters to every other's gradient."""
    return F.cross_entropy(logits, LABELS[rows]) + torch.pdist(z + 0.01 * rows.unsqueeze(1)).mean()


def trainer(micro_batch_seconds: float = 100, dropout: float = 0.0, precision: str = "fp32") -> Trainer:
    fabric = make_fabric("cpu", precision)
    return Trainer(fabric, Toy(dropout), ToyFrames(), micro_batch_seconds, shared=True)


def fit(t: Trainer, loss=loss, epochs: int = 3, batch_size: int | None = 4, seed: int = 1, **settings):
    schedule = {name: settings.pop(name) for name in ("lr", "lr_decay", "decay_per") if name in settings}
    plan = Schedule(**({"lr": 0.05} | schedule), epochs=epochs, batch_size=batch_size)
    return t.fit(UTTS, loss, plan, seed=seed, **({"max_seconds": None, "mask": None} | settings))


def assert_equal(a, b, **tolerance):
    assert a.keys() == b.keys()
    for name in a:
        if tolerance:
            torch.testing.assert_close(a[name], b[name], rtol=0, **tolerance)
        else:
            assert torch.equal(a[name], b[name]), name


# ---- Batches --------------------------------------------------------------------------------------------------


def test_micro_batches_hold_each_utterance_once_and_stay_below_the_limit():
    seconds = [3.0, 1.0, 12.0, 2.0, 2.5, 1.0, 0.2]
    parts = micro_batches(seconds, 6.0)
    assert parts == [[2], [0, 4], [3, 1, 5], [6]]
    assert sorted(sum(parts, [])) == list(range(7))
    for part in parts:
        assert len(part) == 1 or len(part) * max(seconds[i] for i in part) <= 6.0
    assert micro_batches(seconds, 0.1) == [[i] for i in (2, 0, 4, 3, 1, 5, 6)]
    assert micro_batches(seconds, 1e9) == [[2, 0, 4, 3, 1, 5, 6]]
    assert micro_batches([], 6.0) == []


def plain(batch_size: int, epochs: int, lrs) -> tuple[Toy, list[float]]:
    """Train with torch's own loop, one whole batch at a time, padded together."""
    model, frames = Toy(0.0), ToyFrames()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    lrs, losses = iter(lrs), []
    for epoch in range(epochs):
        total = 0.0
        for rows in order_of(len(UTTS), batch_size, 1, epoch).split(batch_size or len(UTTS)):
            utts = [UTTS[r] for r in rows]
            padded = nn.utils.rnn.pad_sequence([frames.all[utt] for utt in utts], batch_first=True)
            value = loss(rows, *model(padded, torch.tensor([len(frames.all[utt]) for utt in utts])))
            optimizer.param_groups[0]["lr"] = next(lrs)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.item() * len(rows)
        losses.append(total / len(UTTS))
    return model, losses


@pytest.mark.parametrize("micro_batch_seconds", [0.1, 2.0, 100])
def test_micro_batches_give_the_result_of_the_whole_batch(micro_batch_seconds):
    t = trainer(micro_batch_seconds)
    before = copy_weights(t.model)
    history = fit(t)
    model, losses = plain(4, 3, [0.05] * 9)
    assert_equal(copy_weights(t.model), copy_weights(model), atol=1e-6)
    assert [row["loss"] for row in history] == pytest.approx(losses, abs=1e-6)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert all((before[name] - value).abs().min() > 1e-3 for name, value in copy_weights(t.model).items())
    assert torch.equal(t.model.frozen, torch.ones(D))


@pytest.mark.parametrize("decay_per, lrs", [
    ("epoch", [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025]), ("step", [0.1 * 0.5**i for i in range(9)]),
])  # fmt: skip
def test_the_rate_decays_per_epoch_or_step(decay_per, lrs):
    t = trainer()
    fit(t, lr=0.1, lr_decay=0.5, decay_per=decay_per)
    assert_equal(copy_weights(t.model), copy_weights(plain(4, 3, lrs)[0]), atol=1e-6)
    schedule = Schedule(0.1, 3, 4, 0.5, decay_per)
    assert [schedule.lr_at(step // 3, step) for step in range(9)] == pytest.approx(lrs)


def test_without_a_batch_size_every_step_sees_all_utterances_in_their_order():
    t, seen = trainer(), []
    fit(t, lambda rows, z, logits: seen.append(rows.tolist()) or loss(rows, z, logits), batch_size=None)
    assert seen == [list(range(10))] * 3
    assert_equal(copy_weights(t.model), copy_weights(plain(None, 3, [0.05] * 3)[0]), atol=1e-6)


def test_every_epoch_has_its_own_order_and_holds_every_utterance():
    orders = [order_of(10, 4, 1, epoch).tolist() for epoch in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert order_of(10, 4, 2, 0).tolist() != orders[0]


def test_utterances_are_cut_in_training_and_whole_afterwards():
    t = trainer(2.0)
    fit(t, max_seconds=0.5, epochs=1)
    assert {cap for _, cap in t.frames.asked} == {0.5}
    t.frames.asked.clear()
    t.outputs(UTTS)
    assert {cap for _, cap in t.frames.asked} == {None}


# ---- Draws ----------------------------------------------------------------------------------------------------


def test_the_seed_decides_everything_and_no_global_state_is_touched():
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    weights = []
    for seed in (1, 1, 2):
        t = trainer(2.0, dropout=0.3)
        fit(t, mask=MASK, seed=seed)
        weights.append(copy_weights(t.model))
        torch.rand(3), np.random.rand(3)  # noqa: NPY002, what happens between two trainings does not matter
    torch.set_rng_state(states[0])
    fit(trainer(2.0, dropout=0.3), mask=MASK)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[2]
    assert_equal(weights[0], weights[1])
    assert not torch.equal(weights[0]["head.weight"], weights[2]["head.weight"])


def test_dropout_draws_the_same_in_both_passes():
    """Were it another draw, the gradient would be that of another loss."""
    t, outputs = trainer(0.1, dropout=0.5), []
    t.model.register_forward_hook(lambda module, inputs, output: outputs.append(output[1].detach()))
    fit(t, batch_size=None, epochs=1)
    first, second = outputs[:9], outputs[:9:-1]  # ten utterances; the last is not computed twice
    assert len(outputs) == 19
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    fit(t, batch_size=None, epochs=1, lr=1e-9)
    assert not torch.equal(outputs[19 + 3], outputs[3])


def test_masks_are_drawn_for_every_utterance_and_epoch_and_in_training_alone():
    def masks_of(micro_batch_seconds, epochs=2):
        t = trainer(micro_batch_seconds)
        fit(t, mask=MASK, epochs=epochs, batch_size=None)
        training, time_masks, feature_masks = zip(*t.model.seen, strict=True)
        assert all(training)
        t.model.seen.clear()
        t.outputs(UTTS)
        assert t.model.seen[0] == (False, None, None)
        return time_masks, feature_masks

    time, feature = masks_of(100)
    lengths = torch.tensor([20 + 7 * i for i in range(9, -1, -1)])  # longest first
    is_pad = torch.arange(83) >= lengths.unsqueeze(1)
    assert not (time[0] & is_pad).any()
    assert (time[0].sum(1) >= 2).all()
    assert set(feature[0].sum(1).tolist()) <= {0, 2, 3, 4}
    assert not torch.equal(time[0], time[1])  # of the second epoch
    assert len({tuple(mask[:20].tolist()) for mask in time[0]}) > 5
    alone, _ = masks_of(0.1, epochs=1)
    firsts = [mask[0] for mask in alone[:10]]  # one utterance each, the longest first
    assert all(torch.equal(mask, time[0][i, : len(mask)]) for i, mask in enumerate(firsts))


# ---- Interruptions --------------------------------------------------------------------------------------------


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 5, 8])
def test_a_killed_training_goes_on_to_the_same_weights(after, tmp_path, monkeypatch):
    """9 steps of 3 epochs; dev is best in the second, so that also the best weights have to be kept."""
    monkeypatch.setattr(engine, "SAVE_EVERY_S", -1)  # after every step

    def train(checkpoint, kill_after=None):
        t, steps = trainer(2.0, dropout=0.3), []

        def killing(rows, z, logits):
            if len(steps) == kill_after:
                raise Killed
            steps.append(rows)
            return loss(rows, z, logits)

        def dev():
            return -abs(t.model.head.weight[0, 0].item() + 0.27)

        return t.model, fit(t, killing, mask=MASK, checkpoint=checkpoint, lr_decay=0.9, dev=dev), len(steps)

    model, history, _ = train(None)
    with pytest.raises(Killed):
        train(tmp_path / "x", kill_after=after)
    again, history_again, n_steps = train(tmp_path / "x")
    assert n_steps == 9 - after
    assert_equal(copy_weights(again), copy_weights(model))
    assert history_again == history
    assert max(row["dev"] for row in history) == history[1]["dev"]


def test_checkpoints_are_written_by_time_and_at_the_end(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(engine._Progress, "save", lambda done, *_: saved.append(done.step))
    fit(trainer(), checkpoint=tmp_path / "x")
    assert saved == [9]
    monkeypatch.setattr(engine, "SAVE_EVERY_S", -1)
    fit(trainer(), checkpoint=tmp_path / "x")
    assert saved[1:] == list(range(1, 10))


def test_a_finished_training_is_not_repeated(tmp_path):
    t = trainer()
    history = fit(t, checkpoint=tmp_path / "x", dev=lambda: 0.5)
    again = trainer()
    assert fit(again, None, checkpoint=tmp_path / "x") == history
    assert_equal(copy_weights(again.model), copy_weights(t.model))


def test_the_weights_of_the_best_epoch_remain():
    for scores, n in (([0.1, 0.3, 0.2], 2), ([0.3, 0.3, 0.1], 1), ([0.0, 0.0, 0.0], 1), ([0.1, 0.2, 0.3], 3)):
        t, given = trainer(), iter(scores)
        fit(t, dev=lambda given=given: next(given))
        stopped = trainer()
        fit(stopped, epochs=n)
        assert_equal(copy_weights(t.model), copy_weights(stopped.model))


def test_weights_of_another_model_are_refused():
    with pytest.raises(ValueError, match=r"weights of another model: head\.bias"):
        set_weights(Toy(0), {k: v for k, v in copy_weights(Toy(0)).items() if k != "head.bias"})


# ---- Numbers that are none -------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_with_its_utterances():
    def broken(rows, z, logits):
        return loss(rows, z, logits) * (torch.inf if 7 in rows else 1)

    t = trainer()
    order = order_of(10, 4, 1, 0).split(4)
    number = next(i for i, rows in enumerate(order) if 7 in rows)
    with pytest.raises(DataError) as error:
        fit(t, broken)
    utts = " ".join(UTTS[r] for r in order[number])
    assert str(error.value) == (
        f"training diverged: the loss of step {number + 1}, epoch 1, is not finite; its utterances: {utts}"
    )
    assert all(p.isfinite().all() for p in t.model.parameters())


def test_a_gradient_that_is_not_finite_stops_too():
    with pytest.raises(DataError, match="the gradient of step 1, epoch 1, is not finite; its utterances: u0 u1 "):
        fit(trainer(), lambda rows, z, logits: (z - z.detach()).abs().sqrt().sum(), batch_size=None)


def test_an_output_that_is_not_finite_is_told():
    t = trainer()
    t.frames.all["u3"][0, 0] = torch.nan
    with pytest.raises(DataError, match="training diverged: the model's output is not finite for u3$"):
        t.outputs(UTTS)


def test_outputs_keep_the_order_of_utterances():
    t, whole = trainer(1.0), trainer()
    for z, other in zip(t.outputs(UTTS), whole.outputs(UTTS), strict=True):
        torch.testing.assert_close(z, other, rtol=0, atol=1e-6)
        assert not z.requires_grad
    assert torch.equal(t.outputs(UTTS[::-1])[0], t.outputs(UTTS)[0].flip(0))
    assert not t.model.training


def test_bf16_is_near_fp32():
    outputs = {}
    for precision in ("fp32", "bf16"):
        t = trainer(precision=precision)
        fit(t)
        assert all(p.dtype == torch.float32 for p in t.model.parameters())
        outputs[precision] = t.outputs(UTTS)
    for exact, rounded in zip(outputs["fp32"], outputs["bf16"], strict=True):
        assert rounded.dtype == torch.float32
        assert not torch.equal(exact, rounded)
        torch.testing.assert_close(exact, rounded, rtol=0, atol=0.05)


# ---- Rates by group, clipping, and batches of one's own -----------------------------------------------------------


def test_rates_are_lowered_at_named_epochs():
    halved = Schedule(1.0, 50, 4, 0.5, decay_from=25, decay_every=5)
    factors = {epoch: halved.lr_at(epoch - 1, 0) for epoch in range(1, 51)}
    assert all(factors[epoch] == (1 if epoch < 25 else 0.5 ** ((epoch - 25) // 5 + 1)) for epoch in factors)
    once = Schedule(1.0, 10, 4, 0.1, decay_from=6, decay_every=None)
    assert [once.lr_at(epoch, 0) for epoch in range(10)] == [1.0] * 5 + [0.1] * 5


def test_groups_move_at_their_own_rates():
    """Adam's first step is as long as the rate, whatever the gradient."""
    t = trainer()
    before = copy_weights(t.model)
    plan = Schedule(0.01, 1, None, factors={"encoder.": 0.4})
    t.fit(UTTS, loss, plan, seed=1, max_seconds=None)
    for name, value in copy_weights(t.model).items():
        step = 0.004 if name.startswith("encoder.") else 0.01
        torch.testing.assert_close((value - before[name]).abs(), torch.full_like(value, step), rtol=1e-3, atol=0)


def test_long_gradients_are_cut(monkeypatch):
    seen = []

    class Watched(torch.optim.Adam):
        def step(self):
            seen.append([p.grad.clone() for group in self.param_groups for p in group["params"]])
            super().step()

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    for clip in (None, 0.01, 1e9):
        trainer().fit(UTTS, loss, Schedule(0.01, 1, None, clip=clip), seed=1, max_seconds=None)
    free, cut, untouched = seen
    length = torch.stack([g.square().sum() for g in free]).sum().sqrt()
    assert length > 0.01
    for a, b, c in zip(free, cut, untouched, strict=True):
        torch.testing.assert_close(a * 0.01 / length, b, rtol=1e-3, atol=1e-9)
        assert torch.equal(a, c)


class Pairs:
    """Three batches of two, the same in every epoch."""

    n_batches = 3

    def rows(self, epoch, number):
        return torch.tensor([number, number + 4])


def test_batches_of_ones_own_are_taken_and_what_the_loss_tells_is_averaged():
    seen = []

    def telling(rows, z, logits):
        seen.append(rows.tolist())
        told = {"loss": loss(rows, z, logits), "first": rows[0].float()}
        return told | ({"sometimes": torch.tensor(5.0)} if rows[0] == 1 else {})

    plan = Schedule(0.01, 2, 2)
    history = trainer().fit(UTTS, telling, plan, seed=1, max_seconds=None, batches=Pairs())
    assert seen == [[0, 4], [1, 5], [2, 6]] * 2
    assert [list(row) for row in history] == [["epoch", "loss", "first", "sometimes"]] * 2
    assert [(row["first"], row["sometimes"]) for row in history] == [(1.0, 5.0)] * 2


def test_only_beginnings_are_applied_to_where_asked():
    t = trainer()
    whole, cut = t.outputs(UTTS)[0], t.outputs(UTTS, 0.4)[0]
    assert {cap for _, cap in t.frames.asked} == {None, 0.4}
    torch.testing.assert_close(whole[0], cut[0], rtol=1e-5, atol=1e-6)  # it has 0.4 s; batches differ in length
    assert (whole[5] - cut[5]).abs().max() > 1e-4
