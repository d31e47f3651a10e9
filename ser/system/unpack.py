"""Unpacking an archive into a folder that appears whole or not at all.

Archives are not trusted: no member can leave the folder, be a link, or fill the disk.
"""

from __future__ import annotations

import contextlib
import errno
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ser.errors import ConfigError, DataError
from ser.system.fetch import MIB, size_text
from ser.system.folders import replacing_folder


class Member(NamedTuple):
    """One entry of an archive, whatever its kind."""

    name: str
    kind: str  # "file", "folder", or what it is instead
    source: zipfile.ZipInfo | tarfile.TarInfo


DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
          ValueError, RuntimeError)  # fmt: skip
"""What reading a broken archive raises; encryption and unknown compression are `RuntimeError`s."""

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)


def unpack(archive: Path, folder: Path, most: int, endings: Sequence[str] = ()) -> int:
    """Unpack a zip or tar archive so that the folder appears whole or not at all.

    Args:
        archive: zip, or tar with any compression.
        folder: takes the content as it stands in the archive.
        most: bytes that the content stays below.
        endings: of audio; an archive without a file of such a name is refused. None are asked for by default.

    Returns:
        The number of files.

    Raises:
        DataError: for a member that would leave the folder, is neither file nor folder, stands twice, or goes
            beyond `most`; for a damaged archive, and one without audio.
    """
    with replacing_folder(folder, None) as part:
        try:
            n = _unpack(archive, part, most)
            found = [name.lower() for _, _, names in os.walk(part) for name in names]
            if endings and not any(name.endswith(tuple(endings)) for name in found):
                raise DataError(f"'{archive}': holds no audio among {n} files; it is not the release")
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno in DISK:  # not the archive's fault: that one is kept
                raise ConfigError(f"'{folder}': {error.strerror}; free some space or name another folder") from None
            raise DataError(f"'{archive}': damaged ({error}); get it again") from None
    return n


def _unpack(archive: Path, part: Path, most: int) -> int:
    n, left = 0, most
    with _opened(archive) as (members, read):
        for member in members:
            path = part.joinpath(*_safe_parts(member, archive))
            if member.kind == "folder":
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                raise DataError(f"'{archive}': member {member.name!r} stands twice; it is not the release")
            with open(path, "xb") as out, read(member) as content:
                while block := content.read(min(MIB, left + 1)):
                    left -= len(block)
                    if left < 0:
                        raise DataError(
                            f"'{archive}': holds more than the {size_text(most)} that the release stays below; "
                            "it is not the release"
                        )
                    out.write(block)
            n += 1
    return n


@contextlib.contextmanager
def _opened(archive: Path):
    """Open an archive of either kind; yield its members and the way to read one."""
    with open(archive, "rb") as file:
        begins = file.read(40)
    if begins.startswith(b"PK"):
        with zipfile.ZipFile(archive) as file:
            yield map(_zip_member, file.infolist()), lambda member: file.open(member.source)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as file:
            yield map(_tar_member, file), lambda member: file.extractfile(member.source)
    else:
        raise DataError(
            f"'{archive}': neither zip nor tar, begins with {begins!r}; name the file's own address by --url"
        )


def _zip_member(info: zipfile.ZipInfo) -> Member:
    mode = info.external_attr >> 16
    plain = not stat.S_IFMT(mode) or stat.S_ISREG(mode) or stat.S_ISDIR(mode)
    kind = ("folder" if info.is_dir() else "file") if plain else "a link" if stat.S_ISLNK(mode) else "a device"
    return Member(info.filename, kind, info)


def _tar_member(info: tarfile.TarInfo) -> Member:
    link = "a link" if info.issym() or info.islnk() else "a device"
    return Member(info.name, "folder" if info.isdir() else "file" if info.isreg() else link, info)


def _safe_parts(member: Member, archive: Path) -> list[str]:
    """Split a member's name; refuse what could reach outside the folder that it is unpacked in."""
    parts = member.name.replace("\\", "/").split("/")  # some archives are made on Windows
    if parts[0] == "" or ".." in parts or re.fullmatch("[A-Za-z]:", parts[0]):
        raise DataError(
            f"'{archive}': member {member.name!r} would leave the target folder; do not trust this archive"
        )
    if member.kind not in ("file", "folder"):
        raise DataError(
            f"'{archive}': member {member.name!r} is {member.kind}; a release holds files and folders only"
        )
    return [part for part in parts if part not in ("", ".")]
