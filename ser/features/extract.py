"""From audio to a vector or a matrix of frames per utterance in a Kaldi archive, once per corpus, for all recipes.

`dump/<feature>-<key>/<corpus>/` holds `feats.ark`, `feats.scp`, `feats.json` and, with frames, `utt2num_frames`.
Records are appended in the order of the data directory, so a run that was killed goes on after the last whole record
and the archive comes out the same, byte for byte, with any number of workers. Not here: reading frames (`frames.py`).
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ser.audio import load_native, resampled
from ser.devices import Device, device_of, fast_precision
from ser.errors import DataError
from ser.features.config import EGEMAPS, SHORTCUT, FeatureConfig, made_from_audio
from ser.features.egemaps import egemaps
from ser.files import alone, changed_files, hash_file, naming, read_json, write_json, write_text
from ser.kaldi_io import AudioPart, read_audio_parts, write_map
from ser.progress import progress

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

PART = "feats.ark.part"
NUM_FRAMES = "utt2num_frames"

AHEAD = 16
"""Utterances per worker that may wait for their turn to be written: frames of a corpus do not fit into memory."""


def up_to_date(config: FeatureConfig, data_dir: Path, dump_dir: Path) -> bool:
    """Tell whether an archive holds this feature of exactly this audio."""
    info = dump_dir / "feats.json"
    return (
        info.exists()
        and (dump_dir / "feats.ark").exists()
        and read_json(info)["made_from"] == _made_from(config, data_dir)
    )


def _made_from(config: FeatureConfig, data_dir: Path) -> dict[str, Any]:
    return {"feature": config.identity(), "audio": made_from_audio(data_dir)}


Feature = tuple[str, FeatureConfig]
"""Its name, and what it is."""

Job = tuple[str, FeatureConfig, Path]
"""A feature's name and what it is, and a data directory."""


def extract_stale(
    features: Sequence[Feature], data_dirs: Sequence[Path], dump_root: Path, nj: int, device: Device
) -> None:
    """Extract features for the corpora whose archive is missing or was made from other audio; see `extract`."""
    extract(find_stale(features, data_dirs, dump_root), dump_root, nj, device)


def find_stale(features: Sequence[Feature], data_dirs: Sequence[Path], dump_root: Path) -> list[Job]:
    """List features and corpora whose archive is missing or was made from other audio; say what is up to date."""
    stale = []
    for name, config in features:
        of_feature = [d for d in data_dirs if not up_to_date(config, d, dump_root / config.folder(name) / d.name)]
        stale += [(name, config, data_dir) for data_dir in of_feature]
        if not of_feature:
            print(f"{name}: up to date")
    return stale


def extract(jobs: Sequence[Job], dump_root: Path, nj: int, device: Device) -> None:
    """Write an archive for each job, one after another.

    Args:
        jobs: features of valid data directories.
        dump_root: archives go to `<feature>-<key>/<corpus>/` below it.
        nj: worker processes; results do not depend on it.
        device: on a GPU one process does all.

    Raises:
        DataError: for audio that cannot be decoded or gives no finite features, with its id.
    """
    if not jobs:
        return
    device = device_of(device) if any(config.is_network for _, config, _ in jobs) else "cpu"
    with _workers(nj, device) as mapped:  # one pool for all
        for name, config, data_dir in jobs:
            dump = dump_root / config.folder(name) / data_dir.name
            parts = list(read_audio_parts(data_dir).items())
            with alone(dump):  # all recipes share it
                if not up_to_date(config, data_dir, dump):
                    fitting = _fitting(config, device, nj)
                    _extract_corpus(fitting, _made_from(config, data_dir), parts, dump, mapped)
            print(f"wrote {dump}")


def _fitting(config: FeatureConfig, device: Device, nj: int) -> FeatureConfig:
    """Choose what the configuration leaves to the machine, and say so."""
    if config.precision != "auto":
        return config
    precision = fast_precision(device)
    where = "a GPU" if device == "cuda" else f"{nj} processes of one thread"
    print(f"{config.upstream}: {precision} on {where}, the fastest here; 'precision: fp32' in its YAML overrides")
    return config.model_copy(update={"precision": precision})


Part = tuple[str, AudioPart]
"""Utterance id, and where its audio is."""

