"""Splits as files: who is trained on, adapted to and tested, and nothing that would let a trainer see test labels.

`train.lst dev.lst labelled.lst support.<k>.<draw>.lst` hold `utterance class` lines, `adapt.lst test.lst` utterances
alone, `test.ref` the classes of the test utterances. Only stage 5 opens `test.lst` and `test.ref`. Where labels are
distributions of votes, `shares.lst` holds `utterance happy:0.75; sad:0.25` lines of those whose class a list shows.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ser.data.maps import read_list, read_map, write_map
from ser.errors import DataError
from ser.system.files import changed_files, fingerprint, hash_files, read_json, remove, write_json
from ser.system.folders import Kind, is_made_here, remove_folder, replacing_folder


@dataclass(frozen=True)
class Split:
    """One train/dev/test partition; maps go from utterance id to class.

    Attributes:
        name: folder below `splits/`.
        train, dev: labelled; dev chooses checkpoints.
        adapt: target utterances that may be used without their labels.
        test: what stage 5 scores; empty when read for training.
        support: (k, draw) -> support set.
        labelled: target utterances outside the test part; only for rows that declare `labelled`, as the in-domain
            ceiling does.
        shares: utterance -> class -> share of the votes for any class; of utterances whose class a list other than
            the test's shows, where a label map goes by distribution.
        about: speakers and other information of the protocol.
    """

    name: str
    train: Mapping[str, str]
    dev: Mapping[str, str]
    adapt: Sequence[str]
    test: Mapping[str, str]
    support: Mapping[tuple[int, int], Mapping[str, str]] = field(default_factory=dict)
    labelled: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def pair_of(name: str) -> tuple[str, str]:
    """Part the name of a matrix's split at its `-` into source, and target with fold; any other name is both.

    Example:
        >>> pair_of("others-emodb.fold1"), pair_of("fold1")
        (('others', 'emodb.fold1'), ('fold1', 'fold1'))
    """
    source, dash, target = name.partition("-")
    return (source, target) if dash else (name, name)


def with_shares(split: Split, shares: Mapping[str, Mapping[str, float]]) -> Split:
    """Give a split the shares of the utterances whose class its lists show; never of its test utterances."""
    lists = (split.train, split.dev, split.labelled, *split.support.values())
    shown = {utt for entries in lists for utt in entries} - split.test.keys()
    return replace(split, shares={utt: shares[utt] for utt in sorted(shown & shares.keys())})


SPLIT = Kind(
    name="split",
    mark="split.json",
    is_ours=lambda about: "counts" in about and "test.lst" in about["files"],
    holds=lambda about: about["files"],
)
SPLITS = Kind(
    name="folder of splits",
    mark="protocol.json",
    is_ours=lambda about: "made_from" in about and bool(about["splits"]),
    holds=lambda about: (
        [
            f"{place}/{file}"
            for split in about["splits"]
            for place in (split, f".dev/{split}")  # those with dev speakers, for a simulated mistake
            for file in ("split.json", "test.ref", "*.lst")
        ]
        + [".dev/protocol.json"]
    ),
)


HIDDEN = ("test.lst", "test.ref")
"""Files of a split that training never opens."""


def write_splits(folder: Path, splits: Sequence[Split], about: Mapping[str, Any]) -> None:
    """Write all splits of a recipe whole or not at all.

    Args:
        folder: `splits/` of the recipe.
        splits: at least one.
        about: content of `protocol.json`, without the key `made_from` that decides whether it is up to date.
    """
    with replacing_folder(folder, SPLITS) as part:
        for split in splits:
            _write_split(part / split.name, split)
        write_json(part / "protocol.json", {**about, "splits": [split.name for split in splits]})


def _write_split(folder: Path, split: Split) -> None:
    folder.mkdir(parents=True)
    with_class = {"train.lst": split.train, "dev.lst": split.dev, "labelled.lst": split.labelled}
    with_class |= {"test.ref": split.test}
    with_class |= {f"support.{k}.{draw}.lst": support for (k, draw), support in split.support.items()}
    for name, entries in with_class.items():
        (folder / name).write_text("".join(f"{utt} {label}\n" for utt, label in entries.items()))
    for name, utts in {"adapt.lst": split.adapt, "test.lst": split.test}.items():
        (folder / name).write_text("".join(f"{utt}\n" for utt in utts))
    if split.shares:
        write_map(folder / "shares.lst", {utt: _shares_text(shares) for utt, shares in split.shares.items()})
    counts = {name: len(entries) for name, entries in with_class.items() if not name.startswith("support")}
    files = hash_files(folder, [path.name for path in folder.iterdir()])
    write_json(folder / "split.json", {"name": split.name, "counts": counts, **split.about, "files": files})


def _shares_text(shares: Mapping[str, float]) -> str:
    return "; ".join(f"{name}:{share:.9g}" for name, share in shares.items())


def _read_shares(path: Path) -> dict[str, dict[str, float]]:
    if not path.exists():
        return {}
    pairs = {utt: [pair.rsplit(":", 1) for pair in text.split("; ")] for utt, text in read_map(path).items()}
    return {utt: {name: float(share) for name, share in of} for utt, of in pairs.items()}


def remove_splits(folder: Path, keep: Collection[str] = ()) -> None:
    """Remove what an earlier protocol left in a recipe's `splits/`, but for the tasks to keep; others' files stay."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        kind = next((kind for kind in (SPLITS, SPLIT) if is_made_here(path, kind)), None)
        if kind and path.name not in keep:
            remove_folder(path, kind)
    mark = folder / SPLITS.mark
    if mark.exists() and SPLITS.is_ours(read_json(mark)):
        remove(mark)


