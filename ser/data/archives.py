"""Kaldi archives: an id and a vector or matrix per utterance, one after the other.

Numbers are float32. Half precision, which Kaldi does not know, is in kaldiio's records with NumPy's own header.

The only file that imports kaldiio, so that another library can take its place: NTT's license allows kaldiio for
evaluation. Not here: which utterances an archive holds and what it was made from (`ser.features.extract`).
"""

from __future__ import annotations

import io
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


def header(shape: Sequence[int], half: bool = False) -> bytes:
    """Give what stands in an archive between an id and the numbers of its vector or matrix.

    Args:
        shape: of the vector or matrix.
        half: whether its numbers are float16; else they are float32.

    Example:
        >>> header([3, 258])
        b'\\x00BFM \\x04\\x03\\x00\\x00\\x00\\x04\\x02\\x01\\x00\\x00'
    """
    if half:
        import numpy as np

        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": tuple(shape)})
        n_bytes = file.tell() + 2 * math.prod(shape)
        return b"NPY\4" + n_bytes.to_bytes(4, "little") + file.getvalue()
    kind = b"\0BFV " if len(shape) == 1 else b"\0BFM "
    return kind + b"".join(b"\4" + size.to_bytes(4, "little") for size in shape)


def append(ark: BinaryIO, utt: str, array: np.ndarray) -> None:
    """Append a (D,) vector or a (T, D) matrix of float32 or float16 to an open archive."""
    import kaldiio

    if array.dtype.itemsize == 2:
        ark.write(utt.encode() + b" " + header(array.shape, half=True) + array.astype("<f2").tobytes())
        return
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


def whole_records(path: Path, utts: Sequence[str], n_dims: int, half: bool = False) -> tuple[dict[str, Record], int]:
    """Find how far an interrupted archive is whole.

    Args:
        path: of the archive; there may be none yet.
        utts: ids that it is to hold, in their order.
        n_dims: 1 of vectors, 2 of matrices.
        half: whether they are of float16.

    Returns:
        Its whole records, and the size in bytes up to there.
    """
    import kaldiio

    records: dict[str, Record] = {}
    size = 0
    if not path.exists():
        return records, size
    total, n_header = path.stat().st_size, len(header([0] * n_dims, half))
    with open(path, "rb") as ark:
        for expected in utts:
            key = expected.encode() + b" "
            head = ark.read(len(key) + n_header)
            shape = _shape(head, n_dims, half)
            if head != key + header(shape, half):  # cut off, or not what we write
                break
            end = ark.tell() + (2 if half else 4) * math.prod(shape)
            if end > total:
                break
            records[expected] = Record(size + len(key), shape)
            size = end
            ark.seek(end)
    if records:  # the reader of the archive has to agree with the walk above
        kaldiio.load_mat(f"{path}:{list(records.values())[-1].offset}")
    return records, size


def _shape(head: bytes, n_dims: int, half: bool) -> tuple[int, ...]:
    """Read the shape that ends a record's header; of another header it is any."""
    if half:
        found = re.search(rb"'shape': \((\d+(?:, \d+)*),?\)", head)
        return tuple(map(int, found[1].split(b", "))) if found else ()
    sizes = head[-5 * n_dims :]
    return tuple(int.from_bytes(sizes[i + 1 : i + 5], "little") for i in range(0, 5 * n_dims, 5))
