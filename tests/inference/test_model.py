"""Model folders of every method: what they predict is what stage 5 predicted, and nothing of a corpus is in them."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from ser import methods
from ser.errors import ConfigError
from ser.features.config import FeatureConfig
from ser.inference.model import Model, NewUtterance
from ser.inference.write import held_out_dev, write_model
from ser.methods.base import Job
from ser.metrics.novelty import distances, fit_center
from ser.training.checkpoint import write_tensors
from tests.methods import test_continuous_metric as metric
from tests.methods import test_dann as dann
from tests.methods import test_difl as difl
from tests.methods import test_emofsl as emofsl
from tests.methods import test_emofsl_finetune as emofsl_finetune
from tests.methods import test_linear_svc as linear_svc
from tests.methods import test_logistic_regression as logistic
from tests.methods import test_smap as smap
from tests.methods import test_supcon as supcon
from tests.methods import test_supcon_finetune as supcon_finetune
from tests.methods import test_superb as superb
from tests.methods import test_superb_trained as superb_trained
from tests.methods.conftest import encoders  # noqa: F401
from tests.training.paired_data import SHARED, make_paired_data
from tests.training.run_data import make_run_data

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
]

tones = emofsl_finetune.data
pairs_of_tones = supcon_finetune.data


@dataclasses.dataclass
class Trained:
    """A row after stage 4 in memory, and what stage 5 makes of it."""

    method: str
    config: object
    data: object
    state: dict
    finetunes: bool = False
    again: tuple | None = None

    @property
    def module(self):
        return methods.load(self.method)

    def predict(self):
        return self.module.predict(self.config, self.data, self.state, "cpu")

    def about(self, feature: FeatureConfig | None = None) -> dict:
        sequence = bool(self.data.frames)
        feature = feature or FeatureConfig(
            upstream="fbank_no_cmvn", pooling="none" if sequence else "mean", precision="fp32"
        )
        identity = feature.identity()
        told = {"config": feature.model_dump(), "made_from": identity, "ckpt_hash": identity["ckpt_hash"]}
        return {"method": self.method, "finetunes": self.finetunes, "task": "", "feature": {"name": "f", **told}}

    def write(self, folder, feature: FeatureConfig | None = None) -> dict:
        """Write its folder as stages 4 and 5 do."""
        folder.mkdir(exist_ok=True)
        write_tensors(folder / "model.safetensors", self.state)
        (folder / "conf.yaml").write_text(yaml.safe_dump(self.config.model_dump(), sort_keys=False))
        seconds = {utt: 1.0 + i / 10 for i, utt in enumerate(self.data.utts)}
        about = self.about(feature or self.data.encoder)
        predicted = {p.split for p in self.predict()}
        return write_model(
            folder, about, self.module, self.config, self.data, self.state, predicted, seconds, "cpu", self.again
        )


def trained(method: str, config, data, tmp_path, init=None, finetunes: bool = False) -> Trained:
    module = methods.load(method)
    blind = dataclasses.replace(data, splits=[dataclasses.replace(split, test={}) for split in data.splits])
    state, _ = module.train(config, blind, 1, init, Job("cpu", tmp_path / "scratch"))
    return Trained(method, config, data, dict(state), finetunes, (1, init))


def labelled(data):
    """Give each split its other target utterances with their labels."""
    splits = [dataclasses.replace(s, labelled={u: u.split("-")[2][:-1] for u in s.adapt}) for s in data.splits]
    return dataclasses.replace(data, splits=splits)


def emofsl_row(how: str, objective: str, tmp_path, predictor: str = "nearest_mean") -> Trained:
    data = make_run_data()
    source = trained(
        "emofsl", emofsl.config("source_only", normalization=how, predictor="classifier"), data, tmp_path
    )
    if objective == "source_only":
        return source
    config = emofsl.config(objective, normalization=how, predictor=predictor)
    return trained("emofsl", config, data, tmp_path, source.state)


def superb_row(tmp_path) -> Trained:
    save_file(superb.head(), tmp_path / "head.safetensors")
    config = superb.superb.Config(method="superb", head=str(tmp_path / "head.safetensors"))
    data, _ = superb.data(["angry", "happy", "neutral", "sad"])
    return trained("superb", config, data, tmp_path)


def supcon_row(tmp_path, *overrides: str, turned: bool = False) -> Trained:
    data = supcon.with_frames(make_paired_data(per_class=2, both=SHARED))
    if turned:  # the second corpus comes first, as no alphabet would have it
        splits = [dataclasses.replace(s, labelled=dict(reversed(s.labelled.items()))) for s in data.splits]
        data = dataclasses.replace(data, splits=splits)
    return trained("supcon", supcon.config(*overrides), data, tmp_path)


def supcon_other(tmp_path) -> Trained:
    data = supcon.with_frames(make_paired_data(per_class=2, both=SHARED))
    own = trained("supcon", supcon.config(), data, tmp_path)
    return trained("supcon", supcon.config("classifier=other"), data, tmp_path, own.state)


ROWS = {
    "emofsl source": lambda t: emofsl_row("source", "emofsl", t),
    "emofsl corpus": lambda t: emofsl_row("corpus", "fstl", t),
    "emofsl speaker": lambda t: emofsl_row("speaker", "btl", t),
    "emofsl none": lambda t: emofsl_row("none", "btl", t, "classifier"),
    "source model": lambda t: emofsl_row("corpus", "source_only", t),
    "linear_svc": lambda t: trained("linear_svc", linear_svc.config(normalization="corpus"), make_run_data(), t),
    "linear_svc labelled": lambda t: trained(
        "linear_svc", linear_svc.config(train_on="labelled", normalization="speaker"), labelled(make_run_data()), t
    ),
    "logistic_regression": lambda t: trained("logistic_regression", logistic.config(), make_run_data(), t),
    "logistic_regression source": lambda t: trained(
        "logistic_regression", logistic.config(train_on="source"), make_run_data(), t
    ),
    "logistic_regression late": lambda t: trained(
        "logistic_regression",
        logistic.config(train_on="source").model_copy(update={"fusion": "late"}),
        dataclasses.replace(make_run_data(), dims={"a": 2, "b": 4}),
        t,
    ),
    "logistic_regression coral": lambda t: trained(
        "logistic_regression", logistic.config(normalization="coral"), make_run_data(), t
    ),
    "emofsl subspace": lambda t: emofsl_row("subspace", "btl", t),
    "linear_svc coral": lambda t: trained("linear_svc", linear_svc.config(normalization="coral"), make_run_data(), t),
    "continuous_metric subspace": lambda t: trained(
        "continuous_metric", metric.config(normalization="subspace", outliers__deviations=2.0), metric.run_data(), t
    ),
    "difl coral": lambda t: trained(
        "difl", difl.config(normalization="coral", target_audio="unlabelled"), difl.make_data(), t
    ),
    "dann": lambda t: trained("dann", dann.config(), dann.make_data(), t),
    "dann speaker": lambda t: trained("dann", dann.config("normalization=speaker"), dann.make_data(), t),
    "smap": lambda t: trained("smap", smap.config(smap.TEACHING), make_run_data(), t),
    "smap each": lambda t: trained("smap", smap.config("shots=false", *smap.ALONE), make_run_data(), t),
    "smap corpus": lambda t: trained("smap", smap.config("statistics=corpus", *smap.ALONE), make_run_data(), t),
    "superb": superb_row,
    "superb_trained": lambda t: trained(
        "superb_trained",
        superb_trained.config(steps=4, eval_every=2),
        dataclasses.replace(make_run_data(), dims={"f": 6}, layers={"f": 2}),
        t,
    ),
    "continuous_metric": lambda t: trained(
        "continuous_metric", metric.config(loss__metric="activation", outliers__deviations=2.0), metric.run_data(), t
    ),
    "continuous_metric labelled": lambda t: trained(
        "continuous_metric", metric.config(loss__metric="valence", train_on="labelled"), metric.run_data(), t
    ),
    "continuous_metric clip": lambda t: trained(
        "continuous_metric", metric.config(normalization="source", outliers__what="clip"), metric.run_data(), t
    ),
    "difl": lambda t: trained(
        "difl", difl.config(domains=difl.DANN_1, target_audio="unlabelled"), difl.make_data(), t
    ),
    "difl corpus": lambda t: trained(
        "difl", difl.config(normalization="corpus", target_audio="unlabelled"), difl.make_data(), t
    ),
    "difl speaker": lambda t: trained("difl", difl.config(normalization="speaker"), difl.make_data(), t),
    "supcon": supcon_row,
    "supcon turned": lambda t: supcon_row(t, turned=True),
    "supcon frozen": lambda t: supcon_row(t, "objective=frozen", "average_frames=2", "dev=choose"),
    "supcon other": supcon_other,
}  # fmt: skip


def features_of(data, utts) -> list[NewUtterance]:
    """Give what `predict` would make of the audio of some utterances."""
    speaker_of = dict(zip(data.utts, data.speakers, strict=True))

    def feature(utt):
        if data.audio:
            return data.audio[utt]
        return data.frames[utt].numpy() if data.frames else data.x[data.rows([utt])][0]

    return [NewUtterance(speaker_of[utt], feature(utt)) for utt in utts]


def assert_same_predictions(row: Trained, folder, exact: bool = True) -> None:
    """Hold what a folder predicts against what stage 5 did: every model, every tested corpus."""
    model = Model.open(folder)
    stage_5 = row.predict()
    assert stage_5
    for expected in stage_5:
        corpora = sorted({utt.split("-")[0] for utt in expected.utts})
        for corpus in corpora:
            tested = [i for i, utt in enumerate(expected.utts) if utt.startswith(f"{corpus}-")]
            utts = [expected.utts[i] for i in tested]
            if model.of_speakers:  # statistics are of all that a speaker said
                utts += [utt for utt in row.data.utts if utt.startswith(f"{corpus}-") and utt not in utts]
            k, draw = (expected.k, expected.draw) if expected.k else (None, None)
            chosen = model.chosen(corpus, expected.split, k, draw)
            data = model.run_data(features_of(row.data, utts), corpus, chosen)
            (found,) = chosen.of(model.method.predict(model.config, data, model.state, "cpu"))
            scores, wanted = found.scores[: len(tested)], expected.scores[tested]
            assert np.array_equal(scores.argmax(1), wanted.argmax(1))
            if exact and len(corpora) == 1 and not model.of_speakers:
                assert np.array_equal(scores, wanted)
            torch.testing.assert_close(scores, wanted, rtol=1e-5, atol=1e-6)
            assert found.are_posteriors == expected.are_posteriors
            if expected.are_posteriors:
                assert scores.sum(1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ROWS)
def test_a_folder_predicts_what_stage_5_predicted(name, tmp_path):
    row = ROWS[name](tmp_path)
    row.write(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "elsewhere")
    assert_same_predictions(row, tmp_path / "elsewhere")


def test_every_method_is_tested():
    assert {name.split(" ")[0] for name in ROWS} - {"source"} | {"emofsl_finetune", "supcon_finetune"} == set(
        methods.names()
    )


@pytest.fixture(scope="module")
def source_tones(tones, tmp_path_factory):
    config = emofsl_finetune.config("source_only", "predictor=classifier")
    return trained("emofsl_finetune", config, tones, tmp_path_factory.mktemp("source"), finetunes=True)


def test_a_fine_tuned_source_model_scores_new_audio_as_it_did_in_training(source_tones, tmp_path):
    source_tones.write(tmp_path / "row")
    assert any(name.startswith("scores.") for name in load_file(tmp_path / "row" / "model.safetensors"))
    assert_same_predictions(source_tones, tmp_path / "row", exact=False)


def test_adapted_encoders_were_not_kept_and_a_folder_says_so(source_tones, tones, tmp_path):
    row = trained(
        "emofsl_finetune", emofsl_finetune.config("btl"), tones, tmp_path, source_tones.state, finetunes=True
    )
    row.write(tmp_path / "row")
    with pytest.raises(ConfigError, match="not their weights; use the system that it starts from"):
        Model.open(tmp_path / "row")


@pytest.mark.parametrize("overrides", [["objective=ft"], ["encoder.tuning=lora"]])
def test_a_fine_tuned_supcon_row(pairs_of_tones, tmp_path, overrides):
    config = supcon_finetune.config("objective=supcon", *overrides)
    row = trained("supcon_finetune", config, pairs_of_tones, tmp_path, finetunes=True)
    row.write(tmp_path / "row")
    assert_same_predictions(row, tmp_path / "row")


@pytest.mark.parametrize("name", ["emofsl source", "emofsl speaker", "continuous_metric", "difl", "supcon"])
def test_no_id_of_a_corpus_is_kept(name, tmp_path):
    row = ROWS[name](tmp_path)
    row.write(tmp_path / "row")
    text = "".join(
        file.read_bytes().decode("latin-1") for file in (tmp_path / "row").iterdir() if file.suffix != ".yaml"
    )
    kept = {name for name in (*row.data.utts, *row.data.speakers) if f'"{name}"' in text}
    assert not kept


# ---- What is fitted --------------------------------------------------------------------------------------------


def test_dev_utterances_that_a_row_trains_on_calibrate_nothing():
    split = make_paired_data().splits[0]
    assert held_out_dev(supcon.supcon, supcon.config("dev=choose"), split) == split.dev
    assert held_out_dev(supcon.supcon, supcon.config("dev=train"), split) == {}
    split = labelled(make_run_data()).splits[0]
    assert held_out_dev(linear_svc.linear_svc, linear_svc.config(), split) == split.dev
    assert (
        held_out_dev(linear_svc.linear_svc, linear_svc.config(train_on="labelled"), split) == {}
    )  # of another corpus than it trains on


def test_a_row_without_dev_utterances_is_not_calibrated(tmp_path):
    about = ROWS["linear_svc labelled"](tmp_path).write(tmp_path / "row")
    assert about["temperatures"] == {}
    assert set(about["far"]["held_out"].values()) == {"each speaker against the others"}


def standardized_distances(x: np.ndarray, of: np.ndarray) -> np.ndarray:
    return distances(x, fit_center(of))  # `tests/metrics` has them by hand


def test_distance_is_1_at_the_percentile_of_held_out_data_of_the_nearest_corpus(tmp_path):
    """Of the source its dev utterances, of the target each speaker of the support sets against the others."""
    row = ROWS["emofsl source"](tmp_path)
    about = row.write(tmp_path / "row")
    model = Model.open(tmp_path / "row")
    split = row.data.splits[0]
    source, target = ({u.split("-")[0] for u in utts}.pop() for utts in (split.train, split.adapt))
    held_out = {source: "dev utterances", target: "each speaker against the others"}
    assert about["far"]["held_out"] == held_out
    rows = row.data.rows
    supports = list({utt: 0 for support in split.support.values() for utt in support})
    x = row.data.x - row.data.x[rows(split.train)].mean(0)
    x = x / row.data.x[rows(split.train)].std(0)
    s, dev, t = x[rows(split.train)], x[rows(split.dev)], x[rows(supports)]
    speakers = np.array([utt.rpartition("-")[0] for utt in supports])
    left_out = [standardized_distances(t[speakers == name], t[speakers != name]) for name in dict.fromkeys(speakers)]
    limits = [np.percentile(standardized_distances(dev, s), 99), np.percentile(np.concatenate(left_out), 99)]
    assert [about["far"]["thresholds"][c] for c in (source, target)] == pytest.approx(limits, rel=1e-4)
    for utts in (split.dev, split.test):
        data = model.run_data(features_of(row.data, utts), None, model.chosen(None, None, None, None))
        x_new = x[rows(utts)]
        expected = [standardized_distances(x_new, seen) / limit for seen, limit in zip((s, t), limits, strict=True)]
        assert model.distances(data) == pytest.approx(np.minimum(*expected), rel=1e-3)


def test_rating_is_the_least_squares_line_of_the_training_utterances(tmp_path):
    row = ROWS["continuous_metric"](tmp_path)
    about = row.write(tmp_path / "row")
    model = Model.open(tmp_path / "row")
    split = row.data.splits[1]
    on_train = dataclasses.replace(row.data, splits=[dataclasses.replace(s, test=s.train) for s in row.data.splits])
    predictions = row.module.predict(row.config, on_train, row.state, "cpu")
    z = next(p.latent for p in predictions if p.split == split.name).astype(float)
    rating = row.data.ratings["activation"]
    used = [i for i, utt in enumerate(split.train) if utt in rating and np.isfinite(z[i]).all()]
    assert 5 < len(used) < len(split.train)  # outliers are left out
    design = np.column_stack([np.ones(len(used)), z[used]])
    weights = np.linalg.lstsq(design, [rating[list(split.train)[i]] for i in used], rcond=None)[0]
    (found,) = (model.rating(p) for p in predictions if p.split == split.name)
    assert found["arousal"][used] == pytest.approx(design @ weights, abs=1e-6)
    assert about["attributes"] == {"arousal": {"lowest": 1.0, "highest": 5.0}}


def test_lengths_are_those_of_what_is_trained_on(tmp_path):
    row = ROWS["linear_svc"](tmp_path)
    seconds = row.write(tmp_path / "row")["seconds"]  # the source's first 32 utterances, then others
    assert seconds == {"shortest": 1.0, "typical_longest": pytest.approx(1 + 0.95 * 3.1), "longest": 1 + 11.1}


# ---- Which models ----------------------------------------------------------------------------------------------


def test_default_is_all_models_of_the_most_shots_and_equal_models_count_once(tmp_path):
    ROWS["emofsl source"](tmp_path).write(tmp_path / "adapted")
    model = Model.open(tmp_path / "adapted")
    assert model.chosen(None, None, None, None) == (frozenset({"fold0", "fold1"}), 2, None)
    assert model.chosen(None, "fold1", 1, 0) == (frozenset({"fold1"}), 1, 0)
    for name in ("logistic_regression", "emofsl none"):  # which store no support utterances
        ROWS[name](tmp_path).write(tmp_path / name)
        assert Model.open(tmp_path / name).chosen(None, None, None, None).splits == {"fold0", "fold1"}
    ROWS["logistic_regression source"](tmp_path).write(tmp_path / "source")
    assert Model.open(tmp_path / "source").chosen(None, None, None, None).splits == {"fold0"}
    ROWS["source model"](tmp_path).write(tmp_path / "corpus")  # each fold has other statistics of the target
    assert Model.open(tmp_path / "corpus").chosen("tgt", None, None, None).splits == {"fold0", "fold1"}


def test_models_that_are_not_there(tmp_path):
    ROWS["emofsl source"](tmp_path).write(tmp_path / "row")
    model = Model.open(tmp_path / "row")
    with pytest.raises(ConfigError, match="--split: unknown 'fold2'.* known: fold0, fold1"):
        model.chosen(None, "fold2", None, None)
    with pytest.raises(ConfigError, match="--shots: found 5, the row has 1, 2"):
        model.chosen(None, None, 5, None)
    with pytest.raises(ConfigError, match="--draw: found 7, the row has 0, 1"):
        model.chosen(None, None, None, 7)
    ROWS["difl"](tmp_path).write(tmp_path / "source")
    with pytest.raises(ConfigError, match="--shots: the system was not adapted"):
        Model.open(tmp_path / "source").chosen(None, None, 5, None)


def test_a_row_that_treats_corpora_apart_asks_for_one(tmp_path):
    ROWS["difl corpus"](tmp_path).write(tmp_path / "row")
    model = Model.open(tmp_path / "row")
    with pytest.raises(ConfigError, match="choose with --corpus as which of c, d to take the audio"):
        model.corpus(None)
    with pytest.raises(ConfigError, match="--corpus: unknown 'x'; known: c, d"):
        model.corpus("x")
    assert model.corpus("d") == "d"
    ROWS["difl"](tmp_path).write(tmp_path / "source")
    assert Model.open(tmp_path / "source").corpus(None) is None


def test_mean_over_models_does_not_depend_on_who_else_is_asked_about(tmp_path):
    row = ROWS["emofsl corpus"](tmp_path)
    row.write(tmp_path / "row")
    model = Model.open(tmp_path / "row")
    chosen = model.chosen("tgt", None, None, None)
    utts = list(row.data.splits[0].test)
    whole = model.run_data(features_of(row.data, utts), "tgt", chosen)
    first = model.run_data(features_of(row.data, utts[:1]), "tgt", chosen)
    of_whole, of_first = (
        chosen.of(model.method.predict(model.config, d, model.state, "cpu")) for d in (whole, first)
    )
    assert len(of_whole) == 4  # two folds, two draws
    for a, b in zip(of_whole, of_first, strict=True):
        torch.testing.assert_close(a.scores[:1], b.scores)


# ---- Files -----------------------------------------------------------------------------------------------------


def test_folders_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="holds no model.json; name a trained row's exp/ROW/seedN, after stage 5"):
        Model.open(tmp_path)
    row = ROWS["linear_svc"](tmp_path)
    row.write(tmp_path / "row")
    path = tmp_path / "row" / "model.json"
    about = json.loads(path.read_text())
    for key, value, message in (
        ("format", 1, "format 1, and this version reads 3"),
        ("method", "os.system", "method: unknown 'os.system'"),
    ):
        path.write_text(json.dumps(about | {key: value}))
        with pytest.raises(ConfigError, match=message):
            Model.open(tmp_path / "row")


def test_noise_that_is_drawn_by_place_has_no_meaning_for_new_audio(tmp_path):
    row = trained("continuous_metric", metric.config(noisy_test=True), metric.run_data(), tmp_path)
    row.write(tmp_path / "row")
    with pytest.raises(ConfigError, match="its tests add noise"):
        Model.open(tmp_path / "row")


def test_a_checkpoint_has_to_be_that_of_the_training(tmp_path, monkeypatch):
    right, wrong = tmp_path / "right.pt", tmp_path / "wrong.pt"
    right.write_bytes(b"right")
    wrong.write_bytes(b"wrong")
    monkeypatch.setenv("TINY", str(right))
    row = ROWS["linear_svc"](tmp_path)
    row.write(tmp_path / "row", FeatureConfig(upstream="byol_s", ckpt="$TINY"))
    assert Model.open(tmp_path / "row").feature.ckpt == str(right)
    assert Model.open(tmp_path / "row").different_front_end() == []
    monkeypatch.setenv("TINY", str(wrong))
    with pytest.raises(ConfigError, match="wrong.pt: not the checkpoint that the model was trained with"):
        _ = Model.open(tmp_path / "row").feature
    assert Model.open(tmp_path / "row", right).feature.ckpt == str(right)
    monkeypatch.delenv("TINY")
    with pytest.raises(ConfigError, match="its encoder is not in the folder; give its file by --ckpt or TINY"):
        _ = Model.open(tmp_path / "row").feature


def test_seconds_and_thresholds_are_finite(tmp_path):
    for name in ("difl", "superb", "emofsl speaker"):
        about = ROWS[name](tmp_path).write(tmp_path / name)
        assert all(math.isfinite(x) for x in (*about["seconds"].values(), *about["far"]["thresholds"].values()))