def changed_lists(folder: Path) -> list[Path]:
    """Find the lists of a recipe's `splits/` that are not what stage 2 wrote, or not there."""
    names = read_json(folder / "protocol.json")["splits"]
    return [folder / name / file for name in names for file in changed_files(folder / name, _recorded(folder / name))]


def _recorded(folder: Path) -> dict[str, str]:
    """Read what stage 2 recorded of a split's files; nothing of one that is older than the record."""
    return read_json(folder / "split.json").get("files", {})


@dataclass(frozen=True)
class Splits:
    """The splits of a recipe on disk.

    Attributes:
        folder: `splits/` of the recipe.
        about: `protocol.json`: protocol, classes, releases, stamps, speakers with one class.
    """

    folder: Path
    about: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Splits:
        """Open what stage 2 wrote."""
        if not (folder / "protocol.json").exists():
            raise DataError(f"{folder}: no splits; run stage 2")
        return cls(folder, read_json(folder / "protocol.json"))

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of their indices."""
        return self.about["labels"]["classes"]

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decided the lists."""
        return fingerprint(self.about["made_from"])

    def trained_lists(self, with_adapt: bool) -> dict[str, Any] | None:
        """Give the classes and, of every split, the recorded hashes of the lists that training reads.

        Args:
            with_adapt: whether the lists of unlabelled target audio are among them.

        Returns:
            None where stage 2 was older than such a record.
        """
        hidden = {*HIDDEN, *(() if with_adapt else ("adapt.lst",))}
        recorded = {name: _recorded(self.folder / name) for name in self.about["splits"]}
        lists = {
            name: {file: value for file, value in files.items() if file not in hidden}
            for name, files in recorded.items()
        }
        return {"classes": self.classes, "lists": lists} if all(recorded.values()) else None

    def for_training(self) -> list[Split]:
        """Read every split without its test lists."""
        return [self._read(name, with_test=False) for name in self.about["splits"]]

    def for_scoring(self) -> list[Split]:
        """Read every split with its test lists; only stage 5 and what scores predictions call this."""
        return [self._read(name, with_test=True) for name in self.about["splits"]]

    def _read(self, name: str, with_test: bool) -> Split:
        folder = self.folder / name
        hidden = () if with_test else HIDDEN
        recorded = {file: value for file, value in _recorded(folder).items() if file not in hidden}
        if changed := changed_files(folder, recorded):
            path = folder / changed[0]
            what = "is not what stage 2 wrote" if path.exists() else "is missing"
            raise DataError(f"{path} {what}; run stage 2 again, which restores it")
        support = {}
        for path in folder.glob("support.*.lst"):
            k, draw = re.fullmatch(r"support\.(\d+)\.(\d+)\.lst", path.name).groups()
            support[int(k), int(draw)] = read_map(path)
        return Split(
            name=name,
            train=read_map(folder / "train.lst"),
            dev=read_map(folder / "dev.lst"),
            adapt=read_list(folder / "adapt.lst"),
            test=read_map(folder / "test.ref") if with_test else {},
            support=dict(sorted(support.items())),
            labelled=read_map(folder / "labelled.lst"),
            shares=_read_shares(folder / "shares.lst"),
        )


def as_listed(seen: Collection[str], splits: Iterable[Split]) -> frozenset[str]:
    """Say what the unlabelled audio of a tested corpus is that a method sees, by the lists of some splits.

    To a method, `unlabelled-train` is what `Split.adapt` lists. Few-shot protocols list training speakers there,
    others the test utterances themselves, or nothing.

    Args:
        seen: what the method declares, words of `ser.types.TARGET_DATA`.
        splits: that test the corpus, or sketches of them.
    """
    if "unlabelled-train" not in seen:
        return frozenset(seen)
    is_tested = set()
    for split in splits:
        tested = {utt.split("-")[0] for utt in split.test}
        is_tested |= {utt in split.test for utt in split.adapt if utt.split("-")[0] in tested}
    audio = {"unlabelled-test"} if True in is_tested else set()
    return frozenset({*seen} - ({"unlabelled-train"} if False not in is_tested else set()) | audio)
