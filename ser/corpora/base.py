"""The contract of corpus parsers, and the one way from a release to a data directory.

A parser is one file with one function, `parse(release) -> Parsed`, and one `Corpus`, which says what the
full release holds. Finding the release, checking its audio, counting and writing are done here, once.
"""

from __future__ import annotations

import dataclasses
import filecmp
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser.corpora import das_ratings
from ser.corpora.folds import Folds
from ser.corpora.miniature import Miniature
from ser.data.audio import AudioInfo, probe, walk
from ser.data.data_dir import (
    check_unchanged,
    made_from,
    notes_on_levels,
    prepared,
    summary,
    with_audio,
    write_data_dir,
)
from ser.errors import DataError
from ser.system.files import alone, fingerprint, hash_file, read_json
from ser.system.folders import check_free, check_place
from ser.system.progress import progress
from ser.types import Utterance

if TYPE_CHECKING:
    from ser.data.listen import Channel


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A release as its names and label files give it; no audio has been read.

    Attributes:
        utterances: every labelled turn.
        dropped: path below the release -> why it is no utterance of this corpus.
    """

    utterances: list[Utterance]
    dropped: dict[str, str]


GIB = 1 << 30

HEARD = 1
"""Part of what a data directory is made from; raise it when stage 1 would hear something else in the same audio."""


@dataclasses.dataclass(frozen=True)
class Archive:
    """A release in one archive.

    Attributes:
        url: where it lies; empty where no address is known that a program can read.
        most: bytes that the unpacked release stays below; an archive that holds more is refused.
        size: bytes of the archive, where published.
        checksum: of the archive, `algorithm:hex`, where published.
        note: what a user has to know.
    """

    url: str
    most: int
    size: int | None = None
    checksum: str = ""
    note: str = ""


PACKED = "GitHub packs it on each request: size and checksum are not fixed, and the download cannot be resumed"
"""Note on an archive of a repository."""


@dataclasses.dataclass(frozen=True)
class Form:
    """A release behind a form.

    Attributes:
        ask: what to do at the corpus' page.
    """

    ask: str


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A corpus and its full release.

    Attributes:
        name: as in utterance ids.
        title: as in papers.
        folders: names under which `--db_root` finds the release.
        page: where to get it.
        licence: as its authors state it.
        counts: canonical emotion -> utterances in the full release; empty where they are not known, or differ between
            versions, so that nothing is held against them.
        parse: release folder, absolute -> the content of its names and label files; `wav` is a path below it.
        folds: how it is parted where a protocol does not say otherwise.
        languages: ISO 639-1 codes of its utterances.
        n_speakers: in the full release; 0 where this is not known.
        hours: of audio in the full release.
        kind: acted, natural or what it is otherwise.
        traps: what an evaluation has to know of it, in a few words.
        rate_hz: of every file of the release, another of which is a copy; 0 where files differ or this is not known.
        version: of the parser; raise it when the same release would give other files.
        source: how to get it; None where only the page says so.
        channel: what becomes of files with several channels.
        miniature: a small release of synthetic speech in the same layout, for trying recipes.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    page: str
    licence: str
    counts: Mapping[str, int]
    parse: Callable[[Path], Parsed]
    folds: Folds | None = None
    languages: tuple[str, ...] = ()
    n_speakers: int = 0
    hours: float = 0.0
    kind: str = ""
    traps: str = ""
    rate_hz: int = 0
    version: int = 1
    source: Archive | Form | None = None
    miniature: Miniature | None = None
    channel: Channel = "average"

    @property
    def variable(self) -> str:
        """Name of its line in `conf/db.sh`."""
        return self.name.upper()


SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
"""Of audio files. Releases have the first, copies of a release may have another."""


def audio_files(release: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """List the audio below a release in sorted order, without the hidden copies that macOS makes.

    Args:
        release: a folder.
        suffixes: of audio, in lower case. The files of the first that occurs are listed, the others left alone: a
            copy as MP3 next to the release is not the release.
    """
    found: dict[str, list[Path]] = {suffix: [] for suffix in suffixes}
    for path in walk(release):
        if path.suffix.lower() in found:
            found[path.suffix.lower()].append(path)
    return next((paths for paths in found.values() if paths), [])


def audio_suffix(release: Path) -> str:
    """Say how the audio below a release is named, `.wav` where there is none."""
    return next((path.suffix for path in audio_files(release)), SUFFIXES[0])


def match_name(pattern: re.Pattern[str], path: Path, release: Path, example: str) -> re.Match[str]:
    """Match a file's stem against a release's grammar.

    Raises:
        DataError: with the offending name and one that would be right.
    """
    if matched := pattern.fullmatch(path.stem):
        return matched
    raise DataError(
        f"{path.relative_to(release)}: name does not follow the release's grammar (as in '{example}'); "
        "remove the file or restore its name"
    )


def without_copies(utterances: Iterable[Utterance], root: Path) -> Parsed:
    """Keep one file of each utterance, the one closest to the root; copies of it are left out.

    Args:
        utterances: those of all files.
        root: the release.

    Raises:
        DataError: for two different files of one utterance.
    """
    kept: dict[str, Utterance] = {}
    dropped: dict[str, str] = {}
    for utterance in sorted(utterances, key=lambda u: (len(Path(u.wav).parts), u.wav)):
        first = kept.setdefault(utterance.utt_id, utterance)
        if first is utterance:
            continue
        name, twin = (str(Path(u.wav).relative_to(root)) for u in (utterance, first))
        if not filecmp.cmp(utterance.wav, first.wav, shallow=False):
            raise DataError(f"'{name}' and '{twin}' are one utterance and differ; keep the right one")
        dropped[name] = "second copy of a file"
    return Parsed(list(kept.values()), dropped)


def find_release(corpus: Corpus, release: Path | None, db_root: Path | None) -> Path:
    """Find a corpus' release: the folder that was named, or one of its known names below the root.

    Raises:
        DataError: naming the variable to set and the page to get the corpus from.
    """
    get_it = f"set {corpus.variable} in conf/db.sh or --db_root; {corpus.title}: {corpus.page}"
    if release is not None:
        if release.is_dir():
            return release
        raise DataError(f"{corpus.name}: '{release}' is not a folder; {get_it}")
    if db_root is None:
        raise DataError(f"{corpus.name}: no release folder was given; {get_it}")
    if not db_root.is_dir():
        raise DataError(f"{corpus.name}: --db_root '{db_root}' is not a folder; {get_it}")
    wanted = {name.lower() for name in corpus.folders}
    for folder in sorted(db_root.iterdir()):
        if folder.is_dir() and folder.name.lower() in wanted:
            return folder
    raise DataError(f"{corpus.name}: '{db_root}' holds no folder {', '.join(corpus.folders)}; {get_it}")


def prepare(corpus: Corpus, release: Path, data_dir: Path, allow_partial: bool = False) -> bool:
    """Turn a release into a valid data directory and print what is usable.

    Args:
        corpus: which grammar and counts.
        release: its folder.
        data_dir: written whole or not at all.
        allow_partial: accept unusable files and missing utterances; the result is stamped `subset`.

    Returns:
        False if the directory was up to date and nothing was done.

    Raises:
        DataError: for a name that breaks the grammar, an unusable file, counts that differ, or a `data_dir` that
            holds anything but what this function wrote.
    """
    check_place(data_dir, {"the release": release})
    release = release.resolve()  # the folder only: a linked file keeps the name that tells its label
    listing = _listing(release)
    _check_utf8(corpus, release, [name for name, _, _ in listing])
    mark = {
        "release": fingerprint(listing),
        "ratings": (ratings := das_ratings.find(corpus.name, release)) and hash_file(ratings),
        "path": str(release),
        "allow_partial": allow_partial,
        "parser": corpus.version,
        "audio": [HEARD, corpus.channel],
    }
    if made_from(data_dir) == mark:
        check_unchanged(data_dir)
        return False
    check_free(data_dir, prepared(corpus.name))
    parsed = corpus.parse(release)
    parsed = dataclasses.replace(parsed, utterances=das_ratings.join(corpus.name, parsed.utterances, release))
    usable, unusable = _check_audio(parsed.utterances, corpus.channel, release)
    mini = read_json(release / "mini.json") if (release / "mini.json").exists() else None
    expected = mini["counts"] if mini else corpus.counts
    complete = _report(corpus, parsed, usable, unusable, expected, release)
    if not usable:
        raise DataError(f"{corpus.name}: no usable utterances below '{release}'; {corpus.title}: {corpus.page}")
    copied = [] if mini else _copied(corpus, usable)
    if not (complete or allow_partial):
        what = f"{len(unusable)} unusable files" if unusable else "counts that differ from the full release"
        raise DataError(
            f"{corpus.name}: {what} in '{release}' (table above); restore them from {corpus.page}, "
            "or accept the files present with --allow_partial true, which flags every table made from them"
        )
    info = {
        "corpus": corpus.name,
        "title": corpus.title,
        "licence": corpus.licence,
        "page": corpus.page,
        "release": "mini" if mini and complete else _release(expected, complete),
        "copy": copied,
        "made_from": mark,
        "dropped": parsed.dropped | {str(Path(p).relative_to(release)): r for p, r in unusable.items()},
        "formats": formats_of(usable.values()),
        **summary(utterances := list(usable)),
    }
    with alone(data_dir):  # recipes share it, and the second finds what the first has written
        if made_from(data_dir) != mark:
            write_data_dir(data_dir, utterances, info, prepared(corpus.name))
    return True


def _release(expected: Mapping[str, int], complete: bool) -> str:
    """Name the state of a release; `uncounted` is one whose files are all there, as far as is known of it."""
    return "subset" if not complete else "full" if expected else "uncounted"


def _copied(corpus: Corpus, usable: Mapping[Utterance, AudioInfo]) -> list[str]:
    """Say in what files differ from those of the release, and print it; empty for the release itself."""
    suffixes = Counter(Path(u.wav).suffix.lower().lstrip(".") for u in usable)
    differ = [
        f"{n} of {len(usable)} files are {name.upper()}"
        for name, n in sorted(suffixes.items())
        if f".{name}" in SUFFIXES[1:]
    ]
    rates = Counter(info.rate_hz for info in usable.values())
    if corpus.rate_hz and (n := len(usable) - rates[corpus.rate_hz]):
        names = " and ".join(f"{rate} Hz" for rate in sorted(rates) if rate != corpus.rate_hz)
        differ.append(f"{n} of {len(usable)} files have {names}, the release has {corpus.rate_hz} Hz")
    for sentence in differ:
        print(f"  copy: {sentence}")
    return differ


def _listing(release: Path) -> list[tuple[str, int, int]]:
    """List every file with size and time of change: enough to see that a release was touched."""
    return [
        (str(path.relative_to(release)), (stat := path.stat()).st_size, stat.st_mtime_ns)
        for folder, _, names in sorted(os.walk(release))
        for path in (Path(folder) / name for name in sorted(names))
        if path.exists()
    ]


def _check_utf8(corpus: Corpus, release: Path, names: list[str]) -> None:
    """Refuse names that no data directory can hold; Python reads their odd bytes as lone surrogates."""
    for name in ("", *names):
        if re.search("[\udc80-\udcff]", path := str(release / name)):
            raise DataError(
                f"{corpus.name}: {os.fsencode(path)!r} is not UTF-8; rename it, as with "
                "'convmv -r -f latin1 -t utf8 --notest'"
            )


def _check_audio(
    utterances: list[Utterance], channel: Channel, release: Path
) -> tuple[dict[Utterance, AudioInfo], dict[str, str]]:
    """Listen to every file: usable utterances with what is in their files, unusable paths with the reason."""
    usable: dict[Utterance, AudioInfo] = {}
    unusable: dict[str, str] = {}
    levels = {}
    for utterance in progress(utterances, "audio", len(utterances)):
        try:
            info = probe(utterance.wav)
            filled, levels[str(Path(utterance.wav).relative_to(release))] = with_audio(utterance, info, channel)
            usable[filled] = info
        except DataError as reason:
            unusable[utterance.wav] = str(reason)
    for note in notes_on_levels(levels, channel):
        print(note)
    return usable, unusable


def formats_of(infos: Iterable[AudioInfo]) -> dict[str, int]:
    """Count files by rate and channels."""
    return dict(sorted(Counter(f"{i.rate_hz} Hz, {i.channels} channel(s)" for i in infos).items()))


def _report(
    corpus: Corpus,
    parsed: Parsed,
    usable: Mapping[Utterance, AudioInfo],
    unusable: Mapping[str, str],
    expected: Mapping[str, int],
    release: Path,
) -> bool:
    """Print one table of what is usable, what is not and why; return whether it is complete."""
    found = Counter(u.emotion for u in parsed.utterances)
    good = Counter(u.emotion for u in usable)
    print(f"{corpus.title} in {release}")
    print(f"  {'emotion':<12}{'expected':>9}{'found':>7}{'usable':>8}")
    expected = expected or found  # of a corpus whose counts are not known
    for emotion in sorted({*expected, *found}):
        row = expected.get(emotion, 0), found[emotion], good[emotion]
        print(f"  {emotion:<12}{row[0]:>9}{row[1]:>7}{row[2]:>8}{'' if len(set(row)) == 1 else '  <-'}")
    print(f"  {'total':<12}{sum(expected.values()):>9}{found.total():>7}{good.total():>8}")
    for name, n in formats_of(usable.values()).items():
        print(f"  {n} x {name}")
    for reason, n in sorted(Counter(parsed.dropped.values()).items()):
        print(f"  left out: {n} x {reason}")
    for path, reason in sorted(unusable.items()):
        print(f"  unusable: {Path(path).relative_to(release)}: {reason}")
    return not unusable and dict(found) == dict(expected)
