"""The mini corpora: what the synthesizer says is what it was told, and releases look like releases."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from ser import types
from ser.bin import make_mini_corpora
from ser.corpora import synthetic, voice
from ser.corpora.synthetic import CORPORA, Conditions, Prompt
from ser.corpora.voice import synthesize
from ser.errors import ConfigError, DataError
from ser.files import read_json

RATE_HZ = voice.SYNTHESIS_RATE_HZ
QUIET = Conditions(noise_floor_dbfs=-90.0)


def say(emotion: str, speaker: int, text_id: str = "t", gender: str = "m") -> Prompt:
    return Prompt("x.wav", str(speaker), gender, emotion, text_id)


def measure_f0_hz(samples: np.ndarray) -> float:
    """Median over the louder frames of the first autocorrelation peak between 70 and 500 Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 640)[::160]
    frames = frames[np.square(frames).mean(1) > np.square(samples).mean()]
    spectrum = np.abs(np.fft.rfft(frames - frames.mean(1, keepdims=True), 2048)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :320] / (640 - np.arange(320))  # unbiased
    lags = slice(RATE_HZ // 500, RATE_HZ // 70)
    peaks = [first_peak(c[lags]) for c in correlation]
    return float(np.median(RATE_HZ / (lags.start + np.array(peaks))))


def first_peak(correlation: np.ndarray) -> int:
    inner = correlation[1:-1]
    is_peak = (inner > correlation[:-2]) & (inner > correlation[2:]) & (inner > 0.85 * correlation.max())
    return 1 + int(np.argmax(is_peak)) if is_peak.any() else int(np.argmax(correlation))


def band_levels_db(samples: np.ndarray, edges_hz: np.ndarray) -> np.ndarray:
    power = np.abs(np.fft.rfft(samples)) ** 2 / len(samples)
    bins = np.searchsorted(np.fft.rfftfreq(len(samples), 1 / RATE_HZ), edges_hz)
    return 10 * np.log10(np.add.reduceat(power, bins)[:-1])


@pytest.mark.parametrize("gender", ["m", "f"])
@pytest.mark.parametrize("emotion", ["neutral", "angry", "happy", "sad"])
def test_f0_is_that_of_speaker_and_emotion(emotion, gender):
    for speaker in range(3):
        prompt = say(emotion, speaker, gender=gender)
        drawn, delivery, _ = voice.draw("c", prompt, 0)
        expected_hz = drawn.f0_hz * 2 ** (delivery.pitch_semitones / 12)
        tolerance = 2 ** ((1 + 0.7 * delivery.range_semitones) / 12) - 1  # a median over five syllables
        assert measure_f0_hz(synthesize("c", prompt, QUIET)) == pytest.approx(expected_hz, rel=tolerance)


def test_f0_is_measured_exactly_on_a_level_tone():
    pulses = voice.glottal_flow_derivative(np.full(RATE_HZ, 125.0))
    assert measure_f0_hz(pulses) == pytest.approx(125.0, rel=0.005)
    assert np.sqrt(np.mean(pulses**2)) == pytest.approx(1.0)


def test_anger_is_louder_faster_and_brighter_than_sadness():
    edges_hz = np.array([100.0, 1000.0, 5000.0])

    def mean_of(emotion):
        takes = [synthesize("c", say(emotion, speaker), QUIET) for speaker in range(12)]
        low_db, high_db = np.mean([band_levels_db(x, edges_hz) for x in takes], axis=0)
        level_db = np.mean([10 * np.log10(np.mean(x**2)) for x in takes])
        return level_db, np.mean([len(x) for x in takes]) / RATE_HZ, high_db - low_db

    (loud_db, fast_s, bright_db), (soft_db, slow_s, dull_db) = mean_of("angry"), mean_of("sad")
    assert loud_db - soft_db == pytest.approx(8.5, abs=2)  # the table's 4.5 and -4 dB
    assert slow_s > 1.2 * fast_s
    assert bright_db > dull_db + 2  # although sadness has more breath noise up there


def test_emotions_overlap():
    angry, happy = (
        [voice.draw("c", say(emotion, speaker), 0)[1].level_db for speaker in range(40)]
        for emotion in ("angry", "happy")
    )
    assert np.mean(angry) > np.mean(happy)
    assert min(angry) < max(happy)


def test_resonator_has_its_formant_and_unit_gain_at_zero():
    formants_hz = np.array([500.0, 1500.0, 2500.0, 3300.0, 3750.0])
    sections = voice.resonators(formants_hz)
    for (a, _, _, _, minus_b, minus_c), formant_hz, bandwidth_hz in zip(
        sections, formants_hz, voice.BANDWIDTHS_HZ, strict=True
    ):
        pole = np.roots([1, minus_b, minus_c])[0]
        assert abs(np.angle(pole)) * RATE_HZ / (2 * np.pi) == pytest.approx(formant_hz)
        assert -np.log(abs(pole)) * RATE_HZ / np.pi == pytest.approx(bandwidth_hz)
        assert a / (1 + minus_b + minus_c) == pytest.approx(1)


def test_an_utterance_depends_on_names_and_seed_alone():
    prompt = say("sad", 1)
    first = synthesize("c", prompt, QUIET)
    synthesize("c", say("angry", 2), QUIET)
    np.testing.assert_array_equal(first, synthesize("c", prompt, QUIET))
    for other in [("d", prompt, 0), ("c", say("sad", 2), 0), ("c", say("sad", 1, "u"), 0), ("c", prompt, 1)]:
        again = synthesize(*other[:2], QUIET, seed=other[2])
        assert len(again) != len(first) or not np.array_equal(again, first)


def test_shift_sets_the_corpora_apart_and_0_brings_them_together():
    edges_hz = np.geomspace(100, 6000, 9)  # two thirds of an octave

    def spectrum_db(name, shift):
        conditions = CORPORA[name].conditions.at(shift)
        prompts = [p for p in CORPORA[name].prompts() if p.emotion == "neutral"]
        return np.mean([band_levels_db(synthesize(name, p, conditions), edges_hz) for p in prompts], axis=0)

    def distance_db(shift):
        return np.sqrt(np.mean((spectrum_db("ravdess", shift) - spectrum_db("emodb", shift)) ** 2))

    assert CORPORA["ravdess"].conditions.at(0) == CORPORA["emodb"].conditions.at(0) == Conditions()
    assert CORPORA["emodb"].conditions.at(1) == CORPORA["emodb"].conditions
    assert distance_db(0) < 1
    assert distance_db(1) > 2


def test_ravdess_has_the_layout_of_the_release():
    prompts = list(CORPORA["ravdess"].prompts())
    pattern = re.compile(r"Actor_(\d\d)/03-01-(0[1-8])-01-(0[12])-(0[12])-(\d\d)\.wav")
    for prompt in prompts:
        folder, code, _, _, actor = pattern.fullmatch(prompt.path).groups()
        assert folder == actor == prompt.speaker
        assert prompt.gender == "fm"[int(actor) % 2]
        assert prompt.emotion == synthetic.RAVDESS_EMOTIONS[int(code) - 1]
    assert len({p.path for p in prompts}) == len(prompts) == 24 * 16 + 1
    assert {p.speaker for p in prompts} == {f"{actor:02}" for actor in range(1, 25)}
    assert [p.n_channels for p in prompts].count(2) == 1
    sounds = Counter(replace(p, path="") for p in prompts)
    assert sorted(sounds.values())[-2:] == [1, 2]  # one pair of identical files


def test_emodb_has_the_layout_of_the_release():
    prompts = list(CORPORA["emodb"].prompts())
    pattern = re.compile(r"wav/(\d\d)([ab]\d\d)([WLEAFTN])([a-z])\.wav")
    letters = dict(W="angry", L="bored", E="disgusted", A="fearful", F="happy", T="sad", N="neutral")
    for prompt in prompts:
        speaker, sentence, letter, _ = pattern.fullmatch(prompt.path).groups()
        assert (speaker, sentence, letters[letter]) == (prompt.speaker, prompt.text_id, prompt.emotion)
    assert {p.speaker for p in prompts if p.gender == "m"} == {"03", "10", "11", "12", "15"}
    assert {p.speaker for p in prompts if p.gender == "f"} == {"08", "09", "13", "14", "16"}
    assert len({p.text_id for p in prompts}) == 10
    assert len({p.path for p in prompts}) == len({replace(p, path="") for p in prompts}) == len(prompts)
    per_speaker = Counter((p.speaker, p.emotion) for p in prompts)
    assert all(per_speaker[s, e] == 4 for s, _ in per_speaker for e in ("angry", "happy", "neutral", "sad"))


def test_emotions_are_canonical_words():
    assert set(voice.EMOTIONS) <= set(types.EMOTIONS)


@pytest.fixture
def few(monkeypatch):
    """Both corpora with few files each: RAVDESS's stereo file and pair, EMO-DB's first three."""
    ravdess = [p for p in CORPORA["ravdess"].prompts() if p.n_channels == 2 or "-03-01-02-" in p.path]
    ravdess = [p for p in ravdess if p.speaker in ("01", "07")]
    emodb = list(CORPORA["emodb"].prompts())[:3]
    monkeypatch.setitem(CORPORA, "ravdess", replace(CORPORA["ravdess"], prompts=lambda: iter(ravdess)))
    monkeypatch.setitem(CORPORA, "emodb", replace(CORPORA["emodb"], prompts=lambda: iter(emodb)))


def content(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def inodes(root):
    return {p: p.stat().st_ino for p in root.rglob("*")}


def test_releases_are_the_same_bytes_every_time(few, tmp_path):
    both = synthetic.make(tmp_path / "a")
    alone = synthetic.make(tmp_path / "b", ["emodb"])
    assert both == {"ravdess": tmp_path / "a/RAVDESS", "emodb": tmp_path / "a/EMO-DB"}
    assert content(both["emodb"]) == content(alone["emodb"])


def test_files_have_the_native_format_and_the_true_quirks(few, tmp_path):
    roots = synthetic.make(tmp_path)
    ravdess = {p.name: soundfile.info(p) for p in roots["ravdess"].rglob("*.wav")}
    assert {(i.samplerate, i.subtype) for i in ravdess.values()} == {(48000, "PCM_16")}
    assert [name for name, info in ravdess.items() if info.channels == 2] == ["03-01-02-01-01-01-01.wav"]
    assert all(0.6 < info.duration < 1.7 for info in ravdess.values())
    assert {soundfile.info(p).samplerate for p in roots["emodb"].rglob("*.wav")} == {16000}
    first, second = (
        (roots["ravdess"] / f"Actor_07/03-01-03-01-02-{take}-07.wav").read_bytes() for take in ("01", "02")
    )
    assert first == second


def test_mini_json_counts_the_files(few, tmp_path):
    root = synthetic.make(tmp_path, ["ravdess"], seed=3, shift=0.5)["ravdess"]
    summary = read_json(root / "mini.json")
    assert summary == {
        "corpus": "ravdess", "release": "mini", "maker": synthetic.MAKER_VERSION, "seed": 3, "shift": 0.5,
        "counts": {"calm": 1, "happy": 3}, "total": 4,
    }  # fmt: skip
    assert summary["total"] == sum(summary["counts"].values()) == len(list(root.rglob("*.wav")))


def test_a_release_is_made_once_and_again_when_asked_for_another(few, tmp_path):
    root = synthetic.make(tmp_path, ["emodb"])["emodb"]
    before, made = inodes(root), content(root)
    (root / "notes.txt").write_text("a user's own")
    synthetic.make(tmp_path, ["emodb"])
    assert before.items() <= inodes(root).items()
    (root / "notes.txt").unlink()
    synthetic.make(tmp_path, ["emodb"], seed=1)
    assert content(root).keys() == made.keys() and content(root) != made
    synthetic.make(tmp_path, ["emodb"])
    assert content(root) == made


def test_a_missing_file_is_made_again(few, tmp_path):
    root = synthetic.make(tmp_path, ["emodb"])["emodb"]
    made = content(root)
    next(root.rglob("*.wav")).unlink()
    synthetic.make(tmp_path, ["emodb"])
    assert content(root) == made


def test_an_interrupted_run_leaves_no_release_and_is_redone(few, tmp_path, monkeypatch):
    whole = content(synthetic.make(tmp_path / "whole", ["emodb"])["emodb"])
    write = soundfile.write
    left = iter([write])

    def die_on_the_second(*args, **kwargs):
        next(left, lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))(*args, **kwargs)

    monkeypatch.setattr(soundfile, "write", die_on_the_second)
    with pytest.raises(KeyboardInterrupt):
        synthetic.make(tmp_path, ["emodb"])
    assert not (tmp_path / "EMO-DB").exists()
    monkeypatch.setattr(soundfile, "write", write)
    assert content(synthetic.make(tmp_path, ["emodb"])["emodb"]) == whole
    assert {p.name for p in tmp_path.iterdir()} == {"whole", "EMO-DB"}


def test_files_of_others_are_never_overwritten(few, tmp_path):
    real = tmp_path / "EMO-DB/wav/03a01Fa.wav"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"a real recording")
    for mini_json in (None, "{", "[1]", '{"corpus": "ravdess"}'):
        if mini_json:
            (tmp_path / "EMO-DB/mini.json").write_text(mini_json)
        with pytest.raises(DataError, match=r"EMO-DB: holds \d files that are not of a mini corpus"):
            synthetic.make(tmp_path, ["emodb"])
    assert real.read_bytes() == b"a real recording"


