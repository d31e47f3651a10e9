"""A small source-filter synthesizer: glottal pulses and breath noise through formant resonators, in numpy.

It speaks short texts whose delivery depends on the emotion, the speaker and the corpus (`Conditions`). Random
draws come from generators keyed by names: an utterance is the same, whichever others are made. Not here: which
files a miniature corpus holds (`ser.corpora.mini.maker`), and any claim to natural speech.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from scipy import fft, signal

from ser.corpora.miniature import Conditions, Prompt, Ratings
from ser.system.files import fingerprint, naming

SYNTHESIS_RATE_HZ = 16_000  # one for all corpora, so that a native rate alone is no shift
SPEECH_LEVEL_DBFS = -26.0  # RMS of a neutral utterance over its syllables


class Delivery(NamedTuple):
    """How an utterance is spoken, relative to the speaker's neutral voice."""

    pitch_semitones: float  # F0 level
    range_semitones: float  # standard deviation of the F0 contour
    rate_ratio: float  # syllables per second
    level_db: float
    tilt_db_per_octave: float  # on the glottal spectrum: positive is brighter, tenser
    breath_db: float  # aspiration noise over the glottal pulses


# Signs and order follow Scherer 2003 ("Vocal communication of emotion") and Juslin & Laukka 2003: anger
# is loud, bright, fast and high, joy high and wide, sadness quiet, dull, slow, low, narrow, fear high, fast;
# disgust and boredom after Banse & Scherer 1996. The sizes are ours, small enough that neighbors overlap.
EMOTIONS = {
    #                  pitch range  rate level  tilt breath
    "angry": Delivery(3.5, 3.2, 1.14, 4.5, 1.6, -30),
    "happy": Delivery(5.0, 4.2, 1.10, 2.2, 0.4, -26),
    "sad": Delivery(-1.0, 1.2, 0.84, -4.0, -1.6, -17),
    "neutral": Delivery(0.0, 2.0, 1.00, 0.0, 0.0, -25),
    "calm": Delivery(-0.5, 1.6, 0.94, -1.0, -0.5, -23),
    "fearful": Delivery(5.5, 2.2, 1.18, 0.5, 0.2, -18),
    "disgusted": Delivery(-0.8, 2.4, 0.86, -0.5, 0.6, -24),
    "surprised": Delivery(6.0, 5.0, 1.04, 1.5, 0.4, -25),
    "bored": Delivery(-1.5, 0.9, 0.86, -2.0, -0.8, -22),
    "excited": Delivery(6.0, 4.6, 1.16, 3.2, 0.8, -27),
    "frustrated": Delivery(1.5, 2.6, 1.02, 1.8, 0.9, -26),
    "other": Delivery(1.5, 2.6, 1.00, 0.5, 0.2, -24),
    "unknown": Delivery(1.0, 2.4, 1.00, 0.3, 0.1, -24),
}
HABIT_SD = Delivery(0.0, 0.3, 0.04, 0.6, 0.3, 2.0)  # a speaker's, the same in all her utterances
CHANCE_SD = Delivery(0.9, 0.5, 0.06, 1.0, 0.4, 2.5)  # drawn anew for every utterance
STRENGTH_SD = 0.25  # how far an utterance goes from neutral (0) to its emotion (1)

# Listeners hear what is louder, higher, faster and brighter than its class as more active, and half as much as
# more dominant; the sizes are ours.
AROUSAL_PER = Delivery(0.15, 0.0, 2.0, 0.15, 0.15, 0.0)
FOLLOWS_AROUSAL = Ratings(arousal=1.0, valence=0.0, dominance=0.5)
RATING_SD = Ratings(arousal=0.15, valence=0.3, dominance=0.3)
NEUTRAL_RATINGS = Ratings(2.8, 3.0, 2.9)  # where a corpus has no neutral utterances


class Voice(NamedTuple):
    """A speaker."""

    f0_hz: float
    formant_ratio: float  # 1: the average man's vocal tract; larger: a shorter one
    habit: Delivery  # differences, added to every delivery


def _rng(*names: str | int) -> np.random.Generator:
    return np.random.default_rng(int(fingerprint(names), 16))


def _scatter(mean: Sequence[float], sd: Delivery, rng: np.random.Generator) -> Delivery:
    return Delivery(*(np.asarray(mean) + np.asarray(sd) * rng.standard_normal(len(sd))).tolist())


class Performance(NamedTuple):
    """Who speaks and how; the generator goes on with what is left to chance."""

    voice: Voice
    strength: float
    delivery: Delivery
    rng: np.random.Generator


