"""MESD: grammar and known traps."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from ser.corpora.mesd import CORPUS, EMOTIONS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

FOLDER = "Mexican Emotional Speech Database (MESD)"


def names():
    """Yield 24 words of each list in every voice and emotion, but two; the words are invented."""
    for code, voice, words, n in product(EMOTIONS, "FMC", "AB", range(24)):
        if (code, voice, words, n) not in (("Anger", "F", "A", 3), ("Neutral", "C", "B", 5)):
            yield f"{FOLDER}/{code}_{voice}_{words}_palabra_{'abcdefghijklmnopqrstuvwxyz'[n]}.wav"


def test_full_release_has_862_files_of_three_groups_of_people(tmp_path):
    utterances = parse(touch(tmp_path, names())).utterances
    assert len(utterances) == 862
    assert Counter(u.emotion for u in utterances) == CORPUS.counts
    assert {u.speaker: u.gender for u in utterances} == {"mesd-C": None, "mesd-F": "f", "mesd-M": "m"}


def test_every_field_of_an_utterance_whose_word_has_two_parts(tmp_path):
    (wav,) = touch(tmp_path, [f"{FOLDER}/Disgust_F_A_de_nada.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="mesd-F-Disgust_F_A_de_nada",
            speaker="mesd-F",
            wav=str(wav),
            emotion="disgusted",
            emotion_native="Disgust",
            gender="f",
            language="es",
            text_id="de_nada",
        )
    ]


@pytest.mark.parametrize(
    "stem", ["Surprise_F_A_hola", "Anger_X_A_hola", "Anger_F_C_hola", "Anger_F_A", "anger_F_A_hola"]
)
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"{stem}.wav"])
    with pytest.raises(DataError, match=f"^{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