def test_a_users_file_in_a_mini_release_is_not_swept_away(few, tmp_path):
    root = synthetic.make(tmp_path, ["emodb"])["emodb"]
    (root / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"first: notes.txt"):
        synthetic.make(tmp_path, ["emodb"], seed=1)
    assert (root / "notes.txt").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(few, tmp_path):
    (tmp_path / "EMO-DB").write_text("mine")
    with pytest.raises(DataError, match=r"first: EMO-DB"):
        synthetic.make(tmp_path, ["emodb"])


def test_an_empty_folder_is_filled(few, tmp_path):
    (tmp_path / "EMO-DB").mkdir()
    assert (synthetic.make(tmp_path, ["emodb"])["emodb"] / "mini.json").is_file()


def test_unknown_corpus_and_bad_shift_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown 'emobd'; did you mean 'emodb'\? known: emodb, ravdess"):
        synthetic.make(tmp_path, ["ravdess", "emobd"])
    for shift in (-0.1, 3.5, float("nan")):
        with pytest.raises(ConfigError, match=rf"shift is {shift}; give a number from 0 to 3"):
            synthetic.make(tmp_path, shift=shift)
    assert not any(tmp_path.iterdir())


def test_command_line(few, tmp_path, capsys):
    make_mini_corpora.main([str(tmp_path), "emodb", "--seed", "2", "--shift", "0"])
    summary = read_json(tmp_path / "EMO-DB/mini.json")
    assert (summary["seed"], summary["shift"]) == (2, 0.0)
    assert capsys.readouterr().out == f"emodb: {tmp_path / 'EMO-DB'}\n"
    assert not (tmp_path / "RAVDESS").exists()
