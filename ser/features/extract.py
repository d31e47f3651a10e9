"""From audio to one vector per utterance in a kaldiio archive, once per corpus, shared by all recipes.

`dump/<feature>-<key>/<corpus>/` holds `feats.ark`, `feats.scp` and `feats.json`. Vectors are appended in the order
of the data directory, so a run that was killed goes on after the last whole vector and the archive comes out
the same, byte for byte, with any number of workers.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.devices import Device
from ser.errors import DataError
from ser.features.config import FeatureConfig
from ser.files import hash_file, read_json, write_json, write_text
from ser.kaldi_io import read_map, read_segments
from ser.progress import progress

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

PART = "feats.ark.part"


def up_to_date(config: FeatureConfig, data_dir: Path, dump_dir: Path) -> bool:
    """Tell whether an archive holds this feature of exactly this audio."""
    info = dump_dir / "feats.json"
    return info.exists() and read_json(info)["made_from"] == _made_from(config, data_dir)


def _made_from(config: FeatureConfig, data_dir: Path) -> dict[str, Any]:
    try:
        return {"feature": config.identity(), "audio": hash_file(data_dir / "utt2hash")}
    except FileNotFoundError:
        raise DataError(f"{data_dir}: no data directory; run stage 1") from None


Feature = tuple[str, FeatureConfig]
"""Its name, and what it is."""


def extract_stale(
    features: Sequence[Feature], data_dirs: Sequence[Path], dump_root: Path, nj: int, device: Device
) -> None:
    """Extract features for the corpora whose archive is missing or was made from other audio.

    Args:
        features: what to extract.
        data_dirs: valid data directories.
        dump_root: archives go to `<feature>-<key>/<corpus>/` below it.
        nj: worker processes; results do not depend on it.
        device: on a GPU one process does all.

    Raises:
        DataError: for audio that cannot be decoded or gives no finite vector, with its id.
    """
    stale = []
    for name, config in features:
        dumps = [(data_dir, dump_root / config.folder(name) / data_dir.name) for data_dir in data_dirs]
        of_feature = [(config, *dirs) for dirs in dumps if not up_to_date(config, *dirs)]
        stale += of_feature
        if not of_feature:
            print(f"{name}: up to date")
    if not stale:
        return
    with _workers(nj, device) as mapped:  # one pool for all
        for config, data_dir, dump in stale:
            times = read_segments(data_dir)
            parts = [(u, wav, *times.get(u, (None, None))) for u, wav in read_map(data_dir / "wav.scp").items()]
            with _alone(dump):
                if not up_to_date(config, data_dir, dump):
                    made_from = _made_from(config, data_dir)
                    _extract_corpus(made_from, parts, dump, lambda items, c=config: mapped(c, items))
            print(f"wrote {dump}")


Part = tuple[str, str, float | None, float | None]
"""Utterance id, audio file, and start and end in seconds where it is a segment of the file."""

Mapped = Callable[[Sequence[Part]], Iterator["np.ndarray"]]


@contextlib.contextmanager
def _alone(dump_dir: Path) -> Iterator[None]:
    """Wait until no other process writes this archive, which all recipes share."""
    dump_dir.parent.mkdir(parents=True, exist_ok=True)
    with open(dump_dir.with_name(f".{dump_dir.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _extract_corpus(made_from: dict[str, Any], parts: Sequence[Part], dump_dir: Path, mapped: Mapped) -> None:
    import kaldiio

    dump_dir.mkdir(parents=True, exist_ok=True)
    part, part_info = dump_dir / PART, dump_dir / f"{PART}.json"
    if not (part_info.exists() and read_json(part_info) == made_from):
        part.unlink(missing_ok=True)
        write_json(part_info, made_from)
    offsets, size = _whole_records(part, [utt for utt, *_ in parts])
    with open(part, "ab") as ark:
        ark.truncate(size)
        ark.seek(size)  # truncating does not move the place that `tell` tells
        left = [item for item in parts if item[0] not in offsets]
        vectors = zip(left, mapped(left), strict=True)
        name = f"{dump_dir.parent.name}/{dump_dir.name}"
        for (utt, *_), vector in progress(vectors, name, len(parts), done=len(offsets)):
            offsets[utt] = ark.tell() + len(utt.encode()) + 1
            kaldiio.save_ark(ark, {utt: vector})
            dim = len(vector)
        ark.flush()
        os.fsync(ark.fileno())
    dim = dim if left else len(kaldiio.load_mat(f"{part}:{next(iter(offsets.values()))}"))
    ark_name = dump_dir / "feats.ark"
    (dump_dir / "feats.json").unlink(missing_ok=True)  # an older one would vouch for the new archive
    part.rename(ark_name)
    write_text(dump_dir / "feats.scp", "".join(f"{utt} {ark_name}:{offsets[utt]}\n" for utt, *_ in parts))
    write_json(dump_dir / "feats.json", {"made_from": made_from, "n": len(parts), "dim": dim})
    part_info.unlink()


def _whole_records(part: Path, utts: Sequence[str]) -> tuple[dict[str, int], int]:
    """Find how far an interrupted archive is whole: offset of each vector, and the size up to there."""
    import kaldiio

    offsets: dict[str, int] = {}
    size, vector_bytes = 0, None
    if not part.exists():
        return offsets, size
    total = part.stat().st_size
    with open(part, "rb") as ark:
        for expected in utts:
            key = expected.encode() + b" "
            head = ark.read(len(key) + 10)  # '\0B', 'FV ', one byte 4, four bytes of dimension
            if len(head) < len(key) + 10 or not head.startswith(key):
                break
            vector_bytes = 4 * int.from_bytes(head[-4:], "little")
            end = ark.tell() + vector_bytes
            if end > total:
                break
            offsets[expected] = size + len(key)
            size = end
            ark.seek(end)
    if offsets:  # the reader of the archive has to agree with the walk above
        kaldiio.load_mat(f"{part}:{list(offsets.values())[-1]}")
    return offsets, size


@contextlib.contextmanager
def _workers(nj: int, device: Device) -> Iterator[Callable[..., Iterator[np.ndarray]]]:
    """Give a function that maps a feature and utterances to vectors in order, in this process or in several."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if nj == 1 or device == "cuda":
        yield lambda config, items: map(partial(_compute, config, device), items)
        return
    with ProcessPoolExecutor(nj, multiprocessing.get_context("spawn"), initializer=_end_with_parent) as pool:
        try:
            yield lambda config, items: pool.map(partial(_compute, config, device), items, chunksize=4)
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Watch the parent from a thread: if it were killed, its workers would wait for work for ever."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _compute(config: FeatureConfig, device: Device, item: Part) -> np.ndarray:
    import numpy as np

    from ser.audio import load

    utt, wav, start, end = item
    try:
        vector = _vector_of(config, device)(load(wav, start=start, end=end))
    except DataError as error:
        raise DataError(f"{utt}: {error}") from None
    if not np.isfinite(vector).all():
        raise DataError(f"{utt}: its feature vector is not finite; listen to '{wav}'")
    return vector


