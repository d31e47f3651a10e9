"""Downloading the corpora that may be downloaded, and saying how to get those that may not.

A download goes on where it stopped, is checked, and is unpacked beside its place before it takes it: a release
folder that is there is whole. Servers and archives are not trusted: no member of an archive can leave the folder,
be a link, or fill the disk. Not here: reading a release (`ser.corpora`), and its counts, which stage 1 holds
against those published. Nothing that is downloaded may be passed on by this project.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import http.client
import lzma
import math
import os
import re
import stat
import struct
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ser.corpora import aesdd, cafe, casia, emodb, iemocap, msp_improv, ravdess, savee, urdu
from ser.corpora.base import Corpus
from ser.errors import ConfigError, DataError, unknown
from ser.system.files import fingerprint, read_json, remove, write_json
from ser.system.folders import Kind, check_free, remove_folder, replacing_folder
from ser.system.progress import progress

MIB = 1 << 20
GIB = 1 << 30
TIMEOUT_S = 60
TRIES = 5
"""Connections per call: a transfer that breaks goes on at once, as long as every connection brings something."""

DIGITS = {"md5": 32, "sha256": 64, "sha512": 128}
AUDIO = (".wav", ".aiff", ".aif", ".flac")


@dataclasses.dataclass(frozen=True)
class Archive:
    """A release in one archive.

    Attributes:
        corpus: what is in it.
        url: where it lies; empty where no address is known that a program can read.
        most: bytes that the unpacked release stays below; an archive that holds more is refused.
        size: bytes of the archive, where published.
        checksum: of the archive, `algorithm:hex`, where published.
        note: what a user has to know.
    """

    corpus: Corpus
    url: str
    most: int
    size: int | None = None
    checksum: str = ""
    note: str = ""


ARCHIVES = {
    "emodb": Archive(
        emodb.CORPUS,
        "http://emodb.bilderbar.info/download/download.zip",  # about 40 MB; no checksum is published
        most=1 * GIB,
    ),
    "ravdess": Archive(
        ravdess.CORPUS,
        "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
        most=4 * GIB,
        size=208_468_073,
        checksum="md5:bc696df654c87fed845eb13823edef8a",  # as Zenodo shows it
    ),
    "urdu": Archive(
        urdu.CORPUS,
        "https://github.com/siddiquelatif/URDU-Dataset/archive/refs/heads/master.zip",
        most=1 * GIB,
        note="GitHub packs it anew for everyone: size and checksum are not fixed, and it cannot be resumed",
    ),
    "cafe": Archive(
        cafe.CORPUS,
        "https://zenodo.org/records/1478765/files/CaFE_48k.zip?download=1",  # no checksum known to us
        most=4 * GIB,
    ),
    "aesdd": Archive(
        aesdd.CORPUS,
        "",
        most=4 * GIB,
        note="its page leads to a file host (MEGA when last seen) that only a browser can read",
    ),
}

FORMS = {
    "iemocap": (iemocap.CORPUS, "fill in the release form and ask for the full release"),
    "msp_improv": (msp_improv.CORPUS, "sign the academic licence and ask for the audio and `Evalution.txt`"),
    "savee": (savee.CORPUS, "register and ask for `AudioData`"),
    "casia": (casia.CORPUS, "order the emotional corpus with six emotions (for a fee)"),
}
"""Corpora behind a form -> what to ask for."""

RATINGS_PAGE = (
    "https://github.com/DTUComputeStatisticsAndDataAnalysis/"
    "Continuous-Metric-Learning-For-Transferable-Speech-Emotion-Recognition-and-Embedding"
)
RATINGS_URL = (
    RATINGS_PAGE.replace("github.com", "raw.githubusercontent.com")
    + "/dcfd1f8ba19d89ce4c9afb89413bf2733dbf1279/data_labels"  # the commit that added them
)
RATINGS = {
    "AESD.csv": "sha256:6ad65d342d41e46c40ab4ba5601817137cac4388aae842b82d1fea40c67ba030",
    "CAFE.csv": "sha256:fe81d294f6ced0afa8a32e38de18c2ca008929a41e0cb64a89f1bd1c1eb7c37a",
    "EMO_DB.csv": "sha256:4c2251734b3c09458b5b3271dbec1c22bef199c95d3e76327739437c0fcbd91b",
    "URDU.csv": "sha256:5256d77b502bb7e71b57b93d1041d63abac08a7f362a6839561c5fb91c87f78a",
}
"""Activation and valence ratings of Das et al. 2022, read by `ser.corpora.das_ratings` -> checksum."""

RATINGS_NAME = "das2022"
NAMES = (*ARCHIVES, RATINGS_NAME, *FORMS)


def table() -> str:
    """List what can be had, from where, and how sure we are of it."""
    lines = []
    for name, archive in ARCHIVES.items():
        facts = [
            _bytes(archive.size) if archive.size else "size told by the server",
            archive.checksum or "no checksum known",
            f"licence: {archive.corpus.licence}",
            *([archive.note] if archive.note else []),
        ]
        lines.append(f"{name:<11}{archive.url or 'no address known, --url or --archive needed'}")
        lines += [f"{'':<11}{fact}" for fact in facts]
    lines.append(f"{RATINGS_NAME:<11}{RATINGS_URL}")
    lines += [f"{'':<11}{file} {checksum}" for file, checksum in RATINGS.items()]
    lines += [f"{name:<11}{corpus.page}: {ask}" for name, (corpus, ask) in FORMS.items()]
    return "\n".join(lines)


def download(
    name: str, root: Path, url: str | None = None, checksum: str | None = None, archive: Path | None = None
) -> bool:
    """Put a release, or the rating files, below a folder; say licence, source and size before.

    Args:
        name: one of `NAMES`.
        root: the folder that `--db_root` names.
        url: in place of the source's own; of the rating files, the folder that holds them.
        checksum: `algorithm:hex` in place of the published one, `none` to check nothing.
        archive: a file that was downloaded by hand, in place of a download; it is not removed.

    Returns:
        False if it was there and nothing was done.

    Raises:
        DataError: with the reason why nothing was put there.
    """
    if name not in NAMES:
        raise ConfigError(f"NAME: {unknown(name, NAMES)}")
    if root.exists() and not root.is_dir():
        raise ConfigError(f"DIR: '{root}' is a file; name a folder")
    _check_options(name, url, checksum, archive)
    if name == RATINGS_NAME:
        return _download_ratings(root, url or RATINGS_URL)
    corpus = ARCHIVES[name].corpus if name in ARCHIVES else FORMS[name][0]
    if there := _find(corpus, root):
        print(f"{name}: '{there}' is there; remove it to get it again")
        return False
    if name in FORMS:
        raise DataError(
            f"{name}: {corpus.title} is not for programs to download; at {corpus.page} {FORMS[name][1]}, then put "
            f"the release at '{root / corpus.folders[0]}' or set {corpus.variable} in conf/db.sh; "
            f"licence: {corpus.licence}"
        )
    _download_archive(name, root, url, checksum, archive)
    return True


def _check_options(name: str, url: str | None, checksum: str | None, archive: Path | None) -> None:
    if name == RATINGS_NAME and (checksum or archive):
        raise ConfigError(f"{name}: takes --url alone; the files are known by their checksums")
    if url and archive:
        raise ConfigError(f"{name}: --url '{url}' and --archive '{archive}' are two sources; give one")
    if archive and not archive.is_file():
        raise ConfigError(f"--archive '{archive}': no such file")
    if url and (urllib.parse.urlsplit(url).scheme not in ("http", "https") or not urllib.parse.urlsplit(url).netloc):
        raise ConfigError(f"--url '{url}': expected http://... or https://...; of a file here, give --archive FILE")
    if checksum and checksum != "none":
        _parse_checksum(checksum)


def _find(corpus: Corpus, root: Path) -> Path | None:
    """Find a release that is there already, under any of its names; an empty folder does not count."""
    wanted = {folder.lower() for folder in corpus.folders}
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return next((f for f in folders if f.name.lower() in wanted and f.is_dir() and any(f.iterdir())), None)


def _download_archive(name: str, root: Path, url: str | None, checksum: str | None, archive: Path | None) -> None:
    source = ARCHIVES[name]
    corpus, target = source.corpus, root / source.corpus.folders[0]
    if not (url or source.url or archive):
        raise DataError(
            f"{name}: {source.note}; download it from {corpus.page} and give the file with --archive FILE, or its "
            f"address with --url URL, or unpack it at '{target}'; licence: {corpus.licence}"
        )
    size, expected = (None, checksum) if checksum else (source.size, source.checksum)
    expected = "" if expected == "none" else expected
    print(f"{corpus.title}: {corpus.licence}; {corpus.page}")
    print(f"  from {archive or url or source.url} to {target}")
    if source.note:
        print(f"  note: {source.note}")
    with _working(root, name) as work:
        if archive:
            if expected:
                _verify(archive, expected, "it is no whole copy, or of another version (--checksum none accepts it)")
            whole = archive
        else:
            whole = fetch(url or source.url, work, name, expected, size, source.most)
        try:
            n = unpack(whole, target, source.most)
        except DataError:  # a damaged or hostile archive: nothing that a later call would go on with
            remove_folder(work, WORK)
            raise
        remove_folder(work, WORK)
    print(f"{name}: {n} files in {target}; find it with --db_root {root} or {corpus.variable} in conf/db.sh")


def _download_ratings(root: Path, url: str) -> bool:
    if all(_is_published(root / file, checksum) for file, checksum in RATINGS.items()):
        print(f"{RATINGS_NAME}: all files are in '{root}'")
        return False
    print(f"Ratings of Das et al. 2022: no licence is stated, its authors ask to be cited; {RATINGS_PAGE}")
    print(f"  from {url} to {root} (43 kB)")
    with _working(root, RATINGS_NAME) as work:
        for file, checksum in RATINGS.items():
            if not _is_published(root / file, checksum):
                os.replace(fetch(f"{url.rstrip('/')}/{file}", work, file, checksum, most=MIB), root / file)
        remove_folder(work, WORK)
    print(f"{RATINGS_NAME}: {', '.join(RATINGS)} in {root}")
    return True


def _is_published(path: Path, checksum: str) -> bool:
    if not path.exists():
        return False
    _verify(path, checksum, "it is not the published file; move it away")
    return True


WORK_FILES = (("", ""), ("", ".part"), ("", ".json"), (".", ".json.ser-part"))
WORK = Kind(
    name="folder of unfinished downloads",
    mark="",
    is_ours=lambda _: True,
    holds=lambda _: [f"{start}{16 * '[0-9a-f]'}{end}" for start, end in WORK_FILES],
)
"""What `fetch` writes: files named by the hash of an address."""


@contextlib.contextmanager
def _working(root: Path, name: str) -> Iterator[Path]:
    """Hold the folder of unfinished downloads for this call alone."""
    work = root / f".download-{name}"
    check_free(work, WORK)
    try:
        work.mkdir(parents=True, exist_ok=True)
        handle = os.open(work, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"DIR: '{root}': {error.strerror}; name a folder that you may write to") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{name}: another download into '{root}' is running; wait for it") from None
        yield work
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):  # goes if nothing is kept in it
            work.rmdir()


# ---- One file over HTTP ----------------------------------------------------------------------------------------


def fetch(url: str, folder: Path, what: str, checksum: str = "", size: int | None = None, most: int = GIB) -> Path:
    """Download one file into a folder, going on where an earlier call for the same address stopped.

    What has come lies in `<hash of the address>.part`; it is gone on with only if the server says, by the entity tag
    or date kept beside it, that the file is still the same.

    Args:
        url: http or https.
        folder: exists.
        what: name for progress and messages.
        checksum: `algorithm:hex`; empty if none is known.
        size: bytes, if published.
        most: bytes beyond which the file is refused.

    Returns:
        The whole, checked file.

    Raises:
        DataError: if it cannot be had; what has come is kept unless it proved wrong.
    """
    path = folder / fingerprint(url)[:16]
    part = path.with_suffix(".part")
    if not path.exists():
        _transfer_all(url, part, what, size, most)
        if checksum:
            then = "what came was removed; try again, or see on the page whether there is a new version"
            _verify(part, checksum, then, on_error=lambda: _forget(part))
        os.replace(part, path)
        _forget(part)
    elif checksum:
        _verify(path, checksum, "it was removed; try again", on_error=lambda: remove(path))
    return path


def _transfer_all(url: str, part: Path, what: str, size: int | None, most: int) -> None:
    """Connect again as long as that brings something."""
    for tries_left in reversed(range(TRIES)):
        before = _size(part)
        try:
            _transfer(url, part, what, size, most)
            return
        except DataError:
            _forget(part)
            raise
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code} {error.reason}"
            error.close()
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            if tries_left and _size(part) > before:
                print(f"  {reason}; going on from {_bytes(_size(part))}")
                continue
        kept = f"{_bytes(_size(part))} have come and are kept; " if _size(part) else ""
        raise DataError(f"{what}: {url}: {reason}; {kept}try again later, or name another source with --url")


def _transfer(url: str, part: Path, what: str, size: int | None, most: int) -> None:
    """Make one connection; return when the file is whole."""
    about = _about(part)
    start = _size(part) if about.get("validator") else 0
    with _open(url, start, about.get("validator", "")) as response:
        if (
            start
            and response.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            and start == about.get("total")
        ):
            return  # it was whole when the last call ended
        if start and not _continues(response, start, about):
            print(f"  {what}: the server cannot go on where it stopped, or the file changed: beginning again")
            _forget(part)
            if response.status != http.HTTPStatus.OK:
                return _transfer(url, part, what, size, most)
            start = 0
        if not start:
            about = _begin(response, part)
        total = about["total"]
        _check_size(url, what, total, size, most)
        print(f"  {what}: {_bytes(total) if total is not None else 'size not told by the server'}"
              + (f", {_bytes(start)} are here" if start else ""))  # fmt: skip
        with open(part, "ab") as file:
            blocks = iter(lambda: response.read(MIB), b"")
            for block in progress(blocks, f"{what} (MiB)", math.ceil((total or 0) / MIB) or None, start // MIB):
                file.write(block)
                _check_size(url, what, file.tell(), None, most)
    if total is not None and _size(part) != total:
        raise ConnectionError(f"the connection ended after {_size(part)} of {total} bytes")


def _open(url: str, start: int, validator: str) -> http.client.HTTPResponse:
    """Ask for a file from `start` on, or for the whole if it is not the one that `validator` names."""
    headers = {"User-Agent": "ser/download_corpus", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    quoted = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
    try:
        return urllib.request.urlopen(urllib.request.Request(quoted, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error  # it is a response, too
        raise


def _validator(response: http.client.HTTPResponse) -> str:
    """Give what names this version of the file: a strong entity tag, else its date."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _continues(response: http.client.HTTPResponse, start: int, about: dict) -> bool:
    """Tell whether an answer is the rest of the file that `about` describes."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return False
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    same_place = found and int(found[1]) == start and found[2] in ("*", str(about["total"]))
    return bool(same_place) and _validator(response) in ("", about["validator"])  # some servers ignore If-Range


def _begin(response: http.client.HTTPResponse, part: Path) -> dict:
    """Start a file anew: remember first which version of it is coming."""
    if response.status != http.HTTPStatus.OK:
        raise ConnectionError(f"the server answered {response.status} where the whole file was asked for")
    length = response.headers.get("Content-Length", "")
    about = {"validator": _validator(response), "total": int(length) if length.isdecimal() else None}
    _forget(part)
    write_json(part.with_suffix(".json"), about)
    return about


def _about(part: Path) -> dict:
    try:
        return read_json(part.with_suffix(".json"))
    except (FileNotFoundError, DataError):
        return {}


def _forget(part: Path) -> None:
    remove(part)
    remove(part.with_suffix(".json"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_size(url: str, what: str, found: int | None, size: int | None, most: int) -> None:
    if found is not None and size is not None and found != size:
        raise DataError(
            f"{what}: {url} offers {found} bytes, the published file has {size}; it is another version or no copy: "
            "see its page, and give --checksum to accept another"
        )
    if found is not None and found > most:
        raise DataError(
            f"{what}: {url} offers more than the {_bytes(most)} that the release stays below; see its page"
        )


def _verify(path: Path, checksum: str, then: str, on_error=lambda: None) -> None:
    """Hold a file against its checksum."""
    algorithm, expected = _parse_checksum(checksum)
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(MIB):
            digest.update(block)
    if digest.hexdigest() != expected:
        n = _size(path)
        on_error()
        raise DataError(
            f"'{path}': {algorithm} of its {n} bytes is {digest.hexdigest()}, expected {expected}; {then}"
        )


def _parse_checksum(checksum: str) -> tuple[str, str]:
    algorithm, _, expected = checksum.lower().partition(":")
    if re.fullmatch(f"[0-9a-f]{{{DIGITS.get(algorithm, 0)}}}", expected) and algorithm in DIGITS:
        return algorithm, expected
    raise ConfigError(f"--checksum '{checksum}': expected md5:HEX, sha256:HEX or sha512:HEX with all digits, or none")


def _bytes(n: int) -> str:
    return f"{n / 1e6:,.1f} MB" if n >= 1e6 else f"{n} bytes"


# ---- Archives --------------------------------------------------------------------------------------------------


class Member(NamedTuple):
    """One entry of an archive, whatever its kind."""

    name: str
    kind: str  # "file", "folder", or what it is instead
    source: zipfile.ZipInfo | tarfile.TarInfo


DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
          ValueError, RuntimeError)  # fmt: skip
"""What reading a broken archive raises; encryption and unknown compression are `RuntimeError`s."""

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)


def unpack(archive: Path, folder: Path, most: int) -> int:
    """Unpack a zip or tar archive so that the folder appears whole or not at all.

    Args:
        archive: zip, or tar with any compression.
        folder: takes the content as it stands in the archive.
        most: bytes that the content stays below.

    Returns:
        The number of files.

    Raises:
        DataError: for a member that would leave the folder, is neither file nor folder, stands twice, or goes
            beyond `most`; for a damaged archive, and one without audio.
    """
    with replacing_folder(folder, None) as part:
        try:
            n = _unpack(archive, part, most)
            if not any(name.lower().endswith(AUDIO) for _, _, names in os.walk(part) for name in names):
                raise DataError(f"'{archive}': holds no audio among {n} files; it is not the release")
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno in DISK:  # not the archive's fault: that one is kept
                raise ConfigError(f"'{folder}': {error.strerror}; make room or name another folder") from None
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
                            f"'{archive}': holds more than the {_bytes(most)} that the release stays below; "
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
