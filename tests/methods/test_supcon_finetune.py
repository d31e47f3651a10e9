"""Both stages and the baseline on tones and tiny checkpoints: what moves, what is kept, and that it learns."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F

from ser.config import load as load_config
from ser.data.audio import RATE_HZ
from ser.data.data_dir import AudioPart
from ser.errors import ConfigError
from ser.features.config import FeatureConfig
from ser.features.encoders import load_trainable
from ser.methods import supcon, supcon_finetune
from ser.methods.base import Job
from ser.methods.supcon_finetune import AudioBase, Config
from ser.metrics.classification import uar
from ser.nn.lora import add_lora
from ser.system.devices import launch, make_fabric
from ser.training import frames, trainer
from tests.fakes.checkpoints import DIM, N_LAYERS
from tests.training.paired_data import SHARED, blind, make_paired_data

TRANSFORMERS = ("hubert_local", "wavlm_local")
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "conf" / "methods" / "supcon_finetune.yaml"
SMALL = [
    "hidden=8", "micro_batch_seconds=4.0", "similarity_batches=5", "stage_one.epochs=1", "stage_one.batch_size=8",
    "stage_one.steps_per_epoch=3", "stage_one.lr=0.01", "stage_two.epochs=1", "ft.epochs=1",
]  # fmt: skip

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
]


def config(*overrides: str) -> Config:
    return load_config(CONFIG, Config, [*SMALL, *overrides])


def with_tones(lists, folder: Path, encoder: FeatureConfig):
    """Tones of 0.2 to 0.5 s: each class has its pitch, each corpus and speaker a shift of it and a noise."""
    audio = {}
    for i, utt in enumerate(lists.utts):
        rng = np.random.default_rng(i)
        corpus, speaker, said = utt.split("-")
        pitch = 250 * 1.7 ** lists.classes.index(said.rstrip("0123456789")) * (1 + 0.01 * (int(speaker) % 2))
        time = np.arange(int(rng.uniform(0.2, 0.5) * RATE_HZ)) / RATE_HZ
        wav = 0.3 * np.sin(2 * np.pi * pitch * (1.02 if corpus == "two" else 1) * time)
        soundfile.write(folder / f"{utt}.wav", wav + 0.02 * rng.normal(size=len(time)), RATE_HZ)
        audio[utt] = AudioPart(str(folder / f"{utt}.wav"))
    return dataclasses.replace(lists, audio=audio, encoder=encoder)


@pytest.fixture(scope="module")
def data(tmp_path_factory, encoders):
    lists = make_paired_data(per_class=2, speakers=3, folds=1, both=SHARED)
    return with_tones(lists, tmp_path_factory.mktemp("audio"), encoders["hubert_local"])


def train(c: Config, data, folder: Path, seed: int = 1, init=None):
    return supcon_finetune.train(c, blind(data), seed, init, Job("cpu", folder))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Both stages, and their history."""
    return train(config(), data, tmp_path_factory.mktemp("trained"))


def assert_equal(a, b, **tolerance):
    """Compare weights; up to rounding not those that softmax does not see: their gradient is rounding alone."""
    assert a.keys() == b.keys()
    for name in (name for name in a if not tolerance or not name.endswith("k_proj.bias")):
        torch.testing.assert_close(a[name], b[name], **({"rtol": 0, "atol": 0} | tolerance), msg=name)


