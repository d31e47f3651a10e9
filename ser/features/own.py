"""Features that were computed elsewhere: `<path>/<corpus>/feats.scp` says where each utterance's are.

A line is an id and a place: `x.ark:OFFSET` of a Kaldi archive, `x.npy`, or `x.npz` with one array; relative paths
start at the folder of `feats.scp`. Not here: the archive that stage 3 makes of them (`extract.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.data.archives import read_record
from ser.data.maps import read_map
from ser.errors import DataError
from ser.features.config import FeatureConfig

if TYPE_CHECKING:
    import numpy as np

INDEX = "feats.scp"
NAMED = 3
"""Ids that a sentence names of many."""


def state(config: FeatureConfig, corpus: str) -> list[list[object]]:
    """Tell what would change with the files: each file's name, size and time, and the index."""
    folder = config.own_folder() / corpus
    names = [INDEX, *sorted({re.sub(r"\.ark:\d+$", ".ark", place) for place in _places(folder).values()})]
    stats = [(name, (folder / name).stat()) for name in names if (folder / name).is_file()]  # `read` names the others
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def read(config: FeatureConfig, corpus: str, utts: Sequence[str]) -> Iterator[np.ndarray]:
    """Read the features of utterances, in their order.

    Args:
        config: with `upstream: own`; its `pooling` is applied to (T, D) frames, and (D,) vectors are as they are.
        corpus: name of its data directory.
        utts: ids that are asked for.

    Returns:
        float32: (D,), or (T, D) with `pooling: none`.

    Raises:
        DataError: for ids that are missing, before anything is read, and arrays of another shape.
    """
    folder = config.own_folder() / corpus
    places = _places(folder)
    if missing := [utt for utt in utts if utt not in places]:
        raise DataError(
            f"{folder / INDEX}: no features of {_several(missing)} of {corpus}; compute them, or take their "
            "utterances out of the corpus"
        )
    dim = None
    for utt in utts:
        array = _pooled(_array(folder, utt, places[utt]), config, f"{folder / INDEX}: '{utt}'")
        if dim not in (None, array.shape[-1]):
            raise DataError(f"{folder / INDEX}: '{utt}' has {array.shape[-1]} dimensions, those before it {dim}")
        dim = array.shape[-1]
        yield array


def surplus(config: FeatureConfig, corpus: str, utts: Sequence[str]) -> str | None:
    """Name the ids that have features and are not in a corpus; None if there are none."""
    folder = config.own_folder() / corpus
    more = sorted(_places(folder).keys() - set(utts))
    return f"{folder / INDEX}: {_several(more)} not in {corpus}, and left out" if more else None


def _several(utts: Sequence[str]) -> str:
    named = ", ".join(utts[:NAMED])
    return f"{len(utts)} utterance{'s' * (len(utts) > 1)} ({named}{', ...' * (len(utts) > NAMED)})"


def _places(folder: Path) -> dict[str, str]:
    if not (folder / INDEX).is_file():
        raise DataError(
            f"{folder}: no {INDEX}; write one with a line per utterance: its id, and x.ark:OFFSET, x.npy or x.npz"
        )
    return read_map(folder / INDEX)


def _array(folder: Path, utt: str, place: str) -> np.ndarray:
    import numpy as np

    where = f"{folder / INDEX}: '{utt} {place}'"
    try:
        if found := re.fullmatch(r"(.+\.ark):(\d+)", place):
            return read_record(folder / found[1], int(found[2]))
        if not place.endswith((".npy", ".npz")):
            raise DataError(f"{where} is neither x.ark:OFFSET nor x.npy nor x.npz")
        loaded = np.load(folder / place, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            if len(loaded.files) != 1:
                raise DataError(f"{where} holds {len(loaded.files)} arrays; an utterance has one")
            return loaded[loaded.files[0]]
    except (ValueError, EOFError) as error:
        raise DataError(f"{where} cannot be read ({(str(error).splitlines() or ['?'])[0]})") from None
    except FileNotFoundError:
        raise DataError(f"{where}: there is no such file") from None


def _pooled(array: np.ndarray, config: FeatureConfig, where: str) -> np.ndarray:
    import numpy as np

    if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or 0 in array.shape:
        raise DataError(f"{where} is {array.dtype} of shape {array.shape}; numbers of (D,) or (T, D) are taken")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{where} is not finite")
    if array.ndim == 1:
        if config.pooling != "mean":
            raise DataError(f"{where} is one vector, which 'pooling: {config.pooling}' does not fit; leave it out")
        return array
    if config.is_sequence:
        return array
    import torch

    from ser.features.pool import pool

    return pool(torch.from_numpy(array).unsqueeze(0), "last", config.pooling).numpy()
