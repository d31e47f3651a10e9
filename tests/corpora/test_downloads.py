"""Downloads from a server on the loopback address: resumed, checked, unpacked whole, or refused in one sentence."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import socket
import stat
import subprocess
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ser.corpora import CORPORA, downloads
from ser.corpora.das_ratings import FILES
from ser.corpora.downloads import ARCHIVES, FORMS, RATINGS, download, fetch, table, unpack
from ser.errors import ConfigError, DataError

UTILS = Path(__file__).parents[2] / "utils"
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


# ---- One file --------------------------------------------------------------------------------------------------


def test_a_file_comes_whole_and_once(server, tmp_path):
    path = fetch(f"{server.url}/file", tmp_path, "x", SHA256)
    assert path.read_bytes() == BODY
    assert fetch(f"{server.url}/file", tmp_path, "x", SHA256) == path
    assert server.ranges_asked() == [None]
    assert list(tree(tmp_path)) == [path.name]


def test_a_broken_transfer_goes_on_within_the_call(server, tmp_path):
    server.cut = [300_001, 17]
    assert fetch(f"{server.url}/file", tmp_path, "x").read_bytes() == BODY
    assert server.ranges_asked() == [None, "bytes=300001-", "bytes=300018-"]
    assert [headers.get("If-Range") for headers in server.asked] == [None, '"one"', '"one"']


def test_a_broken_transfer_goes_on_in_the_next_call(server, tmp_path):
    server.cut = [300_001, 0]
    with pytest.raises(
        DataError, match="ended after 300001 of 1024000 bytes; 300001 bytes have come and are kept; try"
    ):
        fetch(f"{server.url}/file", tmp_path, "x")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".part"]
    assert fetch(f"{server.url}/file", tmp_path, "x").read_bytes() == BODY
    assert server.ranges_asked() == [None, "bytes=300001-", "bytes=300001-"]


def test_tries_come_to_an_end(server, tmp_path):
    server.cut = [10] * 99
    with pytest.raises(DataError, match="ended after 50 of 1024000 bytes"):
        fetch(f"{server.url}/file", tmp_path, "x")
    assert len(server.asked) == downloads.TRIES


def test_another_address_does_not_go_on_with_this_one(server, tmp_path):
    server.files["/other"] = BODY[::-1]
    server.cut = [300_001, 0]
    with pytest.raises(DataError, match="kept"):
        fetch(f"{server.url}/file", tmp_path, "x")
    assert fetch(f"{server.url}/other", tmp_path, "x").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("fault", ["no ranges", "other ETag", "other ETag, If-Range ignored"])
def test_a_file_that_may_have_changed_is_never_spliced(server, tmp_path, capsys, fault):
    server.cut = [300_001, 0]
    with pytest.raises(DataError, match="kept"):
        fetch(f"{server.url}/file", tmp_path, "x")
    new = BODY[::-1] if "other" in fault else BODY
    server.files["/file"] = new
    server.ranges = fault != "no ranges"
    server.obeys_if_range = "ignored" not in fault
    server.etag = '"two"' if "other" in fault else server.etag
    server.asked.clear()
    assert fetch(f"{server.url}/file", tmp_path, "x").read_bytes() == new
    assert server.ranges_asked() == ["bytes=300001-", None][: 2 if "ignored" in fault else 1]
    assert "beginning again" in capsys.readouterr().out


@pytest.mark.parametrize("etag", ["", 'W/"one"'])
def test_without_a_strong_tag_a_file_comes_anew(server, tmp_path, etag):
    server.etag = etag
    server.cut = [300_001]
    assert fetch(f"{server.url}/file", tmp_path, "x").read_bytes() == BODY
    assert server.ranges_asked() == [None, None]


@pytest.mark.parametrize("length", [len(BODY), len(BODY) - 5, len(BODY) + 5])
def test_a_part_that_is_whole_or_too_long(server, tmp_path, length):
    """A call that was killed after the last byte, or a file that is shorter now."""
    server.cut = [10, 0]
    with pytest.raises(DataError, match="kept"):
        fetch(f"{server.url}/file", tmp_path, "x")
    part = next(tmp_path.glob("*.part"))
    part.write_bytes((BODY + bytes(5))[:length])
    assert fetch(f"{server.url}/file", tmp_path, "x").read_bytes() == BODY


def test_chunks_of_unknown_length(server, tmp_path, capsys):
    server.length = False
    assert fetch(f"{server.url}/file", tmp_path, "x").read_bytes() == BODY
    assert "size not told by the server" in capsys.readouterr().out
    server.files["/b"], server.cut = BODY, [61_000]
    with pytest.raises(DataError, match=r"/b: IncompleteRead|ended"):
        fetch(f"{server.url}/b", tmp_path, "x")


@pytest.mark.parametrize("cut", [[], [300_001]])
def test_a_wrong_checksum_leaves_nothing(server, tmp_path, cut):
    server.cut = cut
    told = f"sha256 of its 1024000 bytes is {SHA256[7:]}, expected {'0' * 64}; what came was removed"
    with pytest.raises(DataError, match=told):
        fetch(f"{server.url}/file", tmp_path, "x", f"sha256:{'0' * 64}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_whole_is_checked_again(server, tmp_path):
    path = fetch(f"{server.url}/file", tmp_path, "x")
    path.write_bytes(BODY[:-1])
    with pytest.raises(DataError, match="it was removed; try again"):
        fetch(f"{server.url}/file", tmp_path, "x", SHA256)
    assert fetch(f"{server.url}/file", tmp_path, "x", SHA256).read_bytes() == BODY


def test_another_size_than_published_is_refused_before_it_comes(server, tmp_path):
    with pytest.raises(DataError, match="offers 1024000 bytes, the published file has 1024001"):
        fetch(f"{server.url}/file", tmp_path, "x", size=len(BODY) + 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [True, False])
def test_more_than_declared_is_refused(server, tmp_path, length):
    server.length = length
    with pytest.raises(DataError, match="offers more than the 1000 bytes that the release stays below"):
        fetch(f"{server.url}/file", tmp_path, "x", most=1000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "told"), [(404, "404 Not Found"), (403, "403 Forbidden"), (503, "503 Service Un")]
)
def test_an_error_of_the_server_is_one_sentence(server, tmp_path, status, told):
    server.status = status
    with pytest.raises(DataError, match=f"^x: {server.url}/file: the server answered {told}[^\n]*--url$"):
        fetch(f"{server.url}/file", tmp_path, "x")
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_refused_connection_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(DataError, match=f"^x: http://127.0.0.1:{port}/file: .*[Cc]onnection refused; try again"):
            fetch(f"http://127.0.0.1:{port}/file", tmp_path, "x")


def test_an_address_with_odd_letters(server, tmp_path):
    server.files["/l'%C3%A9t%C3%A9%20$(x)%20%22q%22"] = b"odd"
    assert fetch(f'{server.url}/l\'été $(x) "q"', tmp_path, "x").read_bytes() == b"odd"


# ---- Archives --------------------------------------------------------------------------------------------------

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

    monkeypatch.setattr(downloads, "_unpack", full)
    with pytest.raises(ConfigError, match="out': No space left on device; make room or name another folder"):
        unpack(tmp_path / "a", tmp_path / "out", 5000)


# ---- Corpora ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_corpus_lands_where_its_parser_looks_for_it(server, tmp_path, capsys, name):
    root = tmp_path / 'l\'été $(touch pwned) "q"'
    server.files = {"/a.zip": zipped(RELEASE)}
    assert download(name, root, f"{server.url}/a.zip", "none") is True
    corpus = CORPORA[name]
    assert os.listdir(root) == [corpus.folders[0]]
    assert tree(root / corpus.folders[0]) == RELEASE
    out = capsys.readouterr().out
    assert out.startswith(f"{corpus.title}: {corpus.licence}; {corpus.page}\n")  # before anything comes
    assert f"{len(server.files['/a.zip'])} bytes\n" in out
    assert download(name, root, f"{server.url}/a.zip", "none") is False
    assert len(server.asked) == 1
    assert "is there; remove it to get it again" in capsys.readouterr().out


def test_the_published_checksum_holds_for_other_sources_too(server, tmp_path):
    server.files = {"/a.zip": zipped(RELEASE)}
    with pytest.raises(DataError, match=r"offers \d+ bytes, the published file has 208468073; it is another version"):
        download("ravdess", tmp_path, f"{server.url}/a.zip")
    sha256 = hashlib.sha256(server.files["/a.zip"]).hexdigest()
    with pytest.raises(DataError, match="expected d41d8cd98f00b204e9800998ecf8427e; what came was removed"):
        download("ravdess", tmp_path, f"{server.url}/a.zip", "md5:d41d8cd98f00b204e9800998ecf8427e")
    assert os.listdir(tmp_path) == []
    assert download("ravdess", tmp_path, f"{server.url}/a.zip", f"SHA256:{sha256.upper()}") is True


def test_a_download_goes_on_where_the_last_call_stopped(server, tmp_path):
    body = zipped({"wav/1.wav": os.urandom(200_000)})
    server.files, server.cut = {"/a.zip": body}, [100_000, 0]
    with pytest.raises(DataError, match="100000 bytes have come and are kept; try again later"):
        download("emodb", tmp_path, f"{server.url}/a.zip")
    assert os.listdir(tmp_path) == [".download-emodb"]
    assert download("emodb", tmp_path, f"{server.url}/a.zip") is True
    assert server.ranges_asked()[-1] == "bytes=100000-"
    assert os.listdir(tmp_path) == ["EMO-DB"]


@pytest.mark.parametrize("what", ["parent", "zip bomb", "cut zip", "page"])
def test_a_bad_archive_is_not_kept_for_the_next_call(server, tmp_path, monkeypatch, what):
    monkeypatch.setitem(ARCHIVES, "emodb", dataclasses.replace(ARCHIVES["emodb"], most=5000))
    server.files = {"/a.zip": HOSTILE[what][0]}
    with pytest.raises(DataError, match=HOSTILE[what][1]):
        download("emodb", tmp_path, f"{server.url}/a.zip")
    assert os.listdir(tmp_path) == []
    server.files = {"/a.zip": zipped(GOOD)}
    assert download("emodb", tmp_path, f"{server.url}/a.zip") is True


def test_a_file_downloaded_by_hand(tmp_path):
    archive = tmp_path / "Acted Emotional Speech Dynamic Database.zip"
    archive.write_bytes(zipped(RELEASE))
    with pytest.raises(
        DataError, match="aesdd: its page leads to a file host.*http://m3c.web.auth.gr.*--archive FILE"
    ):
        download("aesdd", tmp_path / "root")
    with pytest.raises(DataError, match="md5 of its .* it is no whole copy"):
        download("aesdd", tmp_path / "root", checksum=f"md5:{'0' * 32}", archive=archive)
    assert download("aesdd", tmp_path / "root", archive=archive) is True
    assert tree(tmp_path / "root/AESDD") == RELEASE
    assert archive.exists()


@pytest.mark.parametrize("folder", ["EMO-DB", "emodb"])
def test_what_the_user_has_is_not_touched(server, tmp_path, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "mine.txt").write_text("mine")
    assert download("emodb", tmp_path, f"{server.url}/file") is False
    assert tree(tmp_path) == {f"{folder}/mine.txt": b"mine"}
    assert server.asked == []


def test_two_calls_at_once(server, tmp_path):
    with downloads._working(tmp_path, "emodb"), pytest.raises(DataError, match="another download into .* is running"):
        download("emodb", tmp_path, f"{server.url}/file")


@pytest.mark.parametrize("name", FORMS)
def test_a_corpus_behind_a_form_is_a_plain_sentence(tmp_path, name):
    corpus = CORPORA[name]
    with pytest.raises(DataError) as error:
        download(name, tmp_path)
    for part in (corpus.page, str(tmp_path / corpus.folders[0]), f"{corpus.variable} in conf/db.sh", corpus.licence):
        assert part in str(error.value)
    (tmp_path / corpus.folders[-1]).mkdir()
    (tmp_path / corpus.folders[-1] / "x").touch()
    assert download(name, tmp_path) is False


def test_every_corpus_can_be_asked_for():
    assert {*ARCHIVES, *FORMS} == set(CORPORA)
    for name in ARCHIVES:
        assert ARCHIVES[name].corpus.name == name
    assert set(RATINGS) == set(FILES.values())
    text = table()
    assert "md5:bc696df654c87fed845eb13823edef8a" in text
    assert "no address known, --url or --archive needed" in text


# ---- Rating files ----------------------------------------------------------------------------------------------


@pytest.fixture
def ratings(server, monkeypatch):
    """Rating files of our own making behind the server, in place of the published ones."""
    bodies = {name: f"filename,activation,valence\n{name}.wav,1.5,2\n".encode() for name in RATINGS}
    monkeypatch.setattr(
        downloads, "RATINGS", {name: f"sha256:{hashlib.sha256(body).hexdigest()}" for name, body in bodies.items()}
    )
    server.files = {f"/labels/{name}": body for name, body in bodies.items()}
    return bodies


def test_rating_files_land_beside_the_releases(server, tmp_path, ratings, capsys):
    assert download("das2022", tmp_path, f"{server.url}/labels/") is True
    assert tree(tmp_path) == ratings
    assert "no licence is stated" in capsys.readouterr().out
    assert download("das2022", tmp_path, f"{server.url}/labels") is False
    assert len(server.asked) == 4
    (tmp_path / "URDU.csv").unlink()
    assert download("das2022", tmp_path, f"{server.url}/labels") is True
    assert len(server.asked) == 5
    assert tree(tmp_path) == ratings


def test_a_rating_file_that_differs(server, tmp_path, ratings):
    server.files["/labels/CAFE.csv"] = b"other"
    with pytest.raises(DataError, match="sha256 of its 5 bytes is .*; what came was removed"):
        download("das2022", tmp_path, f"{server.url}/labels")
    assert list(tree(tmp_path)) == ["AESD.csv"]
    (tmp_path / "CAFE.csv").write_text("mine")
    with pytest.raises(DataError, match="it is not the published file; move it away"):
        download("das2022", tmp_path, f"{server.url}/labels")
    assert (tmp_path / "CAFE.csv").read_text() == "mine"


# ---- Command line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "emo"}, "unknown 'emo'; did you mean 'emodb'?"),
        ({"url": "file:///etc/passwd"}, "expected http://... or https://...; of a file here, give --archive FILE"),
        ({"url": "/etc/passwd"}, "expected http"),
        ({"url": "http://"}, "expected http"),
        (
            {"checksum": "sha256:12"},
            "--checksum 'sha256:12': expected md5:HEX, sha256:HEX or sha512:HEX with all digits",
        ),
        ({"checksum": "crc:12345678"}, "expected md5:HEX"),
        ({"archive": Path("/none")}, "--archive '/none': no such file"),
        ({"archive": Path("/x"), "url": "http://x/y"}, "are two sources; give one"),
        ({"name": "das2022", "checksum": "none"}, "das2022: takes --url alone"),
        ({"root": Path(__file__)}, "is a file; name a folder"),
        ({"root": Path(__file__) / "x"}, "Not a directory; name a folder that you may write to"),
    ],
)
def test_options_are_checked_first(tmp_path, options, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        download(**{"name": "emodb", "root": tmp_path / "root"} | options)
    assert not (tmp_path / "root").exists()


def test_the_script(server, tmp_path):
    server.files = {"/a.zip": zipped(RELEASE)}
    root = tmp_path / 'l\'été $(touch pwned); "q"'

    def call(*args: object) -> subprocess.CompletedProcess:
        command = [UTILS / "download_corpus.sh", *map(str, args)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    out = call("emodb", root, "--url", f"{server.url}/a.zip")
    assert out.returncode == 0, out.stderr
    assert out.stdout.endswith(
        f"emodb: 3 files in {root}/EMO-DB; find it with --db_root {root} or EMODB in conf/db.sh\n"
    )
    assert tree(root / "EMO-DB") == RELEASE
    out = call("urdu", root, "--url", f"{server.url}/none.zip")
    assert (out.returncode, len(out.stderr.splitlines())) == (2, 1)
    assert out.stderr.startswith(f"error: urdu: {server.url}/none.zip: the server answered 404 Not Found; try again")
    out = call("iemocap", root)
    assert (out.returncode, len(out.stderr.splitlines())) == (2, 1)
    assert out.stderr.startswith("error: iemocap: IEMOCAP is not for programs to download; at https://sail.usc.edu/")
    assert os.listdir(tmp_path) == [root.name]