def draw(corpus: str, prompt: Prompt, seed: int) -> Performance:
    """Draw a performance; a rating is of the same one as the sound."""
    who = (seed, corpus, prompt.speaker)
    voice = draw_voice(prompt.gender, _rng("voice", *who))
    take = (prompt.take,) if prompt.take else ()
    rng = _rng("utterance", *who, prompt.emotion, prompt.text_id, *take)
    strength = max(0.0, rng.normal(prompt.strength, STRENGTH_SD))
    return Performance(voice, strength, draw_delivery(prompt.emotion, strength, voice.habit, rng), rng)


def draw_voice(gender: str, rng: np.random.Generator) -> Voice:
    """Draw a speaker around the averages of men and women (Peterson & Barney 1952, Table II)."""
    f0_hz, formant_ratio = {"m": (130.0, 1.0), "f": (220.0, 1.16)}[gender]
    octaves, log_ratio = rng.normal(0, [0.12, 0.03])
    habit = _scatter([0.0] * len(HABIT_SD), HABIT_SD, rng)
    return Voice(f0_hz * 2**octaves, formant_ratio * math.exp(log_ratio), habit)


def _between(neutral: Sequence[float], emotional: Sequence[float], strength: float) -> np.ndarray:
    return np.array(neutral) + strength * (np.array(emotional) - np.array(neutral))


def draw_delivery(emotion: str, strength: float, habit: Delivery, rng: np.random.Generator) -> Delivery:
    """Draw one utterance's delivery: its emotion at a strength, the habit, and chance."""
    mean = _between(EMOTIONS["neutral"], EMOTIONS[emotion], strength) + np.array(habit)
    drawn = _scatter(mean, CHANCE_SD, rng)
    return drawn._replace(range_semitones=max(0.3, drawn.range_semitones), rate_ratio=max(0.6, drawn.rate_ratio))


def rate(corpus: str, prompt: Prompt, means: Mapping[str, Ratings], *, seed: int = 0) -> Ratings:
    """Rate a prompt as listeners would, on scales of 1 to 5 in half steps.

    The ratings lie between neutral and the corpus' class means, at the performance's strength, and follow
    what in its delivery differs from the class.
    """
    _, strength, delivery, rng = draw(corpus, prompt, seed)
    expected = _between(means.get("neutral", NEUTRAL_RATINGS), means[prompt.emotion], strength)
    surplus = np.array(delivery) - _between(EMOTIONS["neutral"], EMOTIONS[prompt.emotion], strength)
    heard = expected + np.dot(AROUSAL_PER, surplus) * np.array(FOLLOWS_AROUSAL)
    rated = heard + np.array(RATING_SD) * rng.standard_normal(len(RATING_SD))
    return Ratings(*(np.round(2 * np.clip(rated, 1, 5)) / 2).tolist())


# F1 to F3 of men's i, eh, ah, aw, u: Peterson & Barney 1952, Table II.
VOWELS_HZ = np.array([[270, 2290, 3010], [530, 1840, 2480], [730, 1090, 2440], [570, 840, 2410], [300, 870, 2240]])
UPPER_FORMANTS_HZ = (3300.0, 3750.0)  # F4 and F5, the same in all vowels
BANDWIDTHS_HZ = np.array([60.0, 90.0, 130.0, 200.0, 250.0])
GLIDE_S = 0.03  # neighboring vowels cross-fade over this time
NOISE_FLOOR_SD_DB = 2.0  # from file to file


class Score(NamedTuple):
    """When and on which tone the syllables of an utterance are spoken; arrays are (n_syllables,)."""

    vowels: np.ndarray  # rows of VOWELS_HZ
    onsets_s: np.ndarray
    ends_s: np.ndarray
    semitones: np.ndarray  # over the speaker's F0
    n_samples: int  # of the whole utterance, at SYNTHESIS_RATE_HZ


