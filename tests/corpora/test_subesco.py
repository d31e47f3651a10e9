"""SUBESCO: grammar and known traps."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from ser.corpora.subesco import CORPUS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

CODES = ("ANGRY", "DISGUST", "FEAR", "HAPPY", "NEUTRAL", "SAD", "SURPRISE")


def names(*speakers: int):
    """Yield all paths of some women and men, who have invented names."""
    for sex, speaker, sentence, code, take in product("FM", speakers, range(1, 11), CODES, range(1, 6)):
        yield f"{sex}_{speaker:02}_NAME_S_{sentence}_{code}_{take}.wav"


def test_each_of_twenty_speakers_has_350_files(tmp_path):
    utterances = parse(touch(tmp_path, names(10))).utterances
    assert Counter(u.speaker for u in utterances) == {"subesco-F_10": 350, "subesco-M_10": 350}
    assert {e: 10 * n for e, n in Counter(u.emotion for u in utterances).items()} == CORPUS.counts


def test_every_field_of_an_utterance(tmp_path):
    (wav,) = touch(tmp_path, ["SUBESCO/F_02_MONIKA_S_10_SURPRISE_5.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="subesco-F_02-F_02_MONIKA_S_10_SURPRISE_5",
            speaker="subesco-F_02",
            wav=str(wav),
            emotion="surprised",
            emotion_native="SURPRISE",
            gender="f",
            language="bn",
            text_id="10",
        )
    ]


def test_a_number_alone_is_no_speaker(tmp_path):
    touch(tmp_path, ["F_01_ANIKA_S_1_SAD_1.wav", "M_01_ARIF_S_1_SAD_1.wav"])
    assert [(u.speaker, u.gender) for u in parse(tmp_path).utterances] == [
        ("subesco-F_01", "f"),
        ("subesco-M_01", "m"),
    ]


@pytest.mark.parametrize("stem", ["F_11_A_S_1_SAD_1", "F_01_A_S_11_SAD_1", "F_01_A_S_1_SAD_6", "F_01_A_S_1_CALM_1"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"{stem}.wav"])
    with pytest.raises(DataError, match=f"^{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
