"""Frames while they are trained on: read or computed once while memory lasts, and one batch ahead."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
import soundfile
import torch

from ser.data.audio import RATE_HZ
from ser.data.data_dir import AudioPart
from ser.errors import DataError
from ser.training import frames as kept
from ser.training.frames import FrameStore, FrontEndFrames, prefetched

# ---- Stored ---------------------------------------------------------------------------------------------------


class Disk(dict):
    """Frames that count how often they are read."""

    def __init__(self, frames):
        super().__init__(frames)
        self.lengths = {utt: len(x) for utt, x in frames.items()}
        self.reads = Counter()

    def __getitem__(self, utt):
        self.reads[utt] += 1
        return super().__getitem__(utt)


def random_frames(shape=(3,), n=5, shift=0.0) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return {f"u{i}": torch.randn(i + 1, *shape, generator=g) + shift for i in range(n)}


def test_frames_are_read_once_while_there_is_room():
    disk = Disk(random_frames())  # 12, 24, 36, 48 and 60 bytes
    store = FrameStore(disk, max_bytes=12 + 24 + 48)
    for _ in range(3):
        for utt in disk:
            assert torch.equal(store.of(utt), dict(disk)[utt])
    assert disk.reads == {"u0": 1, "u1": 1, "u2": 1, "u3": 3, "u4": 3}
    assert store.length("u4") == 5 and disk.reads["u4"] == 3


def test_missing_frames_name_the_utterance():
    store = FrameStore(Disk({}))
    for call in (store.of, store.length):
        with pytest.raises(DataError, match="no frames of 'u7'; run stages 2 and 3 again"):
            call("u7")


def test_prefetching_is_one_ahead_in_another_thread_and_keeps_the_order():
    made, threads = [], set()

    def make(number: int) -> int:
        made.append(number)
        threads.add(threading.current_thread())
        return number

    for n, item in enumerate(prefetched(make, range(6))):
        assert item == n and len(made) <= n + 3  # used, waiting, and being made
    assert made == list(range(6)) and threads.isdisjoint({threading.main_thread()})
    assert list(prefetched(make, [])) == []


def test_an_error_in_the_thread_comes_out():
    with pytest.raises(ZeroDivisionError):
        list(prefetched(lambda number: 1 // (1 - number), range(3)))


def test_frames_of_a_few_hours_stay_in_memory():
    assert kept.STORED_BYTES >= 4 * 512 * 18 * 10_000  # 10 hours of BYOL-S


# ---- Frames of files ------------------------------------------------------------------------------------------


class ToyEncoder:
    """Frames of 20 ms: level and place."""

    def __init__(self):
        self.lengths = []

    def front_end(self, wav):
        self.lengths.append(len(wav))
        return wav[: len(wav) // 320 * 320].view(-1, 320)[:, :2]


@pytest.fixture
def files(tmp_path) -> dict[str, AudioPart]:
    ramp = torch.linspace(-0.9, 0.9, 2 * RATE_HZ)
    path = str(tmp_path / "a.wav")
    soundfile.write(path, ramp.numpy(), RATE_HZ)
    return {"whole": AudioPart(path), "piece": AudioPart(path, 0.5, 1.25), "overlong": AudioPart(path, 1.5, 9.0)}


def test_seconds_are_those_of_the_part(files):
    frames = FrontEndFrames(ToyEncoder(), files)
    assert [frames.seconds(utt) for utt in files] == pytest.approx([2.0, 0.75, 0.5])


def test_the_cap_keeps_the_beginning(files):
    encoder = ToyEncoder()
    frames = FrontEndFrames(encoder, files)
    whole, first = frames.of("whole", None), frames.of("whole", 0.5)
    assert (len(whole), len(first)) == (100, 25)
    assert torch.equal(first, whole[:25])
    assert torch.equal(frames.of("piece", None), whole[25:62])
    assert frames.of("piece", 0.5).shape == (25, 2)
    assert encoder.lengths == [32_000, 8000, 12_000, 8000]


def test_frames_are_computed_once_while_memory_lasts(files):
    encoder = ToyEncoder()
    frames = FrontEndFrames(encoder, files, max_bytes=100 * 2 * 4 + 8)
    for _ in range(3):
        for utt in ("whole", "piece"):
            kept = frames.of(utt, None)
    assert encoder.lengths == [32_000, 12_000, 12_000, 12_000]
    assert torch.equal(frames.of("whole", 2.0), frames.of("whole", None))  # nothing to cut: the same frames
    assert len(encoder.lengths) == 4
    assert kept.dtype == torch.float32


def test_a_file_that_is_gone_is_named(tmp_path):
    frames = FrontEndFrames(ToyEncoder(), {"u": AudioPart(str(tmp_path / "gone.wav"))})
    with pytest.raises(DataError, match=r"gone\.wav: cannot be read .* run stage 1 again"):
        frames.of("u", 10.0)
