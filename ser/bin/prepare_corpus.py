"""Turn a corpus' release into a Kaldi-style data directory.

usage: python -m ser.bin.prepare_corpus CORPUS [RELEASE_DIR] DATA_DIR [--db_root DIR] [--allow_partial true]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.corpora import CORPORA
from ser.corpora.base import find_release, prepare
from ser.errors import ConfigError, run_cli, unknown


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("release", nargs="?", type=Path, help="folder of the release; else below --db_root")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--db_root", type=Path, help="folder that holds releases under their usual names")
    parser.add_argument("--allow_partial", choices=("true", "false"), default="false")
    args = parser.parse_args(argv)
    db_root = args.db_root if args.db_root and str(args.db_root) != "." else None  # "" of a shell reads as "."
    if args.corpus not in CORPORA:
        raise ConfigError(f"CORPUS: {unknown(args.corpus, CORPORA)}")
    corpus = CORPORA[args.corpus]
    release = find_release(corpus, args.release, db_root)
    if prepare(corpus, release, args.data_dir, args.allow_partial == "true"):
        print(f"{corpus.name}: wrote {args.data_dir}")
    else:
        print(f"{corpus.name}: up to date")


if __name__ == "__main__":
    run_cli(main)
