"""Write the table of a data set of another tool, for `python -m ser.bin.prepare_corpus table`.

usage: python -m ser.bin.import_table audformat DB_DIR TABLE.csv --speaker COLUMN --emotion COLUMN [--table NAME]
       python -m ser.bin.import_table huggingface DIR TABLE.csv --speaker COLUMN --emotion COLUMN

COLUMN is a column of the data set; for huggingface also `folder`, the name of the folder that a file is in. Audio
that is in Parquet files is written to a folder next to TABLE.csv. Words stay as they are: `prepare_corpus table` says
which it understands, and takes the others by `--map`. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ser.corpora.imports import audformat_rows, huggingface_rows, write_table
from ser.errors import ConfigError, run_cli

COLUMNS = ("speaker", "emotion", "gender", "language", "session", "text_id", "arousal", "valence", "dominance")


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("audformat", "huggingface"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("table_file", metavar="TABLE.csv", type=Path)
    for column in COLUMNS:
        parser.add_argument(f"--{column}", metavar="COLUMN", required=column in ("speaker", "emotion"))
    parser.add_argument("--table", default="", help="audformat: the table with the emotions, if several are")
    parser.add_argument("--all_language", "--all-language", default="", help="language of all utterances, ISO 639-1")
    args = parser.parse_args(argv)
    if not args.folder.is_dir():
        raise ConfigError(f"'{args.folder}' is no folder; name the data set on disk")
    columns = {column: name for column in COLUMNS if (name := getattr(args, column))}
    audio = args.table_file.with_suffix("")
    rows = (
        audformat_rows(args.folder, args.table, columns)
        if args.kind == "audformat"
        else huggingface_rows(args.folder, audio)
    )
    n = write_table(args.table_file, rows, columns, args.all_language)
    print(
        f"{args.table_file}: {n} utterances; now python -m ser.bin.prepare_corpus table {args.table_file} data/NAME"
    )


if __name__ == "__main__":
    run_cli(main)