def write_score(text_id: str, delivery: Delivery, conditions: Conditions, rng: np.random.Generator) -> Score:
    """Lay out the syllables of a text, which fixes vowels, accents and the place of the pause.

    Every text holds every vowel once, so that other texts alone make no other long-term spectrum.
    """
    text = _rng("text", text_id)
    n = len(VOWELS_HZ)
    vowels = text.permutation(n)
    accents = text.permutation([-1.3, -0.7, 0.0, 0.7, 1.3])  # mean 0, standard deviation 0.9
    pauses = np.zeros(n)  # before each syllable, in syllables
    pauses[text.integers(1, n - 1)] = 0.6 / delivery.rate_ratio
    syllable_s = 1 / (conditions.syllables_per_s * delivery.rate_ratio)
    durations_s = syllable_s * np.exp(rng.normal(0, conditions.rhythm_sd, n))
    ends_s = conditions.edge_silence_s + np.cumsum(durations_s + pauses * syllable_s)
    tones = delivery.range_semitones * (accents + rng.normal(0, 0.4, n)) + np.linspace(1, -1, n)  # declining
    semitones = conditions.pitch_semitones + delivery.pitch_semitones + tones
    total_s = ends_s[-1] + GLIDE_S + conditions.edge_silence_s
    return Score(vowels, ends_s - durations_s, ends_s, semitones, round(total_s * SYNTHESIS_RATE_HZ))


def glottal_flow_derivative(f0_hz: np.ndarray) -> np.ndarray:
    """Pulse along an F0 contour: Rosenberg 1971, trigonometric pulse, differenced as the lips do.

    g(p) = (1 - cos(pi p / 0.4)) / 2 while opening (p < 0.4), cos(pi (p - 0.4) / 0.32) while closing
    (p < 0.56), else 0; p in [0, 1) is the phase within a period.

    Args:
        f0_hz: one value per sample at `SYNTHESIS_RATE_HZ`, (n,).

    Returns:
        Pulses of unit RMS, (n,).
    """
    phase = np.cumsum(f0_hz / SYNTHESIS_RATE_HZ) % 1.0
    opening = 0.5 * (1 - np.cos(np.pi * phase / 0.4))
    closing = np.cos(np.pi * (phase - 0.4) / 0.32)
    flow = np.where(phase < 0.4, opening, np.where(phase < 0.56, closing, 0.0))
    return _unit_rms(np.diff(flow, prepend=flow[0]))


def resonators(formants_hz: np.ndarray) -> np.ndarray:
    """Cascade second-order resonators: y_t = A x_t + B y_{t-1} + C y_{t-2} (Klatt 1980, Eqs. 1-2).

    Args:
        formants_hz: center frequencies, (n_formants,), with the bandwidths `BANDWIDTHS_HZ`.

    Returns:
        Sections for `scipy.signal.sosfilt`, (n_formants, 6); unit gain at 0 Hz.
    """
    c = -np.exp(-2 * np.pi * BANDWIDTHS_HZ / SYNTHESIS_RATE_HZ)
    b = 2 * np.sqrt(-c) * np.cos(2 * np.pi * formants_hz / SYNTHESIS_RATE_HZ)
    zero, one = np.zeros_like(b), np.ones_like(b)
    return np.stack([1 - b - c, zero, zero, one, -b, -c], axis=1)


def vowel_formants(vowel: int, voice: Voice, conditions: Conditions) -> np.ndarray:
    """Place a vowel in a language's vowel space and a speaker's vocal tract: five formants in Hz."""
    center_hz = np.exp(np.log(VOWELS_HZ).mean(axis=0))
    lower_hz = center_hz * (VOWELS_HZ[vowel] / center_hz) ** conditions.vowel_space_ratio
    lower_hz = lower_hz * [1.0, conditions.fronting_ratio, 1.0]
    formants_hz = np.concatenate([lower_hz, UPPER_FORMANTS_HZ])
    return formants_hz * voice.formant_ratio * conditions.formant_ratio


def _unit_rms(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.mean(x**2))


def _gain(db: float) -> float:
    return 10 ** (db / 20)