Mapped = Callable[[FeatureConfig, Sequence[Part]], Iterator["np.ndarray"]]


class _Record(NamedTuple):
    """Where a vector or a matrix of an archive begins, behind its id, and its shape."""

    offset: int
    shape: tuple[int, ...]


def _extract_corpus(
    config: FeatureConfig, made_from: dict[str, Any], parts: Sequence[Part], dump_dir: Path, mapped: Mapped
) -> None:
    import kaldiio

    dump_dir.mkdir(parents=True, exist_ok=True)
    part, part_info = dump_dir / PART, dump_dir / f"{PART}.json"
    begun = {"made_from": made_from, "precision": config.precision}
    if not (part_info.exists() and read_json(part_info) == begun):
        part.unlink(missing_ok=True)
        write_json(part_info, begun)
    records, size = _whole_records(part, [utt for utt, _ in parts], n_dims=2 if config.is_sequence else 1)
    with naming(part), open(part, "ab") as ark:
        ark.truncate(size)
        ark.seek(size)  # truncating does not move the place that `tell` tells
        left = [item for item in parts if item[0] not in records]
        arrays = zip(left, mapped(config, left), strict=True)
        name = f"{dump_dir.parent.name}/{dump_dir.name}"
        for (utt, _), array in progress(arrays, name, len(parts), done=len(records)):
            records[utt] = _Record(ark.tell() + len(utt.encode()) + 1, array.shape)
            kaldiio.save_ark(ark, {utt: array})
        ark.flush()
        os.fsync(ark.fileno())
    ark_name = dump_dir / "feats.ark"
    (dump_dir / "feats.json").unlink(missing_ok=True)  # an older one would vouch for the new archive
    part.rename(ark_name)
    write_text(dump_dir / "feats.scp", "".join(f"{utt} {ark_name}:{records[utt].offset}\n" for utt, _ in parts))
    info = {**begun, "n": len(parts), "dim": next(iter(records.values())).shape[-1]}
    if not config.is_sequence:  # frames are too many to be read only to see whether they are as they were
        info["hash"] = hash_file(ark_name)
    else:
        segments = config.segment_settings
        info["frames"] = sum(record.shape[0] for record in records.values())
        info["frame_shape"] = [info["dim"]] if segments is None else list(segments.shape)
        write_map(dump_dir / NUM_FRAMES, {utt: record.shape[0] for utt, record in records.items()})
    write_json(dump_dir / "feats.json", info)
    part_info.unlink()


def header(shape: Sequence[int]) -> bytes:
    """Give what stands in an archive between an id and the float32 numbers of its vector or matrix.

    Example:
        >>> header([3, 258])
        b'\\x00BFM \\x04\\x03\\x00\\x00\\x00\\x04\\x02\\x01\\x00\\x00'
    """
    kind = b"\0BFV " if len(shape) == 1 else b"\0BFM "
    return kind + b"".join(b"\4" + size.to_bytes(4, "little") for size in shape)


def _whole_records(part: Path, utts: Sequence[str], n_dims: int) -> tuple[dict[str, _Record], int]:
    """Find how far an interrupted archive is whole: its records, and the size up to there."""
    import kaldiio

    records: dict[str, _Record] = {}
    size = 0
    if not part.exists():
        return records, size
    total, n_header = part.stat().st_size, len(header([0] * n_dims))
    with open(part, "rb") as ark:
        for expected in utts:
            key = expected.encode() + b" "
            head = ark.read(len(key) + n_header)
            sizes = head[-5 * n_dims :]
            shape = tuple(int.from_bytes(sizes[i + 1 : i + 5], "little") for i in range(0, 5 * n_dims, 5))
            if head != key + header(shape):  # cut off, or not what we write
                break
            end = ark.tell() + 4 * math.prod(shape)
            if end > total:
                break
            records[expected] = _Record(size + len(key), shape)
            size = end
            ark.seek(end)
    if records:  # the reader of the archive has to agree with the walk above
        kaldiio.load_mat(f"{part}:{list(records.values())[-1].offset}")
    return records, size


