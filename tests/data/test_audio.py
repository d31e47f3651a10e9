"""Headers held against files, and samples at one rate; expected values are worked out from the bytes written."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torchaudio.functional as F

from ser.data.audio import load, probe, resampled
from ser.errors import DataError
from tests.fakes.wav import write_wav

PCM_SUBFORMAT = bytes.fromhex("0100000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def fmt(
    tag: int = 1, channels: int = 1, rate_hz: int = 16000, bits: int = 16, more: bytes = b"", align: int | None = None
) -> bytes:
    frame = channels * bits // 8 if align is None else align
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * frame, frame, bits) + more)


def riff(*chunks: bytes) -> bytes:
    body = b"".join(chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def samples_16(n: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(-30000, 30000, n, dtype="<i2").tobytes()


def save(tmp_path: Path, content: bytes, name: str = "a.wav") -> Path:
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def sine(freq_hz: float, rate_hz: int, seconds: float, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * freq_hz * np.arange(round(seconds * rate_hz)) / rate_hz)


SAMPLES = samples_16(100)
DATA = chunk(b"data", SAMPLES)
WAV = riff(fmt(), DATA)
"""An intact file: 44 bytes of header, 200 of samples."""

FOUR_GB = struct.pack("<I", 0xFFFFFFFF)


# ---- What probe says of an intact file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, rate_hz, n_samples, channels",
    [
        (WAV, 16000, 100, 1),
        (riff(fmt(channels=2, rate_hz=48000), DATA), 48000, 50, 2),
        (riff(fmt(bits=8, rate_hz=8000), DATA), 8000, 200, 1),
        (riff(fmt(bits=24, rate_hz=192000), chunk(b"data", b"abcdef")), 192000, 2, 1),
        (riff(fmt(tag=3, bits=32), DATA), 16000, 50, 1),  # float
        (riff(fmt(tag=6, bits=8), DATA), 16000, 200, 1),  # A-law
        (riff(fmt(0xFFFE, more=struct.pack("<HHI", 22, 16, 4) + PCM_SUBFORMAT), DATA), 16000, 100, 1),
        (riff(fmt(more=b"\0\0"), DATA), 16000, 100, 1),  # fmt chunk of 18 bytes
        (riff(chunk(b"JUNK", b"x" * 28), fmt(), DATA), 16000, 100, 1),
        (riff(fmt(), chunk(b"LIST", b"INFOISFT" + struct.pack("<I", 4) + b"abc\0"), DATA), 16000, 100, 1),
        (riff(fmt(), chunk(b"LIST", b"odd"), DATA), 16000, 100, 1),  # 3 bytes and one of padding
        (riff(fmt(), chunk(b"LIST", b"odd"), chunk(b"LIST", b""), chunk(b"fact", b"1"), DATA), 16000, 100, 1),
        (riff(fmt(), DATA, chunk(b"LIST", b"after")), 16000, 100, 1),
        (WAV + b"trailing bytes of nothing", 16000, 100, 1),
        (riff(fmt(bits=8), chunk(b"data", b"abc"), chunk(b"LIST", b"")), 16000, 3, 1),
    ],
)
def test_probe_reads_rate_length_and_channels(tmp_path, content, rate_hz, n_samples, channels):
    info = probe(save(tmp_path, content))
    assert (info.rate_hz, info.n_samples, info.channels) == (rate_hz, n_samples, channels)
    assert info.duration == n_samples / rate_hz


def test_probe_and_libsndfile_agree_on_every_encoding_that_speech_corpora_use(tmp_path):
    for encoding in ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW"):
        for container in ("WAV", "WAVEX"):
            path = tmp_path / f"{encoding} {container}.wav"
            soundfile.write(path, np.zeros((321, 2)), 44100, encoding, format=container)
            info = probe(path)
            assert (info.rate_hz, info.n_samples, info.channels) == (44100, 321, 2), path.name
            assert load(path, 44100).shape == (321,), path.name


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.FLAC"])
def test_other_formats_are_read_under_their_own_names(tmp_path, name):
    soundfile.write(tmp_path / name, sine(440, 22050, 0.1), 22050, format=name[2:].upper())
    info = probe(tmp_path / name)
    assert (info.rate_hz, info.n_samples, info.channels) == (22050, 2205, 1)


# ---- The hash names samples, not files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        riff(fmt(), chunk(b"LIST", b"INFO"), DATA),
        riff(chunk(b"JUNK", b"x"), fmt(), DATA, chunk(b"id3 ", b"tag")),
        riff(fmt(more=b"\0\0"), DATA),
        WAV + b"rest",
    ],
)
def test_hash_is_that_of_the_samples_whatever_stands_around_them(tmp_path, content):
    expected = probe(save(tmp_path, WAV)).audio_hash
    assert probe(save(tmp_path, content, "é $(x).wav")).audio_hash == expected
    assert len(expected) == 32


@pytest.mark.parametrize(
    "content",
    [
        riff(fmt(), chunk(b"data", SAMPLES[:-1] + bytes([SAMPLES[-1] ^ 1]))),  # one bit
        riff(fmt(), chunk(b"data", SAMPLES[:-2])),
        riff(fmt(), chunk(b"data", SAMPLES + b"\0\0")),
        riff(fmt(rate_hz=8000), DATA),  # same bytes, other sound
        riff(fmt(channels=2), DATA),
        riff(fmt(bits=8), DATA),
        riff(fmt(tag=3, bits=32), DATA),
    ],
)
def test_hash_differs_where_the_sound_differs(tmp_path, content):
    assert probe(save(tmp_path, WAV)).audio_hash != probe(save(tmp_path, content, "b.wav")).audio_hash


def test_hash_covers_samples_beyond_the_first_block(tmp_path):
    long = bytes(3 << 20)
    one = probe(save(tmp_path, riff(fmt(), chunk(b"data", long)), "a.wav"))
    other = probe(save(tmp_path, riff(fmt(), chunk(b"data", long[:-1] + b"\1")), "b.wav"))
    assert one.n_samples == other.n_samples == 3 << 19
    assert one.audio_hash != other.audio_hash


# ---- What probe refuses, and why -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty file (0 bytes)"),
        (WAV[:-1], "truncated: header promises 200 bytes of audio, 199 are there"),
        (WAV[:-150], "truncated: header promises 200 bytes of audio, 50 are there"),
        (WAV[:44], "truncated: header promises 200 bytes of audio, 0 are there"),
        (WAV[:40], "no audio in it (the WAV header has no data chunk)"),
        (WAV[:36], "no audio in it (the WAV header has no data chunk)"),
        (WAV[:12], "no audio in it (the WAV header has no data chunk)"),
        (riff(fmt(), chunk(b"data", b"")), "no audio in it (the WAV header promises 0 samples)"),
        (
            riff(fmt(), b"data\0\0\0\0" + SAMPLES),  # of a pipe
            "its length was not written (0, and 200 bytes follow), as when a program writes WAV to a pipe; write "
            "it to a file again, or convert it: ffmpeg -ignore_length 1 -i FILE NEW.wav",
        ),
        (
            riff(fmt(align=4), DATA),
            "damaged WAV header (blocks of 4 bytes, 1 x 16 bits make 2); restore the file",
        ),
        (riff(fmt(), b"LIST" + FOUR_GB + b"INFO", DATA), "no audio in it (the WAV header has no data chunk)"),
        (riff(DATA, fmt()), "damaged WAV header (no complete fmt chunk before the data)"),
        (riff(chunk(b"fmt ", b"short"), DATA), "damaged WAV header (no complete fmt chunk before the data)"),
        (
            riff(fmt(tag=0x2000), DATA),
            "damaged: libsndfile cannot open this WAV",
        ),
        (riff(fmt(channels=0), DATA), "unknown WAV encoding (format tag 1, 0 channels, 16000 Hz)"),
        (riff(fmt(rate_hz=0), DATA), "unknown WAV encoding (format tag 1, 1 channels, 0 Hz)"),
        (b"RIFF", "not audio that libsndfile reads (begins with b'RIFF')"),
        (b"fLaC\0\0\0\x22" + bytes(40), "damaged: libsndfile cannot open this FLAC"),
        (b"ID3\x04\0\0" + bytes(40), "not audio that libsndfile reads (begins with b'ID3\\x04')"),
        (b"\xff\xfb\x90\x64" + bytes(40), "truncated: 373 bytes of its last MPEG frame are missing"),
        (b"<html>404</html>", "not audio that libsndfile reads (begins with b'<htm')"),
    ],
)
def test_unusable_file_is_refused_with_the_reason(tmp_path, content, reason):
    with pytest.raises(DataError) as error:
        probe(save(tmp_path, content))
    assert str(error.value) == reason  # without the path: tables name it once


@pytest.mark.parametrize("present", [199, 198, 197, 1])
def test_audio_cut_in_the_middle_of_a_sample_frame(tmp_path, present):
    """Stereo frames of four bytes: a reader that rounds the promise down finds nothing wrong."""
    whole = riff(fmt(channels=2), DATA)
    with pytest.raises(DataError, match=f"truncated: header promises 200 bytes of audio, {present} are there"):
        probe(save(tmp_path, whole[: 44 + present]))


def test_bytes_after_the_last_whole_frame_are_no_sample(tmp_path):
    path = save(tmp_path, riff(fmt(channels=2), chunk(b"data", SAMPLES[:103])))
    assert probe(path).n_samples == 25 == soundfile.info(path).frames


def test_file_that_is_not_there_or_a_folder(tmp_path):
    with pytest.raises(DataError, match=r"^cannot be read \(No such file or directory\)$"):
        probe(tmp_path / "a.wav")
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(DataError, match=r"^cannot be read \(Is a directory\)$"):
        probe(tmp_path / "b.wav")


@pytest.mark.parametrize("name", ["a.flac", "a.txt", "a", "a.wav.bak", "A.SPH"])
def test_a_file_is_what_its_content_says_whatever_its_name_is(tmp_path, name):
    assert probe(save(tmp_path, WAV, name)) == probe(save(tmp_path, WAV, "b.wav"))


def test_probe_decodes_nothing_and_imports_no_decoder(tmp_path):
    code = (
        "import sys; from ser.data.audio import probe; print(probe(sys.argv[1]).n_samples, "
        "[m for m in ('soundfile', 'torch', 'torchaudio', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, save(tmp_path, WAV)], capture_output=True, text=True)
    assert out.stdout == "100 []\n"


# ---- Samples ---------------------------------------------------------------------------------------------------


def test_samples_at_the_native_rate_are_those_of_the_file(tmp_path):
    samples = np.array([0, 1, -1, 16384, -32768, 32767], dtype="<i2")
    path = save(tmp_path, riff(fmt(), chunk(b"data", samples.tobytes())))
    loaded = load(path)
    assert loaded.dtype == torch.float32
    assert loaded.tolist() == [0, 2**-15, -(2**-15), 0.5, -1, 1 - 2**-15]


def test_two_channels_are_averaged_not_cut_to_the_first(tmp_path):
    frames = np.array([[8192, 16384], [-8192, 8192], [100, 0]], dtype="<i2")
    path = save(tmp_path, riff(fmt(channels=2), chunk(b"data", frames.tobytes())))
    assert load(path).tolist() == [0.375, 0, 50 / 2**15]


@pytest.mark.parametrize("rate_hz, n_expected", [(48000, 16000), (44100, 16000), (8000, 16000), (16000, 16000)])
def test_resampling_keeps_length_frequency_and_amplitude(tmp_path, rate_hz, n_expected):
    soundfile.write(tmp_path / "a.wav", sine(1000, rate_hz, 1), rate_hz, "FLOAT")
    loaded = load(tmp_path / "a.wav").numpy()
    assert len(loaded) == n_expected
    inner = slice(400, -400)  # the filter sees beyond the ends
    np.testing.assert_allclose(loaded[inner], sine(1000, 16000, 1)[inner], atol=2e-3)
    spectrum = np.abs(np.fft.rfft(loaded)) * 2 / n_expected
    assert spectrum.argmax() == 1000  # bins of 1 Hz
    assert spectrum.max() == pytest.approx(0.5, rel=2e-3)


def test_another_rate_is_torchaudio_s_and_the_own_rate_is_left_alone():
    samples = sine(440, 44100, 0.1).astype(np.float32)
    assert resampled(samples, 16000) is resampled(samples, 44100, 44100) is samples
    for rate_hz in (16000, 8000):
        found = resampled(samples, 44100, rate_hz)
        assert found.dtype == np.float32
        assert np.array_equal(found, F.resample(torch.from_numpy(samples), 44100, rate_hz).numpy())


def test_odd_lengths_are_rounded_up(tmp_path):
    assert load(write_wav(tmp_path / "a.wav", n_samples=1001, rate_hz=48000)).shape == (334,)  # 333.67


def test_what_lies_above_the_new_nyquist_frequency_does_not_come_back_as_an_alias(tmp_path):
    soundfile.write(tmp_path / "a.wav", sine(11000, 48000, 1), 48000, "FLOAT")
    spectrum = np.abs(np.fft.rfft(load(tmp_path / "a.wav").numpy())) * 2 / 16000
    assert spectrum[5000] < 0.5 * 10 ** (-45 / 20)  # at 16 - 11 kHz; leaving out samples gives 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused_before_they_reach_a_feature(tmp_path, value):
    soundfile.write(tmp_path / "a.wav", np.array([0, value, 0]), 16000, "FLOAT")
    with pytest.raises(DataError, match=r"a\.wav: holds a sample that is not finite; restore the file"):
        load(tmp_path / "a.wav")


def test_file_without_samples_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.wav: no audio in it .*; restore the file"):
        load(save(tmp_path, riff(fmt(), chunk(b"data", b""))))


def test_decoding_error_names_the_file(tmp_path):
    with pytest.raises(
        DataError, match=r"a\.wav: not audio that libsndfile .*; restore the file and run stage 1 again$"
    ):
        load(save(tmp_path, b"text"))
    with pytest.raises(DataError, match=r"none\.wav: cannot be read"):
        load(tmp_path / "none.wav")
