"""A web server on the loopback address whose faults can be chosen, and archives for it."""

from __future__ import annotations

import hashlib
import io
import re
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

BODY = b"".join(i.to_bytes(4, "big") for i in range(256_000))  # 1,024,000 bytes, nowhere alike
SHA256 = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


class Server(ThreadingHTTPServer):
    """A server whose faults can be chosen; it remembers what was asked.

    Attributes:
        files: path -> content.
        etag: sent with every file; empty for none.
        ranges: whether it knows them.
        cut: bytes after which the next answers break off, one number per answer.
        status: sent in place of everything, if not 0.
        length: whether it tells the length; without, it sends chunks.
        obeys_if_range: whether it looks at If-Range at all.
        asked: headers of every request.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/file": BODY}
        self.etag = '"one"'
        self.ranges = self.length = self.obeys_if_range = True
        self.cut: list[int] = []
        self.status = 0
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def ranges_asked(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(dict(self.headers))
        body = server.files.get(self.path)
        if server.status or body is None:
            return self.send_error(server.status or 404)
        start = self._start(body)
        if start is not None and start >= len(body):
            self.send_response(416)
            self._end(b"", {"Content-Range": f"bytes */{len(body)}"})
        elif start is not None:
            self.send_response(206)
            where = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._end(body[start:], {"Content-Range": where})
        else:
            self.send_response(200)
            self._end(body, {})

    def _start(self, body: bytes) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = not self.server.obeys_if_range or self.headers.get("If-Range") == self.server.etag
        return int(asked[1]) if asked and self.server.ranges and same else None

    def _end(self, body: bytes, headers: dict[str, str]) -> None:
        sent = body[: self.server.cut.pop(0)] if self.server.cut else body
        for name, value in headers.items():
            self.send_header(name, value)
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.send_header("Connection", "close")
        self.send_header(
            *(("Content-Length", str(len(body))) if self.server.length else ("Transfer-Encoding", "chunked"))
        )
        self.end_headers()
        if self.server.length:
            self.wfile.write(sent)
        else:
            for i in range(0, len(sent), 60_000):
                chunk = sent[i : i + 60_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n" if sent == body else b"")

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


RELEASE = {"wav/03a01Fa.wav": b"RIFF" * 1000, "wav/Colère (5)b.wav": b"x", "Readme.txt": b"cite us"}


def zipped(members: dict[str, bytes], links: dict[str, str] | None = None, kind: int = stat.S_IFLNK) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in members.items():
            file.writestr(name, body)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (kind | 0o777) << 16
            file.writestr(info, target)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w:gz", **special: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))
        for name, kind in special.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../../../etc/passwd"
            file.addfile(info)
    return out.getvalue()
