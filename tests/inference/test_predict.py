"""Audio before a model sees it: windows, what is wrong with it, what cannot be used, and in which order."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.data.data_dir import AudioPart
from ser.errors import ConfigError, DataError
from ser.features.config import FeatureConfig
from ser.inference.predict import (
    CHANNELS_DIFFER,
    IS_BEYOND,
    IS_CLIPPED,
    IS_SILENT,
    TOO_SHORT,
    Item,
    Windows,
    _growing,
    audio_warnings,
    hear,
    heard_in_order,
    items_of,
    named_audio,
)  # fmt: skip
from tests.fakes.wav import write_wav

RATE = 16_000
SHORTCUT = FeatureConfig(upstream="shortcut")


# ---- Windows ---------------------------------------------------------------------------------------------------


def test_windows_overlap_and_the_last_ends_with_the_audio():
    windows = Windows(longer_than_s=10, window_s=4, hop_s=2)
    assert windows.of(0, 10) == [(0, 10)]
    assert windows.of(0, 11) == [(0, 4), (2, 6), (4, 8), (6, 10), (7, 11)]
    assert windows.of(100, 112) == [(100, 104), (102, 106), (104, 108), (106, 110), (108, 112)]


@settings(deadline=None)
@given(st.floats(0.5, 100), st.floats(0.5, 20), st.floats(0.1, 1), st.floats(0, 50))
def test_windows_cover_all_of_a_long_audio(duration, window, share, start):
    found = Windows(0, window, window * share).of(start, start + duration)
    assert found[0][0] == start
    assert found[-1][1] == pytest.approx(start + duration)
    for (a, b), (c, _) in zip(found, found[1:], strict=False):
        assert a < c <= b + 1e-9
    if len(found) > 1:
        assert [b - a for a, b in found] == pytest.approx([window] * len(found))


def test_a_short_file_is_read_as_a_whole_and_a_segment_within_its_times(tmp_path):
    path = str(write_wav(tmp_path / "a.wav", n_samples=3 * RATE))
    windows = Windows(5, 2, 1)
    assert items_of("a", AudioPart(path), windows) == [Item("a", path)]
    assert items_of("a", AudioPart(path, 1.0, 2.5), windows) == [Item("a", path, 1.0, 2.5)]
    cut = items_of("a", AudioPart(path), Windows(2, 2, 1))
    assert [(item.start, item.end) for item in cut] == [(0, 2), (1, 3)]
    (beyond,) = items_of("a", AudioPart(path, 4.0, 5.0), windows)
    assert beyond.error == "segment from 4 s to 5 s of a file of 3 s"


# ---- What is named ---------------------------------------------------------------------------------------------


def test_files_folders_data_directories_and_lists(tmp_path):
    for name in ("b.wav", "sub/a.WAV", "sub/deep/c.flac", "notes.txt", "sub/.x"):
        write_wav(tmp_path / "some" / name)
    (tmp_path / "some" / "notes.txt").write_text("no audio")
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text("id-1-a /x/long.wav\nid-1-b /x/long.wav\n")
    (data / "segments").write_text("id-1-a rec 0.5 1.5\nid-1-b rec 2 3\n")
    scp = tmp_path / "list.scp"
    scp.write_text("z /y/z.wav\n")
    found = list(named_audio([tmp_path / "some", tmp_path / "missing.mp3", data], scp))
    some = tmp_path / "some"
    files = (some / "b.wav", some / "sub" / "a.WAV", some / "sub" / "deep" / "c.flac")
    assert found == [
        *((str(file), AudioPart(str(file))) for file in files),
        (str(tmp_path / "missing.mp3"), AudioPart(str(tmp_path / "missing.mp3"))),
        ("id-1-a", AudioPart("/x/long.wav", 0.5, 1.5)),
        ("id-1-b", AudioPart("/x/long.wav", 2.0, 3.0)),
        ("z", AudioPart("/y/z.wav")),
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: no audio in this folder; looked for .3gp .aac .aif "):
        list(named_audio([tmp_path / "empty"]))


def test_kaldi_s_segments_are_parts_of_recordings(tmp_path):
    (tmp_path / "wav.scp").write_text("call1 /x/1.wav\ncall2 /x/2.wav\n")
    (tmp_path / "segments").write_text("ann-a call1 0.5 1.5\nbob-a call1 2.25 3\nbob-b  call2\t0 1\n")
    assert list(named_audio([tmp_path])) == [
        ("ann-a", AudioPart("/x/1.wav", 0.5, 1.5)),
        ("bob-a", AudioPart("/x/1.wav", 2.25, 3.0)),
        ("bob-b", AudioPart("/x/2.wav", 0.0, 1.0)),
    ]


@pytest.mark.parametrize("line", ["a call1 0 1 2", "a call1 zero 1", "a call1 1 0.5", "a call1", "a call1 nan 1"])
def test_segments_that_are_none_are_named(tmp_path, line):
    (tmp_path / "wav.scp").write_text("call1 /x/1.wav\n")
    (tmp_path / "segments").write_text(f"{line}\n")
    with pytest.raises(DataError, match=f"segments: found '{line}', expected 'utterance recording start end' with"):
        list(named_audio([tmp_path]))


def test_a_segment_of_a_recording_that_is_not_there(tmp_path):
    (tmp_path / "wav.scp").write_text("call1 /x/1.wav\n")
    (tmp_path / "segments").write_text("a call2 0 1\n")
    with pytest.raises(DataError, match=r"segments: recording 'call2' of 'a' is not in .*wav\.scp"):
        list(named_audio([tmp_path]))


def test_a_folder_s_audio_is_found_by_name_or_content_and_hidden_files_are_not(tmp_path):
    tone = np.zeros(100)
    for name in ("a.snd", "b.sph", "c", "d.wave", "e.mp4"):
        soundfile.write(tmp_path / "x.flac", tone, RATE)
        (tmp_path / "x.flac").rename(tmp_path / name)
    for name in ("._a.wav", ".hidden/a.wav", "__MACOSX/a.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    found = [str(part.path) for _, part in named_audio([tmp_path])]
    assert found == [str(tmp_path / name) for name in ("a.snd", "b.sph", "c", "d.wave", "e.mp4")]


def test_an_empty_list_is_an_error_and_a_byte_order_mark_no_part_of_an_id(tmp_path):
    (tmp_path / "wav.scp").touch()
    with pytest.raises(ConfigError, match=r"wav\.scp: holds no line; expected lines of an id and a path"):
        list(named_audio([], tmp_path / "wav.scp"))
    (tmp_path / "wav.scp").write_bytes("\ufeffa /x/1.wav\r\nb /x/2.wav\r\n".encode())
    assert list(named_audio([], tmp_path / "wav.scp")) == [("a", AudioPart("/x/1.wav")), ("b", AudioPart("/x/2.wav"))]


# ---- What is heard ---------------------------------------------------------------------------------------------


def warnings_of(samples, shortest_s: float = 0.0) -> list[str]:
    samples = np.asarray(samples, np.float32)
    return list(audio_warnings(samples, len(samples) / RATE, shortest_s))


def test_warnings():
    tone = np.sin(np.arange(RATE) * 0.05)
    assert warnings_of(0.5 * tone) == []
    assert warnings_of(0.5 * tone, shortest_s=1.0) == []
    assert warnings_of(0.5 * tone, shortest_s=1.01) == [TOO_SHORT]
    assert warnings_of(0.0009 * tone) == [IS_SILENT]
    assert warnings_of(0.0011 * tone) == []
    assert warnings_of(np.clip(2 * tone, -1, 1)) == [IS_CLIPPED]
    assert warnings_of(np.clip(-2 * tone, -0.99, 0.99)) == [IS_CLIPPED]
    assert warnings_of(np.clip(2 * tone, -0.5, 0.5)) == []  # not at full scale: a plateau of some other making
    peak = 0.5 * tone
    peak[100:103] = 1.0
    assert warnings_of(peak) == []
    peak[103] = 1.0
    assert warnings_of(peak) == [IS_CLIPPED]
    assert warnings_of([0.0]) == [IS_SILENT]
    assert warnings_of(0.0005 * tone + 0.2) == [IS_SILENT]  # quiet, on an offset
    assert warnings_of(32768 * tone) == [IS_BEYOND]


def test_a_feature_is_that_of_stage_3_at_any_rate_and_for_stereo(tmp_path):
    from ser.data.audio import load
    from ser.features.shortcut import shortcut

    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.flac", 0.1 * rng.normal(size=(44100, 2)), 44100)
    (item,) = items_of("a", AudioPart(str(tmp_path / "a.flac")), Windows(5, 2, 1))
    heard = hear(SHORTCUT, "cpu", 0.5, item)
    assert heard.feature.tolist() == shortcut(load(tmp_path / "a.flac").numpy()).tolist()
    assert (heard.start, heard.end, heard.warnings, heard.error) == (0.0, 1.0, (CHANNELS_DIFFER,), None)
    assert hear(None, "cpu", 2.0, item)._replace(feature=None) == heard._replace(
        feature=None, warnings=(TOO_SHORT, CHANNELS_DIFFER)
    )


def test_channels_that_differ_are_told_and_dead_ones_left_out(tmp_path):
    tone = 0.5 * np.sin(np.arange(RATE) * 0.05)
    heard = {}
    for name, other in (("same", tone), ("late", np.roll(tone, 40)), ("dead", 0 * tone)):
        soundfile.write(tmp_path / f"{name}.wav", np.stack([other, tone], 1), RATE)
        (item,) = items_of("a", AudioPart(str(tmp_path / f"{name}.wav")), Windows(5, 2, 1))
        heard[name] = hear(SHORTCUT, "cpu", 0.5, item)
    assert [heard[name].warnings for name in heard] == [(), (CHANNELS_DIFFER,), ()]
    assert heard["dead"].feature.tolist() == heard["same"].feature.tolist()
    part = AudioPart(str(tmp_path / "late.wav"), channels="2")
    assert hear(SHORTCUT, "cpu", 0.5, items_of("a", part, Windows(5, 2, 1))[0]).warnings == ()


@pytest.mark.parametrize("rate_hz", [24_414, 47_999])
def test_any_rate_has_a_feature(tmp_path, rate_hz):
    (item,) = items_of("a", AudioPart(str(write_wav(tmp_path / "a.wav", n_samples=rate_hz, rate_hz=rate_hz))),
                       Windows(5, 2, 1))  # fmt: skip
    assert hear(SHORTCUT, "cpu", 0.5, item).error is None


def test_segments_of_a_spectrogram_have_their_shape(tmp_path):
    path = str(write_wav(tmp_path / "a.wav", n_samples=RATE))
    config = FeatureConfig(upstream="spectrogram_segments", pooling="none")
    assert hear(config, "cpu", 0.0, Item("a", path)).feature.shape == (4, 32, 129)


def broken(tmp_path):
    whole = write_wav(tmp_path / "whole.wav", n_samples=RATE)
    (tmp_path / "half.wav").write_bytes(whole.read_bytes()[:10000])
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "text.flac").write_text("hello")
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "ok.flac", np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    (tmp_path / "half.flac").write_bytes((tmp_path / "ok.flac").read_bytes()[:20000])
    soundfile.write(tmp_path / "ok.mp3", np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE)
    (tmp_path / "half.mp3").write_bytes((tmp_path / "ok.mp3").read_bytes()[:9000])
    return {
        "half.wav": "truncated: header promises 32000 bytes of audio, 9956 are there",
        "empty.wav": "empty file (0 bytes)",
        "text.wav": "not audio that libsndfile reads (begins with b'hell')",
        "text.flac": "not audio that libsndfile reads (begins with b'hell')",
        "nan.wav": "holds a sample that is not finite",
        "none.wav": "no audio in it (the WAV header promises 0 samples)",
        "half.flac": "cannot be decoded after ",
        "half.mp3": "truncated: ",
        "gone.wav": "cannot be read (No such file or directory)",
    }


def test_files_that_cannot_be_used_say_why(tmp_path):
    for name, reason in broken(tmp_path).items():
        (item,) = items_of("a", AudioPart(str(tmp_path / name)), Windows(5, 2, 1))
        heard = hear(SHORTCUT, "cpu", 0.0, item)
        assert heard.feature is None
        assert heard.error.startswith(reason)
        assert "stage" not in heard.error and str(tmp_path) not in heard.error


def test_an_upstream_that_cannot_cope_is_an_error_of_the_file(tmp_path, monkeypatch):
    path = str(write_wav(tmp_path / "a.wav", n_samples=RATE))
    item = Item("a", path)

    def cannot(*_):
        raise RuntimeError("odd\nshape")

    monkeypatch.setattr("ser.features.compute.feature_of", cannot)
    assert hear(SHORTCUT, "cpu", 0.0, item).error == "no features (RuntimeError: odd)"
    monkeypatch.setattr("ser.features.compute.feature_of", lambda *_: np.array([1.0, np.nan]))
    assert hear(SHORTCUT, "cpu", 0.0, item).error == "no features (some are not finite)"


# ---- Order -----------------------------------------------------------------------------------------------------


def test_several_processes_give_the_same_in_the_same_order(tmp_path):
    items = []
    for i in range(20):
        path = write_wav(tmp_path / f"{i}.wav", seed=i, n_samples=RATE // 4 + 1000 * (i * 7 % 5))
        items.append(Item(str(i), str(path)) if i % 4 else Item(str(i), str(path), error="broken"))
    one, two = ([h for h in heard_in_order(items, SHORTCUT, "cpu", 0.3, nj)] for nj in (1, 2))
    assert [h.item for h in two] == items
    for a, b in zip(one, two, strict=True):
        assert a._replace(feature=None) == b._replace(feature=None)
        assert (a.feature is None) == (b.feature is None)
        assert a.feature is None or a.feature.tolist() == b.feature.tolist()


def test_the_first_line_waits_for_nobody():
    taken = []

    def stream():
        for i in range(200):
            taken.append(i)
            yield i

    batches = _growing(stream())
    assert next(batches) == [0]
    assert taken == [0]
    rest = list(batches)
    assert [len(batch) for batch in rest] == [2, 4, 8, 16, 32, 32, 32, 32, 32, 9]
    assert [i for batch in rest for i in batch] == list(range(1, 200))
