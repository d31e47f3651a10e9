"""What a row has labels of, by the settings of every recipe's protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser.splits.protocols import read_protocol
from ser.splits.protocols.words import sources

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
