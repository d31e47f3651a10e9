"""One file over HTTP: a transfer that stopped goes on where it was, and what came is checked.

Servers are not trusted: a file that is larger than announced or of another checksum is refused. Archives:
`ser.system.unpack`.
"""

from __future__ import annotations

import hashlib
import http.client
import math
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from ser.errors import ConfigError, DataError
from ser.system.files import fingerprint, read_json, remove, write_json
from ser.system.folders import Kind
from ser.system.progress import progress

MIB = 1 << 20
GIB = 1 << 30
TIMEOUT_S = 60
TRIES = 5
"""Connections per call: a transfer that breaks goes on at once, as long as every connection brings something."""

DIGITS = {"md5": 32, "sha256": 64, "sha512": 128}

WORK_FILES = (("", ""), ("", ".part"), ("", ".json"), (".", ".json.ser-part"))
WORK = Kind(
    name="folder of unfinished downloads",
    mark="",
    is_ours=lambda _: True,
    holds=lambda _: [f"{start}{16 * '[0-9a-f]'}{end}" for start, end in WORK_FILES],
)
"""Files of `fetch`, named by the hash of an address."""


def fetch(url: str, folder: Path, what: str, checksum: str = "", size: int | None = None, most: int = GIB) -> Path:
    """Download one file into a folder, going on where an earlier call for the same address stopped.

    What has come lies in `<hash of the address>.part`; it is gone on with only if the server says, by the entity tag
    or date kept next to it, that the file is still the same.

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
            then = "the download was removed; try again, or look for a new version on the page"
            verify(part, checksum, then, on_error=lambda: _forget(part))
        os.replace(part, path)
        _forget(part)
    elif checksum:
        verify(path, checksum, "it was removed; try again", on_error=lambda: remove(path))
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
                print(f"  {reason}; continuing from {size_text(_size(part))}")
                continue
        kept = f"{size_text(_size(part))} were downloaded and are kept; " if _size(part) else ""
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
            print(f"  {what}: the server cannot resume the download, or the file changed: starting again")
            _forget(part)
            if response.status != http.HTTPStatus.OK:
                return _transfer(url, part, what, size, most)
            start = 0
        if not start:
            about = _begin(response, part)
        total = about["total"]
        _check_size(url, what, total, size, most)
        print(f"  {what}: {size_text(total) if total is not None else 'the server does not give its size'}"
              + (f", {size_text(start)} are already here" if start else ""))  # fmt: skip
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
            f"{what}: {url} offers {found} bytes, the published file has {size}; it is another version or "
            "incomplete: "
            "see its page, and give --checksum to accept another"
        )
    if found is not None and found > most:
        raise DataError(
            f"{what}: {url} offers more than the {size_text(most)} that the release stays below; see its page"
        )


def verify(path: Path, checksum: str, then: str, on_error=lambda: None) -> None:
    """Hold a file against its checksum."""
    algorithm, expected = parse_checksum(checksum)
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


def parse_checksum(checksum: str) -> tuple[str, str]:
    algorithm, _, expected = checksum.lower().partition(":")
    if re.fullmatch(f"[0-9a-f]{{{DIGITS.get(algorithm, 0)}}}", expected) and algorithm in DIGITS:
        return algorithm, expected
    raise ConfigError(f"--checksum '{checksum}': expected md5:HEX, sha256:HEX or sha512:HEX with all digits, or none")


def size_text(n: int) -> str:
    return f"{n / 1e6:,.1f} MB" if n >= 1e6 else f"{n} bytes"