@cache
def _vector_of(config: FeatureConfig, device: Device) -> Callable[[Tensor], np.ndarray]:
    """Load an upstream, once per process; one thread each, so that digits do not depend on their number."""
    import torch

    from ser.features.shortcut import shortcut

    if device == "cpu":
        torch.set_num_threads(1)
    if config.upstream == "shortcut":
        return lambda samples: shortcut(samples).numpy()
    from ser import upstreams
    from ser.devices import make_fabric
    from ser.features.pool import pool

    fabric = make_fabric(device, config.precision)
    upstream = upstreams.load(config.upstream, config.ckpt_file(), config.hop_ms, fabric.device)

    def vector(samples: Tensor) -> np.ndarray:
        with fabric.autocast():
            layers = upstream(samples).float()  # (L, T', D)
        return pool(layers, config.layer, config.pooling).cpu().numpy()

    return vector


def read_features(dump_dir: Path) -> tuple[list[str], np.ndarray]:
    """Read an archive of vectors.

    Returns:
        Utterance ids, and their vectors as (N, D) float32.

    Raises:
        DataError: if stage 3 has not finished it.
    """
    import kaldiio
    import numpy as np

    if not (dump_dir / "feats.json").exists():
        raise DataError(f"{dump_dir}: no finished features; run stage 3")
    records = list(kaldiio.load_ark(str(dump_dir / "feats.ark")))
    return [utt for utt, _ in records], np.stack([vector for _, vector in records])
