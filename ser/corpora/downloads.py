"""Getting the corpora that may be downloaded, and saying how to get those that may not.

Each corpus' file says where it lies. Nothing that is downloaded may be passed on by this project. Not here: transfers
(`ser.system.fetch`), archives (`ser.system.unpack`), and the counts of a release, which stage 1 checks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from ser.corpora import CORPORA
from ser.corpora.base import Archive, Corpus, Form
from ser.errors import ConfigError, DataError, unknown
from ser.system.fetch import MIB, WORK, fetch, parse_checksum, size_text, verify
from ser.system.folders import check_free, remove_folder
from ser.system.unpack import unpack

AUDIO = (".wav", ".aiff", ".aif", ".flac")

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


def of_kind(kind: type) -> dict[str, Corpus]:
    """List the corpora whose source is an `Archive`, a `Form` or, for `type(None)`, only a page."""
    return {name: corpus for name, corpus in CORPORA.items() if isinstance(corpus.source, kind)}


def table() -> str:
    """List what can be had, from where, and how sure we are of it."""
    lines = []
    for name, corpus in of_kind(Archive).items():
        source = corpus.source
        facts = [
            size_text(source.size) if source.size else "size given by the server",
            source.checksum or "no checksum known",
            f"license: {corpus.licence}",
            *([source.note] if source.note else []),
        ]
        lines.append(f"{name:<11}{source.url or 'no address known, --url or --archive needed'}")
        lines += [f"{'':<11}{fact}" for fact in facts]
    lines.append(f"{RATINGS_NAME:<11}{RATINGS_URL}")
    lines += [f"{'':<11}{file} {checksum}" for file, checksum in RATINGS.items()]
    lines += [f"{name:<11}{corpus.page}: {corpus.source.ask}" for name, corpus in of_kind(Form).items()]
    lines += [f"{name:<11}{corpus.page}" for name, corpus in of_kind(type(None)).items()]
    return "\n".join(lines)


def download(
    name: str, root: Path, url: str | None = None, checksum: str | None = None, archive: Path | None = None
) -> bool:
    """Put a release, or the rating files, below a folder; say licence, source and size before.

    Args:
        name: of a corpus, or of the rating files.
        root: the folder that `--db_root` names.
        url: in place of the source's own; of the rating files, the folder that holds them.
        checksum: `algorithm:hex` in place of the published one, `none` to check nothing.
        archive: a file that was downloaded by hand, in place of a download; it is not removed.

    Returns:
        False if it was there and nothing was done.

    Raises:
        DataError: with the reason why nothing was put there.
    """
    if name not in (names := (*CORPORA, RATINGS_NAME)):
        raise ConfigError(f"NAME: {unknown(name, names)}")
    if root.exists() and not root.is_dir():
        raise ConfigError(f"DIR: '{root}' is a file; name a folder")
    _check_options(name, url, checksum, archive)
    if name == RATINGS_NAME:
        return _download_ratings(root, url or RATINGS_URL)
    corpus = CORPORA[name]
    if there := _find(corpus, root):
        print(f"{name}: '{there}' is there; remove it to get it again")
        return False
    if not isinstance(corpus.source, Archive):
        ask = corpus.source.ask if corpus.source else "see how to get it"
        raise DataError(
            f"{name}: {corpus.title} cannot be downloaded by a program; at {corpus.page} {ask}, then put "
            f"the release at '{root / corpus.folders[0]}' or set {corpus.variable} in conf/db.sh; "
            f"license: {corpus.licence}"
        )
    _download_archive(corpus, corpus.source, root, url, checksum, archive)
    return True


def _check_options(name: str, url: str | None, checksum: str | None, archive: Path | None) -> None:
    if name == RATINGS_NAME and (checksum or archive):
        raise ConfigError(f"{name}: takes only --url; the files are known by their checksums")
    if url and archive:
        raise ConfigError(f"{name}: --url '{url}' and --archive '{archive}' are two sources; give one")
    if archive and not archive.is_file():
        raise ConfigError(f"--archive '{archive}': no such file")
    if url and (urllib.parse.urlsplit(url).scheme not in ("http", "https") or not urllib.parse.urlsplit(url).netloc):
        raise ConfigError(f"--url '{url}': expected http://... or https://...; of a file here, give --archive FILE")
    if checksum and checksum != "none":
        parse_checksum(checksum)


def _find(corpus: Corpus, root: Path) -> Path | None:
    """Find a release that is there already, under any of its names; an empty folder does not count."""
    wanted = {folder.lower() for folder in corpus.folders}
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return next((f for f in folders if f.name.lower() in wanted and f.is_dir() and any(f.iterdir())), None)


def _download_archive(
    corpus: Corpus, source: Archive, root: Path, url: str | None, checksum: str | None, archive: Path | None
) -> None:
    name, target = corpus.name, root / corpus.folders[0]
    if not (url or source.url or archive):
        raise DataError(
            f"{name}: {source.note}; download it from {corpus.page} and give the file with --archive FILE, or its "
            f"address with --url URL, or unpack it at '{target}'; license: {corpus.licence}"
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
                verify(archive, expected, "it is incomplete or of another version (--checksum none accepts it)")
            whole = archive
        else:
            whole = fetch(url or source.url, work, name, expected, size, source.most)
        try:
            n = unpack(whole, target, source.most, AUDIO)
        except DataError:  # a damaged or hostile archive: nothing that a later call would go on with
            remove_folder(work, WORK)
            raise
        remove_folder(work, WORK)
    print(f"{name}: {n} files in {target}; find it with --db_root {root} or {corpus.variable} in conf/db.sh")


def _download_ratings(root: Path, url: str) -> bool:
    if all(_is_published(root / file, checksum) for file, checksum in RATINGS.items()):
        print(f"{RATINGS_NAME}: all files are in '{root}'")
        return False
    print(f"Ratings of Das et al. 2022: no license is stated; the authors ask for citation; {RATINGS_PAGE}")
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
    verify(path, checksum, "it is not the published file; move it away")
    return True


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
