"""The mini corpora: what the synthesizer says is what it was told, and releases look like releases."""

from __future__ import annotations

import errno
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser import types
from ser.bin import make_mini_corpora
from ser.corpora import CORPORA as PARSERS
from ser.corpora import das_ratings, ravdess
from ser.corpora.base import prepare
from ser.corpora.mini import maker as synthetic
from ser.corpora.mini import voice
from ser.corpora.mini.voice import synthesize
from ser.corpora.miniature import Conditions, Prompt
from ser.data.audio import probe
from ser.errors import ConfigError, DataError
from ser.system.files import alone, read_json
from tests.fakes.miniatures import NINE, with_prompts

ALL = synthetic.miniatures()
MINIATURES = {name: ALL[name] for name in NINE}

RATED = ("iemocap", "msp_improv", "emodb", "cafe", "urdu", "aesdd")
FOUR = ("angry", "happy", "neutral", "sad")

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
        drawn, _, delivery, _ = voice.draw("c", prompt, 0)
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
        [voice.draw("c", say(emotion, speaker), 0).delivery.level_db for speaker in range(40)]
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
        conditions = MINIATURES[name].conditions.at(shift)
        prompts = [p for p in MINIATURES[name].prompts() if p.emotion == "neutral"]
        return np.mean([band_levels_db(synthesize(name, p, conditions), edges_hz) for p in prompts], axis=0)

    def distance_db(shift):
        return np.sqrt(np.mean((spectrum_db("ravdess", shift) - spectrum_db("emodb", shift)) ** 2))

    assert all(release.conditions.at(0) == Conditions() for release in ALL.values())
    assert MINIATURES["emodb"].conditions.at(1) == MINIATURES["emodb"].conditions
    assert distance_db(0) < 1
    assert distance_db(1) > 2


def test_ravdess_has_the_layout_of_the_release():
    prompts = list(MINIATURES["ravdess"].prompts())
    pattern = re.compile(r"Actor_(\d\d)/03-01-(0[1-8])-01-(0[12])-(0[12])-(\d\d)\.wav")
    for prompt in prompts:
        folder, code, _, _, actor = pattern.fullmatch(prompt.path).groups()
        assert folder == actor == prompt.speaker
        assert prompt.gender == "fm"[int(actor) % 2]
        assert prompt.emotion == ravdess.RAVDESS_EMOTIONS[int(code) - 1]
    assert len({p.path for p in prompts}) == len(prompts) == 24 * 16 + 1
    assert {p.speaker for p in prompts} == {f"{actor:02}" for actor in range(1, 25)}
    assert [p.n_channels for p in prompts].count(2) == 1
    sounds = Counter(replace(p, path="") for p in prompts)
    assert sorted(sounds.values())[-2:] == [1, 2]  # one pair of identical files


def test_emodb_has_the_layout_of_the_release():
    prompts = list(MINIATURES["emodb"].prompts())
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
    assert all(per_speaker[s, e] == 4 for s, _ in per_speaker for e in FOUR)


