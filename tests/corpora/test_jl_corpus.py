"""JL-Corpus: grammar and known traps."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from ser.corpora.jl_corpus import CORPUS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

CODES = (
    "angry", "excited", "happy", "neutral", "sad", "anxious", "apologetic", "assertive", "concerned", "encouraging",
)  # fmt: skip
FOLDER = "Raw JL corpus (unchecked and unannotated)/JL(wav+txt)"


def names():
    """Yield the paths of one of the four speakers."""
    for speaker, code, sentence, part, take in product(["male2"], CODES, range(1, 16), "ab", "12"):
        yield f"{FOLDER}/{speaker}_{code}_{sentence}{part}_{take}.wav"


def test_each_of_four_speakers_has_600_files_half_of_them_of_primary_emotions(tmp_path):
    utterances = parse(touch(tmp_path, names())).utterances
    assert Counter(u.speaker for u in utterances) == {"jl_corpus-male2": 600}
    assert {e: 4 * n for e, n in Counter(u.emotion for u in utterances).items()} == CORPUS.counts
    assert set(Counter(u.emotion_native for u in utterances).values()) == {60}


def test_every_field_of_an_utterance_of_a_secondary_emotion(tmp_path):
    (wav,) = touch(tmp_path, [f"{FOLDER}/female2_anxious_10a_2.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="jl_corpus-female2-female2_anxious_10a_2",
            speaker="jl_corpus-female2",
            wav=str(wav),
            emotion="other",
            emotion_native="anxious",
            gender="f",
            language="en",
            text_id="10a",
        )
    ]


@pytest.mark.parametrize("stem", ["male3_angry_1a_1", "male1_mad_1a_1", "male1_angry_16a_1", "male1_angry_1c_1"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"{stem}.wav"])
    with pytest.raises(DataError, match=f"^{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
