"""What a row has labels of, and how a tested corpus is parted, told from the settings of every recipe's protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser.bin.make_splits import read_protocol
from ser.splits.protocols.words import sources, split_rule

EGS = Path(__file__).parents[3] / "egs"


def protocol_of(recipe: str):
    return read_protocol(EGS / recipe / "conf" / "protocol.yaml")


SUPCON = {"objective": "supcon", "classifier": "own", "stage_one": {"corpora": "both"}}


@pytest.mark.parametrize(
    "recipe, values, corpus, expected",
    [
        ("ravdess2emodb", {"objective": "emofsl"}, "emodb", ["ravdess"]),
        ("ravdess2emodb", {"train_on": "support"}, "emodb", []),
        ("ravdess2emodb", {"train_on": "labelled"}, "emodb", ["emodb"]),
        ("ravdess2emodb_urdu", {"train_on": "source"}, "urdu", ["ravdess"]),
        ("ravdess_emodb_urdu", {}, "urdu", ["emodb", "ravdess", "urdu"]),
        ("emodb2urdu", {"train_on": "source"}, "urdu", ["emodb"]),
        ("emodb2urdu", {"train_on": "labelled"}, "urdu", ["urdu"]),
        ("ravdess_emodb", SUPCON, "emodb", ["emodb", "ravdess"]),
        ("ravdess_emodb", SUPCON | {"classifier": "other"}, "emodb", ["emodb", "ravdess"]),
        ("ravdess_emodb", SUPCON | {"stage_one": {"corpora": "own"}}, "emodb", ["emodb"]),
        ("ravdess_emodb", {"objective": "frozen", "classifier": "other"}, "emodb", ["ravdess"]),
        ("ravdess_emodb", {"objective": "ft", "classifier": "own"}, "emodb", ["emodb"]),
        ("ravdess_emodb", {"train_on": "labelled"}, "emodb", ["emodb", "ravdess"]),
        ("emodb", {"train_on": "source"}, "emodb", ["emodb"]),
    ],
)
def test_sources(recipe, values, corpus, expected):
    assert sources(protocol_of(recipe), values, corpus) == expected


@pytest.mark.parametrize(
    "recipe, task, corpus, more, expected",
    [
        ("ravdess2emodb", "", "emodb", {},
         "folds of one woman and one man; 20 support sets a fold, of other speakers"),
        ("ravdess2emodb_urdu", "arousal", "urdu", {}, "tested in full"),
        ("ravdess_emodb_urdu", "arousal", "ravdess", {}, "folds of 4 speakers, of which one is held out"),
        ("ravdess_emodb_urdu", "arousal", "ravdess", {"is_rotation": True}, "folds of 4 speakers, each in turn"),
        ("emodb2urdu", "four_class", "urdu", {}, "tested in full"),
        ("emodb2urdu", "four_class", "emodb", {}, "5 random folds of utterances"),
        ("emodb2urdu", "four_class", "urdu", {"is_labelled": True}, "5 random folds of utterances"),
        ("emodb2urdu", "four_class_by_session", "emodb", {}, "folds of one woman and one man"),
        ("emodb2urdu", "four_class_by_session", "urdu", {"is_labelled": True},
         "5 folds of speakers, stratified by class"),
        ("emodb", "seven_class", "emodb", {}, "one speaker at a time"),
        ("ravdess_emodb", "text", "emodb", {}, "5 folds of sentences"),
        ("ravdess_emodb", "random", "emodb", {}, "5 random folds of utterances"),
        ("iemocap_casia", "sess5_spk4", "iemocap", {}, "folds by recording session"),
    ],
)  # fmt: skip
def test_split_rules(recipe, task, corpus, more, expected):
    assert split_rule(protocol_of(recipe), task, corpus, **more) == expected
