"""From audio to a vector or a matrix of frames per utterance in a Kaldi archive, once per corpus, for all recipes.

`dump/<feature>-<key>/<corpus>/` holds `feats.ark`, `feats.scp`, `feats.json` and, with frames, `utt2num_frames`. A
corpus of more than `PER_ARCHIVE` utterances has `feats.1.ark`, `feats.2.ark` and so on, each a job of its own.
Records are appended in the order of the data directory, so a run that was killed goes on after the last whole record
and archives come out the same, byte for byte, with any number of workers. Not here: computing (`compute.py`) and
reading frames (`frames.py`).
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ser.data.archives import append, read_archive, whole_records
from ser.data.data_dir import read_audio_parts
from ser.data.maps import read_map, write_map
from ser.errors import DataError
from ser.features import own
from ser.features.compute import Mapped, Part, step_of, workers
from ser.features.config import OWN, FeatureConfig, made_from_audio
from ser.system.devices import Device, device_of, fast_precision
from ser.system.files import alone, changed_files, hash_file, naming, read_json, remove, write_json, write_text
from ser.system.progress import progress

if TYPE_CHECKING:
    import numpy as np

ARCHIVE = "feats.ark"
NUM_FRAMES = "utt2num_frames"

PER_ARCHIVE = 10_000
"""Utterances of one archive: those of a larger corpus are written and can be read side by side."""


def up_to_date(config: FeatureConfig, data_dir: Path, dump_dir: Path) -> bool:
    """Tell whether an archive holds this feature of exactly this audio."""
    info = dump_dir / "feats.json"
    if not info.exists():
        return False
    told = read_json(info)
    return told["made_from"] == _made_from(config, data_dir) and all(ark.exists() for ark in archives(dump_dir, told))


def _made_from(config: FeatureConfig, data_dir: Path) -> dict[str, Any]:
    files = {"files": own.state(config, data_dir.name)} if config.upstream == OWN else {}
    return {"feature": config.identity(), "audio": made_from_audio(data_dir), **files}


Feature = tuple[str, FeatureConfig]
"""Its name, and what it is."""


class Job(NamedTuple):
    """One archive of a feature and a corpus.

    Attributes:
        name: of the feature.
        config: what it is.
        data_dir: of the corpus.
        archive: which one, from 1.
    """

    name: str
    config: FeatureConfig
    data_dir: Path
    archive: int


def extract_stale(
    features: Sequence[Feature], data_dirs: Sequence[Path], dump_root: Path, nj: int, device: Device
) -> None:
    """Extract features for the corpora whose archive is missing or was made from other audio; see `extract`."""
    extract(find_stale(features, data_dirs, dump_root), dump_root, nj, device)


def find_stale(features: Sequence[Feature], data_dirs: Sequence[Path], dump_root: Path) -> list[Job]:
    """List the archives of features and corpora that are missing or made from other audio; say what is up to date."""
    stale = []
    for name, config in features:
        of_feature = [d for d in data_dirs if not up_to_date(config, d, dump_root / config.folder(name) / d.name)]
        for data_dir in of_feature:
            n_archives = len(archive_names(len(read_map(data_dir / "wav.scp"))))
            stale += [Job(name, config, data_dir, number) for number in range(1, n_archives + 1)]
        if not of_feature:
            print(f"{name}: up to date")
    return stale


def extract(jobs: Sequence[Job], dump_root: Path, nj: int, device: Device) -> None:
    """Write an archive for each job, one after another.

    Args:
        jobs: features of valid data directories.
        dump_root: archives go to `<feature>-<key>/<corpus>/` below it.
        nj: worker processes, or threads that read audio for a GPU; results do not depend on it.
        device: of networks.

    Raises:
        DataError: for audio that cannot be decoded or gives no finite features, with its id.
    """
    if not jobs:
        return
    device = device_of(device) if any(job.config.is_network for job in jobs) else "cpu"
    parts_of: dict[Path, list[Part]] = {}  # of one corpus, whose archives follow one another
    first = next((_fitting(job.config, device) for job in jobs if job.config.is_network), None)
    with workers(nj, device, first) as mapped:  # one pool for all
        for name, config, data_dir, number in jobs:
            dump = dump_root / config.folder(name) / data_dir.name
            if data_dir not in parts_of:
                parts_of = {data_dir: list(read_audio_parts(data_dir).items())}
            parts = parts_of[data_dir]
            is_own = config.upstream == OWN
            names = archive_names(len(parts))
            if number > len(names):
                raise DataError(f"{data_dir}: has changed since stage 3 listed its archives; run stage 3 again")
            ark = dump / names[number - 1]
            begun = {"made_from": _made_from(config, data_dir)}
            with alone(dump.with_name(f"{dump.name}.{number}")):  # all recipes share it
                if not up_to_date(config, data_dir, dump):
                    fitting = _fitting(config, device)
                    if fitting is not config:
                        where = "a GPU in batches" if device == "cuda" else f"{nj} processes of one thread"
                        print(
                            f"{config.upstream}: {fitting.precision} on {where}, the fastest here; 'precision: fp32' "
                            "in its YAML overrides"
                        )
                    begun["precision"] = fitting.precision
                    if (step := step_of(config, device)) > 1:
                        begun["batches_of"] = step  # not gone on with on a CPU, whose digits are others
                    share = parts[(number - 1) * PER_ARCHIVE : number * PER_ARCHIVE]
                    _write_archive(fitting, begun, share, ark, _own(data_dir, parts) if is_own else mapped, step)
            with alone(dump):
                if up_to_date(config, data_dir, dump) or _finish(config, begun, parts, dump):
                    print(f"wrote {dump}")
                else:
                    print(f"wrote {ark}; other archives are missing")


def _own(data_dir: Path, parts: Sequence[Part]) -> Mapped:
    """Read features that were computed elsewhere in place of computing them; say which ids are not asked for."""

    def read(config: FeatureConfig, items: Sequence[Part]) -> Iterator[np.ndarray]:
        if note := own.surplus(config, data_dir.name, [utt for utt, _ in parts]):
            print(note)
        return own.read(config, data_dir.name, [utt for utt, _ in items])

    return read


def archive_names(n_utts: int) -> list[str]:
    """Name the archives of a corpus.

    Example:
        >>> archive_names(10_000), archive_names(10_001)
        (['feats.ark'], ['feats.1.ark', 'feats.2.ark'])
    """
    n = max(1, math.ceil(n_utts / PER_ARCHIVE))
    return [ARCHIVE] if n == 1 else [f"feats.{number}.ark" for number in range(1, n + 1)]


def archives(dump_dir: Path, info: Mapping[str, Any]) -> list[Path]:
    """List the archives of `feats.json`."""
    return [dump_dir / name for name in info.get("archives", [ARCHIVE])]


def _fitting(config: FeatureConfig, device: Device) -> FeatureConfig:
    """Choose what the configuration leaves to the machine."""
    if config.precision != "auto":
        return config
    return config.model_copy(update={"precision": fast_precision(device)})


def _write_archive(
    config: FeatureConfig, begun: dict[str, Any], parts: Sequence[Part], ark_path: Path, mapped: Mapped, step: int
) -> None:
    """Write one archive; `<archive>.part.json` records its inputs until all archives exist.

    An interrupted one goes on at a multiple of `step` utterances, so that the same are computed together.
    """
    ark_path.parent.mkdir(parents=True, exist_ok=True)
    part, part_info = _part(ark_path), _part_info(ark_path)
    if not (part_info.exists() and read_json(part_info) == begun):
        _check_ours(ark_path, part)
        for old in (ark_path.with_name("feats.json"), ark_path, part):  # which would be taken for this one
            old.unlink(missing_ok=True)
        write_json(part_info, begun)
    elif ark_path.exists():
        return
    utts, how = [utt for utt, _ in parts], _stored(config)
    records, size = whole_records(part, utts, *how)
    if len(records) < len(utts):
        records, size = whole_records(part, utts[: len(records) // step * step], *how)
    with naming(part), open(part, "ab") as ark:
        ark.truncate(size)
        ark.seek(size)  # truncating does not move the position
        left = [item for item in parts if item[0] not in records]
        arrays = zip(left, mapped(config, left), strict=True)
        name = f"{ark_path.parent.parent.name}/{ark_path.parent.name}"
        if config.layers is not None:
            arrays = _as_stored(arrays, config, name, len(left), ark_path.parent)
        for (utt, _), array in progress(arrays, name, len(parts), done=len(records)):
            append(ark, utt, array)
        ark.flush()
        os.fsync(ark.fileno())
    part.rename(ark_path)


def _stored(config: FeatureConfig) -> tuple[int, bool]:
    """Tell how an archive holds a feature: dimensions of a record, and whether it is of half precision."""
    return config.n_dims, config.storage == "fp16"


def _as_stored(
    arrays: Iterable[tuple[Part, np.ndarray]], config: FeatureConfig, name: str, n: int, folder: Path
) -> Iterator[tuple[Part, np.ndarray]]:
    """Give several layers their type on disk; before the first, say how large the archive will be.

    Raises:
        DataError: if the disk has no room for it.
    """
    for i, (part, array) in enumerate(arrays):
        if config.storage == "fp16":
            array = array.astype("float16")
        if i == 0:
            (n_layers, dim), n_bytes, free = array.shape, n * array.nbytes, shutil.disk_usage(folder).free
            said = f"{n} utterances of {n_layers} layers of {dim} numbers in {config.storage}: {n_bytes / 1e6:.1f} MB"
            if n_bytes > free:
                raise DataError(
                    f"{name}: {said}, and {folder} has {free / 1e6:.1f} MB left; set 'storage: fp16' or fewer "
                    "'layers' in the feature's YAML, or free some space"
                )
            print(f"{name}: {said}")
        yield part, array


def _check_ours(ark_path: Path, part: Path) -> None:
    """Refuse to overwrite files without a record of stage 3."""
    index, info = ark_path.with_name("feats.scp"), ark_path.with_name("feats.json")
    records = [info, *ark_path.parent.glob("feats*.ark.part.json")]
    if any(record.exists() and "made_from" in read_json(record) for record in records):
        return
    if index.exists() and re.match(r"\S+ .*/feats(\.\d+)?\.ark:\d+\n", index.read_text(encoding="utf-8")):
        return  # killed between removing an old record and writing the new one
    if there := [path for path in (*records, index, ark_path, part) if path.exists()]:
        raise DataError(f"{there[0]}: was not written by stage 3, and stays as it is; move it away and run again")


def _part(ark_path: Path) -> Path:
    return ark_path.with_name(f"{ark_path.name}.part")


def _part_info(ark_path: Path) -> Path:
    return ark_path.with_name(f"{ark_path.name}.part.json")


def _finish(config: FeatureConfig, begun: dict[str, Any], parts: Sequence[Part], dump_dir: Path) -> bool:
    """Write the index of all archives, if they are all there.

    Raises:
        DataError: if machines have chosen different precisions.
    """
    arks = [dump_dir / name for name in archive_names(len(parts))]
    told = [read_json(_part_info(ark)) if _part_info(ark).exists() and ark.exists() else {} for ark in arks]
    if any(one.get("made_from") != begun["made_from"] for one in told):
        return False
    if len(precisions := {one["precision"] for one in told}) > 1:
        raise DataError(
            f"{dump_dir}: archives of {' and '.join(sorted(precisions))}, because machines differ; set 'precision' "
            "in the "
            f"feature's YAML, delete {dump_dir} and run stage 3 again"
        )
    places, shapes = [], {}
    for number, ark in enumerate(arks):
        utts = [utt for utt, _ in parts[number * PER_ARCHIVE : (number + 1) * PER_ARCHIVE]]
        records, size = whole_records(ark, utts, *_stored(config))
        if len(records) < len(utts) or size != ark.stat().st_size:
            raise DataError(f"{ark}: is not what was written; delete {dump_dir} and run stage 3 again")
        places += [f"{utt} {ark}:{records[utt].offset}\n" for utt in utts]
        shapes |= {utt: records[utt].shape for utt in utts}
    write_text(dump_dir / "feats.scp", "".join(places))
    names = [ark.name for ark in arks]
    info = {**told[0], "archives": names, "n": len(parts), "dim": next(iter(shapes.values()))[-1]}
    if config.layers is not None:
        info["layers"] = next(iter(shapes.values()))[0]
    if not config.is_sequence:  # frames are too many to be read only to see whether they are as they were
        info["hashes"] = {ark.name: hash_file(ark) for ark in arks}
    else:
        segments = config.segment_settings
        info["frames"] = sum(shape[0] for shape in shapes.values())
        info["frame_shape"] = [info["dim"]] if segments is None else list(segments.shape)
        write_map(dump_dir / NUM_FRAMES, {utt: shape[0] for utt, shape in shapes.items()})
    write_json(dump_dir / "feats.json", info)
    for ark in arks:
        _part_info(ark).unlink()
    for old in dump_dir.iterdir():  # of a corpus that was larger or smaller
        if re.fullmatch(r"feats(\.\d+)?\.ark(\.part(\.json)?)?", old.name) and old.name not in names:
            remove(old)
    return True


def read_features(dump_dir: Path) -> tuple[list[str], np.ndarray]:
    """Read an archive of vectors.

    Returns:
        Utterance ids, and their vectors as (N, D) float32; those of several layers stand side by side, (N, L D).

    Raises:
        DataError: if stage 3 has not finished it, it was changed since, or it holds frames.
    """
    import numpy as np

    info = read_info(dump_dir)
    if "frame_shape" in info:
        raise DataError(f"{dump_dir}: holds frames, not one vector per utterance; name a feature that pools them")
    if changed := changed_files(dump_dir, info.get("hashes", {})):
        raise DataError(f"{dump_dir / changed[0]} is not what stage 3 wrote; delete {dump_dir} and run stage 3 again")
    records = [record for ark in archives(dump_dir, info) for record in read_archive(ark)]
    return [utt for utt, _ in records], np.stack([array.ravel() for _, array in records]).astype(np.float32)


def read_info(dump_dir: Path) -> dict[str, Any]:
    """Read what a finished archive holds and was made from.

    Raises:
        DataError: if stage 3 has not finished it.
    """
    try:
        return read_json(dump_dir / "feats.json")
    except FileNotFoundError:
        raise DataError(f"{dump_dir}: no finished features; run stage 3") from None
