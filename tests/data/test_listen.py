"""Levels, channels and fingerprints; the same recording, however stored, sounds the same."""

from __future__ import annotations

import numpy as np
import pytest

from ser.data.fingerprint import Fingerprint, Listener, cosine
from ser.data.listen import Meter, chosen, listen, samples_of
from ser.errors import DataError
from tests.fakes.odd_audio import RATE, encoded, save, speech, wav

SPEECH = speech(2.0, seed=3)


def levels(samples, n_blocks: int = 1):
    meter = Meter()
    for block in np.array_split(np.asarray(samples, np.float32).reshape(len(samples), -1), n_blocks):
        meter.add(block)
    return meter.levels()


# ---- Levels and channels ---------------------------------------------------------------------------------------


def test_levels_by_hand_in_any_number_of_blocks():
    samples = np.array([[0.5, 0.1], [-0.25, 0.1], [0.5, 0.1], [-0.75, 0.1]])
    for n in (1, 2, 4):
        of = levels(samples, n)
        assert of.peak == 0.75
        assert of.swing == pytest.approx([0.75, 0.0], abs=1e-7)
        assert of.energy == pytest.approx([(0.25 + 0.0625 + 0.25 + 0.5625) / 4, 0.0], abs=1e-7)
        assert of.live == [0] and not of.differ


def test_quiet_speech_on_an_offset_is_silent():
    assert levels(0.0005 * SPEECH + 0.2).is_silent
    assert not levels(0.1 * SPEECH + 0.2).is_silent


def test_samples_as_integers_are_beyond_full_scale():
    assert levels(SPEECH * 32768).is_beyond
    assert not levels(np.clip(3 * SPEECH, -1, 1)).is_beyond


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (SPEECH, 0.0),
        (-SPEECH, 1.0),
        (0.5 * SPEECH, (1 - 0.5) ** 2 / (2 * (1 + 0.5**2))),
        (0 * SPEECH, 0.0),  # a dead channel takes part in nothing
    ],
)
def test_share_that_averaging_takes_away(other, share):
    of = levels(np.stack([SPEECH, other], 1))
    assert of.difference == pytest.approx(share, abs=1e-3)
    assert of.differ == (share > 0.05)


def test_two_microphones_apart_differ():
    assert levels(np.stack([SPEECH, np.roll(SPEECH, 40)], 1)).differ  # 2.5 ms


def test_channels_are_chosen():
    quiet, loud, dead = 0.3 * SPEECH, SPEECH, 0 * SPEECH
    assert chosen(levels(np.stack([quiet, loud], 1))) is None
    assert chosen(levels(np.stack([dead, loud], 1))) == "2"
    assert chosen(levels(np.stack([quiet, dead, loud], 1))) == "1,3"
    assert chosen(levels(np.stack([quiet, loud], 1)), "first") == "1"
    assert chosen(levels(np.stack([dead, quiet], 1)), "first") == "2"
    assert chosen(levels(np.stack([quiet, loud], 1)), "loudest") == "2"
    assert chosen(levels(SPEECH), "loudest") is None
    assert chosen(levels(np.zeros((9, 2)))) is None


def test_live_channels_are_what_is_heard(tmp_path):
    path = save(tmp_path / "a.wav", wav(np.stack([0 * SPEECH, SPEECH], 1)))
    mono = save(tmp_path / "b.wav", wav(SPEECH))
    assert np.array_equal(samples_of(path)[0], samples_of(mono)[0])
    assert listen(path).channels == "2"
    assert listen(path).fingerprint == listen(mono).fingerprint


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_no_number(tmp_path, value):
    samples = SPEECH.copy()
    samples[100] = value
    path = save(tmp_path / "a.wav", encoded(samples, "WAV", subtype="FLOAT"))
    with pytest.raises(DataError, match="^holds a sample that is not finite$"):
        listen(path)


# ---- Exact copies ----------------------------------------------------------------------------------------------

STORED = {
    "flac": {"format": "FLAC"},
    "24 bit": {"format": "WAV", "subtype": "PCM_24"},
    "float": {"format": "WAV", "subtype": "FLOAT"},
    "extensible": {"format": "WAVEX", "subtype": "PCM_16"},
    "aiff": {"format": "AIFF", "subtype": "PCM_16"},
}


@pytest.mark.parametrize("how", [*STORED, "stereo", "one dead channel"])
def test_the_same_samples_have_the_same_hash_however_they_are_stored(tmp_path, how):
    samples = np.round(SPEECH * 32767).astype(np.int16)
    plain = listen(save(tmp_path / "a.wav", encoded(samples, "WAV", subtype="PCM_16"))).fingerprint
    if how in STORED:
        content = encoded(samples / 32768 if how == "float" else samples, **STORED[how])
    else:
        content = encoded(np.stack([samples, samples * (how == "stereo")], 1), "WAV", subtype="PCM_16")
    assert listen(save(tmp_path / "b", content)).fingerprint == plain


def test_another_rate_or_one_bit_is_another_hash(tmp_path):
    prints = [
        listen(save(tmp_path / "a", content)).fingerprint.exact
        for content in (wav(SPEECH), wav(SPEECH, rate_hz=8000), wav(np.append(SPEECH, 0)))
    ]
    assert len(set(prints)) == 3


# ---- Altered copies --------------------------------------------------------------------------------------------


def fingerprint(samples, rate_hz: int = RATE) -> Fingerprint:
    listener = Listener(rate_hz)
    for block in np.array_split(np.asarray(samples, np.float32), 5):
        listener.add(block)
    return listener.fingerprint()


def alter(how: str, samples: np.ndarray) -> Fingerprint:
    rng = np.random.default_rng(0)
    n = RATE // 2
    if how == "rate":
        from ser.data.audio import resampled

        return fingerprint(resampled(samples.astype(np.float32), RATE, 44_100), 44_100)
    return fingerprint(
        {
            "gain": 0.05 * samples,
            "polarity": -samples,
            "offset": 0.5 * samples + 0.1,
            "padding": np.concatenate([np.zeros(n), samples, np.zeros(2 * n)]),
            "noise": samples + 0.1 * samples.std() * rng.normal(size=len(samples)),
            "padding with noise": np.concatenate([0.002 * rng.normal(size=n), samples]),
        }[how]
    )


@pytest.mark.parametrize("how", ["gain", "polarity", "offset", "padding", "noise", "padding with noise", "rate"])
@pytest.mark.parametrize("seed", range(3))
def test_an_altered_copy_sounds_like_it_and_another_recording_does_not(how, seed):
    samples = speech(2.0, seed)
    plain, other, third = fingerprint(samples), alter(how, samples), fingerprint(speech(2.0, seed + 10))
    assert cosine(plain, other) >= 0.95
    assert other.seconds == pytest.approx(plain.seconds, rel=0.05)
    assert cosine(plain, third) < 0.9


@pytest.mark.parametrize("kind", ["OGG", "MP3"])
def test_a_copy_in_a_lossy_codec(tmp_path, kind):
    found = listen(save(tmp_path / "a", encoded(SPEECH, kind))).fingerprint
    assert cosine(found, fingerprint(SPEECH)) > 0.97


def test_text_and_back_and_what_has_no_vector():
    found = fingerprint(SPEECH)
    assert len(found.vector) == 576 and Fingerprint.parse(str(found))[::2] == found[::2]
    for samples in (np.zeros(RATE), np.zeros(0), SPEECH[:1000]):
        none = fingerprint(samples)
        assert none.vector == b"" and none.seconds == 0
        assert Fingerprint.parse(str(none)) == none
        assert cosine(none, found) == 0
