"""Corpora from a server on the loopback address: where their parser looks for them, or refused in one sentence."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from ser.corpora import CORPORA, downloads
from ser.corpora.base import Archive, Form
from ser.corpora.das_ratings import FILES
from ser.corpora.downloads import RATINGS, download, of_kind, table
from ser.errors import ConfigError, DataError
from tests.fakes.server import RELEASE, tree, zipped
from tests.system.test_unpack import GOOD, HOSTILE

UTILS = Path(__file__).parents[2] / "utils"


@pytest.mark.parametrize("name", of_kind(Archive))
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
    with pytest.raises(DataError, match="expected d41d8cd98f00b204e9800998ecf8427e; the download was removed"):
        download("ravdess", tmp_path, f"{server.url}/a.zip", "md5:d41d8cd98f00b204e9800998ecf8427e")
    assert os.listdir(tmp_path) == []
    assert download("ravdess", tmp_path, f"{server.url}/a.zip", f"SHA256:{sha256.upper()}") is True


def test_a_download_goes_on_where_the_last_call_stopped(server, tmp_path):
    body = zipped({"wav/1.wav": os.urandom(200_000)})
    server.files, server.cut = {"/a.zip": body}, [100_000, 0]
    with pytest.raises(DataError, match="100000 bytes were downloaded and are kept; try again later"):
        download("emodb", tmp_path, f"{server.url}/a.zip")
    assert os.listdir(tmp_path) == [".download-emodb"]
    assert download("emodb", tmp_path, f"{server.url}/a.zip") is True
    assert server.ranges_asked()[-1] == "bytes=100000-"
    assert os.listdir(tmp_path) == ["EMO-DB"]


@pytest.mark.parametrize("what", ["parent", "zip bomb", "cut zip", "page"])
def test_a_bad_archive_is_not_kept_for_the_next_call(server, tmp_path, monkeypatch, what):
    corpus = CORPORA["emodb"]
    source = dataclasses.replace(corpus.source, most=5000)
    monkeypatch.setitem(CORPORA, "emodb", dataclasses.replace(corpus, source=source))
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
    with pytest.raises(DataError, match="md5 of its .* it is incomplete or"):
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


@pytest.mark.parametrize("name", of_kind(Form))
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
    assert {*of_kind(Archive), *of_kind(Form)} == set(CORPORA)
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
    assert "no license is stated" in capsys.readouterr().out
    assert download("das2022", tmp_path, f"{server.url}/labels") is False
    assert len(server.asked) == 4
    (tmp_path / "URDU.csv").unlink()
    assert download("das2022", tmp_path, f"{server.url}/labels") is True
    assert len(server.asked) == 5
    assert tree(tmp_path) == ratings


def test_a_rating_file_that_differs(server, tmp_path, ratings):
    server.files["/labels/CAFE.csv"] = b"other"
    with pytest.raises(DataError, match="sha256 of its 5 bytes is .*; the download was removed"):
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
        ({"name": "emod"}, "unknown 'emod'; did you mean 'emodb'?"),
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
        ({"name": "das2022", "checksum": "none"}, "das2022: takes only --url"),
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
    assert out.stderr.startswith(
        "error: iemocap: IEMOCAP cannot be downloaded by a program; at https://sail.usc.edu/"
    )
    assert os.listdir(tmp_path) == [root.name]
