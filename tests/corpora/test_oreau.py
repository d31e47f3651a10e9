"""Oréau: grammar and known traps."""

from __future__ import annotations

import unicodedata

import pytest

from ser.corpora.oreau import parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_field_of_an_utterance_of_the_second_version(tmp_path, form):
    """The first version lies beside it and is not read; the accent is of either form."""
    first, second = (unicodedata.normalize(form, f"OréauFR_0{n}") for n in (1, 2))
    touch(tmp_path, [f"{first}/f/sessc/11a03Ca.wav", f"{first}/m/sessj/07a01Ja.wav"])
    touch(tmp_path, [f"{second}/f/sessc/11a03Ca.wav"])
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="oreau-11-11a03Ca",
            speaker="oreau-11",
            wav=str(tmp_path / second / "f/sessc/11a03Ca.wav"),
            emotion="angry",
            emotion_native="C",
            gender="f",
            language="fr",
            text_id="a03",
        )
    ]


def test_letters_are_french(tmp_path):
    touch(tmp_path, [f"m/sess{c.lower()}/07z03{c}a.wav" for c in "CDJNPST"])
    assert {u.emotion_native: u.emotion for u in parse(tmp_path).utterances} == {
        "C": "angry", "D": "disgusted", "J": "happy", "N": "neutral", "P": "fearful", "S": "surprised", "T": "sad",
    }  # fmt: skip
    assert {(u.gender, u.text_id) for u in parse(tmp_path).utterances} == {("m", "z03")}


@pytest.mark.parametrize("stem", ["1a03Ca", "11a3Ca", "11a03Xa", "11a03C"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"f/{stem}.wav"])
    with pytest.raises(DataError, match=f"^f/{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)


def test_a_file_whose_sex_is_not_known_is_refused(tmp_path):
    touch(tmp_path, ["sessc/11a03Ca.wav"])
    with pytest.raises(DataError, match="^sessc/11a03Ca.wav: is in no folder 'f' or 'm'; move it back"):
        parse(tmp_path)