@contextlib.contextmanager
def _workers(nj: int, device: Device) -> Iterator[Mapped]:
    """Give a function that maps a feature and utterances to arrays in order, in this process or in several."""
    if nj == 1 or device == "cuda":
        yield lambda config, items: map(partial(_compute, config, device), items)
        return
    with ProcessPoolExecutor(nj, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
        try:
            yield lambda config, items: _in_order(pool, partial(_compute, config, device), items, AHEAD * nj)
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, function: Callable[[Part], np.ndarray], items: Sequence[Part], ahead: int
) -> Iterator[np.ndarray]:
    """Map as `pool.map` does, but hold `ahead` results at most, however slowly they are taken."""
    waiting: deque[Future[np.ndarray]] = deque()
    for item in items:
        if len(waiting) == ahead:
            yield waiting.popleft().result()
        waiting.append(pool.submit(function, item))
    while waiting:
        yield waiting.popleft().result()


def end_with_parent() -> None:
    """Watch the parent from a thread: if it were killed, its workers would wait for work for ever."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _compute(config: FeatureConfig, device: Device, item: Part) -> np.ndarray:
    import numpy as np

    utt, audio = item
    try:
        array = feature_of(config, device, *load_native(audio.path, audio.start, audio.end))
        audio.check()
    except DataError as error:
        raise DataError(f"{utt}: {error}") from None
    if not np.isfinite(array).all():
        raise DataError(f"{utt}: its features are not finite; listen to '{audio.path}'")
    return array


def feature_of(config: FeatureConfig, device: Device, samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Compute the feature of one utterance.

    Args:
        config: of the feature.
        device: where an upstream computes.
        samples: in [-1, 1], (T,) float32.
        rate_hz: their rate, a file's own; openSMILE alone takes it, all else is resampled.

    Returns:
        float32: (D,), or (T', D) for a sequence; segments are flattened, (S, frames * bins).
    """
    if config.upstream == EGEMAPS:
        return egemaps(samples, rate_hz)
    at_16_khz = resampled(samples, rate_hz)
    if config.upstream == SHORTCUT:
        from ser.features.shortcut import shortcut

        return shortcut(at_16_khz)
    import torch

    return _extractor(config, device)(torch.from_numpy(at_16_khz))


@cache
def _extractor(config: FeatureConfig, device: Device) -> Callable[[Tensor], np.ndarray]:
    """Load an upstream, once per process; one thread each, so that digits do not depend on their number.

    Returns:
        From samples (T,) to float32: (D,), or (T', D) for a sequence; segments are flattened, (S, frames * bins).
    """
    import torch

    from ser.features.spectrogram import spectrogram_segments

    if device == "cpu":
        torch.set_num_threads(1)
    if config.segment_settings is not None:
        settings = config.segment_settings.model_dump()
        return lambda samples: spectrogram_segments(samples, **settings).flatten(1).numpy()
    from ser import upstreams
    from ser.features.pool import pool

    up_to = config.layer if isinstance(config.layer, int) else None
    upstream = upstreams.load(
        config.upstream, config.ckpt_file(), config.hop_ms, torch.device(device), config.precision, up_to
    )
    return lambda samples: pool(upstream(samples), config.layer, config.pooling).cpu().numpy()


def read_features(dump_dir: Path) -> tuple[list[str], np.ndarray]:
    """Read an archive of vectors.

    Returns:
        Utterance ids, and their vectors as (N, D) float32.

    Raises:
        DataError: if stage 3 has not finished it, it was changed since, or it holds frames.
    """
    import kaldiio
    import numpy as np

    info = read_info(dump_dir)
    if "frame_shape" in info:
        raise DataError(f"{dump_dir}: holds frames, not one vector per utterance; name a feature that pools them")
    if "hash" in info and changed_files(dump_dir, {"feats.ark": info["hash"]}):
        raise DataError(
            f"{dump_dir / 'feats.ark'} is not what stage 3 wrote; delete {dump_dir} and run stage 3 again"
        )
    records = list(kaldiio.load_ark(str(dump_dir / "feats.ark")))
    return [utt for utt, _ in records], np.stack([vector for _, vector in records])


def read_info(dump_dir: Path) -> dict[str, Any]:
    """Read what a finished archive holds and was made from.

    Raises:
        DataError: if stage 3 has not finished it.
    """
    try:
        return read_json(dump_dir / "feats.json")
    except FileNotFoundError:
        raise DataError(f"{dump_dir}: no finished features; run stage 3") from None
