"""Turn a corpus' release into a Kaldi-style data directory.

usage: python -m ser.bin.prepare_corpus CORPUS [RELEASE_DIR] DATA_DIR [--db_root DIR] [--allow_partial true]
       python -m ser.bin.prepare_corpus table FILE DATA_DIR [--map joy=happy]          a CSV or TSV of your own

A CORPUS of any other name is your own: FILE is its table. Without a release, a DATA_DIR that is there is kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.corpora import CORPORA
from ser.corpora.base import find_release, prepare
from ser.corpora.spelling import read_map_option
from ser.corpora.table import HELP, prepare_table
from ser.data.data_dir import check_unchanged
from ser.errors import ConfigError, run_cli, unknown


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("release", nargs="?", type=Path, help="folder of the release (default: below --db_root)")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--db_root", default="", help="folder that holds releases under their usual names")
    parser.add_argument("--allow_partial", choices=("true", "false"), default="false")
    parser.add_argument(
        "--map", action="append", metavar="WORD=EMOTION", help="of a table; may be repeated; or a YAML"
    )
    args = parser.parse_intermixed_args(argv)  # options may stand between the folders
    db_root = Path(args.db_root) if args.db_root else None
    allow_partial = args.allow_partial == "true"
    mapped = None if args.map is None else read_map_option(args.map)
    if mapped is not None and args.corpus in CORPORA:
        raise ConfigError(f"--map is for tables; the parser of {args.corpus} knows its labels")
    is_known = args.corpus in CORPORA or args.corpus == args.data_dir.name
    if is_known and args.release is None and db_root is None and (args.data_dir / "corpus.json").exists():
        check_unchanged(args.data_dir)
        print(f"{args.corpus}: prepared before; no release was named to hold it against")
        return
    if args.corpus == "table":
        if args.release is None:
            raise ConfigError("table: needs FILE and DATA_DIR")
        done = prepare_table(args.release, args.data_dir, allow_partial, mapped)
    elif args.corpus in CORPORA:
        corpus = CORPORA[args.corpus]
        done = prepare(corpus, find_release(corpus, args.release, db_root), args.data_dir, allow_partial)
    elif args.corpus == args.data_dir.name and args.release is not None:
        done = prepare_table(args.release, args.data_dir, allow_partial, mapped)
    else:
        raise ConfigError(
            f"CORPUS: {unknown(args.corpus, [*CORPORA, 'table'])}; for a corpus of your own, set "
            f"{args.corpus.upper()} to its table in conf/db.sh, or make {args.data_dir}"
        )
    print(f"{args.corpus}: wrote {args.data_dir}" if done else f"{args.corpus}: up to date")


if __name__ == "__main__":
    run_cli(main)
