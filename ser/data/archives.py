"""Kaldi archives: an id and a vector or matrix of float32 per utterance, one after the other.

The only file that imports kaldiio, so that another library can take its place: NTT's license allows kaldiio for
evaluation. Not here: which utterances an archive holds and what it was made from (`ser.features.extract`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Record(NamedTuple):
    """Where a vector or a matrix of an archive begins, behind its id, and its shape."""

    offset: int
    shape: tuple[int, ...]


def header(shape: Sequence[int]) -> bytes:
    """Give what stands in an archive between an id and the float32 numbers of its vector or matrix.

    Example:
        >>> header([3, 258])
        b'\\x00BFM \\x04\\x03\\x00\\x00\\x00\\x04\\x02\\x01\\x00\\x00'
    """
    kind = b"\0BFV " if len(shape) == 1 else b"\0BFM "
    return kind + b"".join(b"\4" + size.to_bytes(4, "little") for size in shape)


def append(ark: BinaryIO, utt: str, array: np.ndarray) -> None:
    """Append a (D,) vector or a (T, D) matrix of float32 to an open archive."""
    import kaldiio

    kaldiio.save_ark(ark, {utt: array})


def read_record(path: Path, offset: int) -> np.ndarray:
    """Read the vector or matrix of an archive that begins at a byte, as `feats.scp` of Kaldi tells it.

    Raises:
        ValueError: if there is none.
    """
    import kaldiio

    with open(path, "rb") as ark:
        ark.seek(offset)
        kind = ark.read(5)
    if not re.match(rb"\0B(FV |FM |DV |DM |CM)", kind):
        raise ValueError("no vector or matrix of Kaldi begins there")
    return kaldiio.load_mat(f"{path}:{offset}")


def read_archive(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Read the utterances of an archive in its order."""
    import kaldiio

    return kaldiio.load_ark(str(path))


def whole_records(path: Path, utts: Sequence[str], n_dims: int) -> tuple[dict[str, Record], int]:
    """Find how far an interrupted archive is whole.

    Args:
        path: of the archive; there may be none yet.
        utts: ids that it is to hold, in their order.
        n_dims: 1 of vectors, 2 of matrices.

    Returns:
        Its whole records, and the size in bytes up to there.
    """
    import kaldiio

    records: dict[str, Record] = {}
    size = 0
    if not path.exists():
        return records, size
    total, n_header = path.stat().st_size, len(header([0] * n_dims))
    with open(path, "rb") as ark:
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
            records[expected] = Record(size + len(key), shape)
            size = end
            ark.seek(end)
    if records:  # the reader of the archive has to agree with the walk above
        kaldiio.load_mat(f"{path}:{list(records.values())[-1].offset}")
    return records, size
