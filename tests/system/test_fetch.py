"""One file over HTTP: resumed, checked, or refused in one sentence."""

from __future__ import annotations

import socket

import pytest

from ser.errors import DataError
from ser.system import fetch as fetching
from ser.system.fetch import fetch
from tests.fakes.server import BODY, SHA256, tree


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
        DataError, match="ended after 300001 of 1024000 bytes; 300001 bytes were downloaded and are kept; try"
    ):
        fetch(f"{server.url}/file", tmp_path, "x")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".part"]
    assert fetch(f"{server.url}/file", tmp_path, "x").read_bytes() == BODY
    assert server.ranges_asked() == [None, "bytes=300001-", "bytes=300001-"]


def test_tries_come_to_an_end(server, tmp_path):
    server.cut = [10] * 99
    with pytest.raises(DataError, match="ended after 50 of 1024000 bytes"):
        fetch(f"{server.url}/file", tmp_path, "x")
    assert len(server.asked) == fetching.TRIES


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
    assert "starting again" in capsys.readouterr().out


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
    assert "the server does not give its size" in capsys.readouterr().out
    server.files["/b"], server.cut = BODY, [61_000]
    with pytest.raises(DataError, match=r"/b: IncompleteRead|ended"):
        fetch(f"{server.url}/b", tmp_path, "x")


@pytest.mark.parametrize("cut", [[], [300_001]])
def test_a_wrong_checksum_leaves_nothing(server, tmp_path, cut):
    server.cut = cut
    told = f"sha256 of its 1024000 bytes is {SHA256[7:]}, expected {'0' * 64}; the download was removed"
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
