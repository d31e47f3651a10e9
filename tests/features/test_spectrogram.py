"""Spectrogram segments against a sum over samples, tones of known height, and the counts of the framing table."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ser.errors import ConfigError
from ser.features.spectrogram import spectrogram_segments

SEGMENT = 4240


def noise(n: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=dtype)


def slow_magnitude(samples: list[float], bin_: int, n_fft: int) -> float:
    """|X_k| of one frame under a periodic Hamming window, from the definition of the transform."""
    n = len(samples)
    total = 0j
    for t, x in enumerate(samples):
        angle = 2 * math.pi * bin_ * t / n_fft
        total += (0.54 - 0.46 * math.cos(2 * math.pi * t / n)) * x * complex(math.cos(angle), -math.sin(angle))
    return abs(total)


@pytest.mark.parametrize(
    "framing", [{}, {"window_samples": 400, "hop_samples": 122, "n_fft": 512}], ids=["16 ms", "25 ms, 0 to 4 kHz"]
)
def test_equals_a_sum_over_samples(framing):
    wav = noise(3 * SEGMENT, torch.float64)
    found = spectrogram_segments(wav, scale="magnitude", **framing)
    logs = spectrogram_segments(wav, **framing)
    assert found.shape == logs.shape == (3, 32, 129) and found.dtype == torch.float64
    n, hop, n_fft = (framing.get(k, d) for k, d in (("window_samples", 256), ("hop_samples", 128), ("n_fft", 256)))
    for segment, frame, bin_ in ((0, 0, 0), (0, 31, 128), (1, 7, 40), (2, 31, 3)):
        start = segment * SEGMENT + frame * hop
        expected = slow_magnitude(wav[start : start + n].tolist(), bin_, n_fft)
        assert found[segment, frame, bin_].item() == pytest.approx(expected, rel=1e-9)
        assert logs[segment, frame, bin_].item() == pytest.approx(math.log(expected + 1e-6), rel=1e-9)


def test_tone_stands_in_its_bin():
    """A cosine on bin 20 (1250 Hz) has N / 2 * 0.54 there, N / 4 * 0.46 beside it, and nothing two bins away."""
    wav = torch.cos(2 * math.pi * 1250 / 16000 * torch.arange(SEGMENT, dtype=torch.float64))
    spectrum = spectrogram_segments(wav, scale="magnitude")[0, 5]
    assert spectrum[18:23].tolist() == pytest.approx([0, 64 * 0.46, 128 * 0.54, 64 * 0.46, 0], abs=1e-9)
    hann = spectrogram_segments(wav, scale="magnitude", window="hann")[0, 5]
    assert hann[18:23].tolist() == pytest.approx([0, 32, 64, 32, 0], abs=1e-9)


def test_equals_scipy():
    from scipy.signal import stft

    wav = noise(SEGMENT, torch.float64)
    _, _, expected = stft(wav.numpy(), window="hamming", nperseg=256, noverlap=128, boundary=None, padded=False)
    hamming_sum = 0.54 * 256  # scipy divides by it
    found = spectrogram_segments(wav, scale="magnitude")[0]
    assert found.numpy() == pytest.approx(np.abs(expected.T) * hamming_sum, rel=1e-9)


@pytest.mark.parametrize(
    ("window", "hop", "n_fft", "n_frames", "n_bins"),
    [(400, 160, 400, 25, 201), (400, 160, 512, 25, 257), (400, 128, 512, 31, 257), (256, 128, 256, 32, 129)],
)
def test_shape_of_each_framing(window, hop, n_fft, n_frames, n_bins):
    """The last row alone gives the paper's 32 x 129."""
    found = spectrogram_segments(
        noise(SEGMENT), window_samples=window, hop_samples=hop, n_fft=n_fft, n_bins=n_fft // 2 + 1
    )
    assert found.shape == (1, n_frames, n_bins)


@pytest.mark.parametrize(
    ("n_samples", "n_segments"),
    [(1, 1), (255, 1), (2119, 1), (SEGMENT, 1), (SEGMENT + 2119, 1), (SEGMENT + 2120, 2), (2 * SEGMENT, 2),
     (2 * SEGMENT + 2119, 2), (2 * SEGMENT + 2120, 3), (16_000, 4)],
)  # fmt: skip
def test_last_segment_is_kept_if_half_full(n_samples, n_segments):
    assert len(spectrogram_segments(noise(n_samples))) == n_segments


def test_tail_rule_and_overlap_by_arguments():
    wav = noise(2 * SEGMENT)
    assert len(spectrogram_segments(wav[:-1], min_fill=1.0)) == 1
    assert len(spectrogram_segments(wav[: SEGMENT + 1], min_fill=0.0)) == 2
    assert len(spectrogram_segments(wav[:SEGMENT], min_fill=0.0)) == 1  # never a segment without a sample
    halves = spectrogram_segments(wav, segment_hop_samples=SEGMENT // 2, min_fill=1.0)
    assert torch.equal(halves[[0, 2]], spectrogram_segments(wav))
    assert torch.equal(halves[1:2], spectrogram_segments(wav[SEGMENT // 2 :][:SEGMENT]))


def test_short_utterances_are_filled_with_silence():
    """Frames beyond the last sample are log(1e-6), all others as of the same samples in a longer segment."""
    wav = noise(SEGMENT)
    short = spectrogram_segments(wav[:1024])
    assert torch.equal(short[0, :7], spectrogram_segments(wav)[0, :7])  # 6 * 128 + 256 = 1024
    assert short[0, 8:].unique().tolist() == pytest.approx([math.log(1e-6)])
    louder = spectrogram_segments(wav[:1024], floor=1.0)
    assert torch.equal(louder[0, 8:], torch.zeros(24, 129))


def test_a_segment_depends_on_its_own_samples_alone():
    """To the bit, so that it does not matter in which company it was computed."""
    wav = noise(50 * SEGMENT)
    together = spectrogram_segments(wav)
    alone = torch.cat([spectrogram_segments(part) for part in wav.split(SEGMENT)])
    assert together.dtype == torch.float32 and torch.equal(together, alone)
    assert torch.equal(together, spectrogram_segments(wav))


def test_digital_silence_is_finite():
    assert spectrogram_segments(torch.zeros(SEGMENT)).isfinite().all()


@pytest.mark.parametrize("wav", [torch.zeros(0), torch.zeros(1, 500)])
def test_other_than_one_channel_is_refused(wav):
    with pytest.raises(ValueError, match=r"expected samples \(T,\) with T >= 1, got"):
        spectrogram_segments(wav)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"window_samples": 400}, "window_samples: 400 is not in 1 to 256"),
        ({"n_bins": 257}, "n_bins: 257 is not in 1 to 129, the range of n_fft 256"),
        ({"window": "square"}, "window 'square'"),
        ({"scale": "db"}, "scale 'db'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, text):
    with pytest.raises(ConfigError, match=text):
        spectrogram_segments(noise(SEGMENT), **settings)
