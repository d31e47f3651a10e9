"""Files as people have them: a length that is not what the header says is found, or the file is refused."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest
import soundfile

from ser.data.audio import RATE_HZ, load, load_native, probe, resampled, walk
from ser.errors import DataError
from tests.fakes.odd_audio import (
    FULL,
    RATE,
    encoded,
    flac_of_unknown_length,
    mp3_without_length,
    save,
    speech,
    wav,
)  # fmt: skip

SPEECH = speech(1.0)


def seconds(path) -> float:
    """Its length, by the header or by decoding: both have to say the same."""
    found = probe(path).duration
    assert len(load_native(path)[0]) / RATE == pytest.approx(found, abs=1e-9)
    return found


# ---- Lengths that are not known --------------------------------------------------------------------------------


def test_flac_of_unknown_length_is_read_to_its_end(tmp_path):
    content = flac_of_unknown_length(SPEECH)
    path = save(tmp_path / "u.flac", content)
    assert soundfile.info(path).frames > 10**15  # what libsndfile says
    assert seconds(path) == 1.0
    plain = save(tmp_path / "a.flac", encoded(SPEECH, "FLAC"))
    assert np.array_equal(load(path).numpy(), load(plain).numpy())


def test_mp3_of_variable_rate_without_a_header_is_read_to_its_end(tmp_path):
    """A tone takes few bits, noise many: the length is estimated by the first frames."""
    t = np.arange(4 * RATE) / RATE
    samples = np.concatenate([0.3 * np.sin(2 * np.pi * 440 * t), np.random.default_rng(0).normal(0, 0.2, 4 * RATE)])
    path = save(tmp_path / "v.mp3", mp3_without_length(samples))
    assert abs(soundfile.info(path).duration - 8) > 1  # what libsndfile estimates
    assert seconds(path) == pytest.approx(8.0, abs=0.15)  # with the encoder's delay
    inner = load(path, start=6.0, end=7.0).numpy()
    assert len(inner) == RATE and np.sqrt(np.square(inner).mean()) == pytest.approx(0.2, rel=0.2)


@pytest.mark.parametrize("size", [FULL, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
def test_wav_of_a_pipe_is_read_to_its_end(tmp_path, size):
    path = save(tmp_path / "a.wav", wav(SPEECH, size=size))
    assert seconds(path) == 1.0
    assert probe(path).audio_hash == probe(save(tmp_path / "b.wav", wav(SPEECH))).audio_hash


def test_wav_of_a_pipe_with_the_size_0_says_how_to_write_it(tmp_path):
    with pytest.raises(
        DataError, match=r"its length was not written \(0, and 32000 bytes follow\).*ffmpeg -ignore_len"
    ):
        probe(save(tmp_path / "a.wav", wav(SPEECH, size=0)))


def test_a_wrong_block_size_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"damaged WAV header \(blocks of 4 bytes, 1 x 16 bits make 2\)"):
        probe(save(tmp_path / "a.wav", wav(SPEECH, block=4)))


# ---- Cut files -------------------------------------------------------------------------------------------------

CUT = {
    "aiff": "truncated: header promises",
    "au": "truncated: header promises",
    "w64": "truncated: header promises",
    "caf": "truncated: header promises",
    "rf64": "truncated: header promises",
    "nist": "truncated: header promises",
    "wav": "truncated: header promises",
    "ogg": "truncated: the last page of its Ogg stream is missing",
    "opus": "truncated: the last page of its Ogg stream is missing",
    "mp3": "truncated: header promises",
    "flac": "cannot be decoded after|truncated: header promises",
}


def whole(kind: str) -> bytes:
    options = {"opus": {"format": "OGG", "subtype": "OPUS"}}.get(kind, {"format": kind.upper()})
    return encoded(SPEECH, **options)


@pytest.mark.parametrize("kind", CUT)
def test_half_a_file_is_refused_and_a_whole_one_read(tmp_path, kind):
    content = whole(kind)
    assert probe(save(tmp_path / f"a.{kind}", content)).duration == pytest.approx(1.0, abs=0.1)
    with pytest.raises(DataError, match=f"^({CUT[kind]})"):
        probe(save(tmp_path / f"half.{kind}", content[: len(content) // 2]))


def test_an_mp3_without_a_header_that_ends_within_a_frame_is_refused(tmp_path):
    content = mp3_without_length(SPEECH)
    with pytest.raises(DataError, match=r"truncated: \d+ bytes of its last MPEG frame are missing"):
        probe(save(tmp_path / "a.mp3", content[:-5]))


def test_a_tag_behind_or_before_the_frames_is_no_audio(tmp_path):
    content = encoded(SPEECH, "MP3")
    tag = b"ID3\x04\0\0" + bytes([0, 0, 1, 0]) + bytes(128)
    expected = probe(save(tmp_path / "a.mp3", content)).n_samples
    assert probe(save(tmp_path / "b.mp3", tag + content + b"TAG" + bytes(125))).n_samples == expected


@pytest.mark.parametrize("kind", ["aiff", "au"])
def test_containers_of_a_pipe_are_read_to_their_end(tmp_path, kind):
    content = bytearray(whole(kind))
    place = content.index(b"SSND") + 4 if kind == "aiff" else 8
    content[place : place + 4] = struct.pack(">I", 0 if kind == "aiff" else FULL)
    assert probe(save(tmp_path / f"a.{kind}", bytes(content))).n_samples == RATE


# ---- Names and kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "aiff", "nist", "voc", "caf"])
@pytest.mark.parametrize("name", ["plain", "a.wav"])
def test_the_content_decides_whatever_the_name(tmp_path, kind, name):
    assert seconds(save(tmp_path / name, whole(kind))) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypM4A ", "MP4"),
        (b"\x1aE\xdf\xa3", "Matroska or WebM"),
        (b"0&\xb2u\x8ef\xcf\x11", "WMA"),
        (b"#!AMR\n", "AMR"),
    ],
)
def test_what_libsndfile_does_not_read_says_how_to_convert_it(tmp_path, head, kind):
    with pytest.raises(DataError, match=f"^is {kind}, which libsndfile does not read; convert it: ffmpeg -i"):
        probe(save(tmp_path / "a.wav", head + bytes(100)))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("sox a.flac -t wav - |", "a command, which is not run"),
        ("a.wav\r", "white space at its beginning or end, as a carriage return, is part of it"),
        ("~/a.wav", "'~' is not expanded"),
        ("'a.wav'", "quotes are part of it"),
        ("x.ark:17", "a place in an archive, not an audio file"),
    ],
)
def test_a_path_that_is_none_says_why(path, reason):
    with pytest.raises(DataError, match=rf"^cannot be read \(No such file or directory; {reason}"):
        probe(path)


def test_a_path_with_a_nul_byte_and_a_pipe(tmp_path):
    with pytest.raises(DataError, match="holds a NUL byte"):
        probe("a\0.wav")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(
        DataError, match="^is a pipe or a device, which can be read only once; write it to a file first$"
    ):
        probe(tmp_path / "fifo")


def test_hidden_files_and_copies_of_macos_are_no_audio(tmp_path):
    for name in ("a.wav", "b/c.wav", "._a.wav", "__MACOSX/a.wav", ".hidden/a.wav", "b/.x.wav"):
        save(tmp_path / name, b"x")
    assert [str(path.relative_to(tmp_path)) for path in walk(tmp_path)] == ["a.wav", "b/c.wav"]


# ---- Odd rates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_hz", [24_414, 47_999])
def test_a_rate_without_a_small_ratio_is_resampled_by_the_same_filter(rate_hz):
    """Against the definition: the kernel of torchaudio at these rates takes 390 MB and 6 GB."""
    rng = np.random.default_rng(1)
    samples = rng.normal(0, 0.1, 3000).astype(np.float32)
    found = resampled(samples, rate_hz)
    base = 0.99 * min(rate_hz, RATE_HZ)
    times = np.arange(len(found)) / RATE_HZ
    u = np.clip((np.arange(3000)[None] / rate_hz - times[:, None]) * base, -6, 6)
    expected = (np.sinc(u) * np.cos(np.pi * u / 12) ** 2 * base / rate_hz) @ samples
    assert len(found) == -(-3000 * RATE_HZ // rate_hz) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_by_one_gives_what_torchaudio_gives():
    import torch
    import torchaudio.functional as F

    from ser.data.resample import _one_by_one

    samples = speech(0.5, rate_hz=44_100).astype(np.float32)
    expected = F.resample(torch.from_numpy(samples), 44_100, 16_000).numpy()
    np.testing.assert_allclose(_one_by_one(samples, 44_100, 16_000), expected, atol=1.5e-4)