# ---- What moves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_stage_one_moves_transformer_and_pooling_alone(name, data, encoders, tmp_path, monkeypatch):
    """One step of Adam, at two rates; convolutions and feature projection stay bit-identical, and so does the encoder
    in stage two."""
    data, networks, network = dataclasses.replace(data, encoder=encoders[name]), [], supcon.Network.__init__
    after_one, classify = [], supcon.classify

    def making(self, *args):
        network(self, *args)
        networks.append(self)

    def watching(*args):
        after_one.append({key: value.clone() for key, value in networks[0].state_dict().items()})
        return classify(*args)

    monkeypatch.setattr(supcon.Network, "__init__", making)
    monkeypatch.setattr(supcon, "classify", watching)
    train(config("stage_one.steps_per_epoch=1", "stage_one.clip=null"), data, tmp_path)
    fresh = load_trainable(data.encoder.upstream, data.encoder.ckpt).state_dict()
    frozen = ("feature_extractor.", "layer_norm.", "post_extract_proj.", "mask_emb")
    for key, value in fresh.items():
        moved = (after_one[0][f"encoder.{key}"] - value).abs().max().item()
        if key.startswith(frozen):
            assert moved == 0, key
        else:
            assert key.startswith("encoder.") and moved < 0.00401, key  # 0.4 x 0.01
            assert moved > 1e-4 or key.endswith("k_proj.bias"), key  # softmax does not see those
    pool = supcon.SelfAttentionPooling(DIM, supcon.seed_of("pooling", 1)).weight.weight
    assert 0.005 < (after_one[0]["pool.weight.weight"] - pool).abs().max() < 0.0101
    for key, value in networks[0].state_dict().items():  # after stage two of the first corpus
        assert torch.equal(value, after_one[0][key]) == (not key.startswith("pool.")), key


def test_only_the_transformer_is_kept(data, trained):
    state, _ = trained
    own = load_trainable(data.encoder.upstream, data.encoder.ckpt)
    names = {f"fold1.one+two.encoder.{name}" for name, p in own.named_parameters() if p.requires_grad}
    assert {name for name in state if ".encoder." in name and name.startswith("fold1.one+two.encoder.")} == names
    others = {name for name in state if name not in names}
    assert {name.rpartition(".")[0] for name in others} == {
        f"fold1.one+two.{c}.{part}" for c in ("one", "two") for part in ("pool.weight", "head.embed", "head.classify")
    }


def test_the_baseline_trains_one_encoder_per_corpus(data, tmp_path):
    state, history = train(config("objective=ft"), data, tmp_path)
    prefixes = {name.split(".encoder.")[0] for name in state if ".encoder." in name}
    assert prefixes == {"fold1.one", "fold1.two"}
    name = "encoder.encoder.layers.0.fc1.weight".removeprefix("encoder.")
    assert not torch.equal(state[f"fold1.one.encoder.{name}"], state[f"fold1.two.encoder.{name}"])
    assert {row["stage"] for row in history} == {"ft"}


def test_of_several_rates_the_best_on_dev_is_kept(data, tmp_path):
    both = config("objective=ft", "dev=choose", "encoder_lrs=[1e-12,0.003]", "ft.epochs=2")
    state, history = train(both, data, tmp_path / "both")
    for corpus in ("one", "two"):
        rows = [row for row in history if row["model"] == f"fold1.{corpus}.{corpus}"]
        best = max((row["dev"], -i, row["encoder_lr"]) for i, row in enumerate(rows))[2]
        alone, _ = train(config("objective=ft", "dev=choose", f"encoder_lrs=[{best}]", "ft.epochs=2"), data,
                         tmp_path / corpus)  # fmt: skip
        own = {name: value for name, value in state.items() if name.startswith(f"fold1.{corpus}.")}
        assert_equal(own, {name: value for name, value in alone.items() if name.startswith(f"fold1.{corpus}.")})


def test_the_best_rate_is_refitted_on_all(data, tmp_path):
    rates = config("objective=ft", "dev=refit", "encoder_lrs=[1e-12,0.003]", "ft.epochs=2")
    state, history = train(rates, data, tmp_path / "both")
    for corpus in ("one", "two"):
        rows = [row for row in history if row["model"] == f"fold1.{corpus}.{corpus}"]
        last = rows[-1]
        assert last["encoder_lr"] == max((row["dev"], -i, row["encoder_lr"]) for i, row in enumerate(rows[:4]))[2]
        assert last["epoch"] == len(rows) - 4 and "dev" not in last
        factor = f"ft.encoder_factor={last['encoder_lr'] / rates.ft.lr}"
        alone, _ = train(config("objective=ft", factor, f"ft.epochs={last['epoch']}"), data, tmp_path / corpus)
        own = {name: value for name, value in state.items() if name.startswith(f"fold1.{corpus}.")}
        assert_equal(own, {name: value for name, value in alone.items() if name.startswith(f"fold1.{corpus}.")})