GRAMMAR = {  # path -> speaker and code, after the specs
    "iemocap": r"Session(?P<n>\d)/sentences/wav/(?P<d>Ses0(?P=n)[FM]_(?:impro|script)\d\d(?:_\d)?[a-z]?)/"
    r"(?P=d)_[FM][X\d]{2}\d",
    "msp_improv": r"Audio/session(?P<n>[1-6])/(?P<s>S\d\d[AHNS])/(?P<c>[PRST])/"
    r"MSP-IMPROV-(?P=s)-(?P<speaker>[FM]0(?P=n))-(?P=c)-[FM][FM]\d\d",
    "savee": r"AudioData/(?P<speaker>DC|JE|JK|KL)/(?P<code>sa|su|a|d|f|h|n)\d\d",
    "cafe": r"(?:Colère|Dégoût|Joie|Neutre|Peur|Surprise|Tristesse)(?:/Faible|/Fort)?/"
    r"(?P<speaker>\d\d)-(?P<code>[CDJNPST])-[12]-[1-6]",
    "urdu": r"(?:Angry|Happy|Neutral|Sad)/(?P<speaker>S[FM]\d+)_F\d+_(?P<code>[AHNS])\d+",
    "aesdd": r"(?:anger|disgust|fear|happiness|sadness)/(?P<code>[adfhs])\d\d \(0?(?P<speaker>[1-6])\)[ab]?",
    "casia": r"(?P<speaker>liuchanhg|wangzhe|zhaoquanyin|ZhaoZuoxiang)/(?P<code>[a-z]+)/2\d\d",
}
CODES = {
    "savee": dict(a="angry", d="disgusted", f="fearful", h="happy", n="neutral", sa="sad", su="surprised"),
    "cafe": dict(C="angry", D="disgusted", J="happy", N="neutral", P="fearful", S="surprised", T="sad"),
    "urdu": dict(A="angry", H="happy", N="neutral", S="sad"),
    "aesdd": dict(a="angry", d="disgusted", f="fearful", h="happy", s="sad"),
    "casia": dict(angry="angry", fear="fearful", happy="happy", neutral="neutral", sad="sad", surprise="surprised"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAMMAR)
def test_paths_have_the_grammar_of_the_release(name):
    for prompt in MINIATURES[name].prompts():
        groups = re.fullmatch(GRAMMAR[name] + r"\.wav", prompt.path).groupdict()
        assert groups.get("speaker", prompt.speaker).lower() == prompt.speaker.lower()
        if "code" in groups:
            assert CODES[name][groups["code"]] == prompt.emotion


@pytest.mark.parametrize("name", ALL)
def test_no_two_files_are_the_same_utterance_but_the_pair_of_ravdess(name):
    prompts = list(ALL[name].prompts())
    sounds = Counter((p.speaker, p.emotion, p.text_id, p.take) for p in prompts)
    assert len({p.path for p in prompts}) == len(prompts)
    assert len(prompts) - len(sounds) == (name == "ravdess")
    assert len({p.speaker: p.gender for p in prompts}) == len({(p.speaker, p.gender) for p in prompts})


@pytest.mark.parametrize(
    ("name", "n_speakers", "per_speaker"),
    [
        ("iemocap", 10, dict.fromkeys(FOUR, 4) | {"excited": 2, "frustrated": 2, "unknown": 1}),
        ("msp_improv", 12, dict.fromkeys(FOUR, 4) | {"other": 1, "unknown": 1}),
        ("savee", 4, dict.fromkeys((*FOUR, "fearful", "disgusted", "surprised"), 4)),
        ("cafe", 12, dict.fromkeys((*FOUR, "fearful", "disgusted", "surprised"), 2)),
        ("aesdd", 6, dict.fromkeys(("angry", "happy", "sad", "fearful", "disgusted"), 4)),
        ("casia", 4, dict.fromkeys((*FOUR, "fearful", "surprised"), 8)),
    ],
)
def test_every_speaker_has_enough_of_every_emotion(name, n_speakers, per_speaker):
    counts = Counter((p.speaker, p.emotion) for p in MINIATURES[name].prompts())
    speakers = {speaker for speaker, _ in counts}
    assert len(speakers) == n_speakers
    assert all(counts[s, e] >= n for s in speakers for e, n in per_speaker.items())
    assert "neutral" not in {e for _, e in counts} or name != "aesdd"


def test_urdu_is_as_uneven_as_the_release():
    prompts = list(MINIATURES["urdu"].prompts())
    emotions = {s: {p.emotion for p in prompts if p.speaker == s} for s in {p.speaker for p in prompts}}
    assert (len(emotions), sum(len(e) == 1 for e in emotions.values())) == (29, 26)
    assert min(Counter(p.emotion for p in prompts).values()) >= 12
    assert Counter(p.speaker for p in prompts if p.emotion == "neutral").most_common(1)[0][0] == "SM5"


def test_half_of_iemocap_is_not_said_by_the_actor_its_dialog_names():
    prompts = list(MINIATURES["iemocap"].prompts())
    others = sum(p.path.split("/")[3][5] != p.speaker[-1] for p in prompts)
    assert others == len(prompts) / 2
    assert {p.stem.split("_")[1][:6] for p in prompts} >= {"impro0", "script"}


def test_scenario_and_consensus_of_msp_improv_partly_disagree():
    prompts = [p for p in MINIATURES["msp_improv"].prompts() if p.emotion in FOUR]
    agree = {c: {p.stem[14] == p.emotion[0].upper() for p in prompts if p.take == c} for c in "RTSP"}
    assert agree == {"R": {True}, "T": {True}, "S": {True, False}, "P": {False}}


def test_casia_has_the_same_sentences_for_all():
    texts = {}
    for p in MINIATURES["casia"].prompts():
        texts.setdefault((p.speaker, p.emotion), set()).add(p.text_id)
    assert len(texts) == 24 and len(set(map(frozenset, texts.values()))) == 1


def test_aesdd_has_the_irregular_names_of_the_release():
    names = {p.stem for p in MINIATURES["aesdd"].prompts()}
    assert {"d03 (01)", "f18 (5)", "f18 (5)b", "s01 (5)a", "s01 (5)b"} <= names
    assert not {"d03 (1)", "s01 (5)", "d18 (5)"} & names


def test_languages_differ_and_american_corpora_do_not():
    kept = ("fronting_ratio", "vowel_space_ratio", "frication_db", "rhythm_sd")
    languages = {name: tuple(getattr(r.conditions, k) for k in kept) for name, r in MINIATURES.items()}
    assert len(set(languages.values())) == 7
    assert languages["ravdess"] == languages["iemocap"] == languages["msp_improv"]


@pytest.mark.parametrize("name", MINIATURES)
def test_conditions_are_heard_and_hold_at_the_largest_shift(name):
    edges_hz = np.geomspace(100, 6000, 9)
    takes = [
        band_levels_db(synthesize("c", say("angry", 0), MINIATURES[name].conditions.at(shift)), edges_hz)
        for shift in (0, 1, synthetic.MAX_SHIFT)
    ]
    common = band_levels_db(synthesize("c", say("angry", 0), Conditions()), edges_hz)
    np.testing.assert_array_equal(takes[0], common)
    assert np.std(takes[2] - common) > np.std(takes[1] - common) > 0.5


# ---- Ratings --------------------------------------------------------------------------------------------------


def test_ratings_are_half_steps_around_the_class_means():
    for name in RATED:
        for emotion, mean in MINIATURES[name].ratings.items():
            rated = np.array(
                [voice.rate(name, say(emotion, speaker), MINIATURES[name].ratings) for speaker in range(150)]
            )
            assert set((2 * rated).ravel() % 1) == {0} and 1 <= rated.min() <= rated.max() <= 5
            np.testing.assert_allclose(rated.mean(0), mean, atol=0.16)  # the scale's ends pull


def test_a_weak_emotion_is_rated_nearer_to_neutral():
    def mean(strength):
        prompts = [replace(say("angry", speaker), strength=strength) for speaker in range(100)]
        return np.mean([voice.rate("cafe", p, MINIATURES["cafe"].ratings)[:2] for p in prompts], axis=0)

    np.testing.assert_allclose(mean(0.5), [3.49, 2.37], atol=0.12)  # half way from 2.83, 2.97 to 4.15, 1.76
    assert mean(0.2)[0] < mean(0.75)[0] < mean(1.2)[0]


def test_arousal_follows_the_delivery_within_an_emotion():
    level_db, arousal = zip(
        *(
            (voice.draw("cafe", p, 0).delivery.level_db, voice.rate("cafe", p, MINIATURES["cafe"].ratings).arousal)
            for p in (say("happy", speaker) for speaker in range(200))
        ),
        strict=True,
    )
    assert np.corrcoef(level_db, arousal)[0, 1] > 0.4


# ---- Releases, read by their parsers --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def roots(nine):
    """Where all nine releases are: name -> root."""
    return synthetic.make(nine, NINE)


def read_release(name, root):
    """Give what the parser and the rating file say of every path."""
    utterances = das_ratings.join(name, PARSERS[name].parse(root).utterances, root)
    return {str(Path(u.wav).relative_to(root)): u for u in utterances}


def test_all_nine_are_small_and_of_their_native_rates(roots):
    assert sum(p.stat().st_size for root in roots.values() for p in root.rglob("*") if p.is_file()) < 120e6
    for name, root in roots.items():
        infos = [soundfile.info(root / p.path) for p in MINIATURES[name].prompts()]
        assert {i.samplerate for i in infos} == {MINIATURES[name].rate_hz}
        assert np.mean([i.duration for i in infos]) < 1.1
    by_rate = {16_000: {"iemocap", "emodb", "casia"}, 48_000: {"ravdess", "cafe"}}
    for name, release in MINIATURES.items():
        assert name in by_rate.get(release.rate_hz, {"msp_improv", "savee", "urdu", "aesdd"})


@pytest.mark.parametrize("name", MINIATURES)
def test_what_was_said_comes_back_through_the_parser(roots, name):
    utterances = read_release(name, roots[name])
    prompts = {prompt.path: prompt for prompt in MINIATURES[name].prompts()}
    assert utterances.keys() == prompts.keys()
    for path, prompt in prompts.items():
        utterance = utterances[path]
        said = (prompt.emotion, f"{name}-{prompt.speaker}", prompt.gender)
        assert (utterance.emotion, utterance.speaker, utterance.gender) == said


@pytest.mark.parametrize("name", MINIATURES)
def test_ratings_come_back_through_the_parser(roots, name, capsys):
    utterances = read_release(name, roots[name])
    for prompt in MINIATURES[name].prompts():
        utterance = utterances[prompt.path]
        found = (utterance.arousal, utterance.valence, utterance.dominance)
        if name not in RATED or (name == "aesdd" and utterance.arousal is None):
            assert found == (None, None, None)
            continue
        expected = voice.rate(name, prompt, MINIATURES[name].ratings)
        assert found[:2] == expected[:2]
        if name in das_ratings.FILES or prompt.stem in ("Ses01F_impro01_F000", "MSP-IMPROV-S02A-F01-R-FF01"):
            assert found[2] is None
        else:
            assert found[2] == expected[2]
    share = np.mean([u.arousal is not None for u in utterances.values()])
    assert share == (pytest.approx(0.75, abs=0.05) if name == "aesdd" else name in RATED)


@pytest.mark.parametrize("name", RATED)
def test_arousal_follows_the_level_of_the_audio(roots, name):
    rated = [u for u in read_release(name, roots[name]).values() if u.arousal is not None]
    level_db = [10 * np.log10(np.mean(soundfile.read(u.wav)[0] ** 2)) for u in rated]
    assert np.corrcoef(level_db, [u.arousal for u in rated])[0, 1] > 0.5


@pytest.mark.parametrize("name", MINIATURES)
def test_every_release_is_prepared_as_a_whole(roots, name, tmp_path, capsys):
    assert prepare(PARSERS[name], roots[name], tmp_path / "data")
    assert read_json(tmp_path / "data/corpus.json")["release"] == "mini"
    assert "unusable" not in capsys.readouterr().out


def test_releases_hold_the_quirks_of_their_label_files(roots):
    def text(name, path):
        return (roots[name] / path).read_bytes().decode("latin-1")

    evaluation = text("iemocap", "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt")
    (line,) = re.findall(r"^\[.*Ses01F_impro01_F000\t.*", evaluation, re.M)
    assert re.fullmatch(r"\[\d+\.\d+ - \d+\.\d+\]\tSes01F_impro01_F000\tang\t\[\d\.\d{4}, \d\.\d{4}\]", line)
    assert "A-E2:\tval" in evaluation and "C-E2:\tAnger;" in evaluation
    assert list(roots["iemocap"].rglob("._*.txt")) and list(roots["iemocap"].rglob("Categorical/*_e2_cat.txt"))
    header = text("msp_improv", "Evalution.txt").splitlines()[0]
    assert re.fullmatch(r"UTD-IMPROV-[\w-]+\.avi; A; A:[\d.]+; V:[\d.]+; D:NaN ; N:[\d.]+;", header)
    first = {name: text(name, file).splitlines()[0] for name, file in das_ratings.FILES.items()}
    assert first == {
        "emodb": "filename,activation,valence ", "cafe": "filname,activation ,valence",
        "urdu": ",,filename,activation,valence", "aesdd": "filename,activation,valence ",
    }  # fmt: skip
    assert text("urdu", "URDU.csv").splitlines()[1].startswith(",,SM1_F1_A01.wav,")
    assert text("aesdd", "AESD.csv").splitlines()[-1] == "s05 (3).wav,nan,nan"


def test_the_unusable_file_of_aesdd_is_there_and_left_out(roots):
    assert PARSERS["aesdd"].parse(roots["aesdd"]).dropped.keys() == {"sadness/s05 (3).wav"}
    with pytest.raises(DataError, match="no data chunk"):
        probe(roots["aesdd"] / "sadness/s05 (3).wav")


def test_seeds_bring_both_spellings_of_the_label_file(tmp_path, monkeypatch):
    some = list(MINIATURES["msp_improv"].prompts())[:2]
    with_prompts(monkeypatch, "msp_improv", some)
    for seed, spelling in ((0, "Evalution.txt"), (1, "Evaluation.txt")):
        root = synthetic.make(tmp_path, ["msp_improv"], seed=seed)["msp_improv"]  # the second over the first
        assert {p.name for p in root.iterdir()} == {"Audio", "mini.json", spelling}
        assert len(PARSERS["msp_improv"].parse(root).utterances) == 2


def test_emotions_are_canonical_words():
    assert set(voice.EMOTIONS) <= set(types.EMOTIONS)
    assert {p.emotion for release in MINIATURES.values() for p in release.prompts()} == set(voice.EMOTIONS)


# ---- Making ---------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """Two corpora with few files each: RAVDESS's stereo file and pair, EMO-DB's first three."""
    of_two = [p for p in MINIATURES["ravdess"].prompts() if p.speaker in ("01", "07")]
    with_prompts(monkeypatch, "ravdess", [p for p in of_two if p.n_channels == 2 or "-03-01-02-" in p.path])
    with_prompts(monkeypatch, "emodb", list(MINIATURES["emodb"].prompts())[:3])


def content(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def inodes(root):
    return {p: p.stat().st_ino for p in root.rglob("*")}


def test_releases_are_the_same_bytes_every_time(few, tmp_path):
    both = synthetic.make(tmp_path / "a", ["ravdess", "emodb"])
    alone = synthetic.make(tmp_path / "b", ["emodb"])
    assert both == {"ravdess": tmp_path / "a/RAVDESS", "emodb": tmp_path / "a/EMO-DB"}
    assert content(both["emodb"]) == content(alone["emodb"])


def test_files_have_the_native_format_and_the_true_quirks(few, tmp_path):
    roots = synthetic.make(tmp_path, ["ravdess", "emodb"])
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
        "counts": {"calm": 1, "happy": 3}, "total": 4, "label_files": [],
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


def test_what_another_run_made_in_the_meantime_is_left_as_it_is(few, tmp_path, monkeypatch):
    """That run may be reading it."""
    made = {}

    @contextmanager
    def after_another_run(path):
        monkeypatch.setattr(synthetic, "alone", alone)
        made.update(inodes(synthetic.make(tmp_path, ["emodb"])["emodb"]))
        with alone(path):
            yield

    monkeypatch.setattr(synthetic, "alone", after_another_run)
    root = synthetic.make(tmp_path, ["emodb"])["emodb"]
    assert len(made) > 3 and inodes(root) == made


@pytest.mark.parametrize("pattern", ["*.wav", "*.csv"])
def test_a_missing_file_is_made_again(few, tmp_path, pattern):
    root = synthetic.make(tmp_path, ["emodb"])["emodb"]
    made = content(root)
    next(root.rglob(pattern)).unlink()
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
    assert {p.name for p in tmp_path.iterdir() if p.is_dir()} == {"whole", "EMO-DB"}


def test_files_of_others_are_never_overwritten(few, tmp_path):
    real = tmp_path / "EMO-DB/wav/03a01Fa.wav"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"a real recording")
    for mini_json in (None, "{", "[1]", '{"corpus": "ravdess"}'):
        if mini_json:
            (tmp_path / "EMO-DB/mini.json").write_text(mini_json)
        with pytest.raises(DataError, match="EMO-DB: is not a miniature of emodb that was made here, but"):
            synthetic.make(tmp_path, ["emodb"])
    assert real.read_bytes() == b"a real recording"


def test_a_users_file_in_a_mini_release_is_not_swept_away(few, tmp_path):
    root = synthetic.make(tmp_path, ["emodb"])["emodb"]
    (root / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"EMO-DB: holds 'notes\.txt', not written here, which would be lost"):
        synthetic.make(tmp_path, ["emodb"], seed=1)
    assert (root / "notes.txt").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(few, tmp_path):
    (tmp_path / "EMO-DB").write_text("mine")
    with pytest.raises(DataError, match="EMO-DB: is a file, where a folder is needed"):
        synthetic.make(tmp_path, ["emodb"])


def test_an_empty_folder_is_filled(few, tmp_path):
    (tmp_path / "EMO-DB").mkdir()
    assert (synthetic.make(tmp_path, ["emodb"])["emodb"] / "mini.json").is_file()


def test_unknown_corpus_and_bad_shift_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown 'emobd'; did you mean 'emodb'\? known: aesdd, ased,"):
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


def test_a_full_disk_is_told_with_the_file():
    with pytest.raises(OSError, match="No space left on device") as caught:
        voice.write_wav(Path("/dev/full"), np.zeros(9), 16000, 1)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")
