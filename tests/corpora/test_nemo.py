"""nEMO: grammar and known traps."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.corpora.nemo import CORPUS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

PUBLISHED = {"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprised": 669}
WOMEN, MEN = ("EB0", "IC0", "KD0", "MK0"), ("KS0", "MP0", "SM0", "TP0", "WR0")


def names():
    """Yield as many paths as the release has per emotion; sentences of the last speaker are missing."""
    takes = [(speaker, sentence) for speaker in WOMEN + MEN for sentence in range(1, 91)]
    for code, count in PUBLISHED.items():
        for speaker, sentence in takes[:count]:
            yield f"samples/{speaker}_{code}_{sentence}.wav"


def test_full_release_has_4481_files_of_nine_speakers(tmp_path):
    utterances = parse(touch(tmp_path, names())).utterances
    assert len(utterances) == 4481
    assert Counter(u.emotion for u in utterances) == CORPUS.counts
    assert Counter({u.speaker: u.gender for u in utterances}.values()) == {"f": 4, "m": 5}
    assert len({u.text_id for u in utterances}) == 90


def test_every_field_of_an_utterance(tmp_path):
    (wav,) = touch(tmp_path, ["samples/WR0_surprised_64.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="nemo-WR0-WR0_surprised_64",
            speaker="nemo-WR0",
            wav=str(wav),
            emotion="surprised",
            emotion_native="surprised",
            gender="m",
            language="pl",
            text_id="64",
        )
    ]


@pytest.mark.parametrize("stem", ["XX0_anger_1", "EB0_surprise_1", "EB0_happy_1", "EB0_anger_0", "EB0_anger_91"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"samples/{stem}.wav"])
    with pytest.raises(DataError, match=f"^samples/{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