def _equalize(x: np.ndarray, gain_db: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply a gain that depends on the frequency in Hz; no delay."""
    n = fft.next_fast_len(len(x), real=True)
    frequencies_hz = np.maximum(fft.rfftfreq(n, 1 / SYNTHESIS_RATE_HZ), 20.0)  # a tilt has no 0 Hz
    return fft.irfft(fft.rfft(x, n) * 10 ** (gain_db(frequencies_hz) / 20), n)[: len(x)]


def _excite(score: Score, voice: Voice, delivery: Delivery, rng: np.random.Generator) -> np.ndarray:
    """Make pulses on the score's tones, with the delivery's tilt and breath, (n_samples,)."""
    time_s = np.arange(score.n_samples) / SYNTHESIS_RATE_HZ
    middles_s = (score.onsets_s + score.ends_s) / 2
    f0_hz = voice.f0_hz * 2 ** (np.interp(time_s, middles_s, score.semitones) / 12)
    pulses = glottal_flow_derivative(f0_hz)
    tilted = _equalize(pulses, lambda hz: delivery.tilt_db_per_octave * np.log2(hz / 500))
    return _unit_rms(tilted) + _gain(delivery.breath_db) * rng.standard_normal(len(pulses))


def _articulate(
    score: Score, source: np.ndarray, voice: Voice, conditions: Conditions, rng: np.random.Generator
) -> np.ndarray:
    """Filter the source by one vowel after the other, each with frication at its onset."""
    speech = np.zeros(score.n_samples)
    n_glide = round(GLIDE_S * SYNTHESIS_RATE_HZ)
    rise = np.linspace(0, 1, n_glide)
    for vowel, onset_s, end_s in zip(score.vowels, score.onsets_s, score.ends_s, strict=True):
        span = slice(round(onset_s * SYNTHESIS_RATE_HZ), round(end_s * SYNTHESIS_RATE_HZ) + n_glide)
        excitation = source[span].copy()
        excitation[:n_glide] *= rise
        excitation[-n_glide:] *= rise[::-1]
        sections = resonators(vowel_formants(vowel, voice, conditions))
        sound = _unit_rms(signal.sosfilt(sections, excitation))
        hiss = np.hanning(n_glide) * np.diff(rng.standard_normal(n_glide), prepend=0)
        sound[:n_glide] += _gain(conditions.frication_db) * hiss
        speech[span] += sound
    return speech


def _channel_db(hz: np.ndarray, conditions: Conditions) -> np.ndarray:
    """Give a corpus's recording channel as a gain per frequency."""
    return (
        conditions.channel_tilt_db_per_octave * np.log2(hz / 1000)
        + conditions.presence_db * np.exp(-0.5 * (np.log2(hz / 3000) / 0.6) ** 2)
        - 10 * np.log10(1 + (conditions.low_cut_hz / hz) ** 4)  # Butterworth, order 2
        - 10 * np.log10(1 + (hz / conditions.high_cut_hz) ** 16)  # Butterworth, order 8
    )


def _record(speech: np.ndarray, conditions: Conditions, rate_hz: int, rng: np.random.Generator) -> np.ndarray:
    """Send speech through the channel to a recorder at `rate_hz`, which has a noise floor.

    The noise is white up to the recorder's own limit: were a 48 kHz file empty above 8 kHz, the edge of the
    reader's resampler would tell it from a 16 kHz one even at shift 0.
    """
    heard = _equalize(speech, lambda hz: _channel_db(hz, conditions))
    divisor = math.gcd(rate_hz, SYNTHESIS_RATE_HZ)
    heard = signal.resample_poly(heard, rate_hz // divisor, SYNTHESIS_RATE_HZ // divisor)
    floor_db = conditions.noise_floor_dbfs + 10 * np.log10(rate_hz / SYNTHESIS_RATE_HZ)
    floor_db += rng.normal(0, NOISE_FLOOR_SD_DB)
    return heard + _gain(floor_db) * rng.standard_normal(len(heard))


def synthesize(
    corpus: str, prompt: Prompt, conditions: Conditions, *, rate_hz: int = SYNTHESIS_RATE_HZ, seed: int = 0
) -> np.ndarray:
    """Speak one prompt.

    Args:
        corpus: keeps the speakers of different corpora apart.
        prompt: who says what in which emotion.
        conditions: of the corpus, after its shift.
        rate_hz: of the recording.
        seed: another seed draws other speakers and utterances.

    Returns:
        Samples in [-1, 1] at `rate_hz`, (n,) float64.
    """
    voice, _, delivery, rng = draw(corpus, prompt, seed)
    score = write_score(prompt.text_id, delivery, conditions, rng)
    source = _excite(score, voice, delivery, rng)
    level = _gain(SPEECH_LEVEL_DBFS + conditions.level_db + delivery.level_db)
    speech = level * _articulate(score, source, voice, conditions, rng)
    return np.clip(_record(speech, conditions, rate_hz, rng), -1, 1)


def write_wav(path: Path, samples: np.ndarray, rate_hz: int, n_channels: int) -> None:
    """Write 16-bit PCM; a second channel is the first at half its level."""
    channels = samples[:, None] * 0.5 ** np.arange(n_channels)  # (n, n_channels)
    written = io.BytesIO()
    soundfile.write(written, channels, rate_hz, subtype="PCM_16", format="WAV")
    with naming(path):  # libsndfile does not say that the disk is full
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written.getvalue())
