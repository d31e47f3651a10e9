"""Archives appear as folders whole, or are refused in one sentence."""

from __future__ import annotations

import functools
import os
import stat
import tarfile
from pathlib import Path

import pytest

from ser.corpora.downloads import AUDIO
from ser.errors import ConfigError, DataError
from ser.system import unpack as unpacking
from tests.fakes.server import RELEASE, tarred, tree, zipped

unpack = functools.partial(unpacking.unpack, endings=AUDIO)


@pytest.mark.parametrize("archive", [zipped(RELEASE), tarred(RELEASE), tarred(RELEASE, "w:xz"), tarred(RELEASE, "w")])
def test_an_archive_is_unpacked_as_it_is(tmp_path, archive):
    (tmp_path / "a").write_bytes(archive)
    assert unpack(tmp_path / "a", tmp_path / "out", 10_000) == 3
    assert tree(tmp_path / "out") == RELEASE
    assert sorted(os.listdir(tmp_path)) == ["a", "out"]


def test_folders_dots_and_windows_separators(tmp_path):
    (tmp_path / "a").write_bytes(zipped({"Angry/": b"", "./Angry\\1.wav": b"1", "Happy//2.wav": b"2"}))
    assert unpack(tmp_path / "a", tmp_path / "out", 100) == 2
    assert tree(tmp_path / "out") == {"Angry/1.wav": b"1", "Happy/2.wav": b"2"}


GOOD = {"wav/1.wav": b"1"}
HOSTILE = {
    "parent": (zipped(GOOD | {"../evil.wav": b"x"}), "'../evil.wav' would leave the target folder"),
    "parent inside": (zipped(GOOD | {"wav/../../evil.wav": b"x"}), "would leave the target folder"),
    "parent, Windows": (zipped(GOOD | {"wav\\..\\..\\evil.wav": b"x"}), "would leave the target folder"),
    "absolute": (zipped(GOOD | {"/tmp/evil.wav": b"x"}), "'/tmp/evil.wav' would leave the target folder"),
    "drive": (zipped(GOOD | {"C:\\evil.wav": b"x"}), "would leave the target folder"),
    "link": (zipped(GOOD, {"wav/etc": "/etc"}), "'wav/etc' is a link; a release holds files and folders only"),
    "device": (zipped(GOOD, {"wav/null": ""}, stat.S_IFCHR), "'wav/null' is a device"),
    "twice": (zipped({"wav": b"1", "./wav": b"2"}), "'./wav' stands twice"),
    "file and folder": (zipped({"wav": b"1", "wav/1.wav": b"2"}), "damaged .*; get it again"),
    "tar parent": (tarred(GOOD | {"../evil.wav": b"x"}), "'../evil.wav' would leave the target folder"),
    "tar absolute": (tarred(GOOD | {"/tmp/evil.wav": b"x"}), "would leave the target folder"),
    "tar symbolic link": (tarred(GOOD, evil=tarfile.SYMTYPE), "'evil' is a link"),
    "tar hard link": (tarred(GOOD, evil=tarfile.LNKTYPE), "'evil' is a link"),
    "tar device": (tarred(GOOD, evil=tarfile.CHRTYPE), "'evil' is a device"),
    "tar pipe": (tarred(GOOD, evil=tarfile.FIFOTYPE), "'evil' is a device"),
    "zip bomb": (
        zipped(GOOD | {"wav/2.wav": bytes(10_000)}),
        "holds more than the 5000 bytes that the release stays",
    ),
    "tar bomb": (tarred(GOOD | {"wav/2.wav": bytes(10_000)}), "holds more than the 5000 bytes"),
    "many small": (zipped({f"{i}.wav": bytes(600) for i in range(9)}), "holds more than the 5000 bytes"),
    "cut zip": (zipped(RELEASE)[:-30], "damaged .*; get it again"),
    "cut tar": (tarred({"1.wav": os.urandom(4000)})[:-500], "damaged .*; get it again"),
    "changed byte": (zipped(GOOD).replace(b"1", b"2", 1), "damaged|stands"),
    "page": (b"<!DOCTYPE html><title>Log in</title>", r"neither zip nor tar, begins with b'<!DOCTYPE html>"),
    "nothing": (b"", "neither zip nor tar"),
    "no audio": (zipped({"Readme.txt": b"x"}), "holds no audio among 1 files; it is not the release"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_bad_archive_leaves_nothing(tmp_path, what):
    archive, told = HOSTILE[what]
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a").write_bytes(archive)
    with pytest.raises(DataError, match=told):
        unpack(inner / "a", inner / "out", 5000)
    assert list(tree(tmp_path)) == ["inner/a"]
    assert os.listdir(inner) == ["a"]
    assert not Path("/tmp/evil.wav").exists()


def test_an_encrypted_archive_is_refused(tmp_path):
    body = bytearray(zipped(GOOD))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + offset] |= 1
    (tmp_path / "a").write_bytes(body)
    with pytest.raises(DataError, match="damaged .*encrypted.*; get it again"):
        unpack(tmp_path / "a", tmp_path / "out", 5000)


def test_a_full_disk_is_not_the_archive_s_fault(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(zipped(GOOD))

    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpacking, "_unpack", full)
    with pytest.raises(ConfigError, match="out': No space left on device; free some space or name another folder"):
        unpack(tmp_path / "a", tmp_path / "out", 5000)
