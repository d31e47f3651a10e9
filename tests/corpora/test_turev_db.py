"""TurEV-DB: grammar and known traps."""

from __future__ import annotations

from collections import Counter

import pytest

from ser.corpora.turev_db import CORPUS, parse
from ser.errors import DataError
from ser.types import Utterance
from tests.fakes.wav import touch

LISTED = {("Angry", "kz"): 487, ("Calm", "sk"): 408, ("Happy", "mt"): 357, ("Sad", "hl"): 483}
"""Folder and code -> files in the repository's list."""
SPEAKERS = ("1157", "1234", "1358", "1984", "6783", "7895")


def names():
    """Yield as many paths as the release has per emotion, with invented words."""
    for (folder, code), count in LISTED.items():
        speakers = SPEAKERS if code in ("kz", "hl") else SPEAKERS[1:]
        for n in range(count):
            word = "".join("abcdefghij"[int(digit)] for digit in str(n // len(speakers)))
            yield f"Sound Source/{folder}/{speakers[n % len(speakers)]}_{code}_{word}.wav"


def test_full_release_has_1735_files_of_six_speakers(tmp_path):
    touch(tmp_path, ["Spectrograms/1157_kz_acik.jpg", "Other/noise.wav"])
    utterances = parse(touch(tmp_path, names())).utterances
    assert len(utterances) == 1735
    assert Counter(u.emotion for u in utterances) == CORPUS.counts
    assert {u.speaker for u in utterances} == {f"turev_db-{s}" for s in SPEAKERS}


def test_every_field_of_an_utterance(tmp_path):
    (wav,) = touch(tmp_path, ["Sound Source/Sad/1157_hl_acik.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="turev_db-1157-1157_hl_acik",
            speaker="turev_db-1157",
            wav=str(wav),
            emotion="sad",
            emotion_native="hl",
            gender=None,
            language="tr",
            text_id="acik",
        )
    ]


@pytest.mark.parametrize("stem", ["1158_hl_acik", "1157_uz_acik", "1157_hl_", "1157-hl-acik"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"{stem}.wav"])
    with pytest.raises(DataError, match=f"^{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)
