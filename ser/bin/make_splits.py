"""Make the splits of a recipe and audit them for leaks.

usage: python -m ser.bin.make_splits --config conf/protocol.yaml --data DATA_ROOT SPLITS_DIR [--mini true]

The protocol's `tasks`, where it has them, get a folder each: SPLITS_DIR/<task>/<split>/.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from ser.config import build, find, load, read
from ser.data.data_dir import check_unchanged, read_data_dir
from ser.errors import ConfigError, DataError, run_cli, unknown
from ser.splits.audit import one_class_speakers
from ser.splits.labels import LabelMap
from ser.splits.lists import Split, changed_lists, write_splits
from ser.splits.protocols.corpus_folds import CorpusFoldsProtocol, corpus_folds_splits
from ser.splits.protocols.few_shot import FewShotProtocol, make_splits
from ser.splits.protocols.multi_corpus import (
    CrossCorpusProtocol,
    MultiCorpusProtocol,
    cross_corpus_splits,
    multi_corpus_splits,
)
from ser.splits.protocols.paired_folds import PairedFoldsProtocol, paired_folds_splits
from ser.system.files import fingerprint, hash_file, read_json, remove

VERSION = 2
"""Raise it when the same settings would give other lists."""

Protocol = FewShotProtocol | CrossCorpusProtocol | MultiCorpusProtocol | CorpusFoldsProtocol | PairedFoldsProtocol

PROTOCOLS: dict[str, tuple[type[Protocol], Callable[..., list[Split]]]] = {
    "few_shot": (FewShotProtocol, make_splits),
    "cross_corpus": (CrossCorpusProtocol, cross_corpus_splits),
    "multi_corpus": (MultiCorpusProtocol, multi_corpus_splits),
    "corpus_folds": (CorpusFoldsProtocol, corpus_folds_splits),
    "paired_folds": (PairedFoldsProtocol, paired_folds_splits),
}
"""Value of `protocol:` -> its settings, and what makes its splits."""

CHECKED = {
    "disjoint": "speaker, session or audio",
    "shared": "speaker or audio",
    "speakers shared": "audio",
}
"""`sessions` of a protocol -> what the audit has looked for."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the recipe's protocol")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds data directories")
    parser.add_argument("--mini", choices=("true", "false"), default="false")
    parser.add_argument("splits", type=Path)
    args = parser.parse_args(argv)
    protocol = read_protocol(args.config, mini=args.mini == "true")
    if isinstance(protocol, FewShotProtocol):
        _make(args, protocol, protocol.labels, args.splits)
        return
    for task, labels in protocol.tasks.items():
        alone = protocol.model_copy(update={"tasks": {task: labels}})  # what other tasks there are decides nothing
        if isinstance(protocol, PairedFoldsProtocol):
            alone = alone.model_copy(update={"folds": {task: protocol.folds[task]}})
        _make(args, alone, labels, args.splits / task, f"{task} ")
    _remove_others(args.splits, protocol.tasks)


def read_protocol(path: Path, mini: bool = False) -> Protocol:
    """Read the settings of whatever protocol a recipe follows.

    Raises:
        ConfigError: naming file and key.
    """
    values, origin = read(path, mini=mini)
    if "protocol" not in values:
        raise ConfigError(f"{path}: protocol: is required and missing; known: {', '.join(sorted(PROTOCOLS))}")
    name = str(values["protocol"])
    if name not in PROTOCOLS:
        raise ConfigError(f"{origin['protocol',]}: protocol: {unknown(name, PROTOCOLS)}")
    return build(PROTOCOLS[name][0], values, str(path), origin)


def _make(args: argparse.Namespace, protocol: Protocol, labels_name: str, folder: Path, task: str = "") -> None:
    """Make a folder of splits whole or not at all, unless it is up to date."""
    label_map = load(find("labels", labels_name, args.config.parent), LabelMap)
    made_from = {
        "version": VERSION,
        "protocol": protocol.model_dump(),
        "labels": label_map.only(protocol.corpora),
        "data": {name: _data_hash(args.data / name, label_map, protocol) for name in protocol.corpora},
    }
    about_path = folder / "protocol.json"
    if about_path.exists() and read_json(about_path).get("made_from") == made_from:
        if not (changed := changed_lists(folder)):
            print(f"{task}splits: up to date")
            return
        print(f"{changed[0]}: was changed after it was made; made again")
    utterances, labels, releases = {}, {}, {}
    for name in protocol.corpora:
        corpus = read_data_dir(args.data / name)
        releases[name] = read_json(args.data / name / "corpus.json")["release"]
        labels |= label_map.apply(name, corpus, releases[name])
        utterances[name] = [u for u in corpus if u.utt_id in labels]
    _, make = PROTOCOLS[protocol.protocol]
    splits = make(protocol, utterances, labels)
    about = {
        "made_from": made_from,
        "protocol": protocol.model_dump(),
        "labels": {"name": labels_name, "classes": label_map.classes},
        "releases": releases,
        "stamps": protocol.stamps,
        "corpus_stamps": getattr(protocol, "corpus_stamps", {}),
        "one_class_speakers": {name: one_class_speakers(utterances[name], labels) for name in protocol.corpora},
    }
    write_splits(folder, splits, about)
    for split in splits:
        print(f"{task}{split.name}: {len(split.train)} train, {len(split.dev)} dev, {_tested(split, protocol)}")
    for stamp in protocol.stamps:
        print(stamp)
    checked = "audio" if about["corpus_stamps"] else CHECKED[protocol.sessions]
    print(f"no {checked} is shared; fingerprint {fingerprint(made_from)[:8]}")


def _tested(split: Split, protocol: Protocol) -> str:
    """Say who is tested, or how much of each corpus, and what else of the target may be seen."""
    if isinstance(protocol, FewShotProtocol):
        speakers = ", ".join(split.about["test_speakers"])
        return f"{len(split.test)} test ({speakers}), {len(split.support)} support sets"
    of_corpus = Counter(utt.split("-")[0] for utt in split.test)
    text = f"{len(split.test)} test ({', '.join(f'{name} {n}' for name, n in of_corpus.items())})"
    return f"{text}, all of it to adapt to without labels" if split.adapt else text


def _remove_others(folder: Path, tasks: Collection[str]) -> None:
    """Remove what an earlier protocol left: splits of tasks that are no longer named, and splits without a task."""
    for path in folder.iterdir():
        made_here = path.name == "protocol.json" or any((path / f"{n}.json").exists() for n in ("protocol", "split"))
        if made_here and path.name not in tasks:
            remove(path)


def _data_hash(data_dir: Path, label_map: LabelMap, protocol: Protocol) -> str:
    """Hash what the splits depend on; where the audio lies does not matter."""
    rules = label_map.corpora.get(data_dir.name)
    by = ["utt2emo_acted"] if rules and rules.by == "emotion_acted" else []
    if isinstance(protocol, CorpusFoldsProtocol):  # which rows are trained on, and scored with
        by += ["utt2aro", "utt2val"]
    if isinstance(protocol, PairedFoldsProtocol):
        by += ["utt2text_id"]
    check_unchanged(data_dir)
    names = ("utt2spk", "utt2emo", "utt2hash", "spk2gender", "utt2session", *by, "corpus.json")
    try:
        parts = {n: hash_file(data_dir / n) for n in names[:-1] if (data_dir / n).exists()}
        return fingerprint(parts | {"release": read_json(data_dir / names[-1])["release"]})
    except FileNotFoundError:
        raise DataError(f"{data_dir}: no data directory; run stage 1") from None


if __name__ == "__main__":
    run_cli(main)
