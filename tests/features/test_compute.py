"""Batches for a GPU, on a CPU: what each utterance gives alone, in order, with nothing read too far ahead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ser.data.data_dir import read_audio_parts
from ser.errors import DataError
from ser.features import compute
from ser.features import extract as archives
from ser.features.config import EGEMAPS, FeatureConfig, side_by_side
from ser.system.files import read_json, write_json
from tests.fakes.checkpoints import WRITERS
from tests.features.data_dir import FBANK, archive, extract, interrupted, read_scp, write_corpus

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*mismatched.*mask:UserWarning"),
]


@pytest.fixture
def readers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as pool:
        yield pool


def batched(readers, config: FeatureConfig, parts: list[compute.Part]) -> list[np.ndarray]:
    return list(compute._in_batches(readers, config, "cpu", parts))


@pytest.fixture
def small(monkeypatch):
    """Windows of five utterances and batches of half a second: two to four utterances of a tenth and more."""
    monkeypatch.setattr(compute, "WINDOW", 5)
    monkeypatch.setattr(compute, "BATCH_SECONDS", 0.5)


@pytest.mark.parametrize("pooling", ["mean", "none"])
@pytest.mark.parametrize("upstream", ["hubert_local", "wavlm_local"])
def test_each_utterance_is_what_it_is_alone(upstream, pooling, small, readers, tmp_path):
    data_dir, _ = write_corpus(tmp_path, 13, n_samples=1600)
    ckpt = str(WRITERS[upstream](tmp_path / "ckpt.pt"))
    config = FeatureConfig(upstream=upstream, ckpt=ckpt, layer=1, pooling=pooling, precision="bf16")
    parts = list(read_audio_parts(data_dir).items())
    parts = [parts[i] for i in (3, 12, 0, 7, 1, 11, 2, 9, 4, 10, 5, 8, 6)]  # not in the order of their lengths
    found = batched(readers, config, parts)
    for part, array in zip(parts, found, strict=True):
        alone = compute._compute(config, "cpu", part)
        assert array.shape == alone.shape and array.dtype == np.float32
        np.testing.assert_allclose(array, alone, atol=0.03)  # rounded to bf16, of another batch


def test_utterances_of_like_length_go_together_in_bounded_batches(small, readers, tmp_path, monkeypatch):
    data_dir, _ = write_corpus(tmp_path, 13, n_samples=1600)
    sizes: list[list[int]] = []

    def extractor(config, device):
        return lambda wavs: sizes.append([len(wav) for wav in wavs]) or [np.float32([len(wav)]) for wav in wavs]

    monkeypatch.setattr(compute, "_extractor", extractor)
    parts = list(read_audio_parts(data_dir).items())
    found = batched(readers, FBANK, parts)
    assert [int(array[0]) for array in found] == [1600 + 37 * i for i in range(13)]
    assert [len(s) for s in sizes] == [4, 1, 4, 1, 3]  # windows of 5, 5 and 3
    for batch in sizes:
        assert batch == sorted(batch, reverse=True)
        assert max(batch) * len(batch) <= 0.5 * 16_000


def test_audio_is_read_ahead_and_no_further(small, readers, tmp_path, monkeypatch):
    data_dir, _ = write_corpus(tmp_path, 30)
    begun: list[str] = []
    read = compute._read
    monkeypatch.setattr(compute, "_read", lambda item: begun.append(item[0]) or read(item))
    monkeypatch.setattr(compute, "_extractor", lambda *_: lambda wavs: [np.zeros(1, np.float32) for _ in wavs])
    arrays = compute._in_batches(readers, FBANK, "cpu", list(read_audio_parts(data_dir).items()))
    next(arrays)
    assert 5 <= len(begun) <= 15  # the window, and two more of them
    assert len(list(arrays)) == 29 and sorted(begun) == sorted(read_audio_parts(data_dir))


@pytest.mark.parametrize(
    "error", [torch.cuda.OutOfMemoryError("no memory"), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when")]
)
def test_a_batch_that_does_not_fit_is_halved(error, readers, tmp_path, monkeypatch):
    data_dir, _ = write_corpus(tmp_path, 7)
    sizes = []

    def extractor(most, wavs):
        sizes.append(len(wavs))
        if len(wavs) > most:
            raise error
        return [np.float32([len(wav)]) for wav in wavs]

    parts = list(read_audio_parts(data_dir).items())
    monkeypatch.setattr(compute, "_extractor", lambda *_: partial(extractor, 2))
    assert [int(a[0]) for a in batched(readers, FBANK, parts)] == [2000 + 37 * i for i in range(7)]
    assert sizes == [7, 3, 1, 2, 4, 2, 2]
    monkeypatch.setattr(compute, "_extractor", lambda *_: partial(extractor, 0))
    with pytest.raises(DataError, match="^c-s-u06: 0 s do not fit into the GPU's memory; free some .* --device cpu"):
        batched(readers, FBANK, parts)


def test_another_error_of_a_batch_stays_what_it_is(readers, tmp_path, monkeypatch):
    data_dir, _ = write_corpus(tmp_path, 2)

    def extractor(wavs):
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(compute, "_extractor", lambda *_: extractor)
    with pytest.raises(RuntimeError, match="device-side assert"):
        batched(readers, FBANK, list(read_audio_parts(data_dir).items()))


def test_what_cannot_be_read_or_is_not_finite_is_named(small, readers, tmp_path, monkeypatch):
    data_dir, wavs = write_corpus(tmp_path, 8)
    parts = list(read_audio_parts(data_dir).items())
    monkeypatch.setattr(compute, "_extractor", lambda *_: lambda w: [np.float32([np.nan])] * len(w))
    with pytest.raises(DataError, match=r"^c-s-u00: its features are not finite; listen to '.*0\.wav'$"):
        batched(readers, FBANK, parts)
    monkeypatch.undo()
    wavs["c-s-u06"].write_bytes(b"no audio")
    with pytest.raises(DataError, match=r"^c-s-u06: .*6\.wav: not audio that libsndfile reads"):
        batched(readers, FBANK, parts)


@pytest.fixture
def as_on_a_gpu(small, monkeypatch):
    """Batches as for a GPU, computed here."""
    monkeypatch.setattr(archives, "device_of", lambda device: device)
    monkeypatch.setattr(archives, "fast_precision", lambda device: "bf16")
    monkeypatch.setattr(compute, "_extractor", lambda config, _: extractor_of_batches)


def extractor_of_batches(wavs: list[torch.Tensor]) -> list[np.ndarray]:
    """Give digits that depend on what is computed together, as a GPU's do."""
    return [np.float32([len(wav), len(wavs), sum(map(len, wavs))]) for wav in wavs]