def test_rates_without_a_choice_are_refused():
    with pytest.raises(ConfigError, match="encoder_lrs is for objective 'ft' with dev 'choose'"):
        config("objective=ft", "encoder_lrs=[1e-5]")


# ---- Adapters (LoRA) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_adapters_get_a_gradient_and_change_the_output(name, encoders):
    encoder = load_trainable(name, encoders[name].ckpt, dropout=0.0)
    frames, lengths = torch.randn(2, 9, DIM, generator=torch.Generator().manual_seed(0)), torch.tensor([9, 6])
    before, direction = encoder(frames, lengths).detach(), torch.arange(DIM).sin()
    add_lora(encoder.encoder, 2, 4.0, 0.0, ["fc1", "fc2"], seed=1)
    torch.testing.assert_close(
        encoder(frames, lengths)[:, :6], before[:, :6], rtol=0, atol=1e-6
    )  # B is zero at first
    params = trainer.trainable(encoder)
    assert len(params) == N_LAYERS * 2 * 2 and all("lora_" in key for key in params)
    optimizer = torch.optim.SGD(params.values(), lr=0.5)
    for _ in range(2):  # A has no gradient while B is zero
        optimizer.zero_grad()
        (encoder(frames, lengths)[:, :6] * direction).mean().backward()
        optimizer.step()
    assert all(p.grad.abs().max() > 0 for p in params.values())
    assert (encoder(frames, lengths) - before)[:, :6].abs().max() > 1e-4


def test_an_adapter_that_would_be_bypassed_is_refused(encoders):
    encoder = load_trainable("hubert_local", encoders["hubert_local"].ckpt)
    for target, reason in (("q_proj", "is never called by the attention that owns it"), ("fc3", "is not in it")):
        with pytest.raises(ConfigError, match=f"target '{target}' {reason}; allowed are fc1, fc2$"):
            add_lora(encoder.encoder, 2, 4.0, 0.0, [target], seed=1)


def test_the_bypass_is_real(encoders):
    """s3prl's attention hands the weight of q_proj to torch: what wraps the layer is never called."""
    encoder = load_trainable("hubert_local", encoders["hubert_local"].ckpt)
    called = []
    for layer in encoder.encoder.layers:
        layer.self_attn.q_proj.register_forward_hook(lambda *_: called.append("q_proj"))
        layer.fc1.register_forward_hook(lambda *_: called.append("fc1"))
    encoder(torch.randn(1, 5, DIM, generator=torch.Generator().manual_seed(0)), torch.tensor([5]))
    assert called == ["fc1"] * N_LAYERS


def test_a_row_with_adapters_keeps_them_alone_and_predicts_with_them(data, tmp_path):
    c = config("encoder.tuning=lora", "encoder.lora.rank=2", "stage_one.encoder_factor=5.0")
    state, _ = train(c, data, tmp_path)
    of_encoder = {name: value for name, value in state.items() if ".encoder." in name}
    assert len(of_encoder) == N_LAYERS * 4 and all("lora_" in name for name in of_encoder)
    assert sum(value.numel() for value in of_encoder.values()) == N_LAYERS * 2 * 2 * (DIM + 32)
    scores = supcon_finetune.predict(c, data, state, "cpu")[0].scores
    without = {name: torch.zeros_like(v) if "lora_B" in name else v for name, v in state.items()}
    assert np.abs(scores - supcon_finetune.predict(c, data, without, "cpu")[0].scores).max() > 1e-4


