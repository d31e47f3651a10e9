"""Costs: steps are those that training takes, operations those of the network by hand, and the sentences."""

from __future__ import annotations

import dataclasses
from math import ceil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ser.config import load
from ser.cost import base, trainers
from ser.cost.base import Measured, Timed, Work, find
from ser.cost.trainers import Fit, Lengths, work_of
from ser.errors import ConfigError
from ser.features.config import FeatureConfig
from ser.methods import (
    continuous_metric,
    dann,
    difl,
    emofsl,
    emofsl_finetune,
    supcon,
    supcon_finetune,
    superb_trained,
)
from ser.methods.base import Job
from ser.recipe.cost import Costs, Kind, _measured, costs, said
from ser.system.devices import make_fabric
from ser.training.run_data import RunData
from tests.fakes import checkpoints
from tests.methods import test_dann, test_difl, test_superb_trained
from tests.methods.test_supcon_finetune import with_tones
from tests.training.paired_data import blind, make_paired_data
from tests.training.run_data import make_run_data

CONF = Path(__file__).parents[2] / "conf" / "methods"
SCHEDULE = ["lr=1e-3", "lr_decay=1.0", "decay_from=2", "batch_size=8"]

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> FeatureConfig:
    path = checkpoints.wav2vec2(tmp_path_factory.mktemp("checkpoint") / "w.pt")
    return FeatureConfig(upstream="wav2vec2_local", ckpt=str(path))


@pytest.fixture(scope="module")
def audio(tmp_path_factory, encoder) -> RunData:
    """Two corpora with support sets of 4 and 8 utterances: tones of 0.2 to 0.5 s."""
    data = blind(with_tones(make_run_data(per_class=3), tmp_path_factory.mktemp("tones"), encoder))
    return dataclasses.replace(data, factors={"speaker": dict(zip(data.utts, data.speakers, strict=True))})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, encoder) -> RunData:
    lists = make_paired_data(per_class=2, speakers=3, folds=2)
    return blind(with_tones(lists, tmp_path_factory.mktemp("pairs"), encoder))


def half_seconds(data: RunData) -> dict[str, float]:
    return dict.fromkeys(data.utts, 0.5)


@pytest.fixture
def n_steps(monkeypatch) -> list[int]:
    """Count the steps of every optimizer."""
    found = [0]
    for kind in (torch.optim.Adam, torch.optim.Adadelta):

        def counting(self, *args, original=kind.step, **kwargs):
            found[0] += 1
            return original(self, *args, **kwargs)

        monkeypatch.setattr(kind, "step", counting)
    return found


def yue(*overrides: str) -> emofsl_finetune.Config:
    own = ["source.epochs=2", "adapt.epochs=3", "source.batch_size=5", "model.hidden=4", "mask=null",
           "micro_batch_seconds=1.5"]  # fmt: skip
    return load(CONF / "emofsl_finetune.yaml", emofsl_finetune.Config, [*own, *overrides])


def xiang(name: str, model: type, *overrides: str):
    own = ["hidden=4", "stage_one.epochs=2", "stage_two.epochs=3", "ft.epochs=2", "stage_one.batch_size=8",
           "stage_two.batch_size=16", "ft.batch_size=4"]  # fmt: skip
    return load(CONF / f"{name}.yaml", model, [*own, *overrides])


# ---- Steps are those that training takes ------------------------------------------------------------------------


def check(method, c, data: RunData, n_steps: list[int], folder: Path, init=None) -> list[Work]:
    """Train, and hold the number of steps against the sum of those that were counted."""
    works = find(c.method).works(c, data, half_seconds(data), "cpu")
    n_steps[0] = 0
    method.train(c, data, 1, init, Job("cpu", folder))
    assert n_steps[0] == sum(work.steps for work in works) > 0
    return works


def test_a_source_model_and_its_adaptations(audio, n_steps, tmp_path):
    c = yue("objective=source_only")
    state, _ = emofsl_finetune.train(c, audio, 1, None, Job("cpu", tmp_path / "1"))
    n_steps[0] = 0
    (work,) = check(emofsl_finetune, c, audio, n_steps, tmp_path / "2")
    assert work.steps == 2 * ceil(24 / 5) and work.models == 1
    assert work.audio == pytest.approx(2 * ceil(24 / 5) * 5 * 0.5)  # a batch counts as full
    assert work.heard == pytest.approx(2 * 12 * 0.5 + 2 * 24 * 0.5)  # dev each epoch, 24 tested utterances a fold
    (work,) = check(emofsl_finetune, yue(), audio, n_steps, tmp_path / "3", state)
    assert work.steps == 2 * 2 * 2 * 3 and work.models == 0  # folds, draws, sizes, epochs
    assert work.audio == pytest.approx(2 * 2 * 3 * (4 + 8) * 0.5)
    assert work.heard == pytest.approx(2 * 2 * (24 + 4 + 24 + 8) * 0.5)  # all queries, and the support set's means