def on_a_gpu(data_dir: Path, dump: Path, config: FeatureConfig = FBANK) -> Path:
    archives.extract_stale([("f", config)], [data_dir], dump, 2, "cuda")
    return dump / config.folder("f") / data_dir.name


def test_an_interrupted_archive_comes_out_the_same_on_a_gpu(as_on_a_gpu, tmp_path):
    """Whole windows are computed again."""
    data_dir, _ = write_corpus(tmp_path, 13, n_samples=1600)
    finished = on_a_gpu(data_dir, tmp_path / "undisturbed")
    ark = (finished / "feats.ark").read_bytes()
    vectors = read_scp(finished)
    assert [int(v[0]) for v in vectors.values()] == [1600 + 37 * i for i in range(13)]
    record = len(ark) // 13
    for n in (0, 3, 5, 7, 12, 13):
        folder = interrupted(data_dir, tmp_path / str(n), ark[: n * record + (n < 13) * 9], FBANK)
        marks = folder / "feats.ark.part.json"
        write_json(marks, read_json(marks) | {"batches_of": 5})
        assert on_a_gpu(data_dir, tmp_path / str(n)) == folder
        assert archive(folder) == archive(finished), n


def test_what_a_gpu_has_begun_is_not_gone_on_with_on_a_cpu(as_on_a_gpu, tmp_path, monkeypatch):
    """Nor the other way round: an archive's digits are of one kind."""
    data_dir, _ = write_corpus(tmp_path, 13, n_samples=1600)
    number = {"cpu": 1, "cuda": 2}
    monkeypatch.setattr(
        compute, "_extractor", lambda _, device: lambda wavs: [np.float32([number[device]])] * len(wavs)
    )
    of_gpu, of_cpu = on_a_gpu(data_dir, tmp_path / "gpu"), extract(data_dir, tmp_path / "cpu", FBANK)
    for begun, marks, go_on, device in (
        (of_gpu, {"batches_of": 5}, extract, "cpu"),
        (of_cpu, {}, on_a_gpu, "cuda"),
    ):
        dump, ark = tmp_path / f"on {device}", (begun / "feats.ark").read_bytes()
        folder = interrupted(data_dir, dump, ark[: len(ark) // 2], FBANK)
        write_json(folder / "feats.ark.part.json", read_json(folder / "feats.ark.part.json") | marks)
        assert {float(v[0]) for v in read_scp(go_on(data_dir, dump, FBANK)).values()} == {number[device]}


def test_encoders_do_not_pile_up(tmp_path):
    ckpts = [str(WRITERS["wavlm_local"](tmp_path / f"{n}.pt")) for n in range(2)]
    for ckpt in ckpts:
        compute._extractor(FeatureConfig(upstream="wavlm_local", ckpt=ckpt), "cpu")
    assert compute._extractor.cache_info().currsize == 1


@pytest.mark.parametrize("upstream", ["spectrogram_segments", "shortcut", EGEMAPS])
def test_what_a_gpu_does_not_compute_is_computed_in_processes(upstream):
    config = FeatureConfig(upstream=upstream, pooling="none" if upstream.startswith("spec") else "mean")
    assert compute.step_of(config, "cuda") == 1
    assert compute.step_of(FBANK, "cuda") == compute.WINDOW and compute.step_of(FBANK, "cpu") == 1


def test_on_a_gpu_what_needs_none_is_computed_in_processes(as_on_a_gpu, tmp_path, monkeypatch):
    pytest.importorskip("opensmile")
    data_dir, _ = write_corpus(tmp_path, 3, n_samples=16_000)
    config = FeatureConfig(upstream=EGEMAPS)
    expected = archive(extract(data_dir, tmp_path / "cpu", config))
    monkeypatch.setattr(compute, "_in_batches", None)
    assert archive(on_a_gpu(data_dir, tmp_path / "gpu", config)) == expected


def test_auto_says_what_it_does_on_a_gpu(as_on_a_gpu, tmp_path, capsys):
    data_dir, _ = write_corpus(tmp_path, 2)
    ckpt = str(WRITERS["wavlm_local"](tmp_path / "ckpt.pt"))
    on_a_gpu(data_dir, tmp_path / "dump", FeatureConfig(upstream="wavlm_local", ckpt=ckpt, precision="auto"))
    assert "wavlm_local: bf16 on a GPU in batches, the fastest here" in capsys.readouterr().out


def test_vectors_stand_side_by_side_in_the_order_of_their_names():
    samples = np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10
    shortcut = FeatureConfig(upstream="shortcut")
    found = compute.feature_of(side_by_side({"f": FBANK, "s": shortcut}), "cpu", samples, 16_000)
    expected = [compute.feature_of(config, "cpu", samples, 16_000) for config in (FBANK, shortcut)]
    assert found.tolist() == np.concatenate(expected).tolist()


def test_a_killed_worker_is_told_with_the_utterance_and_what_to_do():
    """Out of memory, say: a bare BrokenProcessPool names nothing."""
    from concurrent.futures import Future
    from concurrent.futures.process import BrokenProcessPool

    class Pool:
        n = 0

        def submit(self, function, item):
            self.n += 1
            if self.n > 3:
                raise BrokenProcessPool
            future = Future()
            future.set_result(item) if self.n == 1 else future.set_exception(BrokenProcessPool())
            return future

    found = compute._in_order(Pool(), None, [(f"c-1-{i}", None) for i in range(5)], 4)
    with pytest.raises(DataError, match=r"^c-1-1: a worker process was killed .*; run again with a smaller --nj"):
        assert [next(found)[0], next(found)] == ["c-1-0"]