# ---- The engine ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_checkpointing_and_micro_batches_change_no_number(name, data, encoders, tmp_path):
    """Dropout draws the same when a layer is computed again."""
    data = dataclasses.replace(data, encoder=encoders[name])
    expected, history = train(config("encoder.dropout=0.2"), data, tmp_path / "plain")
    again, history_again = train(config("encoder.dropout=0.2", "encoder.checkpointing=true"), data, tmp_path / "x")
    assert_equal(again, expected, atol=1e-6)
    assert history_again[0]["loss"] == pytest.approx(history[0]["loss"], abs=1e-6)
    still = "encoder.dropout=0.0"
    parts = [train(config(still, f"micro_batch_seconds={s}"), data, tmp_path / s) for s in ("0.1", "9.0")]
    assert_equal(parts[0][0], parts[1][0], atol=2e-4)
    assert parts[0][1][0]["loss"] == pytest.approx(parts[1][1][0]["loss"], abs=1e-4)


def test_two_processes_give_the_loss_curve_of_one(data, tmp_path):
    """The global batch is the same; embeddings are gathered with their gradient; dropout is off."""
    c = config("encoder.dropout=0.0", "micro_batch_seconds=1.0", "stage_one.epochs=3", "stage_one.steps_per_epoch=2")
    one, history = train(c, data, tmp_path / "one")
    (tmp_path / "two").mkdir()
    launch(make_fabric("cpu", devices=2), supcon_finetune._train, c, blind(data), 1, tmp_path / "two")
    two, history_of_two = supcon.collect(c, blind(data), tmp_path / "two")
    assert_equal(two, one, atol=2e-3)
    for a, b in zip(history, history_of_two, strict=True):
        assert (a["stage"], a["epoch"]) == (b["stage"], b["epoch"])
        assert a["loss"] == pytest.approx(b["loss"], abs=2e-4), a["stage"]


KILLED = """
import os, pickle, signal, sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from ser.methods import supcon_finetune
from ser.methods.base import Job
from ser.training import frames, trainer

trainer.SAVE_EVERY_S = -1
gradients, calls = trainer.Trainer._gradients, []

def killing(*args):
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return gradients(*args)

trainer.Trainer._gradients = killing
c, data, folder = pickle.loads(Path(sys.argv[1]).read_bytes())
supcon_finetune.train(c, data, 1, None, Job("cpu", folder))
"""


def test_a_training_killed_by_sigkill_goes_on_to_the_same_weights(data, trained, tmp_path, monkeypatch):
    import pickle

    (tmp_path / "task").write_bytes(pickle.dumps((config(), blind(data), tmp_path / "scratch")))
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "task")], env=env, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert (tmp_path / "scratch" / "fold1.one+two.unfinished").exists()
    gradients, calls = trainer.Trainer._gradients, []
    monkeypatch.setattr(trainer.Trainer, "_gradients", lambda *args: calls.append(args[5]) or gradients(*args))
    state, history = train(config(), data, tmp_path / "scratch")
    assert calls[0][2] == 2  # of stage one's three steps two were done
    assert_equal(state, trained[0])
    assert history == trained[1]


# ---- What comes out ------------------------------------------------------------------------------------------------


def test_both_stages_learn_tones(data, encoders, tmp_path_factory):
    """Positive cosine rises, negative cosine falls, and the classifiers are far above chance."""
    lists = make_paired_data(per_class=4, speakers=4, folds=1, both=SHARED)
    data = with_tones(lists, tmp_path_factory.mktemp("more"), encoders["hubert_local"])
    c = config("hidden=16", "stage_one.epochs=6", "stage_one.steps_per_epoch=10", "stage_one.batch_size=16",
               "stage_one.lr=0.005", "stage_two.epochs=20", "stage_two.batch_size=8", "stage_two.decay_from=16",
               "stage_two.lr=0.01", "encoder.dropout=0.0", "micro_batch_seconds=20.0")  # fmt: skip
    state, history = train(c, data, tmp_path_factory.mktemp("x"))
    one = [row for row in history if row["stage"] == "one"]
    assert one[-1]["positive"] - one[-1]["negative"] > one[0]["positive"] - one[0]["negative"] + 0.2
    assert one[-1]["negative"] < one[0]["negative"] - 0.1
    prediction, (split,) = supcon_finetune.predict(c, data, state, "cpu")[0], data.splits
    for corpus in ("one", "two"):
        rows = [i for i, utt in enumerate(prediction.utts) if utt.startswith(corpus)]
        predicted = [data.classes[prediction.scores[i].argmax()] for i in rows]
        assert uar([split.test[prediction.utts[i]] for i in rows], predicted) > 0.25 + 0.25
    curves = supcon_finetune.similarity(c, data, state, "cpu")
    gap = {w: (curves[f"{w}.raw.positive"] - curves[f"{w}.raw.negative"])[-1].mean() for w in ("before", "after")}
    assert gap["after"] > gap["before"] + 0.1