def test_a_pretraining_that_goes_on_and_one_that_does_not(audio, n_steps, tmp_path):
    c = yue("objective=source_only", "first_step=contrastive", "pretraining.epochs=2", "pretraining.batch_size=7")
    (work,) = check(emofsl_finetune, c, audio, n_steps, tmp_path)
    assert (work.what, work.steps, work.models) == ("pretraining", 2 * ceil(24 / 7), 1)
    members = sum(len({utt for own in split.support.values() for utt in own}) for split in audio.splits)
    assert work.heard == pytest.approx((2 * 24 + members) * 0.5)
    c = yue("objective=source_only", "first_step=none")
    (work,) = find(c.method).works(c, audio, half_seconds(audio), "cpu")
    assert (work.steps, work.audio, work.models) == (0, 0, 0)


@pytest.mark.parametrize("overrides", [
    ["objective=supcon"], ["objective=supcon", "stage_one.corpora=own"], ["objective=supcon", "dev=choose"],
    ["objective=ft"], ["objective=ft", "dev=choose", "encoder_lrs=[1e-4,1e-3]"],
])  # fmt: skip
def test_both_stages_and_the_baseline(pairs, n_steps, tmp_path, overrides):
    c = xiang("supcon_finetune", supcon_finetune.Config, "similarity_batches=2", *overrides)
    works = check(supcon_finetune, c, pairs, n_steps, tmp_path)
    names = [work.what for work in works]
    assert names == (["baseline"] if c.objective == "ft" else ["stage one", "stage two", "encoding for stage two"])


def test_a_row_that_takes_over_another_costs_nothing(pairs):
    c = xiang("supcon_finetune", supcon_finetune.Config, "classifier=other")
    assert find("supcon_finetune").works(c, pairs, half_seconds(pairs), "cpu") == []


@pytest.mark.parametrize("objective", ["frozen", "supcon", "ft"])
def test_cached_frames(n_steps, tmp_path, objective):
    data = blind(make_paired_data(per_class=2, speakers=3))
    frames = test_difl.Frames({utt: torch.randn(3 + i % 4, 5) for i, utt in enumerate(data.utts)})
    data = dataclasses.replace(data, frames=frames)
    frames.frame_shape = (5,)
    c = xiang("supcon", supcon.Config, f"objective={objective}", "adapter_hidden=3")
    works = check(supcon, c, data, n_steps, tmp_path)
    assert all(work.measure().taught.seconds > 0 for work in works)


@pytest.mark.parametrize(
    "changes", [[], ["dev=train"], ["steps_per_epoch=5"], ["unit=segments", "max_segments=2"], ["target_audio=none"]]
)
def test_adversaries_on_frames_and_segments(n_steps, tmp_path, changes):
    own = [*test_difl.SMALL_CNN, "patience=null", "target_audio=unlabelled", *changes]
    data, c = test_difl.blind(test_difl.make_data((8, 9))), test_difl.config(*own, domains=test_difl.DANN_1)
    (work,) = check(difl, c, data, n_steps, tmp_path)
    assert work.measure().taught.seconds > 0 and work.measure().encoded.seconds > 0
    assert work.heard == (0 if c.dev == "train" else 3 * 12 * 0.5)  # each epoch, the last speaker of both corpora
    if not changes:
        assert work.audio == 2 * 3 * 36 * 0.5  # half of a batch is the target's


