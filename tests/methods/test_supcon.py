"""Both stages on invented frames: what moves, what is shared, what is told, and that it learns."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ser.config import load as load_config
from ser.errors import ConfigError, DataError
from ser.losses import CosineMarginLoss, PositivePairInfoNCELoss
from ser.methods import supcon
from ser.methods.base import Job
from ser.methods.supcon import Adapter, Config, Encoded, Network, Unit, mean_cosines, objective, units
from ser.metrics.classification import uar
from ser.nn import EmbeddingClassifier, SelfAttentionPooling
from ser.system.devices import make_fabric
from ser.training import trainer
from tests.training.paired_data import SHARED, blind, make_paired_data

CONF = Path(__file__).parents[2] / "conf" / "methods"
DIM = 8
SMALL = ["adapter_hidden=8", "hidden=8", "stage_one.epochs=2", "stage_two.epochs=2", "ft.epochs=2"]


def config(*overrides: str) -> Config:
    return load_config(CONF / "supcon.yaml", Config, [*SMALL, *overrides])


class MadeFrames(dict):
    """Frames by utterance, as an archive has them."""

    frame_shape = (DIM,)

    @property
    def lengths(self):
        return {utt: len(frames) for utt, frames in self.items()}


def with_frames(data, noise: float = 1.0, corpus_shift: float = 2.0):
    """Emotions point somewhere, and so do corpora, further."""
    rng = np.random.default_rng(1)
    emotion = {name: rng.normal(size=DIM) for name in data.classes}
    corpus = {name: corpus_shift * rng.normal(size=DIM) for name in ("one", "two")}
    frames = MadeFrames()
    for utt in data.utts:
        name, _, said = utt.split("-")
        x = (
            emotion[said.rstrip("0123456789")]
            + corpus[name]
            + noise * rng.normal(size=(int(rng.integers(3, 9)), DIM))
        )
        frames[utt] = torch.from_numpy(x.astype(np.float32))
    return dataclasses.replace(data, frames=frames)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data():
    return with_frames(make_paired_data())


def train(c: Config, data, folder: Path, seed: int = 1, init=None):
    return supcon.train(c, blind(data), seed, init, Job("cpu", folder))


def scores_of(c: Config, data, state) -> dict[str, dict[str, float]]:
    """UAR by corpus, folds pooled."""
    true, pred = {}, {}
    for p, split in zip(supcon.predict(c, data, state, "cpu"), data.splits, strict=True):
        for utt, row in zip(p.utts, p.scores, strict=True):
            corpus = utt.split("-")[0]
            true.setdefault(corpus, []).append(split.test[utt])
            pred.setdefault(corpus, []).append(data.classes[row.argmax()])
    return {corpus: uar(true[corpus], pred[corpus]) for corpus in true}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


# ---- Losses (Eqs. 2 to 5) --------------------------------------------------------------------------------------


def batch(seed: int = 0, n: int = 8):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 5, generator=g), torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])


def test_the_objective_is_the_sum_of_both_losses():
    c, corpus = batch()
    told = objective(config().loss, c, corpus)
    l_c, l_m = PositivePairInfoNCELoss(0.07)(c[:4], c[4:]), CosineMarginLoss(0.5, 0.4)(c[:4], c[4:])
    assert told["loss"].item() == pytest.approx((l_c + l_m).item(), rel=1e-6)
    assert told["l_c"].item() == pytest.approx(l_c.item())
    assert 0.5 * told["l_m_positive"].item() + told["l_m_negative"].item() == pytest.approx(l_m.item(), rel=1e-6)
    weighted = objective(config("loss.weight_c=0.5", "loss.weight_m=2.0").loss, c, corpus)
    assert weighted["loss"].item() == pytest.approx((0.5 * l_c + 2 * l_m).item(), rel=1e-6)


def test_losses_of_batches_with_one_and_several_corpora_are_told_apart():
    c, corpus = batch()
    assert {"loss_shared", "positive_cross"} <= objective(config().loss, c, corpus).keys()
    alone = objective(config().loss, c, torch.tensor([1, 1, 1, 1, 0, 0, 1, 1]))
    assert "loss_single" in alone and "loss_shared" not in alone and "positive_cross" not in alone


def test_cosines_are_means_over_their_pairs():
    c, corpus = batch()
    found = mean_cosines(c, corpus)

    def mean(pairs):
        return np.mean([F.cosine_similarity(c[i], c[j], dim=0).item() for i, j in pairs])

    positive = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    negative = [(i, j) for i in range(4) for j in range(4, 8)]
    for kind, pairs in (("positive", positive), ("negative", negative)):
        assert found[kind].item() == pytest.approx(mean(pairs), abs=1e-6)
        for where, crosses in (("same", False), ("cross", True)):
            chosen = [(i, j) for i, j in pairs if (corpus[i] != corpus[j]).item() == crosses]
            assert found[f"{kind}_{where}"].item() == pytest.approx(mean(chosen), abs=1e-6)


def test_random_halves_mix_the_corpora_and_the_seed_decides_them():
    c, corpus = batch()
    split = config("loss.margin_split=random").loss
    found = {objective(split, c, corpus, seed)["l_m_positive"].item() for seed in range(20)}
    assert len(found) == 3  # ways to pair four
    assert objective(split, c, corpus, 7)["loss"] == objective(split, c, corpus, 7)["loss"]
    assert objective(config().loss, c, corpus)["l_m_positive"].item() in found


# ---- Network -----------------------------------------------------------------------------------------------------


def test_an_adapter_changes_nothing_at_first_but_the_scale():
    x = torch.randn(2, 5, DIM, generator=torch.Generator().manual_seed(0))
    adapter = Adapter(DIM, 4, seed=1)
    assert torch.equal(adapter(x, torch.tensor([5, 5])), x)
    adapter.norm.copy_(torch.stack([torch.full((DIM,), 2.0), torch.full((DIM,), 4.0)]))
    torch.testing.assert_close(adapter(x, torch.tensor([5, 5])), (x - 2) / 4)
    torch.nn.init.ones_(adapter.up.weight)
    y, z = (x - 2) / 4, adapter(x, torch.tensor([5, 5]))
    expected = y + (y @ adapter.down.weight.T + adapter.down.bias).relu().sum(-1, keepdim=True)
    torch.testing.assert_close(z, expected)


def test_statistics_are_those_of_what_the_model_trains_on(data, tmp_path):
    for corpora in ("both", "own"):
        state, _ = train(config(f"stage_one.corpora={corpora}"), data, tmp_path / corpora)
        seen = "one+two" if corpora == "both" else "one"
        utts = [utt for utt in data.splits[0].labelled if utt.split("-")[0] in seen]
        frames = torch.cat([data.frames[utt] for utt in utts])
        expected = torch.stack([frames.mean(0), frames.std(0, correction=0)])
        torch.testing.assert_close(state[f"fold1.{seen}.encoder.norm"], expected, rtol=1e-4, atol=1e-5)


def test_encoded_frames_are_those_of_the_encoder_whether_kept_or_not(data):
    adapter = Adapter(DIM, 4, seed=1)
    torch.nn.init.ones_(adapter.up.weight)
    base = supcon.CachedBase(make_fabric("cpu"), config(), supcon.FrameStore(data.frames), 1)
    few = Encoded(adapter, base, base.fabric, max_bytes=300)
    all_kept = Encoded(adapter, base, base.fabric)
    for utt in list(data.utts)[:5] * 2:
        expected = adapter(data.frames[utt][None], torch.tensor([len(data.frames[utt])]))[0]
        torch.testing.assert_close(few.of(utt, None), expected)
        torch.testing.assert_close(all_kept.of(utt, None), expected)
        assert torch.equal(all_kept.of(utt, 2), all_kept.of(utt, None)[:2])  # seconds count frames here
    assert 0 < len(few._kept) < 5 == len(all_kept._kept)


def test_averaged_frames_are_means_of_neighbours(data):
    base = supcon.CachedBase(make_fabric("cpu"), config("average_frames=3"), supcon.FrameStore(data.frames), 1)
    for utt in list(data.utts)[:4]:
        expected = torch.stack([part.mean(0) for part in data.frames[utt].split(3)])
        torch.testing.assert_close(base.of(utt), expected)
        assert base.seconds(utt) == len(expected)


# ---- Schedules (Sec. 4) ------------------------------------------------------------------------------------------


def rates(stage: str, *overrides: str) -> dict[int, tuple[float, float]]:
    """Epoch -> rates of the pooling and of the encoder, as the optimizer gets them."""
    from ser.methods import supcon_finetune

    c = load_config(CONF / "supcon_finetune.yaml", supcon_finetune.Config, overrides)
    schedule = getattr(c, stage).schedule()
    model = Network(Adapter(DIM, 4, 0), SelfAttentionPooling(DIM), EmbeddingClassifier(DIM, 4, 2, 0))
    groups = schedule.groups(trainer.trainable(model))
    of_params = {id(p): g["factor"] for g in groups for p in g["params"]}
    factors = [of_params[id(p)] for p in (model.pool.weight.weight, model.encoder.down.weight)]
    assert len({of_params[id(p)] for p in (*model.pool.parameters(), *model.head.parameters())}) == 1
    return {
        epoch: tuple(schedule.lr_at(epoch - 1, 0) * factor for factor in factors)
        for epoch in range(1, schedule.epochs + 1)
    }


def test_the_rates_of_stage_one_are_those_of_the_paper():
    table = rates("stage_one")
    assert len(table) == 50
    for first, last, base in ((1, 24, 1e-4), (25, 29, 5e-5), (30, 34, 2.5e-5), (35, 39, 1.25e-5), (40, 44, 6.25e-6),
                              (45, 49, 3.125e-6), (50, 50, 1.5625e-6)):  # fmt: skip
        for epoch in (first, last):
            assert table[epoch] == pytest.approx((base, 0.4 * base), rel=1e-9), epoch
    later = rates("stage_one", "stage_one.decay_from=30")
    assert [later[epoch][0] for epoch in (25, 29, 30, 35)] == pytest.approx([1e-4, 1e-4, 5e-5, 2.5e-5])


def test_the_rates_of_stage_two_and_of_the_baseline_are_those_of_the_paper():
    two = rates("stage_two")
    assert [two[epoch][0] for epoch in range(1, 11)] == pytest.approx([5e-4] * 5 + [5e-5] * 5)
    ft = rates("ft")
    for epoch, base in ((1, 1e-3), (20, 1e-3), (21, 2e-4), (40, 2e-4), (41, 4e-5), (50, 4e-5)):
        assert ft[epoch] == pytest.approx((base, 0.4 * base)), epoch


# ---- Which models there are ----------------------------------------------------------------------------------------


def test_both_corpora_share_an_encoder_and_own_ones_do_not(data):
    found = units(config(), data)
    assert found["fold1", "one"] == Unit("fold1", ("one", "two"), "one")
    assert found["fold1", "one"].encoder_name == found["fold1", "two"].encoder_name == "fold1.one+two"
    own = units(config("stage_one.corpora=own"), data)
    assert own["fold2", "two"] == Unit("fold2", ("two",), "two")
    assert units(config("objective=frozen"), data) == units(config("objective=ft"), data) == own


def test_a_fold_that_begins_anew_has_no_models_of_its_own(data):
    first, second = data.splits
    repeated = dict(second.labelled)
    for part in ("one",):  # the second split's fold of this corpus is the first one's
        repeated = {u: c for u, c in repeated.items() if not u.startswith(part)}
        repeated |= {u: c for u, c in first.labelled.items() if u.startswith(part)}
    again = dataclasses.replace(data, splits=[first, dataclasses.replace(second, labelled=repeated)])
    own = units(config("objective=frozen"), again)
    assert own["fold2", "one"] == own["fold1", "one"] and own["fold2", "two"].split == "fold2"
    assert units(config(), again)["fold2", "one"].split == "fold2"  # its encoder has seen another fold of `two`


# ---- Training ------------------------------------------------------------------------------------------------------


def test_stage_two_keeps_the_encoder_and_starts_from_the_pooling_of_stage_one(data, tmp_path, monkeypatch):
    seen, classify = [], supcon.classify

    def watching(trainer, *args):
        seen.append({name: value.clone() for name, value in trainer.model.state_dict().items()})
        return classify(trainer, *args)

    ones, one = [], supcon.stage_one

    def after(trainer, *args):
        history = one(trainer, *args)
        ones.append({name: value.clone() for name, value in trainer.model.state_dict().items()})
        return history

    monkeypatch.setattr(supcon, "classify", watching)
    monkeypatch.setattr(supcon, "stage_one", after)
    state, _ = train(config(), data, tmp_path)
    assert len(ones) == 2 and len(seen) == 4  # two splits; two classifiers each
    for number, weights in enumerate(ones):
        name = f"fold{number + 1}.one+two"
        for key, value in weights.items():
            if key.startswith("encoder."):
                assert torch.equal(state[f"{name}.{key}"], value), key
        for classifier in seen[2 * number : 2 * number + 2]:
            assert torch.equal(classifier["pool.weight.weight"], weights["pool.weight.weight"])
            assert not any(key.startswith("encoder.") for key in classifier)
        assert weights["encoder.up.weight"].abs().max() > 1e-3
        assert not torch.equal(weights["pool.weight.weight"], state[f"{name}.one.pool.weight.weight"])


def test_the_pooling_may_wait_for_stage_two(data, tmp_path):
    state, _ = train(config("stage_one.train_pooling=false"), data, tmp_path)
    written, _ = supcon.read_tensors(tmp_path / "fold1.one+two.safetensors")
    assert not any(name.startswith("pool.") for name in written)
    assert "fold1.one+two.two.pool.weight.weight" in state


def test_ft_trains_all_and_frozen_no_encoder(data, tmp_path):
    ft, _ = train(config("objective=ft"), data, tmp_path / "ft")
    assert ft["fold1.one.encoder.up.weight"].abs().max() > 0
    frozen, history = train(config("objective=frozen"), data, tmp_path / "frozen")
    assert {name.split(".")[3] for name in frozen if ".encoder." in name} == {"norm"}
    assert {row["stage"] for row in history} == {"two"}


def test_the_history_tells_stage_one_once_and_stage_two_per_corpus(data, tmp_path):
    _, history = train(config(), data, tmp_path)
    assert [(row["model"], row["stage"], row["epoch"]) for row in history[:6]] == [
        ("fold1.one+two", "one", 1), ("fold1.one+two", "one", 2),
        ("fold1.one+two.one", "two", 1), ("fold1.one+two.one", "two", 2),
        ("fold1.one+two.two", "two", 1), ("fold1.one+two.two", "two", 2),
    ]  # fmt: skip
    assert len(history) == 12
    assert {"l_c", "l_m_positive", "l_m_negative", "positive_cross", "negative_same", "loss_single"} <= history[
        0
    ].keys()


def test_dev_speakers_are_trained_on_unless_they_choose(data, tmp_path):
    drawn = []
    for choice in ("train", "choose", "refit"):
        own = supcon.training_list(config(f"dev={choice}", "objective=ft"), data.splits[0], ["one"])
        drawn.append({utt.split("-")[1] for utt in own})
        assert all(utt.startswith("one-") for utt in own)
    assert drawn == [{"1", "2", "3"}, {"1", "2"}, {"1", "2"}]  # the last is what chooses, before all are trained on
    _, history = train(config("dev=choose", "objective=frozen"), data, tmp_path)
    assert all(0 <= row["dev"] <= 1 for row in history)


def test_a_refitted_baseline_is_one_that_trains_on_all_for_the_chosen_number_of_epochs(data, tmp_path):
    plain = ("objective=ft", "normalization=none", "ft.lr=0.03")
    chosen, history = train(config(*plain, "dev=choose", "ft.epochs=4"), data, tmp_path / "chosen")
    state, refitted = train(config(*plain, "dev=refit", "ft.epochs=4"), data, tmp_path / "refitted")
    for corpus in ("one", "two"):
        own = f"fold1.{corpus}."
        of_dev = [row["dev"] for row in history if row["model"] == own + corpus]
        best = of_dev.index(max(of_dev)) + 1
        assert len([row for row in refitted if row["model"] == own + corpus]) == 4 + best
        alone, _ = train(config(*plain, f"ft.epochs={best}"), data, tmp_path / corpus)
        one, other, without_dev = (
            {name: value for name, value in weights.items() if name.startswith(own)}
            for weights in (state, alone, chosen)
        )
        assert_equal(one, other)
        assert any(not torch.equal(one[name], without_dev[name]) for name in one)


def test_rows_without_the_baseline_are_not_refitted():
    with pytest.raises(ConfigError, match="dev 'refit' is for objective 'ft'"):
        config("dev=refit", "objective=frozen")


def test_the_seed_decides_everything(data, tmp_path):
    states = [train(config(), data, tmp_path / str(i), seed)[0] for i, seed in enumerate((1, 1, 2))]
    assert_equal(states[0], states[1])
    assert not torch.equal(states[0]["fold1.one+two.encoder.up.weight"], states[2]["fold1.one+two.encoder.up.weight"])


class Killed(Exception):
    pass


@pytest.mark.parametrize("after", [1, 5, 14])
def test_a_killed_row_goes_on_to_the_same_weights(data, after, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "SAVE_EVERY_S", -1)
    expected, history = train(config(), data, tmp_path / "undisturbed")
    gradients, calls = trainer.Trainer._gradients, []

    def killing(*args):
        calls.append(1)
        if len(calls) == after + 1:
            raise Killed
        return gradients(*args)

    monkeypatch.setattr(trainer.Trainer, "_gradients", killing)
    with pytest.raises(Killed):
        train(config(), data, tmp_path / "killed")
    state, again = train(config(), data, tmp_path / "killed")
    assert_equal(state, expected)
    assert again == history


# ---- What comes out ------------------------------------------------------------------------------------------------


def test_it_learns_from_gaussian_frames(tmp_path):
    """Emotions of one kind come together across corpora, others part, and classifiers are far above chance."""
    data = with_frames(make_paired_data(per_class=12, folds=1), corpus_shift=1.0)
    c = config("adapter_hidden=32", "stage_one.epochs=12", "stage_one.lr=0.01", "stage_two.lr=0.01",
               "stage_two.epochs=10")  # fmt: skip
    state, history = train(c, data, tmp_path)
    one = [row for row in history if row["stage"] == "one"]
    assert one[-1]["positive"] > one[0]["positive"] + 0.2
    assert one[-1]["positive_cross"] > one[0]["positive_cross"] + 0.2
    assert one[-1]["negative"] < c.loss.margin and one[-1]["loss"] < 0.5 * one[0]["loss"]
    scores = scores_of(c, data, state)
    assert scores["one"] > 0.25 + 0.4 and scores["two"] > 1 / 6 + 0.4


def test_a_classifier_knows_the_classes_of_its_corpus(data, tmp_path):
    state, _ = train(config(), data, tmp_path)
    for prediction, split in zip(supcon.predict(config(), data, state, "cpu"), data.splits, strict=True):
        assert list(prediction.utts) == list(split.test)
        torch.testing.assert_close(prediction.scores.sum(1), np.ones(len(split.test), np.float32))
        absent = [i for i, name in enumerate(data.classes) if name not in SHARED]
        of_one = np.array([utt.startswith("one") for utt in prediction.utts])
        assert not prediction.scores[of_one][:, absent].any() and prediction.scores[~of_one].all()


def test_zero_shot_takes_the_other_corpus_classifier_and_trains_nothing(tmp_path):
    data = with_frames(make_paired_data(per_class=8, both=SHARED), corpus_shift=0.0, noise=0.5)
    state, _ = train(config("objective=frozen", "stage_two.lr=0.05"), data, tmp_path / "own")
    other = config("objective=frozen", "classifier=other")
    taken, _ = train(other, data, tmp_path / "other", init=state)
    assert taken == state
    swapped = {
        ".".join({"one": "two", "two": "one"}.get(part, part) for part in name.split(".")): value
        for name, value in state.items()
    }
    own = supcon.predict(config("objective=frozen"), data, swapped, "cpu")
    for a, b in zip(supcon.predict(other, data, state, "cpu"), own, strict=True):
        torch.testing.assert_close(a.scores, b.scores)
    assert min(scores_of(other, data, state).values()) > 0.6


def test_what_of_the_target_a_row_sees():
    assert supcon.target_data(config()) == {"labelled"}
    assert supcon.target_data(config("classifier=other")) == {"labelled"}  # in stage one
    for own in ("stage_one.corpora=own", "objective=frozen", "objective=ft"):
        assert supcon.target_data(config("classifier=other", own)) == frozenset()
        assert supcon.target_data(config(own)) == {"labelled"}


# ---- What is refused -----------------------------------------------------------------------------------------------


def test_rows_that_do_not_fit_their_init_are_refused(data, tmp_path):
    with pytest.raises(ConfigError, match="'other' found in a row without 'init'"):
        train(config("classifier=other"), data, tmp_path)
    with pytest.raises(ConfigError, match="'own' found in a row with 'init'"):
        train(config(), data, tmp_path, init={})


def test_a_loss_that_is_not_finite_stops_with_its_utterances(data, tmp_path):
    broken = MadeFrames(data.frames)
    broken["one-1-angry0"] = broken["one-1-angry0"].clone().fill_(torch.inf)
    c = config("normalization=none")
    with pytest.raises(DataError, match=r"training diverged: the loss of step \d+, epoch 1, .* one-1-angry0"):
        train(c, dataclasses.replace(data, frames=broken), tmp_path)