def test_prediction_is_that_of_a_slow_rewrite(data, trained):
    """One utterance at a time, through s3prl's own names."""
    state, _ = trained
    prediction = supcon_finetune.predict(config(), data, state, "cpu")[0]
    encoder = load_trainable(data.encoder.upstream, data.encoder.ckpt)
    supcon.set_encoder(encoder, state, supcon.Unit("fold1", ("one", "two"), "one"))
    encoder.eval()
    for number in (0, len(prediction.utts) - 1):
        utt = prediction.utts[number]
        w = f"fold1.one+two.{utt.split('-')[0]}"
        wav = torch.from_numpy(soundfile.read(data.audio[utt].path, dtype="float32")[0])
        with torch.no_grad():
            frames = encoder.front_end(wav)[None]
            h = encoder(frames, torch.tensor([frames.shape[1]]))[0]
        a = (h @ state[f"{w}.pool.weight.weight"][0]).softmax(0)
        hidden = F.linear(a @ h, state[f"{w}.head.embed.weight"], state[f"{w}.head.embed.bias"]).relu()
        logits = F.linear(hidden, state[f"{w}.head.classify.weight"], state[f"{w}.head.classify.bias"])
        torch.testing.assert_close(torch.from_numpy(prediction.scores[number]), logits.softmax(0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_similarity_compares_means_over_time_layer_by_layer(name, data, encoders, tmp_path):
    data = dataclasses.replace(data, encoder=encoders[name])
    state, _ = train(config("stage_one.steps_per_epoch=1"), data, tmp_path)
    curves = supcon_finetune.similarity(config("stage_one.steps_per_epoch=1"), data, state, "cpu")
    kinds = [side + where for side in ("positive", "negative") for where in ("", "_same", "_cross")]
    assert curves.keys() == {f"{w}.{n}.{k}" for w in ("before", "after") for n in ("raw", "centered") for k in kinds}
    assert all(curve.shape == (N_LAYERS + 1, 5) for curve in curves.values())
    assert (
        np.array_equal(curves["before.raw.positive"][0], curves["after.raw.positive"][0]) is False
    )  # its input moves
    base = AudioBase(make_fabric("cpu"), config(), data, 1, shared=False)
    encoder = base.encoder({}).eval()
    utts = list(data.splits[0].test)[:3]
    means = supcon_finetune._layer_means(base, encoder, utts)
    for i, utt in enumerate(utts):
        frames = base.frames().of(utt, None)
        with torch.no_grad():
            states = list(encoder.hidden_states(frames[None], torch.tensor([len(frames)])))
            last = encoder(frames[None], torch.tensor([len(frames)]))
        assert len(states) == N_LAYERS + 1 and torch.equal(states[-1], last)
        torch.testing.assert_close(means[:, i], torch.stack([h[0].mean(0) for h in states]), rtol=0, atol=1e-5)


def test_rows_without_stage_one_have_no_figure(data):
    assert supcon_finetune.similarity(config("objective=ft"), data, {}, "cpu") == {}
    assert supcon_finetune.similarity(config("classifier=other"), data, {}, "cpu") == {}


def test_long_utterances_are_cut_at_random_in_training_and_at_their_end_in_tests(data, tmp_path, monkeypatch):
    asked, of = [], frames.FrontEndFrames.of
    monkeypatch.setattr(frames.FrontEndFrames, "of", lambda self, utt, cap: asked.append(cap) or of(self, utt, cap))
    lengths, apply = [], trainer.Trainer._apply
    monkeypatch.setattr(
        trainer.Trainer, "_apply",
        lambda self, frames, masks=(): lengths.append([len(f) for f in frames]) or apply(self, frames, masks),
    )  # fmt: skip
    c = config("max_seconds=0.15", "test_seconds=0.3")
    state, _ = train(c, data, tmp_path)
    assert max(n for part in lengths for n in part) == 7  # of frames every 20 ms
    asked.clear()
    supcon_finetune.predict(c, data, state, "cpu")
    assert set(asked) == {0.3}


def test_crops_are_parts_of_an_utterance_and_others_in_every_step(data):
    base = AudioBase(make_fabric("cpu"), config(), data, 1, shared=False)
    frames = base.frames()
    t = trainer.Trainer(base.fabric, None, frames, 4.0, False)
    utt = max(data.audio, key=frames.seconds)
    whole = frames.of(utt, None)
    crops = [t._cut(utt, 0.1, "random", (1, 0, step)) for step in range(30)]
    starts = {next(s for s in range(len(whole)) if torch.equal(whole[s : s + len(crop)], crop)) for crop in crops}
    assert len(starts) > 5 and {len(crop) for crop in crops} == {len(crops[0])} and len(crops[0]) < len(whole)
    assert torch.equal(crops[3], t._cut(utt, 0.1, "random", (1, 0, 3)))
    assert torch.equal(t._cut(utt, 9.0, "random", (1, 0, 0)), whole)


def test_the_papers_settings_are_the_defaults():
    c = load_config(CONFIG, Config)
    assert (c.stage_one.batch_size, c.stage_one.lr, c.stage_one.encoder_factor, c.stage_one.epochs) == (
        32,
        1e-4,
        0.4,
        50,
    )
    assert (c.loss.temperature, c.loss.alpha, c.loss.margin, c.loss.weight_c, c.loss.weight_m) == (
        0.07,
        0.5,
        0.4,
        1,
        1,
    )
    assert (c.stage_two.lr, c.stage_two.epochs, c.ft.lr, c.ft.epochs, c.hidden) == (5e-4, 10, 1e-3, 50, 256)
    assert (c.encoder.lora.rank, c.encoder.tuning) == (8, "full")


TORCHRUN = """
import pickle, sys, warnings
import torch
torch.set_num_threads(1)
from pathlib import Path
from ser.system.devices import is_leader, wait_for_all
from ser.methods import supcon_finetune
from ser.methods.base import Job
from ser.training.checkpoint import write_tensors

if __name__ == "__main__":
    c, data, folder = pickle.loads(Path(sys.argv[1]).read_bytes())
    state, history = supcon_finetune.train(c, data, 1, None, Job("cpu", folder))
    (folder / f"world{torch.distributed.get_rank()}").write_text(str(torch.distributed.get_world_size()))
    if is_leader():
        write_tensors(folder / "state", state, history)
    wait_for_all()
"""


def test_processes_of_torchrun_give_the_result_of_one(data, tmp_path):
    """As on several machines: nobody is spawned, and one of them writes."""
    import pickle

    c = config("encoder.dropout=0.0", "micro_batch_seconds=1.0", "stage_one.steps_per_epoch=2")
    one, history = train(c, data, tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "task").write_bytes(pickle.dumps((c, blind(data), tmp_path / "two")))
    (tmp_path / "work.py").write_text(TORCHRUN)
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "work.py", "task"]
    result = subprocess.run([sys.executable, "-m", *command], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert [(tmp_path / "two" / f"world{rank}").read_text() for rank in "01"] == ["2", "2"]
    state, history_of_two = supcon.read_tensors(tmp_path / "two" / "state")
    assert_equal(state, one, atol=2e-3)
    assert [row["loss"] for row in history_of_two] == pytest.approx([row["loss"] for row in history], abs=2e-4)
