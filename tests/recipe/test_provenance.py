"""Where labels come from: what methods declare, on sketches of the recipes' protocols."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ser import methods
from ser.config import build, read
from ser.methods.base import About
from ser.recipe.provenance import sources, target_data
from ser.splits.protocols import read_protocol

ROOT = Path(__file__).parents[2]


def sketch(recipe: str, corpus: str):
    protocol = read_protocol(ROOT / "egs" / recipe / "conf" / "recipe.yaml")
    return protocol.sketch(next(iter(protocol.label_maps)), corpus)


def row(conf: str, *overrides: str):
    values, _ = read(ROOT / "conf" / "methods" / f"{conf}.yaml", overrides)
    method = methods.load(values["method"])
    return method, build(method.Config, values, conf)


OTHER = "classifier=other"


@pytest.mark.parametrize(
    "recipe, conf, overrides, tested, expected",
    [
        ("ravdess2emodb", "emofsl", ["objective=emofsl"], "emodb", ["ravdess"]),
        ("ravdess2emodb", "emofsl", ["objective=source_only"], "emodb", ["ravdess"]),
        ("ravdess2emodb", "emofsl_finetune", ["objective=btl"], "emodb", ["ravdess"]),
        ("ravdess2emodb", "emofsl_finetune", ["objective=btl", "first_step=contrastive"], "emodb", []),
        ("ravdess2emodb", "support_only", [], "emodb", []),
        ("ravdess2emodb", "in_domain", [], "emodb", ["emodb"]),
        ("ravdess2emodb", "source_linear", [], "emodb", ["ravdess"]),
        ("ravdess2emodb_urdu", "difl", [], "urdu", ["ravdess"]),
        ("ravdess2emodb_urdu", "source_linear", [], "urdu", ["ravdess"]),
        ("ravdess_emodb_urdu", "difl", [], "urdu", ["emodb", "ravdess", "urdu"]),
        ("emodb2urdu", "continuous_metric", [], "urdu", ["emodb"]),
        ("emodb2urdu", "continuous_metric", [], "emodb", ["emodb"]),
        ("emodb2urdu", "continuous_metric", ["train_on=labelled"], "urdu", ["urdu"]),
        ("emodb2urdu", "linear_svc", ["normalization=source"], "urdu", ["emodb"]),
        ("iemocap2emodb_cafe_urdu_aesdd", "superb", [], "cafe", ["iemocap"]),
        ("emodb", "superb", [], "emodb", ["iemocap"]),
        ("ravdess_emodb", "supcon", ["objective=supcon"], "emodb", ["emodb", "ravdess"]),
        ("ravdess_emodb", "supcon", ["objective=supcon", OTHER], "emodb", ["emodb", "ravdess"]),
        ("ravdess_emodb", "supcon", ["objective=supcon", "stage_one.corpora=own"], "emodb", ["emodb"]),
        ("ravdess_emodb", "supcon", ["objective=supcon", "stage_one.corpora=own", OTHER], "emodb", ["ravdess"]),
        ("ravdess_emodb", "supcon", ["objective=frozen", OTHER], "emodb", ["ravdess"]),
        ("ravdess_emodb", "supcon", ["objective=ft", "dev=choose"], "emodb", ["emodb"]),
        ("ravdess_emodb", "supcon_finetune", ["objective=ft", "dev=refit"], "emodb", ["emodb"]),
        ("ravdess_emodb", "in_domain", [], "emodb", ["emodb", "ravdess"]),
        ("emodb", "source_linear", [], "emodb", ["emodb"]),
    ],
)
def test_corpora_whose_labels_a_row_has(recipe, conf, overrides, tested, expected):
    assert sources(*row(conf, *overrides), sketch(recipe, tested)) == expected


def test_names_of_settings_do_not_matter():
    """A method whose setting is `fit_on` names its corpora as one whose setting is `train_on` does."""
    method = SimpleNamespace(
        ABOUT=About(paper=None, needs_torch=False),
        trained_on=lambda config, split: split.labelled if config.fit_on == "target" else split.train,
        target_data=lambda config, is_source=False: frozenset({"labelled"} if is_source else ()),
    )
    for fit_on, expected, seen in [("target", ["urdu"], ["labelled"]), ("source", ["emodb"], [])]:
        config = SimpleNamespace(fit_on=fit_on)
        assert sources(method, config, sketch("emodb2urdu", "urdu")) == expected
        assert target_data(method, config, sketch("emodb2urdu", "urdu")) == seen


@pytest.mark.parametrize(
    "recipe, conf, overrides, tested, expected",
    [
        # a matrix and few-shot recipes list training speakers, which linear_svc and others see for corpus statistics
        ("transfer", "linear_svc", ["normalization=corpus"], "emodb", ["unlabelled-train"]),
        ("transfer", "linear_svc", ["normalization=coral"], "urdu", ["unlabelled-train"]),
        ("transfer", "linear_svc", ["normalization=speaker"], "emodb", ["unlabelled-test", "unlabelled-train"]),
        ("transfer", "source_linear", ["normalization=corpus"], "emodb", ["unlabelled-train"]),
        (
            "ravdess2emodb",
            "emofsl",
            ["objective=btl", "normalization=corpus"],
            "emodb",
            ["k-shot", "unlabelled-train"],
        ),
        # here the target's audio is that of the tests
        ("emodb2urdu", "linear_svc", ["normalization=corpus"], "urdu", ["unlabelled-test"]),
        ("emodb2urdu", "linear_svc", ["normalization=speaker"], "urdu", ["unlabelled-test"]),
        ("emodb2urdu", "continuous_metric", [], "urdu", ["unlabelled-test"]),
        ("emodb2urdu", "linear_svc", ["normalization=corpus"], "emodb", ["labelled"]),
        # and here nothing is listed: corpus statistics fall back to those of the source
        ("ravdess_emodb_urdu", "source_linear", ["normalization=corpus"], "urdu", ["labelled"]),
        ("emodb", "linear_svc", ["normalization=speaker"], "emodb", ["labelled", "unlabelled-test"]),
    ],
)
def test_unlabelled_audio_is_what_the_protocol_lists(recipe, conf, overrides, tested, expected):
    assert target_data(*row(conf, *overrides), sketch(recipe, tested)) == expected
