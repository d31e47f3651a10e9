"""TESS: grammar and known traps."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import product

import numpy as np
import pytest
import soundfile

from ser.corpora.base import prepare
from ser.corpora.tess import CORPUS, parse
from ser.data.audio import load, probe
from ser.errors import DataError
from ser.system.files import read_json
from ser.types import Utterance
from tests.fakes.wav import touch, write_wav

CODES = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
WORDS = ("bite", *(f"word{letter}" for letter in "abcdefghijklmnopqrs"))  # a tenth of the release's


def names():
    """Yield the paths of a release of 20 words, of which one is real."""
    for actress, code, word in product(("OAF", "YAF"), CODES, WORDS):
        yield f"{actress}_{code}/{actress}_{word}_{code}.wav".replace("/OAF_bite_neutral", "/OA_bite_neutral")


def test_two_actresses_say_all_words_with_all_emotions(tmp_path):
    utterances = parse(touch(tmp_path, names())).utterances
    assert {e: 10 * n for e, n in Counter(u.emotion for u in utterances).items()} == CORPUS.counts
    assert Counter(u.speaker for u in utterances) == {"tess-OAF": 140, "tess-YAF": 140}
    assert {u.gender for u in utterances} == {"f"}
    assert len({u.text_id for u in utterances}) == 20


def test_every_field_of_the_misspelt_file(tmp_path):
    (name,) = touch(tmp_path, ["OAF_neutral/OA_bite_neutral.wav"]).rglob("*.wav")
    assert parse(tmp_path).utterances == [
        Utterance(
            utt_id="tess-OAF-OAF_bite_neutral",
            speaker="tess-OAF",
            wav=str(name),
            emotion="neutral",
            emotion_native="neutral",
            gender="f",
            language="en",
            text_id="bite",
        )
    ]


def test_ps_is_surprise(tmp_path):
    touch(tmp_path, ["YAF_pleasant_surprised/YAF_food_ps.wav"])
    assert [(u.emotion, u.speaker) for u in parse(tmp_path).utterances] == [("surprised", "tess-YAF")]


@pytest.mark.parametrize("stem", ["OA_food_neutral", "AF_food_neutral", "OAF_food_calm", "OAF_food", "OAF_food_ps2"])
def test_name_outside_the_grammar_is_refused(tmp_path, stem):
    touch(tmp_path, [f"{stem}.wav"])
    with pytest.raises(DataError, match=f"^{stem}.wav: name does not follow the release's grammar"):
        parse(tmp_path)


def test_the_nested_copy_of_kaggle_is_left_out(tmp_path):
    wav = write_wav(tmp_path / "OAF_angry/OAF_back_angry.wav")
    copy = tmp_path / "TESS Toronto emotional speech set data/OAF_angry/OAF_back_angry.wav"
    copy.parent.mkdir(parents=True)
    shutil.copy(wav, copy)
    parsed = parse(tmp_path)
    assert [u.wav for u in parsed.utterances] == [str(wav)]
    assert list(parsed.dropped.values()) == ["second copy of a file"]


def test_two_files_of_the_release_are_aiff_inside(tmp_path):
    release = tmp_path / "release"
    write_wav(release / "YAF_germ_sad.wav", n_samples=24414, rate_hz=24414)
    samples = np.sin(np.arange(24414) / 9).astype("float32") / 2
    soundfile.write(release / "YAF_germ_angry.wav", samples, 24414, format="AIFF", subtype="PCM_16")
    prepare(CORPUS, release, tmp_path / "data", allow_partial=True)
    info = read_json(tmp_path / "data/corpus.json")
    assert (info["n_utterances"], info["formats"]) == (2, {"24414 Hz, 1 channel(s)": 2})
    assert load(release / "YAF_germ_angry.wav", 24414).numpy() == pytest.approx(samples, abs=1e-4)
    (release / "YAF_neat_fear.wav").write_bytes(b"FORM and nothing")
    with pytest.raises(DataError, match="not audio that libsndfile reads"):
        probe(release / "YAF_neat_fear.wav")
