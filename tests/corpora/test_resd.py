"""RESD: the tables, names and their traps."""

from __future__ import annotations

import pytest

from ser.corpora.resd import parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

NEW, OLD = "anger_fear_34/34_anger_fear_a_060.wav", "03_disgust_neutral/03_disgust_neutral n_050.wav"


def write(root, train=(), test=()):
    for part, lines in {"train": train, "test": test}.items():
        (root / f"{part}.csv").write_text("path,emotion\n" + "".join(f"{line}\n" for line in lines))


def test_every_field_of_an_utterance(tmp_path):
    touch(tmp_path, [f"train/{NEW}"])
    write(tmp_path, [f"{NEW},anger"])
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="resd-34a-34_anger_fear_a_060",
            speaker="resd-34a",
            wav=str(tmp_path / "train" / NEW),
            emotion="angry",
            emotion_native="anger",
            gender=None,
            language="ru",
            part="train",
        )
    ]


def test_first_dialogs_have_a_space_in_their_names_and_a_role_is_a_speaker_in_both_parts(tmp_path):
    write(
        tmp_path, [f"{OLD},neutral"], [f"{OLD.replace('050', '060')},neutral", f"{OLD.replace(' n', ' d')},disgust"]
    )
    assert [(u.utt_id, u.part) for u in parse(tmp_path).utterances] == [
        ("resd-03n-03_disgust_neutral_n_050", "train"),
        ("resd-03n-03_disgust_neutral_n_060", "test"),
        ("resd-03d-03_disgust_neutral_d_050", "test"),
    ]


@pytest.mark.parametrize("line", [f"{NEW},joy", "a/34_anger_a_060.wav,anger", "a/4_anger_fear_a_060.wav,anger"])
def test_a_line_outside_the_grammar_is_refused(tmp_path, line):
    write(tmp_path, [line])
    with pytest.raises(DataError, match="^resd: train.csv, line 2 or later: "):
        parse(tmp_path)
