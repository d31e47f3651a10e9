"""Frames: what each utterance gives alone, from archives that are read one utterance at a time, however large."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import struct
from pathlib import Path

import kaldiio
import numpy as np
import pytest
import torch

from ser.data import audio
from ser.data.archives import whole_records
from ser.data.maps import read_map, write_map
from ser.errors import DataError
from ser.features import compute, encoders
from ser.features import extract as module
from ser.features.config import FeatureConfig, Segments
from ser.features.extract import read_features
from ser.features.frames import Frames
from ser.features.spectrogram import spectrogram_segments
from ser.system.files import read_json, write_json
from tests.fakes.checkpoints import WRITERS
from tests.fakes.wav import write_wav
from tests.features.data_dir import archive, content, extract, interrupted, read_scp, write_corpus, write_data_dir

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*mismatched.*mask:UserWarning"),
]

FBANK = FeatureConfig(upstream="fbank_no_cmvn", pooling="none")
SPECTROGRAM = FeatureConfig(upstream="spectrogram_segments", pooling="none")
TINY = FeatureConfig(
    upstream="spectrogram_segments",
    pooling="none",
    segments=Segments(segment_samples=700, segment_hop_samples=350, window_samples=300, n_fft=300, n_bins=2),
)
"""Segments of 4 x 2: two in 1,000 samples, three in 1,074."""


@pytest.mark.parametrize("upstream", ["fbank_no_cmvn", "wav2vec2_local", "byol_s"])
def test_frames_are_those_of_each_utterance_alone(upstream, tmp_path):
    data_dir, wavs = write_corpus(tmp_path, 3, n_samples=8000)
    ckpt = str(WRITERS[upstream](tmp_path / "ckpt.pt")) if upstream in WRITERS else None
    config = FeatureConfig(upstream=upstream, ckpt=ckpt, layer=0, pooling="none")
    folder = extract(data_dir, tmp_path / "dump", config)
    frames, matrices = Frames.of([folder]), read_scp(folder)
    alone = encoders.load(upstream, ckpt, None, torch.device("cpu"))
    assert list(frames) == list(matrices) == sorted(wavs)
    for utt in reversed(list(frames)):
        expected = alone(audio.load(wavs[utt]))[0]
        assert expected.ndim == 2 and len(expected) == frames.lengths[utt]
        assert torch.equal(frames[utt], expected)
        np.testing.assert_array_equal(matrices[utt], expected)


@pytest.mark.parametrize("config", [SPECTROGRAM, TINY], ids=["default", "tiny"])
def test_spectrogram_segments_come_back_in_their_shape(config, tmp_path):
    data_dir, wavs = write_corpus(tmp_path, 3, n_samples=8000)
    frames = Frames.of([extract(data_dir, tmp_path / "dump", config)])
    settings = config.segment_settings.model_dump()
    for utt, wav in wavs.items():
        assert torch.equal(frames[utt], spectrogram_segments(audio.load(wav), **settings))
    assert frames["c-s-u00"].shape == {SPECTROGRAM: (2, 32, 129), TINY: (22, 4, 2)}[config]
    assert frames.frame_shape == frames["c-s-u01"].shape[1:]


def test_archives_are_kaldis_under_any_folder_name(tmp_path):
    data_dir, wavs = write_corpus(tmp_path / "räume mit leer", 3, n_samples=9000)
    folder = extract(data_dir, tmp_path / "räume mit leer" / "dump", SPECTROGRAM)
    expected = {utt: spectrogram_segments(audio.load(wav)).flatten(1).numpy() for utt, wav in wavs.items()}
    by_mat = {utt: kaldiio.load_mat(place) for utt, place in read_map(folder / "feats.scp").items()}
    for matrices in (read_scp(folder), dict(kaldiio.load_ark(str(folder / "feats.ark"))), by_mat):
        assert list(matrices) == list(expected)
        for utt, matrix in matrices.items():
            assert matrix.dtype == np.float32
            np.testing.assert_array_equal(matrix, expected[utt])
    assert sorted(content(folder)) == ["feats.ark", "feats.json", "feats.scp", "utt2num_frames"]
    assert read_map(folder / "utt2num_frames") == {"c-s-u00": "2", "c-s-u01": "2", "c-s-u02": "2"}
    assert read_json(folder / "feats.json") == {
        "made_from": module._made_from(SPECTROGRAM, data_dir),
        "precision": "fp32",
        "archives": ["feats.ark"],
        "n": 3,
        "dim": 4128,
        "frames": 6,
        "frame_shape": [32, 129],
    }


def test_the_number_of_workers_changes_nothing(tmp_path):
    data_dir, _ = write_corpus(tmp_path, 40, n_samples=1000)  # more than may wait at once
    one, two = (extract(data_dir, tmp_path / f"dump{nj}", TINY, nj) for nj in (1, 2))
    assert archive(one) == archive(two)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Path]:
    """Give a data directory and the folder of its finished archive; nobody changes them."""
    root = tmp_path_factory.mktemp("whole")
    data_dir, _ = write_corpus(root, 3, n_samples=1000)
    return data_dir, extract(data_dir, root / "dump", TINY)


def test_cut_at_any_byte_an_archive_comes_out_the_same(whole, tmp_path):
    data_dir, finished = whole
    ark = (finished / "feats.ark").read_bytes()
    assert len(ark) == 3 * (len("c-s-u00 ") + 15) + (2 + 2 + 3) * 8 * 4
    for size in range(len(ark) + 1):  # empty, in a key, in a header, in a matrix, between records, whole
        folder = interrupted(data_dir, tmp_path / str(size), ark[:size], TINY)
        assert extract(data_dir, tmp_path / str(size), TINY) == folder
        assert archive(folder) == archive(finished), size


def test_what_was_written_is_not_computed_again(whole, tmp_path, monkeypatch):
    data_dir, finished = whole
    ark, computed = (finished / "feats.ark").read_bytes(), []
    original = compute._compute
    monkeypatch.setattr(compute, "_compute", lambda *args: (computed.append(args[-1][0]), original(*args))[1])
    interrupted(data_dir, tmp_path, ark[: len(ark) // 3 + 20], TINY)
    extract(data_dir, tmp_path, TINY)
    assert computed == ["c-s-u01", "c-s-u02"]


def test_parts_of_a_recording_have_their_own_frames(tmp_path):
    wav = write_wav(tmp_path / "long.wav", n_samples=20_000)
    data_dir = write_data_dir(tmp_path / "data" / "c", {"c-s-a": wav, "c-s-b": wav})
    write_map(data_dir / "segments", {"c-s-a": "c-s-a 0.000000 0.300000", "c-s-b": "c-s-b 0.500000 1.250000"})
    frames = Frames.of([extract(data_dir, tmp_path / "dump", SPECTROGRAM)])
    samples = audio.load(wav)
    assert torch.equal(frames["c-s-a"], spectrogram_segments(samples[:4800]))
    assert torch.equal(frames["c-s-b"], spectrogram_segments(samples[8000:]))
    assert frames.lengths == {"c-s-a": 1, "c-s-b": 3}


def write_archive(folder: Path, matrices: dict[str, np.ndarray], frame_shape: list[int]) -> Path:
    """Write the files of a finished archive."""
    folder.mkdir(parents=True)
    kaldiio.save_ark(str(folder / "feats.ark"), matrices, scp=str(folder / "feats.scp"))
    write_map(folder / "utt2num_frames", {utt: len(matrix) for utt, matrix in matrices.items()})
    write_json(folder / "feats.json", {"frame_shape": frame_shape})
    return folder


def matrices_of(*utts: str, dim: int = 6) -> dict[str, np.ndarray]:
    """Make matrices of different lengths and values."""
    rng = np.random.default_rng(len(utts))
    return {utt: rng.normal(size=(3 + i, dim)).astype(np.float32) for i, utt in enumerate(utts)}


def test_several_corpora_are_one_mapping(tmp_path):
    first, second = matrices_of("b-s-1", "b-s-2"), matrices_of("a-s-1", "a-s-2", "a-s-3")
    folders = [write_archive(tmp_path / n, m, [2, 3]) for n, m in (("b", first), ("a", second))]
    frames = Frames.of(folders)
    assert list(frames) == [*first, *second] and len(frames) == 5
    assert frames.lengths == {utt: len(matrix) for utt, matrix in (first | second).items()}
    assert frames.frame_shape == (2, 3)
    for utt, matrix in (first | second).items():
        np.testing.assert_array_equal(frames[utt].flatten(1), matrix)
        assert frames[utt].shape == (len(matrix), 2, 3)
    assert "a-s-1" in frames and "a-s-4" not in frames and frames.get("a-s-4") is None
    with pytest.raises(KeyError, match="a-s-4"):
        frames["a-s-4"]


def test_what_is_read_is_a_copy(tmp_path):
    """Archives hold ids of any length, so numbers begin at any byte: a view would not even be aligned."""
    matrices = matrices_of("u", "ut", "utt", "utte")
    frames = Frames.of([write_archive(tmp_path / "c", matrices, [6])])
    before = (tmp_path / "c" / "feats.ark").read_bytes()
    for utt, matrix in matrices.items():
        read = frames[utt]
        assert read.dtype == torch.float32 and read.is_contiguous() and read.data_ptr() % 4 == 0
        read.zero_()
        np.testing.assert_array_equal(frames[utt], matrix)
    assert (tmp_path / "c" / "feats.ark").read_bytes() == before


def test_a_moved_folder_is_read_where_it_is(whole, tmp_path):
    _, finished = whole
    moved = shutil.copytree(finished, tmp_path / "elsewhere" / "c")
    expected = Frames.of([finished])["c-s-u02"]
    (moved / "feats.scp").write_text((moved / "feats.scp").read_text().replace(str(finished), "/no/where"))
    assert torch.equal(Frames.of([moved])["c-s-u02"], expected)


def total(frames: Frames) -> float:
    return sum(float(matrix.numpy().sum(dtype=np.float64)) for matrix in frames.values())


def test_other_processes_open_archives_by_themselves(tmp_path):
    matrices = {f"u{i}": matrix for i, matrix in enumerate(np.ones((10, 1000, 50), np.float32))}
    frames = Frames.of([write_archive(tmp_path / "c", matrices, [50])])
    assert total(frames) == 500_000
    assert len(pickle.dumps(frames)) < 2000  # of the 2 MB that it has open
    assert total(pickle.loads(pickle.dumps(frames))) == 500_000
    for method in ("spawn", "fork"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.apply(total, (frames,)) == 500_000


def test_lengths_are_known_without_opening_an_archive(whole, monkeypatch):
    def no_read(*args, **kwargs):
        raise AssertionError("an archive was opened")

    monkeypatch.setattr(os, "pread", no_read)
    frames = Frames.of([whole[1]])
    assert frames.lengths == {"c-s-u00": 2, "c-s-u01": 2, "c-s-u02": 3}
    assert len(frames) == 3 and "c-s-u00" in frames and list(frames) == list(frames.lengths)
    with pytest.raises(AssertionError, match="an archive was opened"):
        frames["c-s-u00"]


HUGE = 300_000_000
"""Rows of four numbers: 4.8 GB, of which the disk holds nothing."""


@pytest.fixture
def sparse(tmp_path) -> tuple[Path, dict[str, np.ndarray]]:
    """Write an archive whose second utterance is a hole of 4.8 GB."""
    matrices = matrices_of("a", "c", "d", dim=4)
    folder = write_archive(tmp_path / "dump" / "c", {"a": matrices["a"]}, [4])
    with open(folder / "feats.ark", "ab") as ark:
        offsets = {"a": 2, "b": ark.tell() + 2}
        ark.write(b"b \0BFM " + struct.pack("<BiBi", 4, HUGE, 4, 4))
        ark.truncate(ark.tell() + HUGE * 16)
        ark.seek(0, 2)
        for utt in ("c", "d"):
            offsets[utt] = ark.tell() + 2
            kaldiio.save_ark(ark, {utt: matrices[utt]})
    (folder / "feats.scp").write_text("".join(f"{utt} {folder}/feats.ark:{n}\n" for utt, n in offsets.items()))
    write_map(folder / "utt2num_frames", {"b": HUGE} | {utt: len(matrix) for utt, matrix in matrices.items()})
    return folder, matrices


def test_one_utterance_is_read_without_the_others(sparse, monkeypatch):
    folder, matrices = sparse
    frames = Frames.of([folder])
    read, sizes = os.pread, []
    monkeypatch.setattr(os, "pread", lambda file, size, start: sizes.append(size) or read(file, size, start))
    assert frames.lengths["b"] == HUGE
    for utt, matrix in matrices.items():  # before and behind the hole, beyond 4 GiB
        np.testing.assert_array_equal(frames[utt], matrix)
    assert sizes == [15 + matrix.nbytes for matrix in matrices.values()]
    assert str(folder / "feats.ark") not in Path("/proc/self/maps").read_text()


def test_an_interrupted_archive_may_be_larger_than_4_gib(sparse):
    folder, matrices = sparse
    ark = folder / "feats.ark"
    whole = ark.stat().st_size
    records, size = whole_records(ark, ["a", "b", "c", "d", "e"], n_dims=2)
    assert size == whole > 2**32
    shapes = {utt: matrix.shape for utt, matrix in matrices.items()} | {"b": (HUGE, 4)}
    assert {utt: record.shape for utt, record in records.items()} == shapes
    with open(ark, "r+b") as file:
        file.truncate(whole - 1)
    records, size = whole_records(ark, ["a", "b", "c", "d"], n_dims=2)
    assert list(records) == ["a", "b", "c"]
    assert size == whole - len(b"d ") - 15 - matrices["d"].nbytes


def test_an_archive_of_the_other_kind_is_refused(whole, tmp_path):
    with pytest.raises(DataError, match="c: holds frames, not one vector per utterance; name a feature that pools"):
        read_features(whole[1])
    with pytest.raises(DataError, match="c: holds one vector per utterance, not frames; .* 'pooling: none'"):
        Frames.of([extract(whole[0], tmp_path)])


def test_archives_that_do_not_go_together_are_refused(tmp_path):
    folders = {
        name: write_archive(tmp_path / name, matrices_of("u1", "u2"), shape)
        for name, shape in {"a": [6], "b": [2, 3], "c": [6]}.items()
    }
    with pytest.raises(DataError, match=r"b: frames of shape \[2, 3\], but \[6\] in .*a; read archives of one"):
        Frames.of([folders["a"], folders["b"]])
    with pytest.raises(DataError, match="c: utterance 'u1' is also in another archive; ids are unique"):
        Frames.of([folders["a"], folders["c"]])


@pytest.mark.parametrize(
    ("old", "new"), [("feats.ark:", "other.ark:"), (".ark:", ".ark:x"), (".ark:", ".ark"), ("u1 ", "u3 ")]
)
def test_an_index_of_something_else_is_refused(old, new, tmp_path):
    folder = write_archive(tmp_path / "c", matrices_of("u1", "u2"), [6])
    index = folder / "feats.scp"
    index.write_text(index.read_text().replace(old, new))
    with pytest.raises(
        DataError, match=r"c/feats.scp: 'u\d \S*' is not what stage 3 wrote; delete .*c and run stage 3"
    ):
        Frames.of([folder])


def test_an_unfinished_or_damaged_archive_is_refused(tmp_path):
    with pytest.raises(DataError, match="c: no finished features; run stage 3"):
        Frames.of([tmp_path / "c"])
    folder = write_archive(tmp_path / "c", matrices_of("u1", "u2"), [6])
    whole = (folder / "feats.ark").read_bytes()
    (folder / "feats.ark").write_bytes(whole[:-1])
    with pytest.raises(DataError, match=rf"ark: {len(whole) - 1} bytes, expected {len(whole)}; delete its folder"):
        Frames.of([folder])
    for damaged in (whole.replace(b"FM \4\3", b"FM \4\2"), whole[: len(whole) // 4]):  # 3 rows, or cut off later
        (folder / "feats.ark").write_bytes(whole)
        frames = Frames.of([folder])
        (folder / "feats.ark").write_bytes(damaged)
        with pytest.raises(DataError, match=r"ark: the frames of 'u1' are not in their place; delete its folder"):
            frames["u1"]