def test_adversaries_and_weights_of_layers_on_vectors(n_steps, tmp_path):
    (work,) = check(dann, test_dann.config(), test_dann.DATA, n_steps, tmp_path)
    assert work.measure().taught.seconds > 0
    toy = test_superb_trained.toy(0, n=60)
    (work,) = check(superb_trained, test_superb_trained.config(steps=7), toy, n_steps, tmp_path)
    assert work.measure().weights == 4 * (4 + (2048 // 4 * 256 + 256) + (256 * 4 + 4))


def test_stacks_of_models():
    """They have an Adam of their own; the history has a loss for each epoch."""
    data = blind(make_run_data(per_class=3))
    c = load(CONF / "emofsl.yaml", emofsl.Config, ["source.epochs=2", "source.batch_size=5", "adapt.epochs=3"])
    works = find("emofsl").works(c, data, half_seconds(data), "cpu")
    assert [(work.what, work.steps, work.audio, work.models) for work in works] == [
        ("adaptation, 1 shots", 3 * 4, 3 * 4 * 4 * 0.5, 4), ("adaptation, 2 shots", 3 * 4, 3 * 4 * 8 * 0.5, 4)
    ]  # fmt: skip
    weights = 4 * (6 * 256 + 256 + 256 * 4 + 4)
    assert all(work.measure().weights == weights and work.measure().taught.seconds > 0 for work in works)
    one = c.model_copy(update={"objective": "source_only"})
    (work,) = find("emofsl").works(one, data, half_seconds(data), "cpu")
    assert (work.steps, work.audio) == (2 * ceil(24 / 5), 2 * 24 * 0.5) and work.measure().weights == weights
    das = load(CONF / "continuous_metric.yaml", continuous_metric.Config, ["optimizer.epochs=2", "loss.metric=none",
                                                                        "optimizer.batch_size=5"])  # fmt: skip
    data = dataclasses.replace(data, ratings={"activation": {}, "valence": {}})
    (work,) = find("continuous_metric").works(das, data, half_seconds(data), "cpu")
    assert work.steps == 2 * 2 * ceil(24 / 5) and work.measure().taught.seconds > 0


def test_every_cost_belongs_to_a_method_and_others_have_no_steps():
    from ser import methods

    files = {path.stem for path in Path(base.__file__).parent.glob("*.py")} - {"__init__", "base", "trainers"}
    assert files < set(methods.names()) and find("logistic_regression") is None


# ---- What a unit is ---------------------------------------------------------------------------------------------


def test_operations_are_those_of_the_network_by_hand(audio):
    """A layer has four projections, two matrices of the feed-forward part, and attention; there is a convolution."""
    c = yue("objective=source_only", "micro_batch_seconds=100")
    trainer = emofsl_finetune._trainer(make_fabric("cpu"), c, audio, 1, shared=False)
    utts = list(audio.splits[0].train)
    measured = trainers.measure(trainer, utts, None)
    dim, inner, kernel = checkpoints.DIM, 32, 16
    lengths = [len(trainer.frames.of(utt, None)) for utt in utts]
    n, b = max(lengths), len(utts)
    forward = checkpoints.N_LAYERS * b * n * (2 * (4 * dim * dim + 2 * dim * inner) + 2 * 2 * n * dim)
    forward += b * (n + 1) * 2 * dim * dim * kernel  # an even kernel gives a frame too many
    forward += b * 2 * (dim * 4 + 4 * 4)
    padded = max(trainer.frames.seconds(utt) for utt in utts) * b
    assert measured.encoded.flop * padded == pytest.approx(forward, rel=0.01)
    assert measured.taught.flop == 3 * measured.encoded.flop
    assert measured.weights == sum(4 * p.numel() for p in trainer.model.parameters() if p.requires_grad)


@pytest.mark.parametrize("unit, steps, size", [("utterances", 1, 2 * 4 * 4), ("segments", 4, 2 * 4)])
def test_operations_of_gao_s_network_are_those_by_hand(unit, steps, size):
    """A convolution with 2 maps, pooled from 8 x 9 to 4 x 4; a layer, of all or each of 4 frames, and a BLSTM."""
    own = [*test_difl.SMALL_CNN, f"unit={unit}", "batch_size=48", "max_segments=2"]
    data, c = test_difl.blind(test_difl.make_data((8, 9))), test_difl.config(*own)
    (work,) = find("difl").works(c, data, half_seconds(data), "cpu")
    train, m = data.splits[0].train, c.model
    utterances = sum(min(len(data.frames[utt]), 2) for utt in train), len(train)
    n_segments, n_items = {"utterances": utterances, "segments": (48, 48)}[unit]
    blstm = 2 * 4 * m.blstm_units * (m.segment_dim + m.blstm_units)
    segment = 8 * 9 * 2 * 3 * 3 + steps * (size * m.segment_dim + blstm)
    top = 2 * m.blstm_units * m.fc1_dim + m.fc1_dim * m.fc2_dim + m.fc2_dim * 2
    assert work.measure().taught.flop == 3 * 2 * (n_segments * segment + n_items * top)


def test_no_estimate_for_a_gpu_of_a_network_that_goes_over_frames():
    data = test_difl.blind(test_difl.make_data())
    (work,) = find("difl").works(test_difl.config(), data, half_seconds(data), "cpu")
    measured = work.measure()
    assert measured.taught.flop == measured.encoded.flop == 0


def test_networks_of_other_sizes_are_timed_by_themselves():
    data = test_difl.blind(test_difl.make_data((8, 9)))
    sizes = {
        find("difl").works(test_difl.config(*test_difl.SMALL_CNN, *own), data, half_seconds(data), "cpu")[0].size
        for own in ([], ["model.conv_maps=[3]"], ["batch_size=4"], ["loss.gamma=0.1"])
    }
    assert len(sizes) == 3


def test_a_step_of_several_micro_batches_computes_all_but_one_twice():
    of = {str(i): float(i) for i in range(1, 5)}
    lengths = Lengths(of, of, None, 3.5, 8.0)
    work = work_of("x", [Fit(list(of), 10, 4, 3, dev=["4"], tests=["1", "2"])], lengths, "", 1, lambda: None)
    assert (work.steps, work.audio, work.taught) == (30, 300.0, 30 * 12.0)
    assert work.heard == 10 * 3.5 + 3 and work.encoded == 30 * 6.0 + work.heard
    assert work.seconds(Measured(Timed(2.0), Timed(0.5))) == 360 * 2 + 218 * 0.5
    assert work.flop(Measured(Timed(0.0, 3.0), Timed(0.0, 1.0))) == 360 * 3 + 218


def test_cut_utterances_count_as_cut_also_in_frames():
    lengths = Lengths({"a": 4.0, "b": 20.0}, {"a": 200.0, "b": 1000.0}, 10.0, None, 1e9)
    (parts,) = {trainers.parts_of(["a", "b"], None, lengths)}
    assert parts == (2 * 500.0, 0.0, 14.0)


# ---- What is said -----------------------------------------------------------------------------------------------


def plan(seconds: float, a100: float = 0.0) -> Costs:
    kind = Kind(runs=2, steps=1234, audio=7200.0, heard=36e4, seconds=seconds, a100=a100, disk=2.5e9)
    return Costs({("m", "f", "training"): kind}, {("svm", "f"): 1}, {"fp32"} if a100 else set())


def test_less_than_an_hour_is_not_announced():
    assert said(plan(7100), 2) == [
        "m on f, training: 2 runs, 1,234 steps, 2.0 h of audio and 100 h scored, 2.0 h, 2.5 GB of weights",
        "svm on f: 1 run without steps, not timed",
        "together 2.0 h of computing on this machine, 59 min in 2 processes, from one timed step each",
    ]


def test_more_than_an_hour_is_announced_with_the_estimate_for_a_gpu():
    _, _, _, a100, over = said(plan(7300, a100=0.75), 2)
    assert a100 == ("one A100: about 45 min, estimated, not measured: the operations counted in these steps at a "
                    "sustained 12 TFLOP/s in fp32")  # fmt: skip
    assert over == ("this takes over an hour (61 min); --dry_run true stops before it, and --rows, --tasks, and "
                    "--seeds choose a part")  # fmt: skip


def test_an_estimate_for_a_gpu_says_whose_it_is_where_others_have_none():
    costs = plan(60, a100=0.75)
    costs.kinds["emofsl", "g", "adaptation"] = Kind(runs=1, steps=1, seconds=1.0)
    assert said(costs, 1)[-1].startswith("one A100 for m on f: about 45 min, estimated")


def test_what_may_end_early_is_said_to_take_at_most_so_much():
    kind = Kind()
    kind.add(Work("training", 600, 1800.0, 600.0, "", lambda: None, may_stop=True), Measured(Timed(6.5)), 2, "fp32")
    assert said(Costs({("difl", "f", "training"): kind}), 1) == [
        "difl on f, training: 2 runs, at most 1,200 steps, 1.0 h of audio, 2.2 h, no weights kept",
        "together at most 2.2 h of computing on this machine, from one timed step each",
        "this may take over an hour (2.2 h); "
        "--dry_run true stops before it, and --rows, --tasks, and --seeds choose a part",
    ]


@pytest.mark.parametrize("changes, may_stop", [([], True), (["patience=null"], False), (["dev=train"], False)])
def test_only_patience_ends_a_training_early(changes, may_stop):
    own = [*test_difl.SMALL_CNN, "patience=2", *changes]
    data = test_difl.blind(test_difl.make_data((8, 9)))
    (work,) = find("difl").works(test_difl.config(*own), data, half_seconds(data), "cpu")
    assert work.may_stop == may_stop


def test_a_step_of_a_stack_is_shared_by_its_models(monkeypatch):
    """As all rows, seeds and folds are trained: 64 models for 3 steps in 9.6 s are 0.05 s a model and step."""
    das = load(CONF / "continuous_metric.yaml", continuous_metric.Config, ["optimizer.batch_size=10"])
    stacks = []
    monkeypatch.setattr(continuous_metric, "_train_stack", lambda models, device: stacks.append(models))
    monkeypatch.setattr("ser.cost.continuous_metric.timed_again", lambda step: [step(), 9.6][1])
    data = dataclasses.replace(blind(make_run_data(per_class=3)), ratings={"activation": {}, "valence": {}})
    (work,) = find("continuous_metric").works(das, data, half_seconds(data), "cpu")
    assert work.measure().taught.seconds == pytest.approx(0.05)
    (models,) = stacks
    assert len(models) == len({model.seed for model in models}) == 64 and models[0].n_steps == 3


def test_a_source_has_one_model_for_all_targets_of_a_matrix(n_models_trained):
    """24 utterances in batches of 10 for 2 epochs: 6 steps, not 6 for each target."""
    own = ["optimizer.epochs=2", "optimizer.batch_size=10", "loss.metric=none"]
    das = load(CONF / "continuous_metric.yaml", continuous_metric.Config, own)
    data = blind(make_run_data(per_class=3))
    splits = [dataclasses.replace(data.splits[0], name=name) for name in ("src-one", "src-two")]
    data = dataclasses.replace(data, splits=splits, ratings={"activation": {}, "valence": {}})
    (work,) = find("continuous_metric").works(das, data, half_seconds(data), "cpu")
    assert (work.steps, work.audio, work.models) == (6, 2 * 24 * 0.5, 1)
    continuous_metric.train(das, data, 1, None, Job("cpu", Path()))
    assert n_models_trained == [1]


@pytest.fixture
def n_models_trained(monkeypatch) -> list[int]:
    """Count the models of each stack that is trained."""
    found, original = [], continuous_metric._train_stack

    def counting(models, device):
        found.append(len(models))
        return original(models, device)

    monkeypatch.setattr(continuous_metric, "_train_stack", counting)
    return found


@pytest.mark.parametrize(
    "error, text",
    [
        (ConfigError("no encoder"), "no encoder"),
        (MemoryError(), "not timed: the memory was not enough for a step"),
        (RuntimeError("[enforce fail] can't allocate memory"), "not timed: the memory was not enough for a step"),
    ],
)
def test_a_step_that_fails_says_why_and_a_bug_stays_one(error, text):
    def fail():
        raise error

    assert _measured(Work("training", 3, 10.0, 3.0, "", fail)) == text
    with pytest.raises(RuntimeError, match="a bug"):
        _measured(Work("training", 3, 10.0, 3.0, "", lambda: (_ for _ in ()).throw(RuntimeError("a bug"))))


def test_a_row_whose_work_cannot_be_counted_does_not_stop_the_others(tmp_path):
    """Das et al.'s rows need ratings; the frozen row beside them needs none."""
    data = blind(make_run_data(per_class=3))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "utt2dur").write_text("".join(f"{utt} 0.5\n" for utt in sorted(data.utts)))
    das = load(CONF / "continuous_metric.yaml", continuous_metric.Config, ["loss.metric=activation"])
    yue_frozen = load(CONF / "emofsl.yaml", emofsl.Config, ["objective=source_only", "source.epochs=2"])
    rows = [
        SimpleNamespace(name=name, label=name, config=c, feature="f", reads="f", values={"method": c.method})
        for name, c in (("metric", das), ("source", yue_frozen), ("classic", SimpleNamespace(method="linear_svc")))
    ]
    recipe = SimpleNamespace(rows=rows, corpora=["src"], data=tmp_path, run_data=lambda *_, **__: data)
    found = costs(recipe, {("metric", 1), ("source", 1), ("source", 2), ("classic", 1)}, "cpu", is_timed=False)
    assert list(found.uncounted) == ["metric"] and "no ratings" in found.uncounted["metric"]
    (kind,) = found.kinds.values()
    assert (kind.runs, kind.steps, kind.seconds, kind.untimed) == (2, 2 * 2 * ceil(24 / 64), None, "not timed here")
    assert found.fits == {("linear_svc", "f"): 1}
    assert said(found, 1)[-1].startswith("metric: not counted: activation: ")


def test_what_cannot_be_timed_says_why():
    kind = Kind()
    work = Work("training", 3, 10.0, 3.0, "", lambda: None, models=1)
    kind.add(work, Measured(Timed(2.0, 12e12 * 3600), weights=100), 2, "fp32")
    assert (kind.runs, kind.steps, kind.seconds, kind.disk, kind.a100) == (2, 6, 12.0, 200, 6.0)
    kind.add(work, "the encoder is not there", 1, "fp32")
    assert said(Costs({("m", "f", "training"): kind}), 1) == [
        "m on f, training: 3 runs, 9 steps, 0.0 h of audio, the encoder is not there"
    ]
