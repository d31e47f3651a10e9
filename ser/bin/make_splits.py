"""Make the splits of a recipe and audit them for leaks.

usage: python -m ser.bin.make_splits --config conf/protocol.yaml --data DATA_ROOT SPLITS_DIR [--mini true]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.config import find, load
from ser.errors import DataError, run_cli
from ser.files import fingerprint, hash_file, read_json
from ser.kaldi_io import read_data_dir
from ser.splits.few_shot import FewShotProtocol, make_splits
from ser.splits.labels import LabelMap
from ser.splits.lists import write_splits

VERSION = 1
"""Raise it when the same settings would give other lists."""


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the recipe's protocol")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds data directories")
    parser.add_argument("--mini", choices=("true", "false"), default="false")
    parser.add_argument("splits", type=Path)
    args = parser.parse_args(argv)
    protocol = load(args.config, FewShotProtocol, mini=args.mini == "true")
    label_map = load(find("labels", protocol.labels, args.config.parent), LabelMap)
    made_from = {
        "version": VERSION,
        "protocol": protocol.model_dump(),
        "labels": label_map.only(protocol.corpora),
        "data": {name: _data_hash(args.data / name) for name in protocol.corpora},
    }
    about_path = args.splits / "protocol.json"
    if about_path.exists() and read_json(about_path).get("made_from") == made_from:
        print("splits: up to date")
        return
    utterances, labels, releases = {}, {}, {}
    for name in protocol.corpora:
        corpus = read_data_dir(args.data / name)
        releases[name] = read_json(args.data / name / "corpus.json")["release"]
        labels |= label_map.apply(name, corpus, releases[name])
        utterances[name] = [u for u in corpus if u.utt_id in labels]
    splits = make_splits(protocol, utterances, labels)
    about = {
        "made_from": made_from,
        "protocol": protocol.model_dump(),
        "labels": {"name": protocol.labels, "classes": label_map.classes},
        "releases": releases,
    }
    write_splits(args.splits, splits, about)
    for split in splits:
        print(f"{split.name}: {len(split.train)} train, {len(split.dev)} dev, {len(split.test)} test "
              f"({', '.join(split.about['test_speakers'])}), {len(split.support)} support sets")  # fmt: skip
    print(f"no speaker, session or audio is shared; fingerprint {fingerprint(made_from)[:8]}")


def _data_hash(data_dir: Path) -> str:
    """Hash what the splits depend on; where the audio lies does not matter."""
    names = ("utt2spk", "utt2emo", "utt2hash", "spk2gender", "utt2session", "corpus.json")
    try:
        parts = {n: hash_file(data_dir / n) for n in names[:-1] if (data_dir / n).exists()}
        return fingerprint(parts | {"release": read_json(data_dir / names[-1])["release"]})
    except FileNotFoundError:
        raise DataError(f"{data_dir}: no data directory; run stage 1") from None


if __name__ == "__main__":
    run_cli(main)
