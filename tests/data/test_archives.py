"""Archives: their bytes, worked by hand from Kaldi's format, whichever library writes and reads them."""

from __future__ import annotations

import struct

import numpy as np

from ser.data.archives import Record, append, read_archive, whole_records

VECTOR = b"u1 \0BFV \4" + struct.pack("<i", 3) + struct.pack("<3f", 1.5, -2.0, 0.25)
MATRIX = b"u2 \0BFM \4" + struct.pack("<i", 2) + b"\4" + struct.pack("<i", 1) + struct.pack("<2f", 7.0, -0.5)


def test_records_are_kaldi_s_bytes(tmp_path):
    with open(tmp_path / "ark", "ab") as ark:
        append(ark, "u1", np.array([1.5, -2.0, 0.25], np.float32))
        append(ark, "u2", np.array([[7.0], [-0.5]], np.float32))
    assert (tmp_path / "ark").read_bytes() == VECTOR + MATRIX


def test_records_are_read_in_their_order(tmp_path):
    (tmp_path / "ark").write_bytes(MATRIX + VECTOR)
    (first, matrix), (second, vector) = read_archive(tmp_path / "ark")
    assert (first, matrix.tolist(), second, vector.tolist()) == ("u2", [[7.0], [-0.5]], "u1", [1.5, -2.0, 0.25])
    assert matrix.dtype == vector.dtype == np.float32


def test_an_interrupted_archive_is_whole_up_to_its_last_record(tmp_path):
    path = tmp_path / "ark"
    assert whole_records(path, ["u1"], 1) == ({}, 0)
    path.write_bytes(VECTOR + VECTOR.replace(b"u1", b"u3")[:-1])
    assert whole_records(path, ["u1", "u3"], 1) == ({"u1": Record(3, (3,))}, len(VECTOR))
    assert whole_records(path, ["u3"], 1) == ({}, 0)  # another utterance
    assert whole_records(path, ["u1"], 2) == ({}, 0)  # another kind
